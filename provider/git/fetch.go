package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// maxHaves is how many commits are named that need not be sent.
const maxHaves = 256

// Tips are the commits that branches are at, by full names such as refs/heads/main. A branch
// that is not there is missing.
type Tips map[string]string

// Fetch branches and all that they hold. Names are full, such as refs/heads/main or
// refs/pull/7/head. It begins after it was called: what the forge had by then is there. The error has an
// *Error in it, and then nothing that is in the mirror says how things are.
func (m *Mirror) Fetch(ctx context.Context, refs ...string) (Tips, error) {
	for _, r := range refs {
		if err := plumbing.ReferenceName(r).Validate(); err != nil || len(r) < 6 || r[:5] != "refs/" {
			return nil, &Error{Reason: Refused, Message: fmt.Sprintf("%q is not the name of a branch", r)}
		}
	}
	f := m.flights.join(refs, func(refs []string) (Tips, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.limits.Time)
		defer cancel()
		return m.fetch(ctx, refs)
	})
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot fetch: %w", &Error{Reason: Unavailable, Message: "forge did not answer in time", Cause: ctx.Err()})
	}
	if f.err != nil {
		return nil, fmt.Errorf("cannot fetch: %w", f.err)
	}
	out := Tips{}
	for _, r := range refs {
		if tip, ok := f.tips[r]; ok {
			out[r] = tip
		}
	}
	return out, nil
}

// flights are fetches: one under way, and one that is next and that callers may still join.
type flights struct {
	mu      sync.Mutex
	flying  bool
	waiting *flight
}

// A flight is one fetch for all who joined it.
type flight struct {
	refs map[string]bool
	run  func([]string) (Tips, error)
	done chan struct{}
	tips Tips
	err  error
}

// join the next flight. It is flown with what the first who joined brings.
func (fs *flights) join(refs []string, run func([]string) (Tips, error)) *flight {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.waiting == nil {
		fs.waiting = &flight{refs: map[string]bool{}, run: run, done: make(chan struct{})}
	}
	for _, r := range refs {
		fs.waiting.refs[r] = true
	}
	f := fs.waiting
	if !fs.flying {
		fs.flying = true
		go fs.fly()
	}
	return f
}

// fly one flight after the other until nobody waits.
func (fs *flights) fly() {
	for {
		fs.mu.Lock()
		f := fs.waiting
		fs.waiting = nil
		fs.flying = f != nil
		fs.mu.Unlock()
		if f == nil {
			return
		}
		f.tips, f.err = f.run(slices.Sorted(maps.Keys(f.refs)))
		close(f.done)
	}
}

// fetch what is not there yet, or everything where the mirror has to be cloned anew.
func (m *Mirror) fetch(ctx context.Context, refs []string) (Tips, error) {
	known := m.store.tips()
	for _, tip := range known {
		if _, err := m.store.read(tip, plumbing.CommitObject); err != nil {
			_ = m.store.missing(err) // It marks the mirror, and that is what it is for.
		}
	}
	fresh := m.store.spent(m.limits.RepositoryBytes)
	if fresh {
		// What others asked for before must not go missing.
		refs = slices.Compact(slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(known)), refs...))))
	}

	session, adv, err := m.advertised(ctx)
	if err != nil {
		return nil, err
	}
	tips := Tips{}
	var wants []plumbing.Hash
	for _, r := range refs {
		if hash, ok := adv.References[r]; ok {
			tips[r] = hash.String()
			if (fresh || !m.store.has(hash.String())) && !slices.Contains(wants, hash) {
				wants = append(wants, hash)
			}
		}
	}
	var haves []plumbing.Hash
	if !fresh {
		for _, tip := range known {
			if m.store.has(tip) && len(haves) < maxHaves {
				haves = append(haves, plumbing.NewHash(tip))
			}
		}
	}
	pack, err := m.download(ctx, session, adv, wants, haves)
	if err != nil {
		return nil, err
	}
	if pack != nil {
		defer func() { _ = os.Remove(pack.Name()) }() // Open clears what is left.
		defer func() { _ = pack.Close() }()           // It was only read.
	}
	if fresh {
		return tips, m.renew(pack, tips, refs)
	}
	return tips, local(m.store.add(reader(pack), tips, refs))
}

// advertised branches of the repository.
func (m *Mirror) advertised(ctx context.Context) (transport.UploadPackSession, *packp.AdvRefs, error) {
	ep, err := transport.NewEndpoint(m.url)
	if err != nil {
		return nil, nil, remote(err)
	}
	session, err := m.client.NewUploadPackSession(ep, m.auth())
	if err != nil {
		return nil, nil, remote(err)
	}
	adv, err := session.AdvertisedReferencesContext(ctx)
	if errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return session, packp.NewAdvRefs(), nil
	}
	if err != nil {
		return nil, nil, remote(err)
	}
	return session, adv, nil
}

// download what is wanted into a file, and check it before anything is made of it. None where nothing is wanted.
func (m *Mirror) download(ctx context.Context, s transport.UploadPackSession, adv *packp.AdvRefs, wants, haves []plumbing.Hash) (*os.File, error) {
	if len(wants) == 0 {
		return nil, nil
	}
	req := packp.NewUploadPackRequestFromCapabilities(adv.Capabilities)
	req.Wants, req.Haves = wants, haves
	res, err := s.UploadPack(ctx, req)
	if err != nil {
		return nil, remote(err)
	}
	defer func() { _ = res.Close() }() // What was read is checked.
	var from io.Reader = res
	if req.Capabilities.Supports(capability.Sideband64k) {
		from = sideband.NewDemuxer(sideband.Sideband64k, res)
	} else if req.Capabilities.Supports(capability.Sideband) {
		from = sideband.NewDemuxer(sideband.Sideband, res)
	}

	f, err := os.CreateTemp(m.dir, "*.pack.tmp")
	if err != nil {
		return nil, fmt.Errorf("cannot make a file for what is fetched: %w", err)
	}
	if err := m.receive(ctx, f, from); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

// receive a pack into a file, within its bounds.
func (m *Mirror) receive(ctx context.Context, f *os.File, from io.Reader) error {
	n, err := io.Copy(f, io.LimitReader(&breakable{ctx, from}, m.limits.RepositoryBytes+1))
	if err != nil {
		return remote(err)
	}
	if n > m.limits.RepositoryBytes {
		return &Error{Reason: TooLarge, Message: fmt.Sprintf("repository has more than %d MiB: keep claims in one of their own", m.limits.RepositoryBytes>>20)}
	}
	if err := checkPack(ctx, f, m.limits.ObjectBytes); err != nil {
		return err
	}
	_, err = f.Seek(0, io.SeekStart)
	return err
}

// renew the mirror: what was fetched is all there is.
func (m *Mirror) renew(pack *os.File, tips Tips, refs []string) error {
	dir := filepath.Join(m.dir, "mirror.new")
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("cannot clear the folder of the mirror: %w", err)
	}
	fresh, err := storage(dir)
	if err != nil {
		return local(err)
	}
	if err := local(add(fresh, reader(pack), tips, refs)); err != nil {
		return err
	}
	return local(m.store.replace(dir))
}

// reader of a pack that may be none.
func reader(f *os.File) io.Reader {
	if f == nil {
		return nil
	}
	return f
}

// local is an error of the disk.
func local(err error) error {
	if err == nil {
		return nil
	}
	return &Error{Reason: Damaged, Message: err.Error(), Cause: err}
}

// breakable ends reading with its context, also between two answers.
type breakable struct {
	ctx context.Context
	io.Reader
}

func (b *breakable) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.Reader.Read(p)
}
