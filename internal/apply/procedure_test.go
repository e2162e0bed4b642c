package apply

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/internal/bundle"
)

func TestProcedure(t *testing.T) {
	p, err := CompileProcedure([]bundle.ProcedureStep{
		{Name: "suspend", When: `from.startsWith("1.") && to.startsWith("2.")`, Until: `objects[0].status.state == "SUSPENDED"`, Timeout: &metav1.Duration{Duration: time.Minute}},
		{Name: "savepoint", Until: "applied.all(a, a.status.succeeded == 1)"},
		{Name: "note"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := []string{p.First(), p.Next("suspend"), p.Next("savepoint"), p.Next("note")}; !cmp.Equal(got, []string{"suspend", "savepoint", "note", ""}) {
		t.Errorf("steps are taken in order: got %q", got)
	}
	for from, want := range map[string]bool{"1.2.3": false, "2.0.0": true, "": true} {
		if got, err := p.Skips("suspend", View{From: from, To: "2.1.0"}); got != want || err != nil {
			t.Errorf("a step is taken when it says so: from %q want skipped %t, got %t, %v", from, want, got, err)
		}
	}

	state := func(s string) []*unstructured.Unstructured {
		return []*unstructured.Unstructured{{Object: map[string]any{"status": map[string]any{"state": s}}}}
	}
	start := time.Unix(1000, 0)
	cases := map[string]struct {
		reason, step string
		view         View
		after        time.Duration
		want         Verdict
	}{
		"Done":   {"A step is done when its condition is met.", "suspend", View{Objects: state("SUSPENDED")}, 0, Verdict{Done: true}},
		"Late":   {"Also where that was late.", "suspend", View{Objects: state("SUSPENDED")}, time.Hour, Verdict{Done: true}},
		"NoNeed": {"A step without a condition is done once it was taken.", "note", View{}, 0, Verdict{Done: true}},
		"Waits":  {"Until then it is waited for.", "suspend", View{Objects: state("RUNNING")}, time.Minute, Verdict{Message: `step "suspend" of its upgrade procedure waits until objects[0].status.state == "SUSPENDED"`}},
		"Cannot": {"What cannot be told is not met.", "suspend", View{}, 0, Verdict{Message: `step "suspend" of its upgrade procedure cannot tell yet: cannot evaluate "objects[0].status.state == \"SUSPENDED\"": index out of bounds: 0`}},
		"Failed": {
			"In the end it has failed.", "suspend", View{Objects: state("RUNNING")}, time.Minute + 1,
			Verdict{Failed: true, Message: `step "suspend" of its upgrade procedure has failed: it took more than 1m0s; step "suspend" of its upgrade procedure waits until objects[0].status.state == "SUSPENDED"`},
		},
		"ClockBack": {"A clock that goes back fails nothing.", "suspend", View{Objects: state("RUNNING")}, -time.Hour, Verdict{Message: `step "suspend" of its upgrade procedure waits until objects[0].status.state == "SUSPENDED"`}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, p.Judge(tc.step, start, start.Add(tc.after), tc.view)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestCompileProcedureRefuses(t *testing.T) {
	cases := map[string]struct {
		reason string
		steps  []bundle.ProcedureStep
		want   string
	}{
		"NoName": {"A step needs a name.", []bundle.ProcedureStep{{}}, "needs a name that no other step has"},
		"Twice":  {"Of its own.", []bundle.ProcedureStep{{Name: "a"}, {Name: "a"}}, `step "a"`},
		"When":   {"What does not compile is named.", []bundle.ProcedureStep{{Name: "a", When: "nope"}}, `step "a": when: expression "nope" is not valid`},
		"Until":  {"So is what gives no answer.", []bundle.ProcedureStep{{Name: "a", Until: "from"}}, `step "a": until: expression "from" gives string`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := CompileProcedure(tc.steps); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: want an error with %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	live := thing("X", "x", map[string]any{"replicas": int64(3), "job": map[string]any{"state": "running"}, "list": []any{"a"}})
	cases := map[string]struct {
		reason string
		patch  map[string]any
		want   string
	}{
		"Same":      {"A patch that is in already is not sent.", map[string]any{"spec": map[string]any{"replicas": int64(3), "job": map[string]any{"state": "running"}}}, ""},
		"SameFloat": {"Whatever its numbers are made of.", map[string]any{"spec": map[string]any{"replicas": float64(3)}}, ""},
		"Value":     {"Another value is.", map[string]any{"spec": map[string]any{"replicas": int64(0)}}, `{"spec":{"replicas":0}}`},
		"Removed":   {"So is a removal.", map[string]any{"spec": map[string]any{"list": nil}}, `{"spec":{"list":null}}`},
		"Absent":    {"What is not there need not be removed.", map[string]any{"spec": map[string]any{"other": nil}}, ""},
		"New":       {"A new field is sent.", map[string]any{"spec": map[string]any{"other": map[string]any{"a": "b"}}}, `{"spec":{"other":{"a":"b"}}}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Merge(live, tc.patch)
			if diff := cmp.Diff(tc.want, string(got)); diff != "" || err != nil {
				t.Errorf("%s: %v (-want +got):\n%s", tc.reason, err, diff)
			}
		})
	}
}

func TestTarget(t *testing.T) {
	c := Component{Version: "1.0.0", Objects: []Object{{Unstructured: thing("X", "x", map[string]any{"a": "b"})}}}
	first, err := Target(c)
	if err != nil {
		t.Fatal(err)
	}
	c.Version = "1.0.1"
	version, _ := Target(c)
	c.Version, c.Objects = "1.0.0", []Object{{Unstructured: thing("X", "x", map[string]any{"a": "c"})}}
	object, _ := Target(c)
	if first == version || first == object || version == object {
		t.Errorf("another version or other objects are another target: %q, %q, %q", first, version, object)
	}
}
