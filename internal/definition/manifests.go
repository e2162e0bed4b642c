package definition

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	helmchart "helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/releaseutil"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// hookAnnotation marks what Helm would run at a moment of its own.
const hookAnnotation = "helm.sh/hook"

// decodeManifests returns the objects in a chart's files, in the order of the files and
// within them.
func decodeManifests(files map[string]string) ([]unstructured.Unstructured, error) {
	var out []unstructured.Unstructured
	for _, file := range slices.Sorted(maps.Keys(files)) {
		documents := releaseutil.SplitManifests(files[file])
		names := slices.Collect(maps.Keys(documents))
		slices.SortFunc(names, func(a, b string) int { return number(a) - number(b) })
		for _, name := range names {
			o, err := decodeManifest(documents[name])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			objects, err := ordinary(o, file)
			if err != nil {
				return nil, err
			}
			out = append(out, objects...)
		}
	}
	return out, nil
}

// number of a document, which is called manifest-<number>.
func number(name string) int {
	n := 0
	if _, err := fmt.Sscanf(name, "manifest-%d", &n); err != nil {
		return 0
	}
	return n
}

func decodeManifest(text string) (map[string]any, error) {
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("is no YAML: %w", err)
	}
	var v any
	if err := utiljson.Unmarshal(raw, &v); err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if v == nil {
		return nil, nil //nolint:nilnil // A document can be empty.
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("holds %T: every document must be an object", v)
	}
	return m, nil
}

// ordinary returns what of a document is applied: the items of a list, and no test.
func ordinary(m map[string]any, file string) ([]unstructured.Unstructured, error) {
	if len(m) == 0 {
		return nil, nil
	}
	if items, ok := m["items"].([]any); ok && strings.HasSuffix(fmt.Sprint(m["kind"]), "List") {
		var out []unstructured.Unstructured
		for _, item := range items {
			o, ok := item.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("%s: an item of a list is no object", file)
			}
			objects, err := ordinary(o, file)
			if err != nil {
				return nil, err
			}
			out = append(out, objects...)
		}
		return out, nil
	}
	o, _ := withoutNulls(m).(map[string]any)
	u := unstructured.Unstructured{Object: o}
	if hook := u.GetAnnotations()[hookAnnotation]; hook != "" {
		if strings.HasPrefix(hook, "test") {
			return nil, nil
		}
		return nil, fmt.Errorf("%s: %s %q is a Helm hook (%s), and nothing runs hooks here: make it an ordinary object, or a step of spec.procedure", file, u.GetKind(), u.GetName(), hook)
	}
	if u.GetNamespace() == namespace {
		u.SetNamespace("")
	}
	u.Object, _ = escape(u.Object).(map[string]any)
	return []unstructured.Unstructured{u}, nil
}

// escape makes literals of what looks like an expression in a chart's manifests, such as
// ${HOME} in a script. What names facts of the cluster or outputs is meant to be bound.
func escape(v any) any {
	switch v := v.(type) {
	case string:
		return escapeText(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[escapeText(k)] = escape(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = escape(v[i])
		}
		return out
	}
	return v
}

func escapeText(s string) string {
	if !strings.Contains(s, "${") {
		return s
	}
	out := strings.Builder{}
	for i := 0; i < len(s); i++ {
		rest := s[i:]
		switch {
		case strings.HasPrefix(rest, "$${"):
			out.WriteString("$${")
			i += 2
		case strings.HasPrefix(rest, "${cluster."), strings.HasPrefix(rest, "${outputs."):
			out.WriteByte('$')
		case strings.HasPrefix(rest, "${"):
			out.WriteString("$$")
		default:
			out.WriteByte(s[i])
		}
	}
	return out.String()
}

// definedKinds are the kinds whose definitions a chart brings along.
func definedKinds(c *helmchart.Chart, at string, ps *problems) []string {
	var out []string
	for _, crd := range c.CRDObjects() {
		for _, text := range releaseutil.SplitManifests(string(crd.File.Data)) {
			m, err := decodeManifest(text)
			if err != nil {
				ps.addf(at, "%s: %v", crd.Filename, err)
				continue
			}
			group, _, _ := unstructured.NestedString(m, "spec", "group")
			plural, _, _ := unstructured.NestedString(m, "spec", "names", "plural")
			if group != "" && plural != "" {
				out = append(out, plural+"."+group)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
