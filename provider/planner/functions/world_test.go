package functions_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"
)

const (
	root    = "../../.."
	version = "v1.2.3"
)

var secret = types.NamespacedName{Namespace: "crossplane-system", Name: "crossplane-tls-client"}

// kinds of composites, and the folders of their definitions and Compositions.
var kinds = map[string]string{"XClusterFleet": "clusterfleets", "FleetCell": "fleetcells", "XProductApplication": "productapplications"}

func read(t *testing.T, kind, file string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "apis", kinds[kind], file))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	if err := yaml.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// hubOf the shipped configuration, with functions at endpoints.
func hubOf(t *testing.T, endpoints map[string]string, objects ...client.Object) client.Client {
	t.Helper()
	s := runtime.NewScheme()
	if err := corev1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	for _, gvk := range []schema.GroupVersionKind{
		{Group: "apiextensions.crossplane.io", Version: "v2", Kind: "CompositeResourceDefinition"}, {Group: "apiextensions.crossplane.io", Version: "v1", Kind: "Composition"},
		{Group: "apiextensions.crossplane.io", Version: "v1", Kind: "CompositionRevision"}, {Group: "pkg.crossplane.io", Version: "v1", Kind: "FunctionRevision"},
	} {
		s.AddKnownTypeWithName(gvk, &unstructured.Unstructured{})
		s.AddKnownTypeWithName(gvk.GroupVersion().WithKind(gvk.Kind+"List"), &unstructured.UnstructuredList{})
	}
	b := fake.NewClientBuilder().WithScheme(s).WithObjects(objects...)
	for kind := range kinds {
		d := &unstructured.Unstructured{Object: read(t, kind, "definition.yaml")}
		d.SetAPIVersion("apiextensions.crossplane.io/v2") // It is served as both.
		c := &unstructured.Unstructured{Object: read(t, kind, "composition.yaml")}
		b.WithObjects(d, c, revision(c, 1))
	}
	for name, endpoint := range endpoints {
		b.WithObjects(functionRevision(name, endpoint))
	}
	return b.Build()
}

// revision of a Composition.
func revision(c *unstructured.Unstructured, n int64) *unstructured.Unstructured {
	r := c.DeepCopy()
	r.SetKind("CompositionRevision")
	r.SetName(fmt.Sprintf("%s-%d", c.GetName(), n))
	r.SetLabels(map[string]string{"crossplane.io/composition-name": c.GetName()})
	_ = unstructured.SetNestedField(r.Object, n, "spec", "revision")
	return r
}

func functionRevision(name, endpoint string) *unstructured.Unstructured {
	r := &unstructured.Unstructured{Object: map[string]any{
		"spec":   map[string]any{"desiredState": "Active", "image": "registry.example.org/" + name + ":" + version},
		"status": map[string]any{"endpoint": endpoint},
	}}
	r.SetAPIVersion("pkg.crossplane.io/v1")
	r.SetKind("FunctionRevision")
	r.SetName(name + "-1")
	r.SetLabels(map[string]string{"pkg.crossplane.io/package": name})
	return r
}

// An authority signs certificates of functions, and of who asks them.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

func (a *authority) sign(c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, by := a.cert, a.key
	if parent == nil {
		parent, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return out, key
}

// files of a certificate: what Crossplane has in its Secrets.
func (a *authority) files(use x509.ExtKeyUsage) map[string][]byte {
	a.t.Helper()
	cert, key := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{use},
	})
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return map[string][]byte{
		"ca.crt":  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}),
		"tls.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}),
		"tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}),
	}
}

// folder with files.
func (a *authority) folder(files map[string][]byte) string {
	a.t.Helper()
	dir := a.t.TempDir()
	for name, raw := range files {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return dir
}

func secretOf(files map[string][]byte) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: secret.Namespace, Name: secret.Name}, Data: files}
}

// start a program that serves a function, until the test ends, and wait until it does. It returns
// its port.
func start(t *testing.T, program string, args ...string) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{"--address=127.0.0.1:" + port, "--metrics-address="}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
			return port
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s does not serve: %v", program, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
