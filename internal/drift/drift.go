// Package drift says whether somebody changed what was applied. It compares what an
// object has now with what the API server returned when it was applied last, both
// narrowed to the fields that were asked for, and both as a hash. The API server's
// own ways (defaults, normalised quantities, fields that other controllers own) are on
// both sides or on neither, so they never look like drift.
//
// Deliberately absent: what differs. The repair is to apply again, whatever it is.
package drift

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Hash of a live object, narrowed to the fields of the wanted one. Maps are
// narrowed key by key; a list counts as a whole, because there is no telling
// which of its elements were asked for. A field that the live object lacks is not in
// the hash, so its disappearance shows.
func Hash(live, wanted *unstructured.Unstructured) (string, error) {
	return digest(narrow(live.Object, readable(wanted)))
}

// HashWanted returns the hash of what is asked for. It changes when the manifest does.
func HashWanted(wanted *unstructured.Unstructured) (string, error) {
	return digest(wanted.Object)
}

// readable returns the fields of a wanted object under the names by which they
// can be read back: a Secret's stringData is only ever seen as data.
func readable(wanted *unstructured.Unstructured) map[string]any {
	plain, ok := wanted.Object["stringData"].(map[string]any)
	if !ok || wanted.GetKind() != "Secret" || wanted.GetAPIVersion() != "v1" {
		return wanted.Object
	}
	data := map[string]any{}
	if existing, ok := wanted.Object["data"].(map[string]any); ok {
		for k, v := range existing {
			data[k] = v
		}
	}
	for k, v := range plain {
		data[k] = v
	}
	out := map[string]any{}
	for k, v := range wanted.Object {
		if k != "stringData" {
			out[k] = v
		}
	}
	out["data"] = data
	return out
}

// narrow a live map to the keys of a wanted one.
func narrow(live, wanted map[string]any) map[string]any {
	out := make(map[string]any, len(wanted))
	for k, w := range wanted {
		l, ok := live[k]
		if !ok {
			continue
		}
		wm, wantsMap := w.(map[string]any)
		lm, isMap := l.(map[string]any)
		if wantsMap && isMap {
			out[k] = narrow(lm, wm)
			continue
		}
		out[k] = l
	}
	return out
}

func digest(v map[string]any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("cannot encode object: %w", err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}
