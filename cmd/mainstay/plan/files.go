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

// Folder reads the YAML files of a folder, by their names in it. Links are not followed:
// they may lead anywhere. An empty name is a folder without files.
func Folder(dir string) (map[string][]byte, error) {
	out := map[string][]byte{}
	if dir == "" {
		return out, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open folder: %w", err)
	}
	defer root.Close() //nolint:errcheck // Opened for reading.
	total := int64(0)
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || !isYAML(name):
			return nil
		case d.Type()&fs.ModeSymlink != 0:
			return fmt.Errorf("%s is a link: claims are in files of their own", name)
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is no file", name)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if err := bound(name, info.Size(), &total); err != nil {
			return err
		}
		raw, err := fs.ReadFile(root.FS(), name)
		out[filepath.ToSlash(name)] = raw
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read folder %s: %w", dir, err)
	}
	return out, nil
}

// bound what is read.
func bound(name string, size int64, total *int64) error {
	if size > claims.MaxFileBytes {
		return fmt.Errorf("%s has %d bytes, and %d are the most: keep data out of claims", name, size, claims.MaxFileBytes)
	}
	if *total += size; *total > claims.MaxBytes {
		return fmt.Errorf("files come to more than %d MiB: plan a smaller folder", claims.MaxBytes>>20)
	}
	return nil
}

func isYAML(name string) bool { return path.Ext(name) == ".yaml" || path.Ext(name) == ".yml" }

// Revision reads the YAML files of a revision of the Git repository that a folder is in,
// below the folder. It runs git.
func Revision(ctx context.Context, dir, revision string) (map[string][]byte, error) {
	if revision == "" || strings.HasPrefix(revision, "-") {
		return nil, fmt.Errorf("%q is no revision", revision)
	}
	cmd := exec.CommandContext(ctx, "git", "-C", dir, "archive", "--format=tar", revision, "--", ".")
	stderr := &bytes.Buffer{}
	cmd.Stderr = stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("cannot run git: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot run git: %w", err)
	}
	out, readErr := untar(pipe)
	if readErr != nil {
		_ = cmd.Process.Kill() // It has more to say, and nobody listens.
	}
	err = cmd.Wait()
	switch {
	case err != nil && stderr.Len() > 0:
		return nil, fmt.Errorf("cannot read revision %q: %s", revision, strings.TrimSpace(stderr.String()))
	case readErr != nil:
		return nil, fmt.Errorf("cannot read revision %q: %w", revision, readErr)
	case err != nil:
		return nil, fmt.Errorf("cannot read revision %q: %w", revision, err)
	}
	return out, nil
}

func untar(r io.Reader) (map[string][]byte, error) {
	out := map[string][]byte{}
	total := int64(0)
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		hidden := strings.HasPrefix(h.Name, ".") || strings.Contains(h.Name, "/.")
		if hidden || !isYAML(h.Name) {
			continue
		}
		if h.Typeflag == tar.TypeSymlink || h.Typeflag == tar.TypeLink {
			return nil, fmt.Errorf("%s is a link: claims are in files of their own", h.Name)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := bound(h.Name, h.Size, &total); err != nil {
			return nil, err
		}
		if out[h.Name], err = io.ReadAll(io.LimitReader(t, claims.MaxFileBytes)); err != nil {
			return nil, err
		}
	}
}
