package observe

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
)

// one is a reader of one object, or none.
type one struct {
	client.Reader

	is    *unstructured.Unstructured
	asked int
}

func (o *one) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	o.asked++
	u, ok := into.(*unstructured.Unstructured)
	if !ok {
		panic("only objects without a type are asked for")
	}
	o.is.DeepCopyInto(u)
	return nil
}

// wrote is who wrote which field of the spec, a number of minutes after the plan was made.
func wrote(manager, field string, minutes int) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Time: &metav1.Time{Time: at.Add(time.Duration(minutes) * time.Minute)},
		FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{".":{},"f:` + field + `":{}}}`)},
	}
}

func TestOther(t *testing.T) {
	synced := []metav1.ManagedFieldsEntry{wrote("argocd-controller", "says", 1), wrote("apiextensions.crossplane.io/claim", "resourceRef", 5)}
	cases := map[string]struct {
		reason string
		mode   v1alpha1.DeliveryMode
		engine string
		// says is what the hub says; cached what the cache does, if that is something else.
		says, cached string
		not          func(*change.Claim)
		wrote        []metav1.ManagedFieldsEntry
		want         string
		asked        int
	}{
		"Edited": {
			reason: "Somebody edited what the engine wrote, and it rolls out.", says: "v3", wrote: append(synced, wrote("kubectl-edit", "says", 2)), asked: 1,
			want: "kubectl-edit changed the claim on the hub: put it back there, or open a merge request with it",
		},
		"Pages":   {reason: "So did who did it in the pages of Argo CD.", says: "v3", wrote: append(synced, wrote("argocd-server", "says", 2)), asked: 1, want: "argocd-server changed the claim on the hub: put it back there, or open a merge request with it"},
		"Carried": {reason: "It says what the change carries.", says: "v2", wrote: append(synced, wrote("kubectl-edit", "says", 2))},
		"Before":  {reason: "Or what it said before.", says: "v1", wrote: append(synced, wrote("kubectl-edit", "says", 2))},
		"Late":    {reason: "An engine that is at an older commit is late, and no edit.", says: "v0", wrote: synced, asked: 1},
		"Healed":  {reason: "What the engine wrote after it is the engine's.", says: "v0", wrote: append(synced, wrote("kubectl-edit", "says", 0)), asked: 1},
		"Behind":  {reason: "The cache is behind.", says: "v2", cached: "v3", wrote: append(synced, wrote("kubectl-edit", "says", 0)), asked: 1},
		"Unknown": {reason: "Which engine it is is not known, nor who it writes as.", engine: "other", says: "v3", wrote: append(synced, wrote("kubectl-edit", "says", 2)), asked: 1},
		"Direct":  {reason: "What we write ourselves carries our mark.", mode: v1alpha1.DeliverDirect, says: "v3", wrote: append(synced, wrote("kubectl-edit", "says", 2))},
		"Waits":   {reason: "What is not taken in harms nobody yet.", says: "v3", not: func(c *change.Claim) { c.TakenIn = false }},
		"Others":  {reason: "What another change was granted is that one's.", says: "v3", not: func(c *change.Claim) { c.GrantedUs = false }},
		"Status": {reason: "A status is no edit.", says: "v3", asked: 1, wrote: append(synced, metav1.ManagedFieldsEntry{
			Manager: "kubectl-edit", Subresource: "status", Time: &metav1.Time{Time: at.Add(time.Hour)}, FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{"f:says":{}}}`)},
		})},
	}
	for name, tc := range cases {
		for _, ref := range []v1alpha1.ClaimReference{app, fleet} {
			t.Run(name+ref.Kind, func(t *testing.T) {
				live := says(tc.says)
				live.SetGroupVersionKind(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
				live.SetManagedFields(tc.wrote)
				hub := &one{is: live}
				d := v1alpha1.Delivery{Mode: v1alpha1.DeliverBranch, Branch: &v1alpha1.DeliveryBranch{Name: "live", Engine: "argocd"}}
				if tc.mode != "" {
					d.Mode = tc.mode
				}
				if tc.engine != "" {
					d.Branch.Engine = tc.engine
				}
				if tc.cached == "" {
					tc.cached = tc.says
				}
				c := change.Claim{Exists: true, TakenIn: true, GrantedUs: true, Digest: digest(t, ref, tc.cached)}
				if tc.not != nil {
					tc.not(&c)
				}
				g := &v1alpha1.ClaimGrant{Spec: v1alpha1.ClaimGrantSpec{Digest: digest(t, ref, "v2"), Before: digest(t, ref, "v1")}}
				got, err := (&Observer{Live: hub}).other(t.Context(), d, ref, g, c)
				if err != nil || got != tc.want || hub.asked != tc.asked {
					t.Errorf("\n%s\nother(...): %q, %v, asked %d times; want %q, %d times", tc.reason, got, err, hub.asked, tc.want, tc.asked)
				}
			})
		}
	}
}
