package release

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// started returns a harness with a Release that wants a Bundle of components.
func started(t *testing.T, components ...bundle.Component) *harness {
	t.Helper()
	h := newHarness(t, newCluster())
	h.must(h.hub.Create(h.ctx, newRelease(h.bundle(components...))))
	return h
}

// settle until nothing is written any more, while time goes by.
func (h *harness) settle() *v1alpha1.Release {
	h.t.Helper()
	for range 10 {
		before := h.hubWrites + h.farWrites
		h.clock.SetTime(h.clock.Now().Add(6 * time.Second))
		r := h.reconcile()
		if h.hubWrites+h.farWrites == before {
			return r
		}
	}
	h.t.Fatal("it goes on writing for ever")
	return nil
}

func TestApplies(t *testing.T) {
	h := started(t, component(t, "web", nil, deployment("web", "nginx"), configMap("web", "x")))

	r := h.reconcile()
	if got, want := r.Status.AtProvider.Health, v1alpha1.Progressing; got != want {
		t.Errorf("a Deployment that does not run is on its way: want %s, got %s", want, got)
	}
	want := []v1alpha1.ObjectReference{
		{APIVersion: "v1", Kind: "ConfigMap", Namespace: tenant, Name: "web", Component: "web"},
		{APIVersion: "apps/v1", Kind: "Deployment", Namespace: tenant, Name: "web", Component: "web"},
	}
	if diff := cmp.Diff(want, r.Status.AtProvider.Inventory); diff != "" {
		t.Errorf("the inventory is in the order of application: -want, +got:\n%s", diff)
	}
	live := h.live(deploymentRef("web"))
	if live == nil || live.GetAnnotations()[v1alpha1.AnnotationRelease] != "team-a/shop.platform.prod.eu-1" || live.GetLabels()[v1alpha1.LabelTenant] != tenant {
		t.Fatalf("the Deployment is there and marked: got %v", live)
	}
	if h.hubWrites != 1 || h.farWrites != 2 {
		t.Errorf("one write ahead and two objects: got %d, %d", h.hubWrites, h.farWrites)
	}

	h.reconcile()
	if h.hubWrites != 1 || h.farWrites != 2 {
		t.Errorf("while all is as it was nothing is written: got %d, %d", h.hubWrites, h.farWrites)
	}

	h.run("web")
	r = h.reconcile()
	if h.hubWrites != 2 || h.farWrites != 2 {
		t.Errorf("getting there is one more write, so that with the Release itself there are three: got %d, %d", h.hubWrites, h.farWrites)
	}
	at := r.Status.AtProvider
	if at.Health != v1alpha1.Healthy || at.Bundle != r.Spec.ForProvider.Bundle || at.Applied == "" || at.Message != "" {
		t.Errorf("it is there, and healthy: got %+v", at)
	}
	ready, _ := condition(r, "Ready")
	synced, _ := condition(r, "Synced")
	if ready != corev1.ConditionTrue || synced != corev1.ConditionTrue {
		t.Errorf("Ready and Synced are true: got %s, %s", ready, synced)
	}

	h.settle()
	if h.hubWrites != 2 || h.farWrites != 2 {
		t.Errorf("what is unchanged is skipped: got %d, %d", h.hubWrites, h.farWrites)
	}
}

func TestRepairsDrift(t *testing.T) {
	h := started(t, component(t, "web", nil, configMap("a", "x"), configMap("b", "x")))
	h.settle()
	writes := h.hubWrites

	h.edit(configMapRef("a"), func(u *unstructured.Unstructured) {
		u.Object["data"] = map[string]any{"key": "edited", "other": "kept"}
	})
	h.must(h.far.Delete(h.ctx, h.live(configMapRef("b"))))
	h.farWrites = 0
	h.reconcile()
	if got := h.live(configMapRef("a")).Object["data"].(map[string]any)["key"]; got != "x" {
		t.Errorf("an edited object is as it was: got %v", got)
	}
	if h.live(configMapRef("b")) == nil {
		t.Errorf("a deleted object is back")
	}
	if h.farWrites != 2 || h.hubWrites != writes {
		t.Errorf("only what was changed is written, and nothing on the hub: got %d on the cluster, %d on the hub", h.farWrites, h.hubWrites-writes)
	}
}

func TestAppliesNothingAfterRestart(t *testing.T) {
	h := started(t, component(t, "a", nil, configMap("a", "x")), component(t, "b", []string{"a"}, configMap("b", "x")))
	h.settle()
	hubWrites, farWrites := h.hubWrites, h.farWrites
	h.restart(h.hub.Scheme())
	h.settle()
	if h.farWrites != farWrites || h.hubWrites != hubWrites {
		t.Errorf("after a restart what was applied is known by what is on record: got %d writes, %d on the hub", h.farWrites-farWrites, h.hubWrites-hubWrites)
	}
	h.edit(configMapRef("a"), func(u *unstructured.Unstructured) { u.Object["data"] = map[string]any{"key": "edited"} })
	h.settle()
	if h.farWrites-farWrites != 1 || h.hubWrites != hubWrites {
		t.Errorf("and what was changed meanwhile is repaired: got %d writes, %d on the hub", h.farWrites-farWrites, h.hubWrites-hubWrites)
	}
}

func TestDependsOn(t *testing.T) {
	h := started(t, component(t, "web", []string{"db"}, configMap("web", "x")), component(t, "db", nil, deployment("db", "pg")))
	h.reconcile()
	if h.live(configMapRef("web")) != nil {
		t.Fatal("web waits until db is healthy")
	}
	h.clock.SetTime(h.clock.Now().Add(quiet))
	r := h.reconcile()
	want := []v1alpha1.ComponentHealth{
		{Name: "db", Health: v1alpha1.Progressing, Message: "Deployment db: 0 of 1 replicas available"},
		{Name: "web", Health: v1alpha1.Progressing, Message: "waits for db"},
	}
	if diff := cmp.Diff(want, r.Status.AtProvider.Components); diff != "" {
		t.Errorf("it says who waits for what: -want, +got:\n%s", diff)
	}
	h.run("db")
	r = h.reconcile()
	if h.live(configMapRef("web")) == nil || r.Status.AtProvider.Health != v1alpha1.Healthy {
		t.Errorf("then web is applied: got %+v", r.Status.AtProvider)
	}
}

func TestPrunes(t *testing.T) {
	h := started(t, component(t, "web", nil, configMap("a", "x"), configMap("b", "x"), configMap("c", "x")))
	h.settle()
	// Somebody else's by now.
	h.edit(configMapRef("c"), func(u *unstructured.Unstructured) {
		u.SetAnnotations(map[string]string{v1alpha1.AnnotationRelease: "team-b/other"})
	})
	h.update(func(r *v1alpha1.Release) {
		r.Spec.ForProvider.Bundle = h.bundle(component(t, "web", nil, configMap("a", "z")))
	})
	r := h.settle()
	if h.live(configMapRef("b")) != nil {
		t.Errorf("what was dropped is pruned")
	}
	if h.live(configMapRef("c")) == nil {
		t.Errorf("what is another's is left")
	}
	want := []v1alpha1.ObjectReference{{APIVersion: "v1", Kind: "ConfigMap", Namespace: tenant, Name: "a", Component: "web"}}
	if diff := cmp.Diff(want, r.Status.AtProvider.Inventory, cmpopts.IgnoreFields(v1alpha1.ObjectReference{}, "Trace")); diff != "" {
		t.Errorf("the inventory shrinks: -want, +got:\n%s", diff)
	}
	if got := h.live(configMapRef("a")).Object["data"].(map[string]any)["key"]; got != "z" {
		t.Errorf("what is kept is updated: got %v", got)
	}
}

func TestPruneWaitsForFinalizers(t *testing.T) {
	h := started(t, component(t, "web", nil, configMap("a", "x"), configMap("b", "x")))
	h.settle()
	h.edit(configMapRef("b"), func(u *unstructured.Unstructured) { u.SetFinalizers([]string{"x.dev/keep"}) })
	h.update(func(r *v1alpha1.Release) {
		r.Spec.ForProvider.Bundle = h.bundle(component(t, "web", nil, configMap("a", "x")))
	})
	r := h.settle()
	if len(r.Status.AtProvider.Inventory) != 2 || !strings.Contains(r.Status.AtProvider.Message, "ConfigMap b, which is not wanted any more, is not gone yet") {
		t.Errorf("what is not gone stays on record: got %+v", r.Status.AtProvider)
	}
	h.edit(configMapRef("b"), func(u *unstructured.Unstructured) { u.SetFinalizers(nil) })
	if r = h.settle(); len(r.Status.AtProvider.Inventory) != 1 {
		t.Errorf("once it is gone it leaves the record: got %+v", r.Status.AtProvider.Inventory)
	}
}

func TestHolds(t *testing.T) {
	const needs = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "nginx:2", env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}]}]}
`
	h := started(t, component(t, "web", nil, deployment("web", "nginx:1")), component(t, "other", nil, configMap("other", "x")))
	h.reconcile()
	h.run("web")
	h.settle()
	h.update(func(r *v1alpha1.Release) {
		r.Spec.ForProvider.Bundle = h.bundle(component(t, "web", nil, configMap("new", "x"), needs), component(t, "other", nil, configMap("other", "z")))
	})
	r := h.settle()
	_, message := condition(r, "Synced")
	want := `update failed: component "web": Deployment "web" needs Secret "db" (spec.template.spec.containers[name=main].env[name=PASSWORD].valueFrom.secretKeyRef.name), which is not in namespace "team-a" of cluster "prod.eu-1": make it there, or correct the component`
	if diff := cmp.Diff(want, message); diff != "" {
		t.Errorf("what is missing is named: -want, +got:\n%s", diff)
	}
	containers, _, _ := unstructured.NestedSlice(h.live(deploymentRef("web")).Object, "spec", "template", "spec", "containers")
	if got := containers[0].(map[string]any)["image"]; got != "nginx:1" || h.live(configMapRef("new")) != nil {
		t.Errorf("nothing of the component is written, and what ran goes on: got %v", got)
	}
	if got := h.live(configMapRef("other")).Object["data"].(map[string]any)["key"]; got != "z" {
		t.Errorf("other components go on: got %v", got)
	}
	if r.Status.AtProvider.Components[0].Health != v1alpha1.Healthy {
		t.Errorf("what ran is reported as it is: got %+v", r.Status.AtProvider.Components)
	}

	secret := parse(t, `{apiVersion: v1, kind: Secret, metadata: {name: db, namespace: team-a}}`)
	h.must(h.far.Create(h.ctx, &secret))
	h.settle()
	h.run("web")
	r = h.settle()
	if synced, _ := condition(r, "Synced"); synced != corev1.ConditionTrue || r.Status.AtProvider.Health != v1alpha1.Healthy {
		t.Errorf("once it is there all goes on: got %s, %+v", synced, r.Status.AtProvider)
	}
}

func TestRefuses(t *testing.T) {
	cases := map[string]struct {
		reason string
		setup  func(h *harness)
		want   string
	}{
		"OtherOwner": {
			reason: "What belongs to another Release is not taken over.",
			setup: func(h *harness) {
				u := parse(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: team-a, annotations: {mainstay.dev/release: team-b/x}}}`)
				h.must(h.far.Create(h.ctx, &u))
			},
			want: `update failed: component "web": ConfigMap "a" in namespace "team-a" of cluster "prod.eu-1" belongs to Release team-b/x: give it another name, or remove it there`,
		},
		"NoTenant": {
			reason: "A Release that somebody wrote in a namespace that is no tenant gets nowhere.",
			setup:  func(h *harness) { h.updateCluster(func(c *v1alpha1.Cluster) { c.Spec.ForProvider.Tenants = nil }) },
			want:   `connect failed: namespace "team-a" is not a tenant of cluster "eu-1": ask the owner of fleet "prod" in namespace "platform" to add it to spec.tenants`,
		},
		"OtherTargetNamespace": {
			reason: "Nor does one that asks for a namespace that is not its own.",
			setup: func(h *harness) {
				h.update(func(r *v1alpha1.Release) { r.Spec.ForProvider.Namespace = "kube-system" })
			},
			want: `connect failed: tenant "team-a" may not deploy into namespace "kube-system" of cluster "eu-1", only into team-a: ask the owner of fleet "prod" in namespace "platform" to add it to spec.tenants[].targetNamespaces`,
		},
		"NoCluster": {
			reason: "A cluster that does not exist is named.",
			setup: func(h *harness) {
				h.updateCluster(func(c *v1alpha1.Cluster) { c.SetFinalizers(nil) })
				h.must(h.hub.Delete(h.ctx, newCluster()))
			},
			want: `connect failed: cluster "prod.eu-1" in namespace "platform" does not exist`,
		},
		"ClusterBeingDeleted": {
			reason: "Nothing is put on a cluster that goes.",
			setup:  func(h *harness) { h.must(h.hub.Delete(h.ctx, newCluster())) },
			want:   `connect failed: cluster "prod.eu-1" is being deleted: delete this Release`,
		},
		"NoKubeconfig": {
			reason: "A cluster that is not there yet is waited for.",
			setup:  func(h *harness) { h.far.noKubeconfig = true },
			want:   `connect failed: cluster "prod.eu-1" is not ready: waits for its kubeconfig`,
		},
		"NoBundle": {
			reason: "So is a Bundle.",
			setup: func(h *harness) {
				h.update(func(r *v1alpha1.Release) { r.Spec.ForProvider.Bundle = "shop.nothere" })
			},
			want: `update failed: waits for bundle "shop.nothere" to be there`,
		},
		"TamperedBundle": {
			reason: "A Bundle that is not what its name says is refused.",
			setup: func(h *harness) {
				b := newBundle(t, component(t, "web", nil, configMap("evil", "x")))
				b.SetName("shop.000000000000")
				h.must(h.hub.Create(h.ctx, b))
				h.update(func(r *v1alpha1.Release) { r.Spec.ForProvider.Bundle = b.GetName() })
			},
			want: `update failed: bundle "shop.000000000000" is not named by its content`,
		},
		"OthersBundle": {
			reason: "Nor is another application's Bundle taken.",
			setup: func(h *harness) {
				h.update(func(r *v1alpha1.Release) { r.Spec.ForProvider.Application = "other" })
			},
			want: `is of application "shop" and not of "other"`,
		},
		"CircularBundle": {
			reason: "A content that makes no sense is refused as a whole.",
			setup: func(h *harness) {
				b := h.bundle(component(t, "a", []string{"b"}), component(t, "b", []string{"a"}))
				h.update(func(r *v1alpha1.Release) { r.Spec.ForProvider.Bundle = b })
			},
			want: `update failed: components depend on each other in a circle: a, b`,
		},
		"UnknownKind": {
			reason: "A kind that the cluster does not serve is named.",
			setup: func(h *harness) {
				b := h.bundle(component(t, "web", nil, `{apiVersion: x.dev/v1, kind: Gadget, metadata: {name: g}}`, configMap("b", "x")))
				h.update(func(r *v1alpha1.Release) { r.Spec.ForProvider.Bundle = b })
			},
			want: `update failed: component "web": Gadget "g": the cluster does not know kind Gadget of x.dev/v1`,
		},
		"Unreachable": {
			reason: "A cluster that does not answer is parked, in words that do not change from try to try.",
			setup: func(h *harness) {
				h.far.silent = &target.UnreachableError{Cluster: client.ObjectKeyFromObject(newCluster()), Err: errors.New("read tcp 127.0.0.1:4242->127.0.0.1:6443: connection reset")}
			},
			want: `observe failed: cluster "prod.eu-1" is unreachable: read tcp 127.0.0.1:6443: connection reset`,
		},
		"NotSetUp": {
			reason: "A tenant that the cluster does not know yet waits for that.",
			setup:  func(h *harness) { h.far.tenantForbidden = true },
			want:   `observe failed: waits for tenant "team-a" to be set up on cluster "prod.eu-1"`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := started(t, component(t, "web", nil, configMap("a", "x")))
			tc.setup(h)
			h.hubWrites = 0
			r := h.reconcile()
			synced, message := condition(r, "Synced")
			if synced != corev1.ConditionFalse || !strings.Contains(message, tc.want) {
				t.Errorf("\n%s\nwant Synced False with %q\ngot %s with %q", tc.reason, tc.want, synced, message)
			}
			if ready, _ := condition(r, "Ready"); ready == corev1.ConditionTrue {
				t.Errorf("\n%s\nwant it not to be Ready", tc.reason)
			}
			if r.Status.AtProvider.Message == "" {
				t.Errorf("\n%s\nwant a message", tc.reason)
			}
			if h.farWrites != 0 {
				t.Errorf("\n%s\nwant nothing to be written to the cluster", tc.reason)
			}
			writes := h.hubWrites
			h.reconcile()
			if h.hubWrites != writes {
				t.Errorf("\n%s\nwant nothing to be written a second time", tc.reason)
			}
		})
	}
}

func TestTenantShutOut(t *testing.T) {
	h := started(t, component(t, "web", nil, configMap("a", "x")))
	h.settle()
	h.updateCluster(func(c *v1alpha1.Cluster) { c.Spec.ForProvider.Tenants = nil })
	h.edit(configMapRef("a"), func(u *unstructured.Unstructured) { u.Object["data"] = map[string]any{"key": "edited"} })
	h.farWrites = 0
	r := h.reconcile()
	if _, m := condition(r, "Synced"); !strings.HasSuffix(m, "what runs there is left as it is") || h.farWrites != 0 || h.live(configMapRef("a")) == nil {
		t.Errorf("what runs is neither repaired nor removed, and that is said: got %q, %d writes", m, h.farWrites)
	}
}

func TestDeadline(t *testing.T) {
	h := started(t, component(t, "web", nil, deployment("web", "nginx")))
	h.settle()
	h.clock.SetTime(h.clock.Now().Add(deadline))
	r := h.settle()
	if diff := cmp.Diff("Deployment web: 0 of 1 replicas available (for more than 10m0s)", r.Status.AtProvider.Message); diff != "" || r.Status.AtProvider.Health != v1alpha1.Degraded {
		t.Errorf("what takes too long counts as failed: %s, -want, +got:\n%s", r.Status.AtProvider.Health, diff)
	}
	h.update(func(r *v1alpha1.Release) {
		r.Spec.ForProvider.Bundle = h.bundle(component(t, "web", nil, deployment("web", "nginx:2")))
	})
	if r = h.settle(); r.Status.AtProvider.Health != v1alpha1.Progressing {
		t.Errorf("another Bundle gets another chance: got %s", r.Status.AtProvider.Health)
	}
	h.run("web")
	if r = h.settle(); r.Status.AtProvider.Health != v1alpha1.Healthy {
		t.Errorf("and may get there: got %s", r.Status.AtProvider.Health)
	}
}

func TestObserveOnly(t *testing.T) {
	h := started(t, component(t, "web", nil, configMap("a", "x")))
	h.update(func(r *v1alpha1.Release) {
		r.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionObserve}
	})
	r := h.settle()
	if h.farWrites != 0 || r.Status.AtProvider.Message != "ConfigMap a: is not there" {
		t.Errorf("a Release that may only look writes nothing and says what it sees: got %d writes, %q", h.farWrites, r.Status.AtProvider.Message)
	}
}
