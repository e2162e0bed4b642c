package execute

import (
	"encoding/json"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// knock on a GitOps engine: an empty object of what it syncs with, and the patch that has it look
// at its branch. None where nobody knows how.
func knock(engine string, now time.Time) (*unstructured.Unstructured, client.Patch) {
	u := &unstructured.Unstructured{}
	annotations := map[string]string{}
	switch engine {
	case "argocd":
		u.SetAPIVersion("argoproj.io/v1alpha1")
		u.SetKind("Application")
		annotations["argocd.argoproj.io/refresh"] = "normal"
	case "flux":
		u.SetAPIVersion("source.toolkit.fluxcd.io/v1")
		u.SetKind("GitRepository")
		annotations["reconcile.fluxcd.io/requestedAt"] = now.UTC().Format(time.RFC3339Nano)
	default:
		return nil, nil
	}
	raw, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		return nil, nil // It is a map of strings.
	}
	return u, client.RawPatch(types.MergePatchType, raw)
}

// isUnknownKind is true where the hub has no such kind: the engine is not there.
func isUnknownKind(err error) bool { return meta.IsNoMatchError(err) }
