package oam

import (
	"encoding/json"
	"reflect"
	"slices"
	"sort"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

type jsonPatchParameters struct {
	Operations []map[string]any `json:"operations"`
}

// jsonPatch changes the workload by JSON Patch, one operation after another.
func jsonPatch(t *target, p jsonPatchParameters, fs *findings) {
	for i, op := range p.Operations {
		checkOperation(op, path{"operations", i}, fs)
	}
	if len(*fs) > 0 {
		return
	}
	before := t.workload().Object
	after, err := patched(before, p.Operations)
	if err != nil {
		// The first that fails is the last of the shortest beginning that does.
		i := sort.Search(len(p.Operations)-1, func(i int) bool {
			_, failure := patched(before, p.Operations[:i+1])
			return failure != nil
		})
		_, err = patched(before, p.Operations[:i+1])
		fs.addf(path{"operations", i}, "cannot be done to %s %q: %v", t.workload().GetKind(), t.workload().GetName(), err)
		return
	}
	t.workload().Object = after
	// What the object has become was written in no one place.
	found := findings{}
	t.checkPatched(before, &found)
	for _, f := range found {
		if len(f.path) > 0 {
			f.message = f.path.String() + " " + f.message
		}
		fs.addf(path{"operations"}, "%s", f.message)
	}
}

func checkOperation(op map[string]any, at path, fs *findings) {
	_, hasValue := op["value"]
	_, hasFrom := op["from"]
	moves := op["op"] == "move" || op["op"] == "copy"
	removes := op["op"] == "remove"
	switch {
	case moves != hasFrom && moves:
		fs.addf(at.field("from"), "is required for op %s", op["op"])
	case moves != hasFrom:
		fs.addf(at.field("from"), "would be ignored for op %s: remove it", op["op"])
	case (moves || removes) && hasValue:
		fs.addf(at.field("value"), "would be ignored for op %s: remove it", op["op"])
	case !moves && !removes && !hasValue:
		fs.addf(at.field("value"), "is required for op %s", op["op"])
	}
}

// maxCopied bounds what copies can add up to, in bytes.
const maxCopied = 1 << 20

// patched returns an object with operations done. The object itself is left alone.
func patched(o map[string]any, ops []map[string]any) (map[string]any, error) {
	object, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(ops)
	if err != nil {
		return nil, err
	}
	p, err := jsonpatch.DecodePatch(raw)
	if err != nil {
		return nil, err
	}
	options := jsonpatch.NewApplyOptions()
	options.AccumulatedCopySizeLimit = maxCopied
	out, err := p.ApplyWithOptions(object, options)
	if err != nil {
		return nil, err
	}
	m := map[string]any{}
	return m, utiljson.Unmarshal(out, &m)
}

// jsonMergePatch changes the workload by JSON Merge Patch.
func jsonMergePatch(t *target, p map[string]any, fs *findings) {
	before := runtime.DeepCopyJSON(t.workload().Object)
	t.workload().Object = mergePatch(t.workload().Object, p)
	t.checkPatched(before, fs)
}

// mergePatch returns base with patch merged in, as RFC 7396 says.
func mergePatch(base, patch map[string]any) map[string]any {
	out := mergeProperties(base, nil)
	for k, v := range patch {
		from, isObject := v.(map[string]any)
		into, _ := out[k].(map[string]any)
		switch {
		case v == nil:
			delete(out, k)
		case isObject:
			out[k] = mergePatch(into, from)
		default:
			out[k] = runtime.DeepCopyJSONValue(v)
		}
	}
	return out
}

// checkPatched finds what a patch must not change: what the workload is, and how it
// finds its pods. Where it finds any, the workload is what it was before.
func (t *target) checkPatched(before map[string]any, fs *findings) {
	found := len(*fs)
	after := t.workload()
	for _, p := range []path{{"apiVersion"}, {"kind"}, {"metadata", "name"}, {"metadata", "namespace"}, {"spec", "selector"}} {
		was, n := lookup(before, p)
		is, m := lookup(after.Object, p)
		if n != m || n == len(p) && !reflect.DeepEqual(was, is) {
			fs.addf(p, "must stay as it is in %s %q", before["kind"], t.in.component)
		}
	}
	if after.Object["status"] != nil {
		fs.addf(path{"status"}, "must not be set: it is the cluster's")
	}
	checkObjectMetadata(after.Object, path{}, fs)
	template, ok := templatePath(after)
	switch {
	case len(*fs) > found:
	case t.template != nil && !ok:
		fs.addf(path{"spec"}, "must still have a template of pods, with containers that have names")
	case t.template != nil && !t.selectsPods(template):
		fs.addf(pathOf(template, "metadata", "labels"), "must still have the labels by which the workload finds its pods")
	default:
		t.template = template
	}
	if len(*fs) > found {
		after.Object = before
	}
}

// selectsPods returns true where pods have the labels by which they are found.
func (t *target) selectsPods(template []string) bool {
	selector, _, _ := unstructured.NestedStringMap(t.workload().Object, "spec", "selector", "matchLabels")
	has, _, _ := unstructured.NestedStringMap(t.workload().Object, append(slices.Clone(template), "metadata", "labels")...)
	for k, v := range selector {
		if has[k] != v {
			return false
		}
	}
	return true
}

func pathOf(keys []string, more ...string) path { return path{}.field(keys...).field(more...) }
