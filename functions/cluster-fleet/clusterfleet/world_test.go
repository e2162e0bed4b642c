package clusterfleet

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/functions/fleet-cell/fleetcell"
	"github.com/mainstay-dev/mainstay/functions/internal/functiontest"
)

// A world is a fleet as a whole: both functions, with Crossplane and the provider
// played around them.
type world struct {
	*functiontest.Core

	t testing.TB
	// broken clusters never get ready, and say why; apps run on clusters.
	broken map[string]string
	apps   map[string][]any
	// asked and answered is the size of the largest request and response of all.
	asked, answered int
	// mostChildren is the largest number of resources that one composite composed.
	mostChildren int
}

const root = "XClusterFleet/eu-x7x7x"

func newWorld(t testing.TB, s v1alpha1.ClusterFleetSpec) *world {
	t.Helper()
	w := &world{Core: functiontest.NewCore(), t: t, broken: map[string]string{}, apps: map[string][]any{}}
	w.Apply(functiontest.Struct(t, `{apiVersion: m.mainstay.dev/v1alpha1, kind: ClusterProviderConfig, metadata: {name: default}, spec: {backend: local}}`), "")
	w.want(s)
	return w
}

// want changes the claim.
func (w *world) want(s v1alpha1.ClusterFleetSpec) {
	w.t.Helper()
	if s.ProviderConfigRef.Name == "" {
		s.ProviderConfigRef = v1alpha1.ProviderConfigReference{Kind: "ClusterProviderConfig", Name: "default"}
	}
	b, err := json.Marshal(s)
	if err != nil {
		w.t.Fatal(err)
	}
	spec := &structpb.Struct{}
	if err := spec.UnmarshalJSON(b); err != nil {
		w.t.Fatal(err)
	}
	spec.Fields["claimRef"] = structpb.NewStructValue(functiontest.Struct(w.t, `{apiVersion: mainstay.dev/v1alpha1, kind: ClusterFleet, namespace: platform, name: eu}`))
	xr := functiontest.Struct(w.t, `{apiVersion: mainstay.dev/v1alpha1, kind: XClusterFleet, metadata: {name: eu-x7x7x}}`)
	xr.Fields["spec"] = structpb.NewStructValue(spec)
	w.Apply(xr, "")
}

// step lets everybody do once what there is to do.
func (w *world) step() {
	w.t.Helper()
	w.reconcile(root, Run)
	for _, k := range w.Keys("FleetCell") {
		w.reconcile(k, fleetcell.Run)
	}
	w.provider()
}

func (w *world) reconcile(key string, run func(*fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error)) {
	w.t.Helper()
	req, rsp, err := w.Reconcile(key, run)
	if err != nil {
		w.t.Fatalf("%s: %v", key, err)
	}
	w.asked = max(w.asked, size(w.t, req))
	w.answered = max(w.answered, size(w.t, rsp))
	w.mostChildren = max(w.mostChildren, len(rsp.GetDesired().GetResources()))
}

// provider makes all clusters and node pools ready, but for the broken ones.
func (w *world) provider() {
	w.t.Helper()
	for _, k := range w.Keys("Cluster") {
		name := strings.TrimPrefix(k, "Cluster/eu.")
		ready := map[string]any{"type": "Ready", "status": "True", "reason": "Available"}
		at := map[string]any{"version": "v1.35.3", "endpoint": "https://127.0.0.1:6443", "nodes": map[string]any{"total": 2, "ready": 2}, "releases": len(w.apps[name])}
		if m, ok := w.broken[name]; ok {
			ready = map[string]any{"type": "Ready", "status": "False", "reason": "Creating", "message": m}
			at["message"] = m
		}
		if apps, ok := w.apps[name]; ok {
			at["applications"] = apps
		}
		w.status(k, map[string]any{"atProvider": at}, ready)
	}
	for _, k := range w.Keys("NodePool") {
		w.status(k, map[string]any{"atProvider": map[string]any{"nodes": map[string]any{"total": 2, "ready": 2}}}, map[string]any{"type": "Ready", "status": "True", "reason": "Available"})
	}
}

func (w *world) status(key string, fields map[string]any, ready map[string]any) {
	w.t.Helper()
	if err := w.SetStatus(key, fields, ready, map[string]any{"type": "Synced", "status": "True", "reason": "ReconcileSuccess"}); err != nil {
		w.t.Fatal(err)
	}
}

// settle until the claim says the same for a few steps.
func (w *world) settle() string {
	w.t.Helper()
	last, same := "", 0
	for range 30 {
		w.step()
		if now := w.said(); now == last {
			if same++; same == 4 {
				return now
			}
		} else {
			last, same = now, 0
		}
	}
	w.t.Fatalf("the fleet does not settle; it says %q last", last)
	return ""
}

// said is the condition Reached of the claim.
func (w *world) said() string {
	for _, c := range w.Resources[root].GetFields()["status"].GetStructValue().GetFields()["conditions"].GetListValue().GetValues() {
		if f := c.GetStructValue().GetFields(); f["type"].GetStringValue() == v1alpha1.ConditionReached {
			return fmt.Sprintf("%s=%s: %s", f["reason"].GetStringValue(), f["status"].GetStringValue(), f["message"].GetStringValue())
		}
	}
	return ""
}

// ready says whether the composite is ready.
func (w *world) ready() bool {
	c := w.Resources[root].GetFields()["status"].GetStructValue().GetFields()["conditions"].GetListValue().GetValues()[0]
	return c.GetStructValue().GetFields()["status"].GetStringValue() == "True"
}

// cells says which clusters are in which cell.
func (w *world) cells() map[string][]string {
	out := map[string][]string{}
	for _, k := range w.Keys("FleetCell") {
		out[k] = []string{}
		for _, c := range w.Resources[k].GetFields()["spec"].GetStructValue().GetFields()["clusters"].GetListValue().GetValues() {
			out[k] = append(out[k], c.GetStructValue().GetFields()["name"].GetStringValue())
		}
	}
	return out
}

func named(names ...string) v1alpha1.ClusterFleetSpec {
	s := v1alpha1.ClusterFleetSpec{NodePools: []v1alpha1.FleetNodePool{{Name: "general", Class: "general", Size: 2}}}
	for _, n := range names {
		s.Clusters = append(s.Clusters, v1alpha1.FleetCluster{Name: n, Region: "eu"})
	}
	return s
}

func TestLifeOfAFleet(t *testing.T) {
	w := newWorld(t, named("eu-1", "eu-2", "eu-3"))
	w.broken["eu-2"] = "waits for the API server"

	w.step()
	if got, want := w.said(), "Progressing=False: 0/3 clusters ready"; got != want {
		t.Errorf("at first: want %q, got %q", want, got)
	}
	if got, want := w.settle(), "Progressing=False: 2/3 clusters ready: eu-2: waits for the API server"; got != want {
		t.Errorf("with a cluster that does not come up: want %q, got %q", want, got)
	}
	if w.ready() {
		t.Error("the fleet is ready, and one of its clusters is not")
	}
	delete(w.broken, "eu-2")
	if got, want := w.settle(), "Reached=True: 3/3 clusters ready"; got != want {
		t.Errorf("once all are up: want %q, got %q", want, got)
	}
	if !w.ready() {
		t.Error("the fleet is not ready, and its clusters are")
	}
	w.broken["eu-1"] = "the API server does not answer"
	if got, want := w.settle(), "Degraded=False: 2/3 clusters ready: eu-1: the API server does not answer"; got != want {
		t.Errorf("when a cluster is lost: want %q, got %q", want, got)
	}
	delete(w.broken, "eu-1")
	w.settle()

	// A change is not reached before it has got to the clusters, not even for a moment.
	s := named("eu-1", "eu-2", "eu-3")
	s.KubernetesVersion = "v1.35.3"
	w.want(s)
	w.step()
	if got, want := w.said(), "Progressing=False: 3/3 clusters ready, but the latest change has not got to all of them yet"; got != want {
		t.Errorf("after a change: want %q, got %q", want, got)
	}
	if w.ready() {
		t.Error("the fleet is ready before a change has got to its clusters")
	}
	if got, want := w.settle(), "Reached=True: 3/3 clusters ready"; got != want {
		t.Errorf("once the change is there: want %q, got %q", want, got)
	}
}

func TestRetire(t *testing.T) {
	w := newWorld(t, named("eu-1", "eu-2"))
	w.settle()

	w.Holds["Cluster/eu.eu-2"] = true
	w.broken["eu-2"] = "waits for 1 Release to leave: shop/web"
	w.want(named("eu-1"))
	if got, want := w.settle(), "Progressing=False: 1/1 clusters ready; 1 cluster is being retired: eu-2: waits for 1 Release to leave: shop/web"; got != want {
		t.Errorf("while it drains: want %q, got %q", want, got)
	}
	if !w.ready() {
		t.Error("the fleet is not ready, and all clusters that are wanted are")
	}

	// The last one leaves, too: the cell stays until both are gone.
	w.Holds["Cluster/eu.eu-1"] = true
	w.want(named())
	if got, want := w.settle(), "Progressing=False: no clusters are asked for; 2 clusters are being retired: eu-1; eu-2: waits for 1 Release to leave: shop/web"; got != want {
		t.Errorf("while both drain: want %q, got %q", want, got)
	}
	if diff := cmp.Diff(map[string][]string{"FleetCell/eu.cell-00": {}}, w.cells()); diff != "" {
		t.Errorf("cells: -want, +got:\n%s", diff)
	}

	// One is wanted again while it is still there.
	w.want(named("eu-1"))
	w.settle()
	delete(w.Resources, "Cluster/eu.eu-2")
	if got, want := w.settle(), "Reached=True: 1/1 clusters ready"; got != want {
		t.Errorf("once it is gone: want %q, got %q", want, got)
	}
	w.Holds = map[string]bool{}
	w.want(named())
	if got, want := w.settle(), "Reached=True: no clusters are asked for"; got != want {
		t.Errorf("once all are gone: want %q, got %q", want, got)
	}
	if diff := cmp.Diff(map[string][]string{}, w.cells()); diff != "" {
		t.Errorf("cells: -want, +got:\n%s", diff)
	}
}

func TestGuard(t *testing.T) {
	w := newWorld(t, named("eu-1", "eu-2"))
	w.apps["eu-1"] = []any{"team-a/shop"}
	w.apps["eu-2"] = []any{"team-a/shop", "team-b/pipeline"}
	w.settle()
	usage := w.Resources["Usage/eu.deletion-guard"].GetFields()["spec"].GetStructValue().AsMap()
	want := map[string]any{
		"of":     map[string]any{"apiVersion": "mainstay.dev/v1alpha1", "kind": "ClusterFleet", "resourceRef": map[string]any{"name": "eu"}},
		"reason": "applications run on it: team-a/shop, team-b/pipeline. Delete them first, or set spec.deletionGuard to None",
	}
	if diff := cmp.Diff(want, usage); diff != "" {
		t.Errorf("Usage: -want, +got:\n%s", diff)
	}

	s := named("eu-1", "eu-2")
	s.DeletionGuard = v1alpha1.GuardNone
	w.want(s)
	w.settle()
	if got := w.Keys("Usage"); len(got) != 0 {
		t.Errorf("without a guard there is %v", got)
	}
}

func TestRefusalLeavesWhatRunsAlone(t *testing.T) {
	w := newWorld(t, named("eu-1", "eu-2"))
	w.settle()
	before := w.Keys("Cluster")

	s := named("eu-1")
	s.Generate = []v1alpha1.ClusterGenerator{{Prefix: "x", Regions: []string{"y"}, Count: 5000}}
	w.want(s)
	want := "InvalidSpec=False: spec.generate: with spec.clusters it asks for 5001 clusters, and a fleet can have 2000: split them over several fleets"
	if got := w.settle(); got != want {
		t.Errorf("want %q, got %q", want, got)
	}
	if diff := cmp.Diff(before, w.Keys("Cluster")); diff != "" {
		t.Errorf("clusters: -want, +got:\n%s", diff)
	}
}

func TestThousandClusters(t *testing.T) {
	s := v1alpha1.ClusterFleetSpec{
		Generate:  []v1alpha1.ClusterGenerator{{Prefix: "edge", Regions: []string{"eu", "us", "ap", "sa", "af"}, Count: 200}},
		NodePools: []v1alpha1.FleetNodePool{{Name: "a", Class: "general", Size: 1}, {Name: "b", Class: "compute", Size: 1}},
	}
	w := newWorld(t, s)
	for range 4 {
		w.step()
	}
	if got, want := w.said(), "Reached=True: 1000/1000 clusters ready"; got != want {
		t.Errorf("want %q, got %q", want, got)
	}
	if got := len(w.Keys("FleetCell")); got < 40 {
		t.Errorf("1,000 clusters make %d cells, want at least 40", got)
	}
	if w.mostChildren > v1alpha1.MaxChildren {
		t.Errorf("a composite has %d children, want at most %d", w.mostChildren, v1alpha1.MaxChildren)
	}
	if most := 1 << 20; w.asked > most || w.answered > most {
		t.Errorf("largest request %d bytes, response %d bytes, want at most %d", w.asked, w.answered, most)
	}
}
