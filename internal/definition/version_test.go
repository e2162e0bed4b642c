package definition

import (
	"strings"
	"testing"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

func TestResolve(t *testing.T) {
	published := []v1alpha1.PublishedVersion{
		{Version: "2.0.0-rc.1"}, {Version: "1.10.0", Withdrawn: true}, {Version: "1.9.0"}, {Version: "1.2.4"}, {Version: "1.2.3"}, {Version: "0.9.0"},
	}
	cases := map[string]struct {
		reason, reference string
		pinned            []string
		want, err         string
	}{
		"Newest":     {reason: "Without a version it is the newest release.", reference: "flink", want: "1.9.0"},
		"Exact":      {reason: "A version is that version.", reference: "flink@1.2.3", want: "1.2.3"},
		"ExactV":     {reason: "As KubeVela writes it.", reference: "flink@v1.2.3", want: "1.2.3"},
		"Patch":      {reason: "A range is its newest.", reference: "flink@1.2.x", want: "1.2.4"},
		"Caret":      {reason: "So is one that leaves minor versions open.", reference: "flink@^1", want: "1.9.0"},
		"Tilde":      {reason: "And one that does not.", reference: "flink@~1.2.1", want: "1.2.4"},
		"Between":    {reason: "And any other.", reference: "flink@>=0.5 <1", want: "0.9.0"},
		"Candidate":  {reason: "A release candidate is taken where it is asked for.", reference: "flink@2.0.0-rc.1", want: "2.0.0-rc.1"},
		"Candidates": {reason: "And not otherwise.", reference: "flink@^2", err: `definition "flink" has no version ^2: there are 2.0.0-rc.1, 1.9.0, 1.2.4, 1.2.3, 0.9.0`},
		"Unknown":    {reason: "What there is not is said, with what there is.", reference: "flink@3.0.0", err: "has no version 3.0.0: there are"},
		"NoRange":    {reason: "What is no range is refused.", reference: "flink@newest", err: "no version and no range"},
		"Empty":      {reason: "As is nothing.", reference: "flink@", err: "names no version"},
		"Withdrawn":  {reason: "A version that was withdrawn is not given out.", reference: "flink@1.10.0", err: "version 1.10.0 of definition \"flink\" is withdrawn"},
		"Keeps":      {reason: "Who has it keeps it.", reference: "flink@1.10.0", pinned: []string{"1.10.0"}, want: "1.10.0"},
		"KeepsRange": {reason: "In a range too: a withdrawal alone moves nobody back.", reference: "flink@^1", pinned: []string{"1.10.0"}, want: "1.10.0"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Resolve(tc.reference, published, tc.pinned)
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("%s: want error %q, got %v", tc.reason, tc.err, err)
			}
			if err == nil && got.Version != tc.want {
				t.Errorf("%s: want %s, got %s", tc.reason, tc.want, got.Version)
			}
		})
	}
	for _, none := range [][]v1alpha1.PublishedVersion{nil, {{Version: "1.0.0-rc.1"}}} {
		if _, err := Resolve("flink", none, nil); err == nil {
			t.Errorf("without a release there is nothing to give out: %v", none)
		}
	}
	if _, err := Resolve("flink", nil, nil); err == nil || !strings.Contains(err.Error(), "no published version") {
		t.Errorf("what was never published says so: %v", err)
	}
	if !Newer("1.10.0", "1.9.0") || Newer("1.9.0", "1.10.0") || Newer("x", "1.0.0") {
		t.Error("versions are compared by their numbers")
	}
}
