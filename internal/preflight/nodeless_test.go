package preflight

import (
	"strings"
	"testing"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func noneYet(s *Snapshot) { s.Capacity.Nodes = nil }

// TestNodeless: where nodes are still to come nobody is told to add some, and what is found for want of
// nodes is told from what is wrong.
func TestNodeless(t *testing.T) {
	const large = "resources: {requests: {cpu: 64}}"
	cases := map[string]struct {
		reason   string
		cluster  []func(*Snapshot)
		nodeless bool
		want     string
	}{
		"None":    {reason: "None are to come.", cluster: []func(*Snapshot){noneYet}, nodeless: true, want: "the cluster has no nodes yet"},
		"ToCome":  {reason: "They are on their way.", cluster: []func(*Snapshot){noneYet, func(s *Snapshot) { s.Capacity.Elastic = true }}, nodeless: true, want: "no node of the cluster is observed yet"},
		"TooLess": {reason: "There are some.", want: "no node that it may run on has so much"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Check(Input{Content: contentOf(t, deployment("1", "", large), nil), Namespace: namespace, Snapshot: cluster(t, tc.cluster...)})
			if len(got) != 1 || got[0].Cause != "B1" || Nodeless(got[0]) != tc.nodeless || !strings.Contains(got[0].Message, tc.want) {
				t.Errorf("%s\nwant %q, got %+v", tc.reason, tc.want, got)
			}
			if tc.nodeless && got[0].Severity != v1alpha1.Warning {
				t.Errorf("%s\nit must not block: %+v", tc.reason, got[0])
			}
		})
	}
}
