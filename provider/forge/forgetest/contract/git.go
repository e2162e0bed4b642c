package contract

import (
	"crypto/sha1" //nolint:gosec // Commits are named as Git names them; nothing is secured by it.
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
)

// A commit has all files, and where it comes from.
type commit struct {
	files   map[string]string
	parents []string
}

// commitFiles makes a commit on top of another.
func (r *Repository) commitFiles(files map[string]string, parents ...string) string {
	h := sha1.New() //nolint:gosec // See above.
	r.made++
	_, _ = fmt.Fprintln(h, r.made, parents)
	for _, p := range slices.Sorted(maps.Keys(files)) {
		_, _ = fmt.Fprintf(h, "%d:%s%d:%s", len(p), p, len(files[p]), files[p])
	}
	id := hex.EncodeToString(h.Sum(nil))
	r.commits[id] = commit{files: files, parents: parents}
	return id
}

// mergeBase of two commits: the nearest ancestor of one that is an ancestor of the
// other. Histories here have no more than one.
func (r *Repository) mergeBase(a, b string) string {
	of := map[string]bool{}
	for todo := []string{a}; len(todo) > 0; todo = todo[1:] {
		of[todo[0]] = true
		todo = append(todo, r.commits[todo[0]].parents...)
	}
	for todo := []string{b}; len(todo) > 0; todo = todo[1:] {
		if of[todo[0]] {
			return todo[0]
		}
		todo = append(todo, r.commits[todo[0]].parents...)
	}
	return ""
}

// merge the files of two commits. ok is false where both have changed a file.
func (r *Repository) merge(ours, theirs string) (files map[string]string, ok bool) {
	base, a, b := r.commits[r.mergeBase(ours, theirs)].files, r.commits[ours].files, r.commits[theirs].files
	files = map[string]string{}
	for p := range union(base, a, b) {
		was, inBase := base[p]
		x, inA := a[p]
		y, inB := b[p]
		switch {
		case inA == inB && x == y:
			y, inB = x, inA
		case inA == inBase && x == was:
		case inB == inBase && y == was:
			y, inB = x, inA
		default:
			return nil, false
		}
		if inB {
			files[p] = y
		}
	}
	return files, true
}

// diff says what a merge request changes, by path: added, modified or removed.
func (r *Repository) diff(base, head string) map[string]string {
	a, b := r.commits[r.mergeBase(base, head)].files, r.commits[head].files
	out := map[string]string{}
	for p := range union(a, b) {
		x, inA := a[p]
		y, inB := b[p]
		switch {
		case !inA:
			out[p] = "added"
		case !inB:
			out[p] = "removed"
		case x != y:
			out[p] = "modified"
		}
	}
	return out
}

func union(ms ...map[string]string) map[string]bool {
	all := map[string]bool{}
	for _, m := range ms {
		for k := range m {
			all[k] = true
		}
	}
	return all
}
