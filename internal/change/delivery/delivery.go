// Package delivery says which files of a change are put on the branch that is delivered from, and whether that
// brings what it should and nothing else.
//
// The invariants:
//
//   - Files are put there whole, as the merge request has them. So claims that share a file can only get there
//     together.
//   - A claim gets there in its step, and no claim of another change is altered or taken back.
//   - What would not be so is refused, and names the file, the claims, and what to do. When a change is
//     planned it is tried with the base branch, so that its author learns of it before anything is written;
//     and when it is delivered, with what is on the branch by then.
//
// Deliberately absent: pushing, and reading contents.
package delivery

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/claims"
	"github.com/mainstay-dev/mainstay/internal/tree"
)

// A Side is a tree, and the claims that it has.
type Side struct {
	Files  tree.Files
	Claims claims.Set
}

// A Delivery is what is to be put on a branch: some claims of a change, as a tree has them.
type Delivery struct {
	// Wanted claims, and Own ones: all that the change writes.
	Wanted, Own map[v1alpha1.ClaimReference]bool
	// Along are claims whose text the merge request changes, and not what they say to the API server: they come
	// along with whatever is in one file with them.
	Along map[v1alpha1.ClaimReference]bool
	// Source that has them as they are to be.
	Source Side
	// Changed files of the change. Those of them that hold no claims come along, because claims may be
	// built from them.
	Changed []string
}

// Choose the files to put on a branch that is at tip: whole files that hold claims which are wanted,
// there or in the source. Those that are the same already are left out.
func (d *Delivery) Choose(tip Side) []string {
	put, holders := map[string]bool{}, map[string]bool{}
	for _, s := range []Side{d.Source, tip} {
		for ref, c := range s.Claims {
			holders[c.File] = true
			if !d.Wanted[ref] {
				continue
			}
			if c.Line > 0 {
				put[c.File] = true
				continue
			}
			for _, files := range []tree.Files{d.Source.Files, tip.Files} {
				for p := range files {
					if below(p, c.File) {
						put[p] = true
					}
				}
			}
		}
	}
	for _, p := range d.Changed {
		if !holders[p] && !d.later(p, tip) {
			put[p] = true
		}
	}
	maps.DeleteFunc(put, func(p string, _ bool) bool {
		is, there := tip.Files[p]
		want, wanted := d.Source.Files[p]
		return there == wanted && is == want || wanted && !want.Mode.Plain()
	})
	return slices.Sorted(maps.Keys(put))
}

// later is true of a file in the folder of a claim that has its turn later, or had it.
func (d *Delivery) later(p string, tip Side) bool {
	for _, s := range []Side{d.Source, tip} {
		for ref, c := range s.Claims {
			if c.Line == 0 && d.Own[ref] && !d.Wanted[ref] && below(p, c.File) {
				return true
			}
		}
	}
	return false
}

// below is true where a file is in a folder.
func below(p, folder string) bool {
	folder = strings.Trim(folder, "/")
	return folder == "" || folder == "." || strings.HasPrefix(p, folder+"/")
}

// After files of the source were put onto a tree.
func (d *Delivery) After(tip Side, put []string) tree.Files {
	out := maps.Clone(tip.Files)
	if out == nil {
		out = tree.Files{}
	}
	for _, p := range put {
		if f, ok := d.Source.Files[p]; ok {
			out[p] = f
			continue
		}
		delete(out, p)
	}
	return out
}

// Check what a branch says once files were put there: the claims that are wanted, and else what it
// said before. An error says what to do about it.
func (d *Delivery) Check(tip, result claims.Set) error {
	for _, ref := range ordered(d.Wanted) {
		if said(d.Source.Claims, ref) != said(result, ref) {
			return fmt.Errorf("%s would say something else on the branch than in the merge request: what it is built from is not all there: push again with all of it", ref)
		}
	}
	for _, diff := range claims.Differences(tip, result) {
		if !d.Wanted[diff.Ref] && !d.Along[diff.Ref] {
			return d.strays(diff.Ref, tip)
		}
	}
	return nil
}

// strays says what to do about a claim that came along and must not.
func (d *Delivery) strays(ref v1alpha1.ClaimReference, tip claims.Set) error {
	with, file := d.beside(ref, tip)
	const others = "and the branch has it otherwise: another change is delivering it. Once that is merged, rebase and push"
	switch {
	case d.Own[ref] && file == "":
		return fmt.Errorf("%s is built from files that are delivered before its turn: change them in a merge request of their own", ref)
	case d.Own[ref]:
		return fmt.Errorf("%s: %s is in one file with %s, whose step is another, and would be delivered before its turn: put it into a file of its own", file, ref, with)
	case file == "":
		return fmt.Errorf("%s is built from files of this change, %s", ref, others)
	}
	return fmt.Errorf("%s: %s is in one file with %s, %s", file, ref, with, others)
}

// beside says which claim that is wanted is in one file, or one folder, with another, and in which.
func (d *Delivery) beside(ref v1alpha1.ClaimReference, tip claims.Set) (v1alpha1.ClaimReference, string) {
	sides := []claims.Set{d.Source.Claims, tip}
	for _, w := range ordered(d.Wanted) {
		for _, a := range sides {
			for _, b := range sides {
				its, mine := a[ref], b[w]
				switch {
				case its.File == "" || mine.File == "":
				case its.File == mine.File, mine.Line == 0 && below(its.File, mine.File):
					return w, mine.File
				case its.Line == 0 && below(mine.File, its.File):
					return w, its.File
				}
			}
		}
	}
	return v1alpha1.ClaimReference{}, ""
}

// said of a claim. Empty where it is not there.
func said(s claims.Set, ref v1alpha1.ClaimReference) string { return s[ref].Digest }

// ordered claims of a set.
func ordered(refs map[v1alpha1.ClaimReference]bool) []v1alpha1.ClaimReference {
	return slices.SortedFunc(maps.Keys(refs), func(a, b v1alpha1.ClaimReference) int { return strings.Compare(a.String(), b.String()) })
}
