package workload_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/internal/health"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/apiserver"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/workload"
)

var machinery = apiserver.NewMachinery()

// A world is one cluster whose time a test controls.
type world struct {
	t       *testing.T
	clock   *clocktesting.FakeClock
	engine  *workload.Engine
	player  *workload.Player
	cluster *apiserver.Cluster
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: clocktesting.NewFakeClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))}
	w.engine = workload.NewEngine(workload.Config{Clock: w.clock, StartAfter: 10 * time.Second, Pods: 2})
	w.player = w.engine.Player("c")
	w.cluster = apiserver.New(apiserver.Config{Machinery: machinery, Version: "v1.35.3", Clock: w.clock, Changed: w.player.Changed})
	w.player.Attach(w.cluster)
	w.engine.Settle()
	return w
}

// after some time, the health of an object, in words.
func (w *world) after(d time.Duration, kind, name string) string {
	w.t.Helper()
	w.clock.Step(d)
	w.engine.Settle()
	gk := schema.ParseGroupKind(kind)
	u := w.cluster.Get(gk, "default", name)
	if u == nil {
		return "gone"
	}
	r := health.Of(u)
	return strings.TrimSpace(fmt.Sprintf("%s %s", r.Health, r.Message))
}

func (w *world) create(text string) {
	w.t.Helper()
	m := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		w.t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: m}
	u.SetNamespace("default")
	if u.GetKind() == "Node" {
		u.SetNamespace("")
	}
	if err := w.cluster.Create(u); err != nil {
		w.t.Fatal(err)
	}
	// What controllers make themselves they need not be told of.
	w.player.Attach(w.cluster)
	w.engine.Settle()
}

func (w *world) setImage(kind, name, image string) {
	w.t.Helper()
	err := w.cluster.Edit(schema.ParseGroupKind(kind), "default", name, "", func(u *unstructured.Unstructured) {
		_ = unstructured.SetNestedSlice(u.Object, []any{map[string]any{"name": "main", "image": image}}, "spec", "template", "spec", "containers")
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.player.Attach(w.cluster)
	w.engine.Settle()
}

func deployment(name, image string, annotations ...string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, annotations: {%[3]s}}
spec:
  replicas: 4
  progressDeadlineSeconds: 60
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec: {containers: [{name: main, image: "%[2]s", resources: {requests: {cpu: "1"}}}]}
`, name, image, strings.Join(annotations, ","))
}

func TestBehaviours(t *testing.T) {
	cases := map[string]struct {
		reason      string
		image       string
		annotations []string
		script      []workload.Rule
		want        []string // After 0, 11, 31 and 61 seconds.
	}{
		"Starts": {
			reason: "Pods take their time, then they run.", image: "web:1",
			want: []string{"Progressing", "Healthy", "Healthy", "Healthy"},
		},
		"StartsLate": {
			reason: "An annotation says how long they take.", image: "web:1", annotations: []string{"simulated.mainstay.dev/start-after: 30s"},
			want: []string{"Progressing", "Progressing", "Healthy", "Healthy"},
		},
		"Crashes": {
			reason: "A tag says that they crash.", image: "web:broken",
			want: []string{"Progressing", "Progressing", "Progressing", "Degraded"},
		},
		"CrashesLater": {
			reason: "They may run for a while before they do.", image: "web:1", annotations: []string{"simulated.mainstay.dev/fail-after: 20s"},
			want: []string{"Progressing", "Healthy", "Progressing", "Degraded"},
		},
		"Scripted": {
			reason: "A script says that a version does not get ready.", image: "web:2",
			script: []workload.Rule{{Image: ":2", Behaviour: workload.Behaviour{Fault: workload.NeverReady}}},
			want:   []string{"Progressing", "Progressing", "Progressing", "Degraded"},
		},
		"Nonsense": {
			reason: "What makes no sense does not get ready.", image: "web:1", annotations: []string{"simulated.mainstay.dev/start-after: soon"},
			want: []string{"Progressing", "Progressing", "Progressing", "Degraded"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.player.SetScript(tc.script)
			w.create(deployment("web", tc.image, tc.annotations...))
			var got []string
			for _, d := range []time.Duration{0, 11 * time.Second, 20 * time.Second, 30 * time.Second} {
				h, _, _ := strings.Cut(w.after(d, "Deployment.apps", "web"), " ")
				got = append(got, h)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nHealth: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestUpdate: while new pods do not start, most old ones stay; a way back is a way back.
func TestUpdate(t *testing.T) {
	w := newWorld(t)
	w.create(deployment("web", "web:1"))
	if got := w.after(11*time.Second, "Deployment.apps", "web"); got != "Healthy" {
		t.Fatalf("First version: %s", got)
	}
	available := func() int64 {
		u := w.cluster.Get(schema.ParseGroupKind("Deployment.apps"), "default", "web")
		n, _, _ := unstructured.NestedInt64(u.Object, "status", "availableReplicas")
		return n
	}
	w.setImage("Deployment.apps", "web", "web:missing")
	w.after(11*time.Second, "Deployment.apps", "web")
	if got := available(); got != 3 {
		t.Errorf("While an image is missing: want 3 of 4 pods to stay, got %d", got)
	}
	reasons := map[string]int{}
	for _, p := range w.cluster.List(schema.GroupKind{Kind: "Pod"}, "default") {
		list, _, _ := unstructured.NestedSlice(p.Object, "status", "containerStatuses")
		reason, _, _ := unstructured.NestedString(list[0].(map[string]any), "state", "waiting", "reason")
		reasons[reason]++
	}
	if reasons["ImagePullBackOff"] == 0 {
		t.Errorf("No pod says that its image is missing: %v", reasons)
	}
	w.setImage("Deployment.apps", "web", "web:1")
	if got := w.after(11*time.Second, "Deployment.apps", "web"); got != "Healthy" || available() != 4 {
		t.Errorf("Back again: %s, %d available", got, available())
	}
}

func TestOtherKinds(t *testing.T) {
	w := newWorld(t)
	pods := `{metadata: {labels: {a: b}}, spec: {restartPolicy: %s, containers: [{name: main, image: "x:%s"}]}}`
	w.create(`{apiVersion: batch/v1, kind: Job, metadata: {name: once}, spec: {template: ` + fmt.Sprintf(pods, "Never", "1") + `}}`)
	w.create(`{apiVersion: batch/v1, kind: Job, metadata: {name: bad}, spec: {template: ` + fmt.Sprintf(pods, "Never", "broken") + `}}`)
	w.create(`{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db}, spec: {replicas: 3, serviceName: db, selector: {matchLabels: {a: b}}, template: ` + fmt.Sprintf(pods, "Always", "1") + `}}`)
	w.create(`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: disk}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`)
	w.create(`{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: pdb}, spec: {minAvailable: 2, selector: {matchLabels: {a: b}}}}`)
	w.after(11*time.Second, "Job.batch", "once")
	for kind, want := range map[string]string{
		"Job.batch/once": "Healthy", "Job.batch/bad": "Degraded", "StatefulSet.apps/db": "Healthy",
		"PersistentVolumeClaim/disk": "Healthy", "PodDisruptionBudget.policy/pdb": "Healthy",
	} {
		k, name, _ := strings.Cut(kind, "/")
		if got, _, _ := strings.Cut(w.after(0, k, name), " "); got != want {
			t.Errorf("%s: want %s, got %s", kind, want, got)
		}
	}
}

func TestRoom(t *testing.T) {
	w := newWorld(t)
	w.create(`{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {requests.cpu: "3"}}}`)
	w.create(deployment("web", "web:1"))
	if got := w.after(11*time.Second, "Deployment.apps", "web"); !strings.Contains(got, "exceeded quota: q") {
		t.Errorf("Quota for 3 of 4 pods: got %s", got)
	}
	q := w.cluster.Get(schema.GroupKind{Kind: "ResourceQuota"}, "default", "q")
	if used, _, _ := unstructured.NestedString(q.Object, "status", "used", "requests.cpu"); used != "3" {
		t.Errorf("Quota used: want 3, got %s", used)
	}

	w = newWorld(t)
	w.create(`{apiVersion: v1, kind: Node, metadata: {name: small}, status: {allocatable: {cpu: 500m}}}`)
	w.create(deployment("web", "web:1"))
	if got := w.after(11*time.Second, "Deployment.apps", "web"); !strings.HasPrefix(got, "Progressing") {
		t.Errorf("No node is large enough: got %s", got)
	}
	w.create(`{apiVersion: v1, kind: Node, metadata: {name: large}, status: {allocatable: {cpu: "4"}}}`)
	if got := w.after(0, "Deployment.apps", "web"); got != "Healthy" {
		t.Errorf("A node that is large enough has come: got %s", got)
	}
}
