package definition

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// A use is a version of a definition that a Bundle has something of.
type use struct{ name, version string }

// usesOf a Bundle, of definitions of one kind.
func usesOf(b *mv1alpha1.Bundle, kind string) []use {
	var out []use
	for _, c := range b.Spec.Components {
		if kind == v1alpha1.ComponentDefinitionKind && c.Version != "" {
			out = append(out, use{c.Type, c.Version})
		}
		if kind != v1alpha1.TraitDefinitionKind {
			continue
		}
		for _, t := range c.Traits {
			if name, version, ok := strings.Cut(t, "@"); ok {
				out = append(out, use{name, version})
			}
		}
	}
	return out
}

// users of a definition: the applications that have it, each with each version once,
// sorted.
func (r *Reconciler) users(ctx context.Context, name string) ([]v1alpha1.DefinitionUser, error) {
	l := &mv1alpha1.BundleList{}
	if err := r.client.List(ctx, l, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("cannot list Bundles: %w", err)
	}
	var out []v1alpha1.DefinitionUser
	for i := range l.Items {
		b := &l.Items[i]
		for _, u := range usesOf(b, r.kind) {
			if u.name == name {
				out = append(out, v1alpha1.DefinitionUser{Namespace: b.GetNamespace(), Application: b.Spec.Application, Version: u.version})
			}
		}
	}
	slices.SortFunc(out, func(a, b v1alpha1.DefinitionUser) int {
		return strings.Compare(a.Namespace+" "+a.Application+" "+a.Version, b.Namespace+" "+b.Application+" "+b.Version)
	})
	return slices.Compact(out), nil
}

// applications counts users, whatever versions they have.
func applications(used []v1alpha1.DefinitionUser) int32 {
	known := map[string]bool{}
	for _, u := range used {
		known[u.Namespace+"/"+u.Application] = true
	}
	return int32(len(known)) //nolint:gosec // There are not so many applications.
}

// of one version.
func of(used []v1alpha1.DefinitionUser, version string) []v1alpha1.DefinitionUser {
	var out []v1alpha1.DefinitionUser
	for _, u := range used {
		if u.Version == version {
			out = append(out, u)
		}
	}
	return out
}

// named applications, as a sentence has them.
func named(used []v1alpha1.DefinitionUser) string {
	const most = 5
	var names []string
	for _, u := range used {
		if n := u.Namespace + "/" + u.Application; !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
