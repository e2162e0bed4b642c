// Package tree says what a repository holds once a merge request is merged, without
// merging it.
//
// A tree is a flat list of files by path, each with its mode and with the id that Git gives
// its content. Two files with one id have one content, so that trees are compared and merged
// without reading any file. The invariants:
//
//   - A file that one side changed is as that side has it. One that both sides changed, and
//     not to the same, is a conflict, also where Git could merge it by lines: what is planned
//     must be what somebody wrote, as a whole.
//   - Hash is the id that Git gives the tree. The tree that is planned and the one that the
//     base branch has after the merge can therefore be compared.
//   - Nothing leads out of a tree: not a path, and not a symlink.
//
// Deliberately absent: where trees come from (provider/git); merges by lines; renames, which
// are a file that goes and one that comes; what files say (internal/claims).
package tree

import (
	"crypto/sha1" //nolint:gosec // Git identifies trees by it; nothing here is kept secret with it.
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// A Mode is the kind of a file, in Git's own numbers.
type Mode uint32

// Modes that Git knows.
const (
	Regular    Mode = 0o100644
	Group      Mode = 0o100664 // Written by old versions of Git. As Regular.
	Executable Mode = 0o100755
	Symlink    Mode = 0o120000
	Submodule  Mode = 0o160000
)

// Plain is true where a file has content of its own.
func (m Mode) Plain() bool { return m == Regular || m == Group || m == Executable }

// String says what it is.
func (m Mode) String() string {
	switch m {
	case Regular, Group:
		return "file"
	case Executable:
		return "executable file"
	case Symlink:
		return "symlink"
	case Submodule:
		return "submodule"
	}
	return fmt.Sprintf("special file of mode %o", uint32(m))
}

// A File of a tree.
type File struct {
	Mode Mode
	// ID that Git gives its content, in hex.
	ID string
}

// Files of a tree by path, with slashes between folders.
type Files map[string]File

// Blobs are the contents of files by their ids.
type Blobs interface {
	// Size of a content in bytes.
	Size(id string) (int64, error)
	// Read a content.
	Read(id string) ([]byte, error)
}

// Paths of the files, sorted.
func (f Files) Paths() []string { return slices.Sorted(maps.Keys(f)) }

// HasFolder is true where there is a file below a folder. The folder "." holds all.
func (f Files) HasFolder(folder string) bool {
	if folder == "." {
		return len(f) > 0
	}
	for p := range f {
		if strings.HasPrefix(p, folder+"/") {
			return true
		}
	}
	return false
}

// Changed are the paths that differ between two trees, sorted.
func Changed(a, b Files) []string {
	var out []string
	for p, f := range a {
		if b[p] != f {
			out = append(out, p)
		}
	}
	for p := range b {
		if _, ok := a[p]; !ok {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// CheckPath refuses a path that no file of a tree may have: one that is not clean, leads out
// of the tree or into Git's own folder, or has signs in it that cannot be shown.
func CheckPath(p string) error {
	if p == "" || p != path.Clean(p) || path.IsAbs(p) || p == "." || p == ".." || strings.HasPrefix(p, "../") {
		return fmt.Errorf("path %q is not one inside the repository", p)
	}
	if len(p) > 4096 || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
		return fmt.Errorf("path %q has signs that file names must not have", p)
	}
	for part := range strings.SplitSeq(p, "/") {
		if strings.EqualFold(part, ".git") {
			return fmt.Errorf("path %q is inside Git's own folder", p)
		}
	}
	return nil
}

// Hash is the id that Git gives the tree. Where a path is both a file and a folder it is of no
// tree that Git could have; Merge makes none.
func (f Files) Hash() string {
	root := &folder{folders: map[string]*folder{}, files: map[string]File{}}
	for p, file := range f {
		at := root
		for {
			head, rest, deeper := strings.Cut(p, "/")
			if !deeper {
				at.files[head] = file
				break
			}
			if at.folders[head] == nil {
				at.folders[head] = &folder{folders: map[string]*folder{}, files: map[string]File{}}
			}
			at, p = at.folders[head], rest
		}
	}
	return hex.EncodeToString(root.sum())
}

// A folder of a tree, to be hashed.
type folder struct {
	folders map[string]*folder
	files   map[string]File
}

// sum as Git does it: entries in the order of their names, where a folder's ends with a slash.
func (d *folder) sum() []byte {
	type entry struct {
		key, mode, name string
		id              []byte
	}
	entries := make([]entry, 0, len(d.files)+len(d.folders))
	for name, f := range d.files {
		id, _ := hex.DecodeString(f.ID) // An id that is not hex gives a tree that equals no other.
		entries = append(entries, entry{key: name, mode: fmt.Sprintf("%o", uint32(f.Mode)), name: name, id: id})
	}
	for name, sub := range d.folders {
		entries = append(entries, entry{key: name + "/", mode: "40000", name: name, id: sub.sum()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })

	var body []byte
	for _, e := range entries {
		body = append(body, e.mode+" "+e.name+"\x00"...)
		body = append(body, e.id...)
	}
	h := sha1.New() //nolint:gosec // As above.
	h.Write(fmt.Appendf(nil, "tree %d\x00", len(body)))
	h.Write(body)
	return h.Sum(nil)
}
