package bind

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

func object(kind, name string, data map[string]any) unstructured.Unstructured {
	return unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": name}, "data": data}}
}

func one(data map[string]any) bundle.Content {
	return bundle.Content{Components: []bundle.Component{{Name: "web", Objects: []unstructured.Unstructured{object("ConfigMap", "x", data)}}}}
}

func facts() map[string]any {
	c := &v1alpha1.Cluster{}
	c.Spec.ForProvider = v1alpha1.ClusterParameters{
		Fleet: "prod", Name: "eu-1", Region: "eu-central",
		Labels: map[string]v1alpha1.LabelValue{"region": "eu-central", "tier": "gold"},
		Facts:  map[string]string{"registry": "registry.eu.example", "name": "ignored", "not a name": "ignored"},
	}
	c.Status.AtProvider.Version = "v1.35.3"
	return Facts(c, "shop")
}

func TestFacts(t *testing.T) {
	want := map[string]any{
		"fleet": "prod", "name": "eu-1", "region": "eu-central", "version": "v1.35.3", "namespace": "shop",
		"labels": map[string]any{"region": "eu-central", "tier": "gold"}, "registry": "registry.eu.example",
	}
	if diff := cmp.Diff(want, facts()); diff != "" {
		t.Errorf("what the cluster is cannot be overruled by what its owner says of it: -want, +got:\n%s", diff)
	}
	if _, ok := Facts(&v1alpha1.Cluster{}, "")["version"]; ok {
		t.Error("what is not known is not there")
	}
}

func TestBind(t *testing.T) {
	cases := map[string]struct {
		reason   string
		data     map[string]any
		want     map[string]any
		constant bool
	}{
		"Constant": {reason: "A content without expressions is passed on.", data: map[string]any{"a": "b $x {}"}, want: map[string]any{"a": "b $x {}"}, constant: true},
		"Facts": {
			reason: "Facts are bound, whole and within a text.",
			data:   map[string]any{"image": "${cluster.registry}/web:1", "tier": "${cluster.labels.tier}", "n": "${size(cluster.labels)}"},
			want:   map[string]any{"image": "registry.eu.example/web:1", "tier": "gold", "n": int64(2)},
		},
		"Default": {reason: "A fact may be optional.", data: map[string]any{"zone": `${cluster.?zone.orValue("a")}`}, want: map[string]any{"zone": "a"}},
		"Escape": {
			reason: "The escape comes off, in keys too.",
			data:   map[string]any{"a": "$${HOME}", "$${b}": "c", "n": []any{"$${x}"}},
			want:   map[string]any{"a": "${HOME}", "${b}": "c", "n": []any{"${x}"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c, err := Compile(one(tc.data))
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if c.Constant() != tc.constant {
				t.Errorf("%s: Constant() is %t", tc.reason, c.Constant())
			}
			r, err := c.Bind(facts(), nil)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, r.Content.Components[0].Objects[0].Object["data"]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if (r.Digest == "") != tc.constant {
				t.Errorf("%s: what is bound has a digest, and nothing else has: %q", tc.reason, r.Digest)
			}
			if diff := cmp.Diff(one(tc.data), c.Source()); diff != "" {
				t.Errorf("%s: the source is not changed:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestBindRefuses(t *testing.T) {
	named := one(nil)
	named.Components[0].Objects[0].SetName("x-${cluster.name}")
	spaced := one(nil)
	spaced.Components[0].Objects[0].SetNamespace("${cluster.name}")
	cases := map[string]struct {
		reason  string
		content bundle.Content
		want    string
	}{
		"UnknownFact": {
			reason:  "Who asks for what is not known is told what is.",
			content: one(map[string]any{"a": "${cluster.zone}"}),
			want: `component "web": ConfigMap "x": data.a: cannot evaluate "cluster.zone": no such key: zone; there are cluster.fleet, cluster.labels["region"], ` +
				`cluster.labels["tier"], cluster.name, cluster.namespace, cluster.region, cluster.registry, cluster.version`,
		},
		"UnknownOutput":   {reason: "So is who asks for an output.", content: one(map[string]any{"a": "${outputs.url}"}), want: `data.a: cannot evaluate "outputs.url": no such key: url; there are cluster.fleet`},
		"UnknownVariable": {reason: "A variable that does not exist is found before.", content: one(map[string]any{"a": "${clutser.name}"}), want: `component "web": ConfigMap "x": data.a: expression "clutser.name" is not valid`},
		"Unended":         {reason: "What begins must end.", content: one(map[string]any{"a": "${cluster.name"}), want: "without }"},
		"Name":            {reason: "An object is the same one on all clusters.", content: named, want: "metadata.name: cannot have an expression"},
		"Namespace":       {reason: "And in the same place.", content: spaced, want: "metadata.namespace: cannot have an expression"},
		"Key":             {reason: "Keys have no expressions.", content: one(map[string]any{"${cluster.name}": "a"}), want: `data: the key "${cluster.name}" cannot have an expression`},
		"Object":          {reason: "Within a text only texts, numbers and booleans make sense.", content: one(map[string]any{"a": "x ${cluster.labels}"}), want: "must give a text, a number or a boolean"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c, err := Compile(tc.content)
			if err == nil {
				_, err = c.Bind(facts(), nil)
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: want an error with %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
}

func TestOutputs(t *testing.T) {
	content := bundle.Content{Components: []bundle.Component{
		{Name: "db", Outputs: []bundle.Output{{Name: "host", ValueFrom: "object.metadata.name"}}, Objects: []unstructured.Unstructured{object("Service", "db", nil)}},
		{Name: "pool", DependsOn: []string{"db"}, Objects: []unstructured.Unstructured{object("ConfigMap", "pool", map[string]any{"a": "${cluster.name}"})}},
		{Name: "web", DependsOn: []string{"pool"}, Objects: []unstructured.Unstructured{object("ConfigMap", "web", map[string]any{"url": "pg://${outputs.host}"})}},
	}}
	c, err := Compile(content)
	if err != nil {
		t.Fatal(err)
	}
	first, err := c.Bind(facts(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"web": {"db"}}, first.Waiting); diff != "" {
		t.Errorf("a component waits for the outputs of what it depends on, however far: -want, +got:\n%s", diff)
	}
	if got := first.Content.Components[1].Objects[0].Object["data"]; !cmp.Equal(got, map[string]any{"a": "eu-1"}) {
		t.Errorf("the others are bound: got %v", got)
	}
	second, err := c.Bind(facts(), Outputs{"db": {"host": "db.shop.svc"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := second.Content.Components[2].Objects[0].Object["data"]; !cmp.Equal(got, map[string]any{"url": "pg://db.shop.svc"}) || len(second.Waiting) != 0 {
		t.Errorf("then it is bound: got %v", got)
	}
	other, err := c.Bind(facts(), Outputs{"db": {"host": "elsewhere"}})
	if err != nil {
		t.Fatal(err)
	}
	if other.Digest == second.Digest {
		t.Error("what is bound to something else has another digest")
	}
}

func TestReadOutputs(t *testing.T) {
	live := object("Service", "db", map[string]any{"n": int64(3)})
	cases := map[string]struct {
		reason, from string
		want         any
		err          string
	}{
		"Text":    {"A text is an output.", "object.metadata.name", "db", ""},
		"Alias":   {"output is another name for object.", "output.data.n", int64(3), ""},
		"All":     {"All objects can be asked.", "objects.exists(o, o.kind == 'Service')", true, ""},
		"Missing": {"What is not there yet is said.", "object.status.ip", nil, `output "o": cannot evaluate "object.status.ip"`},
		"Object":  {"Only simple values are outputs.", "object.data", nil, `output "o": "object.data" gives an object or a list: an output is a text, a number or a boolean`},
		"Invalid": {"What does not compile is found before.", "nope", nil, `output "o": expression "nope" is not valid`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got map[string]any
			p, err := CompileOutputs([]bundle.Output{{Name: "o", ValueFrom: tc.from}})
			if err == nil {
				got, err = p.Read([]*unstructured.Unstructured{&live})
			}
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("%s: want an error with %q, got %v", tc.reason, tc.err, err)
				}
				return
			}
			if diff := cmp.Diff(map[string]any{"o": tc.want}, got); diff != "" || err != nil {
				t.Errorf("%s: %v (-want +got):\n%s", tc.reason, err, diff)
			}
		})
	}
}

func TestBindProcedure(t *testing.T) {
	content := one(nil)
	content.Components[0].Procedure = []bundle.ProcedureStep{
		{Name: "stop", Patches: []bundle.ObjectPatch{{Kind: "ConfigMap", Name: "x", Patch: map[string]any{"data": map[string]any{"stopped": "${cluster.name}"}}}}},
		{Name: "save", Apply: []unstructured.Unstructured{object("ConfigMap", "save", map[string]any{"to": "oss://${cluster.region}"})}},
	}
	c, err := Compile(content)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Bind(facts(), nil)
	if err != nil {
		t.Fatal(err)
	}
	steps := r.Content.Components[0].Procedure
	got := []any{steps[0].Patches[0].Patch["data"], steps[1].Apply[0].Object["data"]}
	if diff := cmp.Diff([]any{map[string]any{"stopped": "eu-1"}, map[string]any{"to": "oss://eu-central"}}, got); diff != "" {
		t.Errorf("upgrade procedures are bound too: -want, +got:\n%s", diff)
	}
}
