package clusterfleet

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/functions/internal/functiontest"
	"github.com/mainstay-dev/mainstay/functions/internal/pipeline"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
)

// digest of what the claim says now.
func (w *world) digest() string {
	w.t.Helper()
	c, err := pipeline.ClaimOf(w.Request(root))
	if err != nil {
		w.t.Fatal(err)
	}
	return c.Digest
}

// grant what the claim may say.
func (w *world) grant(digest, before string, required bool) {
	w.t.Helper()
	g := functiontest.Struct(w.t, `{apiVersion: m.mainstay.dev/v1alpha1, kind: ClaimGrant, metadata: {namespace: platform, name: clusterfleet.eu}}`)
	spec, err := structpb.NewStruct(map[string]any{"digest": digest, "before": before, "required": required, "change": "ops/claims-41"})
	if err != nil {
		w.t.Fatal(err)
	}
	g.Fields["spec"] = structpb.NewStructValue(spec)
	w.Apply(g, "")
}

// require that changes carry what claims of the namespace say.
func (w *world) require() {
	w.t.Helper()
	w.Apply(functiontest.Struct(w.t, `{apiVersion: v1, kind: Namespace, metadata: {name: platform, labels: {mainstay.dev/require-change: "true"}}}`), "")
}

// runs is what is composed, whoever composed it, without what is observed of it.
func (w *world) runs() map[string]*structpb.Struct {
	out := map[string]*structpb.Struct{}
	for k, r := range w.Resources {
		if strings.HasPrefix(k, "XClusterFleet/") || strings.HasPrefix(k, "ClaimGrant/") || strings.HasPrefix(k, "Namespace/") {
			continue
		}
		s := proto.CloneOf(r)
		delete(s.GetFields(), "status")
		out[k] = s
	}
	return out
}

// A fleet that is rolled, guarded and up.
func upgraded(names ...string) v1alpha1.ClusterFleetSpec {
	s := named(names...)
	s.KubernetesVersion = "v1.35.3"
	s.Upgrade = &v1alpha1.FleetUpgrade{}
	return s
}

func TestHold(t *testing.T) {
	edits := map[string]func(*v1alpha1.ClusterFleetSpec){
		"ClusterAdded":   func(s *v1alpha1.ClusterFleetSpec) { s.Clusters = append(s.Clusters, named("eu-3").Clusters...) },
		"ClusterRemoved": func(s *v1alpha1.ClusterFleetSpec) { s.Clusters = s.Clusters[:1] },
		"AllRemoved":     func(s *v1alpha1.ClusterFleetSpec) { s.Clusters = nil },
		"Labels": func(s *v1alpha1.ClusterFleetSpec) {
			s.Clusters[0].Labels = map[string]mv1alpha1.LabelValue{"tier": "canary"}
		},
		"Pools":           func(s *v1alpha1.ClusterFleetSpec) { s.NodePools[0].Size = 9 },
		"Version":         func(s *v1alpha1.ClusterFleetSpec) { s.KubernetesVersion = "v1.36.0" },
		"Tenants":         func(s *v1alpha1.ClusterFleetSpec) { s.Tenants = []mv1alpha1.Tenant{{Namespace: "team-z"}} },
		"UpgradeTakenOut": func(s *v1alpha1.ClusterFleetSpec) { s.Upgrade = nil },
		"Strategy":        func(s *v1alpha1.ClusterFleetSpec) { s.Upgrade.Paused = true },
		"GuardTakenOut":   func(s *v1alpha1.ClusterFleetSpec) { s.DeletionGuard = v1alpha1.GuardNone },
		"Orphaned":        func(s *v1alpha1.ClusterFleetSpec) { s.DeletionPolicy = v1alpha1.DeletionOrphan },
		"Invalid":         func(s *v1alpha1.ClusterFleetSpec) { s.NodePools = append(s.NodePools, s.NodePools[0]) },
	}
	for name, edit := range edits {
		for rolled, base := range map[string]func() v1alpha1.ClusterFleetSpec{
			"Rolled": func() v1alpha1.ClusterFleetSpec { return upgraded("eu-1", "eu-2") },
			"Plain":  func() v1alpha1.ClusterFleetSpec { return named("eu-1", "eu-2") },
		} {
			s := base()
			if s.Upgrade == nil && (name == "UpgradeTakenOut" || name == "Strategy") {
				continue
			}
			edit(&s)
			t.Run(rolled+name, func(t *testing.T) {
				w := newWorld(t, base())
				w.apps["eu-1"] = []any{"team-a/shop"}
				approved := w.settle()
				w.grant(w.digest(), "", true)
				if got := w.settle(); got != approved {
					t.Fatalf("what was approved: want %q, got %q", approved, got)
				}
				before, ready := w.runs(), w.ready()
				for _, k := range []string{"FleetCell/eu.cell-00", "Usage/eu.deletion-guard", "Cluster/eu.eu-1", "NodePool/eu.eu-1.general"} {
					if before[k] == nil {
						t.Fatalf("there is no %s", k)
					}
				}
				if base().Upgrade != nil && len(w.Keys("Rollout")) != 1 {
					t.Fatal("there is no Rollout")
				}

				w.want(s)
				want := "Blocked=False: held back: the claim was edited since change ops/claims-41: open a merge request with what it says now, or set it back; "
				_, doing, _ := strings.Cut(approved, ": ")
				if got := w.settle(); got != want+doing {
					t.Errorf("edited by hand: want %q, got %q", want+doing, got)
				}
				if w.ready() {
					t.Error("a fleet that is held back is ready")
				}
				if diff := cmp.Diff(before, w.runs(), protocmp.Transform()); diff != "" {
					t.Errorf("what runs: -want, +got:\n%s", diff)
				}

				w.want(base())
				if got := w.settle(); got != approved || w.ready() != ready {
					t.Errorf("put back: want %q, got %q", approved, got)
				}
				if diff := cmp.Diff(before, w.runs(), protocmp.Transform()); diff != "" {
					t.Errorf("what runs, once put back: -want, +got:\n%s", diff)
				}
			})
		}
	}
}

// What a change carries goes on, also before the change is over, and on the way back.
func TestHoldEnds(t *testing.T) {
	w := newWorld(t, named("eu-1", "eu-2"))
	w.settle()
	old := w.digest()
	w.require()
	if got, want := w.settle(), "Blocked=False: held back: no approved change carries this claim: open a merge request with it; 2/2 clusters ready"; got != want {
		t.Errorf("no change ever: want %q, got %q", want, got)
	}

	w.grant(old, "", false)
	w.want(named("eu-1", "eu-2", "eu-3"))
	if got := w.settle(); !strings.HasPrefix(got, "Blocked=False: held back: the claim was edited since change ops/claims-41") {
		t.Errorf("edited by hand: got %q", got)
	}
	w.broken["eu-2"] = "the API server does not answer"
	if got := w.settle(); !strings.HasSuffix(got, "; 1/2 clusters ready: eu-2: the API server does not answer") {
		t.Errorf("while it is held back clusters are told of, got %q", got)
	}
	delete(w.broken, "eu-2")

	w.grant(w.digest(), old, false)
	if got, want := w.settle(), "Reached=True: 3/3 clusters ready"; got != want {
		t.Errorf("approved: want %q, got %q", want, got)
	}
	w.Holds["Cluster/eu.eu-3"] = true
	w.want(named("eu-1", "eu-2"))
	if got, want := w.settle(), "Progressing=False: 2/2 clusters ready; 1 cluster is being retired: eu-3"; got != want {
		t.Errorf("on the way back: want %q, got %q", want, got)
	}
}

// A fleet that was made by hand gets no cluster.
func TestHoldNew(t *testing.T) {
	w := newWorld(t, named("eu-1"))
	w.require()
	if got, want := w.settle(), "Blocked=False: held back: no approved change carries this claim: open a merge request with it"; got != want {
		t.Errorf("want %q, got %q", want, got)
	}
	if w.ready() || len(w.runs()) != 1 {
		t.Errorf("ready %t, and there are %v", w.ready(), w.Keys(""))
	}
}

// Nobody is held back before both were looked for, and Crossplane looks again soon.
func TestHoldAsks(t *testing.T) {
	w := newWorld(t, named("eu-1"))
	w.require()
	whole, rsp, err := w.Reconcile(root, Run)
	if err != nil {
		t.Fatal(err)
	}
	if got := rsp.GetMeta().GetTtl().AsDuration(); got != pipeline.HeldTTL {
		t.Errorf("it is looked at again after %s", got)
	}
	for name, missing := range map[string][]string{"Neither": {grantRequired, namespaceRequired}, "NoGrant": {grantRequired}, "NoNamespace": {namespaceRequired}} {
		t.Run(name, func(t *testing.T) {
			req := proto.CloneOf(whole)
			for _, k := range missing {
				delete(req.GetRequiredResources(), k)
			}
			rsp, err := Run(req)
			if err != nil {
				t.Fatal(err)
			}
			if len(rsp.GetDesired().GetResources()) != 1 || grant.IsHeld(rsp.GetConditions()[0].GetMessage()) {
				t.Errorf("got %v", rsp)
			}
			sel := rsp.GetRequirements().GetResources()
			if g := sel[grantRequired]; g.GetMatchName() != "clusterfleet.eu" || g.GetNamespace() != "platform" || sel[namespaceRequired].GetMatchName() != "platform" {
				t.Errorf("it asks for %v", sel)
			}
		})
	}
}
