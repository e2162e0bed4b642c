package apply

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

func thing(kind, name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec}}
}

func TestTreatmentOf(t *testing.T) {
	web := bundle.ObjectSelector{Components: []string{"web"}}
	cases := map[string]struct {
		reason   string
		policies *bundle.Policies
		want     Treatment
	}{
		"None":     {reason: "Without policies an object is treated as all are."},
		"ReadOnly": {reason: "All that a selector has must match.", policies: &bundle.Policies{ReadOnly: []bundle.ObjectSelector{{Components: []string{"web"}, Kinds: []string{"ConfigMap"}}}}, want: Treatment{ReadOnly: true}},
		"Others":   {reason: "Another's selector selects nothing.", policies: &bundle.Policies{ReadOnly: []bundle.ObjectSelector{{Components: []string{"web"}, Kinds: []string{"Secret"}}}}},
		"All":      {reason: "A selector with nothing selects all.", policies: &bundle.Policies{TakeOver: []bundle.ObjectSelector{{}}}, want: Treatment{TakeOver: true}},
		"ByName":   {reason: "Names and types select too.", policies: &bundle.Policies{TakeOver: []bundle.ObjectSelector{{Names: []string{"x"}, ComponentTypes: []string{"webservice"}}}}, want: Treatment{TakeOver: true}},
		"Once":     {reason: "Without paths the whole object is left alone.", policies: &bundle.Policies{ApplyOnce: []bundle.ApplyOnce{{Selector: web}}}, want: Treatment{Once: true}},
		"Left":     {reason: "With paths those fields are.", policies: &bundle.Policies{ApplyOnce: []bundle.ApplyOnce{{Selector: web, Paths: []string{"spec.replicas"}}}}, want: Treatment{Left: []Path{{"spec", "replicas"}}}},
		"FirstRule": {
			reason: "The first rule that selects an object counts.",
			policies: &bundle.Policies{GarbageCollect: &bundle.GarbageCollect{Rules: []bundle.GarbageCollectRule{
				{Selector: bundle.ObjectSelector{Kinds: []string{"Secret"}}, Strategy: "never"}, {Selector: web, Strategy: "onAppDelete"}, {Strategy: "never"},
			}}},
			want: Treatment{Keep: v1alpha1.KeepUntilDeleted},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := TreatmentOf(tc.policies, "web", "webservice", thing("ConfigMap", "x", nil))
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("%s: %v (-want +got):\n%s", tc.reason, err, diff)
			}
		})
	}
	if _, err := TreatmentOf(&bundle.Policies{ApplyOnce: []bundle.ApplyOnce{{Paths: []string{"a..b"}}}}, "web", "", thing("ConfigMap", "x", nil)); err == nil {
		t.Error("a path that makes no sense is refused")
	}
}

func TestParsePath(t *testing.T) {
	cases := map[string]struct {
		path string
		want Path
	}{
		"Field":     {"replicas", Path{"replicas"}},
		"Fields":    {"spec.replicas", Path{"spec", "replicas"}},
		"Position":  {"spec.containers[10].image", Path{"spec", "containers", 10, "image"}},
		"Key":       {`metadata.annotations["a.b/c"].d`, Path{"metadata", "annotations", "a.b/c", "d"}},
		"OtherKey":  {`metadata.labels['a.b/c']`, Path{"metadata", "labels", "a.b/c"}},
		"Empty":     {"", nil},
		"TwoDots":   {"a..b", nil},
		"EndsInDot": {"a.", nil},
		"Unended":   {"a[1", nil},
		"Negative":  {"a[-1]", nil},
		"NoKey":     {`a[""]`, nil},
		"NoDot":     {"a[1]b", nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ParsePath(tc.path)
			if diff := cmp.Diff(tc.want, got); diff != "" || (err == nil) != (tc.want != nil) {
				t.Errorf("ParsePath(%q): %v (-want +got):\n%s", tc.path, err, diff)
			}
			if err != nil && !strings.Contains(err.Error(), "write one such as spec.replicas") {
				t.Errorf("an error says what to write: got %v", err)
			}
		})
	}
}

func TestOnto(t *testing.T) {
	list := func(image string) []any { return []any{map[string]any{"name": "a", "image": image}} }
	cases := map[string]struct {
		reason       string
		left         string
		wanted, live map[string]any
		want         map[string]any
	}{
		"Value":   {"A field that is left alone has the value that it has there.", "spec.replicas", map[string]any{"replicas": int64(1)}, map[string]any{"replicas": int64(5)}, map[string]any{"replicas": int64(5)}},
		"Gone":    {"Or none, where it has none.", "spec.replicas", map[string]any{"replicas": int64(1)}, map[string]any{}, map[string]any{}},
		"New":     {"It may not be in the manifest at all.", "spec.a.b", map[string]any{}, map[string]any{"a": map[string]any{"b": "x"}}, map[string]any{"a": map[string]any{"b": "x"}}},
		"InList":  {"It may be in a list.", "spec.c[0].image", map[string]any{"c": list("v2")}, map[string]any{"c": list("v1")}, map[string]any{"c": list("v1")}},
		"NoList":  {"Lists are not made up.", "spec.c[0].image", map[string]any{}, map[string]any{"c": list("v1")}, map[string]any{}},
		"OffList": {"Nor are their elements.", "spec.c[1].image", map[string]any{"c": list("v2")}, map[string]any{"c": append(list("v1"), map[string]any{"image": "x"})}, map[string]any{"c": list("v2")}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p, err := ParsePath(tc.left)
			if err != nil {
				t.Fatal(err)
			}
			o := Object{Unstructured: thing("X", "x", tc.wanted), Treatment: Treatment{Left: []Path{p}}}
			live := thing("X", "x", tc.live)
			got := o.Onto(live)
			if diff := cmp.Diff(tc.want, got.Object["spec"]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.wanted, o.Object["spec"]); diff != "" {
				t.Errorf("%s: the object itself is not changed:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(o.Without(live).Object, o.Without(got).Object); diff != "" && tc.wanted["c"] == nil && tc.live["c"] == nil {
				t.Errorf("%s: what is left alone is no difference:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.wanted, o.Onto(nil).Object["spec"]); diff != "" {
				t.Errorf("%s: at first it is as it is wanted:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestPrune(t *testing.T) {
	ref := func(name string, k v1alpha1.Keep) v1alpha1.ObjectReference {
		return v1alpha1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Name: name, Keep: k}
	}
	plain, until, always := ref("a", ""), ref("b", v1alpha1.KeepUntilDeleted), ref("c", v1alpha1.KeepAlways)
	all := []v1alpha1.ObjectReference{plain, until, always}

	going, staying := Prune(all, false)
	if diff := cmp.Diff([][]v1alpha1.ObjectReference{{plain}, {until, always}}, [][]v1alpha1.ObjectReference{going, staying}); diff != "" {
		t.Errorf("what is to be kept stays on record when a revision drops it: -want, +got:\n%s", diff)
	}
	if going, staying = Prune(all, true); len(going) != 0 || len(staying) != 3 {
		t.Errorf("keeping legacy, all stays: got %v, %v", going, staying)
	}
	if diff := cmp.Diff([]v1alpha1.ObjectReference{until, plain}, Removal(all)); diff != "" {
		t.Errorf("with the application all goes but what is never to, backwards: -want, +got:\n%s", diff)
	}
	if Recorded([]v1alpha1.ObjectReference{ref("a", "")}, []v1alpha1.ObjectReference{ref("a", v1alpha1.KeepAlways)}) {
		t.Error("that an object is to be kept from now on has to be recorded")
	}
	traced := plain
	traced.Trace = "x"
	if diff := cmp.Diff([]v1alpha1.ObjectReference{traced, always}, Carry([]v1alpha1.ObjectReference{plain, always}, []v1alpha1.ObjectReference{until, traced})); diff != "" {
		t.Errorf("traces are carried over: -want, +got:\n%s", diff)
	}
}

func TestWrittenIn(t *testing.T) {
	cases := map[string]struct {
		reason, annotation string
		want               int64
	}{
		"Ours":      {"An object says in which epoch it was written.", Written("uid", 7), 7},
		"None":      {"One that says nothing was written in none.", "", 0},
		"Others":    {"The epoch of a former Release of the same name does not count.", Written("other", 9), 0},
		"Malformed": {"Nor does what makes no sense.", "uid.x", 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			u := thing("X", "x", nil)
			u.SetAnnotations(map[string]string{v1alpha1.AnnotationEpoch: tc.annotation})
			if got := WrittenIn(u, types.UID("uid")); got != tc.want {
				t.Errorf("%s: want %d, got %d", tc.reason, tc.want, got)
			}
		})
	}
}
