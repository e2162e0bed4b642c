package rollout

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

var errBoom = errors.New("boom")

// inWaves has one canary, and a gate after it.
func inWaves(ro *v1alpha1.Rollout) {
	ro.Spec.ForProvider.Strategy.Waves = []v1alpha1.Wave{
		{Name: "canary", Size: ptr.To(intstr.FromInt32(1)), Gates: []v1alpha1.Gate{
			{Name: "go", Webhook: &v1alpha1.WebhookGate{URL: "http://gate"}},
		}},
		{Name: "rest"},
	}
}

// gates answer what they are told to, and count.
type gates struct {
	answer rollout.Answer
	asked  []string
}

func (g *gates) Ask(_ context.Context, _ *v1alpha1.Rollout, q rollout.Question) rollout.Answer {
	g.asked = append(g.asked, q.Key)
	return g.answer
}

// checker finds what it is told to.
type checker struct {
	states map[string]rollout.CheckState
	err    error
	asked  int
}

func (c *checker) Check(_ context.Context, _ *v1alpha1.Rollout, digest string, placed []rollout.Placed) (rollout.Checks, error) {
	c.asked++
	out := rollout.Checks{Clusters: map[v1alpha1.ClusterReference]rollout.CheckState{}, Status: &v1alpha1.PreflightStatus{Digest: digest}}
	for _, p := range placed {
		out.Clusters[p.Target.Cluster] = c.states[p.Target.Name]
		out.Status.Checked++
	}
	return out, c.err
}

func (h *harness) release(cluster string) *v1alpha1.Release {
	h.t.Helper()
	rel := &v1alpha1.Release{}
	h.must(h.hub.Get(h.t.Context(), types.NamespacedName{Namespace: tenant, Name: "shop.platform.prod." + cluster}, rel))
	return rel
}

func TestGates(t *testing.T) {
	h := newHarness(t, append(fleet(2), newRollout(inWaves), newBundle("shop.1"))...)
	g := &gates{answer: rollout.Answer{Message: "not today"}}
	h.r.gates = g
	h.reconcile()
	if diff := cmp.Diff([]string{"c-1=shop.1"}, h.releases()); diff != "" {
		t.Errorf("the canary first: -want, +got:\n%s", diff)
	}
	if rel := h.release("c-1"); rel.GetAnnotations()[v1alpha1.AnnotationWave] != "canary" || rel.Spec.ForProvider.Epoch != 1 {
		t.Errorf("a Release knows its wave and its epoch: got %v, %d", rel.GetAnnotations(), rel.Spec.ForProvider.Epoch)
	}
	h.finish()
	ro := h.reconcile()
	if got, want := ro.Status.AtProvider.Message, `wave "canary" waits for gate "go": not today`; !strings.Contains(got, want) {
		t.Errorf("want %q, got %q", want, got)
	}
	h.reconcile()
	h.reconcile()
	if len(g.asked) != 1 {
		t.Errorf("who said no is not asked again at once: got %v", g.asked)
	}
	g.answer = rollout.Answer{Yes: true}
	h.clock.SetTime(h.clock.Now().Add(askEvery))
	ro = h.reconcile()
	if diff := cmp.Diff([]string{"c-1=shop.1", "c-2=shop.1"}, h.releases()); diff != "" {
		t.Errorf("an open gate lets the others follow at once: -want, +got:\n%s", diff)
	}
	if ro.Status.AtProvider.Waves[0].Phase != v1alpha1.WaveOver {
		t.Errorf("and that it was open is persisted: got %+v", ro.Status.AtProvider.Waves)
	}
}

func TestNobodyToAsk(t *testing.T) {
	h := newHarness(t, append(fleet(2), newRollout(inWaves), newBundle("shop.1"))...)
	h.reconcile()
	h.finish()
	if ro := h.reconcile(); len(h.releases()) != 1 || !strings.Contains(ro.Status.AtProvider.Message, "asks no gates") {
		t.Errorf("a gate that nobody can ask is closed: got %v, %q", h.releases(), ro.Status.AtProvider.Message)
	}
}

func TestWakesUp(t *testing.T) {
	h := newHarness(t, append(fleet(2), newRollout(func(ro *v1alpha1.Rollout) {
		inWaves(ro)
		w := &ro.Spec.ForProvider.Strategy.Waves[0]
		w.Gates, w.Soak = nil, &metav1.Duration{Duration: 20 * time.Second}
	}), newBundle("shop.1"))...)
	h.reconcile()
	h.finish()
	h.reconcile()
	h.clock.SetTime(h.clock.Now().Add(10 * time.Second))
	result, err := h.r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(newRollout())})
	h.must(err)
	if result.RequeueAfter != 10*time.Second {
		t.Errorf("it is looked at again when the soak ends: got %s", result.RequeueAfter)
	}
}

func TestPersistsFirst(t *testing.T) {
	h := newHarness(t, append(fleet(2), newRollout(), newBundle("shop.1"))...)
	working := h.r.client
	h.r.client = interceptor.NewClient(h.hub, interceptor.Funcs{SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
		return errBoom
	}})
	if _, err := h.r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(newRollout())}); err == nil || len(h.releases()) != 0 {
		t.Errorf("what cannot be persisted is not acted upon: got %v, %v", err, h.releases())
	}
	h.r.client = working
	h.reconcile()
	if len(h.releases()) != 2 {
		t.Errorf("and it is once it can: got %v", h.releases())
	}
}

func TestStateThatIsBehind(t *testing.T) {
	h := newHarness(t, append(fleet(3), newRollout(), newBundle("shop.1"), newBundle("shop.2"))...)
	h.reconcile()
	h.finish()
	h.reconcile()
	old := h.rollout()
	h.update(func(ro *v1alpha1.Rollout) { ro.Spec.ForProvider.Variants[0].Bundle = "shop.2" })
	h.finish()
	h.reconcile()
	h.finish()
	before := h.releases()

	// Somebody who still sees the Rollout as it was.
	h.r.client = interceptor.NewClient(h.hub, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
		if ro, ok := o.(*v1alpha1.Rollout); ok {
			old.DeepCopyInto(ro)
			return nil
		}
		return c.Get(ctx, key, o, opts...)
	}})
	result, err := h.r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(newRollout())})
	if err != nil || !result.Requeue { //nolint:staticcheck // It is what the runtime returns for a conflict.
		t.Errorf("whoever is behind looks again: got %+v, %v", result, err)
	}
	if diff := cmp.Diff(before, h.releases()); diff != "" {
		t.Errorf("and writes nothing: -want, +got:\n%s", diff)
	}
}

func TestPreflight(t *testing.T) {
	h := newHarness(t, append(fleet(2), newRollout(), newBundle("shop.1"))...)
	c := &checker{states: map[string]rollout.CheckState{"c-1": rollout.Clean, "c-2": rollout.Blocking}}
	h.r.preflight = c
	ro := h.reconcile()
	if len(h.releases()) != 0 || ro.Status.AtProvider.Preflight == nil || ro.Status.AtProvider.Preflight.Checked != 2 {
		t.Errorf("one cluster that would fail keeps all back: got %v, %+v", h.releases(), ro.Status.AtProvider.Preflight)
	}
	c.err = errBoom
	if _, err := h.r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(newRollout())}); err == nil || len(h.releases()) != 0 {
		t.Errorf("what cannot be checked is not started: got %v, %v", err, h.releases())
	}
	c.err, c.states["c-2"] = nil, rollout.Clean
	h.reconcile()
	if len(h.releases()) != 2 {
		t.Errorf("once all is clean all start: got %v", h.releases())
	}
	h.finish()
	h.reconcile()
	asked := c.asked
	if ro = h.reconcile(); c.asked != asked || ro.Status.AtProvider.Preflight == nil {
		t.Errorf("what is there needs no check, and what was found stays known: asked %d times more", c.asked-asked)
	}
}

func TestWorkflow(t *testing.T) {
	db := newRollout(func(ro *v1alpha1.Rollout) {
		ro.SetName("db")
		ro.SetUID("db-uid")
		ro.Status.AtProvider.Phase = v1alpha1.RolloutProgressing
		ro.Status.AtProvider.Digest = rollout.Digest(ro.Spec.ForProvider)
	})
	shop := newRollout(func(ro *v1alpha1.Rollout) {
		ro.Spec.ForProvider.Steps = []v1alpha1.RolloutStep{
			{Name: "db", Type: v1alpha1.StepDependsOnApp, Application: &v1alpha1.ApplicationReference{Name: "db"}},
			{Name: "tell", Type: v1alpha1.StepNotify, DependsOn: []string{"db"}, Webhook: &v1alpha1.WebhookGate{URL: "http://chat"}},
			{Name: "all", Type: v1alpha1.StepDeploy, DependsOn: []string{"tell"}},
		}
	})
	h := newHarness(t, append(fleet(1), shop, db, newBundle("shop.1"))...)
	g := &gates{answer: rollout.Answer{Yes: true}}
	h.r.gates = g
	ro := h.reconcile()
	if got, want := ro.Status.AtProvider.Message, `step "db" waits for application "db": it is Progressing`; !strings.Contains(got, want) || len(h.releases()) != 0 {
		t.Errorf("want %q, got %q, %v", want, got, h.releases())
	}

	h.must(h.hub.Get(t.Context(), client.ObjectKeyFromObject(db), db))
	db.Status.AtProvider.Phase = v1alpha1.RolloutCompleted
	h.must(h.hub.Status().Update(t.Context(), db))
	// The provider is killed after it told, and before that is persisted.
	working := h.r.client
	h.r.client = interceptor.NewClient(h.hub, interceptor.Funcs{SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
		return errBoom
	}})
	if _, err := h.r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(newRollout())}); err == nil {
		t.Errorf("want an error")
	}
	h.r.client = working
	ro = h.reconcile()
	if diff := cmp.Diff([]string{"c-1=shop.1"}, h.releases()); diff != "" {
		t.Errorf("once the other application is reached and all are told it deploys: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"step/tell"}, g.asked); diff != "" {
		t.Errorf("a provider that goes on tells once: -want, +got:\n%s", diff)
	}
	for i, want := range []v1alpha1.StepPhase{v1alpha1.StepSucceeded, v1alpha1.StepSucceeded, v1alpha1.StepRunning} {
		if got := ro.Status.AtProvider.Steps[i].Phase; got != want {
			t.Errorf("step %d: want %s, got %s", i, want, got)
		}
	}
}
