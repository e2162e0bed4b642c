package delivery

import (
	"strings"
	"testing"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/claims"
	"github.com/mainstay-dev/mainstay/internal/tree"
)

// TestTry has trees as TestChoose has them. A claim that begins with d/ is built from all files of that folder.
func TestTry(t *testing.T) {
	ref := func(n string) v1alpha1.ClaimReference {
		return v1alpha1.ClaimReference{Kind: "App", Namespace: "shop", Name: n}
	}
	files := func(words string) tree.Files {
		out := tree.Files{}
		for w := range strings.FieldsSeq(words) {
			p, says, _ := strings.Cut(w, "=")
			out[p] = tree.File{Mode: tree.Regular, ID: says}
		}
		return out
	}
	read := func(f tree.Files) (claims.Set, error) {
		out := claims.Set{}
		for _, p := range f.Paths() {
			if folder, _, ok := strings.Cut(p, "/"); ok {
				c := out[ref(folder)]
				c.Ref, c.Digest, c.File = ref(folder), c.Digest+f[p].ID, folder
				out[ref(folder)] = c
				continue
			}
			for i, n := range strings.Split(p, "+") {
				if says := strings.Split(f[p].ID, "+")[i]; says != "-" {
					out[ref(n)] = claims.Claim{Ref: ref(n), Digest: says, Source: claims.Source{File: p, Line: 1}}
				}
			}
		}
		return out, nil
	}
	cases := map[string]struct {
		reason       string
		base, merged string
		steps        map[string]int32
		want         string
	}{
		"Apart":   {reason: "Each has a file of its own.", base: "a=1 b=1", merged: "a=2 b=2", steps: map[string]int32{"a": 1, "b": 2}},
		"OneStep": {reason: "Those of one step may share one.", base: "a+b=1+1", merged: "a+b=2+2", steps: map[string]int32{"a": 2, "b": 2}},
		"Shared": {
			reason: "Those of two may not.", base: "a+b=1+1", merged: "a+b=2+2", steps: map[string]int32{"a": 1, "b": 2},
			want: "step 1 of the delivery: a+b: App shop/b is in one file with App shop/a, whose step is another, and would be delivered before its turn: put it into a file of its own",
		},
		"New":       {reason: "Nor may new ones.", merged: "a+b=2+2", steps: map[string]int32{"a": 1, "b": 2}, want: "a+b: App shop/b is in one file with App shop/a"},
		"Goes":      {reason: "Nor where one goes and one stays: they go in the last step.", base: "a+b=1+1", merged: "a+b=2+-", steps: map[string]int32{"a": 2, "b": 3}, want: "a+b: App shop/b is in one file"},
		"Splits":    {reason: "To put them apart in the same change is as early.", base: "a+b=1+1", merged: "a=2 b=2", steps: map[string]int32{"a": 1, "b": 2}, want: "a+b: App shop/b is in one file with App shop/a"},
		"Wording":   {reason: "What changes its wording only comes along.", base: "a+b=1+1", merged: "a+b=2+x", steps: map[string]int32{"a": 1}},
		"Untouched": {reason: "So does what does not change.", base: "a+b=1+1", merged: "a+b=2+1", steps: map[string]int32{"a": 1}},
		"Folders":   {reason: "Each is built from its own.", base: "a/k=1 b/k=1", merged: "a/k=2 b/k=2", steps: map[string]int32{"a": 1, "b": 2}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			side := func(words string) Side {
				set, _ := read(files(words))
				return Side{Files: files(words), Claims: set}
			}
			var planned []v1alpha1.ChangeClaim
			for n, step := range tc.steps {
				planned = append(planned, v1alpha1.ChangeClaim{ClaimReference: ref(n), Step: step})
			}
			err := Try(planned, side(tc.base), side(tc.merged), read)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s\nwant %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
}
