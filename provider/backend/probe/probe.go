// Package probe asks an API server whether it can be used. Answers are in words
// that stay the same while the state does, so that they can be shown as status
// without changing it at every look, and that hold nothing a server could have
// put there.
package probe

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/rest"
)

// Timeout is how long an API server may take to answer.
const Timeout = 3 * time.Second

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 64 << 10

var (
	checkName = regexp.MustCompile(`^[a-zA-Z0-9/._-]{1,80}$`)
	gitName   = regexp.MustCompile(`^[a-zA-Z0-9.+_-]{1,64}$`)
)

// Version returns the version of an API server that can be used, such as v1.35.3.
// The error says why it cannot.
func Version(ctx context.Context, cfg *rest.Config) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	if err := Ready(ctx, cfg); err != nil {
		return "", err
	}
	b, err := get(ctx, cfg, "/version")
	if err != nil {
		return "", err
	}
	v := version.Info{}
	if err := json.Unmarshal(b, &v); err != nil || !gitName.MatchString(v.GitVersion) {
		return "", errors.New("what answers does not seem to be a Kubernetes API server")
	}
	return v.GitVersion, nil
}

// Ready returns why an API server cannot be used, or nothing where it can.
func Ready(ctx context.Context, cfg *rest.Config) error {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	_, err := get(ctx, cfg, "/readyz")
	return err
}

func get(ctx context.Context, cfg *rest.Config, path string) ([]byte, error) {
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, errors.New("the kubeconfig's certificates cannot be used")
	}
	// The answer is the server's own, never that of somebody it points to.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(cfg.Host, "/")+path, nil)
	if err != nil {
		return nil, errors.New("the kubeconfig's server is not a URL")
	}
	rsp, err := client.Do(req)
	if err != nil {
		return nil, unreachable(err)
	}
	defer rsp.Body.Close() //nolint:errcheck // It was only read.
	b, err := io.ReadAll(io.LimitReader(rsp.Body, maxAnswer))
	if err != nil {
		return nil, unreachable(err)
	}
	return b, refused(rsp.StatusCode, string(b))
}

// unreachable leaves out what differs from one try to the next, such as ports.
func unreachable(err error) error {
	cert := &tls.CertificateVerificationError{}
	if errors.As(err, &cert) {
		return errors.New("the API server's certificate is not the one that the kubeconfig trusts")
	}
	return errors.New("the API server does not answer")
}

// refused names the checks that fail, from what the API server says about each.
func refused(code int, body string) error {
	switch code {
	case http.StatusOK:
		return nil
	case http.StatusUnauthorized:
		return errors.New("the API server refuses the kubeconfig's credentials")
	case http.StatusForbidden:
		return errors.New("the API server does not let the kubeconfig's user ask whether it is ready")
	}
	var failed []string
	for line := range strings.SplitSeq(body, "\n") {
		if name, ok := strings.CutPrefix(line, "[-]"); ok {
			if name, _, _ = strings.Cut(name, " "); checkName.MatchString(name) {
				failed = append(failed, name)
			}
		}
	}
	if len(failed) == 0 || len(failed) > 3 {
		return errors.New("the API server is not ready")
	}
	return fmt.Errorf("the API server is not ready: waiting for %s", strings.Join(failed, ", "))
}
