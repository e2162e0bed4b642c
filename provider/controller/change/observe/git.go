package observe

import (
	"context"
	"fmt"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/claims"
	"github.com/mainstay-dev/mainstay/provider/controller/change/trees"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/git"
)

const (
	// fetchAgain is how long Git is left alone after a fetch that failed, and refAgain after one that did not
	// bring the head which the forge's API speaks of: it is written down there a moment later.
	fetchAgain, refAgain = 15 * time.Second, 2 * time.Second
	// maxConflicts that are named.
	maxConflicts = 100
)

// git is what the mirror has of a merge request, fetched anew where that may be something else.
func (o *Observer) git(ctx context.Context, in Input, m *memory, out *change.Observed) {
	switch {
	case m.request == nil || in.Repo == nil:
		out.Git = change.Git{Problem: "the forge has not said yet what is asked for"}
		return
	case m.stale(in, *out, o.Now()):
		m.gitAt, m.gitHead = o.Now(), m.raw.HeadSHA
		if err := o.fetch(ctx, in, m, out.Status); err != nil {
			m.git = change.Git{Problem: cut(err.Error())}
		}
	}
	out.Git = m.git
	if out.Request != nil && m.git.Problem == "" {
		var people []string
		for _, r := range out.Request.Reviews {
			people = append(people, r.By.Name)
		}
		for _, c := range out.Comments {
			people = append(people, c.By.Name)
		}
		out.Request.Committers = spelled(m.committers, people)
		out.Request.BranchGone = out.Request.BranchGone || m.gone && out.Request.State == change.RequestOpen
	}
}

// stale is true where Git may say something else than it did.
func (m *memory) stale(in Input, out change.Observed, now time.Time) bool {
	since := now.Sub(m.gitAt)
	switch {
	case m.gitAt.IsZero() || since < 0:
		return true
	case m.raw.State == forge.Closed, ended(out.Status):
		return false
	case m.git.Problem != "":
		return since >= fetchAgain
	case m.gitHead != m.raw.HeadSHA:
		return true
	case m.git.Head != m.raw.HeadSHA:
		return since >= refAgain
	case m.raw.State == forge.Merged && m.git.Merged == "":
		return true
	case m.raw.State == forge.Merged:
		return false
	case acts(out.Status, out.Place, out.MergesAhead):
		return true
	}
	if poll, ok := in.Repo.Seen(); ok && poll.At.After(m.gitAt) && poll.Base != "" && poll.Base != m.git.Base {
		return true
	}
	return since >= unasked*interval(in.Repository)
}

// fetch what is asked for, and compare it.
func (o *Observer) fetch(ctx context.Context, in Input, m *memory, s v1alpha1.ChangeObservation) error {
	spec, number := in.Repository.Spec.ForProvider, in.Change.Spec.ForProvider.Number
	base, request, branch := "refs/heads/"+spec.BaseBranch, git.RequestRef(spec.Forge, number), ""
	refs := []string{base, request}
	if m.raw.State == forge.Open && !m.raw.Fork && m.raw.HeadRef != "" {
		branch = "refs/heads/" + m.raw.HeadRef
		refs = append(refs, branch)
	}
	tips, err := in.Repo.Mirror.Fetch(ctx, refs...)
	switch {
	case err != nil:
		return err
	case tips[base] == "":
		return fmt.Errorf("base branch %s is not in the repository: push it, or mend spec.forProvider.baseBranch", spec.BaseBranch) //nolint:err113 // Only ever printed.
	case tips[request] == "":
		return fmt.Errorf("the forge keeps no %s of the merge request", request) //nolint:err113 // Only ever printed.
	}
	m.gone = branch != "" && tips[branch] == ""
	at, head := tips[base], tips[request]
	if m.raw.State == forge.Merged {
		head = m.raw.HeadSHA
		if at, err = before(in.Repo.Mirror, m.raw.MergeCommit, head, spec.Merge.Method, s.Request); err != nil {
			return err
		}
	}
	v, err := o.Trees.At(in.Repo, spec, in.Repository.GetNamespace(), at, head)
	if err != nil {
		return err
	}
	m.committers = committers(v.Committers)
	g := gitOf(v)
	if m.raw.State == forge.Merged {
		after := m.raw.MergeCommit
		if after == "" {
			after = tips[base]
		}
		set, err := o.Trees.Commit(in.Repo, spec, in.Repository.GetNamespace(), after)
		if set == nil && err != nil {
			return err
		}
		g.Merged = claims.Content(v.Touched, set)
	}
	m.git = g
	return nil
}

// gitOf a view.
func gitOf(v trees.View) change.Git {
	conflicts := v.Look.Merged.Conflicts
	return change.Git{
		Head: v.Look.Head, Base: v.Look.Base, MergeBase: v.Look.MergeBase, Tree: v.Tree, Content: v.Content,
		Conflicts: conflicts[:min(len(conflicts), maxConflicts)],
	}
}

// A history says what a commit stems from.
type history interface {
	Parents(commit string) ([]string, error)
}

// before is the commit that the base branch was at before a merge. A commit of its own stems from it. Where
// the branch was moved along instead, commit by commit, it is what it was when it was looked at last.
func before(h history, merge, head string, method v1alpha1.MergeMethod, last v1alpha1.ChangeRequest) (string, error) {
	switch {
	case merge == "" && last.BaseSHA != "":
		return last.BaseSHA, nil
	case merge == head && last.MergeBaseSHA != "":
		return last.MergeBaseSHA, nil
	case merge == "":
		merge = head
	}
	parents, err := h.Parents(merge)
	switch {
	case err != nil:
		return "", err
	case len(parents) == 0:
		return "", fmt.Errorf("commit %.12s of the merge stems from none", merge) //nolint:err113 // Only ever printed.
	case len(parents) == 1 && method == v1alpha1.MergeRebase && last.BaseSHA != "":
		return last.BaseSHA, nil
	}
	return parents[0], nil
}
