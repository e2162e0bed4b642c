package change

import (
	"strings"
	"testing"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func TestDeviates(t *testing.T) {
	cases := map[string]struct {
		reason string
		claim  Claim
		want   string
	}{
		"AsPlanned":  {reason: "What is planned is none.", claim: Claim{TakenIn: true, Removes: 2}},
		"NotTakenIn": {reason: "What was before is not compared.", claim: Claim{Other: "ada changed it", Strangers: []string{"p.a"}, Removes: 9}},
		"Other":      {reason: "Something else is rolled out.", claim: Claim{TakenIn: true, Other: "kubectl-edit changed it"}, want: "what is rolled out is not what was planned: kubectl-edit changed it"},
		"Strangers":  {reason: "Somewhere else.", claim: Claim{TakenIn: true, Strangers: []string{"p.a", "p.b"}}, want: "p.a, p.b is moved, and is not in the plan"},
		"Removes":    {reason: "Or from more clusters.", claim: Claim{TakenIn: true, Removes: 3}, want: "it is taken away from 3 clusters, and the plan has 2"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Deviates(v1alpha1.ChangeClaim{Removes: 2}, tc.claim)
			if (got == "") != (tc.want == "") || !strings.HasSuffix(got, tc.want) {
				t.Errorf("%s\nDeviates(...): %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}
