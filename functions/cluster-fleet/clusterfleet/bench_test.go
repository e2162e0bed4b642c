package clusterfleet

import (
	"testing"

	"google.golang.org/protobuf/proto"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/functions/fleet-cell/fleetcell"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

// BenchmarkFleet300 measures one run of both functions over a whole fleet of 300
// clusters that is up: the root once and each of its cells once, from the bytes of the
// requests to the bytes of the responses.
func BenchmarkFleet300(b *testing.B) {
	w := newWorld(b, v1alpha1.ClusterFleetSpec{
		KubernetesVersion: "v1.35.3",
		Generate: []v1alpha1.ClusterGenerator{
			{Prefix: "core", Regions: []string{"eu-central", "us-east", "ap-south"}, Count: 60, Labels: map[string]mv1alpha1.LabelValue{"size": "large"}},
			{Prefix: "site", Regions: []string{"eu-north", "eu-west", "us-west", "sa-east", "ap-east", "af-south"}, Count: 20, Labels: map[string]mv1alpha1.LabelValue{"size": "small"}},
		},
		NodePools: []v1alpha1.FleetNodePool{{Name: "general", Class: "general", Size: 3}, {Name: "compute", Class: "compute", Size: 2}},
		Tenants:   []mv1alpha1.Tenant{{Namespace: "shop"}, {Namespace: "insight"}},
	})
	if got, want := w.settle(), "Reached=True: 300/300 clusters ready"; got != want {
		b.Fatalf("want %q, got %q", want, got)
	}
	type call struct {
		run     func(*fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error)
		request []byte
	}
	calls := []call{{run: Run, request: marshal(b, w.Request(root))}}
	for _, k := range w.Keys("FleetCell") {
		calls = append(calls, call{run: fleetcell.Run, request: marshal(b, w.Request(k))})
	}

	asked, answered := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range calls {
			req := &fnv1.RunFunctionRequest{}
			if err := proto.Unmarshal(c.request, req); err != nil {
				b.Fatal(err)
			}
			rsp, err := c.run(req)
			if err != nil {
				b.Fatal(err)
			}
			asked, answered = max(asked, len(c.request)), max(answered, len(marshal(b, rsp)))
		}
	}
	b.ReportMetric(float64(len(calls)), "calls/op")
	b.ReportMetric(float64(asked), "max-request-bytes")
	b.ReportMetric(float64(answered), "max-response-bytes")
	if asked > 1<<20 || answered > 1<<20 {
		b.Errorf("a message is over 1 MB: request %d, response %d", asked, answered)
	}
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	out, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func size(t testing.TB, m proto.Message) int { return len(marshal(t, m)) }
