package repository

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/forge/forgetest"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

// A world is the Reconciler between a hub that is a fake and a site, with a clock that stands.
type world struct {
	*site

	hub   client.WithWatch
	clock *testingclock.FakePassiveClock
	pool  *repo.Pool
	r     *Reconciler
}

func newWorld(t *testing.T, change ...func(*v1alpha1.Repository)) *world {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{site: newSite(t), clock: testingclock.NewFakePassiveClock(time.Now().Truncate(time.Second))}
	objects := w.repository("claims")
	for _, o := range objects {
		if r, ok := o.(*v1alpha1.Repository); ok {
			r.SetUID("uid-1")
			r.SetGeneration(1)
			for _, c := range change {
				c(r)
			}
		}
	}
	w.hub = fake.NewClientBuilder().WithScheme(s).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.Repository{}, &v1alpha1.Change{}).
		WithIndex(&v1alpha1.Change{}, indexRepository, repositoryKeys).Build()
	w.restart()
	return w
}

// restart the provider: it forgets everything but what is on disk.
func (w *world) restart() {
	w.pool = repo.NewPool(w.hub, w.t.TempDir(), w.clock.Now)
	w.r = NewReconciler(w.hub, w.hub, w.pool, w.clock.Now)
}

func (w *world) pass(d time.Duration) { w.clock.SetTime(w.clock.Now().Add(d)) }

// reconcile once, and return what is reported and when it wants to be reconciled again. The
// Repository is nil once it is gone.
func (w *world) reconcile() (*v1alpha1.Repository, time.Duration) {
	w.t.Helper()
	key := client.ObjectKey{Namespace: namespace, Name: "claims"}
	result, err := w.r.Reconcile(w.t.Context(), reconcile.Request{NamespacedName: key})
	if err != nil {
		w.t.Fatalf("Reconcile(...): %v", err)
	}
	out := &v1alpha1.Repository{}
	if err := w.hub.Get(w.t.Context(), key, out); kerrors.IsNotFound(err) {
		return nil, 0
	} else if err != nil {
		w.t.Fatal(err)
	}
	return out, result.RequeueAfter
}

// woken are the Changes that were woken since this was called last.
func (w *world) woken() []string {
	var out []string
	for len(w.pool.Changes()) > 0 {
		out = append(out, (<-w.pool.Changes()).Object.GetName())
	}
	return out
}

func (w *world) changes() []string {
	w.t.Helper()
	l := &v1alpha1.ChangeList{}
	if err := w.hub.List(w.t.Context(), l, client.InNamespace(namespace)); err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, c := range l.Items {
		out = append(out, c.GetName())
	}
	return out
}

// report what a Change does.
func (w *world) report(name string, at v1alpha1.ChangeObservation) {
	w.t.Helper()
	c := &v1alpha1.Change{}
	if err := w.hub.Get(w.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, c); err != nil {
		w.t.Fatal(err)
	}
	c.Status.AtProvider = at
	if err := w.hub.Status().Update(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
}

// expect a condition Ready with a reason, and a message.
func expect(t *testing.T, r *v1alpha1.Repository, reason, message string) {
	t.Helper()
	ready, synced := r.GetCondition(xpv2.TypeReady), r.GetCondition(xpv2.TypeSynced)
	if string(ready.Reason) != reason || !strings.Contains(r.Status.AtProvider.Message, message) {
		t.Errorf("want reason %q and message %q, got %q and %q", reason, message, ready.Reason, r.Status.AtProvider.Message)
	}
	if (synced.Status == "True") != (ready.Status == "True") {
		t.Errorf("what the forge refuses is not synced: got %q with %q", synced.Status, ready.Reason)
	}
}

func TestLife(t *testing.T) {
	w := newWorld(t)
	first := w.propose("first")
	r, again := w.reconcile()
	expect(t, r, "Available", "0 open")
	if again != time.Minute {
		t.Errorf("a forge that answers is asked each minute: got %s", again)
	}
	if !meta.FinalizerExists(r, "finalizer.managedresource.crossplane.io") {
		t.Error("a Repository has a finalizer")
	}
	at := r.Status.AtProvider
	if at.User != forgetest.Bot || !at.Protected || at.BaseSHA != w.git(w.clone, "rev-parse", "HEAD") || at.Polled == nil {
		t.Errorf("user, protection and base are known: got %+v", at)
	}
	if diff := cmp.Diff([]string{"claims-1"}, w.changes()); diff != "" {
		t.Fatalf("each merge request has a Change: -want, +got:\n%s", diff)
	}
	c := &v1alpha1.Change{}
	if err := w.hub.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "claims-1"}, c); err != nil {
		t.Fatal(err)
	}
	if p := c.Spec.ForProvider; p.Number != first || p.RepositoryRef.Name != "claims" || !metav1.IsControlledBy(c, r) || c.GetLabels()[v1alpha1.LabelRepository] != "claims" {
		t.Errorf("a Change names its merge request, and is of its Repository: got %+v", c)
	}

	// Nothing is asked before its time, whatever happens on the hub.
	w.woken()
	before := w.requests.Load()
	w.report("claims-1", v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeQueued})
	r, _ = w.reconcile()
	expect(t, r, "Available", "1 open, 1 queued, 0 executing, 0 halted")
	if got := w.requests.Load(); got != before {
		t.Errorf("Changes are counted without the forge: %d requests", got-before)
	}

	// A quiet poll is one request, and wakes nobody.
	w.pass(time.Minute)
	w.reconcile()
	if got := w.requests.Load() - before; got != 1 || len(w.woken()) != 0 {
		t.Errorf("a poll at which nothing happened is one request: got %d", got)
	}

	// A webhook is a hint to look soon. What it is about is read from the list.
	w.Push(t, forgetest.Push{Branch: "first", Files: map[string]string{"claims/first.yaml": "kind: ClusterFleet\n"}})
	w.pool.WakeRepository(client.ObjectKeyFromObject(r))
	if _, again = w.reconcile(); again != 2*time.Second {
		t.Errorf("webhooks that come one after the other are one look: got %s", again)
	}
	w.pass(2 * time.Second)
	w.reconcile()
	if diff := cmp.Diff([]string{"claims-1"}, w.woken()); diff != "" {
		t.Errorf("a push wakes: -want, +got:\n%s", diff)
	}

	// The base moves, and one more comes.
	w.propose("second")
	base := w.advance()
	w.pass(time.Minute)
	r, _ = w.reconcile()
	if r.Status.AtProvider.BaseSHA != base {
		t.Errorf("BaseSHA: want %s, got %s", base, r.Status.AtProvider.BaseSHA)
	}
	if diff := cmp.Diff([]string{"claims-1"}, w.woken()); diff != "" {
		t.Errorf("a base that moved wakes: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"claims-1", "claims-2"}, w.changes()); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}

	// Closed: the Change is told, and not removed before its time.
	forge := w.open(r)
	if err := forge.Forge.Close(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	w.reconcile()
	if diff := cmp.Diff([]string{"claims-1"}, w.woken()); diff != "" {
		t.Errorf("one that vanished wakes: -want, +got:\n%s", diff)
	}
	ended := metav1.NewTime(w.clock.Now())
	w.report("claims-1", v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeAbandoned, Timeline: []v1alpha1.ChangeMoment{{Phase: v1alpha1.ChangeAbandoned, At: ended}}})
	w.pass(29 * 24 * time.Hour)
	w.reconcile()
	if got := len(w.changes()); got != 2 {
		t.Errorf("a Change that ended is kept for a while: got %d", got)
	}
	w.pass(2 * 24 * time.Hour)
	w.reconcile()
	if diff := cmp.Diff([]string{"claims-2"}, w.changes()); diff != "" {
		t.Errorf("and then goes: -want, +got:\n%s", diff)
	}
}

func (w *world) open(r *v1alpha1.Repository) *repo.Repo {
	w.t.Helper()
	out, err := w.pool.Open(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// TestForgeFails lets the forge fail in every way, each of which has its reason, takes nothing
// away and mends itself.
func TestForgeFails(t *testing.T) {
	cases := map[string]struct {
		reason string
		fails  func(*world)
		mend   func(*world)
		ready  string
		says   string
		first  time.Duration
	}{
		"Down": {
			reason: "A forge that is down may come back at any time.",
			fails:  func(w *world) { w.answer(http.StatusServiceUnavailable) },
			ready:  "ForgeUnreachable", says: "until it is back nothing begins and nothing is merged (since ", first: 5 * time.Second,
		},
		"Limited": {
			reason: "One that says for how long is left alone for so long.",
			fails:  func(w *world) { w.answer(http.StatusTooManyRequests, "Retry-After", "1200") },
			ready:  "RateLimited", says: "left alone until ", first: 20 * time.Minute,
		},
		"Gone": {
			reason: "A repository that vanished may come back.",
			fails:  func(w *world) { w.answer(http.StatusNotFound) },
			ready:  "RepositoryGone", says: "there is no repository at http://127.0.0.1", first: 5 * time.Second,
		},
		"TokenExpired": {
			reason: "A token that expired is found out by its Secret being mended, soon.",
			fails:  func(w *world) { w.answer(http.StatusUnauthorized) },
			ready:  "TokenRefused", says: `put a valid one into key "token" of Secret "forge"`, first: 5 * time.Second,
		},
		"Forbidden": {
			reason: "A token that may not is not one that expired.",
			fails:  func(w *world) { w.answer(http.StatusForbidden) },
			ready:  "TokenForbidden", says: "may not do what is needed", first: 5 * time.Second,
		},
		"SecretGone": {
			reason: "A Secret that is gone is asked for, not the forge.",
			fails: func(w *world) {
				if err := w.hub.Delete(w.t.Context(), w.secret(forgetest.Bot)); err != nil {
					w.t.Fatal(err)
				}
			},
			mend: func(w *world) {
				if err := w.hub.Create(w.t.Context(), w.secret(forgetest.Bot)); err != nil {
					w.t.Fatal(err)
				}
			},
			ready: "CredentialsMissing", says: `there is no Secret "forge"`, first: 5 * time.Second,
		},
		"NoBase": {
			reason: "A base branch that was deleted is named.",
			fails:  func(w *world) { w.git(w.bare, "update-ref", "-d", "refs/heads/main") },
			mend:   func(w *world) { w.advance() },
			ready:  "BaseBranchMissing", says: `branch "main" is not in the repository`, first: 5 * time.Second,
		},
		"Nonsense": {
			reason: "What is no forge's answer is none.",
			fails: func(w *world) {
				w.breaks.Store(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<html>Log in</html>")) }))
			},
			ready: "ForgeUnreachable", says: "forge does not answer as it should", first: 5 * time.Second,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.propose("first")
			r, _ := w.reconcile()
			known := r.Status.AtProvider
			w.report("claims-1", v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeExecuting})
			w.woken()

			tc.fails(w)
			w.pass(time.Minute)
			since := w.clock.Now()
			r, again := w.reconcile()
			expect(t, r, tc.ready, tc.says)
			if again != tc.first {
				t.Errorf("\n%s\nlooked at again after %s, want %s", tc.reason, again, tc.first)
			}
			// An hour goes by.
			looks := 0
			for end := since.Add(time.Hour); w.clock.Now().Before(end); looks++ {
				r, again = w.reconcile()
				w.pass(again)
			}
			expect(t, r, tc.ready, tc.says)
			at := r.Status.AtProvider
			if at.UnreachableSince == nil || !at.UnreachableSince.Time.Equal(since) || at.BaseSHA != known.BaseSHA || at.User != known.User {
				t.Errorf("\n%s\nwhat was known last is kept, with since when: got %+v", tc.reason, at)
			}
			if diff := cmp.Diff([]string{"claims-1"}, w.changes()); diff != "" {
				t.Errorf("\n%s\nnothing is lost: -want, +got:\n%s", tc.reason, diff)
			}

			w.woken()
			w.mend()
			if tc.mend != nil {
				tc.mend(w)
			}
			w.pass(5 * time.Minute)
			r, _ = w.reconcile()
			expect(t, r, "Available", "1 executing")
			if r.Status.AtProvider.UnreachableSince != nil {
				t.Errorf("\n%s\nit is back: got %v", tc.reason, r.Status.AtProvider.UnreachableSince)
			}
			if diff := cmp.Diff([]string{"claims-1"}, w.woken()); diff != "" {
				t.Errorf("\n%s\nwho waited is woken: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestTokenReplaced(t *testing.T) {
	w := newWorld(t)
	w.reconcile()
	bad := w.secret(forgetest.Bot)
	bad.Data["token"] = []byte("expired")
	if err := w.hub.Update(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	// However long it was refused.
	for range 20 {
		w.pass(10 * time.Minute)
		r, again := w.reconcile()
		expect(t, r, "TokenRefused", "put a valid one")
		if again > tokenPoll {
			t.Fatalf("a Secret that has to be mended is looked at often: got %s", again)
		}
	}
	if err := w.hub.Update(t.Context(), w.secret(forgetest.Bot)); err != nil {
		t.Fatal(err)
	}
	w.pass(tokenPoll)
	r, _ := w.reconcile()
	expect(t, r, "Available", "")
}

func TestRights(t *testing.T) {
	w := newWorld(t)
	if err := w.hub.Update(t.Context(), w.secret(forgetest.Author)); err != nil {
		t.Fatal(err)
	}
	w.propose("first")
	r, _ := w.reconcile()
	expect(t, r, "Available", "token may not protect main: make its user an administrator of the repository")
	if r.Status.AtProvider.Protected || r.Status.AtProvider.User != forgetest.Author {
		t.Errorf("got %+v", r.Status.AtProvider)
	}
	if len(w.changes()) != 1 {
		t.Error("what the token may not keeps nothing from going on")
	}
}

func TestPolicies(t *testing.T) {
	w := newWorld(t, func(r *v1alpha1.Repository) {
		r.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionObserve}
	})
	w.propose("first")
	r, _ := w.reconcile()
	expect(t, r, "Available", "have main require the status mainstay/execute")
	if got := w.changes(); len(got) != 0 || r.Status.AtProvider.Protected {
		t.Errorf("who only observes writes nothing: got %q", got)
	}

	w = newWorld(t, func(r *v1alpha1.Repository) {
		meta.AddAnnotations(r, map[string]string{meta.AnnotationKeyReconciliationPaused: "true"})
	})
	w.propose("first")
	r, again := w.reconcile()
	if r.GetCondition(xpv2.TypeSynced).Reason != xpv2.ReasonReconcilePaused || w.requests.Load() != 0 || again != 0 {
		t.Errorf("one that is paused asks nobody: got %+v", r.Status)
	}
}

func TestDeletion(t *testing.T) {
	w := newWorld(t)
	w.propose("first")
	w.reconcile()
	w.report("claims-1", v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeExecuting})
	r, _ := w.reconcile()
	if err := w.hub.Delete(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	w.propose("second")
	w.pass(time.Minute)
	r, again := w.reconcile()
	if r == nil {
		t.Fatal("a Repository stays while a Change is under way")
	}
	if ready := r.GetCondition(xpv2.TypeReady); ready.Reason != xpv2.ReasonDeleting || !strings.Contains(ready.Message, "deletion waits for claims-1") {
		t.Errorf("it says what it waits for: got %+v", ready)
	}
	if got := w.changes(); len(got) != 1 || again != time.Minute {
		t.Errorf("what executes is looked after, and nothing new is made: got %q, again in %s", got, again)
	}
	meta.AddAnnotations(r, map[string]string{v1alpha1.AnnotationLeaveChanges: "true"})
	if err := w.hub.Update(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if r, _ = w.reconcile(); r != nil {
		t.Errorf("somebody may say that it goes all the same: got %+v", r.Status)
	}

	w = newWorld(t)
	w.propose("first")
	r, _ = w.reconcile()
	if err := w.hub.Delete(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if r, _ = w.reconcile(); r != nil {
		t.Errorf("where nothing is under way it goes at once: got %+v", r.Status)
	}
}

func TestForeignChange(t *testing.T) {
	w := newWorld(t)
	c := &v1alpha1.Change{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "claims-1"}}
	c.Spec.ForProvider = v1alpha1.ChangeParameters{RepositoryRef: v1alpha1.RepositoryReference{Name: "other"}, Number: 1}
	if err := w.hub.Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w.propose("first")
	key := client.ObjectKey{Namespace: namespace, Name: "claims"}
	_, err := w.r.Reconcile(context.Background(), reconcile.Request{NamespacedName: key})
	if err == nil || !strings.Contains(err.Error(), `there is one of merge request 1 of Repository "other"`) {
		t.Errorf("a name that is taken is told: got %v", err)
	}
}
