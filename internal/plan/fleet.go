package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/fleet"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

const machines = "m.mainstay.dev/v1alpha1"

// fleet of a plan.
func (b *builder) fleet(d *draft, was, is *Rendered) {
	has, wants := b.hasClusters(d, was), clustersOf(is)
	hasPools, wantPools := b.hasPools(has, was), poolsOf(is)
	for _, ref := range sortedReferences(keys(has, wants)) {
		had, want := has[ref], wants[ref]
		switch {
		case want == nil:
			d.clusters.add(ref)
			d.removes.add(ref)
			d.work(clusterGoes(had, was), set{ref: true})
		case had == nil:
			d.clusters.add(ref)
			d.work(clusterComes(want), set{ref: true})
		default:
			b.version(d, had, want)
			if t, ok := clusterChanges(had, want); ok {
				d.clusters.add(ref)
				d.work(t, set{ref: true})
			}
		}
		before, after := hasPools[ref], wantPools[ref]
		for _, name := range slices.Sorted(keys(before, after)) {
			b.count(before[name], after[name])
			if had == nil || want == nil {
				continue // They come and go with their cluster.
			}
			if t, ok := poolChanges(before[name], after[name]); ok {
				d.clusters.add(ref)
				d.work(t, set{ref: true})
			}
		}
	}
	b.upgrade(d, is)
}

// count the nodes of a pool.
func (b *builder) count(before, after *v1alpha1.NodePool) {
	if before != nil {
		b.nodesBefore += int(before.Spec.ForProvider.Size)
	}
	if after != nil {
		b.nodesAfter += int(after.Spec.ForProvider.Size)
	}
}

func sortedReferences(seq func(func(v1alpha1.ClusterReference) bool)) []v1alpha1.ClusterReference {
	return slices.SortedFunc(seq, compareReferences)
}

func clustersOf(r *Rendered) map[v1alpha1.ClusterReference]*v1alpha1.Cluster {
	out := map[v1alpha1.ClusterReference]*v1alpha1.Cluster{}
	if r != nil {
		for i := range r.Clusters {
			out[referenceTo(&r.Clusters[i])] = &r.Clusters[i]
		}
	}
	return out
}

// hasClusters of a fleet, as they are.
func (b *builder) hasClusters(d *draft, was *Rendered) map[v1alpha1.ClusterReference]*v1alpha1.Cluster {
	if !b.observed.Known {
		return clustersOf(was)
	}
	out := map[v1alpha1.ClusterReference]*v1alpha1.Cluster{}
	for i := range b.observed.Clusters {
		c := &b.observed.Clusters[i]
		if c.GetNamespace() == d.Namespace && c.Spec.ForProvider.Fleet == d.Name {
			out[referenceTo(c)] = c
		}
	}
	return out
}

type poolsByName map[v1alpha1.ClusterReference]map[string]*v1alpha1.NodePool

func (p poolsByName) add(list []v1alpha1.NodePool) {
	for i := range list {
		ref := v1alpha1.ClusterReference{Namespace: list[i].GetNamespace(), Name: list[i].Spec.ForProvider.Cluster}
		if p[ref] == nil {
			p[ref] = map[string]*v1alpha1.NodePool{}
		}
		p[ref][list[i].Spec.ForProvider.Name] = &list[i]
	}
}

func poolsOf(r *Rendered) poolsByName {
	out := poolsByName{}
	if r != nil {
		out.add(r.Pools)
	}
	return out
}

func (b *builder) hasPools(clusters map[v1alpha1.ClusterReference]*v1alpha1.Cluster, was *Rendered) poolsByName {
	if !b.observed.Known {
		return poolsOf(was)
	}
	out := poolsByName{}
	out.add(b.observed.Pools)
	maps.DeleteFunc(out, func(ref v1alpha1.ClusterReference, _ map[string]*v1alpha1.NodePool) bool { return clusters[ref] == nil })
	return out
}

func clusterComes(c *v1alpha1.Cluster) template {
	t := clusterTemplate(Create)
	t.Reverse = Reverse{Class: Auto, Verb: Delete}
	if c.Spec.ForProvider.KubeconfigSecretRef != nil {
		t.Reason = "it exists, and is adopted"
	}
	return t
}

func clusterGoes(c *v1alpha1.Cluster, was *Rendered) template {
	t := clusterTemplate(Delete)
	policy := ""
	if was != nil {
		policy, _, _ = unstructured.NestedString(was.Spec, "deletionPolicy")
	}
	switch {
	case c.Spec.ForProvider.KubeconfigSecretRef != nil:
		t.Reason, t.Reverse = "it was adopted, and is let go", Reverse{Class: Auto, Verb: Create}
	case policy == "Orphan":
		t.Reason, t.Reverse = "it is let go with everything on it", Reverse{Class: Manual, Verb: Create, Why: "a cluster that was let go has to be adopted"}
	default:
		t.Effects.Data = 1
		t.Reverse = Reverse{Class: Irreversible, Why: "clusters are destroyed with all that is on them"}
	}
	return t
}

func clusterTemplate(v Verb) template {
	t := template{}
	t.Object, t.Verb = Object{APIVersion: machines, Kind: v1alpha1.ClusterGVK.Kind}, v
	return t
}

// clusterChanges says how a cluster changes, if it does.
func clusterChanges(had, want *v1alpha1.Cluster) (template, bool) {
	before, after := had.Spec.ForProvider, want.Spec.ForProvider
	if v := had.Status.AtProvider.Version; v != "" && after.KubernetesVersion != "" {
		before.KubernetesVersion = v // What it runs, and not what it was asked to.
	}
	t := clusterTemplate(Update)
	t.Fields = specDiff(before, after)
	if len(t.Fields) == 0 {
		return t, false
	}
	t.Detail, t.Reverse = detail(t.Fields), Reverse{Class: Auto, Verb: Update}
	if before.KubernetesVersion != after.KubernetesVersion && before.KubernetesVersion != "" {
		t.Reason = "another version of Kubernetes"
		t.Effects.Moves = int(had.Status.AtProvider.Nodes.Total)
		t.Reverse = Reverse{Class: ForwardOnly, Why: "a control plane does not go back to an older version"}
	}
	return t, true
}

// poolChanges says how a node pool changes, if it does.
func poolChanges(had, want *v1alpha1.NodePool) (template, bool) {
	t := template{}
	t.Object = Object{APIVersion: machines, Kind: v1alpha1.NodePoolGVK.Kind}
	switch {
	case had == nil:
		t.Object.Name, t.Verb, t.Reverse = want.Spec.ForProvider.Name, Create, Reverse{Class: Auto, Verb: Delete}
	case want == nil:
		t.Object.Name, t.Verb = had.Spec.ForProvider.Name, Delete
		t.Effects.Moves = int(had.Spec.ForProvider.Size)
		t.Reverse = Reverse{Class: Manual, Verb: Create, Why: "what nodes kept on their own disks goes with them"}
	default:
		before, after := had.Spec.ForProvider, want.Spec.ForProvider
		t.Object.Name, t.Fields = after.Name, specDiff(before, after)
		if len(t.Fields) == 0 {
			return t, false
		}
		t.Detail, t.Verb, t.Reverse = detail(t.Fields), Update, Reverse{Class: Auto, Verb: Update}
		less := max(0, int(before.Size-after.Size))
		t.Effects.Moves = less
		switch {
		case before.Class != after.Class:
			t.Verb, t.Reason, t.Effects.Moves = Replace, "nodes of another class take the place of all", int(before.Size)
			t.Reverse = Reverse{Class: Manual, Verb: Replace, Why: "what nodes kept on their own disks goes with them"}
		case len(t.Fields) == 1 && before.Size != after.Size:
			t.Verb, t.Reverse.Verb = Scale, Scale
			if less > 0 {
				t.Reverse = Reverse{Class: Manual, Verb: Scale, Why: "what nodes kept on their own disks goes with them"}
			}
		}
	}
	return t, true
}

// specDiff compares what clusters or pools are asked for, without what is derived of it.
func specDiff(before, after any) []Field {
	return diff(asObject(before), asObject(after), nil)
}

func asObject(v any) *unstructured.Unstructured {
	out := map[string]any{}
	raw, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		out = map[string]any{"unreadable": fmt.Sprint(err)}
	}
	for _, derived := range []string{"fleet", "name", "cluster", "shape", "revision", "admitted"} {
		delete(out, derived)
	}
	return &unstructured.Unstructured{Object: out}
}

// upgrade in waves, where the fleet has them.
func (b *builder) upgrade(d *draft, is *Rendered) {
	if is == nil || is.Rollout == nil {
		return
	}
	d.wavesAsked = true
	spec, o := fleet.Rolling(is.Rollout, is.Clusters)
	arranged, flaw := rollout.Arrange(spec, o)
	if flaw != "" && d.Verb != Noop {
		b.finding(d.ClaimReference, "Strategy", "cannot be rolled out: "+clean(flaw))
	}
	for _, a := range arranged {
		members := set{}
		for _, t := range a.Targets {
			if d.clusters[t.Cluster] {
				members.add(t.Cluster)
			}
		}
		if len(members) > 0 {
			d.Waves, d.waves = append(d.Waves, waveOf(a.Name, a.Wave, spec.Strategy)), append(d.waves, members)
		}
	}
}
