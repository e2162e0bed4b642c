package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/forge"
)

const secretToken = "t0p-s3cret-token"

// A world is a hub with Secrets, and a Pool.
type world struct {
	t     *testing.T
	hub   client.WithWatch
	clock *testingclock.FakePassiveClock
	dir   string
	pool  *Pool
	reads int
	fails error
}

func newWorld(t *testing.T, secrets ...client.Object) *world {
	t.Helper()
	w := &world{t: t, clock: testingclock.NewFakePassiveClock(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)), dir: t.TempDir()}
	w.hub = interceptor.NewClient(fake.NewClientBuilder().WithObjects(secrets...).Build(), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, k client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			w.reads++
			if w.fails != nil {
				return w.fails
			}
			return c.Get(ctx, k, o, opts...)
		},
	})
	w.pool = NewPool(w.hub, w.dir, w.clock.Now)
	return w
}

func (w *world) pass(d time.Duration) { w.clock.SetTime(w.clock.Now().Add(d)) }

func (w *world) open(r *v1alpha1.Repository) *Repo {
	w.t.Helper()
	out, err := w.pool.Open(w.t.Context(), r)
	if err != nil {
		w.t.Fatalf("Open(...): %v", err)
	}
	return out
}

func secret(name, key, value string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Data: map[string][]byte{key: []byte(value)}}
}

func repository(change ...func(*v1alpha1.RepositoryParameters)) *v1alpha1.Repository {
	r := &v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "claims", UID: "uid-1"}}
	r.Spec.ForProvider = v1alpha1.RepositoryParameters{
		Forge: v1alpha1.ForgeGitea, URL: "https://git.example.org/ops/claims",
		CredentialsSecretRef: v1alpha1.SecretKeyReference{Name: "forge", Key: "token"},
	}
	for _, c := range change {
		c(&r.Spec.ForProvider)
	}
	return r
}

func TestProblems(t *testing.T) {
	cases := map[string]struct {
		reason     string
		secrets    []client.Object
		repository *v1alpha1.Repository
		fails      error
		want       Reason
		says       string
	}{
		"NoSecret": {
			reason: "A Secret that is not there is named.", repository: repository(),
			want: NoSecret, says: `spec.forProvider.credentialsSecretRef: there is no Secret "forge" in namespace "shop"`,
		},
		"OtherNamespace": {
			reason: "A Secret of another namespace is nobody's here.", repository: repository(),
			secrets: []client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "forge"}, Data: map[string][]byte{"token": []byte(secretToken)}}},
			want:    NoSecret, says: `there is no Secret "forge" in namespace "shop"`,
		},
		"WrongKey": {
			reason: "So is a key that it has not.", repository: repository(), secrets: []client.Object{secret("forge", "password", secretToken)},
			want: NoSecret, says: `Secret "forge" has no key "token", or it is empty`,
		},
		"Empty": {
			reason: "Nothing is no token.", repository: repository(), secrets: []client.Object{secret("forge", "token", " \n")},
			want: NoSecret, says: `has no key "token", or it is empty`,
		},
		"NoCA": {
			reason: "The other Secret is named as well.",
			repository: repository(func(p *v1alpha1.RepositoryParameters) {
				p.CASecretRef = &v1alpha1.SecretKeyReference{Name: "ca", Key: "crt"}
			}),
			secrets: []client.Object{secret("forge", "token", secretToken)},
			want:    NoSecret, says: "spec.forProvider.caSecretRef: there is no Secret",
		},
		"BadCA": {
			reason: "What is no certificate is refused.",
			repository: repository(func(p *v1alpha1.RepositoryParameters) {
				p.CASecretRef = &v1alpha1.SecretKeyReference{Name: "ca", Key: "crt"}
			}),
			secrets: []client.Object{secret("forge", "token", secretToken), secret("ca", "crt", "not PEM")},
			want:    Invalid, says: "give certificates in PEM",
		},
		"BadURL": {
			reason:     "So is an address that is of no repository.",
			repository: repository(func(p *v1alpha1.RepositoryParameters) { p.URL = "https://git.example.org/claims" }),
			secrets:    []client.Object{secret("forge", "token", secretToken)},
			want:       Invalid, says: "names no repository",
		},
		"OddForge": {
			reason:     "And a forge that there is not.",
			repository: repository(func(p *v1alpha1.RepositoryParameters) { p.Forge = "sourcehut" }),
			secrets:    []client.Object{secret("forge", "token", secretToken)},
			want:       Invalid, says: "spec.forProvider.forge",
		},
		"HubDown": {
			reason: "A hub that does not answer is no fault of the Repository.", repository: repository(),
			fails: errors.New("boom"), says: "boom",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.secrets...)
			w.fails = tc.fails
			_, err := w.pool.Open(t.Context(), tc.repository)
			if err == nil || ReasonOf(err) != tc.want || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("\n%s\nOpen(...): want %q with %q, got %q: %v", tc.reason, tc.want, tc.says, ReasonOf(err), err)
			}
			if strings.Contains(fmt.Sprintf("%+v", err), secretToken) {
				t.Errorf("Open(...): an error shows the token: %v", err)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	w := newWorld(t, secret("forge", "token", secretToken))
	r := repository()
	first := w.open(r)
	first.Is("bot")
	first.Saw(Poll{At: w.clock.Now(), Open: map[int64]forge.MergeRequest{7: {Number: 7}}})

	again := w.open(r)
	if again.Forge != first.Forge || again.Mirror != first.Mirror || again.Self != "bot" {
		t.Errorf("Whoever opens a Repository gets the same forge and mirror, and knows whose the token is: got %+v", again)
	}
	if p, ok := again.Seen(); !ok || len(p.Open) != 1 {
		t.Errorf("What a poll found is seen by all: got %+v, %t", p, ok)
	}
	if w.reads != 1 {
		t.Errorf("A Secret is read once for all who open it in a moment: got %d reads", w.reads)
	}

	s := secret("forge", "token", "another-token")
	if err := w.hub.Update(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	w.pass(secretsFresh + time.Second)
	replaced := w.open(r)
	if replaced.Forge == first.Forge || replaced.Mirror != first.Mirror || replaced.Self != "" {
		t.Error("Another token is another forge, and maybe another user, on the same mirror")
	}
	if got := string(replaced.Forge.CloneAccess().Password); got != "another-token" {
		t.Errorf("The new token is used: got %q", got)
	}
	if _, ok := replaced.Seen(); !ok {
		t.Error("What was known is not lost with the token")
	}
	first.Is("somebody who is late")
	if got := w.open(r).Self; got != "" {
		t.Errorf("The user of the old token is not that of the new one: got %q", got)
	}

	if err := w.hub.Delete(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	w.pass(secretsFresh + time.Second)
	if _, err := w.pool.Open(t.Context(), r); ReasonOf(err) != NoSecret {
		t.Errorf("Open(...): a token that was taken away is not used: got %v", err)
	}
	before := w.reads
	_, _ = w.pool.Open(t.Context(), r)
	if w.reads != before {
		t.Error("That there is none is not asked for again at once")
	}
}

func TestClose(t *testing.T) {
	w := newWorld(t, secret("forge", "token", secretToken))
	r, other := repository(), repository()
	other.SetUID("uid-10")
	first := w.open(r)
	w.open(other)
	w.pool.Close(r.GetUID())
	w.pool.Close("")
	if _, err := os.Stat(filepath.Join(w.dir, "uid-1")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("What a Repository had on disk goes with it: got %v", err)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "uid-10")); err != nil {
		t.Errorf("What another has stays: %v", err)
	}
	if again := w.open(r); again.Forge == first.Forge {
		t.Error("A Repository that is opened again begins anew")
	}
	nobody := repository()
	nobody.SetUID("")
	if _, err := w.pool.Open(t.Context(), nobody); ReasonOf(err) != Invalid {
		t.Errorf("Open(...): one without a uid has no place of its own: got %v", err)
	}
}

func TestWebhookSecret(t *testing.T) {
	w := newWorld(t, secret("hook", "secret", "sixteen letters!\n"))
	if _, err := w.pool.WebhookSecret(t.Context(), repository()); ReasonOf(err) != NoSecret {
		t.Errorf("WebhookSecret(...): a Repository without a webhook has no secret: got %v", err)
	}
	r := repository(func(p *v1alpha1.RepositoryParameters) {
		p.Webhook = &v1alpha1.ForgeWebhook{SecretRef: v1alpha1.SecretKeyReference{Name: "hook", Key: "secret"}}
	})
	got, err := w.pool.WebhookSecret(t.Context(), r)
	if diff := cmp.Diff("sixteen letters!", string(got)); diff != "" || err != nil {
		t.Errorf("WebhookSecret(...): %v, -want, +got:\n%s", err, diff)
	}
}

func TestWakes(t *testing.T) {
	w := newWorld(t)
	key := types.NamespacedName{Namespace: "shop", Name: "claims-7"}
	w.pool.WakeChange(key)
	w.pool.WakeChange(key)
	if got := client.ObjectKeyFromObject((<-w.pool.Changes()).Object); got != key {
		t.Errorf("Changes(): want %s, got %s", key, got)
	}
	if !w.pool.ChangeWoken(key) || w.pool.ChangeWoken(key) || w.pool.RepositoryWoken(key) {
		t.Error("ChangeWoken(...): it is said once, of what was woken")
	}
	// Nobody listens, and nobody waits.
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range maxWakes {
				w.pool.WakeRepository(types.NamespacedName{Namespace: "shop", Name: fmt.Sprint(i, n)})
			}
		})
	}
	all.Wait()
	if got := len(w.pool.Repositories()); got != maxWakes {
		t.Errorf("Wakes are bounded: want %d, got %d", maxWakes, got)
	}
}
