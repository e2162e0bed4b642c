// Package git keeps a mirror of a repository on disk and answers what a merge request is, from Git
// alone: what it stems from, who committed to it, and what the base branch holds once it is merged.
// It is the same for all forges, and needs no git command.
//
// The invariants:
//
//   - What is asked for anew is fetched anew. A fetch that fails is an *Error and never an old
//     answer: what cannot be fetched counts as diverged.
//   - What is in the mirror was read whole and under its id. An object that does not match it makes the
//     mirror damaged, and the next fetch clones it anew; nothing else is lost, because a mirror
//     has nothing that the forge has not.
//   - A token goes into a header, to the repository's own host. It is in no address, file, error or log.
//   - A branch is moved from the commit that was read to one that stems from it, or not at all.
//
// A mirror answers to any number of callers. Fetches that are asked for while one runs are
// made as one.
//
// Deliberately absent: SSH, submodules, large file storage, shallow clones (an ancestor that is not
// there cannot be told from one that never was), SHA-256 repositories, and webhooks.
package git

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// A Config of a mirror.
type Config struct {
	// URL of the repository as a browser shows it. It has no user in it, and is https unless the
	// host is this machine.
	URL string
	// Dir that the mirror is in. It is made, and nobody else may write there.
	Dir string
	// Token of the user that reads and pushes. Empty: anonymous.
	Token string
	// CA are the certificates, in PEM, that the forge's is signed by. Empty: the system's.
	CA []byte
	// Limits of what is taken in. Zero ones have defaults.
	Limits Limits
}

// Limits of what is taken in.
type Limits struct {
	// RepositoryBytes of one fetch, and of the mirror. Defaults to 1 GiB.
	RepositoryBytes int64
	// ObjectBytes of one object anywhere in the history, unpacked. It keeps memory bounded.
	// Defaults to 256 MiB.
	ObjectBytes int64
	// FileBytes of a file that is read. Defaults to 50 MiB.
	FileBytes int64
	// Files of one commit. Defaults to 50,000.
	Files int
	// Commits that a merge request may have of its own. Defaults to 5,000.
	Commits int
	// Time that one fetch or push may take. Defaults to 10 minutes.
	Time time.Duration
}

func (l Limits) withDefaults() Limits {
	def := Limits{RepositoryBytes: 1 << 30, ObjectBytes: 256 << 20, FileBytes: 50 << 20, Files: 50_000, Commits: 5000, Time: 10 * time.Minute}
	if l.RepositoryBytes > 0 {
		def.RepositoryBytes = l.RepositoryBytes
	}
	if l.ObjectBytes > 0 {
		def.ObjectBytes = l.ObjectBytes
	}
	if l.FileBytes > 0 {
		def.FileBytes = l.FileBytes
	}
	if l.Files > 0 {
		def.Files = l.Files
	}
	if l.Commits > 0 {
		def.Commits = l.Commits
	}
	if l.Time > 0 {
		def.Time = l.Time
	}
	return def
}

// A Mirror of a repository.
type Mirror struct {
	dir    string
	limits Limits
	client transport.Transport
	url    string

	token struct {
		sync.Mutex
		value string
	}
	flights flights
	pushes  sync.Mutex
	store   store
}

// Open a mirror, or begin an empty one. Nothing is fetched.
func Open(c Config) (*Mirror, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return nil, errors.New("cannot read url: it is not one") // The parser's error repeats it.
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("url must have no user, query or fragment: the token goes into a Secret")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return nil, fmt.Errorf("url %s must be https: a token is sent there", u.Redacted())
	}
	client, err := httpClient(u, c.CA)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the folder of the mirror: %w", err)
	}
	m := &Mirror{dir: c.Dir, limits: c.Limits.withDefaults(), client: githttp.NewClient(client), url: strings.TrimSuffix(strings.TrimSuffix(c.URL, "/"), ".git") + ".git"}
	m.SetToken(c.Token)
	// What a fetch left that did not come to its end.
	for _, pattern := range []string{"*.pack.tmp", "mirror.new", "mirror.old", "mirror/objects/pack/tmp_*"} {
		left, _ := filepath.Glob(filepath.Join(c.Dir, pattern)) // The patterns are well-formed.
		for _, l := range left {
			if err := os.RemoveAll(l); err != nil {
				return nil, fmt.Errorf("cannot clear the folder of the mirror: %w", err)
			}
		}
	}
	if err := m.store.open(filepath.Join(c.Dir, "mirror"), c.URL); err != nil {
		return nil, err
	}
	return m, nil
}

// SetToken that is used from now on.
func (m *Mirror) SetToken(token string) {
	m.token.Lock()
	defer m.token.Unlock()
	m.token.value = token
}

// auth of requests. Forges look at the token and take any user's name beside it, and GitHub's apps this one.
func (m *Mirror) auth() transport.AuthMethod {
	m.token.Lock()
	defer m.token.Unlock()
	if m.token.value == "" {
		return nil
	}
	return &githttp.BasicAuth{Username: "x-access-token", Password: m.token.value}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// httpClient that talks to one host only: a redirect elsewhere would take the token along.
func httpClient(u *url.URL, ca []byte) (*http.Client, error) {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(ca) > 0 {
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("cannot read the certificates of caSecretRef: they are not PEM")
		}
	}
	return &http.Client{
		Transport: &bounded{&http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
			TLSClientConfig:       tlsConfig,
			TLSHandshakeTimeout:   15 * time.Second,
			ResponseHeaderTimeout: 2 * time.Minute,
			IdleConnTimeout:       time.Minute,
			ForceAttemptHTTP2:     true,
		}},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if req.URL.Host != u.Host || req.URL.Scheme != u.Scheme || len(via) > 5 {
				return &Error{Reason: NotFound, Message: "repository is said to be at another address: mend spec.forProvider.url"}
			}
			return nil
		},
	}, nil
}
