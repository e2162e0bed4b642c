package plan

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
	"github.com/mainstay-dev/mainstay/internal/plan/render"
)

// hubOf is one on which the shop runs, as it is claimed, on eu-1 only.
func hubOf(t *testing.T) client.WithWatch {
	t.Helper()
	s := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	b := fake.NewClientBuilder().WithScheme(s)
	set, err := claims.Read(files(fleetClaim+shopClaim), claims.Options{})
	if err != nil {
		t.Fatal(err)
	}
	side, err := Local().Render(t.Context(), render.Input{Claims: set, Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range side.Claims[0].Clusters {
		b.WithObjects(&side.Claims[0].Clusters[i])
	}
	for i := range side.Claims[0].Pools {
		b.WithObjects(&side.Claims[0].Pools[i])
	}
	r := &v1alpha1.Release{}
	r.SetNamespace("shop")
	r.SetName("shop.platform.edge.eu-1")
	r.Spec.ForProvider = v1alpha1.ReleaseParameters{
		ClusterRef:  v1alpha1.ClusterReference{Namespace: "platform", Name: "edge.eu-1"},
		Application: "shop", Namespace: "shop", Bundle: side.Claims[1].Rollout.Spec.ForProvider.Variants[0].Bundle,
	}
	return b.WithObjects(r).Build()
}

// TestHub: what clusters run is compared, and not what the first side says.
func TestHub(t *testing.T) {
	in := Input{Hub: hubOf(t), Before: files(fleetClaim + shopClaim), After: files(fleetClaim + strings.Replace(shopClaim, "web:1.0.0", "web:1.1.0", 1))}
	p, err := Make(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range p.Actions {
		got = append(got, string(a.Verb)+" "+a.Object.Kind+" "+strings.Join(p.Groups[a.Set[0]].Clusters, ","))
	}
	want := []string{
		"create Deployment edge.us-1", "create Secret edge.eu-2", "create PersistentVolumeClaim edge.eu-2", "create Deployment edge.eu-2", "update Deployment edge.eu-1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Make(...): -want, +got:\n%s\n%s", diff, p.Text())
	}
	if !p.Source.Observed {
		t.Error("plan does not say that clusters were looked at")
	}
}

// TestHubFails: a hub that does not answer is no hub on which there is nothing.
func TestHubFails(t *testing.T) {
	for what, f := range map[string]interceptor.Funcs{
		"List": {List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return errors.New("connection refused")
		}},
		"Get": {Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return errors.New("connection refused")
		}},
	} {
		in := Input{Hub: interceptor.NewClient(hubOf(t), f), Before: files(fleetClaim + shopClaim), After: files(fleetClaim)}
		if p, err := Make(t.Context(), in); err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("%s: Make(...): %v, and a plan: %s", what, err, p.Summary)
		}
	}
}
