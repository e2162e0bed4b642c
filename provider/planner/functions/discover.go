package functions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	xpv1 "github.com/crossplane/crossplane/apis/v2/apiextensions/v1"
	xpv2 "github.com/crossplane/crossplane/apis/v2/apiextensions/v2"
	pkgv1 "github.com/crossplane/crossplane/apis/v2/pkg/v1"

	apisv1alpha1 "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/plan/render"
)

// compositionOf a kind of composites: the one that its definition names, or else the only one.
func compositionOf(ctx context.Context, hub client.Reader, kind string) (string, error) {
	definitions, err := list[xpv2.CompositeResourceDefinition](ctx, hub, xpv2.CompositeResourceDefinitionGroupVersionKind)
	if err != nil {
		return "", err
	}
	defined := false
	for i := range definitions {
		d := &definitions[i]
		if d.Spec.Group != apisv1alpha1.GroupVersion.Group || d.Spec.Names.Kind != kind {
			continue
		}
		defined = true
		if ref := d.Spec.EnforcedCompositionRef; ref != nil {
			return ref.Name, nil
		}
		if ref := d.Spec.DefaultCompositionRef; ref != nil {
			return ref.Name, nil
		}
	}
	if !defined {
		return "", fmt.Errorf("the hub has no definition of it: is the Mainstay configuration installed?")
	}
	compositions, err := list[xpv1.Composition](ctx, hub, xpv1.CompositionGroupVersionKind)
	if err != nil {
		return "", err
	}
	var names []string
	for i := range compositions {
		if ref := compositions[i].Spec.CompositeTypeRef; ref.Kind == kind && group(ref.APIVersion) == apisv1alpha1.GroupVersion.Group {
			names = append(names, compositions[i].GetName())
		}
	}
	switch len(names) {
	case 0:
		return "", errors.New("it has no Composition")
	case 1:
		return names[0], nil
	}
	slices.Sort(names)
	return "", fmt.Errorf("it has several Compositions (%s): name one in spec.defaultCompositionRef of its definition", strings.Join(names, ", "))
}

func group(apiVersion string) string {
	g, _, _ := strings.Cut(apiVersion, "/")
	return g
}

// newest revision of a Composition.
func newest(ctx context.Context, hub client.Reader, composition string) (*xpv1.CompositionRevision, error) {
	all, err := list[xpv1.CompositionRevision](ctx, hub, xpv1.CompositionRevisionGroupVersionKind, client.MatchingLabels{xpv1.LabelCompositionName: composition})
	if err != nil {
		return nil, err
	}
	var out *xpv1.CompositionRevision
	for i := range all {
		if out == nil || all[i].Spec.Revision > out.Spec.Revision {
			out = &all[i]
		}
	}
	if out == nil {
		return nil, fmt.Errorf("Composition %s has no revision yet", composition)
	}
	return out, nil
}

// active revision of a Function.
func active(ctx context.Context, hub client.Reader, function string) (*pkgv1.FunctionRevision, error) {
	all, err := list[pkgv1.FunctionRevision](ctx, hub, pkgv1.FunctionRevisionGroupVersionKind, client.MatchingLabels{pkgv1.LabelParentPackage: function})
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].GetDesiredState() == pkgv1.PackageRevisionActive {
			return &all[i], nil
		}
	}
	return nil, fmt.Errorf("function %s has no active revision: is it installed?", function)
}

// versionOf a revision: the tag of its package. Empty where it is named by its digest only.
func versionOf(r *pkgv1.FunctionRevision) string {
	name, _, _ := strings.Cut(r.Spec.Package, "@")
	if i := strings.LastIndexAny(name, ":/"); i >= 0 && name[i] == ':' {
		return name[i+1:]
	}
	return ""
}

// selector of a Composition for resources that a step requires.
func selector(s xpv1.RequiredResourceSelector) render.Selector {
	out := render.Selector{APIVersion: s.APIVersion, Kind: s.Kind}
	if s.Namespace != nil {
		out.Namespace = *s.Namespace
	}
	if s.Name != nil {
		out.Name = *s.Name
	}
	pairs := make([]string, 0, len(s.MatchLabels))
	for _, k := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		pairs = append(pairs, k+"="+s.MatchLabels[k])
	}
	out.Labels = strings.Join(pairs, ",")
	return out
}

// list objects of Crossplane's kinds, which are in no scheme of the provider.
func list[T any](ctx context.Context, hub client.Reader, gvk schema.GroupVersionKind, opts ...client.ListOption) ([]T, error) {
	l := &unstructured.UnstructuredList{}
	l.SetGroupVersionKind(gvk)
	if err := hub.List(ctx, l, opts...); err != nil {
		return nil, fmt.Errorf("cannot list kind %s: %w", gvk.Kind, err)
	}
	out := make([]T, len(l.Items))
	for i := range l.Items {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(l.Items[i].Object, &out[i]); err != nil {
			return nil, fmt.Errorf("cannot read %s %q: %w", gvk.Kind, l.Items[i].GetName(), err)
		}
	}
	return out, nil
}
