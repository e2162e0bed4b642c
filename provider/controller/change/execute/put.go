package execute

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
)

// put what a claim is to say onto what was read of it. It is applied with force, and so takes
// from others only fields that it names. Where fields are left of others, so that it would say something
// that was not planned, all that it says is replaced at once.
func (e *Executor) put(ctx context.Context, in Input, a change.Action, want map[string]any, live *unstructured.Unstructured) error {
	mark := change.Mark(in.name(), a.Epoch)
	applied := manifestOf(want, mark)
	says, err := digestOf(live)
	if err != nil {
		return err
	}
	if live != nil && says == a.Digest && has(live.GetLabels(), applied.GetLabels()) && has(live.GetAnnotations(), applied.GetAnnotations()) {
		return nil
	}

	opts := []client.ApplyOption{client.FieldOwner(v1alpha1.FieldManagerChange)}
	if live != nil {
		// Where it is not there somebody may make it meanwhile. Without force that is a conflict.
		applied.SetResourceVersion(live.GetResourceVersion())
		opts = append(opts, client.ForceOwnership)
	}
	apply := func(opts ...client.ApplyOption) (*unstructured.Unstructured, error) {
		u := applied.DeepCopy()
		return u, e.Hub.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), opts...)
	}
	tried, err := apply(append(slices.Clone(opts), client.DryRunAll)...)
	if err != nil {
		return fmt.Errorf("the API server refuses it: %w", err)
	}
	if ok, err := is(tried, a.Digest); err != nil {
		return err
	} else if ok {
		made, err := apply(opts...)
		return e.wrote(made, a, want, err)
	}
	if live == nil {
		return &AdmittedError{Claim: a.Claim, Fields: differing(want, tried.Object)}
	}
	return e.replace(ctx, a, want, live, mark)
}

// replace all that a claim says.
func (e *Executor) replace(ctx context.Context, a change.Action, want map[string]any, live *unstructured.Unstructured, mark string) error {
	owner := client.FieldOwner(v1alpha1.FieldManagerChange)
	tried := replacing(live, want, mark)
	if err := e.Hub.Update(ctx, tried, owner, client.DryRunAll); err != nil {
		return fmt.Errorf("the API server refuses it: %w", err)
	}
	if ok, err := is(tried, a.Digest); err != nil || !ok {
		if err == nil {
			err = &AdmittedError{Claim: a.Claim, Fields: differing(want, tried.Object)}
		}
		return err
	}
	made := replacing(live, want, mark)
	return e.wrote(made, a, want, e.Hub.Update(ctx, made, owner))
}

// wrote a claim: what became of it is what was tried.
func (e *Executor) wrote(made *unstructured.Unstructured, a change.Action, want map[string]any, err error) error {
	if err != nil {
		return fmt.Errorf("cannot write it: %w", err)
	}
	e.Log.Info("Applied claim", "claim", a.Claim.String(), "epoch", a.Epoch)
	if ok, err := is(made, a.Digest); err != nil || ok {
		return err
	}
	return &AdmittedError{Claim: a.Claim, Fields: differing(want, made.Object)}
}

// is true where a claim says what a digest is of.
func is(u *unstructured.Unstructured, digest string) (bool, error) {
	says, err := digestOf(u)
	return says == digest, err
}

// manifestOf a claim, to be applied: what people wrote of it, and the mark of who writes.
func manifestOf(want map[string]any, mark string) *unstructured.Unstructured {
	in := &unstructured.Unstructured{Object: want}
	out := &unstructured.Unstructured{Object: map[string]any{}}
	out.SetAPIVersion(in.GetAPIVersion())
	out.SetKind(in.GetKind())
	out.SetNamespace(in.GetNamespace())
	out.SetName(in.GetName())
	if l := in.GetLabels(); len(l) > 0 {
		out.SetLabels(l)
	}
	out.SetAnnotations(with(in.GetAnnotations(), map[string]string{v1alpha1.AnnotationChange: mark}))
	spec, _ := want["spec"].(map[string]any)
	out.Object["spec"] = grant.Said(spec)
	return out.DeepCopy() // What was read of the tree is shared.
}

// replacing all that people wrote of a claim, and nothing that is Crossplane's.
func replacing(live *unstructured.Unstructured, want map[string]any, mark string) *unstructured.Unstructured {
	out, m := live.DeepCopy(), manifestOf(want, mark)
	if l := m.GetLabels(); len(l) > 0 {
		out.SetLabels(with(out.GetLabels(), l))
	}
	out.SetAnnotations(with(out.GetAnnotations(), m.GetAnnotations()))
	was, _ := out.Object["spec"].(map[string]any)
	says, _ := m.Object["spec"].(map[string]any)
	spec := grant.Machinery(was)
	maps.Copy(spec, says)
	out.Object["spec"] = spec
	return out
}

// with more in a map.
func with(in, more map[string]string) map[string]string {
	out := maps.Clone(in)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, more)
	return out
}

// has all that is wanted.
func has(have, want map[string]string) bool {
	for k, v := range want {
		if h, ok := have[k]; !ok || h != v {
			return false
		}
	}
	return true
}

// maxFields that are named.
const maxFields = 5

// differing fields of a claim from its manifest: those that say something else. Where there are none, those
// that were added.
func differing(want, made map[string]any) []string {
	w, _ := want["spec"].(map[string]any)
	m, _ := made["spec"].(map[string]any)
	var changed, added []string
	compare("spec", grant.Said(w), grant.Said(m), &changed, &added)
	if len(changed) == 0 {
		changed = added
	}
	slices.Sort(changed)
	return changed[:min(len(changed), maxFields)]
}

func compare(at string, want, made any, changed, added *[]string) {
	switch w := want.(type) {
	case map[string]any:
		m, ok := made.(map[string]any)
		if !ok {
			*changed = append(*changed, at)
			return
		}
		for k, v := range w {
			compare(at+"."+k, v, m[k], changed, added)
		}
		for k := range m {
			if _, ok := w[k]; !ok {
				*added = append(*added, at+"."+k)
			}
		}
	case []any:
		m, ok := made.([]any)
		if !ok || len(m) != len(w) {
			*changed = append(*changed, at)
			return
		}
		for i := range w {
			compare(fmt.Sprintf("%s[%d]", at, i), w[i], m[i], changed, added)
		}
	default:
		if !equality.Semantic.DeepEqual(want, made) {
			*changed = append(*changed, at)
		}
	}
}
