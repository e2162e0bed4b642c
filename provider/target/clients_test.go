package target

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func TestConnect(t *testing.T) {
	now := metav1.NewTime(time.Unix(1, 0))
	type want struct {
		ok, notReady, invalid bool
	}
	cases := map[string]struct {
		reason  string
		cluster *v1alpha1.Cluster
		secrets []client.Object
		known   bool // The cluster has been opened before.
		want    want
	}{
		"Connects": {
			reason:  "The Secret is found by the Cluster's name.",
			cluster: cluster("uid"),
			secrets: []client.Object{secret("eu-1.kubeconfig", "uid", write(t, nil))},
			want:    want{ok: true},
		},
		"NamedSecret": {
			reason: "A Cluster may say which Secret its kubeconfig is written to.",
			cluster: func() *v1alpha1.Cluster {
				c := cluster("uid")
				c.SetWriteConnectionSecretToReference(&xpv2.LocalSecretReference{Name: "elsewhere"})
				return c
			}(),
			secrets: []client.Object{secret("elsewhere", "uid", write(t, nil))},
			want:    want{ok: true},
		},
		"NoSecret": {
			reason:  "A cluster that is not made yet is waited for.",
			cluster: cluster("uid"),
			want:    want{notReady: true},
		},
		"EmptySecret": {
			reason:  "A Secret without kubeconfig is one that is not written yet.",
			cluster: cluster("uid"),
			secrets: []client.Object{secret("eu-1.kubeconfig", "uid", nil)},
			want:    want{notReady: true},
		},
		"FormerCluster": {
			reason:  "What is left of a former cluster of the same name leads nowhere.",
			cluster: cluster("uid"),
			secrets: []client.Object{secret("eu-1.kubeconfig", "former", write(t, nil))},
			want:    want{notReady: true},
		},
		"Garbage": {
			reason:  "A kubeconfig that cannot be used is told apart from one that is not there.",
			cluster: cluster("uid"),
			secrets: []client.Object{secret("eu-1.kubeconfig", "uid", []byte("garbage"))},
			want:    want{invalid: true},
		},
		"Forgotten": {
			reason:  "A live cluster that has lost its Secret is not reached by memory.",
			cluster: cluster("uid"),
			known:   true,
			want:    want{notReady: true},
		},
		"Deleted": {
			reason: "A cluster that is being deleted may lose its Secret before it goes, and is remembered until it does.",
			cluster: func() *v1alpha1.Cluster {
				c := cluster("uid")
				c.SetDeletionTimestamp(&now)
				return c
			}(),
			known: true,
			want:  want{ok: true},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := NewClients(fake.NewClientBuilder().WithObjects(tc.secrets...).Build(), clock.RealClock{})
			if tc.known {
				if _, err := c.Open(tc.cluster, write(t, nil)); err != nil {
					t.Fatal(err)
				}
			}
			admin, err := c.Admin(context.Background(), tc.cluster)
			got := want{ok: err == nil && admin != nil, notReady: IsNotReady(err), invalid: IsInvalidKubeconfig(err)}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\nAdmin(...): -want, +got:\n%s\nerror: %v", tc.reason, diff, err)
			}
		})
	}
}

func TestClientsAreKept(t *testing.T) {
	hub := fake.NewClientBuilder().WithObjects(secret("eu-1.kubeconfig", "uid", write(t, nil))).Build()
	now := clocktesting.NewFakePassiveClock(time.Unix(100, 0))
	c, ctx, cr := NewClients(hub, now), context.Background(), cluster("uid")

	first, err := c.Tenant(ctx, cr, "shop")
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Tenant(ctx, cr, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if first != again {
		t.Error("Tenant(...): a client must be kept while its kubeconfig is current")
	}
	other, err := c.Tenant(ctx, cr, "web")
	if err != nil {
		t.Fatal(err)
	}
	if first == other {
		t.Error("Tenant(...): tenants must not share a client")
	}

	changed := secret("eu-1.kubeconfig", "uid", write(t, func(c *clientcmdapi.Config) { c.AuthInfos["u"].Token = "rotated" }))
	if err := hub.Update(ctx, changed); err != nil {
		t.Fatal(err)
	}
	if again, err = c.Tenant(ctx, cr, "shop"); err != nil || first != again {
		t.Errorf("Tenant(...): a kubeconfig that was just read must not be read again, error: %v", err)
	}
	now.SetTime(now.Now().Add(trustFor))
	rotated, err := c.Tenant(ctx, cr, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if first == rotated {
		t.Error("Tenant(...): a client must not outlive its kubeconfig for long")
	}
	if diff := cmp.Diff(1, c.clusters.Len()); diff != "" {
		t.Errorf("Tenant(...): one cluster has one connection: -want, +got:\n%s", diff)
	}
}

func TestIdentity(t *testing.T) {
	var user, group, token string
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, group, token = r.Header.Get("Impersonate-User"), r.Header.Get("Impersonate-Group"), r.Header.Get("Authorization")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer s.Close()
	kubeconfig := write(t, func(c *clientcmdapi.Config) {
		c.Clusters["c"].Server = s.URL
		c.Clusters["c"].CertificateAuthorityData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	})
	c := NewClients(fake.NewClientBuilder().WithObjects(secret("eu-1.kubeconfig", "uid", kubeconfig)).Build(), clock.RealClock{})

	tenant, err := c.Tenant(context.Background(), cluster("uid"), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tenant.Mapper().RESTMapping(schema.GroupKind{Group: "example.org", Kind: "Thing"}); !IsUnauthorized(err) {
		t.Errorf("RESTMapping(...): want unauthorized, got %v", err)
	}
	if diff := cmp.Diff([]string{"", "Bearer s3cret"}, []string{user, token}); diff != "" {
		t.Errorf("What kinds there are is asked as the administrator: -want, +got:\n%s", diff)
	}
	conn, err := c.connection(cluster("uid"), kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	conn.mapper = podMapper()
	conn.targets.Clear()

	cases := map[string]struct {
		reason      string
		connect     func() (Target, error)
		user, group string
	}{
		"Admin": {
			reason:  "The administrator acts as itself.",
			connect: func() (Target, error) { return c.Admin(context.Background(), cluster("uid")) },
		},
		"Tenant": {
			reason:  "A tenant acts under its own name, whatever the kubeconfig may do.",
			connect: func() (Target, error) { return c.Tenant(context.Background(), cluster("uid"), "shop") },
			user:    "mainstay:tenant:shop", group: "mainstay:tenants",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := tc.connect()
			if err != nil {
				t.Fatal(err)
			}
			if err := got.Client().List(context.Background(), &corev1.PodList{}); !IsUnauthorized(err) {
				t.Errorf("\n%s\nList(...): want unauthorized, got %v", tc.reason, err)
			}
			if diff := cmp.Diff([]string{tc.user, tc.group, "Bearer s3cret"}, []string{user, group, token}); diff != "" {
				t.Errorf("\n%s\nheaders: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	block := make(chan struct{})
	slow := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-block:
		case <-r.Context().Done():
		}
	}))
	defer slow.Close()
	defer close(block)

	cases := map[string]struct {
		reason string
		server string
		want   string
	}{
		"Refused": {
			reason: "Nobody listens. The message is the same at every try.",
			server: "https://" + address,
			want:   `cluster "eu-1" is unreachable: connect: connection refused`,
		},
		"Slow": {
			reason: "Nobody answers.",
			server: slow.URL,
			want:   `cluster "eu-1" is unreachable: it did not answer in time`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := &bounded{cluster: types.NamespacedName{Namespace: "ops", Name: "eu-1"}, next: slow.Client().Transport, timeout: 100 * time.Millisecond}
			r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, tc.server, nil)
			if err != nil {
				t.Fatal(err)
			}
			rsp, err := b.RoundTrip(r) //nolint:bodyclose // There should be none.
			if err == nil {
				t.Fatalf("\n%s\nRoundTrip(...): want an error, got %s", tc.reason, rsp.Status)
			}
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" || !IsUnreachable(err) {
				t.Errorf("\n%s\nRoundTrip(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}

	t.Run("CallerGaveUp", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		b := &bounded{next: slow.Client().Transport, timeout: time.Minute}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, slow.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.RoundTrip(r); err == nil || IsUnreachable(err) { //nolint:bodyclose // There is none.
			t.Errorf("RoundTrip(...): a caller that gave up is not the cluster's fault, got %v", err)
		}
	})
}

func cluster(uid types.UID) *v1alpha1.Cluster {
	return &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: "eu-1", UID: uid}}
}

func secret(name string, owner types.UID, kubeconfig []byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: name, OwnerReferences: []metav1.OwnerReference{{
			APIVersion: "m.mainstay.dev/v1alpha1", Kind: "Cluster", Name: "eu-1", UID: owner, Controller: ptr.To(true),
		}}},
		Data: map[string][]byte{KubeconfigKey: kubeconfig},
	}
}

func TestDoubt(t *testing.T) {
	status := http.StatusOK
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	kubeconfig := write(t, func(c *clientcmdapi.Config) {
		c.Clusters["c"].Server = srv.URL
		c.Clusters["c"].CertificateAuthorityData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	})
	cases := map[string]struct {
		reason string
		happen func()
		want   int
	}{
		"Works":        {reason: "While a kubeconfig works it is not read again.", happen: func() {}, want: 1},
		"Forbidden":    {reason: "Who is known but may not do something has the right kubeconfig.", happen: func() { status = http.StatusForbidden }, want: 1},
		"Unauthorized": {reason: "Where nobody is known by it any more there may be another one.", happen: func() { status = http.StatusUnauthorized }, want: 2},
		"Silent":       {reason: "A cluster that does not answer may be somewhere else by now.", happen: srv.Close, want: 2},
	}
	for _, name := range []string{"Works", "Forbidden", "Unauthorized", "Silent"} { // The server stays closed.
		tc := cases[name]
		t.Run(name, func(t *testing.T) {
			status = http.StatusOK
			reads := 0
			hub := fake.NewClientBuilder().
				WithObjects(secret("eu-1.kubeconfig", "uid", kubeconfig)).
				WithInterceptorFuncs(interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
					reads++
					return c.Get(ctx, key, o, opts...)
				}}).Build()
			c, cr := NewClients(hub, clocktesting.NewFakePassiveClock(time.Unix(100, 0))), cluster("uid")
			if _, err := c.Admin(t.Context(), cr); err != nil {
				t.Fatal(err)
			}
			tc.happen()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			v, _ := c.clusters.Get(client.ObjectKeyFromObject(cr))
			if rsp, err := v.(*connection).config.Transport.RoundTrip(r); err == nil {
				_ = rsp.Body.Close()
			}
			if _, err := c.Admin(t.Context(), cr); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, reads); diff != "" {
				t.Errorf("\n%s\nreads of the kubeconfig: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
