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
	deployment := manifest(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, generation: 2}, status: {observedGeneration: 2, updatedReplicas: 1}}`)
	told := manifest(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, generation: 3}, status: {observedGeneration: 2, updatedReplicas: 1}}`)
	starting := manifest(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, generation: 3}, status: {observedGeneration: 3}}`)
	on := Result{Health: v1alpha1.Progressing, Message: "Deployment web: 0 of 1 replicas available"}
	with := func(status string) string { return strings.ReplaceAll(pod, "STATUS", status) }
	old := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(pod, "web-2", "web-1"), "2026-01-02", "2026-01-01"), "new", "old")

	cases := map[string]struct {
		reason string
		in     Result
		pods   []string
		want   Result
		of     *unstructured.Unstructured
	}{
		"Told": {
			reason: "What was told of a new revision has pods of the old one, which may well be broken.", in: on,
			pods: []string{with(`{name: app, state: {waiting: {reason: ImagePullBackOff}}}`)}, want: on, of: &told,
		},
		"Starting": {
			reason: "So has one that has not made any of the new one.", in: on,
			pods: []string{with(`{name: app, state: {waiting: {reason: ImagePullBackOff}}}`)}, want: on, of: &starting,
		},
		"NoPods":  {reason: "A workload without pods is on its way.", in: on, want: on},
		"Healthy": {reason: "What is healthy is not asked again.", in: Result{Health: v1alpha1.Healthy}, pods: []string{with(`{name: a, state: {waiting: {reason: ImagePullBackOff}}}`)}, want: Result{Health: v1alpha1.Healthy}},
		"Image": {
			reason: "An image that cannot be pulled will not be.", in: on,
			pods: []string{with(`{name: app, state: {waiting: {reason: ImagePullBackOff, message: not found}}}`)},
			want: Result{Health: v1alpha1.Degraded, Message: "Deployment web: pod web-2: container app: ImagePullBackOff: not found"},
		},
		"Crashed": {
			reason: "A container that crashed once may be fine the next time.", in: on,
			pods: []string{with(`{name: app, restartCount: 1, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1}}}`)},
			want: Result{Health: v1alpha1.Progressing, Message: "Deployment web: pod web-2: container app: CrashLoopBackOff (exit code 1)"},
		},
		"Crashes": {
			reason: "One that goes on crashing is not.", in: on,
			pods: []string{with(`{name: app, restartCount: 3, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1}}}`)},
			want: Result{Health: v1alpha1.Degraded, Message: "Deployment web: pod web-2: container app: CrashLoopBackOff (exit code 1)"},
		},
		"Creating": {reason: "A container that is created is on its way.", in: on, pods: []string{with(`{name: app, state: {waiting: {reason: ContainerCreating}}}`)}, want: on},
		"OldRevision": {
			reason: "Pods that are replaced do not count: they may be what is mended.", in: on,
			pods: []string{strings.ReplaceAll(old, "STATUS", `{name: app, state: {waiting: {reason: ImagePullBackOff}}}`), with(`{name: app, state: {running: {}}}`)},
			want: on,
		},
		"Unschedulable": {
			reason: "A pod that finds no node may find one yet.", in: on,
			pods: []string{`{apiVersion: v1, kind: Pod, metadata: {name: web-3}, status: {conditions: [{type: PodScheduled, status: "False", reason: Unschedulable, message: 0/3 nodes are available}]}}`},
			want: Result{Health: v1alpha1.Progressing, Message: "Deployment web: pod web-3: 0/3 nodes are available"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var pods []unstructured.Unstructured
			for _, p := range tc.pods {
				pods = append(pods, manifest(t, p))
			}
			of := tc.of
			if of == nil {
				of = &deployment
			}
			if diff := cmp.Diff(tc.want, WithPods(tc.in, of, pods)); diff != "" {
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
