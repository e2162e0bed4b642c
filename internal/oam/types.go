package oam

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// Component types.
const (
	TypeWebservice      = "webservice"
	TypeWorker          = "worker"
	TypeStatefulService = "statefulservice"
	TypeTask            = "task"
	TypeCronTask        = "cron-task"
	TypeObjects         = "k8s-objects"
)

// An instance is what a template needs to know besides the parameters.
type instance struct {
	// application and component are names.
	application, component string
}

// selector returns the labels by which a workload finds its pods. They cannot
// change, so there are no more than needed.
func (in instance) selector() map[string]string {
	return map[string]string{
		mv1alpha1.LabelApplication: in.application,
		mv1alpha1.LabelComponent:   in.component,
	}
}

// A template checks parameters that fit their schema, and returns the objects of a
// component. Its findings have paths within the properties. It returns no objects
// where it has findings.
type template func(in instance, properties map[string]any) ([]unstructured.Unstructured, findings)

// templateOf returns the template of a component type.
func templateOf(componentType string) (template, bool) {
	switch componentType {
	case TypeWebservice:
		return typed(webservice), true
	case TypeWorker:
		return typed(worker), true
	case TypeStatefulService:
		return typed(statefulService), true
	case TypeTask:
		return typed(task), true
	case TypeCronTask:
		return typed(cronTask), true
	case TypeObjects:
		return objects, true
	}
	return nil, false
}

// ComponentTypes returns the names of the component types, sorted.
func ComponentTypes() []string {
	schemas, err := componentTypeSchemas()
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(schemas))
}

// typed makes a template of a function over typed parameters and typed objects.
func typed[P any](render func(in instance, p P, fs *findings) []runtime.Object) template {
	return func(in instance, properties map[string]any) ([]unstructured.Unstructured, findings) {
		fs := findings{}
		var p P
		if err := fromMap(properties, &p); err != nil {
			fs.addf(nil, "cannot be read: %v", err)
			return nil, fs
		}
		rendered := render(in, p, &fs)
		if len(fs) > 0 {
			return nil, fs
		}
		out := make([]unstructured.Unstructured, 0, len(rendered))
		for _, o := range rendered {
			u, err := toUnstructured(o)
			if err != nil {
				fs.addf(nil, "cannot be rendered: %v", err)
				return nil, fs
			}
			out = append(out, u)
		}
		return out, nil
	}
}

func fromMap(m map[string]any, into any) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return utiljson.Unmarshal(b, into)
}

// toUnstructured returns a typed object without the empty fields that Kubernetes'
// types always have: to apply them would be to own them.
func toUnstructured(o runtime.Object) (unstructured.Unstructured, error) {
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return unstructured.Unstructured{}, fmt.Errorf("cannot convert %T: %w", o, err)
	}
	delete(m, "status")
	dropEmpty(m)
	return unstructured.Unstructured{Object: m}, nil
}

// emptyFields are what Kubernetes' types write although it is not set.
var emptyFields = []string{"creationTimestamp", "resources", "strategy", "updateStrategy", "metadata"}

func dropEmpty(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Collect(maps.Keys(v)) {
			dropEmpty(v[k])
			if !slices.Contains(emptyFields, k) {
				continue
			}
			if m, ok := v[k].(map[string]any); v[k] == nil || ok && len(m) == 0 {
				delete(v, k)
			}
		}
	case []any:
		for _, e := range v {
			dropEmpty(e)
		}
	}
}

// named returns the metadata of a component's object.
func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }
