package forge

import (
	"strings"
	"time"
)

// A MergeRequest as the forge tells it.
type MergeRequest struct {
	// Number in its repository.
	Number int64
	Title  string
	// Description, cut to MaxText.
	Description string
	// Author is the name of the user who opened it.
	Author string
	State  State
	// Draft is true where its author says that it is not ready.
	Draft bool
	// HeadSHA is the commit that would be merged; HeadRef its branch, which may be
	// gone.
	HeadSHA, HeadRef string
	// HeadRepository is the full name of the repository with the branch, empty where
	// that is gone. Fork is true where it is not the repository itself.
	HeadRepository string
	Fork           bool
	// FetchRef is where the repository itself has the head, forks included, such as
	// refs/pull/7/head.
	FetchRef string
	// BaseRef is the branch to be merged into.
	BaseRef string
	// Mergeable is what the forge believes about the content. It is computed late and
	// may be about an older head: a hint for people. The mirror knows.
	Mergeable Mergeable
	// Labels by name, sorted.
	Labels []string
	// URL for people.
	URL string
	// CreatedAt and UpdatedAt as the forge has them.
	CreatedAt, UpdatedAt time.Time
	// MergeCommit, MergedBy and MergedAt, where it is merged.
	MergeCommit, MergedBy string
	MergedAt              time.Time
}

// A State of a merge request.
type State string

// States of a merge request.
const (
	Open   State = "open"
	Closed State = "closed"
	Merged State = "merged"
)

// Mergeable is what a forge believes about a merge request's content.
type Mergeable string

// Beliefs about content.
const (
	// MergeableUnknown: not computed yet, or the forge cannot say. Gitea does not
	// tell a conflict from a check that is still running.
	MergeableUnknown Mergeable = "unknown"
	MergeableYes     Mergeable = "yes"
	// MergeableConflict: it conflicts with its base.
	MergeableConflict Mergeable = "conflict"
)

// ChangedFiles of a merge request.
type ChangedFiles struct {
	// Files by path.
	Files []ChangedFile
	// Truncated is true where there are, or may be, more than MaxFiles.
	Truncated bool
}

// A ChangedFile of a merge request.
type ChangedFile struct {
	Path string
	// PreviousPath of a file that was renamed.
	PreviousPath string
	Change       FileChange
}

// A FileChange is what happened to a file.
type FileChange string

// Changes to files.
const (
	FileAdded    FileChange = "added"
	FileModified FileChange = "modified"
	FileDeleted  FileChange = "deleted"
	FileRenamed  FileChange = "renamed"
)

// A Merge says how to merge.
type Merge struct {
	// ExpectedHead is the only head that may be merged. Required.
	ExpectedHead string
	// Method of merging. Default: MethodMerge.
	Method Method
	// Message of the merge commit, its title first. Empty leaves it to the forge.
	Message string
}

// A Method of merging.
type Method string

// Methods of merging.
const (
	MethodMerge  Method = "merge"
	MethodSquash Method = "squash"
	// MethodRebase is Invalid with GitLab, where it is a setting of the project.
	MethodRebase Method = "rebase"
)

// A Comment of a conversation.
type Comment struct {
	ID     int64
	Author string
	// Body, cut to MaxText.
	Body string
	// CreatedAt is when it was written. EditedAt is zero where it never was edited,
	// or where the forge does not tell.
	CreatedAt, EditedAt time.Time
}

// A MarkedComment is kept by Mainstay and edited in place.
type MarkedComment struct {
	// ID of the comment where it is known from before. Zero looks for the mark.
	ID int64
	// Mark is what distinguishes it from other comments of the same user: letters,
	// digits, dashes, dots and slashes. It is hidden from readers.
	Mark string
	// Body without the mark, in Markdown. Longer than MaxText it is Invalid.
	Body string
}

// An Approval is a reviewer's last word.
type Approval struct {
	User string
	At   time.Time
	// SHA of the head that was looked at. GitLab does not keep it: it is the head at
	// the time of approval. Empty where even that is unknown; such an approval counts
	// for no head.
	SHA     string
	Verdict Verdict
	// Stale is true where the forge says that the content has changed since. SHA says
	// it too, and more strictly.
	Stale bool
}

// A Verdict of a reviewer.
type Verdict string

// Verdicts of reviewers. Comments without a verdict are none.
const (
	Approved         Verdict = "approved"
	ChangesRequested Verdict = "changes-requested"
	// Dismissed: there was a verdict, and someone with rights has taken it back.
	Dismissed Verdict = "dismissed"
)

// CountsFor says whether this approves a head.
func (a Approval) CountsFor(sha string) bool {
	return a.Verdict == Approved && !a.Stale && sha != "" && a.SHA == sha
}

// Rights of a user in a repository, each including those before.
type Rights int

// Rights of users.
const (
	NoRights Rights = iota
	// MayRead and comment.
	MayRead
	// MayWrite branches and merge where no protection forbids it.
	MayWrite
	// MayAdmin change the repository's settings.
	MayAdmin
)

// String says the rights in a word.
func (r Rights) String() string {
	return [...]string{"none", "read", "write", "admin"}[min(max(r, NoRights), MayAdmin)]
}

// A Status of a commit.
type Status struct {
	// Context is the name of the check, such as mainstay/plan.
	Context string
	State   StatusState
	// Description for people, cut to MaxDescription characters.
	Description string
	// URL with more of it, or empty.
	URL string
}

// A StatusState is how a check went.
type StatusState string

// States of checks.
const (
	StatusPending StatusState = "pending"
	StatusSuccess StatusState = "success"
	StatusFailure StatusState = "failure"
)

// Protection of a branch.
type Protection struct {
	// Protected is true where not everybody with write access may push.
	Protected bool
	// Contexts that must be successful before a merge, sorted.
	Contexts []string
	// AllContexts is true where every context of the head must be: GitLab cannot
	// name them.
	AllContexts bool
}

// Requires says whether a context must be successful before a merge.
func (p Protection) Requires(context string) bool {
	if p.AllContexts {
		return true
	}
	for _, c := range p.Contexts {
		if c == context {
			return true
		}
	}
	return false
}

// A Webhook that the forge calls.
type Webhook struct {
	// URL to call. It identifies the webhook.
	URL string
	// Secret that signs calls, or that GitLab sends along.
	Secret Secret
}

// A RateLimit as the forge's last answer had it.
type RateLimit struct {
	// Known is false where the forge has none, or was not asked yet.
	Known bool
	// Limit and Remaining requests until Reset.
	Limit, Remaining int
	Reset            time.Time
	// BlockedUntil is when the forge wants to be asked again, after it refused.
	// Until then requests fail at once, as RateLimited.
	BlockedUntil time.Time
}

// CloneAccess is how Git reaches a repository over HTTP.
type CloneAccess struct {
	// URL without credentials.
	URL      string
	Username string
	Password Secret
}

// A Secret does not print itself. Convert it to a string where it must be sent.
type Secret string

// String hides it.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[secret]"
}

// GoString hides it.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText hides it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Cut a text to at most n bytes, between characters.
func Cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
