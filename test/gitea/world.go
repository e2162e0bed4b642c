package gitea

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"code.gitea.io/sdk/gitea"
)

// Client returns Gitea's SDK for a token, for what tests and demos do as people.
func (s *Server) Client(ctx context.Context, token string) (*gitea.Client, error) {
	return gitea.NewClient(s.URL, gitea.SetContext(ctx), gitea.SetToken(token), gitea.SetGiteaVersion(""))
}

// User makes a user, and returns a token with all rights that it has. The password
// is what the demo shows for looking at it in a browser. A user that is there already,
// with this password, gets one more token.
func (s *Server) User(ctx context.Context, name, password string) (token string, err error) {
	admin, err := s.Client(ctx, s.Token)
	if err != nil {
		return "", err
	}
	if _, resp, err := admin.GetUserInfo(name); err != nil {
		if resp == nil || resp.StatusCode != http.StatusNotFound {
			return "", fmt.Errorf("cannot look for user %s: %w", name, err)
		}
		no := false
		if _, _, err := admin.AdminCreateUser(gitea.CreateUserOption{
			Username: name, Email: name + "@example.test", Password: password, MustChangePassword: &no,
		}); err != nil {
			return "", fmt.Errorf("cannot make user %s: %w", name, err)
		}
	}
	own, err := gitea.NewClient(s.URL, gitea.SetContext(ctx), gitea.SetBasicAuth(name, password), gitea.SetGiteaVersion(""))
	if err != nil {
		return "", err
	}
	t, _, err := own.CreateAccessToken(gitea.CreateAccessTokenOption{
		Name: "mainstay-" + random()[:8], Scopes: []gitea.AccessTokenScope{gitea.AccessTokenScopeAll},
	})
	if err != nil {
		return "", fmt.Errorf("cannot make token of %s: %w", name, err)
	}
	return t.Token, nil
}

// Organization makes an organization.
func (s *Server) Organization(ctx context.Context, name string) error {
	c, err := s.Client(ctx, s.Token)
	if err != nil {
		return err
	}
	if _, _, err := c.CreateOrg(gitea.CreateOrgOption{Name: name, Visibility: gitea.VisibleTypePrivate}); err != nil {
		return fmt.Errorf("cannot make organization %s: %w", name, err)
	}
	return nil
}

// Repository makes a private repository in an organization, with files on its branch
// main, and returns its URL. Members may be given rights: read, write or admin.
func (s *Server) Repository(ctx context.Context, org, name string, files, members map[string]string) (url string, err error) {
	c, err := s.Client(ctx, s.Token)
	if err != nil {
		return "", err
	}
	r, _, err := c.CreateOrgRepo(org, gitea.CreateRepoOption{Name: name, Private: true, AutoInit: true, DefaultBranch: "main"})
	if err != nil {
		return "", fmt.Errorf("cannot make repository %s: %w", name, err)
	}
	for _, m := range slices.Sorted(maps.Keys(members)) {
		mode := gitea.AccessMode(members[m])
		if _, err := c.AddCollaborator(org, name, m, gitea.AddCollaboratorOption{Permission: &mode}); err != nil {
			return "", fmt.Errorf("cannot make %s a member of %s: %w", m, name, err)
		}
	}
	if len(files) > 0 {
		if err := Commit(c, org, name, Change{Branch: "main", Message: "Begin", Files: files}); err != nil {
			return "", err
		}
	}
	return r.HTMLURL, nil
}

// A Change is one commit.
type Change struct {
	// Branch to commit to, and From, where it is to begin there.
	Branch, From string
	Message      string
	// Files by path. They are made, or written over where Over says so.
	Files map[string]string
	Over  bool
	// Force moves the branch to From with the commit, whatever it was.
	Force bool
}

// Commit a change.
func Commit(c *gitea.Client, owner, name string, ch Change) error {
	opt := gitea.ChangeFilesOptions{Message: ch.Message, Branch: ch.Branch, ForcePush: ch.Force}
	if ch.From != "" {
		opt.Branch, opt.NewBranch = ch.From, ch.Branch
	}
	for _, p := range slices.Sorted(maps.Keys(ch.Files)) {
		op := &gitea.ChangeFileOperation{Operation: "create", Path: p, Content: base64.StdEncoding.EncodeToString([]byte(ch.Files[p]))}
		if ch.Over {
			have, _, err := c.GetContents(owner, name, opt.Branch, p)
			if err == nil {
				op.Operation, op.SHA = "update", have.SHA
			}
		}
		opt.Files = append(opt.Files, op)
	}
	if _, _, err := c.ChangeFiles(owner, name, opt); err != nil {
		return fmt.Errorf("cannot commit to branch %s of %s: %w", ch.Branch, name, err)
	}
	return nil
}
