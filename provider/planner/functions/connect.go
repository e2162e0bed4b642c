package functions

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/mainstay-dev/mainstay/internal/plan/pipeline"
)

const (
	// patience with one call of a function. One that is just being replaced is waited for.
	patience = 20 * time.Second

	// serviceConfig of connections, as Crossplane has it: all replicas take turns, and a call
	// waits until one is there.
	serviceConfig = `{"loadBalancingConfig":[{"round_robin":{}}],"methodConfig":[{"name":[{}],"waitForReady":true}]}`
)

// A certificate to show to functions, and to know them by.
type certificate struct {
	config *tls.Config
	// digest of all of it.
	digest string
}

// read what is there now: it is replaced before it expires.
func (c Certificates) read(ctx context.Context, hub client.Reader) (*certificate, error) {
	files := map[string][]byte{"ca.crt": nil, "tls.crt": nil, "tls.key": nil}
	var where string
	switch {
	case c.Dir != "":
		where = "folder " + c.Dir
		for name := range files {
			raw, err := os.ReadFile(filepath.Join(c.Dir, name))
			if err != nil {
				return nil, fmt.Errorf("cannot read the certificate for functions: %w", err)
			}
			files[name] = raw
		}
	case c.Secret.Name != "":
		where = "Secret " + c.Secret.String()
		s := &corev1.Secret{}
		if err := hub.Get(ctx, c.Secret, s); err != nil {
			return nil, fmt.Errorf("cannot get the certificate for functions: %w", err)
		}
		for name := range files {
			files[name] = s.Data[name]
		}
	default:
		return nil, errors.New("the provider was not told which certificate to show to functions")
	}
	pair, err := tls.X509KeyPair(files["tls.crt"], files["tls.key"])
	if err != nil {
		return nil, fmt.Errorf("cannot use the certificate for functions in %s: %w", where, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(files["ca.crt"]) {
		return nil, fmt.Errorf("cannot use the certificate for functions in %s: ca.crt has none", where)
	}
	sum := sha256.New()
	for _, name := range []string{"ca.crt", "tls.crt", "tls.key"} {
		sum.Write(files[name])
	}
	return &certificate{
		config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{pair}},
		digest: hex.EncodeToString(sum.Sum(nil)),
	}, nil
}

// connections to functions, by their names.
type connections struct {
	mu   sync.Mutex
	open map[string]*connection
}

type connection struct {
	endpoint, certificate string
	conn                  *grpc.ClientConn
}

// at an endpoint: the connection that there is, or a new one where endpoint or certificate moved.
func (c *connections) at(function, endpoint string, certs *certificate) (pipeline.Run, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	had := c.open[function]
	if had == nil || had.endpoint != endpoint || had.certificate != certs.digest {
		conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(credentials.NewTLS(certs.config)), grpc.WithDefaultServiceConfig(serviceConfig))
		if err != nil {
			return nil, fmt.Errorf("cannot reach function %s at %s: %w", function, endpoint, err)
		}
		if had != nil {
			// A plan that is being made with it is made again.
			_ = had.conn.Close()
		}
		had = &connection{endpoint: endpoint, certificate: certs.digest, conn: conn}
		c.open[function] = had
	}
	client := fnv1.NewFunctionRunnerServiceClient(had.conn)
	return func(ctx context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		rsp, err := client.RunFunction(ctx, req)
		if err != nil {
			return nil, fmt.Errorf("cannot ask function %s at %s: %w", function, endpoint, err)
		}
		return rsp, nil
	}, nil
}

// Close all connections.
func (p *Pool) Close() error {
	p.conns.mu.Lock()
	defer p.conns.mu.Unlock()
	var errs []error
	for name, c := range p.conns.open {
		errs = append(errs, c.conn.Close())
		delete(p.conns.open, name)
	}
	return errors.Join(errs...)
}
