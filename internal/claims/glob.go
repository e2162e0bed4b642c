package claims

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/tree"
)

// Match a path with a pattern. Between slashes a pattern is one of path.Match: * stands for any
// signs, ? for one, [a-z] for one of several. A part that is ** stands for any number of folders,
// also for none; as the last part for everything below. ** beside other signs is as *.
func Match(pattern, name string) bool {
	return match(strings.Split(pattern, "/"), strings.Split(name, "/"))
}

// match part by part. It keeps which parts of the pattern may be next, so that it takes no
// longer than both are long.
func match(pattern, name []string) bool {
	at := make([]bool, len(pattern)+1)
	at[0] = true
	// A ** may stand for nothing, but not at the end: that would be the folder, not what is in it.
	skip := func() {
		for i, p := range pattern {
			if at[i] && p == "**" && i < len(pattern)-1 {
				at[i+1] = true
			}
		}
	}
	skip()
	for _, part := range name {
		next := make([]bool, len(at))
		for i, p := range pattern {
			if !at[i] {
				continue
			}
			if p == "**" {
				next[i] = true
				next[i+1] = next[i+1] || i == len(pattern)-1
			} else if ok, err := path.Match(p, part); err == nil && ok {
				next[i+1] = true
			}
		}
		at = next
		skip()
	}
	return at[len(pattern)]
}

// checkPaths refuses patterns that can match nothing.
func checkPaths(p v1alpha1.ClaimPaths) error {
	for field, patterns := range map[string][]string{"include": p.Include, "exclude": p.Exclude, "kustomize": p.Kustomize} {
		for _, pattern := range patterns {
			if _, err := path.Match(pattern, ""); err != nil {
				return fmt.Errorf("spec.forProvider.claims.%s: %q is not a pattern: close its brackets", field, pattern)
			}
			if trimmed := strings.TrimSuffix(pattern, "/"); trimmed == "" || trimmed != path.Clean(trimmed) || path.IsAbs(trimmed) || trimmed == ".." || strings.HasPrefix(trimmed, "../") {
				return fmt.Errorf("spec.forProvider.claims.%s: %q is not a path inside the repository: write it from its root, without a slash in front", field, pattern)
			}
		}
	}
	return nil
}

// chosen are the files that hold claims by themselves, and the folders that are built.
func (r *Reader) chosen(files tree.Files) (paths, builds []string, err error) {
	builds = r.folders(files)
	paths = r.paths(files, builds)
	if len(paths) > MaxFiles {
		return nil, nil, Problems{{Message: fmt.Sprintf("%d files match spec.forProvider.claims.include, of which at most %d are read: narrow the patterns", len(paths), MaxFiles)}}
	}
	return paths, builds, nil
}

// folders that are built with Kustomize, sorted. One that is not there has no claims: a merge
// request may delete all of it.
func (r *Reader) folders(files tree.Files) []string {
	if len(r.rules.Paths.Kustomize) == 0 {
		return nil
	}
	all := map[string]bool{".": len(files) > 0}
	for p := range files {
		for d := path.Dir(p); d != "." && !all[d]; d = path.Dir(d) {
			all[d] = true
		}
	}
	var out []string
	for d, there := range all {
		if there && slices.ContainsFunc(r.rules.Paths.Kustomize, func(pattern string) bool {
			pattern = strings.TrimSuffix(pattern, "/")
			// A pattern may match folders that are built and such that are not; a plain name means it.
			return pattern == d || strings.ContainsAny(pattern, "*?[") && Match(pattern, d) && kustomization(files, d) != ""
		}) {
			out = append(out, d)
		}
	}
	slices.Sort(out)
	return out
}

// paths of the files that hold claims by themselves, sorted.
func (r *Reader) paths(files tree.Files, builds []string) []string {
	var out []string
	for p := range files {
		matches := func(pattern string) bool { return Match(pattern, p) }
		below := func(folder string) bool { return folder == "." || strings.HasPrefix(p, folder+"/") }
		if slices.ContainsFunc(r.rules.Paths.Include, matches) && !slices.ContainsFunc(r.rules.Paths.Exclude, matches) && !slices.ContainsFunc(builds, below) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}
