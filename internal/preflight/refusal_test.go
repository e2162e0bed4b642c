package preflight

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func TestRefused(t *testing.T) {
	o := objectOf(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: team-a}")
	cases := map[string]struct {
		reason string
		status metav1.Status
		want   string
	}{
		"Webhook":       {reason: "A webhook says no, whatever else it quotes.", status: metav1.Status{Reason: metav1.StatusReasonForbidden, Message: `admission webhook "a.b" denied the request: exceeded quota`}, want: "A12"},
		"WebhookDown":   {reason: "A webhook that must answer does not.", status: metav1.Status{Reason: metav1.StatusReasonInternalError, Message: `Internal error occurred: failed calling webhook "a.b": no endpoints available for service "w"`}, want: "A12"},
		"WebhookDryRun": {reason: "Some webhooks take no dry runs. That says nothing.", status: metav1.Status{Reason: metav1.StatusReasonBadRequest, Message: `admission webhook "a.b" does not support dry run`}},
		"Right":         {reason: "The tenant has no right to do so.", status: metav1.Status{Reason: metav1.StatusReasonForbidden, Message: `deployments.apps "web" is forbidden: User "mainstay:tenant:a" cannot patch resource "deployments"`}, want: "D8"},
		"Immutable": {reason: "A field that cannot be changed.", status: metav1.Status{Reason: metav1.StatusReasonInvalid, Details: &metav1.StatusDetails{
			Causes: []metav1.StatusCause{{Field: "spec.selector", Message: "Invalid value: field is immutable"}},
		}}, want: "A4"},
		"Invalid": {reason: "A field that is wrong.", status: metav1.Status{Reason: metav1.StatusReasonInvalid, Details: &metav1.StatusDetails{
			Causes: []metav1.StatusCause{{Field: "spec.replicas", Message: "must be greater than or equal to 0"}},
		}}, want: "A3"},
		"Terminating": {reason: "The namespace is going.", status: metav1.Status{Reason: metav1.StatusReasonForbidden, Message: `unable to create new content in namespace team-a because it is being terminated`}, want: "A5"},
		"Conflict":    {reason: "Somebody else wrote it at the same moment.", status: metav1.Status{Reason: metav1.StatusReasonConflict, Message: "the object has been modified"}},
		"Odd":         {reason: "What is not understood blocks nothing.", status: metav1.Status{Reason: metav1.StatusReasonInternalError, Message: "etcd is tired"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Refused(&o, "web", tc.status)
			cause := ""
			for _, f := range got {
				cause = f.Cause
				if f.Severity != v1alpha1.Blocking || f.Object != "Deployment/web" || f.Component != "web" || f.Fix == "" {
					t.Errorf("\n%s\nRefused(...): got %+v", tc.reason, f)
				}
			}
			if cause != tc.want || len(got) > 1 {
				t.Errorf("\n%s\nRefused(...): want %q, got %+v", tc.reason, tc.want, got)
			}
		})
	}
}
