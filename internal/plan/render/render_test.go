package render

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/internal/plan/claims"
)

// A plan is of what is to be approved: whether a change has to carry a claim is not found out
// for it, whatever the hub says.
func TestFindsNoGrants(t *testing.T) {
	wants := map[Selector]bool{
		{APIVersion: "m.mainstay.dev/v1alpha1", Kind: "ClaimGrant", Namespace: "platform", Name: "clusterfleet.eu"}: false,
		{APIVersion: "v1", Kind: "Namespace", Name: "platform"}:                                                     false,
		{APIVersion: "m.mainstay.dev/v1alpha1", Kind: "ClusterProviderConfig", Name: "default"}:                     true,
	}
	got := map[Selector]bool{}
	fleet := func(_ context.Context, req Request) (Response, error) {
		for s := range wants {
			found, err := req.Find(s)
			if err != nil {
				return Response{}, err
			}
			got[s] = len(found) > 0
		}
		return Response{}, nil
	}
	set, err := claims.Read(map[string][]byte{"eu.yaml": []byte(`
apiVersion: mainstay.dev/v1alpha1
kind: ClusterFleet
metadata: {name: eu, namespace: platform}
spec: {providerConfigRef: {kind: ClusterProviderConfig, name: default}, clusters: [{name: a}]}
`)}, claims.Options{})
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Claims: set, Hub: func(s Selector) ([]map[string]any, error) { return []map[string]any{{"kind": s.Kind}}, nil }}
	if _, err := New(map[string]Function{ClusterFleet: fleet}).Render(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wants, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}
