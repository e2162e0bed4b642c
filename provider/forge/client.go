package forge

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"
)

const (
	// maxRedirects on one host, such as after a repository was renamed.
	maxRedirects = 5
	// defaultTimeout of one request, its answer included.
	defaultTimeout = 30 * time.Second
	// userAgent by which administrators of forges know us.
	userAgent = "mainstay"
)

// A Client is an http.Client made for forges, with the rate limit that it saw.
type Client struct {
	*http.Client

	transport *transport
}

// Client returns an HTTP client for drivers to hand to their SDK. All that a forge
// can do to us is dealt with here, once: its answers are bounded and read whole,
// failures are of type *Error, redirects stay on the host and are followed for
// reading only, and who is asked too often is not asked again before its time.
func (c Config) Client() (*Client, error) {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(c.CA) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(c.CA) {
			return nil, Refusef(Invalid, "ca: no certificate in it: give certificates in PEM")
		}
		tlsConfig.RootCAs = pool
	}
	if c.Token == "" {
		return nil, Refusef(Invalid, "token: it is empty: give the token of a user of the forge")
	}
	t := &transport{
		next: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSClientConfig:     tlsConfig,
			TLSHandshakeTimeout: 10 * time.Second,
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: 4,
			IdleConnTimeout:     90 * time.Second,
			// Headers are bounded as well as bodies.
			MaxResponseHeaderBytes: 256 << 10,
		},
		timeout: c.Timeout,
		now:     c.Now,
		token:   string(c.Token),
	}
	if t.timeout == 0 {
		t.timeout = defaultTimeout
	}
	if t.now == nil {
		t.now = time.Now
	}
	return &Client{transport: t, Client: &http.Client{Transport: t, CheckRedirect: stay}}, nil
}

// RateLimit as the last answer had it.
func (c *Client) RateLimit() RateLimit { return c.transport.limit.get() }

// stay refuses to follow a redirect to another host, because requests carry the
// token, and to follow one of a write, which would become a read.
func stay(req *http.Request, via []*http.Request) error {
	first := via[0]
	if req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme {
		return Refusef(NotFound, "forge sends us to another host, %s: set the url to where the repository is now", req.URL.Host)
	}
	if first.Method != http.MethodGet {
		return Refusef(NotFound, "forge has moved the repository: set the url to where it is now")
	}
	if len(via) > maxRedirects {
		return Refusef(Unavailable, "forge redirects without end: check the url")
	}
	return nil
}
