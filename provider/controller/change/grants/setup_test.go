package grants

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/feature"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
)

// The controller can be added to a manager, and a claim that goes has its own grant looked at.
func TestSetup(t *testing.T) {
	s := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	mgr, err := ctrl.NewManager(&rest.Config{Host: "https://127.0.0.1:1"}, ctrl.Options{Scheme: s, Metrics: metricsserver.Options{BindAddress: "0"}})
	if err != nil {
		t.Fatal(err)
	}
	never := func(context.Context, v1alpha1.ClaimReference) (bool, error) { return true, nil }
	o := controller.Options{Logger: logging.NewNopLogger(), Features: &feature.Flags{}}
	if err := Setup(mgr, o, []schema.GroupVersionKind{kind}, never); err != nil {
		t.Errorf("Setup(...): %v", err)
	}
	if got := of(t.Context(), web()); len(got) != 1 || got[0].NamespacedName != key || grant.Name(kind.Kind, ref.Name) != key.Name {
		t.Errorf("of(...): %v", got)
	}
}
