package preflight

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bind"
	"github.com/mainstay-dev/mainstay/internal/names"
	"github.com/mainstay-dev/mainstay/internal/plan"
	"github.com/mainstay-dev/mainstay/internal/preflight"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

const (
	// planPatience is how long clusters are looked at for one plan. Somebody waits for it, and the
	// Rollouts look at all clusters before they begin.
	planPatience = 2500 * time.Millisecond
	// maxProbes are clusters that are looked at for one plan.
	maxProbes = 48
	// maxPlanned are answers for plans that are remembered: a plan is made twice.
	maxPlanned = 4096
)

// A probe is a cluster that is looked at for a plan, and what it is to get.
type probe struct {
	rollout.Placed

	claim   v1alpha1.ClaimReference
	ro      *v1alpha1.Rollout
	content *content
	cluster *v1alpha1.Cluster
}

// key that an answer is remembered by. A Bundle is named by its content.
func (p *probe) key() string {
	return fmt.Sprintf("%s/%s %s %s %s %s %s", p.cluster.GetNamespace(), p.cluster.GetName(), p.cluster.GetUID(), p.claim.Namespace, p.claim.Name, p.Payload.Bundle, p.Payload.Namespace)
}

// Planned looks at one cluster of each stratum for what the applications of a rendered side that a
// change touches are going to put there, and tells what it finds. Nothing of it is on the hub
// yet. A cluster that does not answer in time is counted, and found nothing of.
func (r *Runner) Planned(ctx context.Context, side plan.Side, touched []v1alpha1.ClaimReference) []v1alpha1.ChangeFinding {
	clusters, err := r.clusters(ctx)
	if err != nil {
		return []v1alpha1.ChangeFinding{unseen(0, "clusters were not looked at: "+err.Error())}
	}
	var probes []*probe
	for i := range side.Claims {
		if slices.Contains(touched, side.Claims[i].ClaimReference) {
			probes = append(probes, probesOf(clusters, &side.Claims[i])...)
		}
	}
	left := max(0, len(probes)-maxProbes)
	probes = probes[:len(probes)-left]
	ctx, cancel := context.WithTimeout(ctx, planPatience)
	defer cancel()
	placed := make([]rollout.Placed, len(probes))
	for i, p := range probes {
		placed[i] = p.Placed
		placed[i].Wave = strconv.Itoa(i) // So that it is found again.
	}
	growing, err := r.growing(ctx, placed)
	if err != nil {
		r.log.Debug("Cannot tell which clusters grow", "error", err)
	}
	found := r.each(ctx, placed, func(ctx context.Context, at rollout.Placed) (*result, error) {
		i, _ := strconv.Atoi(at.Wave) // Written above.
		return r.planned(ctx, probes[i], growing[at.Target.Cluster])
	})
	var out []v1alpha1.ChangeFinding
	started := map[v1alpha1.ClusterReference]bool{}
	for i, f := range found {
		if f == nil {
			left++
			continue
		}
		p := probes[i]
		s := p.ro.Spec.ForProvider.Strategy
		for _, finding := range preflight.Waive(nameOf(p.Placed), f.findings, s.Waivers, r.clock.Now()) {
			if preflight.Nodeless(finding) && growing[p.Target.Cluster] {
				// It was started a moment ago.
				started[p.Target.Cluster] = true
				continue
			}
			one := plan.Finding(p.claim, finding, 1)
			// Where clusters like that are skipped, the rest goes on.
			one.Blocking = one.Blocking && s.Preflight != v1alpha1.PreflightSkip
			out = fold(out, one)
		}
	}
	slices.SortStableFunc(out, func(a, b v1alpha1.ChangeFinding) int {
		return cmp.Or(cmp.Compare(order(a.Blocking), order(b.Blocking)), cmp.Compare(a.Claim, b.Claim), cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Message, b.Message))
	})
	if n := len(started); n > 0 {
		out = append(out, unseen(n, "their nodes are not observed yet: whether pods fit is looked at before their Rollouts begin"))
	}
	if left > 0 {
		out = append(out, unseen(left, "these were not looked at in time: their Rollouts do so before they begin"))
	}
	return out
}

// unseen clusters are found nothing of.
func unseen(clusters int, message string) v1alpha1.ChangeFinding {
	return v1alpha1.ChangeFinding{Cause: "Preflight", Clusters: int32(clusters), Message: message} //nolint:gosec // There are not that many clusters.
}

// clusters that there are.
func (r *Runner) clusters(ctx context.Context) (map[v1alpha1.ClusterReference]*v1alpha1.Cluster, error) {
	l := &v1alpha1.ClusterList{}
	if err := r.hub.List(ctx, l, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("cannot list Clusters: %w", err)
	}
	out := make(map[v1alpha1.ClusterReference]*v1alpha1.Cluster, len(l.Items))
	for i := range l.Items {
		out[v1alpha1.ClusterReference{Namespace: l.Items[i].GetNamespace(), Name: l.Items[i].GetName()}] = &l.Items[i]
	}
	return out, nil
}

func order(blocking bool) int {
	if blocking {
		return 0
	}
	return 1
}

// fold a finding into others: the same one on another cluster is one.
func fold(all []v1alpha1.ChangeFinding, f v1alpha1.ChangeFinding) []v1alpha1.ChangeFinding {
	for i := range all {
		if o := &all[i]; o.Cause == f.Cause && o.Claim == f.Claim && o.Message == f.Message {
			o.Clusters += f.Clusters
			o.Blocking = o.Blocking || f.Blocking
			return all
		}
	}
	return append(all, f)
}

// probesOf an application: one cluster of each stratum, and of each variant. Clusters that do not
// exist yet are not among them.
func probesOf(clusters map[v1alpha1.ClusterReference]*v1alpha1.Cluster, c *plan.Rendered) []*probe {
	if c.Rollout == nil || c.Problem != "" || c.Blocked != "" || c.Rollout.Spec.ForProvider.Strategy.Preflight == v1alpha1.PreflightOff {
		return nil
	}
	ro := c.Rollout.DeepCopy()
	ro.ObjectMeta = metav1.ObjectMeta{Namespace: c.Namespace, Name: c.Rollout.GetName()}
	var placed []rollout.Placed
	for _, t := range c.Targets {
		i := slices.IndexFunc(ro.Spec.ForProvider.Variants, func(v v1alpha1.Variant) bool { return slices.Equal(v.Overrides, t.Overrides) })
		if i < 0 || clusters[t.Cluster] == nil {
			continue
		}
		placed = append(placed, rollout.Placed{
			Name: names.Release(ro.Spec.ForProvider.Application, t.Cluster.Namespace, t.Cluster.Name), Target: t,
			Payload: rollout.Payload{Bundle: ro.Spec.ForProvider.Variants[i].Bundle, Namespace: t.Namespace},
		})
	}
	contents := map[string]*content{}
	chosen := probes(ro.Spec.ForProvider.Strategy.Strata, placed)
	var out []*probe
	for _, p := range placed {
		if !chosen[p.Target.Cluster] {
			continue
		}
		opened, known := contents[p.Payload.Bundle]
		if !known {
			source, err := bind.Compile(c.Contents[p.Payload.Bundle])
			if err == nil {
				opened = &content{source: source, prepared: map[string]*preflight.Subject{}}
			}
			contents[p.Payload.Bundle] = opened // What does not compile, the plan says already.
		}
		if opened != nil {
			out = append(out, &probe{Placed: p, claim: c.ClaimReference, ro: ro, content: opened, cluster: clusters[p.Target.Cluster].DeepCopy()})
		}
	}
	return out
}

// planned is what is found on one cluster, or was a moment ago.
func (r *Runner) planned(ctx context.Context, p *probe, growing bool) (*result, error) {
	key := p.key()
	if v, ok := r.plans.Get(key); ok {
		if known := v.(*result); r.clock.Now().Before(known.until) { //nolint:forcetypeassert // Holds nothing else.
			return known, nil
		}
	}
	out, err := r.examine(ctx, p.ro, p.cluster, p.content, p.Placed, growing, true)
	if err != nil {
		return nil, err
	}
	r.plans.Add(key, out)
	return out, nil
}

func newPlans() *lru.Cache { return lru.New(maxPlanned) }
