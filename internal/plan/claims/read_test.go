package claims

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const fleet = `apiVersion: mainstay.dev/v1alpha1
kind: ClusterFleet
metadata: {name: edge, namespace: platform}
spec:
  providerConfigRef: {kind: ClusterProviderConfig, name: local}
  clusters: [{name: a}]
`

const application = `apiVersion: mainstay.dev/v1alpha1
kind: ProductApplication
metadata: {name: shop, namespace: team}
spec:
  components: [{name: web, type: webservice, properties: {image: "web:1"}}]
`

func TestRead(t *testing.T) {
	cases := map[string]struct {
		reason  string
		files   map[string]string
		options Options
		want    []string
		refused []string
	}{
		"Stream": {
			reason: "A file has many documents, and some have nothing in them.",
			files:  map[string]string{"all.yaml": "---\n# nothing\n---\n" + fleet + "---\n" + application + "---\n"},
			want:   []string{"ClusterFleet platform/edge", "ProductApplication team/shop"},
		},
		"Namespace": {
			reason:  "A claim that names no namespace is in the one that is meant.",
			files:   map[string]string{"a.yaml": strings.Replace(application, ", namespace: team", "", 1)},
			options: Options{Namespace: "mine"},
			want:    []string{"ProductApplication mine/shop"},
		},
		"NoNamespace": {
			reason:  "Without one, nobody knows where it is.",
			files:   map[string]string{"a.yaml": strings.Replace(application, ", namespace: team", "", 1)},
			refused: []string{"a.yaml: ProductApplication/shop: metadata.namespace: a claim is in a namespace"},
		},
		"NotYAML": {
			reason:  "What does not parse is said with its document.",
			files:   map[string]string{"a.yaml": application + "---\nkind: [\n"},
			refused: []string{"a.yaml: cannot read document 2"},
		},
		"NotAnObject": {
			reason:  "A text is no claim.",
			files:   map[string]string{"a.yaml": "just words\n"},
			refused: []string{"a.yaml: cannot read document 1: it is not an object"},
		},
		"KeyTwice": {
			reason:  "Of two values for one key, nobody knows which is meant.",
			files:   map[string]string{"a.yaml": application + "metadata: {name: other}\n"},
			refused: []string{`key "metadata" already set`},
		},
		"UnknownKind": {
			reason:  "A kind that Mainstay does not have is likely a misspelling.",
			files:   map[string]string{"a.yaml": strings.Replace(application, "ProductApplication", "ProductApplicaton", 1)},
			refused: []string{"has no kind ProductApplicaton: claims are of ClusterFleet and ProductApplication"},
		},
		"UnknownVersion": {
			reason:  "So is another version.",
			files:   map[string]string{"a.yaml": strings.Replace(application, "v1alpha1", "v9", 1)},
			refused: []string{"mainstay.dev/v9 has no kind ProductApplication"},
		},
		"ForeignGroup": {
			reason:  "Other objects are not applied by a change, so they must not look as if they were.",
			files:   map[string]string{"a.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n"},
			refused: []string{"a.yaml: Namespace/x: v1 is not an API of Mainstay"},
		},
		"Lenient": {
			reason:  "Where it is asked for, they are left out.",
			files:   map[string]string{"a.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n---\n" + application},
			options: Options{Lenient: true},
			want:    []string{"ProductApplication team/shop"},
		},
		"Twice": {
			reason:  "Two files with the same claim: the one that is applied last would win.",
			files:   map[string]string{"a.yaml": application, "b/c.yaml": application},
			refused: []string{"b/c.yaml: ProductApplication team/shop is in a.yaml as well: a claim is written once"},
		},
		"UnknownField": {
			reason:  "The API server would drop it, and nobody would notice.",
			files:   map[string]string{"a.yaml": application + "  component: []\n"},
			refused: []string{"a.yaml: ProductApplication/shop: spec.component: there is no such field"},
		},
		"WrongType": {
			reason:  "Types are looked at.",
			files:   map[string]string{"a.yaml": strings.Replace(fleet, "[{name: a}]", "7", 1)},
			refused: []string{"spec.clusters"},
		},
		"AllAtOnce": {
			reason:  "Everything that is wrong is said in one go.",
			files:   map[string]string{"a.yaml": "kind: [", "b.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n"},
			refused: []string{"a.yaml: ", "b.yaml: "},
		},
		"NoName": {
			reason:  "A claim has a name.",
			files:   map[string]string{"a.yaml": strings.Replace(application, "name: shop, ", "", 1)},
			refused: []string{"a.yaml: a ProductApplication has no metadata.name"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			files := map[string][]byte{}
			for n, f := range tc.files {
				files[n] = []byte(f)
			}
			set, err := Read(files, tc.options)
			var got []string
			for _, c := range set.Claims {
				got = append(got, c.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nRead(...): -want, +got:\n%s", tc.reason, diff)
			}
			var invalid *InvalidError
			if errors.As(err, &invalid) != (len(tc.refused) > 0) {
				t.Fatalf("\n%s\nRead(...): %v", tc.reason, err)
			}
			for _, r := range tc.refused {
				if !strings.Contains(err.Error(), r) {
					t.Errorf("\n%s\nRead(...): %q does not say %q", tc.reason, err, r)
				}
			}
		})
	}
}

// TestBounds: what is too much is refused before it is parsed.
func TestBounds(t *testing.T) {
	large := map[string][]byte{"a.yaml": make([]byte, 50<<20)}
	if _, err := Read(large, Options{}); err == nil || !strings.Contains(err.Error(), "keep data out of claims") {
		t.Errorf("Read(50 MiB): %v", err)
	}
	many := map[string][]byte{}
	for i := range 20 {
		many[fmt.Sprintf("%d.yaml", i)] = make([]byte, MaxFileBytes-1)
	}
	if _, err := Read(many, Options{}); err == nil || !strings.Contains(err.Error(), "more than 64 MiB") {
		t.Errorf("Read(80 MiB): %v", err)
	}
}

// TestDigest: defaults that are written and defaults that are not say the same.
func TestDigest(t *testing.T) {
	a, err := Read(map[string][]byte{"a.yaml": []byte(fleet)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Read(map[string][]byte{"b.yaml": []byte(fleet + "  deletionPolicy: Delete\n")}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if a.Claims[0].Digest != b.Claims[0].Digest {
		t.Error("a default that is written out is another claim")
	}
}
