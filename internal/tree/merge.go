package tree

import (
	"maps"
	"slices"
	"strings"
)

// A Merged tree.
type Merged struct {
	// Files once both sides are merged. Those in conflict are as ours has them.
	Files Files
	// Conflicts are the files that both sides changed, sorted. Without any the merge stands.
	Conflicts []string
}

// Merge what two sides made of one tree: base is what both stem from, ours the branch that is
// merged into, theirs what is merged. It goes by whole files. A deletion is a change, too, and
// so is a mode.
func Merge(base, ours, theirs Files) Merged {
	out := Merged{Files: maps.Clone(ours)}
	if out.Files == nil {
		out.Files = Files{}
	}
	for _, p := range Changed(base, theirs) {
		was, had := base[p]
		is, has := ours[p]
		want, wanted := theirs[p]
		switch {
		case has == wanted && is == want:
			// Both sides did the same.
		case had != has || was != is:
			out.Conflicts = append(out.Conflicts, p)
		case wanted:
			out.Files[p] = want
		default:
			delete(out.Files, p)
		}
	}
	out.Conflicts = append(out.Conflicts, clashes(out.Files)...)
	slices.Sort(out.Conflicts)
	out.Conflicts = slices.Compact(out.Conflicts)
	return out
}

// clashes are files whose path is a folder of another file: one side made a file of what the
// other has as a folder.
func clashes(f Files) []string {
	var out []string
	seen := map[string]bool{}
	for p := range f {
		for i := strings.LastIndexByte(p, '/'); i > 0; i = strings.LastIndexByte(p[:i], '/') {
			dir := p[:i]
			if seen[dir] {
				break
			}
			seen[dir] = true
			if _, ok := f[dir]; ok {
				out = append(out, dir)
			}
		}
	}
	return out
}
