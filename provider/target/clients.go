package target

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/names"
	"github.com/mainstay-dev/mainstay/internal/tenancy"
	"github.com/mainstay-dev/mainstay/provider/metrics"
)

// KubeconfigKey is the key of a cluster's kubeconfig in its Secret.
const KubeconfigKey = "kubeconfig"

const (
	// maxClusters is the number of clusters that clients are kept for. A fleet of
	// several thousand reconnects now and then; it does not grow without bound.
	maxClusters = 4096
	// maxTenants is the number of tenants of a cluster that clients are kept for.
	maxTenants = 64
	// maxCalls is how many calls one cluster has to answer at a time, to all its clients
	// together. How many it answers in a second is its own affair: one that has too much
	// to do says so, and is given time.
	maxCalls = 16
	// trustFor is how long a kubeconfig is not read again while it works. Whatever shows
	// that it may not be the right one any more ends that at once. So a change to it is
	// noticed within that time at the latest, and reading it is no part of every reconcile.
	trustFor = 30 * time.Second
)

// Clients is the Connector that reads kubeconfigs from the hub and keeps clients.
type Clients struct {
	hub   client.Reader
	clock clock.PassiveClock

	mu       sync.Mutex
	clusters *lru.Cache // of *connection, by types.NamespacedName
}

// NewClients returns a Connector that reads Secrets with the given reader. The reader
// should not cache: Secrets are many, and are not the provider's to remember.
func NewClients(hub client.Reader, c clock.PassiveClock) *Clients {
	return &Clients{
		hub:      hub,
		clock:    c,
		clusters: lru.NewWithEvictionFunc(maxClusters, func(_ lru.Key, v any) { v.(*connection).close() }), //nolint:forcetypeassert // Holds nothing else.
	}
}

// Admin returns a cluster, reached with administrator's rights.
func (c *Clients) Admin(ctx context.Context, cr *v1alpha1.Cluster) (Target, error) {
	conn, err := c.connect(ctx, cr)
	if err != nil {
		return nil, err
	}
	return conn.as(rest.ImpersonationConfig{})
}

// Tenant returns a cluster, reached as the tenant that a namespace on the hub is.
func (c *Clients) Tenant(ctx context.Context, cr *v1alpha1.Cluster, namespace string) (Target, error) {
	conn, err := c.connect(ctx, cr)
	if err != nil {
		return nil, err
	}
	return conn.as(rest.ImpersonationConfig{UserName: tenancy.User(namespace), Groups: []string{tenancy.Group}})
}

// Open returns a cluster, reached with a kubeconfig that is not yet, or no longer, in
// its Secret.
func (c *Clients) Open(cr *v1alpha1.Cluster, kubeconfig []byte) (Target, error) {
	conn, err := c.connection(cr, kubeconfig)
	if err != nil {
		return nil, err
	}
	return conn.as(rest.ImpersonationConfig{})
}

func (c *Clients) connect(ctx context.Context, cr *v1alpha1.Cluster) (*connection, error) {
	if conn := c.trusted(cr); conn != nil {
		return conn, nil
	}
	s := &corev1.Secret{}
	err := c.hub.Get(ctx, types.NamespacedName{Namespace: cr.GetNamespace(), Name: SecretName(cr)}, s)
	if kerrors.IsNotFound(err) || (err == nil && !belongs(s, cr)) {
		return c.remembered(cr)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot get kubeconfig of cluster %q: %w", cr.GetName(), err)
	}
	if len(s.Data[KubeconfigKey]) == 0 {
		return nil, notReady(cr)
	}
	conn, err := c.connection(cr, s.Data[KubeconfigKey])
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	conn.secret, conn.read = s.GetName(), c.clock.Now()
	conn.doubted.Store(false)
	return conn, nil
}

// trusted connection to a cluster, whose kubeconfig was read lately and has worked since.
// It is nil where there is none.
func (c *Clients) trusted(cr *v1alpha1.Cluster) *connection {
	c.mu.Lock()
	defer c.mu.Unlock()

	v, ok := c.clusters.Get(client.ObjectKeyFromObject(cr))
	if !ok {
		return nil
	}
	conn := v.(*connection) //nolint:forcetypeassert // Holds nothing else.
	if conn.uid != cr.GetUID() || conn.secret != SecretName(cr) || conn.doubted.Load() || c.clock.Since(conn.read) >= trustFor {
		return nil
	}
	return conn
}

// remembered connection to a cluster that has lost its Secret. Where a cluster is
// deleted in the foreground its Secret goes before it does, but there may still be
// something to remove from it.
func (c *Clients) remembered(cr *v1alpha1.Cluster) (*connection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()

	if v, ok := c.clusters.Get(client.ObjectKeyFromObject(cr)); ok && cr.GetDeletionTimestamp() != nil {
		if conn := v.(*connection); conn.uid == cr.GetUID() { //nolint:forcetypeassert // Holds nothing else.
			return conn, nil
		}
	}
	return nil, notReady(cr)
}

func (c *Clients) connection(cr *v1alpha1.Cluster, kubeconfig []byte) (*connection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()

	key, digest := client.ObjectKeyFromObject(cr), sha256.Sum256(kubeconfig)
	v, ok := c.clusters.Get(key)
	if ok {
		if conn := v.(*connection); conn.uid == cr.GetUID() && conn.digest == digest { //nolint:forcetypeassert // Holds nothing else.
			return conn, nil
		}
	}

	cfg, err := ParseKubeconfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	conn, err := newConnection(key, cfg)
	if err != nil {
		return nil, err
	}
	conn.uid, conn.digest = cr.GetUID(), digest
	c.clusters.Remove(key)
	c.clusters.Add(key, conn)
	return conn, nil
}

// SecretName returns the name of the Secret that a Cluster's kubeconfig is in.
func SecretName(cr *v1alpha1.Cluster) string {
	if ref := cr.Spec.WriteConnectionSecretToReference; ref != nil && ref.Name != "" {
		return ref.Name
	}
	return names.Kubeconfig(cr.GetName())
}

// belongs is false for a Secret that is left of a former Cluster of the same name, or
// is another's altogether.
func belongs(s *corev1.Secret, cr *v1alpha1.Cluster) bool {
	owner := metav1.GetControllerOf(s)
	return owner == nil || owner.UID == cr.GetUID()
}

func notReady(cr *v1alpha1.Cluster) error {
	return &NotReadyError{Cluster: client.ObjectKeyFromObject(cr), Waits: "its kubeconfig"}
}

// A connection to a cluster, shared by all identities.
type connection struct {
	uid    types.UID
	digest [sha256.Size]byte

	// secret that its kubeconfig was read from, and when. It is doubted once a call has
	// failed in a way that another kubeconfig could mend.
	secret  string
	read    time.Time
	doubted *atomic.Bool

	cluster   types.NamespacedName
	config    *rest.Config
	transport *http.Transport
	mapper    meta.RESTMapper

	mu      sync.Mutex
	targets *lru.Cache // of Target, by user name, which is empty for the administrator.
}

func newConnection(cluster types.NamespacedName, cfg *rest.Config) (*connection, error) {
	t, err := newTransport(cfg)
	if err != nil {
		return nil, invalid("its certificates or key cannot be used")
	}
	doubted := &atomic.Bool{}
	c := &connection{
		doubted:   doubted,
		cluster:   cluster,
		transport: t,
		targets:   lru.New(maxTenants),
		config: &rest.Config{
			Host:           cfg.Host,
			BearerToken:    cfg.BearerToken,
			Username:       cfg.Username,
			Password:       cfg.Password,
			UserAgent:      "mainstay-provider",
			Transport:      &bounded{cluster: cluster, next: t, timeout: callTimeout, slots: make(chan struct{}, maxCalls), doubt: func() { doubted.Store(true) }},
			QPS:            -1,
			WarningHandler: rest.NoWarnings{},
		},
	}
	h, err := rest.HTTPClientFor(c.config)
	if err != nil {
		return nil, fmt.Errorf("cannot make client for cluster %q: %w", cluster.Name, err)
	}
	// What kinds there are is asked as the administrator, once for everybody.
	d, err := discovery.NewDiscoveryClientForConfigAndClient(c.config, h)
	if err != nil {
		return nil, fmt.Errorf("cannot make mapper for cluster %q: %w", cluster.Name, err)
	}
	c.mapper = knowing{RESTMapper: &asking{discovery: d}}
	return c, nil
}

// as returns the target under an identity.
func (c *connection) as(who rest.ImpersonationConfig) (Target, error) {
	c.mu.Lock()
	defer c.mu.Unlock()

	if t, ok := c.targets.Get(who.UserName); ok {
		return t.(Target), nil //nolint:forcetypeassert // Holds nothing else.
	}
	cfg := rest.CopyConfig(c.config)
	cfg.Impersonate = who
	cl, err := client.New(cfg, client.Options{Scheme: scheme.Scheme, Mapper: c.mapper})
	if err != nil {
		return nil, fmt.Errorf("cannot make client for cluster %q: %w", c.cluster.Name, err)
	}
	t := &reached{client: cl, mapper: c.mapper}
	c.targets.Add(who.UserName, t)
	return t, nil
}

func (c *connection) close() {
	c.transport.CloseIdleConnections()
	metrics.Default.Targets.Forget(c.cluster)
}

type reached struct {
	client client.Client
	mapper meta.RESTMapper
}

// Client of the target.
func (r *reached) Client() client.Client { return r.client }

// Mapper of the target.
func (r *reached) Mapper() meta.RESTMapper { return r.mapper }
