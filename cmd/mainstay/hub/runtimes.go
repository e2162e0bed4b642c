package hub

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/step"
	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

// certificateLife is how long a function's certificate is good for. The hub is not
// meant to live that long.
const certificateLife = 5 * 365 * 24 * time.Hour

// functions by the name of their program, without its prefix.
func functions() []string { return []string{"cluster-fleet", "fleet-cell", "product-application"} }

// startFunctions starts the programs that are in the function packages.
func (h *Hub) startFunctions(ctx context.Context, waiting step.Waiting) error {
	for _, name := range functions() {
		dir := h.path("functions", name)
		if err := h.issueServerCertificate(ctx, dir); err != nil {
			return err
		}
		port, err := h.port(ctx, name)
		if err != nil {
			return err
		}
		program := h.binary("function-" + name)
		spec := process.Spec{
			Dir: dir, Name: "function-" + name, Path: program,
			Args:  []string{"--address=" + address(port), "--tls-certs-dir=" + dir, "--metrics-address="},
			Env:   h.environment(),
			Files: []string{filepath.Join(dir, "tls.crt"), program},
		}
		if err := h.run(ctx, spec, waiting, dial(port)); err != nil {
			return err
		}
	}
	return nil
}

// startProvider starts the program that is in the provider package, with no more
// rights than Crossplane's RBAC manager would give it.
func (h *Hub) startProvider(ctx context.Context, waiting step.Waiting) error {
	kubeconfig, err := h.providerKubeconfig(ctx)
	if err != nil {
		return err
	}
	health, err := h.port(ctx, portProviderHealth)
	if err != nil {
		return err
	}
	metrics, err := h.port(ctx, portProviderMetrics)
	if err != nil {
		return err
	}
	hooks, err := h.port(ctx, portProviderHooks)
	if err != nil {
		return err
	}
	simulated := "--simulated-state=" + h.path("simulated")
	if h.cfg.Simulator {
		if err := h.startSimulator(ctx, waiting); err != nil {
			return err
		}
		simulated = "--simulator=" + h.path("simulator")
	}
	program := h.binary("provider")
	spec := process.Spec{
		Dir: h.path("provider"), Name: "provider", Path: program,
		Args: append([]string{
			"--local-binaries=" + h.cfg.Binaries, "--local-state=" + h.Clusters(), simulated,
			"--health-address=" + address(health), "--metrics-address=" + address(metrics),
			"--mirrors=" + h.path("mirrors"), "--webhook-address=" + address(hooks),
		}, h.cfg.ProviderArgs...),
		Env:   []string{"KUBECONFIG=" + kubeconfig, "POD_NAMESPACE=" + systemNamespace, "HOME=" + h.cfg.State},
		Files: []string{kubeconfig, program},
	}
	url := "http://" + address(health) + "/healthz"
	return h.run(ctx, spec, waiting, func(ctx context.Context) error { return get(ctx, url) })
}

// startSimulator starts the simulator of clusters, which is this very program.
func (h *Hub) startSimulator(ctx context.Context, waiting step.Waiting) error {
	port, err := h.port(ctx, portSimulator)
	if err != nil {
		return err
	}
	program := h.binary("mainstay")
	spec := process.Spec{
		Dir: h.path("simulator"), Name: "simulator", Path: program,
		Args:  append([]string{"simulator", "--state", h.path("simulator"), "--address", address(port)}, h.cfg.SimulatorArgs...),
		Env:   []string{"HOME=" + h.cfg.State},
		Files: []string{program},
	}
	return h.run(ctx, spec, waiting, dial(port))
}

// startRegistry starts the registry, which is this very program.
func (h *Hub) startRegistry(ctx context.Context, waiting step.Waiting) error {
	port, err := h.port(ctx, portRegistry)
	if err != nil {
		return err
	}
	program := h.binary("mainstay")
	spec := process.Spec{
		Dir: h.path("registry"), Name: "registry", Path: program,
		Args:  []string{"registry", "--dir", h.path("registry", "content"), "--address", address(port)},
		Env:   []string{"HOME=" + h.cfg.State},
		Files: []string{program},
	}
	return h.run(ctx, spec, waiting, dial(port))
}

func dial(port int) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address(port))
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// issueServerCertificate makes the certificate that a function shows to Crossplane,
// signed by the authority that Crossplane made for this purpose.
func (h *Hub) issueServerCertificate(ctx context.Context, dir string) error {
	c, err := h.client()
	if err != nil {
		return err
	}
	s := &corev1.Secret{}
	if err := c.Get(ctx, types.NamespacedName{Namespace: systemNamespace, Name: secretCA}, s); err != nil {
		return fmt.Errorf("cannot get authority of Crossplane: %w", err)
	}
	ca, caKey, err := authority(s.Data["tls.crt"], s.Data["tls.key"])
	if err != nil {
		return err
	}
	if signedBy(filepath.Join(dir, "tls.crt"), ca) {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make folder for certificates: %w", err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("cannot make key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return fmt.Errorf("cannot draw serial number: %w", err)
	}
	now := time.Now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "localhost"},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.ParseIP(loopback)},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, &key.PublicKey, caKey)
	if err != nil {
		return fmt.Errorf("cannot sign certificate: %w", err)
	}
	// The certificate comes last: where it is, the rest is there too.
	for _, f := range []struct {
		name string
		data []byte
	}{
		{"ca.crt", s.Data["tls.crt"]},
		{"tls.key", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})},
		{"tls.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})},
	} {
		if err := statedir.WriteFile(filepath.Join(dir, f.name), f.data); err != nil {
			return err
		}
	}
	return nil
}

func authority(cert, key []byte) (*x509.Certificate, *rsa.PrivateKey, error) {
	c, _ := pem.Decode(cert)
	k, _ := pem.Decode(key)
	if c == nil || k == nil {
		return nil, nil, errors.New("cannot read authority of Crossplane: its Secret has no certificate or no key")
	}
	ca, err := x509.ParseCertificate(c.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read authority of Crossplane: %w", err)
	}
	caKey, err := x509.ParsePKCS1PrivateKey(k.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read key of Crossplane's authority: %w", err)
	}
	return ca, caKey, nil
}

// signedBy says whether there is a certificate that an authority signed.
func signedBy(file string, ca *x509.Certificate) bool {
	b, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return false
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	return err == nil && cert.CheckSignatureFrom(ca) == nil && time.Now().Before(cert.NotAfter)
}
