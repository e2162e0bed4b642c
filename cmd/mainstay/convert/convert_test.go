package convert

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const theirs = `apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: shop
spec:
  components:
  - name: web
    properties:
      image: nginx
    type: webservice
`

var ours = strings.NewReplacer("core.oam.dev/v1beta1", "mainstay.dev/v1alpha1", "kind: Application", "kind: ProductApplication").Replace(theirs)

func TestStream(t *testing.T) {
	cases := map[string]struct {
		reason   string
		in       string
		out      string
		says     []string
		err      string
		problems bool
	}{
		"Theirs": {reason: "An Application becomes a claim.", in: theirs, out: ours},
		"Ours":   {reason: "And a claim an Application.", in: ours, out: theirs},
		"Several": {
			reason: "Documents that are empty are passed over, and the others stay in order.",
			in:     "---\n# nothing\n---\n" + theirs + "---\n" + ours,
			out:    ours + "---\n" + theirs,
		},
		"NotTaken": {
			reason: "What is not taken is named with its path, and written nonetheless.",
			in:     strings.Replace(theirs, "type: webservice", "type: webservice\n    scopes: {a: b}", 1),
			out:    strings.Replace(ours, "    type: webservice", "    scopes:\n      a: b\n    type: webservice", 1),
			says:   []string{"Application shop: not taken: spec.components[0].scopes"}, problems: true,
			err: ErrProblems.Error(),
		},
		"Nothing": {reason: "Nothing is no application.", in: "\n", err: "there is nothing to convert: give it an Application or a ProductApplication"},
		"Other":   {reason: "Nor is anything else.", in: "apiVersion: v1\nkind: Pod\n", err: `document 1: cannot convert a Pod of "v1": it must be an Application of core.oam.dev/v1beta1 or a ProductApplication of mainstay.dev/v1alpha1`},
		"Garbage": {reason: "What cannot be read is said to be so.", in: "a: [", err: "cannot read document 1: error converting YAML to JSON: yaml: line 1: did not find expected node content"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out, says := &bytes.Buffer{}, &bytes.Buffer{}
			err := Stream(strings.NewReader(tc.in), out, says)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tc.err, got); diff != "" || errors.Is(err, ErrProblems) != tc.problems {
				t.Errorf("\n%s\nStream(...): error: -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.out, out.String()); diff != "" {
				t.Errorf("\n%s\nStream(...): -want, +got:\n%s", tc.reason, diff)
			}
			for _, s := range tc.says {
				if !strings.Contains(says.String(), s) {
					t.Errorf("\n%s\nStream(...): want it to say %q, got %q", tc.reason, s, says.String())
				}
			}
		})
	}
}
