// Package gitlab reaches GitLab 16 and later through GitLab's own SDK.
//
// What is particular, and how it is made alike:
//
//   - An approval does not say of which head it is. It is taken to be of the head that
//     was there when it was given, from the merge request's versions and from the note
//     that GitLab writes; where that note is missing it counts for no head.
//   - A protected branch cannot require contexts. The project is made to require that
//     pipelines succeed instead, and every status that is posted is part of one.
//   - A status that is the same as before is refused. That is no error here, though its
//     description stays as it was.
//   - A merge that the user may not do is answered like a wrong token. It is told apart
//     by asking who the token belongs to.
//   - Webhooks are not signed but carry the secret.
package gitlab

import (
	"context"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// pageSize is what GitLab gives at most.
const pageSize = 100

// Driver of GitLab.
func Driver() forge.Driver {
	return forge.Driver{New: New, ParseWebhook: ParseWebhook}
}

// Forge is one project on GitLab.
type Forge struct {
	config forge.Config
	at     forge.Location
	http   *forge.Client
	c      *gitlab.Client
}

// New returns the forge of a project.
func New(c forge.Config) (forge.Forge, error) {
	at, err := c.Locate()
	if err != nil {
		return nil, err
	}
	hc, err := c.Client()
	if err != nil {
		return nil, err
	}
	sdk, err := gitlab.NewClient(string(c.Token),
		gitlab.WithBaseURL(at.Base), gitlab.WithHTTPClient(hc.Client),
		// Ours does for all forges what these would do.
		gitlab.WithoutRetries(), gitlab.WithCustomLimiter(noLimit{}),
	)
	if err != nil {
		return nil, forge.Refusef(forge.Invalid, "baseURL: GitLab's SDK does not take it: write https://host")
	}
	return &Forge{config: c, at: at, http: hc, c: sdk}, nil
}

type noLimit struct{}

// Wait for nothing.
func (noLimit) Wait(context.Context) error { return nil }

// CurrentUser is the name of the token's user.
func (f *Forge) CurrentUser(ctx context.Context) (string, error) {
	u, _, err := f.c.Users.CurrentUser(gitlab.WithContext(ctx))
	if err != nil {
		return "", forge.Wrap(err, "tell whose the token is")
	}
	return u.Username, nil
}

// RateLimit as the last answer had it.
func (f *Forge) RateLimit() forge.RateLimit { return f.http.RateLimit() }

// CloneAccess is how Git reaches the repository: a token is the password of this user.
func (f *Forge) CloneAccess() forge.CloneAccess {
	return forge.CloneAccess{URL: f.at.Clone, Username: "oauth2", Password: f.config.Token}
}

// page of a list.
func page(n int) gitlab.ListOptions {
	return gitlab.ListOptions{Page: int64(n), PerPage: pageSize}
}

// next page, or zero.
func next(r *gitlab.Response) int {
	if r == nil {
		return 0
	}
	return int(r.NextPage)
}

func username(u *gitlab.BasicUser) string {
	if u == nil {
		return ""
	}
	return u.Username
}
