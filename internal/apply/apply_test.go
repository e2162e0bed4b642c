package apply

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

func object(t *testing.T, manifest string) unstructured.Unstructured {
	t.Helper()
	u := unstructured.Unstructured{}
	raw, err := yaml.YAMLToJSON([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	if err := u.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return u
}

func component(name string, deps []string, objects ...unstructured.Unstructured) bundle.Component {
	return bundle.Component{Name: name, Type: "webservice", DependsOn: deps, Objects: objects}
}

func simple(t *testing.T, kind, name string) unstructured.Unstructured {
	t.Helper()
	gvs := map[string]string{"Deployment": "apps/v1", "Job": "batch/v1", "Role": "rbac.authorization.k8s.io/v1", "Widget": "x.dev/v1", "CustomResourceDefinition": "apiextensions.k8s.io/v1"}
	gv, ok := gvs[kind]
	if !ok {
		gv = "v1"
	}
	return object(t, `{apiVersion: `+gv+`, kind: `+kind+`, metadata: {name: `+name+`}}`)
}

func options() Options {
	return Options{
		Release:     types.NamespacedName{Namespace: "team-a", Name: "shop.platform.prod.eu-1"},
		Application: "shop",
		Namespace:   "team-a",
		Allowed:     []string{"team-a", "shop"},
	}
}

// everyKind is a cluster that serves all but Gadgets.
func everyKind(gvk schema.GroupVersionKind) (bool, bool, error) {
	switch gvk.Kind {
	case "Gadget":
		return false, false, nil
	case "Namespace", "CustomResourceDefinition":
		return false, true, nil
	}
	return true, true, nil
}

func TestBuild(t *testing.T) {
	errBoom := errors.New("boom")
	type want struct {
		refs     []string
		problems map[string][]string
		err      string
	}
	cases := map[string]struct {
		reason  string
		content bundle.Content
		scope   Scope
		want    want
	}{
		"Phases": {
			reason: "Within a component the kinds decide, and otherwise the order of the author.",
			content: bundle.Content{Components: []bundle.Component{component("web", nil,
				simple(t, "Widget", "w"), simple(t, "Deployment", "b"), simple(t, "Deployment", "a"), simple(t, "Service", "s"),
				simple(t, "Secret", "c"), simple(t, "Role", "r"), simple(t, "CustomResourceDefinition", "d"))}},
			want: want{refs: []string{"CustomResourceDefinition/d", "Role/team-a/r", "Secret/team-a/c", "Service/team-a/s", "Deployment/team-a/b", "Deployment/team-a/a", "Widget/team-a/w"}},
		},
		"Dependencies": {
			reason: "Components come after those they depend on, and otherwise as the author has them.",
			content: bundle.Content{Components: []bundle.Component{
				component("web", []string{"db", "load"}, simple(t, "Deployment", "web")),
				component("load", []string{"db"}, simple(t, "Job", "load")),
				component("other", nil, simple(t, "ConfigMap", "other")),
				component("db", nil, simple(t, "Secret", "db")),
			}},
			want: want{refs: []string{"ConfigMap/team-a/other", "Secret/team-a/db", "Job/team-a/load", "Deployment/team-a/web"}},
		},
		"Circle": {
			reason:  "A circle cannot be ordered.",
			content: bundle.Content{Components: []bundle.Component{component("a", []string{"b"}), component("b", []string{"a"}), component("c", nil)}},
			want:    want{err: "components depend on each other in a circle: a, b"},
		},
		"Dangling": {
			reason:  "Nor can what depends on nothing.",
			content: bundle.Content{Components: []bundle.Component{component("a", []string{"z"})}},
			want:    want{err: `component "a" depends on "z", which does not exist`},
		},
		"Twice": {
			reason:  "Components are told apart by their names.",
			content: bundle.Content{Components: []bundle.Component{component("a", nil), component("a", nil)}},
			want:    want{err: `component "a" is there twice`},
		},
		"SameObjectTwice": {
			reason: "Two components cannot both own an object.",
			content: bundle.Content{Components: []bundle.Component{
				component("a", nil, simple(t, "ConfigMap", "c")),
				component("b", nil, object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: team-a}}`)),
			}},
			want: want{err: `components "a" and "b" both bring ConfigMap "c": remove it from one of them`},
		},
		"Namespaces": {
			reason: "An allowed namespace is kept, another is refused, and a kind without namespaces has none.",
			content: bundle.Content{Components: []bundle.Component{component("a", nil,
				object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop}}`),
				object(t, `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: kube-system}}`),
				object(t, `{apiVersion: v1, kind: Namespace, metadata: {name: space, namespace: shop}}`))}},
			want: want{
				refs:     []string{"Namespace/space", "ConfigMap/shop/c", "Secret/kube-system/s"},
				problems: map[string][]string{"a": {`Secret "s": tenant "team-a" may not deploy into namespace "kube-system", only into team-a, shop`}},
			},
		},
		"UnknownKind": {
			reason: "A kind that the cluster does not serve keeps its component back.",
			content: bundle.Content{Components: []bundle.Component{
				component("a", nil, object(t, `{apiVersion: x.dev/v1, kind: Gadget, metadata: {name: g}}`)), component("b", nil, simple(t, "ConfigMap", "c"))}},
			want: want{
				refs:     []string{"Gadget/g", "ConfigMap/team-a/c"},
				problems: map[string][]string{"a": {`Gadget "g": the cluster does not know kind Gadget of x.dev/v1: install what brings it, or correct apiVersion`}},
			},
		},
		"Nameless": {
			reason:  "An object needs a name.",
			content: bundle.Content{Components: []bundle.Component{component("a", nil, object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {generateName: c-}}`))}},
			want: want{
				refs:     []string{"ConfigMap/"},
				problems: map[string][]string{"a": {`object ConfigMap "" needs an apiVersion, a kind and a metadata.name`}},
			},
		},
		"ScopeUnknown": {
			reason:  "Where the cluster does not answer, nothing is known.",
			content: bundle.Content{Components: []bundle.Component{component("a", nil, simple(t, "ConfigMap", "c"))}},
			scope:   func(schema.GroupVersionKind) (bool, bool, error) { return false, false, errBoom },
			want:    want{err: "cannot find out whether ConfigMap has namespaces: boom"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.scope == nil {
				tc.scope = everyKind
			}
			got := want{}
			set, err := Build(tc.content, options(), tc.scope)
			if err != nil {
				got.err = err.Error()
			}
			for _, r := range Refs(set.Objects()) {
				at := r.Kind + "/"
				if r.Namespace != "" {
					at += r.Namespace + "/"
				}
				got.refs = append(got.refs, at+r.Name)
			}
			for _, c := range set.Components {
				if len(c.Problems) > 0 {
					got.problems = map[string][]string{c.Name: c.Problems}
				}
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("\n%s\nBuild(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestBuildMarks(t *testing.T) {
	in := object(t, `
apiVersion: v1
kind: ConfigMap
metadata:
  name: c
  uid: stolen
  resourceVersion: "1"
  creationTimestamp: "2020-01-01T00:00:00Z"
  managedFields: []
  labels: {app: web, mainstay.dev/tenant: somebody-else}
  annotations: {a: b, mainstay.dev/release: somebody/else}
data: {k: v}
status: {x: y}
`)
	before := in.DeepCopy()
	set, err := Build(bundle.Content{Components: []bundle.Component{component("web", nil, in)}}, options(), everyKind)
	if err != nil {
		t.Fatal(err)
	}
	want := object(t, `
apiVersion: v1
kind: ConfigMap
metadata:
  name: c
  namespace: team-a
  labels: {app: web, mainstay.dev/tenant: team-a, mainstay.dev/application: shop, mainstay.dev/component: web}
  annotations: {a: b, mainstay.dev/release: team-a/shop.platform.prod.eu-1}
data: {k: v}
`)
	got := set.Objects()[0]
	if diff := cmp.Diff(want.Object, got.Object); diff != "" {
		t.Errorf("\nAn object is placed, marked and stripped, whatever it claims.\nBuild(...): -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(before.Object, in.Object); diff != "" {
		t.Errorf("\nThe content is shared and must not change: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff("team-a/shop.platform.prod.eu-1", Owner(got.Unstructured)); diff != "" {
		t.Errorf("\nOwner(...): -want, +got:\n%s", diff)
	}
}

func TestOpen(t *testing.T) {
	set := Set{Components: []Component{{Name: "db"}, {Name: "load", DependsOn: []string{"db"}}, {Name: "web", DependsOn: []string{"db", "load"}}}}
	cases := map[string]struct {
		reason  string
		done    map[string]bool
		open    []string
		waiting map[string][]string
	}{
		"AtFirst":  {reason: "At first only what depends on nothing.", open: []string{"db"}, waiting: map[string][]string{"load": {"db"}, "web": {"db", "load"}}},
		"Later":    {reason: "Then what depends on that.", done: map[string]bool{"db": true}, open: []string{"db", "load"}, waiting: map[string][]string{"web": {"load"}}},
		"InTheEnd": {reason: "In the end all.", done: map[string]bool{"db": true, "load": true}, open: []string{"db", "load", "web"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			open, waiting := set.Open(func(c string) bool { return tc.done[c] })
			names := make([]string, 0, len(open))
			for _, c := range open {
				names = append(names, c.Name)
			}
			if diff := cmp.Diff(tc.open, names); diff != "" {
				t.Errorf("\n%s\nOpen(...): -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.waiting, waiting, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("\n%s\nOpen(...): -want waiting, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestInventory(t *testing.T) {
	ref := func(gv, kind, name, component string) v1alpha1.ObjectReference {
		return v1alpha1.ObjectReference{APIVersion: gv, Kind: kind, Namespace: "n", Name: name, Component: component}
	}
	web, db := ref("apps/v1", "Deployment", "web", "web"), ref("v1", "Secret", "db", "db")
	old, older := ref("v1", "ConfigMap", "old", "x"), ref("v1", "ConfigMap", "older", "x")
	webBeta := ref("apps/v1beta1", "Deployment", "web", "renamed")

	inventory := []v1alpha1.ObjectReference{webBeta, old, older}
	wanted := []v1alpha1.ObjectReference{db, web}

	if diff := cmp.Diff([]v1alpha1.ObjectReference{db, web, old, older}, Union(wanted, inventory)); diff != "" {
		t.Errorf("\nA union forgets nothing, and takes the wanted version of an object.\nUnion(...): -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]v1alpha1.ObjectReference{old, older}, Dropped(inventory, wanted)); diff != "" {
		t.Errorf("\nNeither another version nor another component makes another object.\nDropped(...): -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]v1alpha1.ObjectReference{older, old, webBeta}, Backwards(inventory)); diff != "" {
		t.Errorf("\nRemoval goes backwards.\nBackwards(...): -want, +got:\n%s", diff)
	}
	if Recorded(inventory, wanted) || !Recorded(Union(wanted, inventory), wanted) {
		t.Errorf("an inventory covers what is wanted once it is united with it")
	}
	if !Same(web, webBeta) || Same(web, db) {
		t.Errorf("Same tells objects apart, and only them")
	}
	if Same(ref("a/b/c", "K", "x", ""), ref("v1", "K", "x", "")) {
		t.Errorf("a malformed version is no other version")
	}
}

func TestReferences(t *testing.T) {
	const pod = `
serviceAccountName: robot
imagePullSecrets: [{name: registry}]
volumes:
- {name: a, secret: {secretName: vol}}
- {name: b, secret: {secretName: vol-optional, optional: true}}
- {name: c, configMap: {name: cm}}
- {name: d, persistentVolumeClaim: {claimName: data}}
- {name: e, projected: {sources: [{secret: {name: proj}}, {configMap: {name: proj-cm}}, {secret: {name: no, optional: true}}]}}
- {name: f, csi: {driver: d, nodePublishSecretRef: {name: csi}}}
- {name: g, emptyDir: {}}
initContainers:
- name: init
  envFrom: [{secretRef: {name: all}}, {configMapRef: {name: all-cm}}, {secretRef: {name: maybe, optional: true}}]
containers:
- name: main
  env:
  - {name: PLAIN, value: x}
  - {name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}
  - {name: AGAIN, valueFrom: {secretKeyRef: {name: db, key: user}}}
  - {name: MODE, valueFrom: {configMapKeyRef: {name: mode, key: mode}}}
  - {name: MAYBE, valueFrom: {secretKeyRef: {name: opt, key: k, optional: true}}}
  - {name: MINE, valueFrom: {configMapKeyRef: {name: brought, key: k}}}
`
	nested := func(head, indent string) string {
		out := head
		for _, line := range []byte(pod) {
			out += string(line)
			if line == '\n' {
				out += indent
			}
		}
		return out
	}
	at := func(p string) []string {
		return []string{
			`needs ServiceAccount "robot" (` + p + `.serviceAccountName)`,
			`needs Secret "registry" (` + p + `.imagePullSecrets[0])`,
			`needs Secret "vol" (` + p + `.volumes[0].secret.secretName)`,
			`needs ConfigMap "cm" (` + p + `.volumes[2].configMap.name)`,
			`needs PersistentVolumeClaim "data" (` + p + `.volumes[3].persistentVolumeClaim.claimName)`,
			`needs Secret "proj" (` + p + `.volumes[4].projected.sources[0].secret.name)`,
			`needs ConfigMap "proj-cm" (` + p + `.volumes[4].projected.sources[1].configMap.name)`,
			`needs Secret "csi" (` + p + `.volumes[5].csi.nodePublishSecretRef.name)`,
			`needs Secret "all" (` + p + `.initContainers[name=init].envFrom[0].secretRef.name)`,
			`needs ConfigMap "all-cm" (` + p + `.initContainers[name=init].envFrom[1].configMapRef.name)`,
			`needs Secret "db" (` + p + `.containers[name=main].env[name=PASSWORD].valueFrom.secretKeyRef.name)`,
			`needs ConfigMap "mode" (` + p + `.containers[name=main].env[name=MODE].valueFrom.configMapKeyRef.name)`,
		}
	}
	cases := map[string]struct {
		reason   string
		manifest string
		from     string
		want     []string
	}{
		"Pod":        {reason: "A Pod is one.", manifest: nested("apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  ", "  "), from: `Pod "x" `, want: at("spec")},
		"Deployment": {reason: "A Deployment has a template.", manifest: nested("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec:\n  template:\n    spec:\n      ", "      "), from: `Deployment "x" `, want: at("spec.template.spec")},
		"CronJob":    {reason: "A CronJob has it two levels down.", manifest: nested("apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: x}\nspec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          ", "          "), from: `CronJob "x" `, want: at("spec.jobTemplate.spec.template.spec")},
		"ConfigMap":  {reason: "Other kinds have no pods.", manifest: `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {}}`},
		"DefaultAccount": {
			reason:   "The default service account is always there.",
			manifest: `{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {serviceAccountName: default, containers: [{name: c}]}}`,
		},
		"Malformed": {
			reason:   "What does not have the shape of a pod is for the API server to refuse.",
			manifest: `{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {volumes: 3, containers: [1, {name: c, env: {}}]}}`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			content := bundle.Content{Components: []bundle.Component{
				component("a", nil, object(t, tc.manifest)),
				component("b", nil, simple(t, "ConfigMap", "brought")),
			}}
			set, err := Build(content, options(), everyKind)
			if err != nil {
				t.Fatal(err)
			}
			want, got := make([]string, 0, len(tc.want)), make([]string, 0, len(tc.want))
			for _, w := range tc.want {
				want = append(want, tc.from+w)
			}
			for _, r := range set.References(set.Components[0]) {
				got = append(got, r.String())
				if r.To.Namespace != "team-a" {
					t.Errorf("a reference is to the object's own namespace, got %q", r.To.Namespace)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("\n%s\nReferences(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
