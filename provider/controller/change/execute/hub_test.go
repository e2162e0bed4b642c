package execute

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	xpv1 "github.com/crossplane/crossplane/apis/v2/apiextensions/v1"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/crossplane/crossplane-runtime/v2/pkg/xcrd"

	"github.com/mainstay-dev/mainstay/apis"
	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/backend/local/controlplane"
	"github.com/mainstay-dev/mainstay/provider/controller/change/trees"
	"github.com/mainstay-dev/mainstay/provider/git/gittest"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

const waiting = 90 * time.Second

// A hub is a real API server with all kinds, and with claims as Crossplane derives them.
type hub struct {
	client.WithWatch

	t *testing.T
}

// namespaces of the hub, each of one test.
var namespaces atomic.Int32

func startHub(t *testing.T) *hub {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waiting)
	defer cancel()
	dir, bin := t.TempDir(), backendtest.Binaries(t)
	e := controlplane.NewEtcd(filepath.Join(dir, "etcd"), bin)
	c := controlplane.New(controlplane.Config{Name: "hub", Dir: filepath.Join(dir, "hub"), Binaries: bin, Etcd: e, Prefix: "/hub"})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), waiting)
		defer cancel()
		if err := errors.Join(c.Discard(ctx), e.Destroy(ctx)); err != nil {
			t.Error(err)
		}
	})
	must(t, c.WaitReady(ctx))
	cfg, err := c.RESTConfig()
	must(t, err)
	cfg.QPS, cfg.Burst = 1000, 1000
	install(t, cfg)
	s := runtime.NewScheme()
	must(t, errors.Join(corev1.AddToScheme(s), v1alpha1.AddToScheme(s)))
	cl, err := client.NewWithWatch(cfg, client.Options{Scheme: s})
	must(t, err)
	return &hub{WithWatch: cl, t: t}
}

// install our kinds, the claims, and what GitOps engines sync with.
func install(t *testing.T, cfg *rest.Config) {
	t.Helper()
	var crds []*extv1.CustomResourceDefinition
	for _, raw := range apis.ClaimDefinitions() {
		xrd := &xpv1.CompositeResourceDefinition{}
		must(t, yaml.Unmarshal(raw, xrd))
		crd, err := xcrd.ForCompositeResourceClaim(xrd)
		must(t, err)
		crd.OwnerReferences = nil
		crds = append(crds, crd)
	}
	crds = append(crds, foreign("argoproj.io", "v1alpha1", "Application", "applications"), foreign("source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories"))
	_, err := envtest.InstallCRDs(cfg, envtest.CRDInstallOptions{Paths: []string{"../../../../package/provider/crds"}, CRDs: crds})
	must(t, err)
}

// foreign is a kind of somebody else's, with any fields.
func foreign(group, version, kind, plural string) *extv1.CustomResourceDefinition {
	preserve := true
	return &extv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: plural + "." + group},
		Spec: extv1.CustomResourceDefinitionSpec{
			Group: group, Scope: extv1.NamespaceScoped, Names: extv1.CustomResourceDefinitionNames{Plural: plural, Kind: kind},
			Versions: []extv1.CustomResourceDefinitionVersion{{Name: version, Served: true, Storage: true, Schema: &extv1.CustomResourceValidation{
				OpenAPIV3Schema: &extv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &preserve},
			}}},
		},
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A house is a namespace of the hub with a Repository, its Git, and an executor.
type house struct {
	*hub

	t    *testing.T
	ns   string
	git  *gittest.Server
	repo *v1alpha1.Repository
	open *repo.Repo
	*Executor

	mu   sync.Mutex
	time time.Time
}

func (h *hub) house(t *testing.T, change func(*v1alpha1.RepositoryParameters)) *house {
	t.Helper()
	n := &house{hub: h, t: t, ns: fmt.Sprintf("team-%d", namespaces.Add(1)), time: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	must(t, h.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: n.ns}}))
	n.repo = &v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Namespace: n.ns, Name: "claims"}}
	n.repo.Spec.ForProvider = v1alpha1.RepositoryParameters{
		Forge: v1alpha1.ForgeGitHub, URL: "https://git.example.org/ops/claims", CredentialsSecretRef: v1alpha1.SecretKeyReference{Name: "forge", Key: "token"},
	}
	if change != nil {
		change(&n.repo.Spec.ForProvider)
	}
	must(t, h.Create(t.Context(), n.repo))
	n.git = gittest.New(t)
	n.open = &repo.Repo{Key: client.ObjectKeyFromObject(n.repo), UID: n.repo.UID, Mirror: n.git.Mirror()}
	n.Executor = n.executor()
	return n
}

// executor of another process.
func (h *house) executor() *Executor {
	return &Executor{Hub: h.hub, Live: h.hub, Trees: trees.New(), Now: h.now, Log: logging.NewNopLogger()}
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.time
}

// pass some time.
func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.time = h.time.Add(d)
}

// change of a merge request from a head onto main, with claims that are in one step. Its locks are
// on them, and it has them.
func (h *house) change(number int64, head string, names ...string) (Input, int64) {
	h.t.Helper()
	in := h.made(number)
	h.planned(&in, head, names...)
	return in, h.locked(in, names...)
}

// made is a Change, without a plan.
func (h *house) made(number int64) Input {
	h.t.Helper()
	c := &v1alpha1.Change{ObjectMeta: metav1.ObjectMeta{Namespace: h.ns, Name: fmt.Sprintf("claims-%d", number)}}
	c.Spec.ForProvider = v1alpha1.ChangeParameters{RepositoryRef: v1alpha1.RepositoryReference{Name: "claims"}, Number: number}
	must(h.t, h.Create(h.t.Context(), c))
	return Input{Change: c, Repository: h.repo, Repo: h.open}
}

// planned is a Change with its claims: what they say on main and, once it is merged, in the head.
func (h *house) planned(in *Input, head string, names ...string) {
	h.t.Helper()
	base := h.git.At("refs/heads/main")
	_, err := h.open.Mirror.Fetch(h.t.Context(), "refs/heads/main", "refs/heads/"+head)
	must(h.t, err)
	at := h.git.At("refs/heads/" + head)
	s := &in.Change.Status.AtProvider
	s.Plan = &v1alpha1.ChangePlan{HeadSHA: at, BaseSHA: base, Digest: "0123456789abcdef", Name: "plan"}
	s.Executed, s.Request.Title, s.Request.HeadSHA = s.Plan.Digest, "A title", at
	s.Timeline = []v1alpha1.ChangeMoment{{Phase: v1alpha1.ChangeExecuting, At: metav1.NewTime(h.time)}}
	s.Claims = nil
	for _, n := range names {
		ref := h.ref(n)
		s.Claims = append(s.Claims, v1alpha1.ChangeClaim{ClaimReference: ref, Digest: h.says(*in, base, at, ref), Before: h.says(*in, base, base, ref), Began: true})
	}
}

// says is the digest of a claim as the planner reads it.
func (h *house) says(in Input, base, head string, ref v1alpha1.ClaimReference) string {
	h.t.Helper()
	v, err := h.Trees.At(in.Repo, in.spec(), h.ns, base, head)
	must(h.t, err)
	c, ok := v.Merged[ref]
	if !ok {
		return ""
	}
	raw, err := yaml.Marshal(c.Object)
	must(h.t, err)
	set, err := claims.Read(map[string][]byte{"a.yaml": raw}, claims.Options{Namespace: h.ns})
	must(h.t, err)
	return set.Claims[0].Digest
}

func (h *house) ref(name string) v1alpha1.ClaimReference {
	return v1alpha1.ClaimReference{APIVersion: "mainstay.dev/v1alpha1", Kind: "ProductApplication", Namespace: h.ns, Name: name}
}

// locked are claims for a change. It returns the epoch.
func (h *house) locked(in Input, names ...string) int64 {
	h.t.Helper()
	r := lock.Request{Limit: 100}
	for _, n := range names {
		r.Wants = append(r.Wants, lock.Keys([]lock.Target{{Claim: h.ref(n)}})...)
	}
	h.do(h.Executor, in, change.Action{Verb: change.DoLock, Lock: &r})
	return h.place(in).Epoch
}

// renewed locks have another epoch.
func (h *house) renewed(in Input) int64 {
	h.t.Helper()
	p := h.place(in)
	h.do(h.Executor, in, change.Action{Verb: change.DoLock, Lock: &lock.Request{Limit: 100, Wants: p.Wants, Renew: p.Epoch}})
	return h.place(in).Epoch
}

func (h *house) place(in Input) lock.Place {
	h.t.Helper()
	q, err := Queue(h.t.Context(), h.hub)
	must(h.t, err)
	return lock.Look(q, string(in.Change.UID), h.now())
}

func (h *house) do(e *Executor, in Input, a change.Action) {
	h.t.Helper()
	if err := e.Do(h.t.Context(), in, a); err != nil {
		h.t.Fatalf("Do(%s): %v", a.Verb, err)
	}
}

// applying a claim of a change.
func (h *house) applying(in Input, name string, epoch int64) change.Action {
	for _, c := range in.Change.Status.AtProvider.Claims {
		if c.Name == name {
			p := in.Change.Status.AtProvider.Plan
			return change.Action{Verb: change.DoApply, Epoch: epoch, Claim: c.ClaimReference, Digest: c.Digest, Before: c.Before, Head: p.HeadSHA, Base: p.BaseSHA}
		}
	}
	h.t.Fatalf("there is no claim %s", name)
	return change.Action{}
}

// back is the Action that takes a claim back.
func (h *house) back(in Input, name string, epoch int64) change.Action {
	a := h.applying(in, name, epoch)
	a.Digest, a.Before, a.Head, a.Back = a.Before, a.Digest, "", true
	return a
}

// app as the hub has it, or nil.
func (h *house) app(name string) *unstructured.Unstructured {
	h.t.Helper()
	u, err := h.claim(h.t.Context(), h.ref(name))
	must(h.t, err)
	return u
}

// image of the only component of an application on the hub, or "" where it is not there.
func (h *house) image(name string) string {
	h.t.Helper()
	u := h.app(name)
	if u == nil {
		return ""
	}
	components, _, _ := unstructured.NestedSlice(u.Object, "spec", "components")
	image, _, _ := unstructured.NestedString(components[0].(map[string]any), "properties", "image")
	return image
}

func (h *house) granted(name string) *v1alpha1.ClaimGrantSpec {
	h.t.Helper()
	g, err := h.grantOf(h.t.Context(), h.ref(name))
	must(h.t, err)
	return specOf(g)
}

// edit an application by hand, with some other tool.
func (h *house) edit(name string, edit func(*unstructured.Unstructured)) {
	h.t.Helper()
	u := h.app(name)
	edit(u)
	must(h.t, h.Update(h.t.Context(), u, client.FieldOwner("kubectl-edit")))
}

func (h *house) setImage(name, image string) {
	h.t.Helper()
	h.edit(name, func(u *unstructured.Unstructured) {
		components, _, _ := unstructured.NestedSlice(u.Object, "spec", "components")
		must(h.t, unstructured.SetNestedField(components[0].(map[string]any), image, "properties", "image"))
		must(h.t, unstructured.SetNestedSlice(u.Object, components, "spec", "components"))
	})
}

// byHand applies a manifest as kubectl does.
func (h *house) byHand(manifest string) {
	h.t.Helper()
	u := &unstructured.Unstructured{}
	must(h.t, yaml.Unmarshal([]byte(manifest), u))
	u.SetNamespace(h.ns)
	must(h.t, h.Create(h.t.Context(), u, client.FieldOwner("kubectl-client-side-apply")))
}

// application as a file of a repository has it.
func application(name, image string, more ...string) string {
	out := fmt.Sprintf("apiVersion: mainstay.dev/v1alpha1\nkind: ProductApplication\nmetadata: {name: %s}\nspec:\n  components: [{name: web, type: webservice, properties: {image: %s}}]\n", name, image)
	for _, m := range more {
		out += m
	}
	return out
}

func digestOfLive(t *testing.T, u *unstructured.Unstructured) string {
	t.Helper()
	d, err := digestOf(u)
	must(t, err)
	return d
}
