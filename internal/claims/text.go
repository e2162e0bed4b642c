package claims

import (
	"github.com/mainstay-dev/mainstay/internal/tree"
)

// Text of the files that hold claims, by their names, and of what builds give, by their folders.
// It says nothing of what stands in them: that is for whoever reads more than claims from them.
// Where anything is wrong with files the error is Problems.
func (r *Reader) Text(files tree.Files, blobs tree.Blobs) (map[string][]byte, error) {
	paths, builds, err := r.chosen(files)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	var problems Problems
	take := func(name string, raw []byte, err error) error {
		if err == nil {
			out[name] = raw
			return nil
		}
		problems = append(problems, problemsOf(name, err)...)
		if isProblem(err) {
			return nil
		}
		return err
	}
	for _, p := range paths {
		raw, err := text(files, blobs, p)
		if err := take(p, raw, err); err != nil {
			return nil, err
		}
	}
	for _, f := range builds {
		raw, err := built(files, blobs, f)
		if err := take(f, raw, err); err != nil {
			return nil, err
		}
	}
	if len(problems) > 0 {
		return nil, problems.sorted()
	}
	return out, nil
}

// text of one file, where a link leads to as well.
func text(files tree.Files, blobs tree.Blobs, p string) ([]byte, error) {
	f, err := files.Resolve(p, blobs)
	if err != nil {
		return nil, err
	}
	raw, _, err := content(blobs, f.ID, p, false)
	return raw, err
}
