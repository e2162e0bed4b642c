package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

// certLifetime is how long certificates are good for. There is no rotation.
const certLifetime = 10 * 365 * 24 * time.Hour

// A pki is a certificate authority, a server's certificate and, where wanted, a
// client's. All are made at once, then the authority's key is forgotten.
type pki struct {
	dir    string
	client bool
}

func (p pki) ca() string         { return filepath.Join(p.dir, "ca.crt") }
func (p pki) serverCert() string { return filepath.Join(p.dir, "server.crt") }
func (p pki) serverKey() string  { return filepath.Join(p.dir, "server.key") }
func (p pki) clientCert() string { return filepath.Join(p.dir, "client.crt") }
func (p pki) clientKey() string  { return filepath.Join(p.dir, "client.key") }

// ensure makes all certificates anew where one cannot be used.
func (p pki) ensure() error {
	if p.usable() {
		return nil
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return fmt.Errorf("cannot make directory of certificates: %w", err)
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot make key: %w", err)
	}
	ca := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "mainstay"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	if err := issue(p.ca(), "", ca, ca, caKey, caKey); err != nil {
		return err
	}
	// An etcd member is a client of itself, with its server's certificate.
	server := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "server"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{"localhost", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.ParseIP(loopback)},
	}
	if err := p.issueLeaf(p.serverCert(), p.serverKey(), server, ca, caKey); err != nil {
		return err
	}
	if !p.client {
		return nil
	}
	client := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "client"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	return p.issueLeaf(p.clientCert(), p.clientKey(), client, ca, caKey)
}

func (p pki) usable() bool {
	pool, err := p.pool()
	if err != nil {
		return false
	}
	ok := verifies(pool, p.serverCert(), p.serverKey())
	if p.client {
		ok = ok && verifies(pool, p.clientCert(), p.clientKey())
	}
	return ok
}

func (p pki) pool() (*x509.CertPool, error) {
	b, err := os.ReadFile(p.ca())
	if err != nil {
		return nil, fmt.Errorf("cannot read certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("cannot read certificate authority: no certificate in file")
	}
	return pool, nil
}

// clientTLS returns how to reach the server as the client.
func (p pki) clientTLS() (*tls.Config, error) {
	pool, err := p.pool()
	if err != nil {
		return nil, err
	}
	cert, err := tls.LoadX509KeyPair(p.clientCert(), p.clientKey())
	if err != nil {
		return nil, fmt.Errorf("cannot load client certificate: %w", err)
	}
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}, nil
}

func verifies(pool *x509.CertPool, certFile, keyFile string) bool {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return false
	}
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}

func (p pki) issueLeaf(certFile, keyFile string, cert, ca *x509.Certificate, caKey *ecdsa.PrivateKey) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot make key: %w", err)
	}
	return issue(certFile, keyFile, cert, ca, key, caKey)
}

// issue writes a certificate and, where a file is given for it, its key.
func issue(certFile, keyFile string, cert, ca *x509.Certificate, key, caKey *ecdsa.PrivateKey) error {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return fmt.Errorf("cannot draw serial number: %w", err)
	}
	cert.SerialNumber = serial
	cert.NotBefore = time.Now().Add(-time.Hour)
	cert.NotAfter = cert.NotBefore.Add(certLifetime)
	der, err := x509.CreateCertificate(rand.Reader, cert, ca, key.Public(), caKey)
	if err != nil {
		return fmt.Errorf("cannot sign certificate: %w", err)
	}
	if keyFile != "" {
		b, err := encodeKey(key)
		if err != nil {
			return err
		}
		if err := statedir.WriteFile(keyFile, b); err != nil {
			return err
		}
	}
	return statedir.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func encodeKey(k *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		return nil, fmt.Errorf("cannot encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}
