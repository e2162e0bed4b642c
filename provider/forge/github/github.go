// Package github reaches GitHub and GitHub Enterprise through go-github.
//
// What is particular: GitHub keeps at most a thousand statuses of one commit and
// context, and answers 404 where rights are missing. A pull request that is open has a
// merge commit already, that of a trial, which is not told. Branch protection is read
// and set, rulesets are not: they are nobody's rules of one branch.
package github

import (
	"context"
	"net/url"

	"github.com/google/go-github/v84/github"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// pageSize is what GitHub gives at most.
const pageSize = 100

// Driver of GitHub.
func Driver() forge.Driver {
	return forge.Driver{New: New, ParseWebhook: ParseWebhook}
}

// Forge is one repository on GitHub.
type Forge struct {
	config      forge.Config
	at          forge.Location
	owner, name string
	http        *forge.Client
	c           *github.Client
}

// New returns the forge of a repository.
func New(c forge.Config) (forge.Forge, error) {
	at, err := c.Locate()
	if err != nil {
		return nil, err
	}
	hc, err := c.Client()
	if err != nil {
		return nil, err
	}
	api, err := apiURL(c, at)
	if err != nil {
		return nil, err
	}
	f := &Forge{config: c, at: at, http: hc}
	f.owner, f.name = at.Owner()
	f.c = github.NewClient(hc.Client).WithAuthToken(string(c.Token))
	f.c.BaseURL = api
	// Ours does it for all forges.
	f.c.DisableRateLimitCheck = true
	return f, nil
}

// apiURL is api.github.com, or where GitHub Enterprise has its API.
func apiURL(c forge.Config, at forge.Location) (*url.URL, error) {
	raw := at.Base + "/"
	switch {
	case c.BaseURL != "":
	case at.Base == "https://github.com" || at.Base == "https://www.github.com":
		raw = "https://api.github.com/"
	default:
		raw += "api/v3/"
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, forge.Refusef(forge.Invalid, "baseURL: write https://host/api/v3")
	}
	return u, nil
}

// CurrentUser is the name of the token's user.
func (f *Forge) CurrentUser(ctx context.Context) (string, error) {
	u, _, err := f.c.Users.Get(ctx, "")
	return u.GetLogin(), forge.Wrap(err, "tell whose the token is")
}

// RateLimit as the last answer had it.
func (f *Forge) RateLimit() forge.RateLimit { return f.http.RateLimit() }

// CloneAccess is how Git reaches the repository: a token is the password of this user.
func (f *Forge) CloneAccess() forge.CloneAccess {
	return forge.CloneAccess{URL: f.at.Clone, Username: "x-access-token", Password: f.config.Token}
}

// page of a list.
func page(n int) github.ListOptions { return github.ListOptions{Page: n, PerPage: pageSize} }

// next page, or zero.
func next(r *github.Response) int {
	if r == nil {
		return 0
	}
	return r.NextPage
}
