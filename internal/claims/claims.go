// Package claims says which claims the files of a repository hold, and what two trees of it
// differ in.
//
// A file counts where the Repository's patterns say so. It holds any number of YAML documents,
// each of which is a claim; a folder that is built with Kustomize holds what the build gives.
// The invariants:
//
//   - What is not understood is refused: a document that is no claim, a field that only the API
//     server sets, a claim that two documents have, a file that cannot be read whole. Nothing is
//     left out silently.
//   - All that is wrong is said at once, each with file, document and line.
//   - Everything is bounded: files, bytes, documents, and what YAML's aliases unfold to.
//   - The same files give the same set, whatever their names and order.
//
// Deliberately absent: whether a claim's spec is valid, which the API server knows; whether a
// namespace agreed to a repository; and what a claim renders to (internal/plan). Kustomize builds
// nothing from outside the repository and starts no process: plugins, Helm charts and remote
// bases are refused.
package claims

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	xr "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/tree"
)

// Bounds of what is read.
const (
	// MaxFiles that hold claims in one tree.
	MaxFiles = 20_000
	// MaxFileBytes of one file.
	MaxFileBytes = 4 << 20
	// MaxBytes of all files that are read of one tree.
	MaxBytes = 128 << 20
	// MaxClaims in one tree.
	MaxClaims = 50_000
	// MaxClaimBytes of one claim as JSON, once aliases are unfolded: what fits into the API server.
	MaxClaimBytes = 1 << 20
	// MaxProblems that are told at once.
	MaxProblems = 20
)

// A Claim as a repository has it.
type Claim struct {
	Ref v1alpha1.ClaimReference
	// Object is the claim, with its namespace. It is shared: do not change it.
	Object map[string]any
	// Digest of all that it says.
	Digest string
	Source
}

// A Source says where in a repository something is.
type Source struct {
	// File that holds it, or the folder whose build gives it.
	File string
	// Document of the file, from 1.
	Document int
	// Line that the document begins in, from 1. 0 for what a build gives.
	Line int
}

// String says where as people look for it.
func (s Source) String() string {
	if s.Line == 0 {
		return fmt.Sprintf("%s, document %d of its build", s.File, s.Document)
	}
	return fmt.Sprintf("%s, document %d, line %d", s.File, s.Document, s.Line)
}

// A Set of claims, each once.
type Set map[v1alpha1.ClaimReference]Claim

// A Verdict on a kind.
type Verdict string

// Verdicts.
const (
	// Wanted kinds are claims.
	Wanted Verdict = "Wanted"
	// Ignored kinds may be there and are not read.
	Ignored Verdict = "Ignored"
	// Foreign kinds are refused.
	Foreign Verdict = "Foreign"
)

// Rules say what counts as a claim.
type Rules struct {
	// Paths of the files.
	Paths v1alpha1.ClaimPaths
	// Namespace of claims that name none.
	Namespace string
	// Namespaces that claims may be in. Defaults to Namespace.
	Namespaces []string
	// Kind says what a kind is. Defaults to Ours.
	Kind func(group, kind string) Verdict
}

// Ours has Mainstay's own claims as wanted, and everything else as foreign.
func Ours(group, kind string) Verdict {
	if group == xr.GroupVersion.Group && slices.Contains([]string{xr.ClusterFleetKind, xr.FleetCellKind, xr.ProductApplicationKind}, kind) {
		return Wanted
	}
	return Foreign
}

// A Reader reads trees by the same rules, and remembers documents of files by their content. It
// is safe for concurrent use.
type Reader struct {
	rules Rules

	mu       sync.Mutex
	memo     map[string][]document
	memoSize int64
}

// NewReader for rules. It fails where a pattern is malformed.
func NewReader(rules Rules) (*Reader, error) {
	if err := checkPaths(rules.Paths); err != nil {
		return nil, err
	}
	if len(rules.Paths.Include) == 0 {
		rules.Paths.Include = []string{"**/*.yaml", "**/*.yml"}
	}
	if len(rules.Namespaces) == 0 {
		rules.Namespaces = []string{rules.Namespace}
	}
	if rules.Kind == nil {
		rules.Kind = Ours
	}
	return &Reader{rules: rules, memo: map[string][]document{}}, nil
}

// Read the claims of a tree. Where anything is wrong with files the error is Problems, and the set has
// what could be read: enough to compare with, never to execute. Every other error is one of the
// blobs, and there is no set.
func (r *Reader) Read(files tree.Files, blobs tree.Blobs) (Set, error) {
	var problems Problems
	paths, builds, err := r.chosen(files)
	if err != nil {
		return nil, err
	}

	set, total := Set{}, int64(0)
	take := func(docs []document) {
		for _, d := range docs {
			if p := r.take(set, d); p != nil {
				problems = append(problems, *p)
			}
		}
	}
	for _, p := range paths {
		docs, size, err := r.file(files, blobs, p)
		if err != nil {
			if problems = append(problems, problemsOf(p, err)...); !isProblem(err) {
				return nil, err
			}
			continue
		}
		if total += size; total > MaxBytes {
			return nil, Problems{{File: p, Message: fmt.Sprintf("files of claims have more than %d MiB together: narrow the patterns", MaxBytes>>20)}}
		}
		take(docs)
	}
	for _, f := range builds {
		docs, err := build(files, blobs, f)
		if err != nil {
			if problems = append(problems, problemsOf(f, err)...); !isProblem(err) {
				return nil, err
			}
			continue
		}
		take(docs)
	}
	if len(set) > MaxClaims {
		return nil, Problems{{Message: fmt.Sprintf("repository has %d claims, of which at most %d are read", len(set), MaxClaims)}}
	}
	if len(problems) > 0 {
		return set, problems.sorted()
	}
	return set, nil
}

// take one document into a set, or say what is wrong with it.
func (r *Reader) take(set Set, d document) *Problem {
	c, err := r.claim(d)
	switch {
	case err != nil:
		return &Problem{File: d.File, Document: d.Document, Line: d.Line, Message: err.Error()}
	case c == nil:
		return nil
	}
	if other, ok := set[c.Ref]; ok {
		return &Problem{File: d.File, Document: d.Document, Line: d.Line, Message: fmt.Sprintf("%s is in %s, too: keep one of them", c.Ref, other.Source)}
	}
	set[c.Ref] = *c
	return nil
}

// Digest of what an object says: its canonical JSON.
func digest(object map[string]any) (string, int, error) {
	raw, err := json.Marshal(object)
	if err != nil {
		return "", 0, fmt.Errorf("cannot write it as JSON: %w", err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), len(raw), nil
}

// group of an apiVersion, "" for the core one.
func group(apiVersion string) string {
	g, _, ok := strings.Cut(apiVersion, "/")
	if !ok {
		return ""
	}
	return g
}
