package convert

import (
	"errors"
	"fmt"
	"regexp"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

// hubCluster is what KubeVela calls the cluster that it runs on.
const hubCluster = "local"

// publishVersion is how KubeVela is told to roll out.
const publishVersion = "app.oam.dev/publishVersion"

// FromOAM turns an Application into a ProductApplication.
func FromOAM(in *unstructured.Unstructured) *Result {
	r := begin(in, v1alpha1.GroupVersion.String(), Kind)
	spec := specOf(r.Object)
	components(spec, func(c map[string]any, _ string) {
		change(c, "type", func(v any) any {
			name, ok := v.(string)
			if !ok {
				return v
			}
			return renamed(name, false)
		})
		change(c, "properties", escaped)
		each(c, "traits", "", func(t map[string]any, _ string) { change(t, "properties", escaped) })
	})
	r.topologies(spec)
	steps(spec, func(s map[string]any, _ string) {
		if condition, ok := s["if"].(string); ok {
			s["if"] = phases(condition, false)
		}
	})
	if _, ok := in.GetAnnotations()[publishVersion]; ok {
		r.notef("metadata.annotations["+fmt.Sprintf("%q", publishVersion)+"]", "means nothing here: every change of an application is rolled out")
	}
	r.check()
	return r
}

// topologies writes what is deprecated as it is written now, and notes where an
// application would go elsewhere.
func (r *Result) topologies(spec map[string]any) {
	found := false
	each(spec, "policies", "spec", func(p map[string]any, at string) {
		if p["type"] != oam.PolicyTopology {
			return
		}
		found = true
		properties, _ := p["properties"].(map[string]any)
		if v, ok := properties["clusterSelector"]; ok {
			if _, both := properties["clusterLabelSelector"]; !both {
				properties["clusterLabelSelector"] = v
				delete(properties, "clusterSelector")
			}
		}
		list, _ := properties["clusters"].([]any)
		for i, c := range list {
			if c == hubCluster {
				r.notef(fmt.Sprintf("%s.properties.clusters[%d]", at, i), "is the cluster that KubeVela runs on: here it must be the name of a fleet's cluster")
			}
		}
	})
	if !found {
		r.notef("spec.policies", "there is no topology policy: KubeVela deploys to the cluster it runs on, and Mainstay to every cluster that lists the namespace as a tenant")
	}
}

var unknownField = regexp.MustCompile(`^unknown field "(.*)"$`)

// check names what a ProductApplication cannot be.
func (r *Result) check() {
	app := &v1alpha1.ProductApplication{}
	err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(r.Object.Object, app, true)
	var strict interface{ Errors() []error }
	switch {
	case err == nil:
	case runtime.IsStrictDecodingError(err) && errors.As(err, &strict):
		for _, e := range strict.Errors() {
			if m := unknownField.FindStringSubmatch(e.Error()); m != nil {
				r.problemf(m[1], "is no field of a ProductApplication: remove it")
				continue
			}
			r.problemf("spec", "%v", e)
		}
	default:
		r.problemf("spec", "cannot be read: %v", err)
		return
	}
	_, err = oam.Compile(app.Name, &app.Spec, oam.WithNamespace(app.Namespace))
	var invalid *oam.InvalidError
	switch {
	case err == nil:
	case errors.As(err, &invalid):
		r.Problems = append(r.Problems, invalid.Problems...)
	default:
		r.problemf("spec", "%v", err)
	}
}
