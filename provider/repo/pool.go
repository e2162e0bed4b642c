package repo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/forge/drivers"
	"github.com/mainstay-dev/mainstay/provider/git"
)

// A Pool of open Repositories. It is safe for concurrent use.
type Pool struct {
	secrets client.Reader
	dir     string
	now     func() time.Time
	reach   func(*v1alpha1.Repository, *forge.Config, *git.Config)

	mu      sync.Mutex
	entries map[types.UID]*entry
	answers map[string]answer

	changes, repositories *wakes
}

// An Option of a Pool.
type Option func(*Pool)

// Reach has a function change how the forge and the Git of a Repository are reached,
// for forges and Git that are two servers.
func Reach(f func(r *v1alpha1.Repository, forge *forge.Config, git *git.Config)) Option {
	return func(p *Pool) { p.reach = f }
}

// NewPool returns a Pool that reads Secrets and keeps mirrors in folders of a folder, where
// nobody else may write. What it finds there of Repositories that are open is used again.
func NewPool(secrets client.Reader, dir string, now func() time.Time, options ...Option) *Pool {
	p := &Pool{
		secrets: secrets, dir: dir, now: now,
		reach:   func(*v1alpha1.Repository, *forge.Config, *git.Config) {},
		entries: map[types.UID]*entry{}, answers: map[string]answer{},
		changes: newWakes(), repositories: newWakes(),
	}
	for _, o := range options {
		o(p)
	}
	return p
}

// An entry is what is open of one Repository.
type entry struct {
	// mu is held while it is opened.
	mu     sync.Mutex
	token  string
	ca     string
	forge  forge.Forge
	mirror *git.Mirror
	known  *known
}

// Open a Repository, or what is open of it. Nobody but the hub is asked. An error that
// is an *OpenError needs somebody to do something; others may pass.
func (p *Pool) Open(ctx context.Context, r *v1alpha1.Repository) (*Repo, error) {
	if r.GetUID() == "" {
		return nil, problemf(Invalid, "Repository %q has no uid", r.GetName())
	}
	spec := r.Spec.ForProvider
	token, err := p.secret(ctx, r.GetNamespace(), spec.CredentialsSecretRef, fieldCredentials)
	if err != nil {
		return nil, err
	}
	var ca []byte
	if spec.CASecretRef != nil {
		if ca, err = p.secret(ctx, r.GetNamespace(), *spec.CASecretRef, fieldCA); err != nil {
			return nil, err
		}
	}
	e := p.entry(r.GetUID())
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := p.renew(e, r, strings.TrimSpace(string(token)), ca); err != nil {
		return nil, err
	}
	e.known.mu.Lock()
	defer e.known.mu.Unlock()
	return &Repo{Key: client.ObjectKeyFromObject(r), UID: r.GetUID(), Forge: e.forge, Mirror: e.mirror, Self: e.known.self, known: e.known}, nil
}

func (p *Pool) entry(uid types.UID) *entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.entries[uid]
	if !ok {
		e = &entry{known: &known{}}
		p.entries[uid] = e
	}
	return e
}

// renew what has another token, or other certificates, than before.
func (p *Pool) renew(e *entry, r *v1alpha1.Repository, token string, ca []byte) error {
	if e.forge != nil && e.mirror != nil && e.token == token && e.ca == string(ca) {
		return nil
	}
	fc := forge.Config{URL: r.Spec.ForProvider.URL, Token: forge.Secret(token), CA: ca, Now: p.now}
	gc := git.Config{URL: r.Spec.ForProvider.URL, Dir: p.folder(r.GetUID(), ca), Token: token, CA: ca}
	p.reach(r, &fc, &gc)

	driver, err := drivers.For(string(r.Spec.ForProvider.Forge))
	if err != nil {
		return &OpenError{Reason: Invalid, Message: "spec.forProvider." + err.Error(), Cause: err}
	}
	f, err := driver.New(fc)
	if err != nil {
		return &OpenError{Reason: Invalid, Message: fmt.Sprintf("Repository cannot be used: %v", err), Cause: err}
	}
	if e.mirror == nil || e.ca != string(ca) {
		m, err := git.Open(gc)
		if err != nil {
			return mirrorProblem(err)
		}
		e.mirror = m
	}
	e.mirror.SetToken(gc.Token)
	e.forge, e.token, e.ca = f, token, string(ca)
	e.known.mu.Lock()
	defer e.known.mu.Unlock()
	e.known.forge, e.known.self = f, ""
	return nil
}

// folder of a mirror. Other certificates have another one: whoever still has the mirror with
// the old ones open goes on writing there.
func (p *Pool) folder(uid types.UID, ca []byte) string {
	name := string(uid)
	if len(ca) > 0 {
		sum := sha256.Sum256(ca)
		name += "." + hex.EncodeToString(sum[:4])
	}
	return filepath.Join(p.dir, name)
}

func mirrorProblem(err error) error {
	reason := Invalid
	if _, ok := errors.AsType[*os.PathError](err); ok {
		reason = NoMirror
	}
	return &OpenError{Reason: reason, Message: fmt.Sprintf("mirror of the Repository cannot be opened: %v", err), Cause: err}
}

// Close a Repository that is gone, and remove what there is of it on disk.
func (p *Pool) Close(uid types.UID) {
	if uid == "" {
		return
	}
	p.mu.Lock()
	delete(p.entries, uid)
	p.mu.Unlock()
	left, _ := filepath.Glob(filepath.Join(p.dir, string(uid)+".*")) // The pattern is well-formed.
	for _, dir := range append(left, filepath.Join(p.dir, string(uid))) {
		_ = os.RemoveAll(dir) // What is left is nobody's, and harms nobody.
	}
}

// Self is the name of the token's user on the forge of a Repository that is open. Empty where it is not known.
func (p *Pool) Self(uid types.UID) string {
	p.mu.Lock()
	e, ok := p.entries[uid]
	p.mu.Unlock()
	if !ok {
		return ""
	}
	e.known.mu.Lock()
	defer e.known.mu.Unlock()
	return e.known.self
}

// WakeChange has a Change looked at soon, because something happened to it on its forge.
func (p *Pool) WakeChange(key types.NamespacedName) {
	c := &v1alpha1.Change{}
	c.SetNamespace(key.Namespace)
	c.SetName(key.Name)
	p.changes.wake(key, c)
}

// LookAtChange has a Change looked at soon, although its forge has nothing new of it.
func (p *Pool) LookAtChange(key types.NamespacedName) {
	c := &v1alpha1.Change{}
	c.SetNamespace(key.Namespace)
	c.SetName(key.Name)
	p.changes.look(c)
}

// Changes that were woken, for their controller to watch.
func (p *Pool) Changes() <-chan event.GenericEvent { return p.changes.events }

// ChangeWoken says whether a Change was woken since this was asked last: then the forge has
// something new of it.
func (p *Pool) ChangeWoken(key types.NamespacedName) bool { return p.changes.take(key) }

// WakeRepository has a Repository looked at soon.
func (p *Pool) WakeRepository(key types.NamespacedName) {
	r := &v1alpha1.Repository{}
	r.SetNamespace(key.Namespace)
	r.SetName(key.Name)
	p.repositories.wake(key, r)
}

// Repositories that were woken, for their controller to watch.
func (p *Pool) Repositories() <-chan event.GenericEvent { return p.repositories.events }

// RepositoryWoken says whether a Repository was woken since this was asked last.
func (p *Pool) RepositoryWoken(key types.NamespacedName) bool { return p.repositories.take(key) }
