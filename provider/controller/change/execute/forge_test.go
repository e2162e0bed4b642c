package execute

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/forge/forgetest"
	"github.com/mainstay-dev/mainstay/provider/forge/forgetest/contract"
	"github.com/mainstay-dev/mainstay/provider/forge/github"
	"github.com/mainstay-dev/mainstay/provider/git/gittest"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

// A counted forge counts what is written to it.
type counted struct {
	forge.Forge

	statuses int
}

func (c *counted) SetStatus(ctx context.Context, sha string, s forge.Status) error {
	c.statuses++
	return c.Forge.SetStatus(ctx, sha, s)
}

// A request is a merge request on a forge, with a change that has its locks in epoch 1.
type request struct {
	*Executor

	t     *testing.T
	world *contract.World
	forge *counted
	head  string
	in    Input
}

func newRequest(t *testing.T) *request {
	t.Helper()
	w := contract.NewGitHub(t, github.Driver())
	f, err := w.Driver().New(w.Config(forgetest.Bot))
	must(t, err)
	r := &request{t: t, world: w, forge: &counted{Forge: f}}
	r.head = w.Push(t, forgetest.Push{Branch: "feature", Files: map[string]string{"claims/orders.yaml": "kind: ProductApplication\nspec: {}\n"}})
	number := w.Propose(t, forgetest.Proposal{Title: "More orders", Head: "feature"})
	c := &v1alpha1.Change{ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: "claims-1", UID: "uid-1"}}
	c.Spec.ForProvider.Number = number
	c.Status.AtProvider.Plan = &v1alpha1.ChangePlan{Name: "plan-1", Digest: strings.Repeat("d", 64), HeadSHA: r.head}
	repository := &v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: "claims"}}
	r.in = Input{Change: c, Repository: repository, Repo: &repo.Repo{Forge: r.forge}}

	s := runtime.NewScheme()
	must(t, v1alpha1.AddToScheme(s))
	hub := fake.NewClientBuilder().WithScheme(s).Build()
	r.Executor = executorOn(hub)
	must(t, r.Do(t.Context(), r.in, change.Action{Verb: change.DoLock, Lock: &lock.Request{Wants: []v1alpha1.LockKey{{Namespace: "ops"}}}}))
	return r
}

func executorOn(hub client.Client) *Executor {
	return &Executor{
		Hub: hub, Live: hub, Log: logging.NewNopLogger(), Now: time.Now,
		Page: func(_ context.Context, _ Input, plan string) (string, error) {
			if plan != "plan-1" {
				return "", errors.New("there is no such plan")
			}
			return "### Plan\n\nall of it\n", nil
		},
	}
}

func (r *request) merging() change.Action {
	return change.Action{Verb: change.DoMerge, Epoch: 1, Head: r.head, Message: "More orders\n\nMainstay-Audit: 3:abc\n"}
}

func TestStatus(t *testing.T) {
	r := newRequest(t)
	post := func(s change.Status) {
		t.Helper()
		must(t, r.Do(t.Context(), r.in, change.Action{Verb: change.DoStatus, Head: r.head, Context: change.ContextExecute, Status: s}))
	}
	post(change.Status{State: change.StatusPending, Description: "executing"})
	post(change.Status{State: change.StatusPending, Description: "executing"})
	r.Executor = executorOn(r.Hub)
	post(change.Status{State: change.StatusPending, Description: "executing"})
	post(change.Status{State: change.StatusSuccess, Description: "verified on\n all  clusters"})
	post(change.Status{State: change.StatusSuccess, Description: "verified on\n all  clusters"})
	if r.forge.statuses != 2 {
		t.Errorf("a status is posted where it is another, and only then: %d times", r.forge.statuses)
	}
	got, err := r.forge.Statuses(t.Context(), r.head)
	must(t, err)
	if len(got) != 1 || got[0].State != forge.StatusSuccess {
		t.Errorf("got %+v", got)
	}
}

func TestComment(t *testing.T) {
	r := newRequest(t)
	number := r.in.Change.Spec.ForProvider.Number
	progress := "### Planned\n"
	say := func() error {
		return r.Do(t.Context(), r.in, change.Action{Verb: change.DoComment, Head: r.head, Digest: r.in.Change.Status.AtProvider.Plan.Digest, Progress: progress})
	}
	comments := func() []forge.Comment {
		t.Helper()
		out, err := r.forge.Comments(t.Context(), number, time.Time{})
		must(t, err)
		return out
	}
	must(t, say())
	must(t, say())
	progress = "### Executing\n"
	must(t, say())
	r.Executor = executorOn(r.Hub)
	progress = "### Completed\n"
	must(t, say())
	got := comments()
	if len(got) != 1 || !strings.Contains(got[0].Body, "### Completed") || !strings.Contains(got[0].Body, "all of it") {
		t.Fatalf("there is one comment, edited in place, also after a restart: %+v", got)
	}
	want := change.Shown{Head: r.head, Digest: strings.Repeat("d", 64), Progress: change.Fingerprint(progress)}
	if s := change.ReadShown(got[0].Body, time.Time{}); s != want {
		t.Errorf("it must say what it shows: want %+v, got %+v", want, s)
	}

	r.world.Unsay(t, number, got[0].ID)
	must(t, say())
	if len(comments()) != 1 {
		t.Error("one that somebody deleted is written again")
	}

	r.in.Change.Status.AtProvider.Plan.Name = "gone"
	progress = "### Halted\n"
	if err := say(); err == nil || !strings.Contains(err.Error(), "there is no such plan") {
		t.Errorf("a plan that cannot be shown is an error: %v", err)
	}
	got = comments()
	if s := change.ReadShown(got[0].Body, time.Time{}); len(got) != 1 || s.Digest != "" || !strings.Contains(got[0].Body, "### Halted") {
		t.Errorf("how far it is is told all the same, and nobody can approve what is not shown: %+v", got)
	}
}

func TestMerge(t *testing.T) {
	cases := map[string]struct {
		reason  string
		before  func(*request)
		refused string
	}{
		"Merged": {reason: "The head that was executed is merged.", before: func(*request) {}},
		"Moved": {reason: "Another head is not.", refused: "Head branch was modified", before: func(r *request) {
			r.world.Push(r.t, forgetest.Push{Branch: "feature", Files: map[string]string{"x": "y"}})
		}},
		"Conflict": {reason: "A conflict is refused.", refused: "merge", before: func(r *request) {
			r.world.Push(r.t, forgetest.Push{Branch: forgetest.Base, Files: map[string]string{"claims/orders.yaml": "kind: other\n"}})
		}},
		"Draft": {reason: "A draft is refused.", refused: "raft", before: func(r *request) { r.world.SetDraft(r.t, r.in.Change.Spec.ForProvider.Number, true) }},
		"Again": {reason: "What was merged before a crash is merged.", before: func(r *request) { must(r.t, r.Do(r.t.Context(), r.in, r.merging())) }},
		"Closed": {reason: "A closed one is refused.", refused: "merge", before: func(r *request) {
			must(r.t, r.Do(r.t.Context(), r.in, change.Action{Verb: change.DoClose}))
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRequest(t)
			tc.before(r)
			err := r.Do(t.Context(), r.in, r.merging())
			e := &RefusedError{}
			if errors.As(err, &e) != (tc.refused != "") || err != nil && !strings.Contains(e.Reason, tc.refused) {
				t.Errorf("%s\nwant to be refused with %q, got %v", tc.reason, tc.refused, err)
			}
			q, err := r.forge.MergeRequest(t.Context(), r.in.Change.Spec.ForProvider.Number)
			must(t, err)
			if (q.State == forge.Merged) != (tc.refused == "") {
				t.Errorf("%s\nit is %s", tc.reason, q.State)
			}
		})
	}
}

func TestClose(t *testing.T) {
	r := newRequest(t)
	a := change.Action{Verb: change.DoClose, Message: "Mainstay-Audit: 3:abc"}
	must(t, r.Do(t.Context(), r.in, a))
	must(t, r.Do(t.Context(), r.in, a))
	said, err := r.forge.Comments(t.Context(), r.in.Change.Spec.ForProvider.Number, time.Time{})
	must(t, err)
	q, err := r.forge.MergeRequest(t.Context(), r.in.Change.Spec.ForProvider.Number)
	must(t, err)
	if q.State != forge.Closed || len(said) != 1 || !strings.Contains(said[0].Body, "Mainstay-Audit: 3:abc") {
		t.Errorf("it is closed, and the audit trail is anchored once: %s, %+v", q.State, said)
	}
	must(t, r.forge.Reopen(t.Context(), r.in.Change.Spec.ForProvider.Number))
	must(t, r.Do(t.Context(), r.in, change.Action{Verb: change.DoComment, Progress: "### Planned\n"}))
	if said, err = r.forge.Comments(t.Context(), r.in.Change.Spec.ForProvider.Number, time.Time{}); err != nil || len(said) != 2 {
		t.Errorf("the two comments are not one: %v, %+v", err, said)
	}
}

// TestDeleteBranch deletes the branch of what is merged, at the head that was merged, and no other.
func TestDeleteBranch(t *testing.T) {
	r := newRequest(t)
	g := gittest.New(t)
	g.Commit("main", "", map[string]string{"a": "1"})
	head := g.Commit("feature", "main", map[string]string{"a": "2"})
	r.in.Repo.Mirror = g.Mirror()
	r.in.Repository.Spec.ForProvider.BaseBranch = "main"
	must(t, deleteBranch(t.Context(), r.in, head))
	if g.At("refs/heads/feature") != head {
		t.Error("one that is open keeps its branch")
	}
	must(t, r.Do(t.Context(), r.in, r.merging()))
	later := g.Commit("feature", "", map[string]string{"a": "3"})
	if err := deleteBranch(t.Context(), r.in, head); err == nil || g.At("refs/heads/feature") != later {
		t.Errorf("what was pushed since stays: %v", err)
	}
	must(t, deleteBranch(t.Context(), r.in, later))
	if g.At("refs/heads/feature") != "" {
		t.Error("it must be gone")
	}
}

// TestLooks shares looks, but none that began before it was asked for.
func TestLooks(t *testing.T) {
	s := runtime.NewScheme()
	must(t, v1alpha1.AddToScheme(s))
	began, goOn := make(chan struct{}, 100), make(chan struct{}, 100)
	hub := fake.NewClientBuilder().WithScheme(s).WithObjects(&v1alpha1.ChangeQueue{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ChangeQueueName}}).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			err := c.Get(ctx, key, o, opts...)
			began <- struct{}{}
			<-goOn
			return err
		},
	}).Build()
	l := &looks{}
	epochs := make(chan int64, 3)
	ask := func() {
		q, err := l.look(t.Context(), hub)
		if err != nil {
			t.Error(err)
		}
		epochs <- q.Epoch
	}
	go ask()
	<-began
	// The first look has read the old epoch by now, and is slow to answer.
	q := &v1alpha1.ChangeQueue{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ChangeQueueName}}
	must(t, hub.Patch(t.Context(), q, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"epoch":7}}`))))
	go ask()
	go ask()
	goOn <- struct{}{}
	if e := <-epochs; e != 0 {
		t.Errorf("the first one has what was there when it asked, got epoch %d", e)
	}
	goOn <- struct{}{}
	goOn <- struct{}{}
	for range 2 {
		if e := <-epochs; e != 7 {
			t.Errorf("who asked later must have what is there since, got epoch %d", e)
		}
	}
}
