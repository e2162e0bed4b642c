package repository

import (
	"context"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sdk "code.gitea.io/sdk/gitea"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/feature"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/crossplane/crossplane-runtime/v2/pkg/ratelimiter"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/backend/local/controlplane"
	"github.com/mainstay-dev/mainstay/provider/forge/forgetest"
	"github.com/mainstay-dev/mainstay/provider/repo"
	"github.com/mainstay-dev/mainstay/provider/repo/hooks"
	"github.com/mainstay-dev/mainstay/test/gitea"
)

// patience with real programs on a machine that is busy.
const patience = 120 * time.Second

// TestLive runs the controller and the webhooks on a real API server.
func TestLive(t *testing.T) {
	l := newLive(t)
	t.Run("Webhooks", l.webhooks)
	t.Run("Gitea", l.gitea)
}

// A live is a hub, with the controller and a server of webhooks.
type live struct {
	hub   client.Client
	pool  *repo.Pool
	hooks string
}

// webhooks go all the way: the forge is told where to deliver, and what it delivers has
// Changes made and woken long before the next poll.
func (l *live) webhooks(t *testing.T) {
	s := newSite(t)
	l.make(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hook"}, Data: map[string][]byte{"secret": []byte("sixteen letters!")}})
	for _, o := range s.repository("hooked") {
		if r, ok := o.(*v1alpha1.Repository); ok {
			r.Spec.ForProvider.PollInterval = &metav1.Duration{Duration: time.Hour}
			r.Spec.ForProvider.Webhook = &v1alpha1.ForgeWebhook{
				SecretRef: v1alpha1.SecretKeyReference{Name: "hook", Key: "secret"},
				URL:       l.hooks + "/webhooks/" + namespace + "/hooked",
			}
		}
		l.make(t, o)
	}
	l.repository(t, "hooked", func(r *v1alpha1.Repository) bool { return r.GetCondition(xpv2.TypeReady).Status == "True" })

	n := s.propose("first")
	c := l.change(t, "hooked", n)
	if len(c.GetOwnerReferences()) != 1 || c.Spec.ManagementPolicies[0] != xpv2.ManagementActionAll {
		t.Errorf("a Change is of its Repository: got %+v", c)
	}
	l.repository(t, "hooked", func(r *v1alpha1.Repository) bool { return r.Status.AtProvider.Changes.Open == 1 })
	for l.woken(t, c.GetName(), 10*time.Millisecond) {
		// What came of its making.
	}
	s.Say(t, forgetest.Author, n, "/retry")
	if !l.woken(t, c.GetName(), patience) {
		t.Error("a comment wakes the Change")
	}

	// Deleted while nothing is under way: it goes, with what it has.
	r := l.repository(t, "hooked", func(*v1alpha1.Repository) bool { return true })
	if err := l.hub.Delete(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	l.await(t, "Repository to be gone", func() bool {
		return kerrors.IsNotFound(l.hub.Get(t.Context(), client.ObjectKeyFromObject(r), r))
	})
	l.remove(t, "forge")
}

// gitea is a real one: list, make Changes, a token that is replaced, a repository that is gone
// and another that is refused.
func (l *live) gitea(t *testing.T) {
	dir := backendtest.Directory(t, "gitea")
	server, err := gitea.Start(t.Context(), t.TempDir(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	bot, err := server.User(t.Context(), "mainstay", "a password of the bot")
	must(t, err)
	must(t, server.Organization(t.Context(), "ops"))
	url, err := server.Repository(t.Context(), "ops", "claims", map[string]string{"claims/orders.yaml": "kind: ProductApplication\n"}, map[string]string{"mainstay": "admin"})
	must(t, err)
	admin, err := server.Client(t.Context(), server.Token)
	must(t, err)
	propose := func(branch string) int64 {
		must(t, gitea.Commit(admin, "ops", "claims", gitea.Change{Branch: branch, From: "main", Message: branch, Files: map[string]string{"claims/" + branch + ".yaml": "kind: ClusterFleet\n"}}))
		pr, _, err := admin.CreatePullRequest("ops", "claims", sdk.CreatePullRequestOption{Head: branch, Base: "main", Title: branch})
		must(t, err)
		return pr.Index
	}
	first := propose("first")

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "gitea"}, Data: map[string][]byte{"token": []byte("expired")}}
	l.make(t, secret)
	r := &v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "real"}}
	r.Spec.ForProvider = v1alpha1.RepositoryParameters{
		Forge: v1alpha1.ForgeGitea, URL: url, CredentialsSecretRef: v1alpha1.SecretKeyReference{Name: "gitea", Key: "token"},
		PollInterval: &metav1.Duration{Duration: 5 * time.Second},
	}
	l.make(t, r)
	l.repository(t, "real", func(r *v1alpha1.Repository) bool { return r.GetCondition(xpv2.TypeReady).Reason == "TokenRefused" })

	secret.Data["token"] = []byte(bot)
	must(t, l.hub.Update(t.Context(), secret))
	got := l.repository(t, "real", func(r *v1alpha1.Repository) bool { return r.GetCondition(xpv2.TypeReady).Status == "True" })
	branch, _, err := admin.GetRepoBranch("ops", "claims", "main")
	must(t, err)
	if at := got.Status.AtProvider; at.User != "mainstay" || !at.Protected || at.BaseSHA != branch.Commit.ID {
		t.Errorf("user, protection and base are known: got %+v", at)
	}
	l.change(t, "real", first)
	l.change(t, "real", propose("second"))

	// It vanishes, and what is known stays.
	_, err = admin.DeleteRepo("ops", "claims")
	must(t, err)
	got = l.repository(t, "real", func(r *v1alpha1.Repository) bool { return r.GetCondition(xpv2.TypeReady).Reason == "RepositoryGone" })
	if at := got.Status.AtProvider; at.UnreachableSince == nil || at.Changes.Open != 2 || !strings.Contains(at.Message, "its Changes are kept") {
		t.Errorf("what is known stays: got %+v", at)
	}
	l.change(t, "real", first)
}

// change of a merge request, once it is there.
func (l *live) change(t *testing.T, repository string, number int64) *v1alpha1.Change {
	t.Helper()
	c := &v1alpha1.Change{}
	name := fmt.Sprintf("%s-%d", repository, number)
	l.await(t, "Change "+name, func() bool {
		return l.hub.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, c) == nil
	})
	return c
}

// repository once something is true of it.
func (l *live) repository(t *testing.T, name string, ok func(*v1alpha1.Repository) bool) *v1alpha1.Repository {
	t.Helper()
	r := &v1alpha1.Repository{}
	defer func() {
		if t.Failed() {
			t.Logf("Repository %s: %+v", name, r.Status)
		}
	}()
	l.await(t, "Repository "+name, func() bool {
		return l.hub.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, r) == nil && ok(r)
	})
	return r
}

// woken says whether a Change is, within some time.
func (l *live) woken(t *testing.T, name string, within time.Duration) bool {
	t.Helper()
	for {
		select {
		case e := <-l.pool.Changes():
			if e.Object.GetName() == name {
				return true
			}
		case <-time.After(within):
			return false
		}
	}
}

func (l *live) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, patience, true, func(context.Context) (bool, error) { return ok(), nil })
	if err != nil {
		t.Fatalf("waited too long for %s", what)
	}
}

func (l *live) make(t *testing.T, o client.Object) {
	t.Helper()
	must(t, l.hub.Create(t.Context(), o))
}

func (l *live) remove(t *testing.T, secret string) {
	t.Helper()
	must(t, l.hub.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: secret}}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newLive(t *testing.T) *live {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir, bin := t.TempDir(), backendtest.Binaries(t)
	e := controlplane.NewEtcd(filepath.Join(dir, "etcd"), bin)
	c := controlplane.New(controlplane.Config{Name: "hub", Dir: filepath.Join(dir, "hub"), Binaries: bin, Etcd: e, Prefix: "/hub"})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for _, err := range []error{c.Discard(ctx), e.Destroy(ctx)} {
			if err != nil {
				t.Error(err)
			}
		}
	})
	must(t, c.WaitReady(ctx))
	cfg, err := c.RESTConfig()
	must(t, err)
	_, err = envtest.InstallCRDs(cfg, envtest.CRDInstallOptions{Paths: []string{"../../../package/provider/crds"}})
	must(t, err)
	s := runtime.NewScheme()
	must(t, scheme.AddToScheme(s))
	must(t, v1alpha1.AddToScheme(s))

	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: s, Metrics: metricsserver.Options{BindAddress: "0"},
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
	})
	must(t, err)
	out := &live{pool: repo.NewPool(mgr.GetClient(), t.TempDir(), time.Now)}
	out.hub, err = client.New(cfg, client.Options{Scheme: s})
	must(t, err)
	o := controller.DefaultOptions()
	o.MaxConcurrentReconciles, o.GlobalRateLimiter = 5, ratelimiter.NewGlobal(100)
	o.Features.Enable(feature.EnableBetaManagementPolicies)
	must(t, Setup(mgr, o, Deps{Pool: out.pool}))
	front := httptest.NewServer(hooks.New(mgr.GetClient(), out.pool, time.Now, nil, logging.NewNopLogger()))
	t.Cleanup(front.Close)
	out.hooks = front.URL

	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(running) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("mgr.Start(...): %v", err)
		}
	})
	out.make(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	return out
}
