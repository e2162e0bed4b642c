// Package placement says which clusters an application goes to, and what differs
// there. The inventory is all Clusters of the hub, of which a tenant sees those
// that list it. A placement that cannot be resolved in full is not resolved at all:
// the difference between "nowhere" and "somewhere I misread" is somebody's workload.
//
// Deliberately absent: what runs where at the moment. Whether a target is new, or
// a cluster left, is decided by package rollout, which compares.
package placement

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/tenancy"
)

// maxProblems is how many problems a BlockedError spells out.
const maxProblems = 5

// A Target is a cluster that is placed.
type Target struct {
	// Cluster resource.
	Cluster v1alpha1.ClusterReference
	// Fleet the cluster belongs to, and its name there.
	Fleet, Name string
	// Namespace on the cluster that the objects go to.
	Namespace string
	// Overrides that apply, by name, in the order of the placement.
	Overrides []string
	// Topologies that select the cluster, by name, in the order of the placement.
	Topologies []string
	// Labels of the cluster. They are shared with it: they must not be changed.
	Labels map[string]v1alpha1.LabelValue
}

// Label returns the target the way people name it: <fleet>.<cluster>.
func (t Target) Label() string { return label(t.Fleet, t.Name) }

// A BlockedError says why a placement cannot be resolved. Nothing may be moved
// because of it, and nothing removed.
type BlockedError struct {
	// Problems, in the order of the placement. Each is a sentence for the author.
	Problems []string
}

// Error returns the problems in one line.
func (e *BlockedError) Error() string {
	if n := len(e.Problems); n > maxProblems {
		return fmt.Sprintf("%s; and %d more", strings.Join(e.Problems[:maxProblems], "; "), n-maxProblems)
	}
	return strings.Join(e.Problems, "; ")
}

// IsBlocked returns true where an error says that a placement cannot be resolved.
func IsBlocked(err error) bool {
	be := &BlockedError{}
	return errors.As(err, &be)
}

// Resolve a placement of the namespace's application. Targets are ordered by
// cluster. Clusters that are being deleted are not placed: they drain. Clusters
// that are not ready are, because they are wanted. It returns a BlockedError where
// anything is wrong.
func Resolve(namespace string, p v1alpha1.Placement, clusters []v1alpha1.Cluster) ([]Target, error) {
	r := &resolver{inventory: newInventory(namespace, clusters)}
	topologies := p.Topologies
	if len(topologies) == 0 {
		topologies = []v1alpha1.Topology{{}}
	}
	for _, t := range topologies {
		r.place(namespace, t)
	}
	r.override(p.Overrides)
	if len(r.problems) > 0 {
		return nil, &BlockedError{Problems: r.problems}
	}
	return r.targets(), nil
}

// A resolver gathers what is placed, and what is wrong.
type resolver struct {
	inventory inventory
	placed    []*placed
	problems  []string
}

// A placed cluster remembers which topology placed it.
type placed struct {
	Target
	cluster  *v1alpha1.Cluster
	topology string
}

// place the clusters that a topology selects.
func (r *resolver) place(namespace string, t v1alpha1.Topology) {
	target := t.Namespace
	if target == "" {
		target = namespace
	}

	candidates := r.inventory.allowed
	if len(t.Clusters) > 0 {
		found, problems := r.inventory.find(t.Clusters)
		for _, p := range problems {
			r.refuse("%s%s", topologyPrefix(t), p)
		}
		if len(problems) > 0 {
			return
		}
		candidates = found
	}

	selected, draining := 0, 0
	for _, c := range candidates {
		if !matches(c, t.ClusterLabelSelector) {
			continue
		}
		if c.GetDeletionTimestamp() != nil {
			draining++
			continue
		}
		selected++
		if err := tenancy.Check(c, namespace, target); err != nil {
			r.refuse("%s%s", topologyPrefix(t), err)
			continue
		}
		r.add(c, t.Name, target)
	}
	if selected == 0 && !t.AllowEmpty {
		r.refuse("%s", nothingSelected(namespace, t, draining))
	}
}

// add a cluster, which another topology may have placed before.
func (r *resolver) add(c *v1alpha1.Cluster, topology, target string) {
	i := slices.IndexFunc(r.placed, func(p *placed) bool { return p.cluster == c })
	if i < 0 {
		i = len(r.placed)
		r.placed = append(r.placed, &placed{
			Target: Target{
				Cluster:   v1alpha1.ClusterReference{Namespace: c.GetNamespace(), Name: c.GetName()},
				Fleet:     c.Spec.ForProvider.Fleet,
				Name:      c.Spec.ForProvider.Name,
				Namespace: target,
				Labels:    c.Spec.ForProvider.Labels,
			},
			cluster:  c,
			topology: topology,
		})
	}
	if topology != "" {
		r.placed[i].Topologies = append(r.placed[i].Topologies, topology)
	}
	if other := r.placed[i]; other.Namespace != target {
		r.refuse("topologies %q and %q both select cluster %q, for namespaces %q and %q: let only one of them select it",
			other.topology, topology, clusterLabel(c), other.Namespace, target)
	}
}

// override notes which overrides apply to the placed clusters.
func (r *resolver) override(scopes []v1alpha1.OverrideScope) {
	for _, o := range scopes {
		var named []*v1alpha1.Cluster
		if len(o.Clusters) > 0 {
			found, problems := r.inventory.find(o.Clusters)
			for _, p := range problems {
				r.refuse("override %q: %s", o.Name, p)
			}
			named = found
		}
		for _, p := range r.placed {
			if len(o.Clusters) > 0 && !slices.Contains(named, p.cluster) {
				continue
			}
			if len(o.Topologies) > 0 && !slices.Contains(o.Topologies, p.topology) {
				continue
			}
			if matches(p.cluster, o.ClusterLabelSelector) {
				p.Overrides = append(p.Overrides, o.Name)
			}
		}
	}
}

func (r *resolver) refuse(format string, args ...any) {
	if problem := fmt.Sprintf(format, args...); !slices.Contains(r.problems, problem) {
		r.problems = append(r.problems, problem)
	}
}

func (r *resolver) targets() []Target {
	out := make([]Target, 0, len(r.placed))
	for _, p := range r.placed {
		out = append(out, p.Target)
	}
	slices.SortFunc(out, func(a, b Target) int {
		return cmp.Or(cmp.Compare(a.Cluster.Name, b.Cluster.Name), cmp.Compare(a.Cluster.Namespace, b.Cluster.Namespace))
	})
	return out
}

// matches returns true where a cluster carries all labels of a selector.
func matches(c *v1alpha1.Cluster, selector map[string]string) bool {
	for k, v := range selector {
		if got, ok := c.Spec.ForProvider.Labels[k]; !ok || string(got) != v {
			return false
		}
	}
	return true
}

// nothingSelected says why a topology selects no cluster.
func nothingSelected(namespace string, t v1alpha1.Topology, draining int) string {
	if draining > 0 {
		return fmt.Sprintf("%severy cluster that is selected is being deleted", topologyPrefix(t))
	}
	if len(t.ClusterLabelSelector) > 0 {
		return fmt.Sprintf("%sno cluster that lists namespace %q as a tenant has the labels %s: correct clusterLabelSelector, or set allowEmpty",
			topologyPrefix(t), namespace, selectorText(t.ClusterLabelSelector))
	}
	return fmt.Sprintf("%sno cluster lists namespace %q as a tenant: ask the owner of a fleet to add it to spec.tenants", topologyPrefix(t), namespace)
}

// topologyPrefix starts a sentence about a topology, if the author wrote one.
func topologyPrefix(t v1alpha1.Topology) string {
	if t.Name == "" {
		return ""
	}
	return fmt.Sprintf("topology %q: ", t.Name)
}

func selectorText(selector map[string]string) string {
	parts := make([]string, 0, len(selector))
	for k, v := range selector {
		parts = append(parts, k+"="+v)
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}
