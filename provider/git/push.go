package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/mainstay-dev/mainstay/internal/tree"
)

// A Put is what is put on a branch.
type Put struct {
	// Branch by its short name, such as fleet.
	Branch string
	// Expected commit that the branch is at. Empty: it is not there yet, and begins at From.
	Expected, From string
	// Files by path with what they say. Nil: it is deleted. The others stay as they are.
	Files map[string][]byte
	// By whom, with which message and at which time. The same of all gives the same commit, so
	// that a push that is made again after a crash is none.
	By      Person
	Message string
	At      time.Time
}

// Push files onto a branch, if it is where it was expected, and say which commit it is at. Where
// it is not, the error is a Conflict and nothing is written; where it has the files already, nothing is
// either. There is no way to make it go back.
func (m *Mirror) Push(ctx context.Context, p Put) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, m.limits.Time)
	defer cancel()
	m.pushes.Lock()
	defer m.pushes.Unlock()

	ref := plumbing.NewBranchReferenceName(p.Branch)
	if err := p.check(ref); err != nil {
		return "", err
	}
	tips, err := m.Fetch(ctx, ref.String())
	if err != nil {
		return "", err
	}
	parent := p.Expected
	if parent == "" {
		parent = p.From
	}
	made, objects, err := m.commit(parent, p)
	if ReasonOf(err) == NotFound && tips[ref.String()] != p.Expected {
		return "", moved(p.Branch, p.Expected, tips[ref.String()])
	}
	if err != nil {
		return "", fmt.Errorf("cannot put files on branch %s: %w", p.Branch, err)
	}
	switch tip := tips[ref.String()]; {
	case tip != "" && tip == made:
		return tip, nil
	case tip != p.Expected:
		return "", moved(p.Branch, p.Expected, tip)
	}
	if err := m.send(ctx, packp.Command{Name: ref, Old: plumbing.NewHash(p.Expected), New: plumbing.NewHash(made)}, objects); err != nil {
		return "", fmt.Errorf("cannot push branch %s: %w", p.Branch, err)
	}
	return made, nil
}

// Delete a branch, if it is where it was expected. That it is gone already is no error. Where it
// moved, the error is a Conflict.
func (m *Mirror) Delete(ctx context.Context, branch, expected string) error {
	ctx, cancel := context.WithTimeout(ctx, m.limits.Time)
	defer cancel()
	m.pushes.Lock()
	defer m.pushes.Unlock()

	ref := plumbing.NewBranchReferenceName(branch)
	if err := ref.Validate(); err != nil || branch == "" || !plumbing.IsHash(expected) {
		return &Error{Reason: Refused, Message: fmt.Sprintf("branch %q and the commit that it is at must be named", branch)}
	}
	tips, err := m.Fetch(ctx, ref.String())
	switch {
	case err != nil:
		return err
	case tips[ref.String()] == "":
		return nil
	case tips[ref.String()] != expected:
		return moved(branch, expected, tips[ref.String()])
	}
	if err := m.send(ctx, packp.Command{Name: ref, Old: plumbing.NewHash(expected), New: plumbing.ZeroHash}, nil); err != nil {
		return fmt.Errorf("cannot delete branch %s: %w", branch, err)
	}
	return nil
}

// check what is asked for, before anything is fetched.
func (p Put) check(ref plumbing.ReferenceName) error {
	refuse := func(format string, args ...any) error {
		return &Error{Reason: Refused, Message: fmt.Sprintf(format, args...)}
	}
	if err := ref.Validate(); err != nil || p.Branch == "" {
		return refuse("%q is not the name of a branch", p.Branch)
	}
	if (p.Expected == "") == (p.From == "") {
		return refuse("either the commit that branch %s is at must be named, or that where it begins", p.Branch)
	}
	if strings.ContainsAny(p.By.Name+p.By.Email, "<>\n\x00") || p.By.Name == "" || p.By.Email == "" {
		return refuse("who pushes must have a name and an address, without angle brackets")
	}
	for f := range p.Files {
		if err := tree.CheckPath(f); err != nil {
			return refuse("%s", err)
		}
	}
	return nil
}

// commit that has the files, and the objects that are new with it. Where the files are there
// already it is the parent.
func (m *Mirror) commit(parent string, p Put) (string, *memory.Storage, error) {
	files, err := m.Files(parent)
	if err != nil {
		return "", nil, err
	}
	objects := memory.NewStorage()
	before := files.Hash()
	for name, says := range p.Files {
		if says == nil {
			delete(files, name)
			continue
		}
		id, err := put(objects, plumbing.BlobObject, says)
		if err != nil {
			return "", nil, err
		}
		file := tree.File{Mode: tree.Regular, ID: id}
		if files[name].Mode.Plain() {
			file.Mode = files[name].Mode
		}
		files[name] = file
	}
	if clashes := tree.Merge(nil, nil, files).Conflicts; len(clashes) > 0 {
		return "", nil, &Error{Reason: Refused, Message: fmt.Sprintf("%s is a file and a folder", clashes[0])}
	}
	if p.Expected != "" && files.Hash() == before {
		return parent, objects, nil
	}
	root, err := folders(objects, files)
	if err != nil {
		return "", nil, err
	}
	by := object.Signature{Name: p.By.Name, Email: p.By.Email, When: p.At.UTC().Truncate(time.Second)}
	c := object.Commit{Author: by, Committer: by, Message: p.Message, TreeHash: plumbing.NewHash(root), ParentHashes: []plumbing.Hash{plumbing.NewHash(parent)}}
	o := objects.NewEncodedObject()
	if err := c.Encode(o); err != nil {
		return "", nil, err
	}
	made, err := objects.SetEncodedObject(o)
	return made.String(), objects, err
}

// folders of a tree as objects, and the id of the root.
func folders(objects *memory.Storage, files tree.Files) (string, error) {
	below, t := map[string]tree.Files{}, object.Tree{}
	for p, f := range files {
		head, rest, deeper := strings.Cut(p, "/")
		if !deeper {
			t.Entries = append(t.Entries, object.TreeEntry{Name: head, Mode: filemode.FileMode(f.Mode), Hash: plumbing.NewHash(f.ID)})
			continue
		}
		if below[head] == nil {
			below[head] = tree.Files{}
		}
		below[head][rest] = f
	}
	for _, name := range slices.Sorted(maps.Keys(below)) {
		id, err := folders(objects, below[name])
		if err != nil {
			return "", err
		}
		t.Entries = append(t.Entries, object.TreeEntry{Name: name, Mode: filemode.Dir, Hash: plumbing.NewHash(id)})
	}
	slices.SortFunc(t.Entries, func(a, b object.TreeEntry) int { return strings.Compare(key(a), key(b)) })
	o := objects.NewEncodedObject()
	if err := t.Encode(o); err != nil {
		return "", err
	}
	id, err := objects.SetEncodedObject(o)
	return id.String(), err
}

// key that Git sorts by.
func key(e object.TreeEntry) string {
	if e.Mode == filemode.Dir {
		return e.Name + "/"
	}
	return e.Name
}

func put(objects *memory.Storage, kind plumbing.ObjectType, raw []byte) (string, error) {
	o := objects.NewEncodedObject()
	o.SetType(kind)
	w, err := o.Writer()
	if err != nil {
		return "", err
	}
	if _, err := w.Write(raw); err != nil {
		return "", err
	}
	id, err := objects.SetEncodedObject(o)
	return id.String(), err
}

// send a command with the objects that it needs, if any. The forge compares the old commit once more, under its own lock.
func (m *Mirror) send(ctx context.Context, c packp.Command, objects *memory.Storage) error {
	ep, err := transport.NewEndpoint(m.url)
	if err != nil {
		return remote(err)
	}
	session, err := m.client.NewReceivePackSession(ep, m.auth())
	if err != nil {
		return remote(err)
	}
	adv, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		return remote(err)
	}
	if at := adv.References[c.Name.String()]; at != c.Old {
		return moved(c.Name.Short(), c.Old.String(), at.String())
	}

	req := packp.NewReferenceUpdateRequestFromCapabilities(adv.Capabilities)
	req.Commands = []*packp.Command{&c}
	if objects != nil {
		pack, err := packed(objects)
		if err != nil {
			return err
		}
		req.Packfile = io.NopCloser(pack)
	}
	report, err := session.ReceivePack(ctx, req)
	if report != nil && report.Error() != nil {
		return m.rejected(ctx, c, report.Error())
	}
	if err != nil {
		return remote(err)
	}
	return nil
}

// packed objects, as they are sent.
func packed(objects *memory.Storage) (*bytes.Buffer, error) {
	var hashes []plumbing.Hash
	for h := range objects.Objects {
		hashes = append(hashes, h)
	}
	slices.SortFunc(hashes, func(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) })
	pack := &bytes.Buffer{}
	if _, err := packfile.NewEncoder(pack, objects, false).Encode(hashes, 0); err != nil {
		return nil, fmt.Errorf("cannot pack what is pushed: %w", err)
	}
	return pack, nil
}

// rejected push: because the branch moved meanwhile, or because the forge does not let the token push there.
func (m *Mirror) rejected(ctx context.Context, c packp.Command, cause error) error {
	tips, err := m.Fetch(ctx, c.Name.String())
	if err != nil {
		return errors.Join(err, cause)
	}
	at := tips[c.Name.String()]
	if was := c.Old; at != was.String() && (at != "" || !was.IsZero()) {
		return moved(c.Name.Short(), was.String(), at)
	}
	return &Error{Reason: Refused, Message: fmt.Sprintf("forge refuses to move branch %s: let the token's user push there, also where it is protected", c.Name.Short()), Cause: cause}
}

// moved is the error of a branch that is not where it was expected.
func moved(branch, expected, at string) error {
	say := func(id string) string {
		if id == "" || plumbing.NewHash(id).IsZero() {
			return "not there"
		}
		return "at " + short(id)
	}
	return &Error{Reason: Conflict, Message: fmt.Sprintf("branch %s is %s, and was expected to be %s: somebody else wrote it", branch, say(at), say(expected))}
}
