package simulator

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/mainstay-dev/mainstay/provider/backend/simulated/apiserver"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/workload"
)

// A Cluster is what a simulator says of one.
type Cluster struct {
	// Version of Kubernetes.
	Version string `json:"version,omitempty"`
	// Token of its administrator.
	Token string `json:"token,omitempty"`
	// Endpoint of its API server.
	Endpoint string `json:"endpoint,omitempty"`
}

// A Client makes clusters in a simulator, and breaks them.
type Client struct {
	access    Access
	transport http.RoundTripper
}

const callTimeout = 10 * time.Second

// NewClient returns a client. It does not connect yet.
func NewClient(a Access) (*Client, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(a.CA) {
		return nil, fmt.Errorf("cannot use certificate of simulator")
	}
	return &Client{access: a, transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16,
	}}, nil
}

// Get a cluster. It is nil where there is none.
func (c *Client) Get(ctx context.Context, namespace, name string) (*Cluster, error) {
	out := &Cluster{}
	found, err := c.call(ctx, http.MethodGet, path(namespace, name), nil, out)
	if err != nil || !found {
		return nil, err
	}
	return out, nil
}

// Ensure that a cluster exists and is of a version. Empty is any.
func (c *Client) Ensure(ctx context.Context, namespace, name, version string) error {
	_, err := c.call(ctx, http.MethodPut, path(namespace, name), Cluster{Version: version}, nil)
	return err
}

// Delete a cluster. That there is none is no error.
func (c *Client) Delete(ctx context.Context, namespace, name string) error {
	_, err := c.call(ctx, http.MethodDelete, path(namespace, name), nil, nil)
	return err
}

// SetFaults of a cluster, in place of those it has. It returns false where there is no
// such cluster.
func (c *Client) SetFaults(ctx context.Context, namespace, name string, f Faults) (bool, error) {
	return c.call(ctx, http.MethodPut, path(namespace, name)+"/faults", f, nil)
}

// SetScript by which the workloads of a cluster behave, in place of the one it has.
func (c *Client) SetScript(ctx context.Context, namespace, name string, rules []workload.Rule) (bool, error) {
	return c.call(ctx, http.MethodPut, path(namespace, name)+"/script", rules, nil)
}

// Audit is what clients changed on a cluster since the simulator started, in order. It is
// empty where the simulator keeps no record.
func (c *Client) Audit(ctx context.Context, namespace, name string) ([]apiserver.Entry, error) {
	var out []apiserver.Entry
	_, err := c.call(ctx, http.MethodGet, path(namespace, name)+"/audit", nil, &out)
	return out, err
}

// Statistics of the simulator.
func (c *Client) Statistics(ctx context.Context) (Statistics, error) {
	out := Statistics{}
	_, err := c.call(ctx, http.MethodGet, "statistics", nil, &out)
	return out, err
}

// Config to reach a cluster. All clusters share one connection.
func (c *Client) Config(cl *Cluster) *rest.Config {
	return &rest.Config{Host: cl.Endpoint, BearerToken: cl.Token, Transport: c.transport, QPS: -1}
}

// Kubeconfig of a cluster, for its administrator. Secret.
func (c *Client) Kubeconfig(name string, cl *Cluster) ([]byte, error) {
	out := clientcmdapi.NewConfig()
	out.Clusters[name] = &clientcmdapi.Cluster{Server: cl.Endpoint, CertificateAuthorityData: c.access.CA}
	out.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: cl.Token}
	out.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	out.CurrentContext = name
	b, err := clientcmd.Write(*out)
	if err != nil {
		return nil, fmt.Errorf("cannot write kubeconfig: %w", err)
	}
	return b, nil
}

// call the simulator. It returns false where it knows no such cluster.
func (c *Client) call(ctx context.Context, method, path string, in, out any) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return false, fmt.Errorf("cannot encode request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, "https://"+c.access.Address+makerPath+path, body)
	if err != nil {
		return false, fmt.Errorf("cannot make request: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+c.access.Token)
	rsp, err := (&http.Client{Transport: c.transport}).Do(r)
	if err != nil {
		return false, fmt.Errorf("cannot reach the simulator of clusters: it does not answer")
	}
	defer rsp.Body.Close() //nolint:errcheck // It was only read.
	switch {
	case rsp.StatusCode == http.StatusNotFound:
		return false, nil
	case rsp.StatusCode != http.StatusOK:
		b, _ := io.ReadAll(io.LimitReader(rsp.Body, 4096))
		return false, fmt.Errorf("cannot use the simulator of clusters: %s: %s", rsp.Status, b)
	}
	if out == nil {
		return true, nil
	}
	if err := json.NewDecoder(rsp.Body).Decode(out); err != nil {
		return false, fmt.Errorf("cannot read answer of the simulator: %w", err)
	}
	return true, nil
}

func path(namespace, name string) string { return "clusters/" + namespace + "/" + name }
