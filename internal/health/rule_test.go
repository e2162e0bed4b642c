package health

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

func TestRule(t *testing.T) {
	flink := bundle.Health{
		Healthy:  `object.status.state == "RUNNING"`,
		Degraded: `object.status.state == "FAILED"`,
		Message:  `"job is " + object.status.state`,
	}
	cases := map[string]struct {
		reason string
		rule   bundle.Health
		status map[string]any
		want   Result
	}{
		"Healthy":  {"The rule decides.", flink, map[string]any{"state": "RUNNING"}, Result{Health: v1alpha1.Healthy}},
		"OnItsWay": {"What is not healthy is on its way.", flink, map[string]any{"state": "INITIALIZING"}, Result{Health: v1alpha1.Progressing, Message: "FlinkDeployment f: job is INITIALIZING"}},
		"Degraded": {"Unless it will not become so.", flink, map[string]any{"state": "FAILED"}, Result{Health: v1alpha1.Degraded, Message: "FlinkDeployment f: job is FAILED"}},
		"NoStatus": {"A new object has no status.", flink, nil, Result{Health: v1alpha1.Progressing, Message: `FlinkDeployment f: its health rule cannot tell yet: cannot evaluate "object.status.state == \"RUNNING\"": no such key: status`}},
		"Stale": {
			"A status that is about an earlier change says nothing.", flink, map[string]any{"state": "RUNNING", "observedGeneration": int64(1)},
			Result{Health: v1alpha1.Progressing, Message: "FlinkDeployment f: has changed and is not looked at yet"},
		},
		"NoMessage": {"A rule without words has ours.", bundle.Health{Healthy: "objects.size() > 1"}, nil, Result{Health: v1alpha1.Progressing, Message: "FlinkDeployment f: its health rule says that it is not healthy yet"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			u := &unstructured.Unstructured{Object: map[string]any{"kind": "FlinkDeployment", "metadata": map[string]any{"name": "f", "generation": int64(2)}}}
			if tc.status != nil {
				u.Object["status"] = tc.status
			}
			r, err := CompileRule(tc.rule)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, r.Of([]*unstructured.Unstructured{u})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
	for field, h := range map[string]bundle.Health{"healthy": {Healthy: "1"}, "degraded": {Healthy: "true", Degraded: "nope"}, "message": {Healthy: "true", Message: "true"}} {
		if _, err := CompileRule(h); err == nil || !strings.HasPrefix(err.Error(), "health."+field) {
			t.Errorf("a rule that does not compile is refused by field %s: got %v", field, err)
		}
	}
}
