package change

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/yaml"

	"github.com/crossplane/crossplane-runtime/v2/pkg/xcrd"
	xpv1 "github.com/crossplane/crossplane/apis/v2/apiextensions/v1"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis"
	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/backend/local/controlplane"
	"github.com/mainstay-dev/mainstay/provider/controller/change/trees"
	"github.com/mainstay-dev/mainstay/provider/git/gittest"
	"github.com/mainstay-dev/mainstay/provider/planner"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

const patience = 3 * time.Minute

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// startHub is a real API server with all kinds, and with claims as Crossplane derives them.
func startHub(t *testing.T) (client.Client, *rest.Config) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir, bin := t.TempDir(), backendtest.Binaries(t)
	e := controlplane.NewEtcd(filepath.Join(dir, "etcd"), bin)
	c := controlplane.New(controlplane.Config{Name: "hub", Dir: filepath.Join(dir, "hub"), Binaries: bin, Etcd: e, Prefix: "/hub"})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(c.Discard(ctx), e.Destroy(ctx)); err != nil {
			t.Error(err)
		}
	})
	must(t, c.WaitReady(ctx))
	cfg, err := c.RESTConfig()
	must(t, err)
	cfg.QPS, cfg.Burst = 1000, 1000
	var crds []*extv1.CustomResourceDefinition
	for _, raw := range apis.ClaimDefinitions() {
		xrd := &xpv1.CompositeResourceDefinition{}
		must(t, yaml.Unmarshal(raw, xrd))
		crd, err := xcrd.ForCompositeResourceClaim(xrd)
		must(t, err)
		crd.OwnerReferences = nil
		crds = append(crds, crd)
	}
	_, err = envtest.InstallCRDs(cfg, envtest.CRDInstallOptions{Paths: []string{"../../../package/provider/crds"}, CRDs: crds})
	must(t, err)
	s := runtime.NewScheme()
	must(t, errors.Join(corev1.AddToScheme(s), v1alpha1.AddToScheme(s)))
	cl, err := client.New(cfg, client.Options{Scheme: s})
	must(t, err)
	return cl, cfg
}

// indexed finds Releases by their owner, as the cache does.
type indexed struct{ client.Client }

func (c indexed) List(ctx context.Context, l client.ObjectList, opts ...client.ListOption) error {
	o := (&client.ListOptions{}).ApplyOptions(opts)
	releases, ok := l.(*v1alpha1.ReleaseList)
	if !ok || o.FieldSelector == nil {
		return c.Client.List(ctx, l, opts...)
	}
	of := o.FieldSelector.Requirements()[0].Value
	if err := c.Client.List(ctx, releases, client.InNamespace(o.Namespace)); err != nil {
		return err
	}
	releases.Items = slices.DeleteFunc(releases.Items, func(r v1alpha1.Release) bool { return !slices.Contains(ownerKeys(&r), of) })
	return nil
}

// A house is a namespace of the hub with a repository, its forge, and a controller.
type house struct {
	client.Client
	*Reconciler

	t     *testing.T
	ns    string
	git   *gittest.Server
	forge *fakeForge
	repo  *v1alpha1.Repository
	open  *repo.Repo
	trees *trees.Trees

	mu    sync.Mutex
	clock time.Time
	// broken is why the Repository cannot be opened.
	broken error
	woken  bool
	events chan event.GenericEvent
	// plans counts plans that were made; problem is what the next ones are.
	plans   int
	problem string
}

var houses int

func newHouse(t *testing.T, hub client.Client, edit func(*v1alpha1.RepositoryParameters)) *house {
	t.Helper()
	houses++
	h := &house{Client: hub, t: t, ns: fmt.Sprintf("team-%d", houses), git: gittest.New(t), clock: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	h.forge = newForge(t, h.git)
	must(t, hub.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: h.ns}}))
	h.repo = &v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Namespace: h.ns, Name: "claims"}}
	h.repo.Spec.ForProvider = v1alpha1.RepositoryParameters{
		Forge: v1alpha1.ForgeGitHub, URL: "https://git.example.org/ops/claims", CredentialsSecretRef: v1alpha1.SecretKeyReference{Name: "forge", Key: "token"},
	}
	if edit != nil {
		edit(&h.repo.Spec.ForProvider)
	}
	must(t, hub.Create(t.Context(), h.repo))
	h.open = h.opened()
	h.restart()
	return h
}

// opened Repository, with a mirror of its own.
func (h *house) opened() *repo.Repo {
	return &repo.Repo{Key: client.ObjectKeyFromObject(h.repo), UID: h.repo.UID, Forge: h.forge, Mirror: h.git.Mirror(), Self: bot}
}

// restart the controller: it forgets everything.
func (h *house) restart() {
	h.trees = trees.New()
	c := indexed{h.Client}
	h.Reconciler = NewReconciler(c, c, c, Deps{Pool: h, Trees: h.trees, Planner: h}, h.time)
}

func (h *house) time() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock = h.clock.Add(d)
}

// Open, ChangeWoken and Changes are what a Pool does.
func (h *house) Open(context.Context, *v1alpha1.Repository) (*repo.Repo, error) {
	return h.open, h.broken
}
func (h *house) ChangeWoken(types.NamespacedName) bool { return h.woken }
func (h *house) Changes() <-chan event.GenericEvent    { return h.events }

// Plan is of claims only: what each says, in one step.
func (h *house) Plan(_ context.Context, in planner.Input, req change.PlanRequest) change.Planned {
	h.plans++
	out := change.Planned{For: req, Problem: h.problem}
	if h.problem != "" {
		return out
	}
	v, err := h.trees.At(in.Repo, in.Repository.Spec.ForProvider, h.ns, req.Base, req.Head)
	if err != nil {
		return change.Planned{For: req, Problem: err.Error(), Later: true}
	}
	sum := sha256.New()
	var targets []lock.Target
	for _, ref := range append(slices.Clone(v.Touched), req.Carry...) {
		if slices.ContainsFunc(out.Claims, func(c v1alpha1.ChangeClaim) bool { return c.ClaimReference == ref }) {
			continue
		}
		c := v1alpha1.ChangeClaim{ClaimReference: ref, Clusters: 2}
		if m, ok := v.Merged[ref]; ok {
			c.Digest = h.digest(m.Object)
		}
		if b, ok := v.Base[ref]; ok {
			c.Before = h.digest(b.Object)
		}
		_, _ = fmt.Fprintln(sum, ref, c.Digest)
		out.Claims = append(out.Claims, c)
		targets = append(targets, lock.Target{Claim: ref})
	}
	digest := hex.EncodeToString(sum.Sum(nil))
	out.Plan = v1alpha1.ChangePlan{Digest: digest, Name: in.Change.Name + "-" + digest[:12], Risk: v1alpha1.RiskLow, Summary: "2 to update", Clusters: 2, Locks: lock.Keys(targets)}
	return out
}

// Page of a plan.
func (h *house) Page(context.Context, planner.Input, string) (string, error) {
	return "the plan\n", nil
}

// digest of a claim as the API server comes to have it.
func (h *house) digest(object map[string]any) string {
	h.t.Helper()
	raw, err := yaml.Marshal(object)
	must(h.t, err)
	set, err := claims.Read(map[string][]byte{"a.yaml": raw}, claims.Options{Namespace: h.ns})
	must(h.t, err)
	return set.Claims[0].Digest
}

// application as a file of a repository has it.
func application(name, image string) string {
	return fmt.Sprintf("apiVersion: mainstay.dev/v1alpha1\nkind: ProductApplication\nmetadata: {name: %s}\nspec:\n  components: [{name: web, type: webservice, properties: {image: %s}}]\n", name, image)
}

// change of a branch: a merge request, with a Change of it.
func (h *house) change(branch string) int64 {
	h.t.Helper()
	n := h.forge.propose(branch)
	c := &v1alpha1.Change{ObjectMeta: metav1.ObjectMeta{Namespace: h.ns, Name: fmt.Sprintf("claims-%d", n)}}
	c.Spec.ForProvider = v1alpha1.ChangeParameters{RepositoryRef: v1alpha1.RepositoryReference{Name: "claims"}, Number: n}
	must(h.t, h.Create(h.t.Context(), c))
	return n
}

func (h *house) get(n int64) *v1alpha1.Change {
	h.t.Helper()
	c := &v1alpha1.Change{}
	err := h.Get(h.t.Context(), types.NamespacedName{Namespace: h.ns, Name: fmt.Sprintf("claims-%d", n)}, c)
	if kerrors.IsNotFound(err) {
		return nil
	}
	must(h.t, err)
	return c
}

// once reconciles a Change.
func (h *house) once(n int64) error {
	_, err := h.Reconcile(h.t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: h.ns, Name: fmt.Sprintf("claims-%d", n)}})
	return err
}

// until a Change is in a phase: it is woken and reconciled, and its Rollouts do what they should, as a
// second passes each time.
func (h *house) until(n int64, want v1alpha1.ChangePhase, rolls bool) *v1alpha1.Change {
	h.t.Helper()
	var err error
	for range 25 {
		h.woken = true
		err = h.once(n)
		h.woken = false
		c := h.get(n)
		if c.Status.AtProvider.Phase == want {
			return c
		}
		if rolls {
			h.roll()
		}
		h.pass(time.Second)
	}
	c := h.get(n)
	h.t.Fatalf("change %d does not come to be %s: it is %s: %s (%v)\n%v", n, want, c.Status.AtProvider.Phase, c.Status.AtProvider.Message, err, c.Status.AtProvider.Timeline)
	return nil
}

// settled reconciles a Change some times more, whatever it is.
func (h *house) settled(n int64) *v1alpha1.Change {
	h.t.Helper()
	for range 4 {
		h.woken = true
		if err := h.once(n); err != nil {
			h.t.Logf("reconcile: %v", err)
		}
		h.woken = false
		h.pass(time.Second)
	}
	return h.get(n)
}

// roll out what all applications say, at once.
func (h *house) roll() { h.rollAs(v1alpha1.RolloutCompleted, "") }

// rollAs has all Rollouts take in what their applications say, and be in a phase.
func (h *house) rollAs(phase v1alpha1.RolloutPhase, message string) {
	h.t.Helper()
	l := &unstructured.UnstructuredList{}
	l.SetAPIVersion("mainstay.dev/v1alpha1")
	l.SetKind("ProductApplicationList")
	must(h.t, h.List(h.t.Context(), l, client.InNamespace(h.ns)))
	for i := range l.Items {
		u := &l.Items[i]
		spec, _, _ := unstructured.NestedMap(u.Object, "spec")
		digest, err := grant.Digest("ProductApplication", h.ns, u.GetName(), spec)
		must(h.t, err)
		ro := &v1alpha1.Rollout{}
		err = h.Get(h.t.Context(), client.ObjectKeyFromObject(u), ro)
		if client.IgnoreNotFound(err) != nil {
			h.t.Fatal(err)
		}
		if kerrors.IsNotFound(err) {
			ro = &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: h.ns, Name: u.GetName()}}
			ro.Spec.ForProvider.Application = u.GetName()
			must(h.t, h.Create(h.t.Context(), ro))
		}
		if ro.Spec.ForProvider.ClaimDigest != digest {
			ro.Spec.ForProvider.ClaimDigest = digest
			must(h.t, h.Update(h.t.Context(), ro))
		}
		at := &ro.Status.AtProvider
		at.Phase, at.Digest, at.Message = phase, digest, message
		at.Clusters = v1alpha1.RolloutCount{Total: 2, Updated: 2, Ready: 2}
		if phase != v1alpha1.RolloutCompleted {
			at.Clusters = v1alpha1.RolloutCount{Total: 2, Updated: 1, Ready: 1, Failed: 1}
		}
		if c := ro.Spec.ForProvider.Control; c != nil {
			at.Retried = c.Retry
		}
		ro.SetConditions(xpv2.ReconcileSuccess().WithObservedGeneration(ro.GetGeneration()))
		must(h.t, h.Status().Update(h.t.Context(), ro))
	}
}

// image of an application on the hub, or empty.
func (h *house) image(name string) string {
	h.t.Helper()
	u := &unstructured.Unstructured{}
	u.SetAPIVersion("mainstay.dev/v1alpha1")
	u.SetKind("ProductApplication")
	err := h.Get(h.t.Context(), types.NamespacedName{Namespace: h.ns, Name: name}, u)
	if kerrors.IsNotFound(err) {
		return ""
	}
	must(h.t, err)
	components, _, _ := unstructured.NestedSlice(u.Object, "spec", "components")
	image, _, _ := unstructured.NestedString(components[0].(map[string]any), "properties", "image")
	return image
}

// queue as it is.
func (h *house) queue() []v1alpha1.QueuedChange {
	h.t.Helper()
	q := &v1alpha1.ChangeQueue{}
	must(h.t, client.IgnoreNotFound(h.Get(h.t.Context(), types.NamespacedName{Name: v1alpha1.ChangeQueueName}, q)))
	return q.Spec.Changes
}

// byHand makes or edits an application, with some other tool.
func (h *house) byHand(name, image string) {
	h.t.Helper()
	u := &unstructured.Unstructured{}
	must(h.t, yaml.Unmarshal([]byte(application(name, image)), u))
	u.SetNamespace(h.ns)
	must(h.t, h.Create(h.t.Context(), u, client.FieldOwner("kubectl")))
}
