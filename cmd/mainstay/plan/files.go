// Package plan computes plans without a forge: from two folders, or from two revisions of
// a Git repository, and with what a hub says of its clusters where there is one.
package plan

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/mainstay-dev/mainstay/internal/plan/claims"
)

// An entry of a folder or of a revision: a file, or a link.
type entry struct {
	name string
	// link is where a link leads to, as it is written. "" for a file.
	link string
	// special is neither.
	special bool
	size    int64
	read    func() ([]byte, error)
}

// Folder reads the YAML files of a folder, by their names in it. Links are not followed:
// they may lead anywhere. An empty name is a folder without files. Where a Repository is given
// it says which files are read instead.
func Folder(dir string, by *Chosen) (map[string][]byte, error) {
	if dir == "" {
		return map[string][]byte{}, nil
	}
	take := collector(by)
	if err := walk(dir, take.entry); err != nil {
		return nil, fmt.Errorf("cannot read folder %s: %w", dir, err)
	}
	out, err := take.files()
	if err != nil {
		return nil, fmt.Errorf("cannot read folder %s: %w", dir, err)
	}
	return out, nil
}

// Revision reads files of a revision of the Git repository that a folder is in, below the
// folder, as Folder does. It runs git.
func Revision(ctx context.Context, dir, revision string, by *Chosen) (map[string][]byte, error) {
	if revision == "" || strings.HasPrefix(revision, "-") {
		return nil, fmt.Errorf("%q is no revision", revision)
	}
	take := collector(by)
	if err := archive(ctx, dir, revision, take.entry); err != nil {
		return nil, fmt.Errorf("cannot read revision %q: %w", revision, err)
	}
	out, err := take.files()
	if err != nil {
		return nil, fmt.Errorf("cannot read revision %q: %w", revision, err)
	}
	return out, nil
}

// A taker of entries.
type taker interface {
	entry(e entry) error
	files() (map[string][]byte, error)
}

func collector(by *Chosen) taker {
	if by != nil {
		return newTree(by)
	}
	return &plainFiles{text: map[string][]byte{}}
}

// plainFiles are all YAML files.
type plainFiles struct {
	text  map[string][]byte
	total int64
}

func (f *plainFiles) entry(e entry) error {
	switch {
	case !isYAML(e.name):
		return nil
	case e.link != "":
		return fmt.Errorf("%s is a link: claims are in files of their own", e.name)
	case e.special:
		return fmt.Errorf("%s is no file", e.name)
	case e.size > claims.MaxFileBytes:
		return fmt.Errorf("%s has %d bytes, and %d are the most: keep data out of claims", e.name, e.size, claims.MaxFileBytes)
	}
	if f.total += e.size; f.total > claims.MaxBytes {
		return fmt.Errorf("files come to more than %d MiB: plan a smaller folder", claims.MaxBytes>>20)
	}
	raw, err := e.read()
	f.text[e.name] = raw
	return err
}

func (f *plainFiles) files() (map[string][]byte, error) { return f.text, nil }

func isYAML(name string) bool { return path.Ext(name) == ".yaml" || path.Ext(name) == ".yml" }

// walk a folder. What is hidden is passed over.
func walk(dir string, visit func(entry) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // Opened for reading.
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		e := entry{name: filepath.ToSlash(name), special: !d.Type().IsRegular()}
		if d.Type()&fs.ModeSymlink != 0 {
			e.special = false
			if e.link, err = root.Readlink(name); err != nil {
				return err
			}
			return visit(e)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		e.size = info.Size()
		e.read = func() ([]byte, error) { return fs.ReadFile(root.FS(), name) }
		return visit(e)
	})
}

// archive has git write a revision, and visits what is in it.
func archive(ctx context.Context, dir, revision string, visit func(entry) error) error {
	cmd := exec.CommandContext(ctx, "git", "-C", dir, "archive", "--format=tar", revision, "--", ".")
	stderr := &bytes.Buffer{}
	cmd.Stderr = stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("cannot run git: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot run git: %w", err)
	}
	readErr := untar(pipe, visit)
	if readErr != nil {
		_ = cmd.Process.Kill() // It has more to say, and nobody listens.
	}
	err = cmd.Wait()
	switch {
	case err != nil && stderr.Len() > 0:
		return errors.New(strings.TrimSpace(stderr.String()))
	case readErr != nil:
		return readErr
	}
	return err
}

func untar(r io.Reader, visit func(entry) error) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(h.Name, ".") || strings.Contains(h.Name, "/.")
		if hidden || h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		e := entry{name: h.Name, size: h.Size, read: func() ([]byte, error) { return io.ReadAll(t) }}
		switch h.Typeflag {
		case tar.TypeReg:
		case tar.TypeSymlink, tar.TypeLink:
			e.link = h.Linkname
		default:
			e.special = true
		}
		if err := visit(e); err != nil {
			return err
		}
	}
}
