package definition

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

func componentSpec(t *testing.T, text string) *v1alpha1.ComponentDefinitionSpec {
	t.Helper()
	s := &v1alpha1.ComponentDefinitionSpec{}
	if err := yaml.UnmarshalStrict([]byte(text), s); err != nil {
		t.Fatal(err)
	}
	return s
}

// configMap is a definition with one object that has a text, and parameters.
func configMap(parameters, text string) string {
	return `
version: 1.0.0
parameters: ` + parameters + `
objects:
  - object:
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: "${context.name}"}
      data: {text: ` + text + `}
`
}

func TestCompileComponentRefuses(t *testing.T) {
	lists := `{type: object, properties: {a: {type: array, items: {type: string}}}}`
	cases := map[string]struct {
		reason, name, spec, want string
	}{
		"Typo":           {reason: "A parameter that there is not is found when it is published.", spec: configMap(`{type: object, properties: {replicas: {type: integer}}}`, `"${parameter.replcias}"`), want: "spec.objects[0].object.data.text: "},
		"Type":           {reason: "Types are checked.", spec: configMap(`{type: object, properties: {replicas: {type: integer, default: 1}}}`, `'${parameter.replicas + "x"}'`), want: "no matching overload"},
		"Syntax":         {reason: "What is no expression is refused.", spec: configMap(`{type: object}`, `"${1 +}"`), want: "is not valid"},
		"Unended":        {reason: "What has no end is refused.", spec: configMap(`{type: object}`, `"${context.name"`), want: "without }"},
		"Variable":       {reason: "There is no cluster when a definition is rendered.", spec: configMap(`{type: object}`, `"${cluster.region}"`), want: "undeclared reference to 'cluster'"},
		"Cost":           {reason: "Loops in loops in loops could explode, and are refused before they do.", spec: configMap(lists, `"${parameter.a.map(x, parameter.a.map(y, parameter.a.map(z, x + y + z))).size()}"`), want: "may cost up to"},
		"ForEach":        {reason: "A loop goes through a list.", spec: strings.Replace(configMap(`{type: object}`, "a"), "- object", "- forEach: context.name\n    object", 1), want: "spec.objects[0].forEach"},
		"When":           {reason: "A condition is true or false.", spec: strings.Replace(configMap(`{type: object}`, "a"), "- object", "- when: context.name\n    object", 1), want: "must give bool"},
		"Many":           {reason: "There is an end to how many objects there are.", spec: strings.Replace(configMap(`{type: object}`, "a"), "- object", "- forEach: lists.range(1000)\n    object", 1), want: "more than 200 objects"},
		"Large":          {reason: "There is an end to how large they are.", spec: strings.Replace(configMap(`{type: object}`, `'${lists.range(5000).map(i, "0123456789").join("")}'`), "- object", "- forEach: lists.range(100)\n    object", 1), want: "more than 1048576 bytes"},
		"Missing":        {reason: "What may not be there is asked for, and that is found by rendering.", spec: configMap(`{type: object, properties: {a: {type: string}}}`, `"${parameter.a}"`), want: "no such key: a"},
		"Example":        {reason: "An example that violates the schema is none.", spec: configMap(`{type: object, required: [a], properties: {a: {type: string}}}`, `"${parameter.a}"`) + "examples: [{name: x, properties: {b: 1}}]", want: "spec.examples[0].properties: "},
		"Schema":         {reason: "The schema must be one.", spec: configMap(`{type: object, properties: {a: {type: strin}}}`, "a"), want: "spec.parameters.properties.a.type: "},
		"Pattern":        {reason: "So must its patterns.", spec: configMap(`{type: object, properties: {a: {type: string, pattern: "["}}}`, "a"), want: "spec.parameters.properties.a.pattern: "},
		"Keyword":        {reason: "What a schema cannot say is not ignored.", spec: configMap(`{type: object, minimun: 1}`, "a"), want: "minimun"},
		"Unnameable":     {reason: "A parameter must be something that an expression can name.", spec: configMap(`{type: object, properties: {my-key: {type: string}}}`, "a"), want: "cannot be named"},
		"Rules":          {reason: "Rules that nothing enforces are refused.", spec: configMap(`{type: object, x-kubernetes-validations: [{rule: "true"}]}`, "a"), want: "not supported"},
		"NotAnObject":    {reason: "Parameters have names.", spec: configMap(`{type: string}`, "a"), want: "must be of type object"},
		"BuiltIn":        {reason: "A built-in type stays what it is.", name: "webservice", spec: configMap(`{type: object}`, "a"), want: "built-in component type"},
		"Version":        {reason: "A version is semantic.", spec: strings.Replace(configMap(`{type: object}`, "a"), "1.0.0", "one", 1), want: "spec.version"},
		"Metadata":       {reason: "Versions that only build metadata tells apart are the same.", spec: strings.Replace(configMap(`{type: object}`, "a"), "1.0.0", "1.0.0+x", 1), want: "build metadata"},
		"Nothing":        {reason: "A definition renders something.", spec: "version: 1.0.0", want: "neither objects nor a chart"},
		"Kind":           {reason: "What an object is is not computed.", spec: "version: 1.0.0\nobjects: [{object: {apiVersion: v1, kind: \"${context.name}\", metadata: {name: a}}}]", want: "spec.objects[0].object.kind"},
		"ClusterWide":    {reason: "A tenant may make nothing of the whole cluster.", spec: "version: 1.0.0\nobjects: [{object: {apiVersion: v1, kind: Namespace, metadata: {name: a}}}]", want: "belongs to the whole cluster"},
		"Late":           {reason: "Late expressions must compile too.", spec: configMap(`{type: object}`, `"$${cluster.region +}"`), want: "renders what cannot be applied"},
		"Health":         {reason: "A health rule is checked as the Release will run it.", spec: configMap(`{type: object}`, "a") + "health: {healthy: object.status.ready + 1 == parameter.x}", want: "spec.health.healthy"},
		"HealthType":     {reason: "Its message is a text.", spec: configMap(`{type: object}`, "a") + "health: {healthy: \"true\", message: \"1\"}", want: "spec.health.message"},
		"Range":          {reason: "A need holds for a range of versions.", spec: configMap(`{type: object}`, "a") + "contract: {env: [{name: A, versions: new}]}", want: "spec.contract.env[0].versions"},
		"ContractTypo":   {reason: "A contract is a template too.", spec: configMap(`{type: object}`, "a") + `contract: {config: [{kind: ConfigMap, name: "${parameter.x}"}]}`, want: "spec.contract.config[0].name"},
		"ContractNumber": {reason: "The product's version must be one.", spec: configMap(`{type: object}`, "a") + `contract: {version: "${context.name}"}`, want: "spec.contract.version"},
		"StepUntil":      {reason: "Steps are checked as the Release will run them.", spec: configMap(`{type: object}`, "a") + "procedure: [{name: a, until: nothing.there}]", want: "spec.procedure[0].until"},
		"StepTwice":      {reason: "A step is found again by its name.", spec: configMap(`{type: object}`, "a") + "procedure: [{name: a, until: \"true\"}, {name: a, until: \"true\"}]", want: "is there twice"},
		"StepNothing":    {reason: "A step does something.", spec: configMap(`{type: object}`, "a") + "procedure: [{name: a}]", want: "does nothing"},
		"StepPatch":      {reason: "Patches are templates.", spec: configMap(`{type: object}`, "a") + `procedure: [{name: a, patches: [{kind: ConfigMap, name: a, patch: {data: {b: "${parameter.c}"}}}]}]`, want: "spec.procedure[0].patches[0].patch.data.b"},
		"Workload":       {reason: "The workload is one of the objects.", spec: configMap(`{type: object}`, "a") + "workload: {kind: Deployment}", want: "there is no Deployment"},
		"Template":       {reason: "It has a pod template.", spec: configMap(`{type: object}`, "a") + "workload: {kind: ConfigMap}", want: "has no spec.template"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.name == "" {
				tc.name = "thing"
			}
			_, err := CompileComponent(tc.name, componentSpec(t, tc.spec))
			if err == nil {
				t.Fatalf("%s: it was published", tc.reason)
			}
			if got := problemsOf(t, err); !strings.Contains(got, tc.want) {
				t.Errorf("%s\nwant %q in:\n%s", tc.reason, tc.want, got)
			}
		})
	}
}

func TestCompileChartRefuses(t *testing.T) {
	file := func(template string, more ...string) map[string]string {
		f := map[string]string{"Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.1.0\n", "templates/a.yaml": template}
		for i := 0; i < len(more); i += 2 {
			f[more[i]] = more[i+1]
		}
		return f
	}
	object := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: %}\n"
	cases := map[string]struct {
		reason string
		files  map[string]string
		want   string
	}{
		"Syntax":     {"A template that is none is refused.", file("{{ if }}"), "cannot be parsed"},
		"Function":   {"So is one that calls what there is not.", file("{{ nope 1 }}"), "does not render"},
		"Required":   {"So is one that asks for a value that nobody gives.", file(strings.Replace(object, "%", `{{ required "give a" .Values.a }}`, 1)), "give a"},
		"YAML":       {"What it renders must be YAML.", file("a: b: c"), "is no YAML"},
		"Scalar":     {"It must be objects.", file("just text"), "must be an object"},
		"Random":     {"A password that is made up would be another revision each time.", file(strings.Replace(object, "%", "{{ randAlphaNum 10 }}", 1)), "another result each time"},
		"Clock":      {"So would the time.", file(strings.Replace(object, "%", `{{ now | date "2006" | quote }}`, 1)), "calls now"},
		"ClockInIf":  {"Even where it is only sometimes asked.", file(`{{ if .Values.a }}{{ range .Values.b }}{{ with . }}{{ ago (now) }}{{ end }}{{ end }}{{ else }}{{ template "x" . }}{{ end }}` + `{{ define "x" }}{{ end }}`), "calls now"},
		"Recursion":  {"A template that calls itself might not end.", file(`{{ define "a" }}{{ template "b" . }}{{ end }}{{ define "b" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`), "calls itself"},
		"Forever":    {"A number is not ranged over: it may be any.", file("{{ range 1000000000 }}{{ end }}"), "ranges over a number"},
		"Much":       {"There is an end to what it renders.", file(strings.Replace(object, "%", `{{ repeat 2000000 "x" }}`, 1)), "more than 1048576 bytes"},
		"Hook":       {"Nothing runs hooks.", file("apiVersion: batch/v1\nkind: Job\nmetadata: {name: a, annotations: {helm.sh/hook: pre-install}}"), "Helm hook"},
		"Cluster":    {"A tenant may make nothing of the whole cluster.", file("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}"), "belongs to the whole cluster"},
		"Library":    {"A library renders nothing.", file("", "Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\ntype: library\n"), "is a library"},
		"Kubernetes": {"It must fit the version of Kubernetes.", file(strings.Replace(object, "%", "b", 1), "Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\nkubeVersion: '>=1.99.0'\n"), "asks for Kubernetes"},
		"Dependency": {"It must be whole.", file(strings.Replace(object, "%", "b", 1), "Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\ndependencies: [{name: other, version: 1.0.0, repository: 'https://example.org'}]\n"), `depends on "other"`},
		"Schema":     {"Values must fit its schema.", file(strings.Replace(object, "%", "b", 1), "values.schema.json", `{"type": "object", "required": ["a"]}`), "values do not fit"},
		"Remote":     {"A schema fetches nothing.", file(strings.Replace(object, "%", "b", 1), "values.schema.json", `{"$ref": "https://example.org/schema.json"}`), "refers to another document"},
		"Nothing":    {"It renders something.", file("{{/* nothing */}}"), "no object at all"},
		"NoChart":    {"It is a chart.", map[string]string{"templates/a.yaml": "a"}, "cannot be loaded"},
		"Outside":    {"Its files are within it.", file("", "../b", "c"), "within the chart"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := CompileComponent("thing", &v1alpha1.ComponentDefinitionSpec{Version: "1.0.0", Chart: &v1alpha1.Chart{Files: tc.files}})
			if err == nil {
				t.Fatalf("%s: it was published", tc.reason)
			}
			if got := problemsOf(t, err); !strings.Contains(got, tc.want) {
				t.Errorf("%s\nwant %q in:\n%s", tc.reason, tc.want, got)
			}
		})
	}
}

// archive packages files as Helm does.
func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	buf := &bytes.Buffer{}
	z := gzip.NewWriter(buf)
	w := tar.NewWriter(z)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: "c/" + name, Mode: 0o600, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestArchive(t *testing.T) {
	good := archive(t, map[string]string{
		"Chart.yaml":       "apiVersion: v2\nname: c\nversion: 0.1.0\n",
		"templates/a.yaml": "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}]",
	})
	sum := sha256.Sum256(good)
	pin := hex.EncodeToString(sum[:])
	bomb := archive(t, map[string]string{"Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.1.0\n", "files/zeros": strings.Repeat("0", MaxChartBytes+1)})
	bombSum := sha256.Sum256(bomb)
	cases := map[string]struct {
		reason string
		chart  v1alpha1.Chart
		want   string
	}{
		"Good":  {"What is pinned and is what it says is rendered.", v1alpha1.Chart{Archive: good, SHA256: pin}, ""},
		"Other": {"Another archive is not.", v1alpha1.Chart{Archive: append(bytes.Clone(good), 0), SHA256: pin}, "but the archive's is"},
		"Bomb":  {"Nor is one that unpacks to more than it should.", v1alpha1.Chart{Archive: bomb, SHA256: hex.EncodeToString(bombSum[:])}, "larger than"},
		"OCI":   {"A reference alone is no chart: whoever publishes fetches it.", v1alpha1.Chart{OCI: "registry.example.org/charts/c@sha256:" + pin}, "no archive"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := CompileComponent("thing", &v1alpha1.ComponentDefinitionSpec{Version: "1.0.0", Chart: &tc.chart})
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%s: want %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
}

// A chart that counts to a parameter would take all memory that there is.
func TestChartsCountToLittle(t *testing.T) {
	d := readComponent(t, "testdata/chart.yaml")
	spec := strings.Replace(string(d.Spec.Parameters.Raw), `"maximum":100,`, "", 1)
	d.Spec.Parameters.Raw = []byte(spec)
	c, err := CompileComponent(d.Name, &d.Spec)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := render(t, c.Type(), `{image: a, replicas: 2000000000}`); err == nil || !strings.Contains(err.Error(), "replicas: must be less than or equal to 10000") {
		t.Errorf("A number that is counted to has a maximum: got %v", err)
	}
}
