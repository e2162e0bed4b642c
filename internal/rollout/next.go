package rollout

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/names"
	"github.com/mainstay-dev/mainstay/internal/placement"
)

// A Decision says what to start now, and how things stand.
type Decision struct {
	// Epoch that everything which is written carries.
	Epoch int64
	// Create and Update these Releases, in order.
	Create, Update []Placed
	// Delete these Releases, by name, in order.
	Delete []string
	// Ask these questions and decide again with the answers.
	Ask []Question
	// Resolve these images, and decide again with what comes of it.
	Resolve []string
	// Check these clusters before they are started, and decide again.
	Check []Placed
	// Status to report.
	Status v1alpha1.RolloutObservation
	// PersistFirst is true where the status must be persisted before anything is
	// created, updated or deleted.
	PersistFirst bool
	// Wake is the next instant at which something may be different although nothing
	// happens. Zero where there is none.
	Wake time.Time
	// Done is true where every placed cluster has what is wanted and is healthy, and
	// nothing else is left.
	Done bool
}

// Acts returns true where there is something to start.
func (d Decision) Acts() bool { return len(d.Create)+len(d.Update)+len(d.Delete) > 0 }

// A Placed is a Release as it should be.
type Placed struct {
	// Name of the Release.
	Name string
	// Target it is for.
	Target placement.Target
	// Payload it should want, and the digests that its images are pinned to.
	Payload Payload
	Images  []v1alpha1.ImageDigest
	// Wave it is moved in. Empty where there are no waves.
	Wave string
}

// Next decides what to start, for a specification and what is observed at an instant.
func Next(spec Spec, o Observed, now time.Time) Decision {
	n := newPlan(spec, o, now)
	n.revise()
	n.absorb()
	n.place()
	n.judge()
	n.advance()
	n.aim()
	n.drain()
	n.move()
	return n.report()
}

// A plan is a Decision in the making.
type plan struct {
	spec     Spec
	observed Observed
	now      time.Time
	// is the status as it was, and as it is going to be.
	is       v1alpha1.RolloutObservation
	releases map[string]Release
	// members are the placed clusters, and leaving the Releases without one.
	members []*member
	leaving []Release
	// steps of the workflow, and the waves of all of them in order.
	steps []*step
	waves []*wave
	// flaw says what is wrong with the specification, once clusters are known.
	flaw string
	// waits are what is waited for, in prose.
	waits []string

	budget   budget
	decision Decision
	// begun are the Releases that the decision starts, by name.
	begun map[string]bool
}

// A member is one placed cluster: what it has and what it should have.
type member struct {
	Placed

	// forward is what the revision wants there, also where it goes back.
	forward Payload
	release *Release
	state   ClusterState
	// begun is true where this revision has moved it already.
	begun bool
	// stays is true where it is left as it is, whatever it has.
	stays bool
	// retries is true where it failed before somebody asked for another try.
	retries bool
	// waits says why it cannot be started, if it should be and cannot.
	waits wait
	// check is what the preflight found.
	check CheckState
	// images that it should have, and whether they are still open.
	images pinned
	step   *step
	wave   *wave
}

// A wait says why a cluster is not started.
type wait string

const (
	waitNone    wait = ""
	waitBundle  wait = "Bundle"
	waitCluster wait = "Cluster"
	waitTaken   wait = "Taken"
	waitLeaving wait = "Leaving"
	waitImages  wait = "Images"
)

func newPlan(spec Spec, o Observed, now time.Time) *plan {
	n := &plan{spec: spec, observed: o, now: now, is: *o.Status.DeepCopy(), releases: make(map[string]Release, len(o.Releases)), begun: map[string]bool{}}
	deadline := time.Duration(0)
	if d := spec.Strategy.ProgressDeadline; d != nil {
		deadline = d.Duration
	}
	for _, r := range o.Releases {
		n.expire(&r, deadline)
		n.releases[r.Name] = r
	}
	return n
}

// expire a Release that has been in motion for too long.
func (n *plan) expire(r *Release, deadline time.Duration) {
	if deadline <= 0 || r.Since.IsZero() || r.Deleting || !r.inMotion() {
		return
	}
	if at := r.Since.Add(deadline); n.now.Before(at) {
		n.wakeAt(at)
		return
	}
	r.Failed, r.Failure = true, "is not there after "+deadline.String()
	if r.Message != "" {
		r.Failure += ": " + r.Message
	}
}

// place the targets: what each of them has, and which Releases have none.
func (n *plan) place() {
	placed := map[string]bool{}
	if n.observed.Blocked == "" && !n.spec.Leaving {
		known := (*record)(nil)
		if n.is.Images != nil {
			known = recorded(n.is.Images.Images, n.spec.Strategy.Images == v1alpha1.ImagesRequire)
		}
		for _, t := range n.observed.Targets {
			m := n.member(t, known)
			placed[m.Name] = true
			n.members = append(n.members, m)
		}
	}
	for _, r := range n.releases {
		if !placed[r.Name] {
			n.leaving = append(n.leaving, r)
		}
	}
	slices.SortFunc(n.members, func(a, b *member) int {
		return cmp.Or(cmp.Compare(a.Target.Cluster.Name, b.Target.Cluster.Name), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(n.leaving, func(a, b Release) int {
		return cmp.Or(cmp.Compare(a.Cluster.Name, b.Cluster.Name), cmp.Compare(a.Name, b.Name))
	})
	if n.observed.Blocked == "" && !n.spec.Leaving {
		n.arrange()
	}
}

// placed target, with what the revision wants there. Its images are not pinned yet.
func (n *plan) placed(t placement.Target) Placed {
	return Placed{
		Name:    names.Release(n.spec.Application, t.Cluster.Namespace, t.Cluster.Name),
		Target:  t,
		Payload: Payload{Bundle: bundleFor(n.spec.Variants, t.Overrides), Namespace: t.Namespace},
	}
}

// member for a target, with what the revision wants there.
func (n *plan) member(t placement.Target, known *record) *member {
	m := &member{state: n.observed.Clusters[t.Cluster], Placed: n.placed(t)}
	if r, ok := n.releases[m.Name]; ok {
		m.release = &r
		m.begun = r.Epoch >= n.is.Began
		m.retries = n.is.Failed == nil && m.begun && r.Epoch < n.is.Epoch && r.failed() && !r.Unreachable
	}
	n.pin(m, known)
	m.forward = m.Payload
	if n.observed.Checks != nil && n.spec.Strategy.Preflight != v1alpha1.PreflightOff {
		m.check = n.observed.Checks.Clusters[t.Cluster]
	} else {
		m.check = Clean
	}
	n.bind(m)
	return m
}

// bind a member to what it waits for, which depends on what it should have.
func (n *plan) bind(m *member) {
	m.waits = waitNone
	switch {
	case n.observed.Taken[m.Name]:
		m.waits = waitTaken
	case m.Payload.Bundle == "" || !n.observed.Bundles[m.Payload.Bundle]:
		m.waits = waitBundle
	case m.release != nil && m.release.Deleting:
		m.waits = waitLeaving
	case m.state != ClusterReady:
		m.waits = waitCluster
	case m.images.held:
		m.waits = waitImages
	}
}

// outdated is true where a Release does not want what it should.
func (m *member) outdated() bool {
	return !m.stays && (m.release == nil || m.release.Wanted != m.Payload || m.retries)
}

// ailing is true where a Release is in motion or unhealthy, so that to start it takes
// nothing away.
func (m *member) ailing() bool { return m.release != nil && !m.release.healthy() }

// inMotion is true where something is under way.
func (m *member) inMotion() bool { return m.release != nil && m.release.inMotion() }

// updated is true where a placed cluster has what it should.
func (m *member) updated() bool {
	return m.release != nil && m.release.updated() && m.release.Wanted == m.Payload
}

// wanted is true where it has what the revision wants, which is something else where the
// revision goes back.
func (m *member) wanted() bool {
	return m.release != nil && m.release.updated() && m.release.Wanted == m.forward
}

// healthy is true where it has it, and it works.
func (m *member) healthy() bool { return m.updated() && m.release.healthy() }

// parked is true where a cluster cannot be reached, and nothing is under way there.
func (m *member) parked() bool {
	if m.healthy() || m.inMotion() || m.waits == waitTaken {
		return false
	}
	return m.state != ClusterReady || (m.release != nil && m.release.Unreachable)
}

// failed is true where a cluster that can be reached could not be brought there.
func (m *member) failed() bool {
	return m.waits == waitTaken || (m.release != nil && m.release.failed() && !m.parked())
}

// label of the cluster, the way people name it.
func (m *member) label() string { return m.Target.Label() }

// bundleFor a combination of overrides. Empty where there is none yet.
func bundleFor(variants []v1alpha1.Variant, overrides []string) string {
	for _, v := range variants {
		if slices.Equal(v.Overrides, overrides) {
			return v.Bundle
		}
	}
	return ""
}

// wakeAt an instant, if no other is earlier.
func (n *plan) wakeAt(t time.Time) {
	if t.After(n.now) && (n.decision.Wake.IsZero() || t.Before(n.decision.Wake)) {
		n.decision.Wake = t
	}
}

// stamp is the present as a status has it: in whole seconds, and never too early.
func (n *plan) stamp() *metav1.Time {
	t := metav1.NewTime(n.now.Add(time.Second - time.Nanosecond).Truncate(time.Second))
	return &t
}

// past is false where something was in the future: the clock went back, and how long it
// is ago is not known.
func (n *plan) past(t *metav1.Time) bool { return n.now.Sub(t.Time) > -time.Second }

// elapsed returns whether so much time has passed since something was, and begins anew
// where that is not known. It wakes at the end.
func (n *plan) elapsed(since **metav1.Time, d time.Duration) bool {
	if *since != nil {
		if !n.past(*since) {
			*since = nil
		}
	}
	if *since == nil {
		*since = n.stamp()
	}
	end := (*since).Add(d)
	if n.now.Before(end) {
		n.wakeAt(end)
		return false
	}
	return true
}
