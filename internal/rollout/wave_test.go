package rollout

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func selects(name, region string) v1alpha1.Wave {
	return v1alpha1.Wave{Name: name, ClusterLabelSelector: map[string]string{"region": region}}
}

func TestRefuses(t *testing.T) {
	canary := v1alpha1.Wave{Name: "canary", Canary: ptr.To(int32(1))}
	cases := map[string]struct {
		reason   string
		strategy v1alpha1.RolloutStrategy
		steps    []v1alpha1.RolloutStep
		want     string
	}{
		"Fine": {
			reason:   "A canary out of what a later wave selects is no overlap, and the last wave is the rest.",
			strategy: v1alpha1.RolloutStrategy{Waves: []v1alpha1.Wave{canary, selects("europe", "eu"), {Name: "rest"}}},
		},
		"Overlap": {
			reason:   "A cluster that two selectors match would go twice.",
			strategy: v1alpha1.RolloutStrategy{Waves: []v1alpha1.Wave{selects("a", "eu"), selects("b", "eu"), {Name: "rest"}}},
			want:     `cluster "prod.eu-1" is in the waves "a" and "b": let only one of them select it; cluster "prod.eu-2" is in the waves "a" and "b": let only one of them select it; wave "b" has no cluster: correct it, or set allowEmpty`,
		},
		"Empty": {
			reason:   "A wave without a cluster was not meant.",
			strategy: v1alpha1.RolloutStrategy{Waves: []v1alpha1.Wave{selects("moon", "moon"), {Name: "rest"}}},
			want:     `wave "moon" has no cluster: correct it, or set allowEmpty`,
		},
		"EmptyOnPurpose": {
			reason:   "Unless it says so.",
			strategy: v1alpha1.RolloutStrategy{Waves: []v1alpha1.Wave{{Name: "moon", AllowEmpty: true, ClusterLabelSelector: map[string]string{"region": "moon"}}, {Name: "rest"}}},
		},
		"LeftOut": {
			reason:   "A cluster in no wave would never be moved.",
			strategy: v1alpha1.RolloutStrategy{Waves: []v1alpha1.Wave{canary, selects("europe", "eu")}},
			want:     `2 clusters are in no wave: prod.us-2, prod.us-3: end with a wave that has no selector, canary or size`,
		},
		"NoStep": {
			reason: "A cluster that no step deploys to would never be moved either.",
			steps:  []v1alpha1.RolloutStep{{Name: "europe", Type: v1alpha1.StepDeploy, Topologies: []string{"eu"}}},
			want:   `3 clusters are deployed to by no step: prod.us-1, prod.us-2, prod.us-3: add a Deploy step for them, or leave them out of the placement`,
		},
		"Steps": {
			reason: "Steps that can never run are found before the first one does.",
			steps: []v1alpha1.RolloutStep{
				{Name: "all", Type: v1alpha1.StepDeploy, DependsOn: []string{"a"}},
				{Name: "a", Type: v1alpha1.StepSuspend, DependsOn: []string{"b"}}, {Name: "b", Type: v1alpha1.StepSuspend, DependsOn: []string{"a"}},
				{Name: "c", Type: v1alpha1.StepSuspend, DependsOn: []string{"nothing"}},
				{Name: "d", Type: v1alpha1.StepDependsOnApp}, {Name: "e", Type: v1alpha1.StepNotify},
			},
			want: `step "c": dependsOn names "nothing", which is no step; step "d": application is missing; step "e": webhook is missing; steps "all" and "a" and "b" wait for each other, or for one that does: correct dependsOn`,
		},
		"Condition": {
			reason: "A condition that is no expression is refused.",
			steps:  []v1alpha1.RolloutStep{{Name: "all", Type: v1alpha1.StepDeploy, If: "status.all.failed &&"}},
			want:   `step "all": if: expression "status.all.failed &&" is not valid: 1:21: Syntax error: mismatched input '<EOF>'`,
		},
		"Gates": {
			reason: "So is a gate.",
			strategy: v1alpha1.RolloutStrategy{Waves: []v1alpha1.Wave{{Name: "all", Gates: []v1alpha1.Gate{
				{Name: "cel", CEL: &v1alpha1.CELGate{Expression: "waves.ready > 1"}},
				{Name: "metric", Prometheus: &v1alpha1.PrometheusGate{Condition: "value + 1"}},
			}}}},
			want: `gate "cel" of wave "all": expression "waves.ready > 1" is not valid: 1:1: undeclared reference to 'waves'`,
		},
		"Freezes": {
			reason:   "And so is a freeze.",
			strategy: v1alpha1.RolloutStrategy{Freezes: []v1alpha1.Freeze{{Name: "f", Start: "22:00", End: "06:00", TimeZone: "Mars/Olympus"}}},
			want:     `freeze "f": time zone "Mars/Olympus" is not known: write one such as Asia/Shanghai`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(tc.strategy)
			w.spec.Steps = tc.steps
			w.join("eu-1", "eu-2", "us-1", "us-2", "us-3")
			_, d := w.next()
			if refused := d.Status.Phase == v1alpha1.RolloutBlocked; refused != (tc.want != "") || refused == d.Acts() {
				t.Errorf("\n%s\nwant %q, got phase %s, %s, starts %t", tc.reason, tc.want, d.Status.Phase, d.Status.Message, d.Acts())
			}
			if got := d.Status.Message; tc.want != "" && !strings.HasPrefix(got, tc.want) {
				t.Errorf("\n%s\nNext(...): -want, +got:\n%s", tc.reason, cmp.Diff(tc.want, got))
			}
		})
	}
}

// members of waves, by name.
func (w *world) wavesNow(t *testing.T) map[string]string {
	t.Helper()
	n := newPlan(w.spec, w.observe(nil), w.now)
	n.revise()
	n.place()
	out := map[string]string{}
	for _, wave := range n.waves {
		names := make([]string, 0, len(wave.members))
		for _, m := range wave.members {
			names = append(names, m.Target.Name)
		}
		out[wave.name] = strings.Join(names, " ")
	}
	return out
}

func TestWaves(t *testing.T) {
	cases := map[string]struct {
		reason string
		waves  []v1alpha1.Wave
		strata []string
		steps  []v1alpha1.RolloutStep
		want   map[string]string
	}{
		"Canary": {
			reason: "A canary wave holds one of each stratum.",
			waves:  []v1alpha1.Wave{{Name: "canary", Canary: ptr.To(int32(1))}, {Name: "rest"}},
			want:   map[string]string{"canary": "ap-1 eu-1 us-1", "rest": "eu-2 us-2 us-3 us-4"},
		},
		"OtherStrata": {
			reason: "By whatever labels strata go.",
			waves:  []v1alpha1.Wave{{Name: "canary", Canary: ptr.To(int32(1))}, {Name: "rest"}},
			strata: []string{"class"},
			want:   map[string]string{"canary": "ap-1", "rest": "eu-1 eu-2 us-1 us-2 us-3 us-4"},
		},
		"Sizes": {
			reason: "A wave of a size takes evenly from the strata.",
			waves:  []v1alpha1.Wave{{Name: "a", Size: number(2)}, {Name: "b", Size: percent("30%")}, {Name: "rest"}},
			want:   map[string]string{"a": "ap-1 eu-1", "b": "eu-2 us-1 us-2", "rest": "us-3 us-4"},
		},
		"CanaryOfSelected": {
			reason: "A canary may be of what a selector matches.",
			waves: []v1alpha1.Wave{
				{Name: "us-canary", Canary: ptr.To(int32(2)), ClusterLabelSelector: map[string]string{"region": "us"}},
				selects("us", "us"), {Name: "rest"},
			},
			want: map[string]string{"us-canary": "us-1 us-2", "us": "us-3 us-4", "rest": "ap-1 eu-1 eu-2"},
		},
		"Steps": {
			reason: "Each step has waves of its own, and a cluster belongs to the first that selects it.",
			waves:  []v1alpha1.Wave{{Name: "canary", Canary: ptr.To(int32(1))}, {Name: "rest", AllowEmpty: true}},
			steps:  []v1alpha1.RolloutStep{{Name: "us", Type: v1alpha1.StepDeploy, Topologies: []string{"us"}}, {Name: "all", Type: v1alpha1.StepDeploy}},
			want:   map[string]string{"us/canary": "us-1", "us/rest": "us-2 us-3 us-4", "all/canary": "ap-1 eu-1", "all/rest": "eu-2"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(v1alpha1.RolloutStrategy{Waves: tc.waves, Strata: tc.strata})
			w.spec.Steps = tc.steps
			w.join("eu-1", "eu-2", "us-1", "us-2", "us-3", "us-4", "ap-1")
			if diff := cmp.Diff(tc.want, w.wavesNow(t)); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	many := func(n int) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprintf("eu-%02d", i))
		}
		return out
	}
	cases := map[string]struct {
		reason   string
		strategy v1alpha1.RolloutStrategy
		steps    []v1alpha1.RolloutStep
		want     int
	}{
		"Default": {reason: "Without a word it is ten.", want: 10},
		"Percent": {reason: "A percentage is rounded up.", strategy: v1alpha1.RolloutStrategy{MaxConcurrent: percent("21%")}, want: 5},
		"Wave": {
			reason:   "A wave may have fewer.",
			strategy: v1alpha1.RolloutStrategy{Waves: []v1alpha1.Wave{{Name: "a", MaxConcurrent: percent("10%")}}},
			want:     2,
		},
		"Step": {
			reason: "So may a step.",
			steps:  []v1alpha1.RolloutStep{{Name: "a", Type: v1alpha1.StepDeploy, MaxConcurrent: ptr.To(int32(3))}},
			want:   3,
		},
		"Global": {
			reason:   "But none may have more.",
			strategy: v1alpha1.RolloutStrategy{MaxConcurrent: number(4), Waves: []v1alpha1.Wave{{Name: "a", MaxConcurrent: number(8)}}},
			want:     4,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(tc.strategy)
			w.spec.Steps = tc.steps
			w.join(many(20)...)
			for range 2 {
				_, d := w.next()
				w.obey(d)
				if got := int(d.Status.Clusters.InMotion); got != tc.want {
					t.Errorf("\n%s\nwant %d in motion, got %d", tc.reason, tc.want, got)
				}
			}
		})
	}
}

func TestProgressDeadline(t *testing.T) {
	w := newWorld(v1alpha1.RolloutStrategy{MaxConcurrent: number(1), FailureBudget: number(0), ProgressDeadline: minutes(5)})
	w.join("eu-1", "eu-2")
	_, d := w.next()
	w.obey(d)
	_, d = w.next()
	if want := w.now.Add(5 * time.Minute); !d.Wake.Equal(want) {
		t.Errorf("it is looked at again at the deadline: want %s, got %s", want, d.Wake)
	}
	w.now = w.now.Add(5 * time.Minute)
	_, d = w.next()
	want := "halted: 1 cluster failed, and the failure budget is 0: prod.eu-1: is not there after 5m0s"
	if d.Status.Phase != v1alpha1.RolloutHalted || !strings.Contains(d.Status.Message, want) {
		t.Errorf("what takes too long has failed: want %q, got %s, %q", want, d.Status.Phase, d.Status.Message)
	}
}

func TestFailsClosed(t *testing.T) {
	w := newWorld(v1alpha1.RolloutStrategy{Waves: []v1alpha1.Wave{{Name: "a", Gates: []v1alpha1.Gate{{Name: "g", When: v1alpha1.GateBefore, CEL: &v1alpha1.CELGate{Expression: `wave.components["none"].healthy > 0`}}}}}})
	w.join("eu-1")
	_, d := w.next()
	want := `wave "a" waits for gate "g": cannot evaluate`
	if d.Acts() || !strings.Contains(d.Status.Message, want) {
		t.Errorf("an expression that cannot be evaluated is a closed gate: want %q, got %q", want, d.Status.Message)
	}
	w.spec.Strategy.Waves[0].Gates[0] = v1alpha1.Gate{Name: "g", When: v1alpha1.GateBefore, Webhook: &v1alpha1.WebhookGate{URL: "http://gate"}}
	_, d = w.next()
	if d.Acts() || len(d.Ask) != 1 || d.Ask[0].Key != "gate/a/g" || d.Wake.IsZero() {
		t.Errorf("a gate that was not asked yet is closed, and is to be asked: got %+v", d)
	}
}

func TestStatusLost(t *testing.T) {
	w := newWorld(v1alpha1.RolloutStrategy{})
	w.join("eu-1")
	for _, bundle := range []string{"shop.1", "shop.2", "shop.3"} {
		w.want(bundle, true)
		_, d := w.next()
		w.obey(d)
		w.turnAll()
	}
	w.status = v1alpha1.RolloutObservation{}
	w.want("shop.4", true)
	_, d := w.next()
	if d.Epoch != 4 || len(d.Update) != 1 || !d.PersistFirst {
		t.Errorf("an epoch goes on from what Releases carry: got epoch %d, %d updates, persist first %t", d.Epoch, len(d.Update), d.PersistFirst)
	}
}

func TestDigest(t *testing.T) {
	base := v1alpha1.RolloutParameters{Variants: []v1alpha1.Variant{{Bundle: "a.1"}}}
	same := *base.DeepCopy()
	same.Strategy.MaxConcurrent = number(3)
	same.Control = &v1alpha1.RolloutControl{Retry: 1}
	same.Steps = []v1alpha1.RolloutStep{}
	if Digest(base) != Digest(same) {
		t.Errorf("how it gets there is not part of a revision")
	}
	other := *base.DeepCopy()
	other.Steps = []v1alpha1.RolloutStep{{Name: "s", Timeout: &metav1.Duration{Duration: time.Minute}}}
	if Digest(base) == Digest(other) || len(Digest(base)) != digestLength {
		t.Errorf("its steps are")
	}
}
