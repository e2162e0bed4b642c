package snapshot

import (
	"context"
	"fmt"
	"hash"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/internal/preflight"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// pageSize of lists.
const pageSize = 500

// A reader reads the parts of one snapshot.
type reader struct {
	cluster *cluster
	cache   *Cache
	target  target.Target
	client  client.Client
	// used parts, with their generations.
	used hash.Hash64
}

func (r *reader) note(key string, generation uint64) {
	_, _ = r.used.Write([]byte(key + "=" + strconv.FormatUint(generation, 10) + ";")) // A hash takes everything.
}

// read what is needed.
func (r *reader) read(ctx context.Context, version string, n preflight.Needs) (*preflight.Snapshot, error) {
	s := &preflight.Snapshot{Minor: minor(version)}
	for _, part := range []func(context.Context, preflight.Needs, *preflight.Snapshot) error{
		r.kinds, r.namespaces, r.nodes, r.limits, r.classes, r.config, r.objects, r.access,
	} {
		if err := part(ctx, n, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// unknown is nil for an error that leaves a part unknown, and the error itself where
// the cluster as a whole cannot be read.
func unknown(err error) error {
	if target.IsUnreachable(err) || target.IsUnauthorized(err) || kerrors.IsTooManyRequests(err) || kerrors.IsServiceUnavailable(err) {
		return err
	}
	return nil
}

// minor of the cluster's version, as it says itself.
func minor(version string) int {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 || parts[0] != "1" {
		return 0
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0
	}
	return n
}

// kinds that the content has, and their definitions.
func (r *reader) kinds(ctx context.Context, n preflight.Needs, s *preflight.Snapshot) error {
	s.Kinds = &preflight.Kinds{Served: map[schema.GroupVersionKind]bool{}, Resources: map[schema.GroupResource][]string{}}
	s.Definitions = map[schema.GroupKind]*preflight.Definition{}
	for _, gvk := range n.Kinds {
		all, err := fresh(r, "kind "+gvk.String(), func() ([]served, error) { return r.served(gvk) })
		if err != nil {
			if err := unknown(err); err != nil {
				return err
			}
			s.Kinds.Incomplete = true
			continue
		}
		for _, k := range all {
			s.Kinds.Served[k.gvk] = k.namespaced
			if k.gvk != gvk || preflight.BuiltinGroup(gvk.Group) {
				continue
			}
			d, err := r.definition(ctx, k.plural+"."+gvk.Group)
			if err != nil {
				return err
			}
			if d != nil {
				s.Definitions[gvk.GroupKind()] = d
			}
		}
	}
	for _, gr := range n.Resources {
		versions, err := fresh(r, "resource "+gr.String(), func() ([]string, error) {
			all, err := r.target.Mapper().ResourcesFor(gr.WithVersion(""))
			if meta.IsNoMatchError(err) {
				return nil, nil
			}
			var out []string
			for _, gvr := range all {
				if gvr.GroupResource() == gr {
					out = append(out, gvr.Version)
				}
			}
			return out, err
		})
		if err != nil {
			if err := unknown(err); err != nil {
				return err
			}
			s.Kinds.Incomplete = true
			continue
		}
		s.Kinds.Resources[gr] = versions
	}
	return nil
}

// A served kind.
type served struct {
	gvk        schema.GroupVersionKind
	plural     string
	namespaced bool
}

// served returns a kind in the version that is asked for, or else in those that there
// are. There are none where it is not served.
func (r *reader) served(gvk schema.GroupVersionKind) ([]served, error) {
	all, err := r.target.Mapper().RESTMappings(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) || (err == nil && len(all) == 0) {
		all, err = r.target.Mapper().RESTMappings(gvk.GroupKind())
	}
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := make([]served, 0, len(all))
	for _, m := range all {
		out = append(out, served{gvk: m.GroupVersionKind, plural: m.Resource.Resource, namespaced: m.Scope.Name() == meta.RESTScopeNameNamespace})
	}
	return out, nil
}

// namespaces, by their metadata.
func (r *reader) namespaces(ctx context.Context, n preflight.Needs, s *preflight.Snapshot) error {
	s.Namespaces = map[string]*preflight.Namespace{}
	for _, name := range n.Namespaces {
		ns, err := fresh(r, "namespace "+name, func() (*preflight.Namespace, error) {
			m, err := r.metadata(ctx, corev1.SchemeGroupVersion.WithKind("Namespace"), types.NamespacedName{Name: name})
			if m == nil || err != nil {
				return nil, err
			}
			return &preflight.Namespace{Labels: m.GetLabels(), Terminating: m.GetDeletionTimestamp() != nil}, nil
		})
		if err != nil {
			if err := unknown(err); err != nil {
				return err
			}
			continue
		}
		s.Namespaces[name] = ns
	}
	return nil
}

// metadata of an object. It is nil where there is none.
func (r *reader) metadata(ctx context.Context, gvk schema.GroupVersionKind, key types.NamespacedName) (*metav1.PartialObjectMetadata, error) {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(gvk)
	err := r.client.Get(ctx, key, m)
	if kerrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // That there is none is an answer.
	}
	return m, err
}

// get an object. It returns false where there is none.
func (r *reader) get(ctx context.Context, key types.NamespacedName, o client.Object) (bool, error) {
	err := r.client.Get(ctx, key, o)
	if kerrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// pages lists, page by page, and hands each page on. It ends after so many.
func (r *reader) pages(ctx context.Context, list client.ObjectList, most int, each func(), opts ...client.ListOption) error {
	token := ""
	for range most {
		if err := r.client.List(ctx, list, append(opts, client.Limit(pageSize), client.Continue(token))...); err != nil {
			return fmt.Errorf("cannot list %T: %w", list, err)
		}
		each()
		if token = list.GetContinue(); token == "" {
			return nil
		}
	}
	return nil
}
