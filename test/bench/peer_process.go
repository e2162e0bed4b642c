package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/internal/tenancy"
	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/provider/target"
	"github.com/mainstay-dev/mainstay/test/fleet"
)

// peerPorts are those that the peer listens on and that no flag of it changes: for
// metrics, and for webhooks.
var peerPorts = []string{":8080", ":9443"}

// start the peer on the hub, with a configuration for each cluster.
func (p *peer) start(ctx context.Context) error {
	if err := p.definePeer(ctx); err != nil {
		return err
	}
	if err := p.configure(ctx); err != nil {
		return err
	}
	for _, port := range peerPorts {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", port)
		if err != nil {
			return fmt.Errorf("cannot start provider-kubernetes, which wants port %s: %w", port, err)
		}
		_ = l.Close()
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("cannot find port: %w", err)
	}
	health := l.Addr().String()
	_ = l.Close()
	dir, err := p.certificates()
	if err != nil {
		return err
	}
	// No flag is set that changes what it does: the others are as it ships.
	s := process.Spec{
		Name: procPeer, Dir: p.peerDir(), Path: filepath.Join(p.Binaries, procPeer),
		Args: []string{"--health-probe-bind-addr=" + health},
		Env:  []string{"KUBECONFIG=" + filepath.Join(p.State, "kubeconfig"), "TLS_SERVER_CERTS_DIR=" + dir, "HOME=" + p.State},
	}
	if err := process.Ensure(ctx, s); err != nil {
		return fmt.Errorf("cannot start provider-kubernetes: %w", err)
	}
	began := false // A process that has just begun may not be found yet.
	return p.Await(ctx, "provider-kubernetes", func(ctx context.Context) (bool, error) {
		was := began
		if began = process.Observe(s).Running; was && !began {
			return false, fmt.Errorf("provider-kubernetes has ended: see %s", process.LogFile(s.Dir, s.Name))
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+health+"/readyz", nil)
		if err != nil {
			return false, err
		}
		rsp, err := http.DefaultClient.Do(r)
		if err != nil {
			return false, nil //nolint:nilerr // It has not started yet.
		}
		return rsp.StatusCode == http.StatusOK, rsp.Body.Close()
	})
}

func (p *peer) stop(ctx context.Context) error {
	if err := process.Stop(ctx, p.peerDir(), procPeer); err != nil {
		return fmt.Errorf("cannot stop provider-kubernetes: %w", err)
	}
	return nil
}

func (p *peer) peerDir() string { return filepath.Join(p.State, "peer") }

// definePeer on the hub: the namespaced kinds only. Its controllers of the others wait
// for kinds that never come.
func (p *peer) definePeer(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(p.Binaries, procPeer+".crds", peerGroup+"_*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("cannot find definitions of provider-kubernetes in %s", p.Binaries)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			return fmt.Errorf("cannot read definition: %w", err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(raw, crd); err != nil {
			return fmt.Errorf("cannot read definition: %w", err)
		}
		if err := p.Hub.Create(ctx, crd); err != nil {
			return fmt.Errorf("cannot create definition: %w", err)
		}
	}
	return p.Await(ctx, "the peer's kinds to be served", func(ctx context.Context) (bool, error) {
		configs := objectList()
		configs.SetKind("ClusterProviderConfigList")
		return p.Hub.List(ctx, objectList(), client.InNamespace(fleet.Tenant)) == nil && p.Hub.List(ctx, configs) == nil, nil
	})
}

// certificates of the peer's webhooks, which nobody calls: it does not start without.
func (p *peer) certificates() (string, error) {
	dir := filepath.Join(p.peerDir(), "certificates")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("cannot make folder: %w", err)
	}
	crt, key, err := cert.GenerateSelfSignedCertKey("localhost", nil, nil)
	if err != nil {
		return "", fmt.Errorf("cannot make certificate: %w", err)
	}
	for name, raw := range map[string][]byte{"tls.crt": crt, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			return "", fmt.Errorf("cannot write certificate: %w", err)
		}
	}
	return dir, nil
}

// asTenant is a cluster's kubeconfig for who acts as the tenant there, as Mainstay does.
func asTenant(secret map[string][]byte) (map[string][]byte, error) {
	kc, err := clientcmd.Load(secret[target.KubeconfigKey])
	if err != nil {
		return nil, fmt.Errorf("cannot read kubeconfig: %w", err)
	}
	for _, u := range kc.AuthInfos {
		u.Impersonate, u.ImpersonateGroups = tenancy.User(fleet.Tenant), []string{tenancy.Group}
	}
	raw, err := clientcmd.Write(*kc)
	if err != nil {
		return nil, fmt.Errorf("cannot write kubeconfig: %w", err)
	}
	return map[string][]byte{"kubeconfig": raw}, nil
}
