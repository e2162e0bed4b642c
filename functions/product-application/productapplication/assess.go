package productapplication

import (
	"encoding/json"
	"fmt"
	"strings"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

// An outcome is how an application is doing.
type outcome struct {
	// reason and message of the condition Reached.
	reason, message string
	status          v1alpha1.ProductApplicationStatus
}

// assess how an application is doing, from what the Rollout says.
func assess(want wanted, seen observed) outcome {
	o := outcome{status: status(want, seen)}
	o.reason, o.message = condition(want, seen)
	return o
}

func condition(want wanted, seen observed) (reason, message string) {
	is := mv1alpha1.RolloutObservation{}
	if seen.rollout != nil {
		is = seen.rollout.Status.AtProvider
	}
	synced := seen.state.Condition("Synced")
	switch {
	case want.variants > maxVariants:
		return v1alpha1.ReasonBlocked, fmt.Sprintf("clusters need %d combinations of override policies and at most %d are possible: let fewer overrides differ by cluster", want.variants, maxVariants)
	case seen.rollout == nil:
		return v1alpha1.ReasonProgressing, "waits for the Rollout to be made"
	case !takenUp(want.rollout.Spec.ForProvider, seen), synced.Status == "":
		return v1alpha1.ReasonProgressing, "waits for the Rollout to take up the change"
	case synced.Status == "False":
		return v1alpha1.ReasonBlocked, cause(synced.Message)
	case needsHelp(is):
		return v1alpha1.ReasonBlocked, progress(is)
	case is.Phase == mv1alpha1.RolloutRollingBack:
		return v1alpha1.ReasonDegraded, progress(is)
	case seen.state.Ready() && is.Clusters.Total == 0:
		return v1alpha1.ReasonReached, "placed on no cluster, which a topology policy allows"
	case seen.state.Ready():
		return v1alpha1.ReasonReached, summary(is.Clusters) + " clusters ready"
	case degraded(seen):
		return v1alpha1.ReasonDegraded, progress(is)
	}
	return v1alpha1.ReasonProgressing, progress(is)
}

// needsHelp is true where a Rollout does not go on by itself.
func needsHelp(is mv1alpha1.RolloutObservation) bool {
	switch is.Phase {
	case mv1alpha1.RolloutBlocked, mv1alpha1.RolloutHalted, mv1alpha1.RolloutRolledBack, mv1alpha1.RolloutAborted, mv1alpha1.RolloutPaused:
		return true
	case mv1alpha1.RolloutPreflight:
		return is.Preflight != nil && is.Preflight.Blocking > 0
	}
	return false
}

// degraded is true where all clusters have what is wanted, and it was healthy once.
func degraded(seen observed) bool {
	c := seen.rollout.Status.AtProvider.Clusters
	was := seen.reached.Status == "True" || seen.reached.Reason == v1alpha1.ReasonDegraded
	return was && c.Total > 0 && c.Updated == c.Total
}

// takenUp is true where what the Rollout says is about what is wanted now.
func takenUp(want mv1alpha1.RolloutParameters, seen observed) bool {
	is := seen.rollout.Status.AtProvider
	// What is held back does not become the revision of the Rollout.
	about := is.Held != nil || is.Digest == "" || is.Digest == rollout.Digest(want)
	return same(want, seen.rollout.Spec.ForProvider) && seen.state.Current() && about
}

// same compares specifications by what they say, leaving aside what the API server
// fills in and what people tell the Rollout.
func same(want, is mv1alpha1.RolloutParameters) bool {
	want.Strategy, is.Strategy = mv1alpha1.RolloutStrategy{}, mv1alpha1.RolloutStrategy{}
	want.Control, is.Control = nil, nil
	a, errA := json.Marshal(want)
	b, errB := json.Marshal(is)
	return errA == nil && errB == nil && string(a) == string(b)
}

// phases are how crossplane-runtime begins the message of a condition. They say at
// which step of its work something was found, which is of no use to a user.
var phases = []string{"connect failed: ", "observe failed: ", "create failed: ", "update failed: ", "delete failed: "}

func cause(message string) string {
	for _, p := range phases {
		message = strings.TrimPrefix(message, p)
	}
	return message
}

// progress says on how many clusters the application is, and what is in the way: what
// the preflight found, what the Rollout waits for, or the first cluster that is not as
// wanted.
func progress(is mv1alpha1.RolloutObservation) string {
	s := summary(is.Clusters) + " clusters ready"
	found := findings(is)
	switch n := len(is.Problems); {
	case is.Phase == mv1alpha1.RolloutPreflight && len(found) > 0:
		return fmt.Sprintf("%s: preflight blocks %s", s, strings.Join(found, "; "))
	case is.Message != "" && tells(is.Phase):
		return is.Message
	case n == 0 && is.Message != "":
		return s + ": " + is.Message
	case n == 1:
		return s + ": " + problem(is.Problems[0])
	case n > 1:
		return fmt.Sprintf("%s: %s; and %d more", s, problem(is.Problems[0]), n-1)
	}
	return s
}

// tells is true for phases in which the Rollout's own message says more than the
// problem of one cluster.
func tells(phase mv1alpha1.RolloutPhase) bool {
	return phase != "" && phase != mv1alpha1.RolloutProgressing && phase != mv1alpha1.RolloutCompleted
}

// maxFindings is how many findings of the preflight a claim has.
const maxFindings = 3

// findings that block, in a few words each.
func findings(is mv1alpha1.RolloutObservation) []string {
	if is.Preflight == nil {
		return nil
	}
	var out []string
	for i := range is.Preflight.Findings {
		f := &is.Preflight.Findings[i]
		if f.Severity != mv1alpha1.Blocking || f.Waived != "" {
			continue
		}
		if len(out) == maxFindings {
			return append(out, "and more")
		}
		out = append(out, fmt.Sprintf("%s: %s (%s)", counted(f.Clusters), finding(f), f.Cause))
	}
	return out
}

// finding says what is wrong and what to do.
func finding(f *mv1alpha1.Finding) string {
	s := f.Message
	if f.Object != "" {
		s = f.Object + ": " + s
	}
	if f.Fix != "" {
		s += ": " + f.Fix
	}
	return s
}

func counted(clusters int32) string {
	if clusters == 1 {
		return "1 cluster"
	}
	return fmt.Sprintf("%d clusters", clusters)
}

func problem(p mv1alpha1.ReleaseProblem) string { return p.Cluster + ": " + p.Message }

func summary(c mv1alpha1.RolloutCount) string { return fmt.Sprintf("%d/%d", c.Ready, c.Total) }
