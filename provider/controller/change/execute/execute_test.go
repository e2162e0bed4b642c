package execute

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
)

// TestExecutor has a real API server judge what is written.
func TestExecutor(t *testing.T) {
	h := startHub(t)
	for name, test := range map[string]func(*testing.T, *hub){
		"Apply": applies, "TakesOver": takesOver, "Edited": edited, "Supersedes": supersedes, "Delete": deletes, "Back": goesBack,
		"Admission": admission, "Namespaces": otherNamespaces, "Fenced": fenced, "TwoExecutors": twoExecutors, "Rollouts": tellsRollouts,
		"Seal": seals, "Queue": queues, "Branch": branches, "BranchBack": branchBack, "BranchRefuses": branchRefuses, "Engines": engines, "Kustomize": kustomize,
	} {
		t.Run(name, func(t *testing.T) { test(t, h) })
	}
}

func applies(t *testing.T, hub *hub) {
	h := hub.house(t, func(p *v1alpha1.RepositoryParameters) { p.RequireChange = true })
	h.git.Commit("main", "", map[string]string{"README.md": "x\n"})
	h.git.Commit("feature", "main", map[string]string{"web.yaml": application("web", "v1")})
	in, epoch := h.change(41, "feature", "web")
	a := h.applying(in, "web", epoch)
	h.do(h.Executor, in, a)

	u := h.app("web")
	if got := digestOfLive(t, u); got != a.Digest {
		t.Errorf("it must say what was planned: want %s, got %s", a.Digest, got)
	}
	if n, e := change.ReadMark(u.GetAnnotations()[v1alpha1.AnnotationChange]); n != h.ns+"/claims-41" || e != epoch {
		t.Errorf("it must be marked with change and epoch, got %s %d", n, e)
	}
	want := &v1alpha1.ClaimGrantSpec{Claim: a.Claim, Digest: a.Digest, Required: true, Change: h.ns + "/claims-41", HeadSHA: a.Head, Epoch: epoch}
	if diff := cmp.Diff(want, h.granted("web")); diff != "" {
		t.Errorf("grant: -want, +got:\n%s", diff)
	}
	h.do(h.Executor, in, a)
	h.do(h.executor(), in, a)
	if again := h.app("web"); again.GetResourceVersion() != u.GetResourceVersion() {
		t.Error("what is there already is not written again")
	}

	// Crossplane writes its own fields, and the next change leaves them.
	h.edit("web", func(u *unstructured.Unstructured) {
		must(t, unstructured.SetNestedStringMap(u.Object, map[string]string{"apiVersion": "mainstay.dev/v1alpha1", "kind": "XProductApplication", "name": "web-abc"}, "spec", "resourceRef"))
	})
	h.git.Commit("main", "feature", nil)
	h.git.Commit("next", "main", map[string]string{"web.yaml": application("web", "v2")})
	in, _ = h.change(42, "next", "web")
	h.unlockAll()
	epoch = h.locked(in, "web")
	h.do(h.Executor, in, h.applying(in, "web", epoch))
	if ref, _, _ := unstructured.NestedString(h.app("web").Object, "spec", "resourceRef", "name"); h.image("web") != "v2" || ref != "web-abc" {
		t.Errorf("want v2 and what is Crossplane's as it was, got %q and %q", h.image("web"), ref)
	}
}

// unlockAll has all changes of the house leave, as those do that ended.
func (h *house) unlockAll() {
	h.t.Helper()
	all := &v1alpha1.ChangeList{}
	must(h.t, h.List(h.t.Context(), all, client.InNamespace(h.ns)))
	for i := range all.Items {
		h.do(h.Executor, Input{Change: &all.Items[i], Repository: h.repo, Repo: h.open}, change.Action{Verb: change.DoUnlock})
	}
}

// takesOver a claim that was made with other tools, with fields that the merge request takes away.
func takesOver(t *testing.T, hub *hub) {
	h := hub.house(t, nil)
	policy := "  policies: [{name: here, type: topology, properties: {clusters: [rack-1]}}]\n"
	h.git.Commit("main", "", map[string]string{"web.yaml": application("web", "v1", policy)})
	h.git.Commit("feature", "main", map[string]string{"web.yaml": application("web", "v2")})
	h.byHand(application("web", "v1", policy))
	h.edit("web", func(u *unstructured.Unstructured) { u.SetLabels(map[string]string{"theirs": "yes"}) })
	in, epoch := h.change(41, "feature", "web")
	a := h.applying(in, "web", epoch)
	h.do(h.Executor, in, a)
	u := h.app("web")
	if got := digestOfLive(t, u); got != a.Digest {
		t.Errorf("what the merge request takes away must go, also where another tool wrote it; got %v", u.Object["spec"])
	}
	if u.GetLabels()["theirs"] != "yes" {
		t.Error("labels of others stay")
	}
}

func edited(t *testing.T, hub *hub) {
	h := hub.house(t, nil)
	h.git.Commit("main", "", map[string]string{"web.yaml": application("web", "v1")})
	h.git.Commit("feature", "main", map[string]string{"web.yaml": application("web", "v2")})
	h.byHand(application("web", "v1"))
	in, epoch := h.change(41, "feature", "web")
	a := h.applying(in, "web", epoch)
	h.setImage("web", "mine")

	e := &EditedError{}
	if err := h.Do(t.Context(), in, a); !errors.As(err, &e) || e.By != "" || h.image("web") != "mine" || h.granted("web") != nil {
		t.Errorf("an edit is not overwritten, and nothing is granted: %v; got %s", err, h.image("web"))
	}
	h.setImage("web", "v1")
	h.do(h.Executor, in, a)
	h.setImage("web", "mine")
	if err := h.Do(t.Context(), in, a); !errors.As(err, &e) || h.image("web") != "mine" {
		t.Errorf("an edit after it was written is not overwritten: %v; got %s", err, h.image("web"))
	}
	in.Change.Status.AtProvider.Accepted = a.Claim.String() + " was changed by somebody else: /retry writes it again, or go back"
	h.do(h.Executor, in, a)
	if g := h.granted("web"); h.image("web") != "v2" || g.Before == digestOfLive(t, h.app("web")) || g.Before != a.Before {
		t.Errorf("where somebody said so it is, and the edit is never granted; got %s, %+v", h.image("web"), g)
	}
	h.setImage("web", "mine")
	h.do(h.Executor, in, h.back(in, "web", h.renewed(in)))
	if h.image("web") != "v1" {
		t.Errorf("going back overwrites what this change wrote last, got %s", h.image("web"))
	}
}

func supersedes(t *testing.T, hub *hub) {
	h := hub.house(t, nil)
	h.git.Commit("main", "", map[string]string{"web.yaml": application("web", "v1")})
	h.git.Commit("feature", "main", map[string]string{"web.yaml": application("web", "v2")})
	h.byHand(application("web", "v1"))
	in, epoch := h.change(41, "feature", "web")
	h.do(h.Executor, in, h.applying(in, "web", epoch))
	second := digestOfLive(t, h.app("web"))

	h.git.Commit("feature", "", map[string]string{"web.yaml": application("web", "v3")})
	h.planned(&in, "feature", "web")
	epoch = h.renewed(in)
	a := h.applying(in, "web", epoch)

	// A crash between the grant and the claim.
	crash := h.executor()
	crash.Hub = interceptor.NewClient(h.hub, interceptor.Funcs{
		Apply: func(context.Context, client.WithWatch, runtime.ApplyConfiguration, ...client.ApplyOption) error {
			return errors.New("crash")
		},
	})
	if err := crash.Do(t.Context(), in, a); err == nil || h.image("web") != "v2" {
		t.Fatalf("got %v, %s", err, h.image("web"))
	}
	if g := h.granted("web"); g.Digest != a.Digest || g.Before != second {
		t.Errorf("what the older push brought may be there until the newer one is: %+v", g)
	}
	h.do(h.executor(), in, a)
	if h.image("web") != "v3" {
		t.Errorf("the newer push is written over the older one, got %s", h.image("web"))
	}
	h.do(h.Executor, in, h.back(in, "web", h.renewed(in)))
	if h.image("web") != "v1" {
		t.Errorf("both go back to the base, got %s", h.image("web"))
	}
}

func deletes(t *testing.T, hub *hub) {
	h := hub.house(t, nil)
	h.git.Commit("main", "", map[string]string{"web.yaml": application("web", "v1"), "api.yaml": application("api", "v1")})
	h.git.Commit("feature", "main", map[string]string{"web.yaml": "", "api.yaml": ""})
	h.byHand(application("web", "v1"))
	h.byHand(application("api", "v1"))
	in, epoch := h.change(41, "feature", "web", "api")
	h.setImage("api", "mine")
	e := &EditedError{}
	if err := h.Do(t.Context(), in, h.applying(in, "api", epoch)); !errors.As(err, &e) || h.app("api") == nil {
		t.Errorf("what somebody edited is not deleted: %v", err)
	}
	a := h.applying(in, "web", epoch)
	h.do(h.Executor, in, a)
	h.do(h.Executor, in, a)
	if g := h.granted("web"); h.app("web") != nil || g.Digest != "" || g.Before != a.Before {
		t.Errorf("it must be gone, and its grant says so: %+v", g)
	}
	h.do(h.Executor, in, h.back(in, "web", h.renewed(in)))
	if h.image("web") != "v1" {
		t.Errorf("going back makes it again, got %q", h.image("web"))
	}

	// One that is being deleted is waited for.
	h.edit("web", func(u *unstructured.Unstructured) { u.SetFinalizers([]string{"example.org/wait"}) })
	must(t, h.Delete(t.Context(), h.app("web")))
	if err := h.Do(t.Context(), in, h.back(in, "web", h.place(in).Epoch)); err == nil || !strings.Contains(err.Error(), "being deleted") {
		t.Errorf("got %v", err)
	}
	h.edit("web", func(u *unstructured.Unstructured) { u.SetFinalizers(nil) })
}

func goesBack(t *testing.T, hub *hub) {
	h := hub.house(t, nil)
	h.git.Commit("main", "", map[string]string{"README.md": "x\n"})
	h.git.Commit("feature", "main", map[string]string{"web.yaml": application("web", "v1")})
	in, epoch := h.change(41, "feature", "web")
	h.do(h.Executor, in, h.applying(in, "web", epoch))
	epoch = h.renewed(in)
	h.do(h.Executor, in, h.back(in, "web", epoch))
	if g := h.granted("web"); h.app("web") != nil || g.Digest != "" || g.Epoch != epoch {
		t.Errorf("what was created goes: %+v", g)
	}
	h.do(h.Executor, in, change.Action{Verb: change.DoUnlock})
	if h.place(in).Asked {
		t.Error("locks must be left")
	}
}

func admission(t *testing.T, hub *hub) {
	h := hub.house(t, nil)
	h.git.Commit("main", "", map[string]string{"README.md": "x\n"})
	h.git.Commit("feature", "main", map[string]string{"web.yaml": application("web", "v1"), "bad.yaml": strings.Replace(application("bad", "v1"), "name: web, ", "", 1)})
	in, epoch := h.change(41, "feature", "web")
	a := h.applying(in, "web", epoch)
	a.Digest = strings.Repeat("a", 64)
	e := &AdmittedError{}
	if err := h.Do(t.Context(), in, a); !errors.As(err, &e) || h.app("web") != nil {
		t.Errorf("what is not what was planned is not written: %v", err)
	}
	h.byHand(application("web", "v0"))
	a.Before = digestOfLive(t, h.app("web"))
	if err := h.Do(t.Context(), in, a); !errors.As(err, &e) || h.image("web") != "v0" {
		t.Errorf("also where it is there already: %v", err)
	}
	a.Claim = h.ref("bad")
	a.Before = ""
	if err := h.Do(t.Context(), in, a); err == nil || !strings.Contains(err.Error(), "spec.components") {
		t.Errorf("what the API server refuses is told: %v", err)
	}
}

func otherNamespaces(t *testing.T, hub *hub) {
	h := hub.house(t, func(p *v1alpha1.RepositoryParameters) { p.TargetNamespaces = []string{"elsewhere"} })
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "elsewhere"}}
	must(t, h.Create(t.Context(), ns))
	h.git.Commit("main", "", map[string]string{"README.md": "x\n"})
	h.git.Commit("feature", "main", map[string]string{"web.yaml": strings.Replace(application("web", "v1"), "{name: web}", "{name: web, namespace: elsewhere}", 1)})
	in, _ := h.change(41, "feature")
	epoch := h.locked(in, "web")
	own := h.ns
	h.ns = "elsewhere"
	ref := h.ref("web")
	h.ns = own
	p := in.Change.Status.AtProvider.Plan
	in.Change.Status.AtProvider.Claims = []v1alpha1.ChangeClaim{{ClaimReference: ref, Digest: h.says(in, p.BaseSHA, p.HeadSHA, ref)}}
	a := h.applying(in, "web", epoch)
	if err := h.Do(t.Context(), in, a); err == nil || !strings.Contains(err.Error(), "takes no claims of Repository") {
		t.Errorf("a namespace has to agree: %v", err)
	}
	ns.Annotations = map[string]string{v1alpha1.AnnotationRepositories: own + "/claims"}
	must(t, h.Update(t.Context(), ns))
	h.do(h.Executor, in, a)
}

// fenced are all that write, once the locks have another epoch.
func fenced(t *testing.T, hub *hub) {
	h := hub.house(t, func(p *v1alpha1.RepositoryParameters) {
		p.Delivery = v1alpha1.Delivery{Mode: v1alpha1.DeliverBranch, Branch: &v1alpha1.DeliveryBranch{Name: "fleet"}}
	})
	h.git.Commit("main", "", map[string]string{"web.yaml": application("web", "v1")})
	h.git.Commit("feature", "main", map[string]string{"web.yaml": application("web", "v2")})
	h.byHand(application("web", "v1"))
	ro := h.rollout("web")
	in, old := h.change(41, "feature", "web")
	h.do(h.Executor, in, h.applying(in, "web", old))
	h.setImage("web", "v1")
	epoch := h.renewed(in)

	state := func() []string {
		must(t, h.Get(t.Context(), client.ObjectKeyFromObject(ro), ro))
		g, err := h.grantOf(t.Context(), h.ref("web"))
		must(t, err)
		return []string{h.app("web").GetResourceVersion(), g.ResourceVersion, ro.ResourceVersion, h.git.At("refs/heads/fleet")}
	}
	before := state()
	for _, verb := range []change.Verb{change.DoApply, change.DoBranch, change.DoSeal, change.DoPause, change.DoRetry, change.DoAllow, change.DoMerge} {
		for _, stale := range []int64{old, 0, epoch + 1} {
			a := h.applying(in, "web", stale)
			a.Verb, a.Count, a.Claims = verb, 9, in.Change.Status.AtProvider.Claims
			if err := h.Do(t.Context(), in, a); !errors.Is(err, ErrFenced) {
				t.Errorf("%s in epoch %d, of which the locks are not, must be fenced: %v", verb, stale, err)
			}
		}
	}
	h.do(h.Executor, in, change.Action{Verb: change.DoUnlock})
	for _, verb := range []change.Verb{change.DoApply, change.DoPause, change.DoMerge} {
		a := h.applying(in, "web", epoch)
		a.Verb = verb
		if err := h.Do(t.Context(), in, a); !errors.Is(err, ErrFenced) {
			t.Errorf("%s without locks must be fenced: %v", verb, err)
		}
	}
	if diff := cmp.Diff(before, state()); diff != "" {
		t.Errorf("nothing may be written: -want, +got:\n%s", diff)
	}
	gone := h.executor()
	gone.Live = broken{h.hub}
	if err := gone.Do(t.Context(), in, h.applying(in, "web", epoch)); err == nil || !strings.Contains(err.Error(), "cannot read the queue") {
		t.Errorf("a queue that cannot be read lets nothing be written: %v", err)
	}
}

// broken cannot read the queue.
type broken struct{ client.Reader }

func (b broken) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if _, ok := o.(*v1alpha1.ChangeQueue); ok {
		return errors.New("down")
	}
	return b.Reader.Get(ctx, key, o, opts...)
}

// twoExecutors: one sleeps between the queue and the write, at each write that it makes, while the other
// takes over and is done.
func twoExecutors(t *testing.T, hub *hub) {
	for name, sleepsAt := range map[string]int{"BeforeTheGrant": 1, "BeforeTheTrial": 2, "BeforeTheClaim": 3} {
		t.Run(name, func(t *testing.T) {
			h := hub.house(t, nil)
			h.git.Commit("main", "", map[string]string{"web.yaml": application("web", "v1")})
			h.git.Commit("feature", "main", map[string]string{"web.yaml": application("web", "v2")})
			h.byHand(application("web", "v1"))
			in, epoch := h.change(41, "feature", "web")
			late := h.applying(in, "web", epoch)

			writes := 0
			wakes := func() {
				if writes++; writes == sleepsAt {
					h.do(h.executor(), in, h.back(in, "web", h.renewed(in)))
				}
			}
			slow := h.executor()
			slow.Hub = interceptor.NewClient(h.hub, interceptor.Funcs{
				Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
					wakes()
					return c.Create(ctx, o, opts...)
				},
				Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
					wakes()
					return c.Apply(ctx, o, opts...)
				},
			})
			if err := slow.Do(t.Context(), in, late); !errors.Is(err, ErrFenced) {
				t.Errorf("one that slept must be fenced: %v", err)
			}
			if g := h.granted("web"); h.image("web") != "v1" || g.Epoch != h.place(in).Epoch || writes < sleepsAt {
				t.Errorf("the one that is late must write nothing: %s, %+v, %d writes", h.image("web"), g, writes)
			}
		})
	}
}

// rollout of an application, with a revision.
func (h *house) rollout(name string) *v1alpha1.Rollout {
	h.t.Helper()
	ro := &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: h.ns, Name: name}}
	ro.Spec.ForProvider.Application = name
	must(h.t, h.Create(h.t.Context(), ro))
	ro.Status.AtProvider.Digest = "revision-1"
	must(h.t, h.Status().Update(h.t.Context(), ro))
	return ro
}

func tellsRollouts(t *testing.T, hub *hub) {
	h := hub.house(t, nil)
	h.git.Commit("main", "", map[string]string{"web.yaml": application("web", "v1")})
	h.git.Commit("feature", "main", map[string]string{"web.yaml": application("web", "v2")})
	in, epoch := h.change(41, "feature", "web")
	a := h.applying(in, "web", epoch)
	told := func(verb change.Verb, count int64) *v1alpha1.RolloutControl {
		t.Helper()
		a := a
		a.Verb, a.Count = verb, count
		h.do(h.Executor, in, a)
		h.do(h.Executor, in, a)
		ro := &v1alpha1.Rollout{}
		must(t, client.IgnoreNotFound(h.Get(t.Context(), types.NamespacedName{Namespace: h.ns, Name: "web"}, ro)))
		return ro.Spec.ForProvider.Control
	}
	if got := told(change.DoPause, 0); got != nil {
		t.Errorf("one that is not there has nothing to be told: %+v", got)
	}
	ro := h.rollout("web")
	ro.Spec.ForProvider.Control = &v1alpha1.RolloutControl{Abort: "revision-1", Rollback: "revision-0", Approvals: []v1alpha1.Approval{{Gate: "all/go", Digest: "revision-1", By: "ann"}}}
	must(t, h.Update(t.Context(), ro))
	want := *ro.Spec.ForProvider.Control
	check := func(what string, got *v1alpha1.RolloutControl) {
		t.Helper()
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s: -want, +got:\n%s", what, diff)
		}
	}
	want.Paused = true
	check("paused", told(change.DoPause, 0))
	want.Paused = false
	check("unpaused", told(change.DoUnpause, 0))
	want.Retry, want.Abort = 7001, ""
	check("retried", told(change.DoRetry, 7001))
	check("retried with an older count", told(change.DoRetry, 6001))
	want.AllowDeletions = "revision-1"
	check("allowed", told(change.DoAllow, 0))

	must(t, h.Get(t.Context(), client.ObjectKeyFromObject(ro), ro))
	ro.Spec.ForProvider.ClaimDigest = strings.Repeat("f", 64)
	ro.Spec.ForProvider.Control.AllowDeletions = ""
	must(t, h.Update(t.Context(), ro))
	a.Verb = change.DoAllow
	if err := h.Do(t.Context(), in, a); err == nil || !strings.Contains(err.Error(), "not of what was planned") {
		t.Errorf("what was not planned is not allowed to take anything away: %v", err)
	}
}

func seals(t *testing.T, hub *hub) {
	h := hub.house(t, nil)
	h.git.Commit("main", "", map[string]string{"web.yaml": application("web", "v1")})
	h.git.Commit("feature", "main", map[string]string{"web.yaml": application("web", "v2")})
	h.byHand(application("web", "v1"))
	in, epoch := h.change(41, "feature", "web")
	a := h.applying(in, "web", epoch)
	h.do(h.Executor, in, a)
	if h.granted("web").Before != a.Before {
		t.Fatalf("got %+v", h.granted("web"))
	}
	a.Verb = change.DoSeal
	h.do(h.Executor, in, a)
	h.do(h.Executor, in, a)
	if g := h.granted("web"); g.Before != "" || g.Digest != a.Digest || g.Epoch != epoch {
		t.Errorf("what was before is over: %+v", g)
	}
	h.do(h.Executor, in, change.Action{Verb: change.DoUnlock})

	// A later change took the claim over: its grant is left to it.
	h.git.Commit("main", "feature", nil)
	h.git.Commit("next", "main", map[string]string{"web.yaml": application("web", "v3")})
	later, e := h.change(42, "next", "web")
	h.do(h.Executor, later, h.applying(later, "web", e))
	before := h.granted("web")
	h.do(h.Executor, in, a)
	if diff := cmp.Diff(before, h.granted("web")); diff != "" {
		t.Errorf("a later change's grant is left alone: %s", diff)
	}
}

// queues has fifty changes of two providers ask at once.
func queues(t *testing.T, hub *hub) {
	h := hub.house(t, nil)
	others := []*Executor{h.Executor, h.executor()}
	const n = 50
	ins := make([]Input, n)
	for i := range ins {
		ins[i] = h.made(int64(i + 1))
	}
	begin := time.Now()
	each := func(do func(e *Executor, i int) change.Action) {
		var wg sync.WaitGroup
		for i := range ins {
			wg.Go(func() {
				e := others[i%2]
				if err := e.Do(t.Context(), ins[i], do(e, i)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	// Every fifth wants what the first wants; all others are disjoint.
	each(func(_ *Executor, i int) change.Action {
		name := fmt.Sprintf("app-%d", i)
		if i%5 == 0 {
			name = "app-0"
		}
		return change.Action{Verb: change.DoLock, Lock: &lock.Request{Limit: 100, Wants: lock.Keys([]lock.Target{{Claim: h.ref(name)}})}}
	})
	t.Logf("%d asks in %s", n, time.Since(begin).Round(time.Millisecond))
	q, err := Queue(t.Context(), h.hub)
	must(t, err)
	held, epochs := 0, map[int64]bool{}
	for _, in := range ins {
		if p := h.place(in); p.Held {
			held++
			if epochs[p.Epoch] {
				t.Errorf("epoch %d was given twice", p.Epoch)
			}
			epochs[p.Epoch] = true
		}
	}
	if held != n-n/5+1 {
		t.Errorf("all have their locks but those that wait for one: want %d, got %d", n-n/5+1, held)
	}
	for _, c := range q.Changes {
		if strings.HasPrefix(c.Change, h.ns+"/") && (c.Group != h.ns+"/claims" || !strings.HasPrefix(c.Label, "!")) {
			t.Errorf("got group %q and label %q", c.Group, c.Label)
		}
	}
	for range n/5 + 1 {
		each(func(_ *Executor, i int) change.Action {
			if h.place(ins[i]).Held {
				return change.Action{Verb: change.DoUnlock}
			}
			return change.Action{Verb: change.DoLock, Lock: &lock.Request{Limit: 100, Keep: true}}
		})
		if t.Failed() {
			return
		}
		some := false
		for _, in := range ins {
			some = some || h.place(in).Held
		}
		if !some {
			break
		}
	}
	q, err = Queue(t.Context(), h.hub)
	must(t, err)
	for _, c := range q.Changes {
		if strings.HasPrefix(c.Change, h.ns+"/") && len(c.Has) > 0 {
			t.Errorf("no lock may be leaked: %+v", c)
		}
	}
}
