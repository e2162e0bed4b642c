package local_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mainstay-dev/mainstay/provider/backend"
	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/backend/local"
)

// TestDisaster kills all processes of a cluster and garbles all its files. A
// provider that is started then makes it what it was.
func TestDisaster(t *testing.T) {
	state := stateFolder(t)
	c := cluster(0)
	st := await(t, open(t, state), c)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "mark"}}
	if _, err := client(t, st).CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatalf("Cannot create namespace: %v", err)
	}

	for _, p := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"} {
		backendtest.Kill(t, dir(state, 0), p)
	}
	backendtest.Kill(t, filepath.Join(state, "etcd"), "etcd")
	garble(t, dir(state, 0))

	b := open(t, state)
	st = await(t, b, c)
	if _, err := client(t, st).CoreV1().Namespaces().Get(t.Context(), ns.Name, metav1.GetOptions{}); err != nil {
		t.Errorf("Cannot get namespace after the disaster: %v", err)
	}

	// Nor need etcd be of any use for the last cluster to go.
	backendtest.Kill(t, filepath.Join(state, "etcd"), "etcd")
	garble(t, filepath.Join(state, "etcd"))
	if err := b.DeleteCluster(t.Context(), c); err != nil {
		t.Errorf("DeleteCluster(...): %v", err)
	}
	nothingLeft(t, state)
}

// TestDeleteWhileStarting leaves nothing of what was begun.
func TestDeleteWhileStarting(t *testing.T) {
	state := stateFolder(t)
	b := open(t, state)
	if err := b.EnsureCluster(t.Context(), cluster(0)); err != nil {
		t.Fatalf("EnsureCluster(...): %v", err)
	}
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		_, err := os.Stat(filepath.Join(dir(state, 0), "kube-apiserver.pid"))
		return err == nil, nil
	})
	if err != nil {
		t.Fatalf("API server is not started: %v", err)
	}
	if err := b.DeleteCluster(t.Context(), cluster(0)); err != nil {
		t.Errorf("DeleteCluster(...): %v", err)
	}
	nothingLeft(t, state)
}

// TestNames refuses names that would lead out of the state folder.
func TestNames(t *testing.T) {
	state := stateFolder(t)
	b := open(t, state)
	cases := map[string]struct {
		reason  string
		cluster backend.Cluster
	}{
		"Up":          {reason: "Names lead nowhere else.", cluster: backend.Cluster{Namespace: "team", Name: ".."}},
		"Path":        {reason: "Names are not paths.", cluster: backend.Cluster{Namespace: "team", Name: "a/b"}},
		"UpNamespace": {reason: "Nor do namespaces lead anywhere.", cluster: backend.Cluster{Namespace: "..", Name: "a"}},
		"Empty":       {reason: "A cluster has a name.", cluster: backend.Cluster{Namespace: "team"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if err := b.EnsureCluster(t.Context(), tc.cluster); !backend.IsInvalid(err) {
				t.Errorf("\n%s\nEnsureCluster(...): want an InvalidError, got %v", tc.reason, err)
			}
			if st, err := b.ObserveCluster(t.Context(), tc.cluster); err != nil || st.Exists {
				t.Errorf("\n%s\nObserveCluster(...): exists %t, %v", tc.reason, st.Exists, err)
			}
			if err := b.DeleteCluster(t.Context(), tc.cluster); err != nil {
				t.Errorf("\n%s\nDeleteCluster(...): %v", tc.reason, err)
			}
		})
	}
	nothingLeft(t, state)
}

// TestNoBinaries says what is missing.
func TestNoBinaries(t *testing.T) {
	b, err := local.New(local.Config{Binaries: t.TempDir(), State: t.TempDir()})
	if err != nil {
		t.Fatalf("New(...): %v", err)
	}
	err = b.EnsureCluster(t.Context(), cluster(0))
	if err == nil || backend.IsInvalid(err) || !strings.Contains(err.Error(), "build the control plane's binaries") {
		t.Errorf("EnsureCluster(...): got %v", err)
	}
}

func await(t *testing.T, b *local.Backend, c backend.Cluster) backend.ClusterState {
	t.Helper()
	last := backend.ClusterState{}
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 90*time.Second, true, func(ctx context.Context) (bool, error) {
		var err error
		if last, err = b.ObserveCluster(ctx, c); err != nil || last.Ready {
			return err == nil, err
		}
		return false, b.EnsureCluster(ctx, c)
	})
	if err != nil {
		t.Fatalf("Cluster does not get ready: %s: %v", last.Message, err)
	}
	return last
}

func client(t *testing.T, st backend.ClusterState) kubernetes.Interface {
	t.Helper()
	cfg, err := clientcmd.RESTConfigFromKubeConfig(st.Kubeconfig)
	if err != nil {
		t.Fatalf("Kubeconfig cannot be used: %v", err)
	}
	c, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatalf("Cannot make client: %v", err)
	}
	return c
}

// garble all files of a folder.
func garble(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		return os.WriteFile(path, []byte("\x00garbage"), 0o600)
	})
	if err != nil {
		t.Fatalf("Cannot garble files: %v", err)
	}
}
