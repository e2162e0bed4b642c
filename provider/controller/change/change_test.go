package change

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/feature"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/crossplane/crossplane-runtime/v2/pkg/ratelimiter"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/provider/forge"
)

// TestChanges lets merge requests become true on a real API server, with real Git.
func TestChanges(t *testing.T) {
	hub, cfg := startHub(t)
	t.Run("ByItself", func(t *testing.T) { byItself(t, hub, cfg) })
	for name, run := range map[string]func(*testing.T, client.Client){
		"WholeLife": wholeLife, "CrashAfterRecord": crashAfterRecord, "ForgeDownForAnHour": forgeDown, "ToldWhileNotOpen": toldWhileNotOpen, "NoRights": noRights, "TokenExpired": tokenExpired,
		"ClosedBySomebody": closed, "Overlapping": overlapping, "Leaving": leaving, "Failing": failing, "EditedBefore": editedBefore, "Refused": refusedPlan,
	} {
		t.Run(name, func(t *testing.T) { run(t, hub) })
	}
}

// byItself changes are looked at when something happens, and nobody has to say so.
func byItself(t *testing.T, hub client.Client, cfg *rest.Config) {
	h, n := started(t, hub)
	h.events, h.woken = make(chan event.GenericEvent, 10), true
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{Scheme: hub.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"}})
	must(t, err)
	o := controller.Options{Logger: logging.NewNopLogger(), GlobalRateLimiter: ratelimiter.NewGlobal(100), MaxConcurrentReconciles: 2, PollInterval: time.Minute, Features: &feature.Flags{}}
	must(t, Setup(mgr, o, Deps{Pool: h, Trees: h.trees, Planner: h}))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- mgr.Start(ctx) }()
	defer func() {
		stop()
		must(t, <-done)
	}()

	until := func(what string, is func(s v1alpha1.ChangeObservation) bool) {
		t.Helper()
		err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, patience, true, func(context.Context) (bool, error) { return is(h.get(n).Status.AtProvider), nil })
		if err != nil {
			t.Fatalf("it is not %s: %+v", what, h.get(n).Status)
		}
	}
	until("planned and shown", func(s v1alpha1.ChangeObservation) bool { return s.Plan != nil && s.Plan.Shown != nil })
	h.forge.approve(n, "ravi")
	h.events <- event.GenericEvent{Object: h.get(n)}
	until("executing", func(s v1alpha1.ChangeObservation) bool {
		return s.Phase == v1alpha1.ChangeExecuting && h.image("shop") == "v2"
	})
	h.roll()
	until("completed", func(s v1alpha1.ChangeObservation) bool { return s.Phase == v1alpha1.ChangeCompleted })
	if s := h.get(n).Status.AtProvider; s.Merged.Untrue != "" {
		t.Errorf("got %+v", s.Merged)
	}
}

// started is a house where the application shop runs v1, and is asked to run v2.
func started(t *testing.T, hub client.Client) (*house, int64) {
	t.Helper()
	h := newHouse(t, hub, nil)
	h.git.Commit("main", "", map[string]string{"shop.yaml": application("shop", "v1")})
	h.git.Commit("feature", "main", map[string]string{"shop.yaml": application("shop", "v2")})
	return h, h.change("feature")
}

// executing is one where that is under way.
func executing(t *testing.T, hub client.Client) (*house, int64) {
	t.Helper()
	h, n := started(t, hub)
	h.shown(n)
	h.forge.approve(n, "ravi")
	h.until(n, v1alpha1.ChangeExecuting, false)
	h.settled(n)
	return h, n
}

// shown is a Change whose plan can be read on the merge request.
func (h *house) shown(n int64) {
	h.t.Helper()
	h.until(n, v1alpha1.ChangePlanned, false)
	if c := h.settled(n); c.Status.AtProvider.Plan.Shown == nil {
		h.t.Fatalf("the plan must be shown: %s\n%s", c.Status.AtProvider.Message, h.forge.ours(n))
	}
}

func wholeLife(t *testing.T, hub client.Client) {
	h, n := started(t, hub)
	h.shown(n)
	if got := h.forge.status(h.forge.request(n).HeadSHA, change.ContextExecute); got.State != forge.StatusPending {
		t.Errorf("before it is approved the status is pending, got %+v", got)
	}
	if !strings.Contains(h.forge.ours(n), "the plan") || h.image("shop") != "" {
		t.Errorf("the plan is shown, and nothing is written yet: %q, %s", h.image("shop"), h.forge.ours(n))
	}
	h.forge.approve(n, "ravi")
	h.until(n, v1alpha1.ChangeExecuting, false)
	h.settled(n)
	if got := h.image("shop"); got != "v2" {
		t.Fatalf("the claim must be written, got %q", got)
	}
	if h.forge.request(n).State != forge.Open {
		t.Fatal("it must not be merged before the clusters are there")
	}
	c := h.until(n, v1alpha1.ChangeCompleted, true)
	if c.Status.AtProvider.Merged == nil || c.Status.AtProvider.Merged.Untrue != "" {
		t.Errorf("main must say what was executed: %+v", c.Status.AtProvider.Merged)
	}
	c = h.settled(n)
	if got := h.git.Show("main", "shop.yaml"); got != strings.TrimSpace(application("shop", "v2")) {
		t.Errorf("main says %s", got)
	}
	if got := c.GetCondition(xpv2.TypeReady); got.Status != corev1.ConditionTrue || got.Reason != "Completed" {
		t.Errorf("it is ready once it is merged, got %+v", got)
	}
	for _, q := range h.queue() {
		if q.UID == string(c.GetUID()) {
			t.Errorf("its locks must be free: %+v", q)
		}
	}
	if !strings.Contains(h.forge.ours(n), "Completed") {
		t.Errorf("the comment must say so:\n%s", h.forge.ours(n))
	}
	asked := h.forge.asked
	h.pass(time.Hour)
	must(t, h.once(n))
	if h.forge.asked != asked {
		t.Error("of what is over nothing is asked any more")
	}
}

// A provider that dies between what it decided and what it does goes on where it was.
func crashAfterRecord(t *testing.T, hub client.Client) {
	h, n := started(t, hub)
	h.shown(n)
	h.forge.approve(n, "ravi")
	for range 12 {
		h.restart()
		h.woken = true
		_ = h.once(n)
		h.pass(time.Second)
	}
	if got := h.image("shop"); got != "v2" {
		t.Fatalf("the claim must be written, got %q: %s", got, h.get(n).Status.AtProvider.Message)
	}
	for range 12 {
		h.roll()
		h.restart()
		_ = h.once(n)
		h.pass(time.Second)
	}
	if c := h.until(n, v1alpha1.ChangeCompleted, true); c.Status.AtProvider.Merged.Untrue != "" {
		t.Errorf("got %+v", c.Status.AtProvider.Merged)
	}
}

// A forge that is down keeps nothing from going on that has begun, and lets nothing be merged.
func forgeDown(t *testing.T, hub client.Client) {
	h, n := executing(t, hub)
	h.forge.breaks(&forge.Error{Reason: forge.Unavailable, Message: "forge does not answer"})
	h.git.Down(503)
	h.roll()
	for range 12 {
		h.pass(5 * time.Minute)
		_ = h.once(n)
	}
	c := h.get(n)
	if p := c.Status.AtProvider.Phase; p != v1alpha1.ChangeVerifying && p != v1alpha1.ChangeMerging {
		t.Errorf("clusters that are there are there, got %s: %s", p, c.Status.AtProvider.Message)
	}
	if got := c.GetCondition(xpv2.TypeSynced); got.Status != corev1.ConditionFalse || !strings.Contains(got.Message, "does not answer") {
		t.Errorf("the condition must say what is wrong, got %+v", got)
	}
	if h.forge.request(n).State != forge.Open {
		t.Error("nothing is merged")
	}
	h.forge.breaks(nil)
	h.git.Down(0)
	h.pass(5 * time.Minute)
	c = h.until(n, v1alpha1.ChangeCompleted, true)
	if got := h.settled(n).GetCondition(xpv2.TypeSynced); got.Status != corev1.ConditionTrue || c.Status.AtProvider.Merged.Untrue != "" {
		t.Errorf("it goes on when the forge is back, got %+v, %+v", got, c.Status.AtProvider.Merged)
	}
}

// What is said on the hub is obeyed where the Repository is not open, by a provider that never saw it open.
func toldWhileNotOpen(t *testing.T, hub client.Client) {
	h, n := executing(t, hub)
	h.rollAs(v1alpha1.RolloutProgressing, "")
	h.open, h.broken = nil, errors.New("Secret forge has no key token")
	h.restart()
	tell := func(verb v1alpha1.ChangeVerb) v1alpha1.ChangeObservation {
		t.Helper()
		c := h.get(n)
		p := c.Status.AtProvider.Plan
		c.Spec.ForProvider.Control = &v1alpha1.ChangeControl{Commands: []v1alpha1.ChangeCommand{{ID: string(verb), Verb: verb, HeadSHA: p.HeadSHA, Digest: p.Digest, By: "zoe", At: metav1.NewTime(h.time())}}}
		must(t, h.Update(t.Context(), c))
		return h.settled(n).Status.AtProvider
	}
	paused := func() bool {
		t.Helper()
		ro := &v1alpha1.Rollout{}
		must(t, h.Get(t.Context(), client.ObjectKey{Namespace: h.ns, Name: "shop"}, ro))
		return ro.Spec.ForProvider.Control != nil && ro.Spec.ForProvider.Control.Paused
	}
	if s := tell(v1alpha1.VerbHalt); s.Phase != v1alpha1.ChangeHalted || !paused() {
		t.Fatalf("it must halt, and its Rollout start nothing: %s: %s, paused %t", s.Phase, s.Message, paused())
	}
	if got := h.get(n).GetCondition(xpv2.TypeSynced); got.Status != corev1.ConditionFalse || !strings.Contains(got.Message, "has no key token") {
		t.Errorf("the condition must say why it is not open, got %+v", got)
	}
	if s := tell(v1alpha1.VerbResume); s.Phase != v1alpha1.ChangeExecuting || paused() {
		t.Fatalf("it must go on: %s: %s, paused %t", s.Phase, s.Message, paused())
	}
	h.rollAs(v1alpha1.RolloutHalted, "eu-1 is unhealthy")
	h.settled(n)
	tell(v1alpha1.VerbRetry)
	ro := &v1alpha1.Rollout{}
	must(t, h.Get(t.Context(), client.ObjectKey{Namespace: h.ns, Name: "shop"}, ro))
	if ro.Spec.ForProvider.Control == nil || ro.Spec.ForProvider.Control.Retry == 0 {
		t.Errorf("its Rollout must be told to try again: %+v, %s", ro.Spec.ForProvider.Control, h.get(n).Status.AtProvider.Message)
	}
	h.open, h.broken = h.opened(), nil
	h.until(n, v1alpha1.ChangeCompleted, true)
}

// Who may not write to the repository commands nothing, and is told so.
func noRights(t *testing.T, hub client.Client) {
	h, n := executing(t, hub)
	h.forge.say(n, "rita", "/abandon")
	c := h.settled(n)
	if c.Status.AtProvider.Phase != v1alpha1.ChangeExecuting || len(c.Status.AtProvider.Notices) != 1 || !strings.Contains(c.Status.AtProvider.Notices[0], "/abandon of rita was refused") {
		t.Errorf("it goes on and says so: %s %v", c.Status.AtProvider.Phase, c.Status.AtProvider.Notices)
	}
	h.forge.say(n, "zoe", "/halt let me look")
	c = h.settled(n)
	if c.Status.AtProvider.Phase != v1alpha1.ChangeHalted || !strings.Contains(c.Status.AtProvider.Halt.Message, "zoe said so: let me look") {
		t.Errorf("who may write may say it: %s %+v", c.Status.AtProvider.Phase, c.Status.AtProvider.Halt)
	}
	h.forge.say(n, "zoe", "/resume")
	h.until(n, v1alpha1.ChangeCompleted, true)
}

// A token that has expired is said to be, and nothing is lost.
func tokenExpired(t *testing.T, hub client.Client) {
	h, n := started(t, hub)
	h.shown(n)
	h.forge.breaks(&forge.Error{Reason: forge.Unauthorized, Status: 401, Message: "forge refuses the token: put a new one into the Secret"})
	h.woken = true
	_ = h.once(n)
	h.woken = false
	c := h.get(n)
	if got := c.GetCondition(xpv2.TypeSynced); got.Status != corev1.ConditionFalse || !strings.Contains(got.Message, "put a new one into the Secret") {
		t.Errorf("the condition must say what to do, got %+v", got)
	}
	h.forge.breaks(nil)
	h.forge.approve(n, "ravi")
	h.pass(3 * time.Minute)
	h.until(n, v1alpha1.ChangeCompleted, true)
}

// A merge request that somebody closes while it executes goes back.
func closed(t *testing.T, hub client.Client) {
	h := newHouse(t, hub, nil)
	h.git.Commit("main", "", map[string]string{"shop.yaml": application("shop", "v1")})
	h.git.Commit("first", "main", map[string]string{"docs.yaml": application("docs", "v1")})
	n := h.change("first")
	h.shown(n)
	h.forge.approve(n, "ravi")
	h.until(n, v1alpha1.ChangeExecuting, false)
	h.settled(n)
	if h.image("docs") != "v1" {
		t.Fatalf("the claim must be there, got %q", h.image("docs"))
	}
	h.forge.edit(n, func(mr *forge.MergeRequest) { mr.State = forge.Closed })
	h.until(n, v1alpha1.ChangeAbandoned, true)
	if h.image("docs") != "" {
		t.Error("what it made must be gone")
	}
}

// Two that touch the same go one after the other, and the second is planned on what the first made.
func overlapping(t *testing.T, hub client.Client) {
	h := newHouse(t, hub, nil)
	h.git.Commit("main", "", map[string]string{"a.yaml": application("a", "v1"), "b.yaml": application("b", "v1")})
	h.git.Commit("one", "main", map[string]string{"a.yaml": application("a", "v2")})
	h.git.Commit("two", "main", map[string]string{"a.yaml": application("a", "v2"), "b.yaml": application("b", "v2")})
	one, two := h.change("one"), h.change("two")
	for _, n := range []int64{one, two} {
		h.shown(n)
		h.forge.approve(n, "ravi")
	}
	h.until(one, v1alpha1.ChangeExecuting, false)
	h.until(two, v1alpha1.ChangeQueued, false)
	c := h.settled(two)
	if c.Status.AtProvider.Queue == nil || c.Status.AtProvider.Queue.Position != 1 || c.Status.AtProvider.Queue.Behind[0] != "!1" {
		t.Errorf("it must say whom it waits for, got %+v", c.Status.AtProvider.Queue)
	}
	if h.image("b") != "" {
		t.Error("nothing of it may be written")
	}
	h.until(one, v1alpha1.ChangeCompleted, true)
	h.settled(one)
	c = h.until(two, v1alpha1.ChangeCompleted, true)
	if h.image("b") != "v2" || c.Status.AtProvider.Merged.Untrue != "" {
		t.Errorf("then it is its turn, got %q, %+v", h.image("b"), c.Status.AtProvider.Merged)
	}
}

// A Change that is deleted leaves its locks, and what runs as it is.
func leaving(t *testing.T, hub client.Client) {
	h, n := executing(t, hub)
	uid := string(h.get(n).GetUID())
	must(t, h.Delete(t.Context(), h.get(n)))
	for range 4 {
		_ = h.once(n)
	}
	if h.get(n) != nil {
		t.Error("it must be gone")
	}
	for _, q := range h.queue() {
		if q.UID == uid {
			t.Error("its locks must be free")
		}
	}
	if h.image("shop") != "v2" {
		t.Error("what runs must stay")
	}
}

// A Rollout that halts halts the change. It is tried again, or abandoned.
func failing(t *testing.T, hub client.Client) {
	h, n := executing(t, hub)
	h.rollAs(v1alpha1.RolloutHalted, "eu-1 is unhealthy")
	c := h.until(n, v1alpha1.ChangeHalted, false)
	if !strings.Contains(c.Status.AtProvider.Halt.Message, "eu-1 is unhealthy") || h.forge.request(n).State != forge.Open {
		t.Errorf("it must say why, and stay open: %+v", c.Status.AtProvider.Halt)
	}
	h.settled(n)
	if got := h.forge.status(h.forge.request(n).HeadSHA, change.ContextExecute); got.State != forge.StatusFailure {
		t.Errorf("the status must be red, got %+v", got)
	}
	h.forge.say(n, "zoe", "/retry")
	h.settled(n)
	ro := &v1alpha1.Rollout{}
	must(t, h.Get(t.Context(), client.ObjectKey{Namespace: h.ns, Name: "shop"}, ro))
	if ro.Spec.ForProvider.Control == nil || ro.Spec.ForProvider.Control.Retry == 0 {
		t.Fatalf("its Rollout must be told to try again: %+v, %s", ro.Spec.ForProvider.Control, h.get(n).Status.AtProvider.Message)
	}
	h.until(n, v1alpha1.ChangeCompleted, true)
}

// A claim that somebody edited before it was written is not written over without a word.
func editedBefore(t *testing.T, hub client.Client) {
	h, n := started(t, hub)
	h.shown(n)
	h.byHand("shop", "hotfix")
	h.forge.approve(n, "ravi")
	c := h.until(n, v1alpha1.ChangeHalted, false)
	if c.Status.AtProvider.Halt.Reason != v1alpha1.HaltEdited || h.image("shop") != "hotfix" {
		t.Fatalf("it must halt and leave the edit: %+v, %q", c.Status.AtProvider.Halt, h.image("shop"))
	}
	h.forge.say(n, "zoe", "/retry")
	h.until(n, v1alpha1.ChangeCompleted, true)
	if h.image("shop") != "v2" {
		t.Errorf("once somebody said so it is written, got %q", h.image("shop"))
	}
}

// What cannot be planned is refused, and not asked all the time.
func refusedPlan(t *testing.T, hub client.Client) {
	h, n := started(t, hub)
	h.problem = "shop.yaml, line 3: there is no such field"
	h.until(n, v1alpha1.ChangeRefused, false)
	plans := h.plans
	c := h.settled(n)
	if h.plans != plans || !strings.Contains(c.Status.AtProvider.Message, "line 3") || !strings.Contains(h.forge.ours(n), "line 3") {
		t.Errorf("planned %d times more; says %q and\n%s", h.plans-plans, c.Status.AtProvider.Message, h.forge.ours(n))
	}
	h.problem = ""
	h.git.Commit("feature", "", map[string]string{"shop.yaml": application("shop", "v3")})
	h.forge.pushed(n)
	h.shown(n)
}
