package git

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// maxPacks of a mirror. Each fetch that brings something makes one; past these it is cloned anew,
// which makes it one again.
const maxPacks = 200

// A store is the mirror on disk. Its methods may be called side by side; the library's may not.
type store struct {
	mu      sync.Mutex
	dir     string
	git     *filesystem.Storage
	damaged bool
	// parents of commits, which never change.
	parents map[string][]string
}

// open what is there. A folder of another repository is not used.
func (s *store) open(dir, url string) error {
	s.dir, s.parents = dir, map[string][]string{}
	marker := filepath.Join(filepath.Dir(dir), "url")
	if was, err := os.ReadFile(marker); err != nil || string(was) != url {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("cannot clear the folder of the mirror: %w", err)
		}
		if err := os.WriteFile(marker, []byte(url), 0o600); err != nil {
			return fmt.Errorf("cannot write to the folder of the mirror: %w", err)
		}
	}
	var err error
	s.git, err = storage(dir)
	return err
}

// storage in a folder, which is made where it is not there.
func storage(dir string) (*filesystem.Storage, error) {
	if err := makeFolders(dir); err != nil {
		return nil, err
	}
	return filesystem.NewStorageWithOptions(osfs.New(dir, osfs.WithBoundOS()), cache.NewObjectLRU(16*cache.MiByte), filesystem.Options{ExclusiveAccess: true}), nil
}

func makeFolders(dir string) error {
	for _, sub := range []string{"objects/pack", "refs"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return fmt.Errorf("cannot make the folder of the mirror: %w", err)
		}
	}
	return nil
}

// spent is true where the mirror is to be cloned anew: it is damaged, or is in too many pieces, or
// what it gathered over time is more than it may have.
func (s *store) spent(limit int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	packs, _ := filepath.Glob(filepath.Join(s.dir, "objects", "pack", "*.pack")) // The pattern is well-formed.
	var bytes int64
	for _, p := range packs {
		if info, err := os.Stat(p); err == nil {
			bytes += info.Size()
		}
	}
	return s.damaged || len(packs) > maxPacks || bytes > limit
}

// read an object, whole and under its id.
func (s *store) read(id string, kind plumbing.ObjectType) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readLocked(id, kind)
}

func (s *store) readLocked(id string, kind plumbing.ObjectType) ([]byte, error) {
	hash := plumbing.NewHash(id)
	o, err := s.git.EncodedObject(kind, hash)
	if err != nil {
		return nil, s.problem(id, err)
	}
	r, err := o.Reader()
	if err != nil {
		return nil, s.problem(id, err)
	}
	raw, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, s.problem(id, err)
	}
	if plumbing.ComputeHash(kind, raw) != hash {
		return nil, s.problem(id, errors.New("content does not match its id"))
	}
	return raw, nil
}

// size of a file's content.
func (s *store) size(id string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.git.EncodedObjectSize(plumbing.NewHash(id))
	if err != nil {
		return 0, s.problem(id, err)
	}
	return n, nil
}

// has is true where a commit is there. Where that cannot be said the mirror is damaged.
func (s *store) has(id string) bool {
	_, err := s.read(id, plumbing.CommitObject)
	return err == nil
}

// problem of reading an object. That it is not there is one of the caller's, who may ask for
// what was never fetched.
func (s *store) problem(id string, err error) error {
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return &Error{Reason: NotFound, Message: fmt.Sprintf("%s is not in the mirror: it has to be fetched", short(id)), Cause: err}
	}
	s.damaged = true
	return &Error{Reason: Damaged, Message: "mirror on disk is damaged; the next fetch clones it anew", Cause: err}
}

// missing marks the mirror as damaged where something is not there that must be.
func (s *store) missing(err error) error {
	if ReasonOf(err) != NotFound {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.damaged = true
	return &Error{Reason: Damaged, Message: "mirror on disk is incomplete; the next fetch clones it anew", Cause: err}
}

// commit that is there.
func (s *store) commit(id string) (*object.Commit, error) {
	raw, err := s.read(id, plumbing.CommitObject)
	if err != nil {
		return nil, err
	}
	var c object.Commit
	if err := c.Decode(inMemory(plumbing.CommitObject, raw)); err != nil {
		return nil, &Error{Reason: Refused, Message: fmt.Sprintf("commit %s is malformed", short(id)), Cause: err}
	}
	return &c, nil
}

// parentsOf a commit that stems from one that is there.
func (s *store) parentsOf(id string) ([]string, error) {
	s.mu.Lock()
	known, ok := s.parents[id]
	s.mu.Unlock()
	if ok {
		return known, nil
	}
	c, err := s.commit(id)
	if err != nil {
		return nil, s.missing(err)
	}
	out := make([]string, 0, len(c.ParentHashes))
	for _, p := range c.ParentHashes {
		out = append(out, p.String())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parents[id] = out
	return out, nil
}

// tips that were fetched last, by the names of their branches.
func (s *store) tips() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]string{}
	refs, err := s.git.IterReferences()
	if err != nil {
		return out // They only save fetching what is there.
	}
	_ = refs.ForEach(func(r *plumbing.Reference) error {
		if r.Type() == plumbing.HashReference {
			out[r.Name().String()] = r.Hash().String()
		}
		return nil
	})
	return out
}

// add a pack, and remember the tips of branches.
func (s *store) add(pack io.Reader, tips map[string]string, asked []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := makeFolders(s.dir); err != nil {
		return err
	}
	return add(s.git, pack, tips, asked)
}

func add(to *filesystem.Storage, pack io.Reader, tips map[string]string, asked []string) error {
	if pack != nil {
		if err := packfile.UpdateObjectStorage(to, pack); err != nil && !errors.Is(err, packfile.ErrEmptyPackfile) {
			return fmt.Errorf("cannot store what was fetched: %w", err)
		}
	}
	for _, ref := range asked {
		name, tip := plumbing.ReferenceName(ref), tips[ref]
		var err error
		if tip == "" {
			err = to.RemoveReference(name)
		} else {
			err = to.SetReference(plumbing.NewHashReference(name, plumbing.NewHash(tip)))
		}
		if err != nil {
			return fmt.Errorf("cannot write %s to the mirror: %w", ref, err)
		}
	}
	return nil
}

// replace the mirror by one that was cloned anew beside it.
func (s *store) replace(fresh string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := filepath.Join(filepath.Dir(s.dir), "mirror.old")
	if err := os.RemoveAll(old); err != nil {
		return fmt.Errorf("cannot clear the folder of the mirror: %w", err)
	}
	if err := os.Rename(s.dir, old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot put the old mirror aside: %w", err)
	}
	if err := os.Rename(fresh, s.dir); err != nil {
		return fmt.Errorf("cannot put the new mirror in its place: %w", err)
	}
	git, err := storage(s.dir)
	if err != nil {
		return err
	}
	s.git, s.damaged = git, false
	return os.RemoveAll(old)
}

func inMemory(kind plumbing.ObjectType, raw []byte) plumbing.EncodedObject {
	o := &plumbing.MemoryObject{}
	o.SetType(kind)
	_, _ = o.Write(raw) // It writes into memory.
	return o
}

func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}
