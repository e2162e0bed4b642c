// Package dashboards proves that what dashboards and alerts ask for is there to be asked.
package dashboards

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/metrics"
)

// exposed are the labels of every metric of the provider, once each was touched.
func exposed(t *testing.T) map[string]map[string]bool {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s, reg := metrics.New(clocktesting.NewFakePassiveClock(now)), prometheus.NewRegistry()
	if err := s.Register(reg); err != nil {
		t.Fatal(err)
	}
	ago := metav1.NewTime(now.Add(-time.Minute))
	ro := &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "shop"}}
	ro.Status.AtProvider = v1alpha1.RolloutObservation{
		Digest: "d", Phase: v1alpha1.RolloutCompleted, Clusters: v1alpha1.RolloutCount{Total: 1},
		Waves:      []v1alpha1.WaveStatus{{Name: "w", Phase: v1alpha1.WaveGated, Started: &ago, Gates: []v1alpha1.GateStatus{{Name: "g", Since: &ago}}}},
		Components: []v1alpha1.ComponentCount{{Name: "web", Total: 1}},
		Images:     &v1alpha1.RolloutImages{},
		Preflight:  &v1alpha1.PreflightStatus{Findings: []v1alpha1.Finding{{Cause: "C1", Severity: v1alpha1.Blocking, Clusters: 1}}},
	}
	s.Rollouts.Saw(ro, v1alpha1.RolloutObservation{})
	s.Rollouts.Moved("create")
	s.Releases.Applied(time.Second, metrics.ApplyDone)
	s.Releases.Objects(metrics.ObjectApplied, 1)
	s.Preflight.Checked(time.Second, metrics.CheckClean)
	s.Targets.Called(types.NamespacedName{Name: "c"}, "GET", 200, time.Second)
	s.Repositories.Saw(&v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "claims"}})
	s.Repositories.Polled(nil)
	s.Repositories.Failed("Unavailable")
	s.Repositories.Delivered(metrics.DeliveryTaken)
	c := &v1alpha1.Change{}
	c.Status.AtProvider = v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeCompleted, Timeline: []v1alpha1.ChangeMoment{
		{Phase: v1alpha1.ChangePending, At: ago}, {Phase: v1alpha1.ChangeCompleted, At: metav1.NewTime(now)},
	}}
	s.Changes.Saw(c, v1alpha1.ChangeObservation{})

	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]bool{}
	for _, f := range families {
		labels := map[string]bool{}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = true
			}
		}
		out[f.GetName()] = labels
		if f.GetType() == dto.MetricType_HISTOGRAM {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				out[f.GetName()+suffix] = maps.Clone(labels)
			}
			out[f.GetName()+"_bucket"]["le"] = true
			delete(out, f.GetName())
		}
	}
	return out
}

// expressions of the dashboard and of the alerts, by where they are.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	dashboard := struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}{}
	read(t, "mainstay.json", json.Unmarshal, &dashboard)
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			out["panel "+p.Title+": "+target.Expr] = target.Expr
		}
	}
	for _, v := range dashboard.Templating.List {
		if v.Definition != "" {
			out["variable "+v.Name] = regexp.MustCompile(`label_values\((.*), \w+\)`).ReplaceAllString(v.Definition, "$1")
		}
	}
	alerts := struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}{}
	read(t, "alerts.yaml", func(b []byte, v any) error { return yaml.Unmarshal(b, v) }, &alerts)
	for _, g := range alerts.Groups {
		for _, r := range g.Rules {
			out["alert "+r.Alert] = r.Expr
		}
	}
	return out
}

func read(t *testing.T, file string, parse func([]byte, any) error, into any) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := parse(raw, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

var (
	selectors = regexp.MustCompile(`([a-z_]+)\{([^}]*)\}`)
	matchers  = regexp.MustCompile(`([a-z_]+)(?:=~|!=|!~|=)"`)
	groupings = regexp.MustCompile(`\b(?:by|on|ignoring) \(([^)]*)\)`)
	literals  = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]`)
	words     = regexp.MustCompile(`[a-zA-Z_][a-zA-Z0-9_]*`)
)

// language is all of PromQL that is used here.
var language = []string{"sum", "max", "count", "rate", "increase", "changes", "histogram_quantile", "vector", "and", "or"}

// TestMetricsExist holds every expression to the metrics that there are, and to their labels.
func TestMetricsExist(t *testing.T) {
	there := exposed(t)
	used := map[string]bool{}
	for where, expr := range expressions(t) {
		if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
			t.Errorf("%s: brackets do not match", where)
		}
		var metricsOf []string
		rest := literals.ReplaceAllString(groupings.ReplaceAllString(expr, ""), "")
		for _, w := range words.FindAllString(rest, -1) {
			if slices.Contains(language, w) {
				continue
			}
			if there[w] == nil {
				t.Errorf("%s: nothing is called %s", where, w)
				continue
			}
			used[w], metricsOf = true, append(metricsOf, w)
		}
		for _, s := range selectors.FindAllStringSubmatch(expr, -1) {
			for _, m := range matchers.FindAllStringSubmatch(s[2], -1) {
				if !there[s[1]][m[1]] {
					t.Errorf("%s: %s has no label %s", where, s[1], m[1])
				}
			}
		}
		for _, g := range groupings.FindAllStringSubmatch(expr, -1) {
			for label := range strings.SplitSeq(g[1], ",") {
				if !slices.ContainsFunc(metricsOf, func(m string) bool { return there[m][strings.TrimSpace(label)] }) {
					t.Errorf("%s: no metric of it has the label %s", where, strings.TrimSpace(label))
				}
			}
		}
	}
	for name := range there {
		if !used[name] && !strings.HasSuffix(name, "_sum") && !strings.HasSuffix(name, "_count") {
			t.Errorf("%s is measured, and nobody looks at it", name)
		}
	}
}

// TestDocumented holds the page to the metrics, and to the alerts.
func TestDocumented(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "docs", "operate.md"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for name := range exposed(t) {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, suffix)
		}
		want = append(want, name)
	}
	slices.Sort(want)
	want = slices.Compact(want)
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(mainstay_[a-z_]+)`").FindAllStringSubmatch(string(raw), -1) {
		got = append(got, m[1])
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/operate.md lists every metric: -want, +got:\n%s", diff)
	}
	for where := range expressions(t) {
		if alert, ok := strings.CutPrefix(where, "alert "); ok && !strings.Contains(string(raw), "`"+alert+"`") {
			t.Errorf("docs/operate.md says nothing of alert %s", alert)
		}
	}
}
