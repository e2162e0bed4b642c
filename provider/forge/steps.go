package forge

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// This file holds what drivers have in common: checks before anybody is asked, and
// calls that are made of several requests in the same way for all forges.

var shaPattern = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// CheckSHA refuses what is not a whole commit id.
func CheckSHA(sha string) error {
	if !shaPattern.MatchString(sha) {
		return Refusef(Invalid, "%q is not the whole id of a commit", Cut(sha, 64))
	}
	return nil
}

// CheckName refuses a name of a user or branch that would mean another path.
func CheckName(what, name string) error {
	odd := " ?#%\\\t\n"
	if what == "user" {
		odd += "/"
	}
	if name == "" || len(name) > 255 || strings.ContainsAny(name, odd) || strings.Contains(name, "..") || name == "." {
		return Refusef(Invalid, "%q is no name of a %s", Cut(name, 255), what)
	}
	return nil
}

// CheckTeam takes the name of a team apart, <organization>/<team>. With GitLab the
// organization is the path of a group, with groups in between.
func CheckTeam(team string) (organization, name string, err error) {
	i := strings.LastIndexByte(team, '/')
	if i < 0 || len(team) > 256 {
		return "", "", Refusef(Invalid, "%q is no name of a team: write <organization>/<team>", Cut(team, 256))
	}
	for part := range strings.SplitSeq(team, "/") {
		if !segment.MatchString(part) || strings.Trim(part, ".") == "" {
			return "", "", Refusef(Invalid, "%q is no name of a team: write <organization>/<team>", team)
		}
	}
	return team[:i], team[i+1:], nil
}

// MembersOf a team, of whom there may be more than can be told.
func MembersOf(names []string, more bool) ([]string, error) {
	if more {
		return nil, Refusef(Invalid, "it has more than %d members: name a smaller one", MaxMembers)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Check refuses a merge that does not say what it merges: forges take an empty head
// for any head.
func (m Merge) Check() error {
	switch m.Method {
	case "", MethodMerge, MethodSquash, MethodRebase:
		return CheckSHA(m.ExpectedHead)
	default:
		return Refusef(Invalid, "method %q is none of merge, squash and rebase", m.Method)
	}
}

// Pages reads pages, which count from one, until there is no next, or more than limit
// items are there. It says whether there are more.
func Pages[T any](limit int, page func(n int) (items []T, next int, err error)) ([]T, bool, error) {
	all := []T{}
	for n := 1; n > 0; {
		items, next, err := page(n)
		if err != nil {
			return nil, false, err
		}
		all = append(all, items...)
		if len(all) > limit {
			return all[:limit], true, nil
		}
		if next <= n {
			break
		}
		n = next
	}
	return all, false, nil
}

// SetState closes or reopens a merge request with what a driver sends for it.
func SetState(ctx context.Context, f MergeRequests, number int64, want State, send func() error) error {
	mr, err := f.MergeRequest(ctx, number)
	if err != nil {
		return err
	}
	switch mr.State {
	case want:
		return nil
	case Merged:
		return Refusef(Conflict, "it is merged already")
	}
	err = send()
	if Is(err, Invalid) {
		// Forges say so where the branch is gone.
		return Refusef(Conflict, "%s", err.Error())
	}
	return err
}

// MergeOnce merges with what a driver sends for it, and says which commit did.
func MergeOnce(ctx context.Context, f Forge, number int64, send func() error) (string, error) {
	err := send()
	switch ReasonOf(err) {
	case Invalid:
		return "", Refusef(Conflict, "%s", err.Error())
	case NotFound:
		// Gitea finds no closed merge request to merge.
		if mr, rerr := f.MergeRequest(ctx, number); rerr == nil {
			return "", Refusef(Conflict, "it is %s", mr.State)
		}
		return "", err
	case Unauthorized:
		// GitLab has the same answer for a user who may not merge.
		if user, uerr := f.CurrentUser(ctx); uerr == nil {
			return "", Refusef(Forbidden, "user %s may not merge: give it the right to merge into the base", user)
		}
		return "", err
	}
	if err != nil {
		return "", err
	}
	mr, err := f.MergeRequest(ctx, number)
	if err != nil {
		return "", err
	}
	if mr.State != Merged || mr.MergeCommit == "" {
		return "", Refusef(Unavailable, "forge has taken the merge and does not show it yet")
	}
	return mr.MergeCommit, nil
}

// CommentOps are what Upsert needs of a driver.
type CommentOps struct {
	Get    func(id int64) (Comment, error)
	Create func(text string) (id int64, err error)
	Edit   func(id int64, text string) error
	// First comments of the conversation, from the oldest.
	First func() ([]Comment, error)
	// User is who the token belongs to.
	User func() (string, error)
}

// Upsert writes a marked comment, or edits the one that is there.
func Upsert(c MarkedComment, ops CommentOps) (int64, error) {
	if err := c.Validate(); err != nil {
		return 0, err
	}
	have, err := find(c, ops)
	if err != nil {
		return 0, err
	}
	switch {
	case have.ID == 0:
		return ops.Create(c.Text())
	case !c.Differs(have.Body):
		return have.ID, nil
	default:
		return have.ID, ops.Edit(have.ID, c.Text())
	}
}

// find the comment by its id, else by its mark, else none.
func find(c MarkedComment, ops CommentOps) (Comment, error) {
	if c.ID != 0 {
		have, err := ops.Get(c.ID)
		switch {
		case err == nil && c.In(have.Body):
			return have, nil
		case err != nil && !Is(err, NotFound):
			return Comment{}, err
		}
	}
	all, err := ops.First()
	if err != nil {
		return Comment{}, err
	}
	user := ""
	for _, have := range all {
		if !c.In(have.Body) {
			continue
		}
		if user == "" {
			if user, err = ops.User(); err != nil {
				return Comment{}, err
			}
		}
		if have.Author == user {
			return have, nil
		}
	}
	return Comment{}, nil
}

// Check refuses a status that no forge takes.
func (s Status) Check(sha string) error {
	switch s.State {
	case StatusPending, StatusSuccess, StatusFailure:
	default:
		return Refusef(Invalid, "state %q is none of pending, success and failure", s.State)
	}
	if s.Context == "" || len(s.Context) > 200 {
		return Refusef(Invalid, "context: give it 1 to 200 characters")
	}
	return CheckSHA(sha)
}

// RequiresAll says whether all contexts must be successful before a merge.
func (p Protection) RequiresAll(contexts []string) bool {
	return !slices.ContainsFunc(contexts, func(c string) bool { return !p.Requires(c) })
}

// Union of contexts, sorted.
func Union(a, b []string) []string {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Sort files by path.
func (f *ChangedFiles) Sort() {
	slices.SortFunc(f.Files, func(a, b ChangedFile) int { return strings.Compare(a.Path, b.Path) })
}

// ByUser sorts approvals by user.
func ByUser(m map[string]Approval) []Approval {
	out := make([]Approval, 0, len(m))
	for _, u := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[u])
	}
	return out
}

// ByContext sorts statuses by context.
func ByContext(m map[string]Status) []Status {
	out := make([]Status, 0, len(m))
	for _, c := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[c])
	}
	return out
}
