package controlplane

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/csv"
	"encoding/pem"
	"fmt"
	"os"
	"slices"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

// An identity is somebody who may talk to the API server.
type identity string

// Identities.
const (
	identityAdmin             identity = "admin"
	identityControllerManager identity = "controller-manager"
	identityScheduler         identity = "scheduler"
	identityKWOK              identity = "kwok"
)

// identities and the user and group each is to the API server, which knows what
// the users of Kubernetes' own programs need. It knows nothing of KWOK, and a role
// for it would guard nothing: whoever reads KWOK's token reads the admin's.
var identities = map[identity]struct{ user, group string }{
	identityAdmin:             {user: "mainstay:admin", group: "system:masters"},
	identityControllerManager: {user: "system:kube-controller-manager"},
	identityScheduler:         {user: "system:kube-scheduler"},
	identityKWOK:              {user: "mainstay:kwok", group: "system:masters"},
}

func kubeconfigFile(id identity) string { return string(id) + ".kubeconfig" }

// Kubeconfig returns a kubeconfig with administrator's rights. It needs no other
// file. Secret.
func (c *ControlPlane) Kubeconfig() ([]byte, error) { return c.kubeconfig(identityAdmin) }

// KubeconfigFile is where EnsureRunning keeps what Kubeconfig returns.
func (c *ControlPlane) KubeconfigFile() string { return c.path(kubeconfigFile(identityAdmin)) }

// RESTConfig returns a client configuration with administrator's rights.
func (c *ControlPlane) RESTConfig() (*rest.Config, error) {
	b, err := c.Kubeconfig()
	if err != nil {
		return nil, err
	}
	cfg, err := clientcmd.RESTConfigFromKubeConfig(b)
	if err != nil {
		return nil, fmt.Errorf("cannot use kubeconfig: %w", err)
	}
	return cfg, nil
}

func (c *ControlPlane) kubeconfig(id identity) ([]byte, error) {
	tokens, err := readTokens(c.path(fileTokens))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(c.pki().ca())
	if err != nil {
		return nil, fmt.Errorf("cannot read certificate authority: %w", err)
	}
	port := c.ports().get(portAPIServer)
	if port == 0 {
		return nil, fmt.Errorf("cannot make kubeconfig: the API server has no port yet")
	}
	cfg := clientcmdapi.NewConfig()
	cfg.Clusters[c.cfg.Name] = &clientcmdapi.Cluster{Server: endpoint(port), CertificateAuthorityData: ca}
	cfg.AuthInfos[string(id)] = &clientcmdapi.AuthInfo{Token: tokens[id]}
	cfg.Contexts[c.cfg.Name] = &clientcmdapi.Context{Cluster: c.cfg.Name, AuthInfo: string(id)}
	cfg.CurrentContext = c.cfg.Name
	b, err := clientcmd.Write(*cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot write kubeconfig: %w", err)
	}
	return b, nil
}

// ensureTokens draws the tokens of all identities where a file does not hold them.
func ensureTokens(path string) error {
	if _, err := readTokens(path); err == nil {
		return nil
	}
	out := &bytes.Buffer{}
	w := csv.NewWriter(out)
	for _, id := range sortedIdentities() {
		token := make([]byte, 32)
		if _, err := rand.Read(token); err != nil {
			return fmt.Errorf("cannot draw token: %w", err)
		}
		i := identities[id]
		row := []string{base64.RawURLEncoding.EncodeToString(token), i.user, string(id)}
		if i.group != "" {
			row = append(row, i.group)
		}
		// A buffer takes everything.
		_ = w.Write(row)
	}
	w.Flush()
	return statedir.WriteFile(path, out.Bytes())
}

func readTokens(path string) (map[identity]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read tokens: %w", err)
	}
	r := csv.NewReader(bytes.NewReader(b))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		// What csv says about a line would hold no token, but why rely on it.
		return nil, fmt.Errorf("cannot read tokens: malformed file")
	}
	out := map[identity]string{}
	for _, row := range rows {
		if len(row) < 3 {
			return nil, fmt.Errorf("cannot read tokens: malformed file")
		}
		id := identity(row[2])
		want := []string{row[0], identities[id].user, row[2]}
		if g := identities[id].group; g != "" {
			want = append(want, g)
		}
		if !slices.Equal(row, want) || len(row[0]) < 43 {
			return nil, fmt.Errorf("cannot read tokens: malformed file")
		}
		out[id] = row[0]
	}
	if len(out) != len(identities) {
		return nil, fmt.Errorf("cannot read tokens: not all are there")
	}
	return out, nil
}

// ensureSigningKey makes the key that service accounts' tokens are signed with,
// where a file does not hold one.
func ensureSigningKey(path string) error {
	if b, err := os.ReadFile(path); err == nil {
		if p, _ := pem.Decode(b); p != nil {
			if _, err := x509.ParseECPrivateKey(p.Bytes); err == nil {
				return nil
			}
		}
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot make signing key: %w", err)
	}
	b, err := encodeKey(k)
	if err != nil {
		return err
	}
	return statedir.WriteFile(path, b)
}

func sortedIdentities() []identity {
	out := make([]identity, 0, len(identities))
	for id := range identities {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// writeChanged leaves a file alone that holds the wanted bytes already.
func writeChanged(path string, data []byte) error {
	if b, err := os.ReadFile(path); err == nil && bytes.Equal(b, data) {
		return nil
	}
	return statedir.WriteFile(path, data)
}
