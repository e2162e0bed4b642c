package oam

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// shop is what the policies of these tests are about.
const shop = `
components:
- {name: db, type: statefulservice, properties: {image: "db:1"}}
- {name: api, type: worker, dependsOn: [db], properties: {image: "api:1", cpu: 100m, limit: {cpu: "1"}, env: [{name: A, value: a}]}}
- {name: web, type: webservice, dependsOn: [api], properties: {image: "web:1", ports: [{port: 80, expose: true}]}}
policies:
`

func TestPolicyProblems(t *testing.T) {
	cases := map[string]struct {
		reason   string
		policies string
		want     []string
	}{
		"TopologyProperties": {
			reason:   "A topology's properties are checked like a component's.",
			policies: `[{name: p, type: topology, properties: {cluster: [a], allowEmpty: "yes", clusterSelector: {a: b}}}]`,
			want: []string{
				`spec.policies[0].properties.allowEmpty: must be true or false, got string "yes"`,
				`spec.policies[0].properties.cluster: is not a known property: did you mean "clusters"?`,
				`spec.policies[0].properties.clusterSelector: is deprecated and not supported: rename it to clusterLabelSelector`,
			},
		},
		"TopologyValues": {
			reason:   "Names are names and labels are labels.",
			policies: `[{name: p, type: topology, properties: {clusters: [a, f.a, a, "a.b.c", "*"], clusterLabelSelector: {"a b": x, region: "not ok"}, namespace: A}}]`,
			want: []string{
				`spec.policies[0].properties.clusters[2]: lists cluster "a" twice`,
				`spec.policies[0].properties.clusters[3]: must be the name of a cluster, <cluster> or <fleet>.<cluster>, got string "a.b.c"`,
				`spec.policies[0].properties.clusters[4]: must be the name of a cluster, <cluster> or <fleet>.<cluster>, got string "*"`,
				`spec.policies[0].properties.clusterLabelSelector["a b"]: is not a valid label key`,
				`spec.policies[0].properties.clusterLabelSelector.region: must be the value of a label, got string "not ok"`,
				`spec.policies[0].properties.namespace: must be a DNS label, got string "A"`,
			},
		},
		"TopologyEmptyClusters": {
			reason:   "An empty list must not mean every cluster.",
			policies: `[{name: p, type: topology, properties: {clusters: []}}]`,
			want:     []string{`spec.policies[0].properties.clusters: must not be empty: leave it out if there is nothing to list`},
		},
		"OverrideUnknownComponent": {
			reason:   "An override of nothing is named, with what was probably meant.",
			policies: `[{name: p, type: override, properties: {components: [{name: wbe, properties: {image: x}}, {name: "x*"}, {type: task}, {name: new, type: job}]}}]`,
			want: []string{
				`spec.policies[0].properties.components[3].type: component type "job" is not known: there are cron-task, k8s-objects, statefulservice, task, webservice and worker`,
				`spec.policies[0].properties.components[0].name: "wbe" is no component of this application, and without a type it cannot be added: did you mean "web"?`,
				`spec.policies[0].properties.components[1].name: "x*" matches no component of this application`,
				`spec.policies[0].properties.components[2].type: no component of this application is of type "task"`,
			},
		},
		"OverrideProperties": {
			reason:   "What does not fit the component is named where the override has it.",
			policies: `[{name: p, type: override, properties: {components: [{name: web, properties: {ports: [{port: x}], imag: y}}, {properties: {limit: {cpu: 10m}}}]}}]`,
			want: []string{
				`spec.policies[0].properties.components[1].properties.limit.cpu: must not be less than cpu, which is "100m" (override "p", component "api")`,
				`spec.policies[0].properties.components[0].properties.imag: is not a known property: did you mean "image"? (override "p", component "web")`,
				`spec.policies[0].properties.components[0].properties.ports[0].port: must be an integer, got string "x" (override "p", component "web")`,
			},
		},
		"OverrideScoped": {
			reason: "What is wrong is found before any cluster needs it, alone and together with others.",
			policies: `
- {name: eu, type: override, properties: {clusterLabelSelector: {region: eu}, components: [{name: web, properties: {port: x}}]}}
- {name: big, type: override, properties: {clusters: [a], components: [{name: api, properties: {cpu: "2", limit: null}}]}}
- {name: less, type: override, properties: {clusters: [b], components: [{name: api, properties: {limit: {cpu: "1"}}}]}}`,
			want: []string{
				`spec.policies[0].properties.components[0].properties.port: must be an integer, got string "x" (override "eu", component "web")`,
				`spec.policies[2].properties.components[0].properties.limit.cpu: must not be less than cpu, which is "2" (override "less", component "api")`,
			},
		},
		"OverrideRemovesRequired": {
			reason:   "What an override takes away is missing where the component is written.",
			policies: `[{name: p, type: override, properties: {clusters: [a], components: [{name: api, properties: {image: null}}]}}]`,
			want:     []string{`spec.policies[0].properties.components[0].properties.image: is required (override "p", component "api")`},
		},
		"OverrideBreaksBase": {
			reason: "Where only the combination is wrong, the message says with which override.",
			policies: `[{name: p, type: override, properties: {clusters: [a], components: [{name: api, properties: {memory: 2Gi}}, {name: extra, type: worker, properties: {image: a}}, {name: extra, properties: {volumes: []}}]}},
			 {name: q, type: override, properties: {clusters: [b], components: [{name: db, type: task, properties: {}}, {name: B, type: task, properties: {image: a}}]}}]`,
			want: []string{
				`spec.policies[1].properties.components[1].name: component name "B" must be a DNS label that begins with a letter: lower-case letters, digits and '-'`,
				`spec.policies[1].properties.components[0].properties.image: is required (override "q", component "db")`,
			},
		},
		"Selector": {
			reason:   "A selector names components that there are.",
			policies: `[{name: p, type: override, properties: {selector: [wbe]}}, {name: q, type: override, properties: {selector: []}}]`,
			want: []string{
				`spec.policies[1].properties.selector: must not be empty: leave it out if there is nothing to list`,
				`spec.policies[0].properties.selector[0]: "wbe" is no component of this application: did you mean "web"?`,
			},
		},
		"Clash": {
			reason:   "What an override adds can clash with what is there.",
			policies: `[{name: p, type: override, properties: {clusters: [a], components: [{name: more, type: k8s-objects, properties: {objects: [{apiVersion: apps/v1beta1, kind: Deployment, metadata: {name: api}}]}}]}}]`,
			want:     []string{`spec.policies[0].properties.components[0]: components "api" and "more" both have Deployment "api": rename one`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := problemsOf(t, "app", spec(t, shop+" "+strings.ReplaceAll(tc.policies, "\t", "  ")))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nCompile(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestPlacement(t *testing.T) {
	a, err := Compile("app", spec(t, shop+`
- {name: t, type: topology, properties: {clusters: [f.a], clusterLabelSelector: {region: eu}, namespace: ns, allowEmpty: true}}
- {name: o, type: override, properties: {clusters: [b], components: [{properties: {imagePullPolicy: Always}}]}}
- {name: everywhere, type: topology}
- {name: all, type: override}
`))
	if err != nil {
		t.Fatalf("Compile(...): %v", err)
	}
	want := mv1alpha1.Placement{
		Topologies: []mv1alpha1.Topology{
			{Name: "t", Clusters: []string{"f.a"}, ClusterLabelSelector: map[string]string{"region": "eu"}, Namespace: "ns", AllowEmpty: true},
			{Name: "everywhere"},
		},
		Overrides: []mv1alpha1.OverrideScope{{Name: "o", Clusters: []string{"b"}}, {Name: "all"}},
	}
	if diff := cmp.Diff(want, a.Placement()); diff != "" {
		t.Errorf("Placement(): -want, +got:\n%s", diff)
	}
}

func TestVariants(t *testing.T) {
	const policies = `
- {name: eu, type: override, properties: {clusterLabelSelector: {region: eu}}}
- {name: all, type: override}
- {name: big, type: override, properties: {clusters: [a]}}
`
	cases := map[string]struct {
		reason string
		needs  []mv1alpha1.VariantNeed
		want   [][]string
	}{
		"None": {
			reason: "Without a word from the clusters, what applies everywhere is wanted.",
			want:   [][]string{{"all"}},
		},
		"Needed": {
			reason: "What clusters need is wanted, in the order of the policies.",
			needs:  []mv1alpha1.VariantNeed{{Overrides: []string{"big", "all", "eu"}}, {Overrides: []string{"all", "big"}}, {Overrides: []string{"all"}}},
			want:   [][]string{{"all"}, {"all", "big"}, {"eu", "all", "big"}},
		},
		"Stale": {
			reason: "What was needed for an earlier specification counts as far as it makes sense.",
			needs:  []mv1alpha1.VariantNeed{{Overrides: []string{"gone"}}, {Overrides: []string{"eu", "gone"}}, {Overrides: []string{"eu"}}},
			want:   [][]string{{"all"}, {"eu", "all"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a, err := Compile("app", spec(t, shop+policies))
			if err != nil {
				t.Fatalf("Compile(...): %v", err)
			}
			if diff := cmp.Diff(tc.want, a.Variants(tc.needs)); diff != "" {
				t.Errorf("\n%s\nVariants(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// A summary of a component, for comparing.
type summary struct {
	Name, Type, Image string
	DependsOn         []string
	Objects           []string
}

func TestOverrides(t *testing.T) {
	cases := map[string]struct {
		reason    string
		policies  string
		overrides []string
		want      []summary
	}{
		"None": {
			reason: "Without overrides the application is as it is written.",
			want: []summary{
				{Name: "db", Type: "statefulservice", Image: "db:1", Objects: []string{"Service/db-headless", "StatefulSet/db"}},
				{Name: "api", Type: "worker", Image: "api:1", DependsOn: []string{"db"}, Objects: []string{"Deployment/api"}},
				{Name: "web", Type: "webservice", Image: "web:1", DependsOn: []string{"api"}, Objects: []string{"Deployment/web", "Service/web"}},
			},
		},
		"Patterns": {
			reason: "A pattern matches whole names; patches are applied one after another.",
			policies: `[{name: p, type: override, properties: {components: [
				{properties: {image: "all:2"}}, {type: worker, properties: {image: "worker:2"}}, {name: "w*b", properties: {image: "wildcard:2"}}, {name: "*b", properties: {imagePullPolicy: Never}}]}}]`,
			overrides: []string{"p"},
			want: []summary{
				{Name: "db", Type: "statefulservice", Image: "all:2", Objects: []string{"Service/db-headless", "StatefulSet/db"}},
				{Name: "api", Type: "worker", Image: "worker:2", DependsOn: []string{"db"}, Objects: []string{"Deployment/api"}},
				{Name: "web", Type: "webservice", Image: "wildcard:2", DependsOn: []string{"api"}, Objects: []string{"Deployment/web", "Service/web"}},
			},
		},
		"ReplaceAndAdd": {
			reason:    "Another type takes the place of a component; a new name with a type is a new component.",
			policies:  `[{name: p, type: override, properties: {clusters: [a], components: [{name: web, type: worker, properties: {image: "worker:2"}}, {name: new, type: worker, properties: {image: "new:1"}}]}}]`,
			overrides: []string{"p"},
			want: []summary{
				{Name: "db", Type: "statefulservice", Image: "db:1", Objects: []string{"Service/db-headless", "StatefulSet/db"}},
				{Name: "api", Type: "worker", Image: "api:1", DependsOn: []string{"db"}, Objects: []string{"Deployment/api"}},
				{Name: "web", Type: "worker", Image: "worker:2", DependsOn: []string{"api"}, Objects: []string{"Deployment/web"}},
				{Name: "new", Type: "worker", Image: "new:1", Objects: []string{"Deployment/new"}},
			},
		},
		"Selector": {
			reason:    "What depends on a component that is left out waits for what that one waits for.",
			policies:  `[{name: p, type: override, properties: {clusters: [a], selector: [web, db]}}]`,
			overrides: []string{"p"},
			want: []summary{
				{Name: "db", Type: "statefulservice", Image: "db:1", Objects: []string{"Service/db-headless", "StatefulSet/db"}},
				{Name: "web", Type: "webservice", Image: "web:1", DependsOn: []string{"db"}, Objects: []string{"Deployment/web", "Service/web"}},
			},
		},
		"Order": {
			reason:    "The last override wins.",
			policies:  `[{name: p, type: override, properties: {clusters: [a], selector: [api], components: [{name: api, properties: {image: "p:1"}}]}}, {name: q, type: override, properties: {clusters: [b], components: [{name: api, properties: {image: "q:1"}}]}}]`,
			overrides: []string{"p", "q"},
			want:      []summary{{Name: "api", Type: "worker", Image: "q:1", Objects: []string{"Deployment/api"}}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a, err := Compile("app", spec(t, shop+" "+strings.ReplaceAll(tc.policies, "\t", "  ")))
			if err != nil {
				t.Fatalf("Compile(...): %v", err)
			}
			b, err := a.Bundle(tc.overrides)
			if err != nil {
				t.Fatalf("Bundle(...): %v", err)
			}
			if diff := cmp.Diff(tc.want, summarize(t, b), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("\n%s\nBundle(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func summarize(t *testing.T, b *mv1alpha1.Bundle) []summary {
	t.Helper()
	c, err := bundle.Open(b, nil)
	if err != nil {
		t.Fatalf("Open(...): %v", err)
	}
	out := []summary{}
	for i, comp := range c.Components {
		s := summary{Name: comp.Name, Type: comp.Type, DependsOn: comp.DependsOn, Objects: b.Spec.Components[i].Objects}
		for _, o := range comp.Objects {
			containers, _ := lookup(o.Object, path{"spec", "template", "spec", "containers", 0, "image"})
			if image, ok := containers.(string); ok {
				s.Image = image
			}
		}
		out = append(out, s)
	}
	return out
}

func TestBundleOfUntriedCombination(t *testing.T) {
	const policies = `
- {name: one, type: override, properties: {clusters: [a], components: [{name: api, properties: {cpu: "2", limit: {cpu: "4"}}}]}}
- {name: two, type: override, properties: {clusters: [b], components: [{name: api, properties: {limit: {cpu: "1"}}}]}}
- {name: three, type: override, properties: {clusters: [c], components: [{name: api, properties: {limit: {cpu: "3"}}}]}}
`
	a, err := Compile("app", spec(t, shop+policies))
	if err != nil {
		t.Fatalf("Compile(...): %v", err)
	}
	_, err = a.Bundle([]string{"one", "two"})
	want := `spec.policies[1].properties.components[0].properties.limit.cpu: must not be less than cpu, which is "2" (override "two", component "api")`
	if err == nil {
		t.Fatal("Bundle(...): want an error: these two overrides do not fit together")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("Bundle(...): -want, +got:\n%s", diff)
	}
}

func TestMergeProperties(t *testing.T) {
	cases := map[string]struct {
		reason            string
		base, patch, want map[string]any
	}{
		"Objects": {
			reason: "Objects are merged key by key.",
			base:   map[string]any{"a": map[string]any{"x": int64(1), "y": int64(2)}},
			patch:  map[string]any{"a": map[string]any{"y": int64(3)}, "b": "c"},
			want:   map[string]any{"a": map[string]any{"x": int64(1), "y": int64(3)}, "b": "c"},
		},
		"Lists": {
			reason: "Lists are replaced, also by empty ones.",
			base:   map[string]any{"a": []any{"x", "y"}, "b": []any{"x"}},
			patch:  map[string]any{"a": []any{"z"}, "b": []any{}},
			want:   map[string]any{"a": []any{"z"}, "b": []any{}},
		},
		"Zero": {
			reason: "What is false or empty overrides what is not.",
			base:   map[string]any{"a": true, "b": "x"},
			patch:  map[string]any{"a": false, "b": ""},
			want:   map[string]any{"a": false, "b": ""},
		},
		"Null": {
			reason: "A null removes.",
			base:   map[string]any{"a": map[string]any{"x": "y"}, "b": "c"},
			patch:  map[string]any{"a": map[string]any{"x": nil}, "b": nil},
			want:   map[string]any{"a": map[string]any{}},
		},
		"Nothing": {
			reason: "Nothing merged is an object.",
			want:   map[string]any{},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, mergeProperties(tc.base, tc.patch)); diff != "" {
				t.Errorf("\n%s\nmergeProperties(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestPatchMatches(t *testing.T) {
	cases := map[string]struct {
		patch patch
		name  string
		want  bool
	}{
		"Exact":       {patch{Name: "web"}, "web", true},
		"NotAPart":    {patch{Name: "web"}, "web-api", false},
		"Prefix":      {patch{Name: "web*"}, "web-api", true},
		"PrefixNot":   {patch{Name: "web*"}, "my-web", false},
		"Suffix":      {patch{Name: "*api"}, "web-api", true},
		"Middle":      {patch{Name: "w*-*i"}, "web-api", true},
		"MiddleNot":   {patch{Name: "w*x*i"}, "web-api", false},
		"NoOverlap":   {patch{Name: "aba*aba"}, "ababa", false},
		"Any":         {patch{Name: "*"}, "x", true},
		"OtherTypeOK": {patch{Name: "web", Type: "task"}, "web", true},
		"AllOfType":   {patch{Type: "worker"}, "web", true},
		"AllOfOther":  {patch{Type: "task"}, "web", false},
		"All":         {patch{}, "web", true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.patch.matches(&component{name: tc.name, kind: "worker"}); got != tc.want {
				t.Errorf("matches(%q): want %t, got %t", tc.name, tc.want, got)
			}
		})
	}
}
