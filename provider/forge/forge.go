// Package forge is the seam between the provider and Git forges: Gitea, GitLab and
// GitHub. A Forge speaks for one repository with one token. Everything is asked
// for anew and nothing is remembered but the rate limit, so that a provider that
// starts again knows as much as before. Writes are idempotent where forges allow
// it: a comment is edited in place, a merge names the head that it merges.
//
// What forges must do beyond their signatures is written down as tests, in package
// forgetest, that every driver passes. Where forges differ, the more careful
// reading wins: what a forge cannot say is unknown, and never "yes".
//
// Deliberately absent: diffs and file contents, which come from a Git mirror that
// is the same for all forges; merge queues of forges, which are made for minutes;
// reviews of lines, labels to be set, and anything about claims.
package forge

import (
	"context"
	"net/http"
	"time"
)

// Bounds of what is read. More is not an error: lists end, and say so where that
// matters.
const (
	// MaxMergeRequests open at once in one repository.
	MaxMergeRequests = 1000
	// MaxFiles of one merge request: what GitHub has as its own bound.
	MaxFiles = 3000
	// MaxComments read in one go, and of reviews.
	MaxComments = 1000
	// MaxMembers of one team.
	MaxMembers = 1000
	// MaxText is the length in bytes to which descriptions and comments are cut.
	MaxText = 64 << 10
	// MaxDescription is the length in characters of a status's description. All
	// forges take as much; a longer one is cut.
	MaxDescription = 140
)

// A Forge speaks for one repository. In each of its errors is an *Error, but where a
// context has ended. It is safe for concurrent use.
type Forge interface {
	MergeRequests
	Conversation
	Statuses
	Settings
	Account
	Teams
}

// MergeRequests reads and ends merge requests, which GitHub and Gitea call pull
// requests.
type MergeRequests interface {
	// OpenMergeRequests that want to be merged into a base branch, by number. The
	// list is whole: where it cannot be read to its end, or has more than
	// MaxMergeRequests, there is an error. It takes several requests, so that one
	// that moves meanwhile may be missing: read it before it is called closed.
	OpenMergeRequests(ctx context.Context, base string) ([]MergeRequest, error)
	// MergeRequest with a number, in whatever state.
	MergeRequest(ctx context.Context, number int64) (MergeRequest, error)
	// ChangedFiles of a merge request, where there is no mirror to ask.
	ChangedFiles(ctx context.Context, number int64) (ChangedFiles, error)
	// Merge a merge request, and say which commit did. It is a Conflict where the
	// head is not the expected one any more, or where the forge refuses: a conflict
	// of content, a required status, a draft, a closed one. One that is merged
	// already is a Conflict too: read it to learn how.
	Merge(ctx context.Context, number int64, m Merge) (commit string, err error)
	// Close without merging. That it is closed already is no error; that it is
	// merged is a Conflict.
	Close(ctx context.Context, number int64) error
	// Reopen a closed one. That it is open already is no error; where its branch is
	// gone, or it is merged, it is a Conflict.
	Reopen(ctx context.Context, number int64) error
}

// Conversation is what people and Mainstay say on a merge request.
type Conversation interface {
	// Comments that were written at or after a time, oldest first, at most the first
	// MaxComments of them. They are those of the conversation: not what the forge
	// writes itself. An old comment that is edited is not listed: nobody gives a
	// command by editing. Forges keep whole seconds, so that the last second comes
	// twice: tell comments apart by id.
	Comments(ctx context.Context, number int64, since time.Time) ([]Comment, error)
	// UpsertComment writes the one comment with a mark, or edits it in place. Where
	// it says the same already nothing is sent. Only comments of the token's own user
	// are edited, whoever copies the mark. It returns the comment's id, for the next time.
	UpsertComment(ctx context.Context, number int64, c MarkedComment) (id int64, err error)
	// Approvals and refusals, the last word of each reviewer, by name.
	Approvals(ctx context.Context, number int64) ([]Approval, error)
	// Rights of a user in the repository. A user who does not exist has none. With
	// Gitea it needs a token with administrator's rights in the repository.
	Rights(ctx context.Context, user string) (Rights, error)
}

// Statuses are what a commit's checks say.
type Statuses interface {
	// Statuses of a commit, the newest of each context, by context.
	Statuses(ctx context.Context, sha string) ([]Status, error)
	// SetStatus posts one. Ask Differs first: forges bound how many they keep of one
	// commit, GitHub a thousand of a context.
	SetStatus(ctx context.Context, sha string, s Status) error
}

// Settings of the repository. They need a token with administrator's rights; without
// it they are Forbidden, or NotFound with GitHub.
type Settings interface {
	// Protection of a branch. None is no error.
	Protection(ctx context.Context, branch string) (Protection, error)
	// EnsureProtection protects a branch and requires the contexts beside those that
	// are required already. It takes nothing away that others have set.
	EnsureProtection(ctx context.Context, branch string, contexts []string) error
	// EnsureWebhook makes the forge call a URL about merge requests, comments, reviews
	// and pushes. The forge does not tell the secret, so it is set each time: call
	// it when URL or secret have changed.
	EnsureWebhook(ctx context.Context, w Webhook) error
}

// Teams are people that a forge keeps together: teams of organizations, with GitLab
// groups.
type Teams interface {
	// Members of a team by name, sorted. It is named as CheckTeam takes it. A team that
	// is not there, or that the token may not look into, is NotFound or Forbidden, and
	// one with more than MaxMembers is Invalid: nobody is a member by mistake. With
	// Gitea the token's user has to be in the team, or to own the organization; with
	// GitLab members of groups above are none of it.
	Members(ctx context.Context, team string) ([]string, error)
}

// Account is what the token is good for.
type Account interface {
	// CurrentUser is the name of the token's user.
	CurrentUser(ctx context.Context) (string, error)
	// RateLimit as the last answer had it. It asks nobody.
	RateLimit() RateLimit
	// CloneAccess is how Git reaches the repository over HTTP.
	CloneAccess() CloneAccess
}

// A Driver makes forges of one kind.
type Driver struct {
	// New returns the forge of a repository. It calls nobody; bad configuration is
	// refused here.
	New func(Config) (Forge, error)
	// ParseWebhook verifies a request that a forge of this kind has sent, and says
	// what it is about. It reads at most MaxWebhook bytes. Whatever is wrong is one
	// error, ErrWebhook, because who forges one should learn nothing from it.
	ParseWebhook func(r *http.Request, secret Secret) (Event, error)
}
