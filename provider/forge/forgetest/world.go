package forgetest

import (
	"testing"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// People in a World. The bot is Mainstay's user, with administrator's rights.
const (
	Bot      = "mainstay"
	Author   = "mara"
	Reviewer = "ravi"
	Reader   = "rita"
	Stranger = "sten"
)

// Base is the branch that merge requests want to be merged into. It holds README.md
// and claims/orders.yaml. OtherBase is a branch that begins at the same commit.
const (
	Base      = "main"
	OtherBase = "stable"
)

// A World is a forge with one repository and people, as the suite needs it. What it
// does, people do by other means than the driver.
type World interface {
	Access
	Git
	People
	Organization
}

// Access to the forge.
type Access interface {
	Driver() forge.Driver
	// Config of somebody, with a token that is good.
	Config(person string) forge.Config
}

// Git is what is done to branches.
type Git interface {
	// Push a commit, and return its id.
	Push(t *testing.T, p Push) string
	DeleteBranch(t *testing.T, branch string)
}

// People propose and talk.
type People interface {
	// Propose a merge request, and return its number.
	Propose(t *testing.T, p Proposal) int64
	SetDraft(t *testing.T, number int64, draft bool)
	Say(t *testing.T, person string, number int64, text string)
	// Unsay a comment, whoever wrote it.
	Unsay(t *testing.T, number, comment int64)
	// Review the head as it is. With Dismissed it is taken back what was said before.
	Review(t *testing.T, person string, number int64, v forge.Verdict)
}

// An Organization has teams.
type Organization interface {
	// Team of members, made anew. It returns its full name.
	Team(t *testing.T, name string, members ...string) string
}

// A Push of one commit.
type Push struct {
	// Branch to push to. It begins at Base where it is not there.
	Branch string
	// Also are branches that are where Branch is then.
	Also []string
	// Files by path. An empty one is deleted.
	Files map[string]string
	// Force begins at Base again, whatever the branch was.
	Force bool
	// Fork pushes to the author's fork.
	Fork bool
}

// A Proposal of a merge request by the Author.
type Proposal struct {
	Title, Body, Head string
	// Into is the base. Default: Base.
	Into  string
	Draft bool
	// Fork has the head in the author's fork.
	Fork bool
}
