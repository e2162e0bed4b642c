package execute

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
)

// grantOf a claim as it is now. One without a version is not there.
func (e *Executor) grantOf(ctx context.Context, ref v1alpha1.ClaimReference) (*v1alpha1.ClaimGrant, error) {
	g := &v1alpha1.ClaimGrant{}
	key := types.NamespacedName{Namespace: ref.Namespace, Name: grant.Name(ref.Kind, ref.Name)}
	err := e.Live.Get(ctx, key, g)
	if kerrors.IsNotFound(err) {
		return &v1alpha1.ClaimGrant{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read ClaimGrant %s: %w", key.Name, err)
	}
	return g, nil
}

// specOf a grant, or nil where there is none.
func specOf(g *v1alpha1.ClaimGrant) *v1alpha1.ClaimGrantSpec {
	if g.ResourceVersion == "" {
		return nil
	}
	return &g.Spec
}

// give a grant what it is to say. An older epoch, and another change's, is fenced.
func (e *Executor) give(ctx context.Context, g *v1alpha1.ClaimGrant, want v1alpha1.ClaimGrantSpec) error {
	if have := specOf(g); have != nil {
		if have.Epoch > want.Epoch || have.Epoch == want.Epoch && have.Change != want.Change {
			return fmt.Errorf("%w: %s was granted in epoch %d to change %s", ErrFenced, want.Claim, have.Epoch, have.Change)
		}
		if equality.Semantic.DeepEqual(*have, want) {
			return nil
		}
	}
	g.Spec = want
	var err error
	if g.ResourceVersion == "" {
		err = e.Hub.Create(ctx, g, client.FieldOwner(v1alpha1.FieldManagerChange))
	} else {
		err = e.Hub.Update(ctx, g, client.FieldOwner(v1alpha1.FieldManagerChange))
	}
	if kerrors.IsInvalid(err) && strings.Contains(err.Error(), "epoch") {
		return fmt.Errorf("%w: the API server refuses epoch %d for ClaimGrant %s", ErrFenced, want.Epoch, g.Name)
	}
	if err != nil {
		return fmt.Errorf("cannot write ClaimGrant %s: %w", g.Name, err)
	}
	return nil
}

// granting is what the grant of a claim is to say while an Action is done. A claim says live now,
// and known is true where that is not somebody's edit.
func granting(in Input, a change.Action, have *v1alpha1.ClaimGrantSpec, live string, known bool) v1alpha1.ClaimGrantSpec {
	want := v1alpha1.ClaimGrantSpec{
		Claim: a.Claim, Digest: a.Digest, Before: a.Before, Required: required(in, have),
		Change: in.name(), HeadSHA: a.Head, Epoch: a.Epoch,
	}
	switch {
	case known && live != "" && live != a.Digest:
		// What it says until then is not always what it goes back to: a newer push comes after an older one.
		want.Before = live
	case have != nil && have.Epoch == a.Epoch && have.Change == want.Change && have.Digest == a.Digest:
		want.Before = have.Before
	}
	if want.Before == want.Digest {
		want.Before = ""
	}
	return want
}

// required is true where a claim may only say what a change carries. Another repository's word stays.
func required(in Input, have *v1alpha1.ClaimGrantSpec) bool {
	if in.spec().RequireChange || have == nil || !have.Required {
		return in.spec().RequireChange
	}
	at := strings.LastIndexByte(have.Change, '-')
	return at < 0 || have.Change[:at] != in.repository()
}

// seal a grant: what was before is over. That of a later change is left to it.
func (e *Executor) seal(ctx context.Context, in Input, a change.Action) error {
	return again(ctx, tries, func() error {
		g, err := e.grantOf(ctx, a.Claim)
		if err != nil {
			return err
		}
		have := specOf(g)
		if have == nil || have.Change != in.name() && have.Epoch > a.Epoch {
			return nil
		}
		if err := e.fence(ctx, in, a); err != nil {
			return err
		}
		want := *have.DeepCopy()
		want.Digest, want.Before, want.Change, want.Epoch, want.Required = a.Digest, "", in.name(), a.Epoch, required(in, have)
		return e.give(ctx, g, want)
	})
}

// allowed is an error where a namespace takes no claims of this repository.
func (e *Executor) allowed(ctx context.Context, in Input, namespace string) error {
	if namespace == in.Repository.Namespace {
		return nil
	}
	ns := &corev1.Namespace{}
	if err := e.Live.Get(ctx, types.NamespacedName{Name: namespace}, ns); err != nil {
		return fmt.Errorf("cannot read namespace %s: %w", namespace, err)
	}
	if !grant.Agreed(ns.Annotations, in.repository()) {
		return fmt.Errorf("namespace %s takes no claims of Repository %s: its annotation %s has to list it", namespace, in.repository(), v1alpha1.AnnotationRepositories)
	}
	return nil
}
