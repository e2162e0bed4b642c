package grant

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func digest(t *testing.T, spec map[string]any) string {
	t.Helper()
	d, err := Digest("ProductApplication", "shop", "web", spec)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDigest(t *testing.T) {
	plain := map[string]any{"components": []any{map[string]any{"name": "web", "replicas": int64(2)}}}
	cases := map[string]struct {
		reason string
		spec   map[string]any
		same   bool
	}{
		"Machinery": {reason: "What Crossplane adds is not what people said.", spec: map[string]any{"components": plain["components"], "resourceRef": map[string]any{"name": "x"}, "claimRef": map[string]any{}, "compositionUpdatePolicy": "Automatic"}, same: true},
		"Floats":    {reason: "A function reads all numbers as floats.", spec: map[string]any{"components": []any{map[string]any{"name": "web", "replicas": float64(2)}}}, same: true},
		"Nulls":     {reason: "The API server drops nulls.", spec: map[string]any{"components": plain["components"], "policies": nil}, same: true},
		"Edited":    {reason: "Another number is another content.", spec: map[string]any{"components": []any{map[string]any{"name": "web", "replicas": int64(3)}}}},
		"Deeper":    {reason: "Only the claim's own fields of those names are Crossplane's.", spec: map[string]any{"components": []any{map[string]any{"name": "web", "replicas": int64(2), "resourceRef": "x"}}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if same := digest(t, tc.spec) == digest(t, plain); same != tc.same {
				t.Errorf("%s\nwant the same digest %t, got %t", tc.reason, tc.same, same)
			}
		})
	}
	other, err := Digest("ProductApplication", "shop", "api", plain)
	if err != nil || other == digest(t, plain) {
		t.Errorf("what one claim may say another may not, got %v", err)
	}
	if _, err := Digest("ProductApplication", "shop", "web", map[string]any{"f": func() {}}); err == nil {
		t.Error("what is not JSON must be refused")
	}
	if Name("ProductApplication", "web") != "productapplication.web" {
		t.Errorf("got name %q", Name("ProductApplication", "web"))
	}
}

func TestHeld(t *testing.T) {
	g := &v1alpha1.ClaimGrantSpec{Digest: "new", Before: "old", Change: "ops/claims-41"}
	cases := map[string]struct {
		reason string
		grant  *v1alpha1.ClaimGrantSpec
		digest string
		want   string
	}{
		"Granted": {reason: "It says what was approved.", grant: g, digest: "new"},
		"Before":  {reason: "While it executes, what was before still runs.", grant: g, digest: "old"},
		"Edited":  {reason: "It says something else.", grant: g, digest: "mine", want: "edited since change ops/claims-41"},
		"None":    {reason: "Nothing was ever approved.", digest: "new", want: "no approved change carries this claim"},
		"Unknown": {reason: "What is not known is not approved.", grant: g, want: "not known"},
		"Sealed":  {reason: "An empty digest matches nothing.", grant: &v1alpha1.ClaimGrantSpec{Digest: "new", Change: "x"}, digest: "", want: "not known"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Held(tc.grant, tc.digest)
			if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("%s\nwant %q, got %q", tc.reason, tc.want, got)
			}
		})
	}
}

func TestHold(t *testing.T) {
	labels := map[string]string{v1alpha1.LabelRequireChange: "true"}
	g := &v1alpha1.ClaimGrantSpec{Digest: "new", Before: "old", Change: "ops/claims-41"}
	cases := map[string]struct {
		reason string
		labels map[string]string
		grant  *v1alpha1.ClaimGrantSpec
		digest string
		want   *v1alpha1.RolloutHold
	}{
		"NotRequired": {reason: "Where nobody asks for changes, an edit is an edit.", grant: g, digest: "mine"},
		"Granted":     {reason: "An approved change carries it.", labels: labels, grant: g, digest: "new"},
		"Edited": {
			reason: "None does, and whoever is held back is told by which change it last was.", labels: labels, grant: g, digest: "mine",
			want: &v1alpha1.RolloutHold{Message: Held(g, "mine"), ClaimDigest: "mine", Granted: "new", Change: "ops/claims-41"},
		},
		"Never": {reason: "None ever did.", labels: labels, digest: "mine", want: &v1alpha1.RolloutHold{Message: Held(nil, "mine"), ClaimDigest: "mine"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Hold(tc.labels, tc.grant, tc.digest)); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRequired(t *testing.T) {
	labels := map[string]string{v1alpha1.LabelRequireChange: "true"}
	if Required(nil, nil) || !Required(labels, nil) || !Required(nil, &v1alpha1.ClaimGrantSpec{Required: true}) {
		t.Error("it is required where the namespace or the change that wrote it last says so")
	}
}

func TestAgreed(t *testing.T) {
	cases := map[string]struct {
		says string
		want bool
	}{
		"Silent": {},
		"Named":  {says: "ops/claims", want: true},
		"Among":  {says: "a/b, ops/claims ,c/d", want: true},
		"Other":  {says: "ops/claims-2"},
		"Part":   {says: "xops/claims"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Agreed(map[string]string{v1alpha1.AnnotationRepositories: tc.says}, "ops/claims"); got != tc.want {
				t.Errorf("%q: got %t", tc.says, got)
			}
		})
	}
}

func TestSaid(t *testing.T) {
	spec := map[string]any{"components": []any{}, "resourceRef": map[string]any{"name": "x"}}
	if got := Said(spec); len(got) != 1 || got["components"] == nil || len(spec) != 2 {
		t.Errorf("got %v of %v", got, spec)
	}
	if got := Machinery(spec); len(got) != 1 || got["resourceRef"] == nil {
		t.Errorf("got %v", got)
	}
}
