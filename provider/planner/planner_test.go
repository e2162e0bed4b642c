package planner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/functions/builtin"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
	"github.com/mainstay-dev/mainstay/internal/plan"
)

func base() map[string]string {
	return map[string]string{"platform/fleet.yaml": fleetClaim, "apps/shop.yaml": shopClaim}
}

// TestBadInput: what authors get wrong is said to them, each from a tree of Git, and
// nothing is planned.
func TestBadInput(t *testing.T) {
	w := newWorld(t, base())
	cases := map[string]struct {
		reason string
		edit   func(dir string)
		// want is in the problem. Without it there is a plan.
		want string
	}{
		"Release": {reason: "This one is fine.", edit: write(t, map[string]string{"apps/shop.yaml": edited(shopClaim, "web:1.0.0", "web:1.1.0")})},
		"Page":    {reason: "What touches no claim does nothing, and can be merged.", edit: write(t, map[string]string{"README.md": "# Claims\n"})},
		"Comment": {reason: "So does a comment in a claim's file.", edit: write(t, map[string]string{"apps/shop.yaml": "# Our shop.\n" + shopClaim})},
		"YAML": {
			reason: "What does not parse is named with file and line.",
			edit:   write(t, map[string]string{"apps/new.yaml": "kind: X\nspec:\n  a: 1\n b: 2\n"}),
			want:   "apps/new.yaml, document 1, line 3: cannot parse YAML",
		},
		"UnknownKind":  {reason: "A kind of ours that there is not.", edit: write(t, map[string]string{"apps/new.yaml": edited(shopClaim, "ProductApplication", "Produkt")}), want: "is a Produkt of mainstay.dev/v1alpha1, which is no claim"},
		"ForeignGroup": {reason: "A Deployment is no claim.", edit: write(t, map[string]string{"apps/new.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {}\n"}), want: "is a Deployment of apps/v1, which is no claim"},
		"Internal": {
			reason: "A cell is made of a fleet, and claimed by nobody.",
			edit:   write(t, map[string]string{"apps/new.yaml": "apiVersion: mainstay.dev/v1alpha1\nkind: FleetCell\nmetadata: {name: x}\nspec: {}\n"}),
			want:   "mainstay.dev/v1alpha1 has no kind FleetCell: claims are of ClusterFleet and ProductApplication",
		},
		"Field": {
			reason: "A field that there is not would be dropped by the API server.",
			edit:   write(t, map[string]string{"apps/shop.yaml": edited(shopClaim, "components:", "componets:")}),
			want:   "apps/shop.yaml, document 1, line 1: ProductApplication shop/shop: spec.componets: there is no such field",
		},
		"TwoFiles":  {reason: "A claim is written once.", edit: write(t, map[string]string{"apps/again.yaml": shopClaim}), want: "ProductApplication shop/shop is in apps/again.yaml, document 1, line 1, too: keep one of them"},
		"Namespace": {reason: "A namespace that the repository does not name.", edit: write(t, map[string]string{"apps/new.yaml": edited(shopClaim, "{name: shop}", "{name: x, namespace: kube-system}")}), want: `namespace "kube-system" is not one that this repository may write`},
		"NotAgreed": {
			reason: "A namespace that has not agreed.",
			edit:   write(t, map[string]string{"apps/new.yaml": edited(shopClaim, "{name: shop}", "{name: x, namespace: market}")}),
			want:   "namespace market has not agreed to this repository: its owner adds shop/claims to its annotation mainstay.dev/repositories",
		},
		"Moved": {
			reason: "A claim that moves needs the word of both namespaces.",
			edit:   write(t, map[string]string{"apps/shop.yaml": edited(shopClaim, "{name: shop}", "{name: shop, namespace: market}")}),
			want:   "namespace market has not agreed",
		},
		"Symlink": {
			reason: "A link out of the tree leads nowhere.",
			edit: func(dir string) {
				if err := os.Symlink("../../../etc/passwd", filepath.Join(dir, "apps/link.yaml")); err != nil {
					t.Fatal(err)
				}
			},
			want: "apps/link.yaml is a symlink out of the repository",
		},
		"Large": {
			reason: "A file of 50 MB is not read.",
			edit: func(dir string) {
				if err := os.WriteFile(filepath.Join(dir, "apps/large.yaml"), make([]byte, 50_000_000), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			want: "apps/large.yaml: file has 50000000 bytes",
		},
		"Many": {
			reason: "Three thousand files are read, and are too much for one change.",
			edit: func(dir string) {
				files := map[string]string{}
				for i := range 3000 {
					files[fmt.Sprintf("apps/%04d.yaml", i)] = edited(shopClaim, "{name: shop}", fmt.Sprintf("{name: shop-%d}", i))
				}
				write(t, files)(dir)
			},
			want: "this touches 3000 claims, and 200 are the most of one change: split it",
		},
		"Composition": {reason: "A plan is of the Composition that a kind has.", edit: write(t, map[string]string{"apps/shop.yaml": shopClaim + "  compositionSelector: {matchLabels: {a: b}}\n"}), want: "spec.compositionSelector: a claim that chooses how it is composed cannot be planned"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w.t = t
			got := w.plan(w.push(tc.edit))
			if tc.want == "" && (got.Problem != "" || got.Plan.Digest == "") || !strings.Contains(got.Problem, tc.want) {
				t.Errorf("\n%s\nPlan(...): want problem %q, got %q", tc.reason, tc.want, got.Problem)
			}
			if got.Later {
				t.Errorf("\n%s\nPlan(...): asking again does not help, and it says so", tc.reason)
			}
			if len(got.Problem) > maxProblem {
				t.Errorf("the problem has %d bytes", len(got.Problem))
			}
		})
	}
}

// TestConflict: what both sides changed is not merged by anybody but its author.
func TestConflict(t *testing.T) {
	w := newWorld(t, base())
	w.push(write(t, map[string]string{"apps/shop.yaml": edited(shopClaim, "web:1.0.0", "web:1.1.0")}))
	w.git.Commit("main", "", map[string]string{"apps/shop.yaml": edited(shopClaim, "web:1.0.0", "web:1.2.0")})
	got := w.plan(w.asked())
	if want := "apps/shop.yaml changed on main as well: rebase and push"; got.Problem != want || got.Later {
		t.Errorf("Plan(...): got %q, want %q", got.Problem, want)
	}
}

// TestKept: a plan is on the hub under the name that the answer has, and is the same one when it is
// made again.
func TestKept(t *testing.T) {
	w := newWorld(t, base())
	req := w.push(write(t, map[string]string{"apps/shop.yaml": edited(shopClaim, "web:1.0.0", "web:1.1.0")}))
	first := w.plan(req)
	if first.Problem != "" {
		t.Fatal(first.Problem)
	}
	want := []v1alpha1.ClaimReference{{APIVersion: "mainstay.dev/v1alpha1", Kind: "ProductApplication", Namespace: "shop", Name: "shop"}}
	var got []v1alpha1.ClaimReference
	for _, c := range first.Claims {
		got = append(got, c.ClaimReference)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Plan(...): claims: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(req, first.For); diff != "" {
		t.Errorf("Plan(...): it answers something else: -want, +got:\n%s", diff)
	}
	if e := first.Plan.Expires; e == nil || !e.After(now) {
		t.Errorf("Plan(...): expires %v", e)
	}
	o := &v1alpha1.Plan{}
	if err := w.hub.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: first.Plan.Name}, o); err != nil {
		t.Fatal(err)
	}
	made, err := plan.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if made.Digest != first.Plan.Digest || made.Source.Head != req.Head || made.Source.Rendered == "" || o.GetOwnerReferences()[0].UID != "c" {
		t.Errorf("the Plan is %s of head %s, rendered %q, owned by %v", made.Digest, made.Source.Head, made.Source.Rendered, o.GetOwnerReferences())
	}
	if again := w.plan(req); again.Plan.Digest != first.Plan.Digest || again.Problem != "" {
		t.Errorf("Plan(...) again: %s, %q", again.Plan.Digest, again.Problem)
	}
	page, err := w.planner.Page(t.Context(), Input{Change: w.change}, first.Plan.Name)
	if err != nil || !strings.Contains(page, "create Deployment shop/web on 2 clusters") {
		t.Errorf("Page(...): %v\n%s", err, page)
	}
	if _, err := w.planner.Page(t.Context(), Input{Change: w.change}, "claims-7-000000000000"); err == nil {
		t.Error("Page(...): there is no such plan, and no error")
	}

	// One that somebody put there under this name is no plan of ours.
	o.Spec.Data = []byte("something else")
	if err := w.hub.Update(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if again := w.plan(req); again.Problem != "" {
		t.Errorf("Plan(...): %s", again.Problem)
	}
	if _, err := w.planner.Page(t.Context(), Input{Change: w.change}, first.Plan.Name); err != nil {
		t.Errorf("Page(...): %v", err)
	}
}

// TestPruned: plans that nothing refers to do not stay for ever.
func TestPruned(t *testing.T) {
	w := newWorld(t, base())
	var names []string
	for i := range 9 {
		got := w.plan(w.push(write(t, map[string]string{"apps/shop.yaml": edited(shopClaim, "web:1.0.0", fmt.Sprintf("web:1.1.%d", i))})))
		if got.Problem != "" {
			t.Fatal(got.Problem)
		}
		names = append(names, got.Plan.Name)
		if i == 0 {
			w.change.Status.AtProvider.Executed = got.Plan.Digest
		}
	}
	l := &v1alpha1.PlanList{}
	if err := w.hub.List(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, p := range l.Items {
		there[p.GetName()] = true
	}
	// The newest, five before it, and the one that is executed.
	if len(there) != keepPlans+2 || !there[names[0]] || !there[names[8]] {
		t.Errorf("of %v there are %v", names, there)
	}
}

// TestCarried claims are part of the plan whatever the head says of them now.
func TestCarried(t *testing.T) {
	stray := &unstructured.Unstructured{}
	stray.SetAPIVersion("mainstay.dev/v1alpha1")
	stray.SetKind("ProductApplication")
	stray.SetNamespace("shop")
	stray.SetName("extra")
	stray.Object["spec"] = map[string]any{"components": []any{map[string]any{"name": "web", "type": "webservice", "properties": map[string]any{"image": "web:1"}}}}
	w := newWorld(t, base(), stray)
	ref := func(name string) v1alpha1.ClaimReference {
		return v1alpha1.ClaimReference{APIVersion: "mainstay.dev/v1alpha1", Kind: "ProductApplication", Namespace: "shop", Name: name}
	}
	req := w.push(write(t, map[string]string{"README.md": "hello"}))
	req.Carry = []v1alpha1.ClaimReference{ref("shop"), ref("extra"), ref("gone")}
	got := w.plan(req)
	if got.Problem != "" {
		t.Fatal(got.Problem)
	}
	claims := map[string]v1alpha1.ChangeClaim{}
	for _, c := range got.Claims {
		claims[c.Name] = c
	}
	switch shop, extra, gone := claims["shop"], claims["extra"], claims["gone"]; {
	case len(claims) != 3:
		t.Errorf("Plan(...): claims %v", claims)
	case shop.Digest == "" || shop.Digest != shop.Before:
		t.Errorf("shop goes back to what the base says: %+v", shop)
	case extra.Digest != "" || extra.Before != "":
		t.Errorf("extra goes, and the base does not have it to go back to: %+v", extra)
	case gone.Digest != "" || gone.Before != "":
		t.Errorf("gone stays away: %+v", gone)
	}
}

// TestMends: a base branch that is broken can be mended. What it does not say is what the hub has, and
// there is no way back to that; what the hub does not have is new.
func TestMends(t *testing.T) {
	ref := v1alpha1.ClaimReference{APIVersion: "mainstay.dev/v1alpha1", Kind: "ProductApplication", Namespace: "shop", Name: "shop"}
	onHub := func(image string) *unstructured.Unstructured {
		u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
			"components":  []any{map[string]any{"name": "web", "type": "webservice", "properties": map[string]any{"image": image}}},
			"resourceRef": map[string]any{"apiVersion": ref.APIVersion, "kind": "XProductApplication", "name": "shop-x"},
		}}}
		u.SetGroupVersionKind(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
		u.SetNamespace(ref.Namespace)
		u.SetName(ref.Name)
		return u
	}
	invalid := edited(shopClaim, "components:", "componets:")
	fixed := map[string]string{"apps/shop.yaml": shopClaim}
	cases := map[string]struct {
		reason string
		base   map[string]string
		hub    *unstructured.Unstructured
		head   map[string]string
		carry  bool
		// before is true where the plan begins with what the hub has.
		before bool
		// said is in a warning, problem in the problem, which is otherwise none.
		said, problem string
	}{
		"InvalidNew": {
			reason: "A claim that the API server would not take is not there.", base: map[string]string{"apps/shop.yaml": invalid}, head: fixed,
			said: "ProductApplication shop/shop: apps/shop.yaml, document 1, line 1: the base branch is broken: spec.components: Required value",
		},
		"InvalidThere": {
			reason: "One that the hub has was what it is there.", base: map[string]string{"apps/shop.yaml": invalid}, hub: onHub("web:0.9.0"), head: fixed, before: true,
			said: "the base branch is broken: spec.components",
		},
		"UnreadNew": {
			reason: "So is one whose file does not parse.", base: map[string]string{"apps/shop.yaml": shopClaim + " x: [\n"}, head: fixed,
			said: ": the base branch is broken: apps/shop.yaml, document 1, line",
		},
		"UnreadThere": {
			reason: "It is not made anew, nor deleted on the way back.", base: map[string]string{"apps/shop.yaml": shopClaim + " x: [\n"}, hub: onHub("web:0.9.0"), head: fixed, before: true,
			said: ": the base branch is broken: apps/shop.yaml, document 1, line",
		},
		"Carried": {
			reason: "What was written already has no way back, either.", base: map[string]string{"apps/shop.yaml": invalid}, hub: onHub("web:0.9.0"), head: fixed, carry: true, before: true,
			said: "the base branch is broken",
		},
		"InvalidGoes": {
			reason: "What is broken can be taken away.", base: map[string]string{"apps/shop.yaml": invalid}, hub: onHub("web:0.9.0"), head: map[string]string{"apps/shop.yaml": ""}, before: true,
			said: "the base branch is broken",
		},
		"Elsewhere": {
			reason: "Who mends one of two files hears of the other.", base: map[string]string{"apps/shop.yaml": invalid, "apps/other.yaml": "a: [\n"}, head: fixed,
			problem: "main itself is broken, and nothing is planned until a merge request mends it:\napps/other.yaml",
		},
		"Own": {
			reason: "What the author broke is not the base branch's.", base: map[string]string{"apps/shop.yaml": invalid}, head: map[string]string{"apps/shop.yaml": "a: [\n"},
			problem: "apps/shop.yaml, document 1",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var there []client.Object
			before := ""
			if tc.hub != nil {
				there = append(there, tc.hub)
				spec, _, _ := unstructured.NestedMap(tc.hub.Object, "spec")
				d, err := grant.Digest(ref.Kind, ref.Namespace, ref.Name, spec)
				if err != nil {
					t.Fatal(err)
				}
				before = d
			}
			tc.base["platform/fleet.yaml"] = fleetClaim
			w := newWorld(t, tc.base, there...)
			req := w.push(write(t, tc.head))
			if tc.carry {
				req.Carry = []v1alpha1.ClaimReference{ref}
			}
			got := w.plan(req)
			if tc.problem != "" {
				if !strings.HasPrefix(got.Problem, tc.problem) || got.Later {
					t.Errorf("\n%s\nPlan(...): %q", tc.reason, got.Problem)
				}
				return
			}
			if got.Problem != "" || len(got.Claims) != 1 {
				t.Fatalf("\n%s\nPlan(...): %q, claims %v", tc.reason, got.Problem, got.Claims)
			}
			switch c := got.Claims[0]; {
			case c.Before != before:
				t.Errorf("\n%s\nbefore: %q, want what the hub has, %q", tc.reason, c.Before, before)
			case tc.before != (c.Irreversible != "") || tc.before != (got.Plan.Irreversible != ""):
				t.Errorf("\n%s\nno way back: of the claim %q, of the plan %q", tc.reason, c.Irreversible, got.Plan.Irreversible)
			}
			var said []string
			for _, f := range got.Findings {
				said = append(said, f.Claim+": "+f.Message)
				if f.Blocking {
					t.Errorf("\n%s\nit blocks: %s", tc.reason, f.Message)
				}
			}
			if all := strings.Join(said, "\n"); !strings.Contains(all, tc.said) {
				t.Errorf("\n%s\nwant %q in:\n%s", tc.reason, tc.said, all)
			}
		})
	}
}

// TestLater: what may pass is no fault of the author's, and no plan.
func TestLater(t *testing.T) {
	refused := errors.New("connection refused")
	release := write(t, map[string]string{"apps/shop.yaml": edited(shopClaim, "web:1.0.0", "web:1.1.0")})
	cases := map[string]struct {
		reason string
		do     func(w *world, req *change.PlanRequest)
		want   string
		now    bool
	}{
		"Hub": {
			reason: "A hub that does not answer is not one without clusters.",
			do: func(w *world, _ *change.PlanRequest) {
				w.hub = interceptor.NewClient(w.hub, interceptor.Funcs{List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return refused }})
				w.with(builtin.Functions())
			},
			want: "cannot look at the hub: connection refused",
		},
		"Keep": {
			reason: "A plan that cannot be kept cannot be shown.",
			do: func(w *world, _ *change.PlanRequest) {
				w.hub = interceptor.NewClient(w.hub, interceptor.Funcs{Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return refused }})
				w.with(builtin.Functions())
			},
			want: "connection refused",
		},
		"Functions": {
			reason: "A function that cannot be asked composes something that nobody knows.",
			do: func(w *world, _ *change.PlanRequest) {
				own := builtin.Functions()
				own[builtin.ProductApplication] = func(context.Context, *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
					return nil, refused
				}
				w.with(own)
			},
			want: "connection refused",
		},
		"Commit": {
			reason: "A commit that is not in the mirror may be fetched.",
			do:     func(_ *world, req *change.PlanRequest) { req.Head = strings.Repeat("a", 40) },
			want:   "cannot read the commits",
		},
		"Rules": {
			reason: "Other rules have other claims: what was asked for is not what there is.",
			do:     func(w *world, _ *change.PlanRequest) { w.owner.Spec.ForProvider.Claims.Exclude = []string{"apps/**"} },
			want:   "others than those that a plan was asked for",
		},
		"Crash": {
			reason: "A crash is said, and does not take the provider down.",
			do: func(w *world, _ *change.PlanRequest) {
				own := builtin.Functions()
				own[builtin.ProductApplication] = func(context.Context, *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) { panic("boom") }
				w.with(own)
			},
			want: "planning this crashed", now: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, base())
			req := w.push(release)
			tc.do(w, &req)
			got := w.plan(req)
			if !strings.Contains(got.Problem, tc.want) || got.Later == tc.now || got.Plan.Digest != "" {
				t.Errorf("\n%s\nPlan(...): %q, later %t", tc.reason, got.Problem, got.Later)
			}
		})
	}
}

// TestNewChangeOfTheSameName: a plan of a Change that was deleted is not that of the one that has its
// name now.
func TestNewChangeOfTheSameName(t *testing.T) {
	w := newWorld(t, base())
	req := w.push(write(t, map[string]string{"apps/shop.yaml": edited(shopClaim, "web:1.0.0", "web:1.1.0")}))
	first := w.plan(req)
	w.change = &v1alpha1.Change{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "claims-7", UID: "another"}}
	if got := w.plan(req); got.Problem != "" || got.Plan.Name != first.Plan.Name {
		t.Fatalf("Plan(...): %q, %s", got.Problem, got.Plan.Name)
	}
	o := &v1alpha1.Plan{}
	if err := w.hub.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: first.Plan.Name}, o); err != nil {
		t.Fatal(err)
	}
	if got := o.GetOwnerReferences()[0].UID; got != "another" {
		t.Errorf("the Plan goes with %s", got)
	}
}
