package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"

	"github.com/mainstay-dev/mainstay/internal/preflight"
)

// maxSchemas is how many definitions are kept ready. Clusters of a fleet share them.
const maxSchemas = 512

// schemas are definitions that are ready to judge, by their content.
type schemas struct {
	mu    sync.Mutex
	known *lru.Cache // of *preflight.Definition, by digest
}

func newSchemas() *schemas { return &schemas{known: lru.New(maxSchemas)} }

// definition of a kind by the name of its CustomResourceDefinition. It is nil where there
// is none, as for kinds of Kubernetes itself, and where it cannot be used.
func (r *reader) definition(ctx context.Context, name string) (*preflight.Definition, error) {
	d, err := fresh(r, "definition "+name, func() (*preflight.Definition, error) {
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
		ok, err := r.get(ctx, types.NamespacedName{Name: name}, u)
		if !ok {
			return nil, err
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, crd); err != nil {
			return nil, nil //nolint:nilerr,nilnil // Then it is not judged by.
		}
		return r.cache.schemas.define(crd), nil
	})
	if err != nil {
		return nil, unknown(err)
	}
	return d, nil
}

func (s *schemas) define(crd *apiextensionsv1.CustomResourceDefinition) *preflight.Definition {
	raw, err := json.Marshal(crd.Spec)
	if err != nil {
		return nil
	}
	digest := sha256.Sum256(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.known.Get(digest); ok {
		return v.(*preflight.Definition) //nolint:forcetypeassert // Holds nothing else.
	}
	d, err := preflight.Define(crd)
	if err != nil {
		return nil
	}
	s.known.Add(digest, d)
	return d
}
