package forge

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// A Config says which repository, and how to reach it.
type Config struct {
	// URL of the repository as people see it: https://host/owner/name. Plain HTTP
	// is taken from loopback addresses only.
	URL string
	// BaseURL of the forge where it does not stand at the root of its host, or has its
	// API elsewhere: with Gitea and GitLab the start page, with GitHub Enterprise the
	// API. Default: from URL.
	BaseURL string
	// Token of the user that Mainstay is on the forge.
	Token Secret
	// CA certificates to trust beside those of the machine, in PEM.
	CA []byte
	// Timeout of one request, its answer included. Default: 30 s.
	Timeout time.Duration
	// Now is the clock. Default: the machine's.
	Now func() time.Time
}

// A Location is a repository on a forge.
type Location struct {
	// Base is the forge, without a slash at the end.
	Base string
	// Path of the repository: owner and name, with GitLab groups in between.
	Path string
	// Clone is the URL that Git clones.
	Clone string
}

// Owner and name of the repository.
func (l Location) Owner() (owner, name string) {
	i := strings.LastIndexByte(l.Path, '/')
	return l.Path[:i], l.Path[i+1:]
}

var segment = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_.-]*$`)

// Locate checks a Config and takes its URL apart.
func (c Config) Locate() (Location, error) {
	u, err := checkURL("url", c.URL)
	if err != nil {
		return Location{}, err
	}
	base := u.Scheme + "://" + u.Host
	path := strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git")
	if c.BaseURL != "" {
		b, err := checkURL("baseURL", c.BaseURL)
		if err != nil {
			return Location{}, err
		}
		if b.Host == u.Host {
			path = strings.TrimPrefix(path, strings.Trim(b.Path, "/")+"/")
		}
		base = b.Scheme + "://" + b.Host + strings.TrimSuffix(b.Path, "/")
	}
	parts := strings.Split(path, "/")
	if len(parts) < 2 {
		return Location{}, Refusef(Invalid, "url: %q names no repository: write https://host/owner/name", c.URL)
	}
	for _, p := range parts {
		if !segment.MatchString(p) || strings.Trim(p, ".") == "" {
			return Location{}, Refusef(Invalid, "url: %q is no name in the path of a repository", p)
		}
	}
	u.Path = "/" + strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git") + ".git"
	return Location{Base: base, Path: path, Clone: u.String()}, nil
}

func checkURL(field, raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		// Not the text: it may hold a password.
		return nil, Refusef(Invalid, "%s: write https://host/owner/name", field)
	}
	if u.User != nil {
		return nil, Refusef(Invalid, "%s: leave the credentials out: they belong in the Secret", field)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, Refusef(Invalid, "%s: leave out what follows ? or #", field)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, Refusef(Invalid, "%s: http would show the token to the network: use https", field)
	}
	return u, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback() && net.ParseIP(host) != nil
}
