package rollout

import (
	"context"
	"fmt"
	"sync"
	"time"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

const (
	// maxRounds is how often a decision is made again because of answers. A gate that
	// opens leads to the next question.
	maxRounds = 5
	// askEvery is how often at most a question is asked that was answered with no. What
	// moves meanwhile has its Rollout looked at much more often.
	askEvery = 10 * time.Second
)

// A Preflight looks for what would not start, before anything is written.
type Preflight interface {
	// Check what clusters are to get. It answers for those that it has checked by now:
	// the others are started when it has, and it is asked again soon. An error starts
	// nothing. Findings in the status are those of all clusters of this revision that it
	// knows of, folded.
	Check(ctx context.Context, ro *v1alpha1.Rollout, digest string, placed []rollout.Placed) (rollout.Checks, error)
}

// Images knows what images Bundles name, and asks what their tags mean.
type Images interface {
	// Asks is true where registries can be asked.
	Asks() bool
	// Names returns what tells the images of a Bundle on a cluster, in a namespace there.
	// What it returns says nil where they are not known.
	Names(ctx context.Context, namespace, bundle string) (func(*v1alpha1.Cluster, string) *rollout.ImageNames, error)
	// Resolve images. Those for which there was no time are left out, and asked for again
	// soon. It has a time limit of its own.
	Resolve(ctx context.Context, names []string) map[string]rollout.Resolution
}

// Gates asks what a Rollout wants to know of the world, and tells it what it has to say.
type Gates interface {
	// Ask a question, on behalf of a Rollout. It has a time limit of its own, and what
	// cannot be asked is answered with no.
	Ask(ctx context.Context, ro *v1alpha1.Rollout, q rollout.Question) rollout.Answer
}

// decide what to do, asking whatever has to be asked for it.
func (r *Reconciler) decide(ctx context.Context, ro *v1alpha1.Rollout, spec rollout.Spec, o *rollout.Observed) (rollout.Decision, error) {
	if r.preflight != nil {
		o.Checks = &rollout.Checks{}
	}
	d := rollout.Next(spec, *o, r.clock.Now())
	checked, resolved := false, false
	o.Taken = map[string]bool{}
	for range maxRounds {
		again, err := r.taken(ctx, ro, d.Create, o.Taken)
		if err != nil {
			return d, err
		}
		if len(d.Resolve) > 0 && !resolved {
			o.Resolved, resolved, again = r.images.Resolve(ctx, d.Resolve), true, true
		}
		if len(d.Check) > 0 && r.preflight != nil && !checked {
			checks, err := r.preflight.Check(ctx, ro, d.Status.Digest, d.Check)
			if err != nil {
				return d, fmt.Errorf("cannot check clusters: %w", err)
			}
			o.Checks, checked, again = &checks, true, true
		}
		for _, q := range d.Ask {
			if _, answered := o.Answers[q.Key]; answered {
				continue
			}
			if o.Answers == nil {
				o.Answers = map[string]rollout.Answer{}
			}
			o.Answers[q.Key] = r.ask(ctx, ro, q)
			again = true
		}
		if !again {
			break
		}
		d = rollout.Next(spec, *o, r.clock.Now())
	}
	return d, nil
}

// ask a question, unless it was answered just now.
func (r *Reconciler) ask(ctx context.Context, ro *v1alpha1.Rollout, q rollout.Question) rollout.Answer {
	if q.Application != "" {
		return r.application(ctx, ro, q.Application)
	}
	if a, known := r.answers.recall(ro.GetUID(), q); known {
		return a
	}
	if r.gates == nil {
		return rollout.Answer{Message: "this provider asks no gates"}
	}
	a := r.gates.Ask(ctx, ro, q)
	r.answers.note(ro.GetUID(), q, a)
	return a
}

// application that a Rollout waits for: whether its own Rollout is completed.
func (r *Reconciler) application(ctx context.Context, ro *v1alpha1.Rollout, name string) rollout.Answer {
	other := &v1alpha1.Rollout{}
	err := r.client.Get(ctx, types.NamespacedName{Namespace: ro.GetNamespace(), Name: name}, other)
	at := other.Status.AtProvider
	switch {
	case kerrors.IsNotFound(err):
		return rollout.Answer{Message: "there is no such application"}
	case err != nil:
		return rollout.Answer{Message: "cannot get its Rollout: " + err.Error()}
	case at.Digest != rollout.Digest(other.Spec.ForProvider):
		return rollout.Answer{Message: "it has another revision"}
	case at.Phase != v1alpha1.RolloutCompleted:
		return rollout.Answer{Message: "it is " + string(at.Phase)}
	}
	return rollout.Answer{Yes: true, Message: "it is reached"}
}

// answers remembers what was answered, so that nobody is asked all the time, and what
// was delivered, so that nobody is told twice.
type answers struct {
	clock clock.PassiveClock

	mu       sync.Mutex
	rollouts map[types.UID]map[string]answered
}

type answered struct {
	rollout.Answer
	digest string
	at     time.Time
}

func newAnswers(c clock.PassiveClock) *answers {
	return &answers{clock: c, rollouts: map[types.UID]map[string]answered{}}
}

// recall an answer that still holds. A gate that was open may be closed by now, so that
// it is asked each time anybody builds on it; a notice stays delivered.
func (a *answers) recall(uid types.UID, q rollout.Question) (rollout.Answer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known, ok := a.rollouts[uid][q.Key]
	if !ok || known.digest != q.Digest {
		return rollout.Answer{}, false
	}
	if known.Yes {
		return known.Answer, q.Notice != nil
	}
	return known.Answer, a.clock.Since(known.at) < askEvery
}

// note an answer. Those to another revision are forgotten.
func (a *answers) note(uid types.UID, q rollout.Question, answer rollout.Answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, known := range a.rollouts[uid] {
		if known.digest != q.Digest {
			delete(a.rollouts[uid], key)
		}
	}
	if a.rollouts[uid] == nil {
		a.rollouts[uid] = map[string]answered{}
	}
	a.rollouts[uid][q.Key] = answered{Answer: answer, digest: q.Digest, at: a.clock.Now()}
}

func (a *answers) forget(uid types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.rollouts, uid)
}
