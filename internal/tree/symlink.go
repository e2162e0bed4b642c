package tree

import (
	"fmt"
	"path"
	"strings"
)

// maxSymlinks is how many symlinks may lead to one file, one after the other.
const maxSymlinks = 8

// Resolve a path to a file with content of its own. A symlink is followed as long as it stays in
// the tree; a symlink that leads out, one to something that is not there, a submodule and a
// special file are refused by name.
func (f Files) Resolve(p string, blobs Blobs) (File, error) {
	name := p
	for range maxSymlinks {
		file, ok := f[p]
		switch {
		case !ok && p == name:
			return File{}, fmt.Errorf("%s is not in the repository", name)
		case !ok:
			return File{}, fmt.Errorf("%s is a symlink to %s, which is no file of the repository: put the file itself there", name, p)
		case file.Mode.Plain():
			return file, nil
		case file.Mode != Symlink:
			return File{}, fmt.Errorf("%s is a %s, which is not read: put the files themselves there, or exclude it", name, file.Mode)
		}
		size, err := blobs.Size(file.ID)
		if err != nil {
			return File{}, fmt.Errorf("cannot read the symlink %s: %w", p, err)
		}
		if size > 4096 {
			return File{}, fmt.Errorf("%s is a symlink whose target is too long", name)
		}
		raw, err := blobs.Read(file.ID)
		if err != nil {
			return File{}, fmt.Errorf("cannot read the symlink %s: %w", p, err)
		}
		target := path.Join(path.Dir(p), string(raw))
		if path.IsAbs(string(raw)) || target == ".." || strings.HasPrefix(target, "../") {
			return File{}, fmt.Errorf("%s is a symlink out of the repository: put the file itself there", name)
		}
		p = target
	}
	return File{}, fmt.Errorf("%s is a symlink that leads to more than %d others: put the file itself there", name, maxSymlinks)
}
