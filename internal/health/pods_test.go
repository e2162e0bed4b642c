package health

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func manifest(t *testing.T, s string) unstructured.Unstructured {
	t.Helper()
	u := unstructured.Unstructured{}
	raw, err := yaml.YAMLToJSON([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	if err := u.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return u
}

const pod = `
apiVersion: v1
kind: Pod
metadata: {name: web-2, creationTimestamp: "2026-01-02T00:00:00Z", labels: {pod-template-hash: new}}
status: {phase: Pending, containerStatuses: [{name: web, restartCount: 0, state: {running: {}}}, STATUS]}
`

func TestWithPods(t *testing.T) {
	deployment := manifest(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}}`)
	on := Result{Health: v1alpha1.Progressing, Message: "Deployment web: 0 of 1 replicas available"}
	with := func(status string) string { return strings.ReplaceAll(pod, "STATUS", status) }
	old := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(pod, "web-2", "web-1"), "2026-01-02", "2026-01-01"), "new", "old")

	cases := map[string]struct {
		reason string
		in     Result
		pods   []string
		want   Result
	}{
		"NoPods":  {"A workload without pods is on its way.", on, nil, on},
		"Healthy": {"What is healthy is not asked again.", Result{Health: v1alpha1.Healthy}, []string{with(`{name: a, state: {waiting: {reason: ImagePullBackOff}}}`)}, Result{Health: v1alpha1.Healthy}},
		"Image": {
			"An image that cannot be pulled will not be.", on,
			[]string{with(`{name: app, state: {waiting: {reason: ImagePullBackOff, message: not found}}}`)},
			Result{Health: v1alpha1.Degraded, Message: "Deployment web: pod web-2: container app: ImagePullBackOff: not found"},
		},
		"Crashed": {
			"A container that crashed once may be fine the next time.", on,
			[]string{with(`{name: app, restartCount: 1, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1}}}`)},
			Result{Health: v1alpha1.Progressing, Message: "Deployment web: pod web-2: container app: CrashLoopBackOff (exit code 1)"},
		},
		"Crashes": {
			"One that goes on crashing is not.", on,
			[]string{with(`{name: app, restartCount: 3, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1}}}`)},
			Result{Health: v1alpha1.Degraded, Message: "Deployment web: pod web-2: container app: CrashLoopBackOff (exit code 1)"},
		},
		"Creating": {"A container that is created is on its way.", on, []string{with(`{name: app, state: {waiting: {reason: ContainerCreating}}}`)}, on},
		"OldRevision": {
			"Pods that are replaced do not count: they may be what is mended.", on,
			[]string{strings.ReplaceAll(old, "STATUS", `{name: app, state: {waiting: {reason: ImagePullBackOff}}}`), with(`{name: app, state: {running: {}}}`)},
			on,
		},
		"Unschedulable": {
			"A pod that finds no node may find one yet.", on,
			[]string{`{apiVersion: v1, kind: Pod, metadata: {name: web-3}, status: {conditions: [{type: PodScheduled, status: "False", reason: Unschedulable, message: 0/3 nodes are available}]}}`},
			Result{Health: v1alpha1.Progressing, Message: "Deployment web: pod web-3: 0/3 nodes are available"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var pods []unstructured.Unstructured
			for _, p := range tc.pods {
				pods = append(pods, manifest(t, p))
			}
			if diff := cmp.Diff(tc.want, WithPods(tc.in, &deployment, pods)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestPodSelector(t *testing.T) {
	cases := map[string]struct {
		reason, in string
		want       map[string]string
	}{
		"Deployment": {"A workload finds its pods by labels.", `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {selector: {matchLabels: {app: a}}}}`, map[string]string{"app": "a"}},
		"ConfigMap":  {"What is no workload has none.", `{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}`, nil},
		"Empty":      {"A selector without labels would find all pods.", `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {selector: {}}}`, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			u := manifest(t, tc.in)
			got, _ := PodSelector(&u)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
