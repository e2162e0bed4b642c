package execute

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/delivery"
	"github.com/mainstay-dev/mainstay/internal/claims"
	"github.com/mainstay-dev/mainstay/internal/tree"
	"github.com/mainstay-dev/mainstay/provider/git"
)

// Who commits to the branch that is delivered from.
const (
	committer        = "mainstay"
	committerAddress = "mainstay@mainstay.dev"
)

// branch grants claims and puts their files on the branch that is delivered from, on top of whatever
// other changes put there.
func (e *Executor) branch(ctx context.Context, in Input, a change.Action) error {
	to := in.spec().Delivery.Branch
	switch {
	case to == nil:
		return errors.New("the Repository names no branch: set spec.forProvider.delivery.branch")
	case to.Name == in.spec().BaseBranch:
		return fmt.Errorf("spec.forProvider.delivery.branch is %s, which is the base branch: name another", to.Name)
	}
	for _, c := range a.Claims {
		if err := e.allowed(ctx, in, c.Namespace); err != nil {
			return err
		}
	}
	if e.justDelivered(in, a) {
		return e.fence(ctx, in, a)
	}
	d, err := e.delivery(ctx, in, a)
	if err != nil {
		return err
	}
	moved := false
	err = e.oneByOne(ctx, in, func() error {
		for i := 1; ; i++ {
			moved, err = e.deliver(ctx, in, a, to.Name, d)
			if i == tries || git.ReasonOf(err) != git.Conflict {
				return err
			}
		}
	})
	if err != nil {
		return err
	}
	if err := e.tellEngine(ctx, in, moved); err != nil {
		return err
	}
	e.last.Store(in.Change.UID, delivered{what: sayingOf(a), at: e.Now()})
	return nil
}

// lookAgain is how long what was delivered is taken to be on the branch still. An engine takes its
// time, and all the while it is decided to deliver: the forge need not be asked each time.
const lookAgain = 30 * time.Second

// delivered is what a change put on the branch last, and when.
type delivered struct {
	what string
	at   time.Time
}

func (e *Executor) justDelivered(in Input, a change.Action) bool {
	v, ok := e.last.Load(in.Change.UID)
	d, _ := v.(delivered)
	age := e.Now().Sub(d.at)
	return ok && d.what == sayingOf(a) && age >= 0 && age < lookAgain
}

// sayingOf a delivery: the same says the same of the same claims, in the same epoch.
func sayingOf(a change.Action) string {
	out := fmt.Sprint(a.Epoch, a.Back, a.Head)
	for _, c := range a.Claims {
		out += fmt.Sprint(" ", c.ClaimReference, c.Digest)
	}
	return out
}

// oneByOne are those who put files on one branch in this process.
func (e *Executor) oneByOne(ctx context.Context, in Input, do func() error) error {
	mine := make(chan struct{}, 1)
	v, _ := e.branches.LoadOrStore(in.Repository.UID, mine)
	turn, _ := v.(chan struct{})
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-turn }()
	return do()
}

// delivery of an Action: where its claims are as they are to be.
func (e *Executor) delivery(ctx context.Context, in Input, a change.Action) (*delivery.Delivery, error) {
	d := &delivery.Delivery{Wanted: map[v1alpha1.ClaimReference]bool{}, Own: map[v1alpha1.ClaimReference]bool{}, Along: map[v1alpha1.ClaimReference]bool{}}
	for _, c := range in.Change.Status.AtProvider.Claims {
		d.Own[c.ClaimReference] = true
	}
	for _, c := range a.Claims {
		d.Wanted[c.ClaimReference] = true
	}
	if err := e.fetched(ctx, in, func() error { return e.source(in, a, d) }); err != nil {
		return nil, err
	}
	for _, c := range a.Claims {
		if _, ok := d.Source.Claims[c.ClaimReference]; ok != (c.Digest != "") {
			return nil, fmt.Errorf("%s is not in the commits that were planned as it was planned: push again to have them planned anew", c.ClaimReference)
		}
	}
	return d, nil
}

// source of a delivery: the tree that the merge request makes or, going back, that of the base.
func (e *Executor) source(in Input, a change.Action, d *delivery.Delivery) error {
	var err error
	if d.Source.Claims, err = e.wanted(in, a); err != nil {
		return err
	}
	head := a.Head
	if p := in.Change.Status.AtProvider.Plan; a.Back && p != nil {
		head = p.HeadSHA
	}
	base, err := in.Repo.Mirror.Files(a.Base)
	if err != nil {
		return err
	}
	d.Source.Files = base
	if head == "" {
		return nil
	}
	v, err := e.Trees.At(in.Repo, in.spec(), in.Repository.Namespace, a.Base, head)
	switch {
	case err == nil:
		d.Changed = tree.Changed(base, v.Look.Merged.Files)
		for _, ref := range v.Touched {
			d.Along[ref] = !d.Own[ref]
		}
	case !a.Back:
		return err
	}
	if !a.Back {
		d.Source.Files = v.Look.Merged.Files
	}
	return nil
}

// fetched is what reads commits that may have to be fetched first, because the mirror was cloned anew.
func (e *Executor) fetched(ctx context.Context, in Input, read func() error) error {
	err := read()
	if git.ReasonOf(err) != git.NotFound {
		return err
	}
	if _, err := in.Repo.Mirror.Fetch(ctx, "refs/heads/"+in.spec().BaseBranch, git.RequestRef(in.spec().Forge, in.Change.Spec.ForProvider.Number)); err != nil {
		return err
	}
	return read()
}

// deliver once, onto the commit that the branch is at. It says whether the branch moved.
func (e *Executor) deliver(ctx context.Context, in Input, a change.Action, branch string, d *delivery.Delivery) (bool, error) {
	ref := "refs/heads/" + branch
	tips, err := in.Repo.Mirror.Fetch(ctx, ref)
	if err != nil {
		return false, err
	}
	at := tips[ref]
	p := git.Put{Branch: branch, Expected: at, By: git.Person{Name: committer, Email: committerAddress}, Message: e.message(in, a), At: begun(in)}
	if at == "" {
		at, p.From = a.Base, a.Base
	}
	tip := delivery.Side{}
	if tip.Files, err = in.Repo.Mirror.Files(at); err != nil {
		return false, err
	}
	if tip.Claims, err = e.read(in, tip.Files); err != nil && tip.Claims == nil {
		return false, err
	}
	put := d.Choose(tip)
	result, err := e.read(in, d.After(tip, put))
	if err != nil {
		return false, fmt.Errorf("branch %s would not be readable: %w", branch, err)
	}
	if err := d.Check(tip.Claims, result); err != nil {
		return false, err
	}
	if p.Files, err = contents(in.Repo.Mirror, d.Source.Files, put); err != nil {
		return false, err
	}

	for _, c := range a.Claims {
		if err := e.grantFor(ctx, in, a, c); err != nil {
			return false, fmt.Errorf("%s: %w", c.ClaimReference, err)
		}
	}
	if err := e.fence(ctx, in, a); err != nil {
		return false, err
	}
	if len(put) == 0 && p.From == "" {
		return false, nil
	}
	made, err := in.Repo.Mirror.Push(ctx, p)
	if err != nil {
		return false, err
	}
	e.Log.Info("Moved branch", "branch", branch, "from", at, "to", made, "epoch", a.Epoch)
	return made != at, nil
}

// read the claims of some files. With problems there are both.
func (e *Executor) read(in Input, files tree.Files) (claims.Set, error) {
	return e.Trees.Files(in.Repo, in.spec(), in.Repository.Namespace, files)
}

// contents of files, by path. Nil where one is not there.
func contents(blobs tree.Blobs, files tree.Files, paths []string) (map[string][]byte, error) {
	out := make(map[string][]byte, len(paths))
	for _, p := range paths {
		f, ok := files[p]
		if !ok {
			out[p] = nil
			continue
		}
		raw, err := blobs.Read(f.ID)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", p, err)
		}
		if raw == nil {
			raw = []byte{}
		}
		out[p] = raw
	}
	return out, nil
}

// grantFor a claim that the engine is going to write.
func (e *Executor) grantFor(ctx context.Context, in Input, a change.Action, c v1alpha1.ChangeClaim) error {
	one := a
	one.Claim, one.Digest, one.Before = c.ClaimReference, c.Digest, c.Before
	if a.Back {
		one.Before = forward(in, c.ClaimReference)
	}
	return again(ctx, tries, func() error {
		live, err := e.claim(ctx, one.Claim)
		if err != nil {
			return err
		}
		says, err := digestOf(live)
		if err != nil {
			return err
		}
		g, err := e.grantOf(ctx, one.Claim)
		if err != nil {
			return err
		}
		if err := e.fence(ctx, in, a); err != nil {
			return err
		}
		return e.give(ctx, g, granting(in, one, specOf(g), says, isKnown(in, one, specOf(g), says)))
	})
}

// forward is the digest that a claim has where the change goes forward.
func forward(in Input, ref v1alpha1.ClaimReference) string {
	all := in.Change.Status.AtProvider.Claims
	if i := slices.IndexFunc(all, func(c v1alpha1.ChangeClaim) bool { return c.ClaimReference == ref }); i >= 0 {
		return all[i].Digest
	}
	return ""
}

// message of the commit on the branch. It is the same each time, so that a push that is made again
// after a crash is none.
func (e *Executor) message(in Input, a change.Action) string {
	s := in.Change.Status.AtProvider
	what, digest := "Deliver ", s.Executed
	if a.Back {
		what = "Take back "
	}
	title := strings.Join(strings.Fields(s.Request.Title), " ")
	return fmt.Sprintf("%s%s: %s\n\nMainstay-Change: %s\nMainstay-Plan: %s\nMainstay-Epoch: %d\n", what, in.label(), title, in.name(), digest, a.Epoch)
}

// begun is when the phase began in which something is delivered: a time that is on record.
func begun(in Input) time.Time {
	t := in.Change.Status.AtProvider.Timeline
	if len(t) == 0 {
		return in.Change.CreationTimestamp.Time
	}
	return t[len(t)-1].At.Time
}

// toldEvery is how often an engine is told at most to look at a branch that did not move.
const toldEvery = 30 * time.Second

// tellEngine to look at the branch now. It would see for itself, only later.
func (e *Executor) tellEngine(ctx context.Context, in Input, moved bool) error {
	to := in.spec().Delivery.Branch
	key := types.NamespacedName{Namespace: in.Repository.Namespace}
	if to.Source == nil {
		return nil
	}
	if to.Source.Namespace != "" {
		key.Namespace = to.Source.Namespace
	}
	key.Name = to.Source.Name
	now := e.Now()
	if last, ok := e.told.Load(in.Repository.UID); ok && !moved {
		if at, _ := last.(time.Time); now.Sub(at) < toldEvery {
			return nil
		}
	}
	u, patch := knock(to.Engine, now)
	if u == nil {
		return nil
	}
	u.SetNamespace(key.Namespace)
	u.SetName(key.Name)
	err := e.Hub.Patch(ctx, u, patch)
	if err != nil && !kerrors.IsNotFound(err) && !isUnknownKind(err) {
		return fmt.Errorf("the branch has it, and cannot tell %s %s to look: %w", u.GetKind(), key, err)
	}
	e.told.Store(in.Repository.UID, now)
	return nil
}
