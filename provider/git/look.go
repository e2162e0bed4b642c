package git

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/tree"
)

// A Look is what Git says of a merge request, once it was fetched.
type Look struct {
	// Head that is asked for, Base the tip of the branch it is to be merged into, and MergeBase
	// the commit that both stem from.
	Head, Base, MergeBase string
	// Contained is true where the base has all of the head: it is merged.
	Contained bool
	// Committers are who wrote and who committed what the head has and the base has not. None of
	// them may approve it.
	Committers []Person
	// HeadFiles, BaseFiles and MergeBaseFiles are the trees of those commits.
	HeadFiles, BaseFiles, MergeBaseFiles tree.Files
	// Merged is the base once the merge request is merged, and Tree the id of it. With
	// conflicts Tree is empty.
	Merged tree.Merged
	Tree   string
}

// A Person as commits name them. Anybody may commit under any name: it only ever takes a right away.
type Person struct{ Name, Email string }

// Look at a merge request anew. The head is a full name, such as refs/pull/7/head, or the id of a
// commit that was fetched. A branch that is not there is NotFound.
func (m *Mirror) Look(ctx context.Context, base, head string) (Look, error) {
	refs := []string{base}
	if !plumbing.IsHash(head) {
		refs = append(refs, head)
	}
	tips, err := m.Fetch(ctx, refs...)
	if err != nil {
		return Look{}, err
	}
	for _, r := range refs {
		if tips[r] == "" {
			return Look{}, &Error{Reason: NotFound, Message: fmt.Sprintf("branch %s is not in the repository", r)}
		}
	}
	if !plumbing.IsHash(head) {
		head = tips[head]
	}
	return m.Compare(tips[base], head)
}

// RequestRef is where a forge has the head of a merge request, also of one from a fork and also
// when its branch is gone.
func RequestRef(forge v1alpha1.ForgeName, number int64) string {
	if forge == v1alpha1.ForgeGitLab {
		return fmt.Sprintf("refs/merge-requests/%d/head", number)
	}
	return fmt.Sprintf("refs/pull/%d/head", number)
}

// Compare two commits that were fetched.
func (m *Mirror) Compare(base, head string) (Look, error) {
	out := Look{Head: head, Base: base}
	for _, c := range []string{base, head} {
		if _, err := m.store.commit(c); err != nil {
			return Look{}, err
		}
	}
	h, err := tree.Relate(base, head, m.store.parentsOf)
	switch {
	case err != nil && ReasonOf(err) == "":
		return Look{}, &Error{Reason: TooLarge, Message: err.Error(), Cause: err}
	case err != nil:
		return Look{}, err
	case len(h.Bases) != 1:
		return Look{}, &Error{Reason: Refused, Message: "branch and base stem from no single commit, so it cannot be said what changed: rebase the branch onto the base"}
	case len(h.Ahead) > m.limits.Commits:
		return Look{}, &Error{Reason: TooLarge, Message: fmt.Sprintf("branch has %d commits of its own, and at most %d are read: squash them", len(h.Ahead), m.limits.Commits)}
	}
	out.MergeBase, out.Contained = h.Bases[0], h.Contained()
	if out.Committers, err = m.committers(h.Ahead); err != nil {
		return Look{}, err
	}
	for _, side := range []struct {
		commit string
		files  *tree.Files
	}{{out.Head, &out.HeadFiles}, {out.Base, &out.BaseFiles}, {out.MergeBase, &out.MergeBaseFiles}} {
		if *side.files, err = m.Files(side.commit); err != nil {
			return Look{}, err
		}
	}
	out.Merged = tree.Merge(out.MergeBaseFiles, out.BaseFiles, out.HeadFiles)
	if len(out.Merged.Conflicts) == 0 {
		out.Tree = out.Merged.Files.Hash()
	}
	return out, nil
}

// committers of commits: authors and who committed, each once.
func (m *Mirror) committers(commits []string) ([]Person, error) {
	var out []Person
	for _, id := range commits {
		c, err := m.store.commit(id)
		if err != nil {
			return nil, m.store.missing(err)
		}
		out = append(out, Person{c.Author.Name, c.Author.Email}, Person{c.Committer.Name, c.Committer.Email})
	}
	slices.SortFunc(out, func(a, b Person) int { return cmp.Or(cmp.Compare(a.Email, b.Email), cmp.Compare(a.Name, b.Name)) })
	return slices.Compact(out), nil
}

// Tree is the id of a commit's tree.
func (m *Mirror) Tree(commit string) (string, error) {
	c, err := m.store.commit(commit)
	if err != nil {
		return "", err
	}
	return c.TreeHash.String(), nil
}

// Parents of a commit that was fetched.
func (m *Mirror) Parents(commit string) ([]string, error) {
	if _, err := m.store.commit(commit); err != nil {
		return nil, err
	}
	return m.store.parentsOf(commit)
}

// Files of a commit.
func (m *Mirror) Files(commit string) (tree.Files, error) {
	c, err := m.store.commit(commit)
	if err != nil {
		return nil, err
	}
	out := tree.Files{}
	if err := m.walk(c.TreeHash.String(), "", 0, out); err != nil {
		return nil, fmt.Errorf("cannot read the files of %s: %w", short(commit), err)
	}
	return out, nil
}

// maxDepth of folders in folders.
const maxDepth = 64

// walk a folder and those in it.
func (m *Mirror) walk(id, folder string, depth int, into tree.Files) error {
	if depth > maxDepth {
		return &Error{Reason: TooLarge, Message: fmt.Sprintf("folder %.100s is more than %d folders deep", folder, maxDepth)}
	}
	raw, err := m.store.read(id, plumbing.TreeObject)
	if err != nil {
		return m.store.missing(err)
	}
	var t object.Tree
	if err := t.Decode(inMemory(plumbing.TreeObject, raw)); err != nil {
		return &Error{Reason: Refused, Message: fmt.Sprintf("tree %s is malformed", short(id)), Cause: err}
	}
	for _, e := range t.Entries {
		p := e.Name
		if folder != "" {
			p = folder + "/" + e.Name
		}
		if err := tree.CheckPath(p); err != nil || strings.Contains(e.Name, "/") {
			return &Error{Reason: Refused, Message: fmt.Sprintf("tree has a name that no file may have: %q", p)}
		}
		if e.Mode == filemode.Dir {
			if err := m.walk(e.Hash.String(), p, depth+1, into); err != nil {
				return err
			}
			continue
		}
		into[p] = tree.File{Mode: tree.Mode(e.Mode), ID: e.Hash.String()}
		if len(into) > m.limits.Files {
			return &Error{Reason: TooLarge, Message: fmt.Sprintf("repository has more than %d files: keep claims in one of their own", m.limits.Files)}
		}
	}
	return nil
}

var _ tree.Blobs = (*Mirror)(nil)

// Size of a file's content.
func (m *Mirror) Size(id string) (int64, error) {
	n, err := m.store.size(id)
	if err != nil {
		return 0, m.store.missing(err)
	}
	return n, nil
}

// Read a file's content. One that is too large is refused.
func (m *Mirror) Read(id string) ([]byte, error) {
	n, err := m.Size(id)
	if err != nil {
		return nil, err
	}
	if n > m.limits.FileBytes {
		return nil, &Error{Reason: TooLarge, Message: fmt.Sprintf("file has %d bytes, and at most %d are read", n, m.limits.FileBytes)}
	}
	raw, err := m.store.read(id, plumbing.BlobObject)
	if err != nil {
		return nil, m.store.missing(err)
	}
	return raw, nil
}
