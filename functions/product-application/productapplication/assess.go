package productapplication

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
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
	case !same(want.rollout.Spec.ForProvider, seen.rollout.Spec.ForProvider), !seen.state.Current(), synced.Status == "":
		return v1alpha1.ReasonProgressing, "waits for the Rollout to take up the change"
	case synced.Status == "False":
		return v1alpha1.ReasonBlocked, cause(synced.Message)
	case seen.state.Ready() && is.Clusters.Total == 0:
		return v1alpha1.ReasonReached, "placed on no cluster, which a topology policy allows"
	case seen.state.Ready():
		return v1alpha1.ReasonReached, summary(is.Clusters) + " clusters ready"
	case degraded(seen):
		return v1alpha1.ReasonDegraded, progress(is)
	}
	return v1alpha1.ReasonProgressing, progress(is)
}

// degraded is true where all clusters have what is wanted, and it was healthy once.
func degraded(seen observed) bool {
	c := seen.rollout.Status.AtProvider.Clusters
	was := seen.reached.Status == "True" || seen.reached.Reason == v1alpha1.ReasonDegraded
	return was && c.Total > 0 && c.Updated == c.Total
}

// same compares specifications by what they say, leaving aside what the function
// says nothing about.
func same(want, is mv1alpha1.RolloutParameters) bool {
	want.Strategy, is.Strategy = mv1alpha1.RolloutStrategy{}, mv1alpha1.RolloutStrategy{}
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

// progress says on how many clusters the application is, and what is in the way.
func progress(is mv1alpha1.RolloutObservation) string {
	s := summary(is.Clusters) + " clusters ready"
	switch n := len(is.Problems); {
	case n == 0 && is.Message != "":
		return s + ": " + is.Message
	case n == 1:
		return s + ": " + problem(is.Problems[0])
	case n > 1:
		return fmt.Sprintf("%s: %s; and %d more", s, problem(is.Problems[0]), n-1)
	}
	return s
}

func problem(p mv1alpha1.ReleaseProblem) string { return p.Cluster + ": " + p.Message }

func summary(c mv1alpha1.RolloutCount) string { return fmt.Sprintf("%d/%d", c.Ready, c.Total) }

func status(want wanted, seen observed) v1alpha1.ProductApplicationStatus {
	s := v1alpha1.ProductApplicationStatus{}
	for _, v := range want.rollout.Spec.ForProvider.Variants {
		if !slices.Contains(s.Bundles, v.Bundle) {
			s.Bundles = append(s.Bundles, v.Bundle)
		}
	}
	if seen.rollout == nil {
		return s
	}
	is := seen.rollout.Status.AtProvider
	s.Summary = summary(is.Clusters)
	s.Clusters = v1alpha1.ApplicationClusters{Total: is.Clusters.Total, Updated: is.Clusters.Updated, Ready: is.Clusters.Ready}
	for _, c := range is.Components {
		s.Services = append(s.Services, v1alpha1.ServiceStatus{Name: c.Name, Healthy: c.Healthy, Total: c.Total, Message: c.Message})
	}
	for _, p := range is.Problems {
		s.Problems = append(s.Problems, v1alpha1.ClusterProblem{Cluster: p.Cluster, Message: p.Message})
	}
	return s
}
