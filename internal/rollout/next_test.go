package rollout

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files")

// TestTranscripts tells stories, and compares them with the files in testdata as
// prose: read those to learn how a Rollout behaves.
func TestTranscripts(t *testing.T) {
	cases := map[string]tale{
		"first-rollout": {
			reason: "A new application reaches five clusters, two at a time.",
			play: func(s *story) {
				s.world(v1alpha1.RolloutStrategy{MaxConcurrent: number(2)}).join("c-1", "c-2", "c-3", "c-4", "c-5")
				s.tell("The application is new.")
				s.untilDone()
			},
		},
		"new-revision-breaks": {
			reason: "A revision that breaks clusters stops at maxUnavailable, and is mended by the next revision.",
			play: func(s *story) {
				w := s.world(v1alpha1.RolloutStrategy{MaxConcurrent: number(3), MaxUnavailable: number(2)})
				w.join("c-1", "c-2", "c-3", "c-4")
				s.quietlyUntilDone()
				s.tell("All runs. Now a revision that breaks whatever it touches.")
				w.bad["shop.2"] = true
				w.want("shop.2", true)
				s.turns(3)
				s.tell("A revision that works.")
				w.want("shop.3", true)
				s.untilDone()
			},
		},
		"clusters-come-and-go": {
			reason: "A cluster joins, one is unreachable, one is retired, one leaves the placement.",
			play: func(s *story) {
				w := s.world(v1alpha1.RolloutStrategy{MaxConcurrent: percent("50%")})
				w.join("c-1", "c-2", "c-3", "c-4")
				s.quietlyUntilDone()
				s.tell("c-5 joins but is not ready yet, c-2 is being deleted, c-3 is not placed any more.")
				w.join("c-5")
				w.clusters[reference("c-5")] = ClusterNotReady
				w.clusters[reference("c-2")] = ClusterDeleting
				delete(w.targets, "c-2")
				delete(w.targets, "c-3")
				s.turns(2)
				s.tell("c-5 becomes ready, c-1 does not answer any more.")
				w.clusters[reference("c-5")] = ClusterReady
				w.clusters[reference("c-1")] = ClusterNotReady
				s.turns(3)
				s.tell("A new revision finds c-1 not there.")
				w.want("shop.2", true)
				s.turns(3)
				s.tell("c-1 is back.")
				w.clusters[reference("c-1")] = ClusterReady
				s.untilDone()
			},
		},
		"paused": {
			reason: "A pause lets finish what is in motion and starts nothing, except the drain of a cluster that is being deleted.",
			play: func(s *story) {
				w := s.world(v1alpha1.RolloutStrategy{MaxConcurrent: number(1)})
				w.join("c-1", "c-2", "c-3")
				s.quietlyUntilDone()
				w.want("shop.2", true)
				s.turns(1)
				s.tell("A pause, while c-1 is in motion and c-3 is being deleted.")
				w.spec.Strategy.Paused = true
				w.clusters[reference("c-3")] = ClusterDeleting
				s.turns(4)
				s.tell("The pause ends.")
				w.spec.Strategy.Paused = false
				s.untilDone()
			},
		},
		"inventory-lost": {
			reason: "An inventory that is empty, or a placement that cannot be resolved, removes nothing.",
			play: func(s *story) {
				w := s.world(v1alpha1.RolloutStrategy{MaxConcurrent: number(2)})
				w.join("c-1", "c-2", "c-3")
				s.quietlyUntilDone()
				s.tell("The inventory is empty.")
				before := w.clusters
				w.clusters = map[v1alpha1.ClusterReference]ClusterState{}
				w.blocked = `no cluster lists namespace "team-a" as a tenant`
				s.turns(2)
				s.tell("Two of the clusters are known to be gone, the third is not.")
				w.clusters = map[v1alpha1.ClusterReference]ClusterState{reference("c-1"): ClusterGone, reference("c-2"): ClusterGone}
				s.turns(2)
				s.tell("Placement works again, but c-3 is still not in the inventory.")
				w.blocked = ""
				s.turns(1)
				s.tell("It is.")
				w.clusters = before
				s.untilDone()
			},
		},
		"variants": {
			reason: "Clusters whose overrides have no Bundle yet wait, and the function is told what to render.",
			play: func(s *story) {
				w := s.world(v1alpha1.RolloutStrategy{})
				w.join("c-1", "c-2", "c-3")
				for _, n := range []string{"c-2", "c-3"} {
					target := w.targets[n]
					target.Overrides = []string{"big", "eu"}
					w.targets[n] = target
				}
				s.tell("Two clusters need a variant that is not rendered yet.")
				s.turns(2)
				s.tell("It is named, but not there yet.")
				w.spec.Variants = append(w.spec.Variants, v1alpha1.Variant{Overrides: []string{"big", "eu"}, Bundle: "shop.1eu"})
				s.turns(1)
				s.tell("It is there.")
				w.bundles["shop.1eu"] = true
				s.untilDone()
				s.tell("The whole application goes.")
				w.spec.Leaving = true
				s.turns(3)
			},
		},
	}
	for _, more := range []map[string]tale{tales(), imageTales()} {
		maps.Copy(cases, more)
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := &story{t: t}
			s.tell(tc.reason)
			tc.play(s)
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(s.text.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("cannot read golden file, write it with -update: %v", err)
			}
			if diff := cmp.Diff(string(want), s.text.String()); diff != "" {
				t.Errorf("\n%s\nTranscript: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// A story is a world, and what is told of it.
type story struct {
	t    *testing.T
	w    *world
	n    int
	text strings.Builder
}

func (s *story) world(strategy v1alpha1.RolloutStrategy) *world {
	s.w = newWorld(strategy)
	return s.w
}

func (s *story) tell(text string) { s.text.WriteString(text + "\n\n") }

// turns of the Rollout, each followed by one of every Release.
func (s *story) turns(count int) Decision {
	d := Decision{}
	for range count {
		s.n++
		o, decided := s.w.next()
		d = decided
		if s.w.spec.Strategy.MaxConcurrent != nil && !strings.HasSuffix(s.w.spec.Strategy.MaxConcurrent.String(), "%") && !s.w.spec.Leaving {
			check(s.t, s.w, o, d)
		}
		fmt.Fprintf(&s.text, "%d.\n%s\n", s.n, transcript(d))
		s.w.obey(d)
		s.w.turnAll()
		s.w.now = s.w.now.Add(time.Minute)
	}
	return d
}

func (s *story) untilDone() {
	for range 50 {
		if s.turns(1).Done {
			return
		}
	}
	s.t.Fatal("the story has no end")
}

// quietlyUntilDone skips what other stories tell.
func (s *story) quietlyUntilDone() {
	before := s.text.String()
	s.untilDone()
	s.text.Reset()
	s.text.WriteString(before)
	s.n = 0
}

func TestNextReports(t *testing.T) {
	ref := reference("c-1")
	w := newWorld(v1alpha1.RolloutStrategy{MaxConcurrent: percent("200%"), MaxUnavailable: percent("nonsense")})
	w.join("c-1", "c-2")
	o := w.observe(nil)
	o.Taken["shop.platform.prod.c-1"] = true
	o.Releases = []Release{{
		Name: "shop.platform.prod.old", Cluster: reference("old"), Deleting: true, Failed: true, Failure: "cluster does not answer",
		Wanted: Payload{Bundle: "shop.0"}, Applied: Payload{Bundle: "shop.00"},
	}, {
		Name: "shop.platform.prod.c-2", Cluster: reference("c-2"), Failed: true,
		Wanted: Payload{Bundle: "shop.1", Namespace: "team-a"}, Applied: Payload{Bundle: "shop.1", Namespace: "team-a"},
		Components: []v1alpha1.ComponentHealth{{Name: "web", Health: v1alpha1.Degraded, Message: "broken"}, {Name: "db", Health: v1alpha1.Healthy}},
	}}
	d := Next(w.spec, o, w.now)

	digest := Digest(w.spec.RolloutParameters)
	want := v1alpha1.RolloutObservation{
		Phase: v1alpha1.RolloutWaiting, Digest: digest, Epoch: 1, Began: 1,
		Message:      `updated on 1 of 2 clusters, healthy on 0; 1 to be removed; 3 failed; prod.c-1: Release "shop.platform.prod.c-1" exists and belongs to somebody else: delete it`,
		Clusters:     v1alpha1.RolloutCount{Total: 2, Updated: 1, Failed: 3},
		Variants:     []v1alpha1.VariantNeed{{Clusters: 2}},
		BundlesInUse: []string{"shop.0", "shop.00", "shop.1"},
		Components:   []v1alpha1.ComponentCount{{Name: "web", Total: 2, Message: "prod.c-2: broken"}, {Name: "db", Healthy: 1, Total: 2}},
		Problems: []v1alpha1.ReleaseProblem{
			{Cluster: "prod.c-1", Message: `Release "shop.platform.prod.c-1" exists and belongs to somebody else: delete it`},
			{Cluster: "prod.c-2", Message: "cannot be brought to what is wanted"},
			{Cluster: "prod.old", Message: "cluster does not answer"},
		},
	}
	if diff := cmp.Diff(want, d.Status); diff != "" {
		t.Errorf("\nA status counts, and names what is wrong.\nNext(...): -want, +got:\n%s", diff)
	}
	if d.Acts() || d.Done {
		t.Errorf("there is nothing to do, and yet it is not done: %+v", d)
	}

	o.Clusters = map[v1alpha1.ClusterReference]ClusterState{ref: ClusterReady}
	spec := Spec{RolloutParameters: v1alpha1.RolloutParameters{Application: "shop"}}
	empty := Next(spec, Observed{}, w.now)
	digest = Digest(spec.RolloutParameters)
	nothing := Decision{Done: true, Epoch: 1, PersistFirst: true, Status: v1alpha1.RolloutObservation{
		Message: "no cluster is placed", Phase: v1alpha1.RolloutCompleted, Digest: digest, Epoch: 1, Began: 1,
		Reached: &v1alpha1.RolloutRevision{Digest: digest, At: metav1.NewTime(w.now), Epoch: 1},
	}}
	if diff := cmp.Diff(nothing, empty); diff != "" {
		t.Errorf("\nA placement may be empty where it says so.\nNext(...): -want, +got:\n%s", diff)
	}
}
