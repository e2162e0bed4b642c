// Package fences holds what a real API server has to refuse so that changes are safe.
package fences

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/backend/local/controlplane"
)

const patience = 90 * time.Second

// digest of nothing in particular.
var digest = strings.Repeat("a", 64)

// TestChanges asks a real API server for what it must and must not take of changes.
func TestChanges(t *testing.T) {
	hub := startHub(t)
	ctx := t.Context()
	if err := hub.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}); err != nil {
		t.Fatal(err)
	}

	t.Run("Repository", func(t *testing.T) { repositories(t, hub) })
	t.Run("Change", func(t *testing.T) { commands(t, hub) })
	t.Run("Fences", func(t *testing.T) { fences(t, hub) })
	t.Run("Plan", func(t *testing.T) { plans(t, hub) })
}

func repositories(t *testing.T, hub client.Client) {
	cases := map[string]struct {
		reason string
		change func(*v1alpha1.RepositoryParameters)
		want   string
	}{
		"Plain":           {reason: "The defaults are enough.", change: func(*v1alpha1.RepositoryParameters) {}},
		"Loopback":        {reason: "A forge on this machine needs no certificate.", change: func(p *v1alpha1.RepositoryParameters) { p.URL = "http://127.0.0.1:3000/ops/claims" }},
		"PlainHTTP":       {reason: "A token is not sent in the clear.", change: func(p *v1alpha1.RepositoryParameters) { p.URL = "http://git.example.org/ops/claims" }, want: "url must be https"},
		"LooksLikeLocal":  {reason: "A name that begins like this machine is not it.", change: func(p *v1alpha1.RepositoryParameters) { p.URL = "http://localhost.example.org/ops/claims" }, want: "url must be https"},
		"PasswordInURL":   {reason: "Credentials are in a Secret.", change: func(p *v1alpha1.RepositoryParameters) { p.URL = "https://me:secret@git.example.org/ops/claims" }, want: "spec.forProvider.url"},
		"UnknownForge":    {reason: "There are three.", change: func(p *v1alpha1.RepositoryParameters) { p.Forge = "sourcehut" }, want: "spec.forProvider.forge"},
		"BranchUnnamed":   {reason: "A branch that is moved has a name.", change: func(p *v1alpha1.RepositoryParameters) { p.Delivery.Mode = v1alpha1.DeliverBranch }, want: "branch is for mode branch"},
		"OnePerson":       {reason: "What cannot be taken back takes two.", change: func(p *v1alpha1.RepositoryParameters) { p.Approval.Irreversible = 1 }, want: "spec.forProvider.approval.irreversible"},
		"EmergencyOfNone": {reason: "An emergency that everybody can call is none.", change: func(p *v1alpha1.RepositoryParameters) { p.Emergency = &v1alpha1.EmergencyPolicy{} }, want: "must name users or teams"},
		"PollsTooOften":   {reason: "A forge limits who asks too often.", change: func(p *v1alpha1.RepositoryParameters) { p.PollInterval = &metav1.Duration{Duration: time.Second} }, want: "pollInterval is from 5s"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := &v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "r-" + strings.ToLower(name)}}
			r.Spec.ForProvider = v1alpha1.RepositoryParameters{
				Forge: v1alpha1.ForgeGitea, URL: "https://git.example.org/ops/claims",
				CredentialsSecretRef: v1alpha1.SecretKeyReference{Name: "forge", Key: "token"},
			}
			tc.change(&r.Spec.ForProvider)
			refused(t, hub.Create(t.Context(), r), tc.reason, tc.want)
		})
	}

	r := &v1alpha1.Repository{}
	if err := hub.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "r-plain"}, r); err != nil {
		t.Fatal(err)
	}
	if got := r.Spec.ForProvider; got.BaseBranch != "main" || got.Delivery.Mode != v1alpha1.DeliverDirect || got.MaxExecuting != 100 || got.PollInterval.Duration != time.Minute {
		t.Errorf("a plain Repository must have its defaults, got %+v", got)
	}
	r.Spec.ForProvider.URL = "https://git.example.org/other/claims"
	refused(t, hub.Update(t.Context(), r), "Changes of one repository would become those of another.", "forge and url cannot change")
}

func commands(t *testing.T, hub client.Client) {
	cases := map[string]struct {
		reason string
		change func(*v1alpha1.ChangeParameters)
		want   string
	}{
		"Plain":       {reason: "A merge request is enough.", change: func(*v1alpha1.ChangeParameters) {}},
		"Retry":       {reason: "A command names head, plan and person.", change: func(p *v1alpha1.ChangeParameters) { say(p, v1alpha1.ChangeCommand{Verb: v1alpha1.VerbRetry}) }},
		"NoNumber":    {reason: "Merge requests are counted from 1.", change: func(p *v1alpha1.ChangeParameters) { p.Number = 0 }, want: "spec.forProvider.number"},
		"UnknownVerb": {reason: "What is not understood is not taken.", change: func(p *v1alpha1.ChangeParameters) { say(p, v1alpha1.ChangeCommand{Verb: "merge"}) }, want: "Unsupported value"},
		"NoToken": {reason: "Deletions take the token.", change: func(p *v1alpha1.ChangeParameters) {
			say(p, v1alpha1.ChangeCommand{Verb: v1alpha1.VerbApproveDeletions})
		}, want: "needs the token"},
		"NoReason": {reason: "An emergency has a reason.", change: func(p *v1alpha1.ChangeParameters) { say(p, v1alpha1.ChangeCommand{Verb: v1alpha1.VerbEmergency}) }, want: "needs a reason"},
		"DigestTooWide": {reason: "A word names the plan it is for.", change: func(p *v1alpha1.ChangeParameters) {
			say(p, v1alpha1.ChangeCommand{Verb: v1alpha1.VerbHalt, Digest: "a"})
		}, want: "digest"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := &v1alpha1.Change{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "c-" + strings.ToLower(name)}}
			c.Spec.ForProvider = v1alpha1.ChangeParameters{RepositoryRef: v1alpha1.RepositoryReference{Name: "r-plain"}, Number: 7}
			tc.change(&c.Spec.ForProvider)
			refused(t, hub.Create(t.Context(), c), tc.reason, tc.want)
		})
	}
	c := &v1alpha1.Change{}
	if err := hub.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "c-plain"}, c); err != nil {
		t.Fatal(err)
	}
	c.Spec.ForProvider.Number = 8
	refused(t, hub.Update(t.Context(), c), "Approvals of one merge request would become those of another.", "cannot change")
}

// say a command, with what every command has.
func say(p *v1alpha1.ChangeParameters, c v1alpha1.ChangeCommand) {
	c.ID, c.HeadSHA, c.By, c.At = "1", digest[:40], "zoe", metav1.Now()
	if c.Digest == "" {
		c.Digest = digest
	}
	p.Control = &v1alpha1.ChangeControl{Commands: []v1alpha1.ChangeCommand{c}}
}

// fences that stop an executor which decided from an older state.
func fences(t *testing.T, hub client.Client) {
	g := &v1alpha1.ClaimGrant{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "productapplication.shop"}}
	g.Spec = v1alpha1.ClaimGrantSpec{
		Claim:  v1alpha1.ClaimReference{APIVersion: "mainstay.dev/v1alpha1", Kind: "ProductApplication", Namespace: "shop", Name: "shop"},
		Digest: digest, Change: "shop/claims-41", Epoch: 7,
	}
	if err := hub.Create(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		reason string
		change func(*v1alpha1.ClaimGrantSpec)
		want   string
	}{
		{reason: "The same change in the same epoch may say it again.", change: func(s *v1alpha1.ClaimGrantSpec) { s.Before = digest }},
		{reason: "An executor of an older epoch is refused.", change: func(s *v1alpha1.ClaimGrantSpec) { s.Epoch = 6 }, want: "cannot go back"},
		{reason: "An epoch is given to one change.", change: func(s *v1alpha1.ClaimGrantSpec) { s.Change = "shop/claims-42" }, want: "an epoch is of one change"},
		{reason: "The next epoch takes over.", change: func(s *v1alpha1.ClaimGrantSpec) { s.Change, s.Epoch = "shop/claims-42", 8 }},
		{reason: "The one before is then refused as well.", change: func(s *v1alpha1.ClaimGrantSpec) { s.Change, s.Epoch = "shop/claims-41", 7 }, want: "cannot go back"},
	}
	for _, tc := range cases {
		if err := hub.Get(t.Context(), client.ObjectKeyFromObject(g), g); err != nil {
			t.Fatal(err)
		}
		tc.change(&g.Spec)
		refused(t, hub.Update(t.Context(), g), tc.reason, tc.want)
	}

	q := &v1alpha1.ChangeQueue{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ChangeQueueName}, Spec: v1alpha1.ChangeQueueSpec{Epoch: 3}}
	if err := hub.Create(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	other := q.DeepCopy()
	q.Spec.Epoch = 4
	if err := hub.Update(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	other.Spec.Epoch = 4
	if err := hub.Update(t.Context(), other); !kerrors.IsConflict(err) {
		t.Errorf("of two who give locks at once one must be refused, got %v", err)
	}
	q.Spec.Epoch = 3
	refused(t, hub.Update(t.Context(), q), "An epoch that was given is not given again.", "cannot go back")
}

func plans(t *testing.T, hub client.Client) {
	p := &v1alpha1.Plan{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "claims-7-aaaaaaaaaaaa"}}
	p.Spec = v1alpha1.PlanSpec{Change: "claims-7", Digest: digest, Data: []byte("plan")}
	if err := hub.Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	p.Spec.Digest = strings.Repeat("b", 64)
	refused(t, hub.Update(t.Context(), p), "What was approved does not change.", "immutable")
}

// refused unless nothing is wanted.
func refused(t *testing.T, err error, reason, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s\ngot: %v", reason, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s\nwant %q in the refusal, got: %v", reason, want, err)
	}
}

func startHub(t *testing.T) client.Client {
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
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	cfg, err := c.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := envtest.InstallCRDs(cfg, envtest.CRDInstallOptions{Paths: []string{"../../../package/provider/crds"}}); err != nil {
		t.Fatal(err)
	}
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	hub, err := client.New(cfg, client.Options{Scheme: s})
	if err != nil {
		t.Fatal(err)
	}
	return hub
}
