package simulator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

// accessFile is where a simulator says in its folder how it is reached.
const accessFile = "simulator.json"

// Access is how a simulator is reached. It holds a secret.
type Access struct {
	// Address it listens on, such as 127.0.0.1:40000.
	Address string `json:"address"`
	// CA is the certificate that it shows, in PEM.
	CA []byte `json:"ca"`
	// Token of whoever makes clusters.
	Token string `json:"token"`
}

// ReadAccess reads how the simulator of a folder is reached.
func ReadAccess(dir string) (Access, error) {
	b, err := os.ReadFile(filepath.Join(dir, accessFile))
	if err != nil {
		return Access{}, fmt.Errorf("cannot find a simulator: start one with this folder: %w", err)
	}
	a := Access{}
	if err := json.Unmarshal(b, &a); err != nil {
		return Access{}, fmt.Errorf("cannot read %s: %w", accessFile, err)
	}
	return a, nil
}

// An identity is an access and the key to it.
type identity struct {
	Access

	Key []byte `json:"key"`
}

const identityFile = "identity.json"

// loadIdentity that the folder holds, or make one.
func (s *Simulator) loadIdentity() (identity, error) {
	if s.cfg.State == "" {
		return newIdentity()
	}
	if err := os.MkdirAll(s.cfg.State, 0o700); err != nil {
		return identity{}, fmt.Errorf("cannot make state folder: %w", err)
	}
	b, err := os.ReadFile(filepath.Join(s.cfg.State, identityFile))
	if errors.Is(err, fs.ErrNotExist) {
		return newIdentity()
	}
	if err != nil {
		return identity{}, fmt.Errorf("cannot read identity: %w", err)
	}
	id := identity{}
	if err := json.Unmarshal(b, &id); err != nil {
		return identity{}, fmt.Errorf("cannot read identity: %w", err)
	}
	return id, nil
}

// publish how the simulator is reached.
func (s *Simulator) publish() error {
	if s.cfg.State == "" {
		return nil
	}
	for name, v := range map[string]any{identityFile: s.identity, accessFile: s.identity.Access} {
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("cannot encode identity: %w", err)
		}
		if err := statedir.WriteFile(filepath.Join(s.cfg.State, name), b); err != nil {
			return err
		}
	}
	return nil
}

func newIdentity() (identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return identity{}, fmt.Errorf("cannot make key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return identity{}, fmt.Errorf("cannot draw serial number: %w", err)
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "mainstay simulator"},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return identity{}, fmt.Errorf("cannot sign certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return identity{}, fmt.Errorf("cannot encode key: %w", err)
	}
	return identity{
		Access: Access{CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Token: newToken()},
		Key:    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	}, nil
}

func (id identity) certificate() (tls.Certificate, error) {
	c, err := tls.X509KeyPair(id.CA, id.Key)
	if err != nil {
		return c, fmt.Errorf("cannot use certificate of simulator: %w", err)
	}
	return c, nil
}

// newTLSListener serves HTTP/2, too.
func newTLSListener(l net.Listener, cert tls.Certificate) net.Listener {
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}})
}

func newToken() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // Never fails.
	return hex.EncodeToString(b)
}
