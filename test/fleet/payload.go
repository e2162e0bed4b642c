package fleet

import (
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Payload of an application: ten objects, of which none, one or all differ from one
// version to the next.
func Payload(app string, version, of int) []unstructured.Unstructured {
	var out []unstructured.Unstructured
	v := func(i int) string {
		if i < of {
			return strconv.Itoa(version)
		}
		return "0"
	}
	add := func(apiVersion, kind string, body map[string]any) {
		u := unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
		for k, b := range body {
			u.Object[k] = b
		}
		u.SetName(fmt.Sprintf("%s-%d", app, len(out)))
		u.SetNamespace(Tenant)
		out = append(out, u)
	}
	for range 3 {
		i := len(out)
		labels := map[string]any{"app": app, "part": strconv.Itoa(i)}
		add("apps/v1", "Deployment", map[string]any{"spec": map[string]any{
			"replicas": int64(2), "selector": map[string]any{"matchLabels": labels},
			"template": map[string]any{"metadata": map[string]any{"labels": labels}, "spec": map[string]any{"containers": []any{map[string]any{
				"name": "main", "image": "registry.example.org/" + app + ":1." + v(i),
				"ports":     []any{map[string]any{"name": "http", "containerPort": int64(8080), "protocol": "TCP"}},
				"env":       []any{map[string]any{"name": "LEVEL", "value": "info"}, map[string]any{"name": "REGION", "value": "any"}},
				"resources": map[string]any{"requests": map[string]any{"cpu": "100m", "memory": "128Mi"}},
			}}}},
		}})
	}
	for range 2 {
		i := len(out)
		add("v1", "Service", map[string]any{"spec": map[string]any{
			"selector": map[string]any{"app": app, "version": "v" + v(i)},
			"ports":    []any{map[string]any{"name": "http", "port": int64(80), "targetPort": int64(8080), "protocol": "TCP"}},
		}})
	}
	for len(out) < 10 {
		i := len(out)
		add("v1", "ConfigMap", map[string]any{"data": map[string]any{"version": v(i), "text": strings.Repeat("0123456789abcdef", 64)}})
	}
	return out
}

// WithoutPods returns objects whose Deployments have no pods: a change of them is what was
// sent, and not what a cluster makes of it.
func WithoutPods(objects []unstructured.Unstructured) []unstructured.Unstructured {
	out := make([]unstructured.Unstructured, 0, len(objects))
	for _, o := range objects {
		u := *o.DeepCopy()
		if u.GetKind() == "Deployment" {
			_ = unstructured.SetNestedField(u.Object, int64(0), "spec", "replicas")
		}
		out = append(out, u)
	}
	return out
}
