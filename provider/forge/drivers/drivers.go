// Package drivers is the table of the forges that there are.
package drivers

import (
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/forge/gitea"
	"github.com/mainstay-dev/mainstay/provider/forge/github"
	"github.com/mainstay-dev/mainstay/provider/forge/gitlab"
)

// Kinds of forges.
const (
	Gitea  = "gitea"
	GitLab = "gitlab"
	GitHub = "github"
)

// For a kind of forge. There is none for an unknown kind.
func For(kind string) (forge.Driver, error) {
	switch kind {
	case Gitea:
		return gitea.Driver(), nil
	case GitLab:
		return gitlab.Driver(), nil
	case GitHub:
		return github.Driver(), nil
	default:
		return forge.Driver{}, forge.Refusef(forge.Invalid, "forge: %q is none of gitea, gitlab and github", kind)
	}
}
