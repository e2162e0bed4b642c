// Package health says whether what runs on a cluster does what it should, in words
// that somebody can act on. Standard objects are judged the way kstatus judges them,
// except where "accepted" is not yet "done": a Job is healthy once it completed.
//
// Deliberately absent: time. That something has been on its way for too long is for
// whoever has a clock to say.
package health

import (
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A Result is the health of one object.
type Result struct {
	// Health of the object.
	Health v1alpha1.Health
	// Message says what is wrong or awaited. Empty where all is well.
	Message string
}

// Of a live object.
func Of(live *unstructured.Unstructured) Result {
	if live.GetDeletionTimestamp() != nil {
		return progressing(live, deletionText(live))
	}
	if isKind(live, "batch", "Job") {
		return job(live)
	}
	res, err := status.Compute(live)
	if err != nil {
		return Result{Health: v1alpha1.Unknown, Message: fmt.Sprintf("%s: its state cannot be told: %s", Name(live), err)}
	}
	switch res.Status {
	case status.CurrentStatus:
		return current(live)
	case status.FailedStatus:
		return degraded(live, explain(live, res.Message))
	case status.InProgressStatus, status.TerminatingStatus, status.NotFoundStatus:
		return progressing(live, explain(live, res.Message))
	case status.UnknownStatus:
	}
	return Result{Health: v1alpha1.Unknown, Message: fmt.Sprintf("%s: its state cannot be told", Name(live))}
}

// Missing is the health of an object that should be there and is not.
func Missing(ref v1alpha1.ObjectReference) Result {
	return Result{Health: v1alpha1.Progressing, Message: fmt.Sprintf("%s %s: is not there", ref.Kind, ref.Name)}
}

// Name returns kind and name of an object, for messages.
func Name(u *unstructured.Unstructured) string { return u.GetKind() + " " + u.GetName() }

// current says whether an object that kstatus has nothing to say against is healthy.
func current(live *unstructured.Unstructured) Result {
	if isKind(live, "", "Pod") {
		if phase, _, _ := unstructured.NestedString(live.Object, "status", "phase"); phase == "Failed" {
			return degraded(live, withDetail("has failed", text(live, "status", "message")))
		}
	}
	return Result{Health: v1alpha1.Healthy}
}

// job is healthy when it has completed.
func job(live *unstructured.Unstructured) Result {
	for _, c := range conditions(live) {
		if c.status != "True" {
			continue
		}
		switch c.kind {
		case "Complete":
			return Result{Health: v1alpha1.Healthy}
		case "Failed", "FailureTarget":
			return degraded(live, withDetail("has failed", c.text()))
		case "Suspended":
			return progressing(live, "is suspended")
		}
	}
	wanted := number(live, number(live, 1, "spec", "parallelism"), "spec", "completions")
	said := fmt.Sprintf("%d of %d completions", number(live, 0, "status", "succeeded"), wanted)
	if failed := number(live, 0, "status", "failed"); failed > 0 {
		said = fmt.Sprintf("%s, %d failed attempts", said, failed)
	}
	return progressing(live, said)
}

// deletionText says what an object that is being deleted waits for.
func deletionText(live *unstructured.Unstructured) string {
	if f := live.GetFinalizers(); len(f) > 0 {
		return fmt.Sprintf("is being deleted and waits for finalizer %s", f[0])
	}
	return "is being deleted"
}

func progressing(u *unstructured.Unstructured, said string) Result {
	return Result{Health: v1alpha1.Progressing, Message: oneLine(Name(u) + ": " + said)}
}

func degraded(u *unstructured.Unstructured, said string) Result {
	return Result{Health: v1alpha1.Degraded, Message: oneLine(Name(u) + ": " + said)}
}

func isKind(u *unstructured.Unstructured, group, kind string) bool {
	gvk := u.GroupVersionKind()
	return gvk.Group == group && gvk.Kind == kind
}
