package kubeconfig_test

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/mainstay-dev/mainstay/provider/backend"
	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/backend/kubeconfig"
	"github.com/mainstay-dev/mainstay/provider/backend/local/controlplane"
)

func TestConformance(t *testing.T) {
	planes := start(t, 2)
	backendtest.Run(t, backendtest.Harness{
		New: func(*testing.T) backend.Backend { return kubeconfig.New() },
		Cluster: func(t *testing.T, i int) backend.Cluster {
			t.Helper()
			b, err := planes[i].Kubeconfig()
			if err != nil {
				t.Fatalf("Cannot get kubeconfig of cluster %d: %v", i, err)
			}
			return backend.Cluster{Namespace: "team", Name: "eu-" + strconv.Itoa(i), Kubeconfig: b}
		},
		Kill: func(t *testing.T, i int) {
			t.Helper()
			if err := planes[i].Stop(t.Context()); err != nil {
				t.Fatalf("Cannot stop cluster %d: %v", i, err)
			}
		},
		Revive: func(t *testing.T, i int) {
			t.Helper()
			if err := planes[i].WaitReady(t.Context()); err != nil {
				t.Fatalf("Cannot start cluster %d: %v", i, err)
			}
		},
		OtherVersion: "v1.34.1",
	})
}

// start clusters that are somebody else's.
func start(t *testing.T, n int) []*controlplane.ControlPlane {
	t.Helper()
	bin, dir := backendtest.Binaries(t), t.TempDir()
	etcd := controlplane.NewEtcd(filepath.Join(dir, "etcd"), bin)
	t.Cleanup(func() {
		if err := etcd.Destroy(context.Background()); err != nil {
			t.Errorf("Cannot destroy etcd: %v", err)
		}
	})
	out := make([]*controlplane.ControlPlane, n)
	for i := range out {
		name := strconv.Itoa(i)
		out[i] = controlplane.New(controlplane.Config{
			Name:     name,
			Dir:      filepath.Join(dir, name),
			Binaries: bin,
			Etcd:     etcd,
			Prefix:   "/" + name,
		})
		t.Cleanup(func() {
			if err := out[i].Discard(context.Background()); err != nil {
				t.Errorf("Cannot discard cluster: %v", err)
			}
		})
		if err := out[i].WaitReady(t.Context()); err != nil {
			t.Fatalf("Cannot start cluster: %v", err)
		}
	}
	return out
}

// secret is in every kubeconfig, and in nothing that is shown.
const secret = "s3cr3t"

func TestKubeconfig(t *testing.T) {
	type want struct {
		state backend.ClusterState
		// ensure is what EnsureCluster refuses it with, if it does.
		ensure string
	}
	refused := func(why string) want {
		m := "kubeconfig cannot be used: " + why
		return want{state: backend.ClusterState{Exists: true, Message: m}, ensure: "kubeconfigSecretRef: " + m}
	}
	cases := map[string]struct {
		reason     string
		kubeconfig []byte
		want       want
	}{
		"None": {
			reason: "Without a kubeconfig there is no cluster, and the user is told what is missing.",
			want:   want{ensure: "kubeconfigSecretRef: this backend adopts existing clusters and needs the kubeconfig of one"},
		},
		"Garbage": {
			reason:     "What cannot be read is refused, and not quoted.",
			kubeconfig: []byte("\t" + secret + ": ["),
			want:       refused("it is not a kubeconfig in YAML or JSON"),
		},
		"NoCurrentContext": {
			reason:     "Which of several clusters is meant is not guessed.",
			kubeconfig: write(t, func(c *clientcmdapi.Config) { c.CurrentContext = "" }),
			want:       refused("its current-context names no context"),
		},
		"Exec": {
			reason: "A program of the kubeconfig's choice would run as the provider.",
			kubeconfig: write(t, func(c *clientcmdapi.Config) {
				c.AuthInfos["u"] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{Command: "sh", Args: []string{secret}}}
			}),
			want: refused("its user runs a program (exec): use a token or client-certificate-data"),
		},
		"AuthProvider": {
			reason: "A provider of credentials may run programs too.",
			kubeconfig: write(t, func(c *clientcmdapi.Config) {
				c.AuthInfos["u"] = &clientcmdapi.AuthInfo{AuthProvider: &clientcmdapi.AuthProviderConfig{Name: "gcp"}}
			}),
			want: refused("its user names an auth-provider: use a token or client-certificate-data"),
		},
		"TokenFile": {
			reason:     "A file of the provider would be sent to a server of the kubeconfig's choice.",
			kubeconfig: write(t, func(c *clientcmdapi.Config) { c.AuthInfos["u"].TokenFile = "/etc/passwd" }),
			want:       refused("its user names a file in tokenFile: use token"),
		},
		"CertificateAuthorityFile": {
			reason:     "Files of the provider are not the kubeconfig's to name.",
			kubeconfig: write(t, func(c *clientcmdapi.Config) { c.Clusters["c"].CertificateAuthority = "/etc/passwd" }),
			want:       refused("its cluster names a file in certificate-authority: use certificate-authority-data"),
		},
		"ClientKeyFile": {
			reason:     "Files of the provider are not the kubeconfig's to name.",
			kubeconfig: write(t, func(c *clientcmdapi.Config) { c.AuthInfos["u"].ClientKey = "/etc/passwd" }),
			want:       refused("its user names a file in client-key: use client-key-data"),
		},
		"Insecure": {
			reason:     "Administrator's credentials go to nobody whose certificate is not checked.",
			kubeconfig: write(t, func(c *clientcmdapi.Config) { c.Clusters["c"].InsecureSkipTLSVerify = true }),
			want:       refused("its cluster sets insecure-skip-tls-verify: use certificate-authority-data"),
		},
		"PointsNowhere": {
			reason:     "A server that does not answer is a state and not an error.",
			kubeconfig: write(t, nil),
			want: want{state: backend.ClusterState{
				Exists:     true,
				UpToDate:   true,
				Endpoint:   "https://127.0.0.1:1",
				Kubeconfig: small(t),
				Message:    "the API server does not answer",
			}},
		},
		"MoreThanIsNeeded": {
			reason: "Other contexts, and what their users run, are not handed on.",
			kubeconfig: write(t, func(c *clientcmdapi.Config) {
				c.Contexts["other"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "other"}
				c.AuthInfos["other"] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{Command: "sh"}}
				c.Contexts["x"].Namespace = "kube-system"
			}),
			want: want{state: backend.ClusterState{
				Exists:     true,
				UpToDate:   true,
				Endpoint:   "https://127.0.0.1:1",
				Kubeconfig: small(t),
				Message:    "the API server does not answer",
			}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := kubeconfig.New()
			c := backend.Cluster{Namespace: "team", Name: "eu", Kubeconfig: tc.kubeconfig}
			state, err := b.ObserveCluster(t.Context(), c)
			if err != nil {
				t.Fatalf("\n%s\nObserveCluster(...): %v", tc.reason, err)
			}
			got := want{state: state}
			if err := b.EnsureCluster(t.Context(), c); err != nil {
				got.ensure = err.Error()
				if !backend.IsInvalid(err) {
					t.Errorf("\n%s\nEnsureCluster(...): want an InvalidError, got %v", tc.reason, err)
				}
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
			if strings.Contains(state.Message+got.ensure, secret) {
				t.Errorf("\n%s\nThe secret is shown: %q, %q", tc.reason, state.Message, got.ensure)
			}
		})
	}
}

// TestLetGo tells the life of an adopted cluster that cannot be reached.
func TestLetGo(t *testing.T) {
	b := kubeconfig.New()
	c := backend.Cluster{Namespace: "team", Name: "eu", Kubeconfig: write(t, nil)}
	exists := func() bool {
		s, err := b.ObserveCluster(t.Context(), c)
		if err != nil {
			t.Fatalf("ObserveCluster(...): %v", err)
		}
		return s.Exists
	}
	got := []bool{exists()}
	if err := b.DeleteCluster(t.Context(), c); err != nil {
		t.Fatalf("DeleteCluster(...): %v", err)
	}
	got = append(got, exists())
	if err := b.EnsureCluster(t.Context(), c); err != nil {
		t.Fatalf("EnsureCluster(...): %v", err)
	}
	got = append(got, exists())
	if diff := cmp.Diff([]bool{true, false, true}, got); diff != "" {
		t.Errorf("Exists before it is let go, after, and when it is asked for again: -want, +got:\n%s", diff)
	}
}

// write a kubeconfig that would do, changed. Nothing listens where it points to.
func write(t *testing.T, change func(*clientcmdapi.Config)) []byte {
	t.Helper()
	c := clientcmdapi.NewConfig()
	c.Clusters["c"] = &clientcmdapi.Cluster{Server: "https://127.0.0.1:1"}
	c.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: secret}
	c.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	c.CurrentContext = "x"
	if change != nil {
		change(c)
	}
	b, err := clientcmd.Write(*c)
	if err != nil {
		t.Fatalf("Cannot write kubeconfig: %v", err)
	}
	return b
}

// small is what is handed on of every kubeconfig that write returns.
func small(t *testing.T) []byte {
	t.Helper()
	c := clientcmdapi.NewConfig()
	c.Clusters["eu"] = &clientcmdapi.Cluster{Server: "https://127.0.0.1:1"}
	c.AuthInfos["eu"] = &clientcmdapi.AuthInfo{Token: secret}
	c.Contexts["eu"] = &clientcmdapi.Context{Cluster: "eu", AuthInfo: "eu"}
	c.CurrentContext = "eu"
	b, err := clientcmd.Write(*c)
	if err != nil {
		t.Fatalf("Cannot write kubeconfig: %v", err)
	}
	return b
}
