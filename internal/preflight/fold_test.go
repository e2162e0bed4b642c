package preflight

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func TestFold(t *testing.T) {
	missing := func(message string) v1alpha1.Finding {
		return v1alpha1.Finding{Cause: "C1", Severity: v1alpha1.Blocking, Object: "Deployment/web", Field: "f", Message: message, Clusters: 1}
	}
	warned := v1alpha1.Finding{Cause: "C6", Severity: v1alpha1.Warning, Object: "Deployment/web", Field: "image", Message: "no tag", Clusters: 1}
	waived := missing("gone")
	waived.Waived = "known"
	all := map[string][]v1alpha1.Finding{"eu.clean": nil, "eu.waived": {waived}}
	for i := range 7 {
		all[fmt.Sprintf("eu.c%d", i)] = []v1alpha1.Finding{warned, missing("gone")}
	}
	all["eu.other"] = []v1alpha1.Finding{missing("something else")}

	got := Fold("d1", all)
	want := v1alpha1.PreflightStatus{
		Digest: "d1", Checked: 10, Blocking: 8,
		Findings: []v1alpha1.Finding{
			{Cause: "C1", Severity: v1alpha1.Blocking, Object: "Deployment/web", Field: "f", Message: "gone", Clusters: 8, Examples: []string{"eu.c0", "eu.c1", "eu.c2", "eu.c3", "eu.c4"}},
			{Cause: "C6", Severity: v1alpha1.Warning, Object: "Deployment/web", Field: "image", Message: "no tag", Clusters: 7, Examples: []string{"eu.c0", "eu.c1", "eu.c2", "eu.c3", "eu.c4"}},
			{Cause: "C1", Severity: v1alpha1.Blocking, Object: "Deployment/web", Field: "f", Message: "gone", Clusters: 1, Examples: []string{"eu.waived"}, Waived: "known"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Fold(...): -want, +got:\n%s", diff)
	}

	many := map[string][]v1alpha1.Finding{}
	for i := range 50 {
		many["c"] = append(many["c"], v1alpha1.Finding{Cause: "C1", Severity: v1alpha1.Blocking, Field: fmt.Sprint(i)})
	}
	if got := len(Fold("d", many).Findings); got != maxFolded {
		t.Errorf("Fold(...): want %d findings at most, got %d", maxFolded, got)
	}
}

func TestWaive(t *testing.T) {
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	finding := v1alpha1.Finding{Cause: "B2", Severity: v1alpha1.Blocking, Object: "Deployment/web", Message: "too many"}
	waiver := func(change func(*v1alpha1.Waiver)) []v1alpha1.Waiver {
		w := v1alpha1.Waiver{Cause: "B2", Until: metav1.NewTime(now.Add(time.Hour)), Reason: "nodes come tomorrow"}
		change(&w)
		return []v1alpha1.Waiver{w}
	}
	const by = "nodes come tomorrow (until 2026-01-02T01:00:00Z)"
	cases := map[string]struct {
		reason      string
		waivers     []v1alpha1.Waiver
		wantWaived  string
		wantMessage string
	}{
		"ByCause":      {reason: "A waiver without an object is for all.", waivers: waiver(func(*v1alpha1.Waiver) {}), wantWaived: by, wantMessage: "too many"},
		"ByObject":     {reason: "It may name the object.", waivers: waiver(func(w *v1alpha1.Waiver) { w.Object = "Deployment/web" }), wantWaived: by, wantMessage: "too many"},
		"OtherObject":  {reason: "Another object is not accepted.", waivers: waiver(func(w *v1alpha1.Waiver) { w.Object = "Deployment/back" }), wantMessage: "too many"},
		"OtherCause":   {reason: "Nor is another cause.", waivers: waiver(func(w *v1alpha1.Waiver) { w.Cause = "B1" }), wantMessage: "too many"},
		"Cluster":      {reason: "A cluster may be named with its fleet.", waivers: waiver(func(w *v1alpha1.Waiver) { w.Clusters = []string{"eu.one"} }), wantWaived: by, wantMessage: "too many"},
		"ShortCluster": {reason: "Or without.", waivers: waiver(func(w *v1alpha1.Waiver) { w.Clusters = []string{"one"} }), wantWaived: by, wantMessage: "too many"},
		"OtherCluster": {reason: "Another cluster is not accepted.", waivers: waiver(func(w *v1alpha1.Waiver) { w.Clusters = []string{"eu.two", "ne"} }), wantMessage: "too many"},
		"Expired": {
			reason: "An expired waiver accepts nothing, and says so.", waivers: waiver(func(w *v1alpha1.Waiver) { w.Until = metav1.NewTime(now) }),
			wantMessage: "too many; the waiver for it expired at 2026-01-02T00:00:00Z",
		},
		"Renewed": {
			reason:     "Another waiver has taken its place.",
			waivers:    append(waiver(func(w *v1alpha1.Waiver) { w.Until = metav1.NewTime(now) }), waiver(func(*v1alpha1.Waiver) {})...),
			wantWaived: by, wantMessage: "too many",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Waive("eu.one", []v1alpha1.Finding{finding}, tc.waivers, now)
			if diff := cmp.Diff([]string{tc.wantWaived, tc.wantMessage}, []string{got[0].Waived, got[0].Message}); diff != "" {
				t.Errorf("\n%s\nWaive(...): -want, +got:\n%s", tc.reason, diff)
			}
			if Blocks(got) == (tc.wantWaived != "") {
				t.Errorf("\n%s\nBlocks(...): got %t", tc.reason, Blocks(got))
			}
		})
	}
	if got := Expires(append(waiver(func(*v1alpha1.Waiver) {}), waiver(func(w *v1alpha1.Waiver) { w.Until = metav1.NewTime(now.Add(-time.Hour)) })...), now); !got.Equal(now.Add(time.Hour)) {
		t.Errorf("Expires(...): got %s", got)
	}
}
