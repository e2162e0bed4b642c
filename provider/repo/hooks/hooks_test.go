package hooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/forge"
)

const key = "sixteen letters!"

// A pool that knows one secret, and notes who was woken.
type pool struct {
	problem error
	self    string
	woken   []string
}

func (p *pool) WebhookSecret(context.Context, *v1alpha1.Repository) (forge.Secret, error) {
	return key, p.problem
}

func (p *pool) Self(types.UID) string { return p.self }

func (p *pool) WakeChange(k types.NamespacedName) { p.woken = append(p.woken, "Change "+k.String()) }

func (p *pool) WakeRepository(k types.NamespacedName) {
	p.woken = append(p.woken, "Repository "+k.String())
}

// A world is a Server on a hub with two Repositories, of which one takes webhooks.
type world struct {
	*Server

	pool  *pool
	clock *testingclock.FakePassiveClock
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	with := func(name string, hook *v1alpha1.ForgeWebhook) client.Object {
		r := &v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name)}}
		r.Spec.ForProvider = v1alpha1.RepositoryParameters{Forge: v1alpha1.ForgeGitea, URL: "https://git.example.org/ops/Claims.git", Webhook: hook}
		return r
	}
	hub := fake.NewClientBuilder().WithScheme(s).WithObjects(with("claims", &v1alpha1.ForgeWebhook{}), with("quiet", nil)).Build()
	w := &world{pool: &pool{self: "mainstay"}, clock: testingclock.NewFakePassiveClock(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))}
	w.Server = New(hub, w.pool, w.clock.Now, nil, logging.NewNopLogger())
	return w
}

// A delivery as Gitea makes it.
type delivery struct {
	method, path, id, body, secret string
}

func (w *world) deliver(d delivery) (int, string) {
	m := hmac.New(sha256.New, []byte(d.secret))
	m.Write([]byte(d.body))
	if d.method == "" {
		d.method = http.MethodPost
	}
	r := httptest.NewRequest(d.method, d.path, strings.NewReader(d.body))
	r.Header.Set("X-Gitea-Delivery", d.id)
	r.Header.Set("X-Gitea-Signature", hex.EncodeToString(m.Sum(nil)))
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	body, _ := io.ReadAll(rec.Result().Body)
	return rec.Code, string(body)
}

const (
	path    = "/webhooks/shop/claims"
	request = `{"number":7,"pull_request":{"number":7},"repository":{"full_name":"ops/claims"}}`
)

// by somebody a request is.
func by(who, request string) string {
	return strings.TrimSuffix(request, "}") + `,"sender":{"login":"` + who + `"}}`
}

func TestDeliveries(t *testing.T) {
	good := delivery{path: path, id: "1", body: request, secret: key}
	both := []string{"Change shop/claims-7", "Repository shop/claims"}
	type want struct {
		Code  int
		Woken []string
	}
	cases := map[string]struct {
		reason  string
		change  func(*delivery)
		problem error
		want    want
	}{
		"Good":      {reason: "A merge request has its Change and its Repository looked at.", change: func(*delivery) {}, want: want{202, both}},
		"Push":      {reason: "A push has the Repository looked at.", change: func(d *delivery) { d.body = `{"ref":"refs/heads/main","repository":{"full_name":"ops/claims"}}` }, want: want{202, both[1:]}},
		"Own":       {reason: "What the provider itself says wakes nobody.", change: func(d *delivery) { d.body = by("mainstay", request) }, want: want{202, nil}},
		"Another's": {reason: "What somebody else says does.", change: func(d *delivery) { d.body = by("ada", request) }, want: want{202, both}},
		"OwnPush": {reason: "A push of the provider's own is news to other Changes.", change: func(d *delivery) {
			d.body = by("mainstay", `{"ref":"refs/heads/main","repository":{"full_name":"ops/claims"}}`)
		}, want: want{202, both[1:]}},
		"Forged":      {reason: "Another secret is no secret.", change: func(d *delivery) { d.secret = "seventeen letters" }, want: want{403, nil}},
		"NotSigned":   {reason: "Nor is none.", change: func(d *delivery) { d.secret = "" }, want: want{403, nil}},
		"TooLarge":    {reason: "More than is read is refused, signed or not.", change: func(d *delivery) { d.body = `{"x":"` + strings.Repeat("a", forge.MaxWebhook) + `"}` }, want: want{403, nil}},
		"NoJSON":      {reason: "So is what is none of the forge's.", change: func(d *delivery) { d.body = "number=7" }, want: want{403, nil}},
		"NoDelivery":  {reason: "What has no id cannot be told from a replay.", change: func(d *delivery) { d.id = "" }, want: want{403, nil}},
		"Other":       {reason: "What is about another repository wakes nobody.", change: func(d *delivery) { d.body = strings.Replace(request, "ops/claims", "ops/other-claims", 1) }, want: want{403, nil}},
		"Suffix":      {reason: "Neither does one whose name only ends the same.", change: func(d *delivery) { d.body = strings.Replace(request, "ops/claims", "s/claims", 1) }, want: want{403, nil}},
		"Unknown":     {reason: "A Repository that is not there takes none.", change: func(d *delivery) { d.path = "/webhooks/shop/other" }, want: want{404, nil}},
		"NoWebhook":   {reason: "Nor does one that asks for none.", change: func(d *delivery) { d.path = "/webhooks/shop/quiet" }, want: want{404, nil}},
		"OddPath":     {reason: "There is nothing else here.", change: func(d *delivery) { d.path = "/webhooks/shop/claims/more" }, want: want{404, nil}},
		"Get":         {reason: "Nothing can be read.", change: func(d *delivery) { d.method = http.MethodGet }, want: want{405, nil}},
		"NoSecret":    {reason: "What cannot be verified is refused.", change: func(*delivery) {}, problem: errors.New("no Secret"), want: want{403, nil}},
		"HugeNumber":  {reason: "A number that none can have is no number.", change: func(d *delivery) { d.body = strings.Replace(request, "7", "99999999999999999999", 1) }, want: want{403, nil}},
		"MinusNumber": {reason: "Nor is one below zero.", change: func(d *delivery) { d.body = strings.ReplaceAll(request, "7", "-7") }, want: want{202, both[1:]}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.pool.problem = tc.problem
			d := good
			tc.change(&d)
			code, body := w.deliver(d)
			if diff := cmp.Diff(tc.want, want{code, w.pool.woken}); diff != "" {
				t.Errorf("\n%s\nServeHTTP(...): -want, +got:\n%s", tc.reason, diff)
			}
			if code == 202 || code == 403 {
				if body != "" {
					t.Errorf("ServeHTTP(...): who delivers is told no more than that: got %q", body)
				}
			}
		})
	}
}

func TestReplay(t *testing.T) {
	w := newWorld(t)
	for i, d := range []delivery{
		{path: path, id: "1", body: request, secret: key},
		{path: path, id: "1", body: request, secret: key},
		{path: path, id: "2", body: request, secret: key},
	} {
		if code, _ := w.deliver(d); code != http.StatusAccepted {
			t.Errorf("delivery %d: want 202, got %d", i, code)
		}
	}
	if len(w.pool.woken) != 2 {
		t.Errorf("What is replayed, also under another id, wakes nobody: got %q", w.pool.woken)
	}
}

func TestFlood(t *testing.T) {
	w := newWorld(t)
	refused := 0
	for i := range 3 * burstRepository {
		if code, _ := w.deliver(delivery{path: path, id: fmt.Sprint(i), body: request, secret: "wrong"}); code == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused != 2*burstRepository {
		t.Errorf("Past %d at once nothing is looked at: got %d refused", burstRepository, refused)
	}
	w.clock.SetTime(w.clock.Now().Add(time.Second))
	if code, _ := w.deliver(delivery{path: path, id: "good", body: request, secret: key}); code != http.StatusAccepted {
		t.Errorf("A second later there is room again: got %d", code)
	}
}

func TestListener(t *testing.T) {
	w := newWorld(t)
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l, ended := &Listener{Handler: w}, make(chan error, 1)
	go func() { ended <- l.Serve(ctx, at) }()
	resp, err := http.Post("http://"+at.Addr().String()+path, "application/json", bytes.NewReader([]byte(request)))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("want 403, got %d", resp.StatusCode)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Serve(...): %v", err)
	}
	if l.NeedLeaderElection() {
		t.Error("Every replica listens")
	}
}
