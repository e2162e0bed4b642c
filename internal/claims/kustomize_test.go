package claims_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func TestKustomize(t *testing.T) {
	overlay := func(text string) map[string]string {
		return map[string]string{
			"base/kustomization.yaml":      "resources: [app.yaml]\n",
			"base/app.yaml":                app("x"),
			"prod/kustomization.yaml":      text,
			"prod/patch.yaml":              "apiVersion: mainstay.dev/v1alpha1\nkind: ProductApplication\nmetadata: {name: x}\nspec: {version: 2.0.0}\n",
			"prod/more.yaml":               app("more"),
			"prod/bomb.yaml":               "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
			"prod/github.com/a/b/app.yaml": app("w"),
		}
	}
	cases := map[string]struct {
		reason, text string
		want         []string
		err          string
	}{
		"Overlay": {reason: "A build puts claims together from the folders it names.", text: "resources: [../base, more.yaml]\npatches: [{path: patch.yaml}]\nnamePrefix: p-\nnamespace: other\n",
			want: []string{"ProductApplication other/p-more: prod, document 2 of its build", "ProductApplication other/p-x: prod, document 1 of its build"}},
		"Remote":        {reason: "Nothing is fetched.", text: "resources: ['https://example.org/x.yaml']\n", err: `prod/kustomization.yaml: resources[0]: "https://example.org/x.yaml" is not a path inside the repository: copy what it names into it`},
		"RemoteGit":     {reason: "Not by Git either.", text: "resources: ['git@github.com:a/b']\n", err: `prod/kustomization.yaml: resources[0]: "git@github.com:a/b" is not a path inside the repository: copy what it names into it`},
		"LooksLikePath": {reason: "A folder that is named like an address is taken for one by Kustomize.", text: "resources: [github.com/a/b]\n", err: `prod/kustomization.yaml: resources[0]: "github.com/a/b" is not a path inside the repository: copy what it names into it`},
		"RemotePatch":   {reason: "Patches are read from files, too.", text: "resources: [../base]\npatches: [{path: 'http://example.org/p'}]\n", err: `prod/kustomization.yaml: patches[0].path: "http://example.org/p" is not a path inside the repository: copy what it names into it`},
		"Case":          {reason: "A field that is written otherwise does not slip through.", text: "resources: [../base]\npatches: [{Path: 'http://example.org/p'}]\n", err: "prod/kustomization.yaml: patches[0].Path is not understood"},
		"Escape":        {reason: "No path leads out.", text: "resources: [../../etc]\n", err: `prod/kustomization.yaml: resources[0]: "../../etc" leads out of the repository`},
		"Missing":       {reason: "What is not there is named.", text: "resources: [nope.yaml]\n", err: `prod/kustomization.yaml: resources[0]: "nope.yaml" is not in the repository`},
		"Plugin":        {reason: "No process is started.", text: "generators: [more.yaml]\n", err: "prod/kustomization.yaml: generators is not built here: write out what it makes"},
		"Helm":          {reason: "Nor for charts.", text: "helmCharts: [{name: x}]\n", err: "prod/kustomization.yaml: helmCharts is not built here: write out what it makes"},
		"HelmCase":      {reason: "Not in capitals either.", text: "HelmCharts: [{name: x}]\n", err: "prod/kustomization.yaml: HelmCharts is not built here: write out what it makes"},
		"Secrets":       {reason: "A build makes claims only.", text: "secretGenerator: [{name: x}]\n", err: "prod/kustomization.yaml: secretGenerator is not built here: write out what it makes"},
		"Bomb":          {reason: "Aliases are counted before Kustomize unfolds them.", text: "resources: [bomb.yaml]\n", err: "prod/bomb.yaml, line 1: cannot parse YAML: aliases unfold to more than a claim may have: write out less"},
		"Broken":        {reason: "A line is named.", text: "resources: [more.yaml\nnamespace: x\n", err: "prod/kustomization.yaml, document 1, line 1: cannot parse YAML: did not find expected ',' or ']'"},
		"Cycle":         {reason: "A folder that names itself is refused.", text: "resources: [../prod]\n", err: "prod: cannot build it with Kustomize: accumulating resources"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			rules := rules
			rules.Paths = v1alpha1.ClaimPaths{Kustomize: []string{"prod/", "gone", "env-*"}, Exclude: []string{"base/**"}}
			got, err := read(t, newRepo(overlay(tc.text)), rules)
			if msg := text(err); msg != tc.err && (tc.err == "" || !strings.HasPrefix(msg, tc.err)) {
				t.Errorf("\n%s\nRead(...): error: -want, +got:\n%s", tc.reason, cmp.Diff(tc.err, msg))
			}
			if diff := cmp.Diff(tc.want, where(got)); tc.err == "" && diff != "" {
				t.Errorf("\n%s\nRead(...): -want, +got:\n%s", tc.reason, diff)
			}
			if tc.want != nil {
				for ref, c := range got {
					if ref.Name == "p-x" && c.Object["spec"].(map[string]any)["version"] != "2.0.0" {
						t.Errorf("the patch is missing: %v", c.Object)
					}
				}
			}
		})
	}
}
