package execute

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/claims"
	"github.com/mainstay-dev/mainstay/internal/tree"
)

// A side is a tree, and the claims that it has.
type side struct {
	files  tree.Files
	claims claims.Set
}

// A delivery is what is to be put on a branch: some claims of a change, as a tree has them.
type delivery struct {
	// wanted claims, and own ones: all of the change.
	wanted, own map[v1alpha1.ClaimReference]bool
	// source that has them as they are to be.
	source side
	// changed files of the change. Those of them that hold no claims come along, because claims may be
	// built from them.
	changed []string
}

// choose the files to put on a branch that is at tip: whole files that hold claims which are wanted,
// there or in the source. Those that are the same already are left out.
func (d *delivery) choose(tip side) []string {
	put, holders := map[string]bool{}, map[string]bool{}
	for _, s := range []side{d.source, tip} {
		for ref, c := range s.claims {
			holders[c.File] = true
			if !d.wanted[ref] {
				continue
			}
			if c.Line > 0 {
				put[c.File] = true
				continue
			}
			for _, files := range []tree.Files{d.source.files, tip.files} {
				for p := range files {
					if below(p, c.File) {
						put[p] = true
					}
				}
			}
		}
	}
	for _, p := range d.changed {
		if !holders[p] {
			put[p] = true
		}
	}
	maps.DeleteFunc(put, func(p string, _ bool) bool {
		is, there := tip.files[p]
		want, wanted := d.source.files[p]
		return there == wanted && is == want || wanted && !want.Mode.Plain()
	})
	return slices.Sorted(maps.Keys(put))
}

// below is true where a file is in a folder.
func below(p, folder string) bool {
	folder = strings.Trim(folder, "/")
	return folder == "" || folder == "." || strings.HasPrefix(p, folder+"/")
}

// after files of the source were put onto a tree.
func (d *delivery) after(tip side, put []string) tree.Files {
	out := maps.Clone(tip.files)
	if out == nil {
		out = tree.Files{}
	}
	for _, p := range put {
		if f, ok := d.source.files[p]; ok {
			out[p] = f
			continue
		}
		delete(out, p)
	}
	return out
}

// check what a branch says once files were put there: the claims that are wanted, and else what it
// said before. An error says what to do about it.
func (d *delivery) check(tip, result claims.Set) error {
	for ref := range d.wanted {
		if said(d.source.claims, ref) != said(result, ref) {
			return fmt.Errorf("%s would say something else on the branch than in the merge request: what it is built from is not all there: push again with all of it", ref)
		}
	}
	for _, diff := range claims.Differences(tip, result) {
		switch {
		case d.wanted[diff.Ref]:
		case d.own[diff.Ref]:
			return fmt.Errorf("%s is in one file with a claim of an earlier step, and would be delivered before its turn: put it into a file of its own", diff.Ref)
		default:
			return fmt.Errorf("%s is in one file with a claim of this change, and the branch has it otherwise: another change is delivering it. Once that is merged, rebase and push", diff.Ref)
		}
	}
	return nil
}

// said of a claim. Empty where it is not there.
func said(s claims.Set, ref v1alpha1.ClaimReference) string { return s[ref].Digest }
