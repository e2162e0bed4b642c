package release

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/target"
)

func TestRemoves(t *testing.T) {
	unreachable := &target.UnreachableError{Cluster: client.ObjectKeyFromObject(newCluster()), Err: errors.New("connection refused")}
	cases := map[string]struct {
		reason string
		setup  func(h *harness)
		// want it to be gone, or what it waits for.
		gone    bool
		message string
		// left is true where the objects are left on the cluster.
		left bool
		// admin is true where the administrator's rights are needed.
		admin bool
	}{
		"Reachable": {
			reason: "All is removed, then the Release goes.",
			gone:   true,
		},
		"ClusterGone": {
			reason: "There is nothing to remove from a cluster that does not exist.",
			setup: func(h *harness) {
				h.updateCluster(func(c *v1alpha1.Cluster) { c.SetFinalizers(nil) })
				h.must(h.hub.Delete(h.ctx, newCluster()))
			},
			gone: true, left: true,
		},
		"ClusterOrphaned": {
			reason: "Where a cluster is let go of as it is, so is what runs on it.",
			setup: func(h *harness) {
				h.updateCluster(func(c *v1alpha1.Cluster) {
					c.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionObserve, xpv2.ManagementActionCreate, xpv2.ManagementActionUpdate}
				})
				h.must(h.hub.Delete(h.ctx, newCluster()))
			},
			gone: true, left: true,
		},
		"ClusterDeletedAndReachable": {
			reason: "A cluster that is being deleted is drained.",
			setup:  func(h *harness) { h.must(h.hub.Delete(h.ctx, newCluster())) },
			gone:   true,
		},
		"Unreachable": {
			reason: "A cluster that does not answer may come back: it is waited for.",
			setup:  func(h *harness) { h.far.silent = unreachable },
			left:   true, message: `cluster "prod.eu-1" is unreachable: connection refused`,
		},
		"NotReady": {
			reason: "So is one that has lost its kubeconfig.",
			setup:  func(h *harness) { h.far.noKubeconfig = true },
			left:   true, message: `cluster "prod.eu-1" is not ready: waits for its kubeconfig`,
		},
		"UnreachableAndDeleted": {
			reason: "One that is being deleted will not come back.",
			setup: func(h *harness) {
				h.must(h.hub.Delete(h.ctx, newCluster()))
				h.far.silent = unreachable
			},
			gone: true, left: true,
		},
		"NotReadyAndDeleted": {
			reason: "Nor will one that has no kubeconfig any more.",
			setup: func(h *harness) {
				h.must(h.hub.Delete(h.ctx, newCluster()))
				h.far.noKubeconfig = true
			},
			gone: true, left: true,
		},
		"TenantShutOut": {
			reason: "Where the tenant may not any more, the administrator cleans up after it.",
			setup: func(h *harness) {
				h.updateCluster(func(c *v1alpha1.Cluster) { c.Spec.ForProvider.Tenants = nil })
				h.far.tenantForbidden = true
			},
			gone: true, admin: true,
		},
		"Stuck": {
			reason: "A finalizer that nobody removes is named.",
			setup: func(h *harness) {
				h.edit(configMapRef("a"), func(u *unstructured.Unstructured) { u.SetFinalizers([]string{"x.dev/keep"}) })
			},
			left: true, message: "1 objects are left; ConfigMap a: is being deleted and waits for finalizer x.dev/keep",
		},
		"Othersnow": {
			reason: "What is another Release's by now is not removed.",
			setup: func(h *harness) {
				h.edit(configMapRef("a"), func(u *unstructured.Unstructured) {
					u.SetAnnotations(map[string]string{v1alpha1.AnnotationRelease: "team-b/x"})
				})
			},
			gone: true, left: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := started(t, component(t, "web", nil, configMap("a", "x")))
			h.settle()
			if tc.setup != nil {
				tc.setup(h)
			}
			r := newRelease("")
			h.must(h.hub.Get(h.ctx, client.ObjectKeyFromObject(r), r))
			h.must(h.hub.Delete(h.ctx, r))
			h.must(h.hub.Get(h.ctx, client.ObjectKeyFromObject(r), r))
			h.clock.SetTime(r.GetDeletionTimestamp().Add(time.Second))
			r = h.reconcile()
			if strings.Contains(name, "AndDeleted") && r == nil {
				t.Fatalf("\n%s\nwant it not to give up at once", tc.reason)
			}
			for range 4 {
				if r != nil {
					h.clock.SetTime(h.clock.Now().Add(15 * time.Second))
					r = h.reconcile()
				}
			}
			if gone := r == nil; gone != tc.gone {
				t.Errorf("\n%s\nwant gone %t, got %t", tc.reason, tc.gone, gone)
			}
			if r != nil && r.Status.AtProvider.Message != tc.message {
				t.Errorf("\n%s\nwant message %q, got %q", tc.reason, tc.message, r.Status.AtProvider.Message)
			}
			if left := h.live(configMapRef("a")) != nil; left != tc.left {
				t.Errorf("\n%s\nwant objects left %t, got %t", tc.reason, tc.left, left)
			}
			if admin := h.far.admins > 0; admin != tc.admin {
				t.Errorf("\n%s\nwant administrator's rights used %t, got %t", tc.reason, tc.admin, admin)
			}
		})
	}
}

func TestRemovesNothingOfOthers(t *testing.T) {
	victim := `{apiVersion: v1, kind: ConfigMap, metadata: {name: victim, namespace: team-b}}`
	system := `{apiVersion: v1, kind: ConfigMap, metadata: {name: victim, namespace: kube-system, annotations: {mainstay.dev/release: team-a/shop.platform.prod.eu-1}}}`
	forged := newRelease("shop.1", func(r *v1alpha1.Release) {
		r.Status.AtProvider.Inventory = []v1alpha1.ObjectReference{
			{APIVersion: "v1", Kind: "ConfigMap", Namespace: "team-b", Name: "victim"},
			{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "victim"},
		}
	})
	h := newHarness(t, newCluster(), forged)
	for _, m := range []string{victim, system} {
		u := parse(t, m)
		h.must(h.far.Create(h.ctx, &u))
	}
	h.far.tenantForbidden = true
	h.must(h.hub.Delete(h.ctx, newRelease("")))
	for range 3 {
		h.reconcile()
	}
	if h.live(victim) == nil || h.live(system) == nil || h.farWrites != 0 {
		t.Errorf("an inventory that somebody forged gets nobody's rights but the tenant's: %d writes", h.farWrites)
	}
}

func TestNothingWasWritten(t *testing.T) {
	h := newHarness(t, newRelease("shop.1"))
	h.must(h.hub.Delete(h.ctx, newRelease("")))
	if r := h.reconcile(); r != nil {
		t.Errorf("a Release that wrote nothing goes at once, whatever became of its cluster: got %+v", r.Status)
	}
}

func TestConditionOfUnreachable(t *testing.T) {
	h := started(t, component(t, "web", nil, configMap("a", "x")))
	h.settle()
	h.far.silent = &target.UnreachableError{Cluster: client.ObjectKeyFromObject(newCluster()), Err: errors.New("gone")}
	r := h.reconcile()
	if ready, _ := condition(r, "Ready"); ready != corev1.ConditionUnknown || r.Status.AtProvider.Components[0].Health != v1alpha1.Unknown {
		t.Errorf("what cannot be seen is not known: got %s, %+v", ready, r.Status.AtProvider)
	}
	h.far.silent = nil
	if r = h.settle(); r.Status.AtProvider.Health != v1alpha1.Healthy {
		t.Errorf("it is once it can be seen again: got %+v", r.Status.AtProvider)
	}
}
