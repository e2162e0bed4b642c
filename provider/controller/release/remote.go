package release

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// parallelCalls of one Release to its cluster.
const parallelCalls = 4

// A remote is the cluster of a Release.
type remote struct {
	// tenant that all is done as.
	tenant target.Target
	// admin is who removes what the tenant put there and may not remove any more.
	// Without it nobody does.
	admin func(ctx context.Context) (target.Target, error)
}

// scope says whether a kind has namespaces on the cluster.
func (r *remote) scope(gvk schema.GroupVersionKind) (bool, bool, error) {
	m, err := r.tenant.Mapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	if apimeta.IsNoMatchError(err) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	return m.Scope.Name() == apimeta.RESTScopeNameNamespace, true, nil
}

// get an object. It is nil where there is none, or where its kind is not served.
func (r *remote) get(ctx context.Context, ref v1alpha1.ObjectReference) (*unstructured.Unstructured, error) {
	u, err := get(ctx, r.tenant.Client(), ref)
	if !r.needsAdmin(err, ref) {
		return u, err
	}
	a, err := r.admin(ctx)
	if err != nil {
		return nil, err
	}
	return get(ctx, a.Client(), ref)
}

func get(ctx context.Context, c client.Client, ref v1alpha1.ObjectReference) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(ref.APIVersion)
	u.SetKind(ref.Kind)
	err := c.Get(ctx, types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}, u)
	if kerrors.IsNotFound(err) || apimeta.IsNoMatchError(err) {
		return nil, nil //nolint:nilnil // That there is none is an answer.
	}
	if err != nil {
		return nil, fmt.Errorf("cannot get %s %q: %w", ref.Kind, ref.Name, err)
	}
	return u, nil
}

// getAll objects, a few at a time. The result has an entry for each reference.
func (r *remote) getAll(ctx context.Context, refs []v1alpha1.ObjectReference) ([]*unstructured.Unstructured, error) {
	out, errs := make([]*unstructured.Unstructured, len(refs)), make([]error, len(refs))
	parallel(len(refs), func(i int) { out[i], errs[i] = r.get(ctx, refs[i]) })
	for _, err := range errs {
		if err != nil {
			return nil, err // The first says it all, and is the same every time.
		}
	}
	return out, nil
}

const (
	// severalObjects of one kind are listed rather than got one by one.
	severalObjects = 3
	// pageSize of a list.
	pageSize = 500
)

// A shelf is where objects of one kind are.
type shelf struct{ apiVersion, kind, namespace string }

// listed returns those of some objects that are found by listing the ones with some
// labels. What is not found may be there all the same, without its labels.
func (r *remote) listed(ctx context.Context, refs []v1alpha1.ObjectReference, labels map[string]string) (map[v1alpha1.ObjectReference]*unstructured.Unstructured, error) {
	count := map[shelf]int{}
	for _, ref := range refs {
		count[shelf{ref.APIVersion, ref.Kind, ref.Namespace}]++
	}
	var shelves []shelf
	for s, n := range count {
		if n >= severalObjects {
			shelves = append(shelves, s)
		}
	}
	found, errs := make([][]unstructured.Unstructured, len(shelves)), make([]error, len(shelves))
	parallel(len(shelves), func(i int) { found[i], errs[i] = r.list(ctx, shelves[i], labels) })
	out := map[v1alpha1.ObjectReference]*unstructured.Unstructured{}
	for i, s := range shelves {
		if errs[i] != nil {
			return nil, errs[i]
		}
		for j := range found[i] {
			u := &found[i][j]
			out[v1alpha1.ObjectReference{APIVersion: s.apiVersion, Kind: s.kind, Namespace: s.namespace, Name: u.GetName()}] = u
		}
	}
	return out, nil
}

func (r *remote) list(ctx context.Context, s shelf, labels map[string]string) ([]unstructured.Unstructured, error) {
	var out []unstructured.Unstructured
	l := &unstructured.UnstructuredList{}
	for {
		next := l.GetContinue()
		l = &unstructured.UnstructuredList{}
		l.SetAPIVersion(s.apiVersion)
		l.SetKind(s.kind + "List")
		err := r.tenant.Client().List(ctx, l, client.InNamespace(s.namespace), client.MatchingLabels(labels), client.Limit(pageSize), client.Continue(next))
		if kerrors.IsResourceExpired(err) || kerrors.IsForbidden(err) || kerrors.IsNotFound(err) || apimeta.IsNoMatchError(err) {
			return nil, nil // They are got one by one, and then it shows what is wrong.
		}
		if err != nil {
			return nil, fmt.Errorf("cannot list %s: %w", s.kind, err)
		}
		out = append(out, l.Items...)
		if l.GetContinue() == "" {
			return out, nil
		}
	}
}

// parallel calls a function for each of some positions, a few at a time.
func parallel(n int, call func(i int)) {
	if n == 1 {
		call(0)
		return
	}
	slots, wg := make(chan struct{}, parallelCalls), sync.WaitGroup{}
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			call(i)
		})
	}
	wg.Wait()
}

// exists is true where an object is there. Only its metadata is asked for: the tenant
// may be allowed to know of a Secret whose content is none of the provider's business.
func (r *remote) exists(ctx context.Context, ref v1alpha1.ObjectReference) (bool, error) {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
	err := r.tenant.Client().Get(ctx, types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}, m)
	if kerrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot look for %s %q: %w", ref.Kind, ref.Name, err)
	}
	return true, nil
}

// apply an object, which becomes what is there then.
func (r *remote) apply(ctx context.Context, u *unstructured.Unstructured) error {
	err := r.tenant.Client().Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership)
	if err != nil {
		return explain(u.GetKind(), u.GetName(), err)
	}
	return nil
}

// merge a patch into an object, which becomes what is there then.
func (r *remote) merge(ctx context.Context, u *unstructured.Unstructured, patch []byte) error {
	err := r.tenant.Client().Patch(ctx, u, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1alpha1.FieldManager))
	if err != nil {
		return fmt.Errorf("cannot patch %s %q: %w", u.GetKind(), u.GetName(), err)
	}
	return nil
}

// remove an object that was seen, if it still is what was seen.
func (r *remote) remove(ctx context.Context, ref v1alpha1.ObjectReference, seen *unstructured.Unstructured) error {
	opts := &client.DeleteOptions{
		PropagationPolicy: ptr.To(metav1.DeletePropagationBackground),
		Preconditions:     &metav1.Preconditions{UID: ptr.To(seen.GetUID()), ResourceVersion: ptr.To(seen.GetResourceVersion())},
	}
	err := r.tenant.Client().Delete(ctx, seen, opts)
	if r.needsAdmin(err, ref) {
		a, aerr := r.admin(ctx)
		if aerr != nil {
			return aerr
		}
		err = a.Client().Delete(ctx, seen, opts)
	}
	if kerrors.IsNotFound(err) || kerrors.IsConflict(err) {
		return nil // Gone, or changed under our hands: it is looked at again.
	}
	if err != nil {
		return fmt.Errorf("cannot delete %s %q: %w", ref.Kind, ref.Name, err)
	}
	return nil
}

// needsAdmin is true where a tenant may not do any more what has to be done to clean
// up after it. Rights of an administrator are only ever used inside of namespaces that
// a tenant can have, and callers use them only on objects that carry the Release's mark.
func (r *remote) needsAdmin(err error, ref v1alpha1.ObjectReference) bool {
	return r.admin != nil && kerrors.IsForbidden(err) &&
		ref.Namespace != "" && ref.Namespace != "default" && !strings.HasPrefix(ref.Namespace, "kube-")
}

// explain why an object cannot be applied, and what can be done.
func explain(kind, name string, err error) error {
	var status kerrors.APIStatus
	if !errors.As(err, &status) {
		return fmt.Errorf("cannot apply %s %q: %w", kind, name, err)
	}
	switch {
	case kerrors.IsInvalid(err) && strings.Contains(err.Error(), "immutable"):
		return fmt.Errorf("cannot apply %s %q: %w: give it another name, or delete it on the cluster and it is made anew", kind, name, err)
	case apimeta.IsNoMatchError(err):
		return fmt.Errorf("cannot apply %s %q: the cluster does not know the kind: %w", kind, name, err)
	}
	return fmt.Errorf("cannot apply %s %q: %w", kind, name, err)
}
