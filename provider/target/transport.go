package target

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"

	"github.com/mainstay-dev/mainstay/provider/metrics"
)

// Every call to a cluster ends within callTimeout, and sooner where there is nobody to
// connect to. A controller must not be held up by a cluster that is dead.
const (
	callTimeout = 10 * time.Second
	dialTimeout = 5 * time.Second
)

// newTransport returns the transport for a cluster, which all its clients share. It
// knows the cluster's certificates and client certificate, but no other credentials.
func newTransport(cfg *rest.Config) (*http.Transport, error) {
	tlsConfig, err := rest.TLSConfigFor(cfg)
	if err != nil {
		return nil, err
	}
	return utilnet.SetTransportDefaults(&http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: dialTimeout,
		TLSClientConfig:     tlsConfig,
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     90 * time.Second,
	}), nil
}

// A bounded transport ends calls that take too long and says of those that failed
// which cluster did not answer. http.Client's own timeout would turn the error into text.
type bounded struct {
	cluster types.NamespacedName
	next    http.RoundTripper
	timeout time.Duration
	// slots bound how many calls wait for an answer at a time. Nil is no bound.
	slots chan struct{}
	// doubt is called where the cluster did not answer, or did not know who asks. Nil is
	// nobody to tell.
	doubt func()
}

// RoundTrip sends a request, once there is a slot for it.
func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.slots != nil {
		select {
		case b.slots <- struct{}{}:
			defer func() { <-b.slots }()
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(r.Context(), b.timeout, errTimeout)
	rsp, err := b.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		err = b.explain(r.Context(), ctx, err)
		cancel()
		if silent := (&UnreachableError{}); errors.As(err, &silent) {
			b.doubted()
			metrics.Default.Targets.Called(b.cluster, r.Method, 0, time.Since(began))
		}
		return nil, err
	}
	if rsp.StatusCode == http.StatusUnauthorized {
		b.doubted()
	}
	metrics.Default.Targets.Called(b.cluster, r.Method, rsp.StatusCode, time.Since(began))
	rsp.Body = &body{ReadCloser: rsp.Body, close: cancel, explain: func(err error) error { return b.explain(r.Context(), ctx, err) }}
	return rsp, nil
}

func (b *bounded) doubted() {
	if b.doubt != nil {
		b.doubt()
	}
}

var errTimeout = errors.New("it did not answer in time")

// explain why a call failed. Where its caller gave up, that is not the cluster's fault.
func (b *bounded) explain(caller, call context.Context, err error) error {
	if errors.Is(caller.Err(), context.Canceled) {
		return err
	}
	if context.Cause(call) != nil {
		err = errTimeout
	}
	return &UnreachableError{Cluster: b.cluster, Err: lasting(err)}
}

// lasting returns the part of an error that is the same at the next try. Addresses
// have ports that are not, and an error that is shown as status must not change it.
func lasting(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err
	}
	return err
}

// A body explains why reading it failed.
type body struct {
	io.ReadCloser

	close   context.CancelFunc
	explain func(error) error
}

// Read part of the body.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.explain(err)
	}
	return n, err
}

// Close the body.
func (b *body) Close() error {
	defer b.close()
	return b.ReadCloser.Close()
}
