package apis

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	gvks "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/test/schema"
)

const repository = ".."

// goTypes are the Go types of all kinds. What stands behind a claim has the same type.
var goTypes = map[gvks.GroupVersionKind]func() any{
	v1alpha1.GroupVersion.WithKind(v1alpha1.ClusterFleetKind):        func() any { return &v1alpha1.ClusterFleet{} },
	v1alpha1.GroupVersion.WithKind(v1alpha1.XClusterFleetKind):       func() any { return &v1alpha1.ClusterFleet{} },
	v1alpha1.GroupVersion.WithKind(v1alpha1.ProductApplicationKind):  func() any { return &v1alpha1.ProductApplication{} },
	v1alpha1.GroupVersion.WithKind(v1alpha1.XProductApplicationKind): func() any { return &v1alpha1.ProductApplication{} },
	v1alpha1.GroupVersion.WithKind(v1alpha1.FleetCellKind):           func() any { return &v1alpha1.FleetCell{} },
	v1alpha1.ComponentDefinitionGVK:                                  func() any { return &v1alpha1.ComponentDefinition{} },
	v1alpha1.TraitDefinitionGVK:                                      func() any { return &v1alpha1.TraitDefinition{} },
	v1alpha1.DefinitionRevisionGVK:                                   func() any { return &v1alpha1.DefinitionRevision{} },
	mv1alpha1.ClusterGVK:                                             func() any { return &mv1alpha1.Cluster{} },
	mv1alpha1.NodePoolGVK:                                            func() any { return &mv1alpha1.NodePool{} },
	mv1alpha1.BundleGVK:                                              func() any { return &mv1alpha1.Bundle{} },
	mv1alpha1.RolloutGVK:                                             func() any { return &mv1alpha1.Rollout{} },
	mv1alpha1.RepositoryGVK:                                          func() any { return &mv1alpha1.Repository{} },
	mv1alpha1.ChangeGVK:                                              func() any { return &mv1alpha1.Change{} },
	mv1alpha1.ChangeQueueGVK:                                         func() any { return &mv1alpha1.ChangeQueue{} },
	mv1alpha1.ClaimGrantGVK:                                          func() any { return &mv1alpha1.ClaimGrant{} },
	mv1alpha1.PlanGVK:                                                func() any { return &mv1alpha1.Plan{} },
	mv1alpha1.ReleaseGVK:                                             func() any { return &mv1alpha1.Release{} },
	mv1alpha1.ProviderConfigGVK:                                      func() any { return &mv1alpha1.ProviderConfig{} },
	mv1alpha1.ClusterProviderConfigGVK:                               func() any { return &mv1alpha1.ClusterProviderConfig{} },
	mv1alpha1.ProviderConfigUsageGVK:                                 func() any { return &mv1alpha1.ProviderConfigUsage{} },
}

// machinery are the fields that Crossplane adds to composites and claims, and that no
// type of ours has.
var machinery = map[string][]string{
	"spec": {
		"claimRef", "compositeDeletePolicy", "compositionRef", "compositionRevisionRef", "compositionRevisionSelector",
		"compositionSelector", "compositionUpdatePolicy", "crossplane", "resourceRef", "resourceRefs", "writeConnectionSecretToRef",
	},
	"status": {"claimConditionTypes", "conditions", "connectionDetails"},
}

func load(t *testing.T) *schema.Schemas {
	t.Helper()
	s, err := schema.Load(repository)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRulesCompile(t *testing.T) {
	if err := load(t).Compile(); err != nil {
		t.Error(err)
	}
}

// Every field of a schema is a field of its Go type, of the same type.
func TestTypesHaveWhatSchemasHave(t *testing.T) {
	s := load(t)
	for _, gvk := range s.Kinds() {
		t.Run(gvk.Kind, func(t *testing.T) {
			o := s.Sample(gvk)
			if gvk.Group == v1alpha1.GroupVersion.Group {
				for part, fields := range machinery {
					for _, f := range fields {
						unstructured.RemoveNestedField(o.Object, part, f)
					}
				}
			}
			decode(t, o)
		})
	}
}

// Every field of a Go type is a field of its schema.
func TestSchemasHaveWhatTypesHave(t *testing.T) {
	s := load(t)
	for gvk, newType := range goTypes {
		t.Run(gvk.Kind, func(t *testing.T) {
			v := newType()
			fill(t, reflect.ValueOf(v).Elem())
			o := encode(t, v)
			o.SetGroupVersionKind(gvk)
			if unknown := s.Unknown(o); len(unknown) > 0 {
				t.Errorf("the schema does not have: %s", strings.Join(unknown, ", "))
			}
		})
	}
}

// Every manifest that we show anybody is valid, and is read in full by our Go types.
func TestManifests(t *testing.T) {
	s := load(t)
	for file, objects := range manifests(t) {
		for _, o := range objects {
			if o.GroupVersionKind().Group != v1alpha1.GroupVersion.Group && o.GroupVersionKind().Group != mv1alpha1.GroupVersion.Group {
				continue
			}
			t.Run(strings.TrimPrefix(file, "../")+"/"+o.GetKind()+"/"+o.GetName(), func(t *testing.T) {
				if err := s.Validate(o); err != nil {
					t.Errorf("the API server would refuse it:\n%v", err)
				}
				again := encode(t, decode(t, o))
				// Nobody writes a status, and an empty one is not what an observer writes.
				unstructured.RemoveNestedField(again.Object, "status")
				if err := s.Validate(again); err != nil {
					t.Errorf("what our Go type makes of it is refused:\n%v", err)
				}
			})
		}
	}
}

// manifests of the examples and of the docs, by file.
func manifests(t *testing.T) map[string][]*unstructured.Unstructured {
	t.Helper()
	out := map[string][]*unstructured.Unstructured{}
	add := func(file string, b []byte) {
		objects, err := schema.Objects(b)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		out[file] = append(out[file], objects...)
	}
	for _, root := range []string{"examples", "docs", "README.md"} {
		err := filepath.WalkDir(filepath.Join(repository, root), func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			switch filepath.Ext(file) {
			case ".yaml":
				add(file, b)
			case ".md":
				for _, block := range schema.Fenced(b, "yaml") {
					if !bytes.HasPrefix(block, []byte("- ")) { // A list is a part of a manifest.
						add(file, block)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) == 0 {
		t.Fatal("there are no manifests")
	}
	return out
}

// decode an object into its Go type. A field that the type does not have is an error.
func decode(t *testing.T, o *unstructured.Unstructured) any {
	t.Helper()
	newType, ok := goTypes[o.GroupVersionKind()]
	if !ok {
		t.Fatalf("%s has no Go type", o.GroupVersionKind())
	}
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	v := newType()
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("its Go type cannot hold it: %v", err)
	}
	return v
}

func encode(t *testing.T, v any) *unstructured.Unstructured {
	t.Helper()
	o, err := runtime.DefaultUnstructuredConverter.ToUnstructured(v)
	if err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: o}
}

// filled is what strings are filled with.
const filled = "1"

// fill every field of a value, recursively, each once.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Interface().(type) {
	case metav1.ObjectMeta:
		v.Set(reflect.ValueOf(metav1.ObjectMeta{Name: filled}))
		return
	case metav1.Time:
		v.Set(reflect.ValueOf(metav1.Unix(1, 0)))
		return
	case resource.Quantity:
		v.Set(reflect.ValueOf(resource.MustParse("1")))
		return
	case intstr.IntOrString:
		v.Set(reflect.ValueOf(intstr.FromInt32(1)))
		return
	case runtime.RawExtension:
		v.Set(reflect.ValueOf(runtime.RawExtension{Raw: []byte(`{}`)}))
		return
	}
	switch v.Kind() { //nolint:exhaustive // Other kinds do not occur in an API type.
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key)
		fill(t, value)
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString(filled)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint8:
		v.SetUint(1)
	default:
		t.Fatalf("cannot fill a %s", v.Type())
	}
}
