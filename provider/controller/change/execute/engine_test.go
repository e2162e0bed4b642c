package execute

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// engines are told to look at the branch, each by the annotation that it knows.
func engines(t *testing.T, hub *hub) {
	cases := map[string]struct {
		reason     string
		kind       schema.GroupVersionKind
		annotation string
		// want of the annotation, at 09:00 and then at 09:01.
		want []string
	}{
		"argocd": {
			reason: "Argo CD takes the annotation away once it has looked, so that it is always the same.",
			kind:   schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Application"}, annotation: "argocd.argoproj.io/refresh",
			want: []string{"normal", "normal"},
		},
		"flux": {
			reason: "Flux compares it with the last one that it has handled, so that it is another one each time.",
			kind:   schema.GroupVersionKind{Group: "source.toolkit.fluxcd.io", Version: "v1", Kind: "GitRepository"}, annotation: "reconcile.fluxcd.io/requestedAt",
			want: []string{"2026-03-02T09:00:00Z", "2026-03-02T09:01:00Z"},
		},
		"other": {
			reason: "Nobody knows what another engine listens to.",
			kind:   schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Application"}, annotation: "argocd.argoproj.io/refresh",
			want: []string{"", ""},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := hub.house(t, func(p *v1alpha1.RepositoryParameters) {
				p.Delivery = v1alpha1.Delivery{Mode: v1alpha1.DeliverBranch, Branch: &v1alpha1.DeliveryBranch{
					Name: "fleet", Engine: name, Source: &v1alpha1.DeliverySource{Name: "claims"},
				}}
			})
			in := h.made(41)
			if err := h.tellEngine(t.Context(), in, true); err != nil {
				t.Errorf("what is not there yet is told nothing, and holds nothing up: %v", err)
			}
			source := &unstructured.Unstructured{}
			source.SetGroupVersionKind(tc.kind)
			source.SetNamespace(h.ns)
			source.SetName("claims")
			must(t, h.Create(t.Context(), source))
			told := func(moved bool) string {
				t.Helper()
				must(t, h.tellEngine(t.Context(), in, moved))
				must(t, h.Get(t.Context(), client.ObjectKeyFromObject(source), source))
				return source.GetAnnotations()[tc.annotation]
			}
			if got := told(true); got != tc.want[0] {
				t.Errorf("\n%s\nwant %q, got %q", tc.reason, tc.want[0], got)
			}
			h.pass(10 * time.Second)
			if got := told(false); got != tc.want[0] {
				t.Errorf("a branch that did not move is not told of every time: got %q", got)
			}
			h.pass(50 * time.Second)
			if got := told(false); got != tc.want[1] {
				t.Errorf("\n%s\nwant %q, got %q", tc.reason, tc.want[1], got)
			}
		})
	}
}
