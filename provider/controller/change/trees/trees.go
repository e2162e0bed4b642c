// Package trees tells which claims a merge request has: what they say where it begins, in its
// head, on the base branch, and on the base branch once it is merged.
//
// All of it comes from the mirror of a repository. The invariants:
//
//   - A View is of two commits. The same two always give the same View, so it is remembered, and
//     nothing has to be fetched for it again.
//   - What cannot be read is an error, and never an empty set of claims.
//   - What is wrong in the merged tree is in Problems, and refuses the change. What is wrong elsewhere
//     is not this change's to mend, and is compared as far as it could be read.
//
// Deliberately absent: whether namespaces agreed to a repository, which the hub knows, and what
// claims render to, which is the planner's.
package trees

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/claims"
	"github.com/mainstay-dev/mainstay/internal/tree"
	"github.com/mainstay-dev/mainstay/provider/git"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

// What is remembered: as many entries of files in views as of claims in sets, at 150 and 400 bytes (BenchmarkRemembered), and readers, which
// have the documents of files. Each merge makes a view of every merge request that is open, and the one
// before is of no use: more room is filled with what nobody asks for again.
const (
	maxEntries = 300_000
	maxReaders = 64
)

// A View of a merge request. It is shared: do not change it.
type View struct {
	git.Look

	// Base, Head, MergeBase and Merged are the claims of those trees. Merged is nil where there
	// are conflicts.
	Base, Head, MergeBase, Merged claims.Set
	// Touched are the claims of the merge request.
	Touched []v1alpha1.ClaimReference
	// Content identifies what those claims say in Merged. With conflicts it is empty.
	Content string
	// Problems of Merged. They refuse the change.
	Problems claims.Problems
	// BaseProblems are those of Base, which then has not all that it should. They refuse
	// nothing: who mends them has to be able to.
	BaseProblems claims.Problems
}

// Trees reads views, and remembers them. It is safe for concurrent use.
type Trees struct {
	mu      sync.Mutex
	views   *recent[viewKey, View]
	sets    *recent[setKey, readSet]
	readers *recent[ruleKey, *claims.Reader]
}

// A ruleKey names by which rules claims of a repository are read.
type ruleKey struct {
	repository types.UID
	rules      string
}

type setKey struct {
	ruleKey

	tree string
}

type viewKey struct {
	ruleKey

	base, head string
}

// A readSet is what a tree was read as.
type readSet struct {
	claims   claims.Set
	problems claims.Problems
}

// New returns Trees that remember nothing yet.
func New() *Trees {
	return &Trees{
		views:   newRecent[viewKey, View](maxEntries),
		sets:    newRecent[setKey, readSet](maxEntries),
		readers: newRecent[ruleKey, *claims.Reader](maxReaders),
	}
}

// Look at a merge request anew: it fetches its head and the base branch. Errors are those of the
// mirror; what an author has to mend is in the View.
func (t *Trees) Look(ctx context.Context, r *repo.Repo, spec v1alpha1.RepositoryParameters, namespace string, number int64) (View, error) {
	refs := []string{"refs/heads/" + spec.BaseBranch, git.RequestRef(spec.Forge, number)}
	tips, err := r.Mirror.Fetch(ctx, refs...)
	if err != nil {
		return View{}, fmt.Errorf("cannot look at merge request %d: %w", number, err)
	}
	for _, ref := range refs {
		if tips[ref] == "" {
			return View{}, &git.Error{Reason: git.NotFound, Message: fmt.Sprintf("%s is not in the repository", ref)}
		}
	}
	return t.At(r, spec, namespace, tips[refs[0]], tips[refs[1]])
}

// At two commits that were fetched. One that is not in the mirror is git.NotFound.
func (t *Trees) At(r *repo.Repo, spec v1alpha1.RepositoryParameters, namespace, base, head string) (View, error) {
	reader, key, err := t.reader(r, spec, namespace)
	if err != nil {
		return View{}, err
	}
	at := viewKey{ruleKey: key, base: base, head: head}
	if v, ok := get(t, t.views, at); ok {
		return v, nil
	}

	look, err := r.Mirror.Compare(base, head)
	if err != nil {
		return View{}, fmt.Errorf("cannot compare %.12s with %.12s: %w", head, base, err)
	}
	v := View{Look: look}
	for _, side := range []struct {
		files tree.Files
		into  *claims.Set
		wrong *claims.Problems
	}{{look.BaseFiles, &v.Base, &v.BaseProblems}, {look.HeadFiles, &v.Head, nil}, {look.MergeBaseFiles, &v.MergeBase, nil}} {
		read, err := t.read(reader, key, side.files, r.Mirror)
		if err != nil {
			return View{}, err
		}
		*side.into = read.claims
		if side.wrong != nil {
			*side.wrong = read.problems
		}
	}
	if err := t.merged(&v, reader, key, r.Mirror); err != nil {
		return View{}, err
	}
	put(t, t.views, at, v, 3*len(look.BaseFiles)+len(look.Merged.Files))
	return v, nil
}

// merged is what the base branch says once the merge request is merged.
func (t *Trees) merged(v *View, reader *claims.Reader, key ruleKey, blobs tree.Blobs) error {
	if len(v.Look.Merged.Conflicts) > 0 {
		v.Touched = claims.Touched(v.MergeBase, v.Head, nil, nil)
		return nil
	}
	read, err := t.read(reader, key, v.Look.Merged.Files, blobs)
	if err != nil {
		return err
	}
	v.Merged, v.Problems = read.claims, read.problems
	v.Touched = claims.Touched(v.MergeBase, v.Head, v.Base, v.Merged)
	v.Content = content(v.Touched, v.Merged, v.Problems)
	return nil
}

// content of claims. What could not be read is part of it: once it can be, it says something else.
func content(touched []v1alpha1.ClaimReference, set claims.Set, problems claims.Problems) string {
	if len(problems) == 0 {
		return claims.Content(touched, set)
	}
	sum := sha256.Sum256([]byte(claims.Content(touched, set) + "\n" + problems.Error()))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Commit is the claims of one commit that was fetched. Where something is wrong with them the error
// is claims.Problems.
func (t *Trees) Commit(r *repo.Repo, spec v1alpha1.RepositoryParameters, namespace, commit string) (claims.Set, error) {
	reader, key, err := t.reader(r, spec, namespace)
	if err != nil {
		return nil, err
	}
	files, err := r.Mirror.Files(commit)
	if err != nil {
		return nil, err
	}
	return t.of(r, reader, key, files)
}

// Files are claims of some files, whose contents the mirror has. Where something is wrong with them
// the error is claims.Problems.
func (t *Trees) Files(r *repo.Repo, spec v1alpha1.RepositoryParameters, namespace string, files tree.Files) (claims.Set, error) {
	reader, key, err := t.reader(r, spec, namespace)
	if err != nil {
		return nil, err
	}
	return t.of(r, reader, key, files)
}

func (t *Trees) of(r *repo.Repo, reader *claims.Reader, key ruleKey, files tree.Files) (claims.Set, error) {
	read, err := t.read(reader, key, files, r.Mirror)
	if err != nil {
		return nil, err
	}
	if len(read.problems) > 0 {
		return read.claims, read.problems
	}
	return read.claims, nil
}

// read the claims of a tree, once.
func (t *Trees) read(reader *claims.Reader, key ruleKey, files tree.Files, blobs tree.Blobs) (readSet, error) {
	at := setKey{ruleKey: key, tree: files.Hash()}
	if set, ok := get(t, t.sets, at); ok {
		return set, nil
	}
	set, err := reader.Read(files, blobs)
	problems, mendable := errors.AsType[claims.Problems](err)
	if err != nil && !mendable {
		return readSet{}, fmt.Errorf("cannot read claims: %w", err)
	}
	out := readSet{claims: set, problems: problems}
	put(t, t.sets, at, out, len(set))
	return out, nil
}

// reader by the rules of a repository.
func (t *Trees) reader(r *repo.Repo, spec v1alpha1.RepositoryParameters, namespace string) (*claims.Reader, ruleKey, error) {
	rules := claims.Rules{Paths: spec.Claims, Namespace: namespace, Namespaces: spec.TargetNamespaces}
	raw, err := json.Marshal([]any{rules.Paths, rules.Namespace, rules.Namespaces})
	if err != nil {
		return nil, ruleKey{}, fmt.Errorf("cannot tell the rules of Repository %s: %w", r.Key, err)
	}
	key := ruleKey{repository: r.UID, rules: string(raw)}
	if reader, ok := get(t, t.readers, key); ok {
		return reader, key, nil
	}
	reader, err := claims.NewReader(rules)
	if err != nil {
		return nil, ruleKey{}, fmt.Errorf("cannot read spec.forProvider.claims of Repository %s: %w", r.Key, err)
	}
	put(t, t.readers, key, reader, 0)
	return reader, key, nil
}

func get[K comparable, V any](t *Trees, of *recent[K, V], key K) (V, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return of.get(key)
}

func put[K comparable, V any](t *Trees, of *recent[K, V], key K, value V, weight int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of.put(key, value, weight)
}
