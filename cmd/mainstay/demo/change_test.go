package demo

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

const exampleOfChange = "../../../examples/change"

func example(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(exampleOfChange, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEdits(t *testing.T) {
	claim := example(t, "cart.yaml")
	cases := map[string]struct {
		reason string
		claim  string
		edit   func(claim, tag string) (string, error)
		want   string
		err    string
	}{
		"Bumped": {
			reason: "A release is another image, and nothing else.",
			claim:  claim, edit: bumped,
			want: "registry.example.org/shop/cart:1.4.0 EUR ",
		},
		"BumpedAgain": {
			reason: "What was released before does not matter.",
			claim:  must(bumped(claim, "1.3.0-crashes")), edit: bumped,
			want: "registry.example.org/shop/cart:1.4.0 EUR ",
		},
		"Renamed": {
			reason: "The setting has another name, and who reads it does not know.",
			claim:  claim, edit: renamed,
			want: "registry.example.org/shop/cart:1.4.0  EUR",
		},
		"Strange": {
			reason: "What a person made of the claim is not edited blindly.",
			claim:  "kind: ProductApplication\n", edit: bumped,
			err: "cannot find the image in shop/cart.yaml: somebody else has edited it",
		},
		"RenamedTwice": {
			reason: "What is not there cannot be renamed.",
			claim:  must(renamed(claim, "1.2.0")), edit: renamed,
			err: "cannot find the setting in shop/cart.yaml: somebody else has edited it",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := tc.edit(tc.claim, "1.4.0")
			if diff := cmp.Diff(tc.err, message(err)); diff != "" {
				t.Errorf("\n%s\nedit(...): error: -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.want, says(t, got)); diff != "" {
				t.Errorf("\n%s\nedit(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

// says what a claim of cart says: its image, and its setting by both names.
func says(t *testing.T, claim string) string {
	t.Helper()
	if claim == "" {
		return ""
	}
	got := struct {
		Spec struct {
			Components []struct {
				Properties struct {
					Image   string `json:"image"`
					Objects []struct {
						Data map[string]string `json:"data"`
					} `json:"objects"`
				} `json:"properties"`
			} `json:"components"`
		} `json:"spec"`
	}{}
	if err := yaml.Unmarshal([]byte(claim), &got); err != nil {
		t.Fatal(err)
	}
	settings := got.Spec.Components[0].Properties.Objects[0].Data
	return got.Spec.Components[1].Properties.Image + " " + settings["currency"] + " " + settings["defaultCurrency"]
}

func TestPoint(t *testing.T) {
	r := map[string]any{}
	if err := yaml.Unmarshal([]byte(example(t, "repository.yaml")), &r); err != nil {
		t.Fatal(err)
	}
	if err := point(r, "http://127.0.0.1:18000/platform/claims", "http://127.0.0.1:20000/webhooks/platform/claims"); err != nil {
		t.Fatal(err)
	}
	b, err := yaml.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	got := v1alpha1.Repository{}
	if err := yaml.UnmarshalStrict(b, &got); err != nil {
		t.Fatal(err)
	}
	p := got.Spec.ForProvider
	if diff := cmp.Diff([]string{"http://127.0.0.1:18000/platform/claims", "http://127.0.0.1:20000/webhooks/platform/claims"}, []string{p.URL, p.Webhook.URL}); diff != "" {
		t.Errorf("point(...): -want, +got:\n%s", diff)
	}
	// Who works with the forge is who the example names.
	for _, rule := range p.Approval.Rules {
		if diff := cmp.Diff([]string{sre, otherSRE}, rule.From.Users); diff != "" {
			t.Errorf("Approvals of risk %s: -want, +got:\n%s", rule.Risk, diff)
		}
	}
	if err := point(map[string]any{}, "", ""); err == nil {
		t.Error("point(...) of what is no Repository: want an error")
	}
}

func TestLine(t *testing.T) {
	cases := map[string]struct {
		reason string
		is     v1alpha1.ChangeObservation
		want   string
	}{
		"New": {
			reason: "A Change that nobody has looked at yet says nothing.",
			want:   "!3 Seen",
		},
		"Planned": {
			reason: "What does not move has no bar.",
			is:     v1alpha1.ChangeObservation{Phase: v1alpha1.ChangePlanned, Message: "planned, and waits; 0 of 1 approvals"},
			want:   "!3 Planned    planned, and waits; 0 of 1 approvals",
		},
		"Executing": {
			reason: "What moves shows how far it is.",
			is: v1alpha1.ChangeObservation{
				Phase: v1alpha1.ChangeExecuting, Message: "2 of 3 clusters",
				Progress: v1alpha1.ChangeProgress{Clusters: 3, Reached: 2},
			},
			want: "!3 Executing  ████████░░░░ 2 of 3 clusters",
		},
		"Halted": {
			reason: "What failed can be seen, and what a cluster says steers no terminal.",
			is: v1alpha1.ChangeObservation{
				Phase: v1alpha1.ChangeHalted, Message: "halted: 1 cluster failed: \x1b[2Jboom",
				Progress: v1alpha1.ChangeProgress{Clusters: 3, Failed: 1},
			},
			want: "!3 Halted     xxxx░░░░░░░░ halted: 1 cluster failed: [2Jboom",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, line(3, tc.is)); diff != "" {
				t.Errorf("\n%s\nline(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestUnlike(t *testing.T) {
	cases := map[string]struct {
		reason string
		images map[string]string
		tag    string
		want   string
	}{
		"Same":     {reason: "All clusters run it, and have it ready.", images: map[string]string{"a": "1.1.0 1", "b": "1.1.0 2"}, tag: "1.1.0"},
		"Any":      {reason: "Where no version is asked for, all have to run the same one.", images: map[string]string{"a": "1.1.0 1", "b": "1.1.0 2"}},
		"Other":    {reason: "A cluster that runs another version is named.", images: map[string]string{"a": "1.1.0 1", "b": "1.0.0 1"}, tag: "1.1.0", want: `b, which runs cart:1.0.0 with "1" replicas ready instead of cart:1.1.0`},
		"NotReady": {reason: "So is one that has it, and not ready.", images: map[string]string{"a": "1.1.0 "}, tag: "1.1.0", want: `a, which runs cart:1.1.0 with "" replicas ready instead of cart:1.1.0`},
		"Mixed":    {reason: "Or one that differs from the first.", images: map[string]string{"a": "1.1.0 1", "b": "1.0.0 1"}, want: `b, which runs cart:1.0.0 with "1" replicas ready instead of cart:1.1.0`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, message(unlike(tc.images, tc.tag))); diff != "" {
				t.Errorf("\n%s\nunlike(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAstray(t *testing.T) {
	cases := map[string]struct {
		reason string
		phase  v1alpha1.ChangePhase
		want   string
	}{
		"Waits":     {reason: "What waits has not begun.", phase: v1alpha1.ChangePlanned},
		"Executing": {reason: "What executes has.", phase: v1alpha1.ChangeExecuting, want: "it is Executing: says why"},
		"Halted":    {reason: "What halted may have written something.", phase: v1alpha1.ChangeHalted, want: "it is Halted: says why"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			is := v1alpha1.ChangeObservation{Phase: tc.phase, Message: "says why"}
			if diff := cmp.Diff(tc.want, message(began(is))); diff != "" {
				t.Errorf("\n%s\nbegan(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
