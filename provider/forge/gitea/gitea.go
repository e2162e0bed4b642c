// Package gitea reaches Gitea 1.24 and later, and what is made from it, through
// Gitea's own SDK.
//
// What is particular: Gitea tells a user's rights to administrators of the repository
// only, so that Mainstay's user must be one. It does not tell a conflict from a check
// that still runs, so that a merge request is never known to conflict. A webhook's
// secret cannot be changed, so that one with another secret is made anew.
package gitea

import (
	"context"
	"errors"
	"net/http"

	"code.gitea.io/sdk/gitea"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// pageSize is what Gitea gives at most, as it is shipped.
const pageSize = 50

// Driver of Gitea.
func Driver() forge.Driver {
	return forge.Driver{New: New, ParseWebhook: ParseWebhook}
}

// Forge is one repository on Gitea.
type Forge struct {
	config      forge.Config
	at          forge.Location
	owner, name string
	http        *forge.Client
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
	f := &Forge{config: c, at: at, http: hc}
	f.owner, f.name = at.Owner()
	return f, nil
}

// client returns the SDK for one call: it takes its context when it is made. No
// version is asked for, because that is one more request each time.
func (f *Forge) client(ctx context.Context) (*gitea.Client, error) {
	return gitea.NewClient(f.at.Base,
		gitea.SetContext(ctx),
		gitea.SetHTTPClient(f.http.Client),
		gitea.SetToken(string(f.config.Token)),
		gitea.SetGiteaVersion(""),
	)
}

// with calls the SDK, and says what it was that failed.
func (f *Forge) with(ctx context.Context, call func(*gitea.Client) error, what string, args ...any) error {
	c, err := f.client(ctx)
	if err == nil {
		err = call(c)
	}
	return forge.Wrap(err, what, args...)
}

// confirm asks whether what a call is about is there at all, where the call broke
// Gitea: it answers with 500 to some questions about what it does not have.
func confirm(err error, there func() error) error {
	e, ok := errors.AsType[*forge.Error](err)
	if !ok || e.Status != http.StatusInternalServerError {
		return err
	}
	if terr := there(); forge.Is(terr, forge.NotFound) {
		return terr
	}
	return err
}

// CurrentUser is the name of the token's user.
func (f *Forge) CurrentUser(ctx context.Context) (user string, err error) {
	err = f.with(ctx, func(c *gitea.Client) error {
		u, _, err := c.GetMyUserInfo()
		if err == nil {
			user = u.UserName
		}
		return err
	}, "tell whose the token is")
	return user, err
}

// RateLimit is unknown with Gitea, which has none, unless something in front of it has.
func (f *Forge) RateLimit() forge.RateLimit { return f.http.RateLimit() }

// CloneAccess is how Git reaches the repository: with Gitea a token is a password of
// any user.
func (f *Forge) CloneAccess() forge.CloneAccess {
	return forge.CloneAccess{URL: f.at.Clone, Username: "mainstay", Password: f.config.Token}
}

// next page, or zero.
func next(r *gitea.Response) int {
	if r == nil {
		return 0
	}
	return r.NextPage
}

func login(u *gitea.User) string {
	if u == nil {
		return ""
	}
	return u.UserName
}
