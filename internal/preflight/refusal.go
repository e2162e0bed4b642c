package preflight

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// Refused says what it means that an API server refused an object in a dry run. It
// returns nothing where the refusal says nothing of the object, or could be
// the dry run's own fault.
func Refused(o *unstructured.Unstructured, component string, s metav1.Status) []v1alpha1.Finding {
	text := s.Message
	for _, harmless := range []string{"does not support dry run", "the object has been modified", "conflict"} {
		if strings.Contains(text, harmless) {
			return nil
		}
	}
	r := &run{}
	about := &object{Unstructured: o, gvk: o.GroupVersionKind(), component: component, namespace: o.GetNamespace()}
	if s.Reason == metav1.StatusReasonInvalid && s.Details != nil && len(s.Details.Causes) > 0 {
		for i, c := range s.Details.Causes {
			if i == maxViolations {
				break
			}
			id := "A3"
			if changes(c.Message) {
				id = "A4"
			}
			r.refuse(id, about, c.Field, c.Message)
		}
		return r.out
	}
	if id := refusalCause(s.Reason, text); id != "" {
		r.refuse(id, about, "", text)
	}
	return r.out
}

func (r *run) refuse(id string, o *object, field, text string) {
	r.cause = causeOf(id)
	r.add(r.cause.Severity, o, field, fixes[id], "the API server refuses it: "+text)
}

// fixes of what a server refuses.
var fixes = map[string]string{
	"A1": "install what brings the kind, or correct apiVersion and kind", "A3": "correct the field", "A4": fixImmutable,
	"A5": "create the namespace, or wait until it is gone", "A6": "ask for less, or ask the cluster's owner for a larger quota", "A7": "change what is asked for",
	"A8": "change the pod, or ask the cluster's owner for another level", "A9": "create the priority class, or correct its name", "A11": "create the service account, or correct its name",
	"A12": "correct the object as the webhook says, or mend the webhook", "D8": "ask the cluster's owner for the right, or do without the object",
}

// changes is true for a message about a field that may not change.
func changes(text string) bool {
	return strings.Contains(text, "immutable") || strings.Contains(text, "may not change once set") || strings.Contains(text, "updates to")
}

// refusalCause of what a server says, which has no codes for it. The order matters: a
// webhook may quote anything.
func refusalCause(reason metav1.StatusReason, text string) string {
	for _, known := range []struct{ says, id string }{
		{"failed calling webhook", "A12"},
		{"admission webhook", "A12"},
		{"ValidatingAdmissionPolicy", "A12"},
		{"exceeded quota", "A6"},
		{"failed quota", "A6"},
		{"violates PodSecurity", "A8"},
		{"no PriorityClass with name", "A9"},
		{"error looking up service account", "A11"},
		{"is being terminated", "A5"},
		{"usage per ", "A7"},
		{"field not declared in schema", "A3"},
		{"failed to create typed patch object", "A3"},
		{"cannot be handled as", "A3"},
	} {
		if strings.Contains(text, known.says) {
			return known.id
		}
	}
	switch {
	case reason == metav1.StatusReasonNotFound && strings.Contains(text, "namespaces "):
		return "A5"
	case reason == metav1.StatusReasonForbidden && strings.Contains(text, " cannot "):
		return "D8"
	case reason == metav1.StatusReasonInvalid:
		return "A3"
	}
	return ""
}

func causeOf(id string) *Cause {
	return &catalogue[order(id)]
}
