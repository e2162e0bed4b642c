package metrics

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/events"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestRollouts(t *testing.T) {
	c := clocktesting.NewFakePassiveClock(now)
	s := New(c)
	reg := prometheus.NewRegistry()
	for range 2 {
		if err := s.Register(reg); err != nil {
			t.Fatalf("Register(...): a Set may be registered again: %v", err)
		}
	}
	ago := metav1.NewTime(now.Add(-90 * time.Second))
	ro := &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "shop"}}
	before := v1alpha1.RolloutObservation{Digest: "d", Phase: v1alpha1.RolloutProgressing}
	ro.Status.AtProvider = v1alpha1.RolloutObservation{
		Digest:   "d",
		Phase:    v1alpha1.RolloutHalted,
		Clusters: v1alpha1.RolloutCount{Total: 5, Updated: 3, Ready: 2, Failed: 1},
		Waves: []v1alpha1.WaveStatus{
			{Name: "canary", Phase: v1alpha1.WaveOver, Started: &ago},
			{Name: "rest", Phase: v1alpha1.WaveGated, Gates: []v1alpha1.GateStatus{{Name: "errors", Since: &ago}, {Name: "go", Open: true, Since: &ago}, {Name: "later"}}},
		},
		Components: []v1alpha1.ComponentCount{{Name: "web", Healthy: 2, Total: 5}},
		Images:     &v1alpha1.RolloutImages{Left: 1, Images: []v1alpha1.ResolvedImage{{Image: "a:1", Digest: "d"}, {Image: "b:1", Digest: "d"}, {Image: "c:1"}}},
		Preflight: &v1alpha1.PreflightStatus{Findings: []v1alpha1.Finding{
			{Cause: "C1", Severity: v1alpha1.Blocking, Clusters: 2}, {Cause: "C1", Severity: v1alpha1.Blocking, Clusters: 3},
			{Cause: "B2", Severity: v1alpha1.Warning, Clusters: 1, Waived: "yes"},
		}},
	}
	var reasons []string
	for _, e := range s.Rollouts.Saw(ro, before) {
		reasons = append(reasons, e.Reason)
	}
	if diff := cmp.Diff([]string{events.WaveStarted, events.Halted}, reasons); diff != "" {
		t.Errorf("Saw(...): -want, +got:\n%s", diff)
	}

	want := []string{
		`mainstay_preflight_findings{cause="C1",namespace="team-a",rollout="shop",severity="Blocking"} 3`,
		`mainstay_rollout_clusters{namespace="team-a",rollout="shop",state="failed"} 1`,
		`mainstay_rollout_clusters{namespace="team-a",rollout="shop",state="in_motion"} 0`,
		`mainstay_rollout_clusters{namespace="team-a",rollout="shop",state="parked"} 0`,
		`mainstay_rollout_clusters{namespace="team-a",rollout="shop",state="ready"} 2`,
		`mainstay_rollout_clusters{namespace="team-a",rollout="shop",state="total"} 5`,
		`mainstay_rollout_clusters{namespace="team-a",rollout="shop",state="updated"} 3`,
		`mainstay_rollout_component_clusters{component="web",health="healthy",namespace="team-a",rollout="shop"} 2`,
		`mainstay_rollout_component_clusters{component="web",health="unhealthy",namespace="team-a",rollout="shop"} 3`,
		`mainstay_rollout_duration_seconds{outcome="Halted"} 90`,
		`mainstay_rollout_events_total{reason="Halted"} 1`,
		`mainstay_rollout_events_total{reason="WaveStarted"} 1`,
		`mainstay_rollout_gate_closed_seconds{gate="errors",namespace="team-a",rollout="shop",wave="rest"} 90`,
		`mainstay_rollout_images{namespace="team-a",rollout="shop",state="as_written"} 2`,
		`mainstay_rollout_images{namespace="team-a",rollout="shop",state="pinned"} 2`,
		`mainstay_rollout_phase{namespace="team-a",phase="Halted",rollout="shop"} 1`,
		`mainstay_rollout_waves{namespace="team-a",phase="Gated",rollout="shop"} 1`,
		`mainstay_rollout_waves{namespace="team-a",phase="Over",rollout="shop"} 1`,
		`mainstay_targets 0`,
		`mainstay_targets_unreachable 0`,
	}
	if diff := cmp.Diff(want, gathered(t, reg)); diff != "" {
		t.Errorf("Gather(): -want, +got:\n%s", diff)
	}

	s.Rollouts.Forget(types.NamespacedName{Namespace: "team-a", Name: "shop"})
	for _, line := range gathered(t, reg) {
		if strings.Contains(line, "rollout=") {
			t.Errorf("An application that is gone leaves no series behind: got %s", line)
		}
	}
}

func TestCalls(t *testing.T) {
	s := New(clocktesting.NewFakePassiveClock(now))
	reg := prometheus.NewRegistry()
	if err := s.Register(reg); err != nil {
		t.Fatal(err)
	}
	eu, us := types.NamespacedName{Namespace: "platform", Name: "prod.eu-1"}, types.NamespacedName{Namespace: "platform", Name: "prod.us-1"}
	s.Targets.Called(eu, "GET", 200, time.Second)
	s.Targets.Called(us, "PATCH", 0, 5*time.Second)
	s.Targets.Called(us, "BREW", 418, time.Second)
	s.Targets.Called(us, "GET", 0, time.Second)
	s.Releases.Applied(2*time.Second, ApplyDone)
	s.Releases.Objects(ObjectApplied, 10)
	s.Releases.Objects(ObjectPruned, 0)
	s.Preflight.Checked(time.Millisecond, CheckClean)
	s.Preflight.Checked(0, CheckKept)
	s.Rollouts.Moved("create")

	want := []string{
		`mainstay_preflight_checks_total{result="clean"} 1`,
		`mainstay_preflight_checks_total{result="kept"} 1`,
		`mainstay_preflight_duration_seconds{result="clean"} 0.001`,
		`mainstay_release_apply_duration_seconds{outcome="done"} 2`,
		`mainstay_release_objects_total{action="applied"} 10`,
		`mainstay_rollout_moves_total{action="create"} 1`,
		`mainstay_target_request_duration_seconds{method="GET"} 2`,
		`mainstay_target_request_duration_seconds{method="OTHER"} 1`,
		`mainstay_target_request_duration_seconds{method="PATCH"} 5`,
		`mainstay_target_requests_total{code="200",method="GET"} 1`,
		`mainstay_target_requests_total{code="418",method="OTHER"} 1`,
		`mainstay_target_requests_total{code="unreachable",method="GET"} 1`,
		`mainstay_target_requests_total{code="unreachable",method="PATCH"} 1`,
		`mainstay_targets 2`,
		`mainstay_targets_unreachable 1`,
	}
	if diff := cmp.Diff(want, gathered(t, reg)); diff != "" {
		t.Errorf("Gather(): -want, +got:\n%s", diff)
	}
	s.Targets.Forget(us)
	if got := gathered(t, reg); !slices.Contains(got, "mainstay_targets_unreachable 0") {
		t.Errorf("A cluster that is gone is not unreachable: got %v", got)
	}
}

// TestCardinality holds the package to what it promises.
func TestCardinality(t *testing.T) {
	s := New(clocktesting.NewFakePassiveClock(now))
	for _, c := range slices.Concat(s.Rollouts.collectors(), s.Releases.collectors(), s.Preflight.collectors(), s.Targets.collectors()) {
		descs := make(chan *prometheus.Desc, 20)
		c.Describe(descs)
		close(descs)
		_, histogram := c.(*prometheus.HistogramVec)
		for d := range descs {
			if strings.Contains(d.String(), "variableLabels: {cluster") || strings.Contains(d.String(), ",cluster") {
				t.Errorf("No label names a cluster: got %s", d)
			}
			if histogram && strings.Contains(d.String(), "rollout}") {
				t.Errorf("No histogram names an application: got %s", d)
			}
		}
	}
}

// gathered metrics, one a line. A histogram is its sum.
func gathered(t *testing.T, g prometheus.Gatherer) []string {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := f.GetName()
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			out = append(out, fmt.Sprintf("%s %v", name, m.GetCounter().GetValue()+m.GetGauge().GetValue()+m.GetHistogram().GetSampleSum()))
		}
	}
	slices.Sort(out)
	return out
}
