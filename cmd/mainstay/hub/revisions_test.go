package hub

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	pkgv1 "github.com/crossplane/crossplane/apis/v2/pkg/v1"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/xpkg"
)

func TestReportRuntimes(t *testing.T) {
	s := runtime.NewScheme()
	if err := pkgv1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	function := &pkgv1.FunctionRevision{ObjectMeta: metav1.ObjectMeta{
		Name: "mainstay-function-fleet-cell-1", Labels: map[string]string{pkgv1.LabelParentPackage: "mainstay-function-fleet-cell"},
	}}
	function.SetConditions(pkgv1.RevisionUnhealthy())
	provider := &pkgv1.ProviderRevision{ObjectMeta: metav1.ObjectMeta{Name: "mainstay-provider-1"}}
	c := fake.NewClientBuilder().WithScheme(s).WithObjects(function, provider).WithStatusSubresource(function, provider).Build()
	h := newHub(t)

	first, err := h.reportRuntimes(t.Context(), c)
	if err != nil || !first {
		t.Fatalf("reportRuntimes(...): want a report, got %t, %v", first, err)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(function), function); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(provider), provider); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("dns:///"+address(mustPort(t, h, "fleet-cell")), function.Status.Endpoint); diff != "" {
		t.Errorf("endpoint: -want, +got:\n%s", diff)
	}
	for _, r := range []pkgv1.PackageRevisionWithRuntime{function, provider} {
		if !running(r) {
			t.Errorf("%s is not reported to run: %s", r.GetName(), ptr.Deref(r.GetObservedTLSServerSecretName(), "no certificate"))
		}
	}
	if got := function.GetCondition(pkgv1.TypeRevisionHealthy); got.Reason != pkgv1.ReasonUnhealthy {
		t.Errorf("A report must leave Crossplane's own conditions alone, got %v", got)
	}

	again, err := h.reportRuntimes(t.Context(), c)
	if err != nil || again {
		t.Errorf("reportRuntimes(...) again: want none, got %t, %v", again, err)
	}
}

func TestPackageReady(t *testing.T) {
	condition := func(kind, status string, of int64) any {
		return map[string]any{"type": kind, "status": status, "message": "because", "observedGeneration": of}
	}
	cases := map[string]struct {
		reason     string
		current    string
		conditions []any
		want       string
	}{
		"Ready": {
			reason:     "Installed and healthy, as it is wanted now.",
			current:    "new",
			conditions: []any{condition("Installed", "True", 2), condition("Healthy", "True", 2)},
		},
		"StillThePackageBefore": {
			reason:     "What was wanted before is healthy, which says nothing about what is wanted now.",
			current:    "old",
			conditions: []any{condition("Installed", "True", 1), condition("Healthy", "True", 1)},
			want:       "Function thing to be unpacked",
		},
		"StillTheHealthBefore": {
			reason:     "A condition of an earlier generation says nothing about this one.",
			current:    "new",
			conditions: []any{condition("Installed", "True", 2), condition("Healthy", "True", 1)},
			want:       "Function thing to be healthy: the last change was not looked at yet",
		},
		"Unhealthy": {
			reason:     "What is missing is said in Crossplane's words.",
			current:    "new",
			conditions: []any{condition("Installed", "True", 2), condition("Healthy", "False", 2)},
			want:       "Function thing to be healthy: because",
		},
		"Silent": {
			reason:  "Crossplane has not looked at it.",
			current: "new",
			want:    "Function thing to be installed: no condition Installed",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			u := packageObject(xpkg.KindFunction, "thing")
			u.SetGeneration(2)
			_ = unstructured.SetNestedField(u.Object, "new", "spec", "package")
			_ = unstructured.SetNestedField(u.Object, tc.current, "status", "currentIdentifier")
			_ = unstructured.SetNestedSlice(u.Object, tc.conditions, "status", "conditions")
			got := ""
			if err := packageReady(u); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\npackageReady(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
