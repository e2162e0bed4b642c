package grants

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	testingclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	xr "github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

var (
	kind = xr.GroupVersion.WithKind(xr.ProductApplicationKind)
	ref  = v1alpha1.ClaimReference{APIVersion: "mainstay.dev/v1alpha1", Kind: kind.Kind, Namespace: "shop", Name: "web"}
	key  = client.ObjectKey{Namespace: "shop", Name: "productapplication.web"}
)

const digest = "2222222222222222222222222222222222222222222222222222222222222222"

// A world is a hub with the grant of one claim.
type world struct {
	t       *testing.T
	hub     client.WithWatch
	clock   *testingclock.FakePassiveClock
	touched bool
	// fails is why a claim or a namespace cannot be read.
	fails error
	r     *Reconciler
}

func newWorld(t *testing.T, g v1alpha1.ClaimGrantSpec, label string, claim bool) *world {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme, xr.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{t: t, clock: testingclock.NewFakePassiveClock(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))}
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{v1alpha1.LabelRequireChange: label}}},
		&v1alpha1.ClaimGrant{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, UID: "g"}, Spec: g},
	}
	if claim {
		objects = append(objects, web())
	}
	w.hub = interceptor.NewClient(fake.NewClientBuilder().WithScheme(s).WithObjects(objects...).Build(), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, k client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if _, ok := o.(*v1alpha1.ClaimGrant); !ok && w.fails != nil {
				return w.fails
			}
			return c.Get(ctx, k, o, opts...)
		},
	})
	w.r = NewReconciler(w.hub, w.hub, w.hub, []schema.GroupVersionKind{kind}, func(context.Context, v1alpha1.ClaimReference) (bool, error) { return w.touched, nil }, w.clock.Now)
	return w
}

func web() *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{}}}
	u.SetGroupVersionKind(kind)
	u.SetNamespace(ref.Namespace)
	u.SetName(ref.Name)
	return u
}

func (w *world) reconcile() (ctrl.Result, error) {
	return w.r.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: key})
}

func (w *world) pass(d time.Duration) { w.clock.SetTime(w.clock.Now().Add(d)) }

func (w *world) there() bool {
	w.t.Helper()
	err := w.hub.Get(w.t.Context(), key, &v1alpha1.ClaimGrant{})
	if err != nil && !kerrors.IsNotFound(err) {
		w.t.Fatal(err)
	}
	return err == nil
}

func granted(edit func(*v1alpha1.ClaimGrantSpec)) v1alpha1.ClaimGrantSpec {
	g := v1alpha1.ClaimGrantSpec{Claim: ref, Digest: digest, Change: "ops/claims-41", Epoch: 4}
	if edit != nil {
		edit(&g)
	}
	return g
}

func TestReconcile(t *testing.T) {
	down := errors.New("connection refused")
	cases := map[string]struct {
		reason  string
		grant   v1alpha1.ClaimGrantSpec
		label   string
		claim   bool
		touched bool
		fails   error
		// deleted once it was gone for long, and looked at again meanwhile.
		deleted, again bool
	}{
		"Gone":      {reason: "Nobody is asked what it may say, and it is not there.", grant: granted(nil), deleted: true, again: true},
		"There":     {reason: "The claim is there. Its deletion says so.", grant: granted(nil), claim: true},
		"Touched":   {reason: "A change is about to write it, or just deleted it.", grant: granted(nil), touched: true, again: true},
		"ByChange":  {reason: "A change deleted it: whoever makes it again needs another one.", grant: granted(func(g *v1alpha1.ClaimGrantSpec) { g.Digest, g.Required = "", true }), label: "true", deleted: true, again: true},
		"Required":  {reason: "It is to be there, and only as the change said: it was deleted by hand.", grant: granted(func(g *v1alpha1.ClaimGrantSpec) { g.Required = true })},
		"Namespace": {reason: "So says its namespace.", grant: granted(nil), label: "true"},
		"Unknown":   {reason: "What cannot be read may be there.", grant: granted(nil), fails: down},
		"Another":   {reason: "A kind that changes do not write is not looked for.", grant: granted(func(g *v1alpha1.ClaimGrantSpec) { g.Claim.APIVersion, g.Claim.Kind = "v1", "Secret" })},
		"Elsewhere": {reason: "Nor is a claim of another namespace.", grant: granted(func(g *v1alpha1.ClaimGrantSpec) { g.Claim.Namespace = "market" })},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.grant, tc.label, tc.claim)
			w.touched, w.fails = tc.touched, tc.fails
			got, err := w.reconcile()
			if (err != nil) != (tc.fails != nil) || (got.RequeueAfter > 0) != tc.again || !w.there() {
				t.Fatalf("\n%s\nReconcile(...): %+v, %v; the grant is there: %t", tc.reason, got, err, w.there())
			}
			w.pass(patience)
			if _, err := w.reconcile(); (err != nil) != (tc.fails != nil) || w.there() == tc.deleted {
				t.Errorf("\n%s\nReconcile(...) later: %v; the grant is there: %t", tc.reason, err, w.there())
			}
		})
	}
}

// What happens meanwhile begins the wait anew.
func TestPatience(t *testing.T) {
	cases := map[string]struct {
		reason string
		do     func(w *world)
	}{
		"Written": {reason: "A change wrote the grant.", do: func(w *world) {
			g := &v1alpha1.ClaimGrant{}
			if err := w.hub.Get(w.t.Context(), key, g); err != nil {
				w.t.Fatal(err)
			}
			g.Spec.Epoch++
			if err := w.hub.Update(w.t.Context(), g); err != nil {
				w.t.Fatal(err)
			}
		}},
		"Touched": {reason: "A change touched it for a while.", do: func(w *world) {
			w.touched = true
			if _, err := w.reconcile(); err != nil {
				w.t.Fatal(err)
			}
			w.touched = false
		}},
		"Made": {reason: "The claim was there for a while.", do: func(w *world) {
			if err := w.hub.Create(w.t.Context(), web()); err != nil {
				w.t.Fatal(err)
			}
			if _, err := w.reconcile(); err != nil {
				w.t.Fatal(err)
			}
			if err := w.hub.Delete(w.t.Context(), web()); err != nil {
				w.t.Fatal(err)
			}
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, granted(nil), "", false)
			for _, step := range []struct {
				pass time.Duration
				do   func(*world)
				want bool
			}{
				{want: true}, {pass: patience - time.Second, want: true}, {do: tc.do, pass: time.Second, want: true},
				{pass: patience - time.Second, want: true}, {pass: time.Second, want: false},
			} {
				if step.do != nil {
					step.do(w)
				}
				w.pass(step.pass)
				if _, err := w.reconcile(); err != nil || w.there() != step.want {
					t.Fatalf("\n%s\nafter %s: %v; the grant is there: %t", tc.reason, step.pass, err, w.there())
				}
			}
		})
	}
}

// A cache that does not have the claim yet deletes nothing.
func TestBehind(t *testing.T) {
	w := newWorld(t, granted(nil), "", true)
	none := newWorld(t, granted(nil), "", false)
	w.r.cached = none.hub
	for range 2 {
		if _, err := w.reconcile(); err != nil || !w.there() {
			t.Fatalf("Reconcile(...): %v; the grant is there: %t", err, w.there())
		}
		w.pass(patience)
	}
}
