package delivery

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/claims"
	"github.com/mainstay-dev/mainstay/internal/tree"
)

// TestChoose has trees as lists of words: a file is <path>=<content>, and holds a claim of
// its name unless it ends in .md.
func TestChoose(t *testing.T) {
	ref := func(n string) v1alpha1.ClaimReference { return v1alpha1.ClaimReference{Kind: "App", Name: n} }
	read := func(words string) Side {
		s := Side{Files: tree.Files{}, Claims: claims.Set{}}
		for w := range strings.FieldsSeq(words) {
			p, says, _ := strings.Cut(w, "=")
			s.Files[p] = tree.File{Mode: tree.Regular, ID: says}
			if !strings.HasSuffix(p, ".md") {
				for i, n := range strings.Split(p, "+") {
					s.Claims[ref(n)] = claims.Claim{Ref: ref(n), Digest: strings.Split(says, "+")[i], Source: claims.Source{File: p, Line: 1}}
				}
			}
		}
		return s
	}
	cases := map[string]struct {
		reason             string
		source, tip        string
		wanted, own        []string
		changed            []string
		want, problem, end string
	}{
		"Edit":      {reason: "The file of a claim.", source: "a=2 b=1", tip: "a=1 b=1", wanted: []string{"a"}, want: "a", end: "a=2 b=1"},
		"Others":    {reason: "What others delivered stays.", source: "a=2 b=1", tip: "a=1 b=9", wanted: []string{"a"}, want: "a", end: "a=2 b=9"},
		"Gone":      {reason: "A claim that goes takes its file along.", source: "b=1", tip: "a=1 b=1", wanted: []string{"a"}, want: "a", end: "b=1"},
		"Same":      {reason: "What is there already is left out.", source: "a=2", tip: "a=2", wanted: []string{"a"}, end: "a=2"},
		"Docs":      {reason: "Files that hold no claims come along.", source: "a=2 r.md=2 s.md=2", tip: "a=1 r.md=1 s.md=1", wanted: []string{"a"}, changed: []string{"a", "r.md"}, want: "a r.md", end: "a=2 r.md=2 s.md=1"},
		"Later":     {reason: "Those of later steps do not.", source: "a=2 b=2", tip: "a=1 b=1", wanted: []string{"a"}, own: []string{"a", "b"}, changed: []string{"a", "b"}, want: "a", end: "a=2 b=1"},
		"OneFile":   {reason: "Claims of one step may be in one file.", source: "a+b=2+2", tip: "a+b=1+1", wanted: []string{"a", "b"}, want: "a+b"},
		"Together":  {reason: "A claim of a later step must not come along.", source: "a+b=2+2", tip: "a+b=1+1", wanted: []string{"a"}, own: []string{"a", "b"}, want: "a+b", problem: "before its turn"},
		"Anothers":  {reason: "That of another change is not taken back.", source: "a+b=2+1", tip: "a+b=1+9", wanted: []string{"a"}, want: "a+b", problem: "another change is delivering it"},
		"Elsewhere": {reason: "Where somebody moved it on the branch, both files are as they should be.", source: "a=2", tip: "a+b=1+1", wanted: []string{"a", "b"}, want: "a a+b", end: "a=2"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := &Delivery{Wanted: map[v1alpha1.ClaimReference]bool{}, Own: map[v1alpha1.ClaimReference]bool{}, Source: read(tc.source), Changed: tc.changed}
			for _, n := range tc.wanted {
				d.Wanted[ref(n)] = true
			}
			for _, n := range tc.own {
				d.Own[ref(n)] = true
			}
			tip := read(tc.tip)
			put := d.Choose(tip)
			if diff := cmp.Diff(tc.want, strings.Join(put, " ")); diff != "" {
				t.Errorf("%s\nfiles: -want, +got:\n%s", tc.reason, diff)
			}
			after := d.After(tip, put)
			result := ""
			for p, f := range after {
				result += p + "=" + f.ID + " "
			}
			err := d.Check(tip.Claims, read(result).Claims)
			if (err == nil) != (tc.problem == "") || err != nil && !strings.Contains(err.Error(), tc.problem) {
				t.Errorf("%s\nwant problem %q, got %v", tc.reason, tc.problem, err)
			}
			if tc.end != "" {
				if diff := cmp.Diff(read(tc.end).Files, after); diff != "" {
					t.Errorf("%s\nbranch: -want, +got:\n%s", tc.reason, diff)
				}
			}
		})
	}
}
