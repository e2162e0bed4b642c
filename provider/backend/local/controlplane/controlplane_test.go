package controlplane_test

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/backend/local/controlplane"
)

const patience = time.Minute

// TestRecovers does to one control plane what can be done to it, one after the
// other. Each time it comes back with what is on it.
func TestRecovers(t *testing.T) {
	w := newWorld(t)
	c := w.plane(t, "a", true)
	w.await(t, c)
	mark(t, c)

	steps := []struct {
		name, reason string
		harm         func(t *testing.T)
		// sameAccess is true where kubeconfigs that were handed out stay good.
		sameAccess bool
	}{
		{
			name: "APIServerIsKilled", reason: "It gets its port back.",
			harm: func(t *testing.T) { t.Helper(); backendtest.Kill(t, w.path("a"), "kube-apiserver") }, sameAccess: true,
		},
		{
			name: "EtcdIsKilled", reason: "What it was told is there again.",
			harm: func(t *testing.T) { t.Helper(); backendtest.Kill(t, w.path("etcd"), "etcd") }, sameAccess: true,
		},
		{
			name: "OthersAreKilled", reason: "No process is forgotten.",
			harm: func(t *testing.T) {
				t.Helper()
				for _, n := range []string{"kube-controller-manager", "kube-scheduler", "kwok"} {
					backendtest.Kill(t, w.path("a"), n)
				}
			}, sameAccess: true,
		},
		{
			name: "SmallFilesAreGarbage", reason: "Files are made again, and who has read the old ones is started again.",
			harm: func(t *testing.T) {
				t.Helper()
				garble(t, w.path("a", "*.pid"), w.path("a", "*.kubeconfig"), w.path("a", "*.csv"), w.path("a", "*.json"), w.path("a", "*.key"))
			},
		},
		{
			name: "CertificatesAreGarbage", reason: "Certificates are made again, those of etcd too.",
			harm: func(t *testing.T) {
				t.Helper()
				garble(t, w.path("a", "pki", "server.crt"), w.path("etcd", "pki", "ca.crt"), w.path("etcd", "*.pid"))
			},
		},
		{
			name: "PortsOfEtcdAreLost", reason: "Etcd moves, and the API server finds it.",
			harm: func(t *testing.T) {
				t.Helper()
				backendtest.Kill(t, w.path("etcd"), "etcd")
				garble(t, w.path("etcd", "ports.json"))
			}, sameAccess: true,
		},
		{
			name: "PortIsTaken", reason: "A port that a stranger has is given up.",
			harm: func(t *testing.T) {
				t.Helper()
				s, err := c.Status(t.Context())
				if err != nil {
					t.Fatalf("Status(...): %v", err)
				}
				if err := c.Stop(t.Context()); err != nil {
					t.Fatalf("Stop(...): %v", err)
				}
				occupy(t, s.Endpoint)
			},
		},
	}
	for _, s := range steps {
		ok := t.Run(s.name, func(t *testing.T) {
			before, err := c.Kubeconfig()
			if err != nil {
				t.Fatalf("Kubeconfig(): %v", err)
			}
			s.harm(t)
			w.await(t, c)
			if !marked(t, c) {
				t.Errorf("%s\nThe objects are gone", s.reason)
			}
			after, err := c.Kubeconfig()
			if err != nil || (string(before) == string(after)) != s.sameAccess {
				t.Errorf("%s\nKubeconfig is the same: want %t, %v", s.reason, s.sameAccess, err)
			}
			file, err := os.ReadFile(c.KubeconfigFile())
			if err != nil || string(file) != string(after) {
				t.Errorf("%s\nKubeconfig's file is another: %v", s.reason, err)
			}
		})
		if !ok {
			return
		}
	}
}

// TestDestroy destroys one of two whose prefixes begin alike.
func TestDestroy(t *testing.T) {
	w := newWorld(t)
	a, ab := w.plane(t, "a", false), w.plane(t, "ab", false)
	for _, c := range []*controlplane.ControlPlane{a, ab} {
		w.await(t, c)
		mark(t, c)
	}
	// Etcd must run for it, and is started.
	backendtest.Kill(t, w.path("etcd"), "etcd")
	for range 2 {
		if err := a.Destroy(t.Context()); err != nil {
			t.Fatalf("Destroy(...): %v", err)
		}
	}
	if s, err := a.Status(t.Context()); err != nil || s.Exists {
		t.Errorf("Status(...) of what was destroyed: exists %t, %v", s.Exists, err)
	}
	w.await(t, a)
	w.await(t, ab)
	if marked(t, a) {
		t.Errorf("A control plane that was destroyed has its objects")
	}
	if !marked(t, ab) {
		t.Errorf("Another control plane has lost its objects")
	}
}

// TestWaitReadyGivesUp says where to look when a process does not stay.
func TestWaitReadyGivesUp(t *testing.T) {
	w := newWorld(t)
	c := controlplane.New(controlplane.Config{
		Name: "bad", Dir: w.path("bad"), Binaries: w.binaries, Etcd: w.etcd, Prefix: "/bad",
		APIServerArgs: []string{"--no-such-flag"},
	})
	t.Cleanup(func() { _ = c.Discard(context.Background()) })
	err := c.WaitReady(t.Context())
	if err == nil || !strings.Contains(err.Error(), "kube-apiserver does not run: see the logs in "+w.path("bad")) {
		t.Errorf("WaitReady(...): got %v", err)
	}
}

// A world is a folder with an etcd.
type world struct {
	dir      string
	binaries string
	etcd     *controlplane.Etcd
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), binaries: backendtest.Binaries(t)}
	w.etcd = controlplane.NewEtcd(w.path("etcd"), w.binaries)
	t.Cleanup(func() {
		if err := w.etcd.Destroy(context.Background()); err != nil {
			t.Errorf("Cannot destroy etcd: %v", err)
		}
	})
	return w
}

func (w *world) path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

func (w *world) plane(t *testing.T, name string, nodes bool) *controlplane.ControlPlane {
	t.Helper()
	c := controlplane.New(controlplane.Config{
		Name: name, Dir: w.path(name), Binaries: w.binaries, Etcd: w.etcd, Prefix: "/" + name, Nodes: nodes,
	})
	t.Cleanup(func() {
		if err := c.Discard(context.Background()); err != nil {
			t.Errorf("Discard(...): %v", err)
		}
	})
	return c
}

func (w *world) await(t *testing.T, c *controlplane.ControlPlane) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.WaitReady(ctx); err != nil {
		t.Fatalf("WaitReady(...): %v", err)
	}
}

func mark(t *testing.T, c *controlplane.ControlPlane) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "mark"}}
	if _, err := client(t, c).CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatalf("Cannot create namespace: %v", err)
	}
}

func marked(t *testing.T, c *controlplane.ControlPlane) bool {
	t.Helper()
	_, err := client(t, c).CoreV1().Namespaces().Get(t.Context(), "mark", metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatalf("Cannot get namespace: %v", err)
	}
	return err == nil
}

func client(t *testing.T, c *controlplane.ControlPlane) kubernetes.Interface {
	t.Helper()
	cfg, err := c.RESTConfig()
	if err != nil {
		t.Fatalf("RESTConfig(): %v", err)
	}
	out, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatalf("Cannot make client: %v", err)
	}
	return out
}

func garble(t *testing.T, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		files, err := filepath.Glob(p)
		if err != nil || len(files) == 0 {
			t.Fatalf("Cannot find %s: %v", p, err)
		}
		for _, f := range files {
			if err := os.WriteFile(f, []byte("\x00garbage"), 0o600); err != nil {
				t.Fatalf("Cannot garble file: %v", err)
			}
		}
	}
}

// occupy a port until the test ends.
func occupy(t *testing.T, endpoint string) {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatalf("Cannot parse endpoint: %v", err)
	}
	l, err := net.Listen("tcp", u.Host)
	if err != nil {
		t.Fatalf("Cannot take port: %v", err)
	}
	t.Cleanup(func() { _ = l.Close() })
}
