package health

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func TestOf(t *testing.T) {
	healthy := Result{Health: v1alpha1.Healthy}
	progressing := func(m string) Result { return Result{Health: v1alpha1.Progressing, Message: m} }
	degraded := func(m string) Result { return Result{Health: v1alpha1.Degraded, Message: m} }

	cases := map[string]struct {
		reason string
		live   string
		want   Result
	}{
		"DeploymentNew": {
			reason: "A Deployment that no controller has seen is on its way.",
			live:   `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, generation: 1}, spec: {replicas: 1}}`,
			want:   progressing("Deployment web: 0 of 1 replicas available"),
		},
		"DeploymentQuota": {
			reason: "What keeps replicas away is said.",
			live: `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, generation: 1}, spec: {replicas: 2},
				status: {observedGeneration: 1, conditions: [{type: Available, status: "False"}, {type: ReplicaFailure, status: "True", reason: FailedCreate, message: 'pods "web-1" is forbidden: exceeded quota: q, requested: cpu=4'}]}}`,
			want: progressing(`Deployment web: 0 of 2 replicas available: pods "web-1" is forbidden: exceeded quota: q, requested: cpu=4`),
		},
		"DeploymentUpdating": {
			reason: "While old replicas serve it is the update that is awaited.",
			live: `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, generation: 2}, spec: {replicas: 2},
				status: {observedGeneration: 2, replicas: 2, updatedReplicas: 1, availableReplicas: 2, readyReplicas: 2}}`,
			want: progressing("Deployment web: 1 of 2 replicas updated"),
		},
		"DeploymentDeadline": {
			reason: "A deadline that has passed is a failure.",
			live: `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, generation: 1}, spec: {replicas: 1, progressDeadlineSeconds: 600},
				status: {observedGeneration: 1, replicas: 1, updatedReplicas: 1, conditions: [{type: Progressing, status: "False", reason: ProgressDeadlineExceeded, message: ReplicaSet "web-1" has timed out progressing.}]}}`,
			want: degraded(`Deployment web: 0 of 1 replicas available: ReplicaSet "web-1" has timed out progressing.`),
		},
		"DeploymentAvailable": {
			reason: "All replicas there is healthy.",
			live: `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, generation: 1}, spec: {replicas: 1, progressDeadlineSeconds: 600},
				status: {observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1, readyReplicas: 1,
				conditions: [{type: Available, status: "True"}, {type: Progressing, status: "True", reason: NewReplicaSetAvailable}]}}`,
			want: healthy,
		},
		"StatefulSet": {
			reason: "A StatefulSet counts ready replicas.",
			live: `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, generation: 1}, spec: {replicas: 3},
				status: {observedGeneration: 1, replicas: 2, readyReplicas: 1, currentReplicas: 2, updatedReplicas: 2}}`,
			want: progressing("StatefulSet db: 1 of 3 replicas ready"),
		},
		"ReplicaSet": {
			reason: "A ReplicaSet counts available ones.",
			live:   `{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: rs}, spec: {replicas: 3}, status: {availableReplicas: 2}}`,
			want:   progressing("ReplicaSet rs: 2 of 3 replicas available"),
		},
		"DaemonSet": {
			reason: "A DaemonSet counts nodes.",
			live: `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: ds, generation: 1},
				status: {observedGeneration: 1, desiredNumberScheduled: 3, currentNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 1}}`,
			want: progressing("DaemonSet ds: 1 of 3 pods available"),
		},
		"JobRunning": {
			reason: "A Job that runs is not done.",
			live:   `{apiVersion: batch/v1, kind: Job, metadata: {name: load}, spec: {completions: 3}, status: {startTime: x, succeeded: 1, failed: 2}}`,
			want:   progressing("Job load: 1 of 3 completions, 2 failed attempts"),
		},
		"JobComplete": {
			reason: "A Job that completed is healthy.",
			live:   `{apiVersion: batch/v1, kind: Job, metadata: {name: load}, status: {conditions: [{type: Suspended, status: "False"}, {type: Complete, status: "True"}]}}`,
			want:   healthy,
		},
		"JobFailed": {
			reason: "A Job that failed says why.",
			live:   `{apiVersion: batch/v1, kind: Job, metadata: {name: load}, status: {conditions: [{type: Failed, status: "True", reason: BackoffLimitExceeded}]}}`,
			want:   degraded("Job load: has failed: BackoffLimitExceeded"),
		},
		"JobSuspended": {
			reason: "A suspended Job waits for somebody.",
			live:   `{apiVersion: batch/v1, kind: Job, metadata: {name: load}, status: {conditions: [{type: Suspended, status: "True"}]}}`,
			want:   progressing("Job load: is suspended"),
		},
		"CronJob": {
			reason: "A CronJob is healthy once it is there.",
			live:   `{apiVersion: batch/v1, kind: CronJob, metadata: {name: nightly}}`,
			want:   healthy,
		},
		"ConfigMap": {
			reason: "So is plain configuration.",
			live:   `{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}`,
			want:   healthy,
		},
		"ClaimPending": {
			reason: "A volume claim needs a volume.",
			live:   `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}, status: {phase: Pending}}`,
			want:   progressing("PersistentVolumeClaim data: is not bound to a volume"),
		},
		"PodFailed": {
			reason: "kstatus takes a failed Pod for done. It is not.",
			live:   `{apiVersion: v1, kind: Pod, metadata: {name: p}, status: {phase: Failed, message: evicted}}`,
			want:   degraded("Pod p: has failed: evicted"),
		},
		"PodUnschedulable": {
			reason: "The scheduler's words are passed on.",
			live: `{apiVersion: v1, kind: Pod, metadata: {name: p, creationTimestamp: "2020-01-01T00:00:00Z"}, status: {phase: Pending,
				conditions: [{type: PodScheduled, status: "False", reason: Unschedulable, message: "0/3 nodes are available"}]}}`,
			want: degraded("Pod p: Pod could not be scheduled: 0/3 nodes are available"),
		},
		"PodPhaseUnheardOf": {
			reason: "What kstatus cannot judge is unknown.",
			live:   `{apiVersion: v1, kind: Pod, metadata: {name: p}, status: {phase: Dreaming}}`,
			want:   Result{Health: v1alpha1.Unknown, Message: "Pod p: its state cannot be told: unknown phase Dreaming"},
		},
		"BeingDeleted": {
			reason: "What keeps a deletion is named.",
			live:   `{apiVersion: v1, kind: ConfigMap, metadata: {name: c, deletionTimestamp: "2020-01-01T00:00:00Z", finalizers: [a/b]}}`,
			want:   progressing("ConfigMap c: is being deleted and waits for finalizer a/b"),
		},
		"BeingDeletedFreely": {
			reason: "Without finalizers it is only a matter of time.",
			live:   `{apiVersion: v1, kind: ConfigMap, metadata: {name: c, deletionTimestamp: "2020-01-01T00:00:00Z"}}`,
			want:   progressing("ConfigMap c: is being deleted"),
		},
		"CustomResource": {
			reason: "Custom resources say it with standard conditions, and in one line.",
			live:   `{apiVersion: x.dev/v1, kind: Thing, metadata: {name: t}, status: {conditions: [{type: Ready, status: "False", reason: R, message: "not\nyet"}]}}`,
			want:   progressing("Thing t: not yet"),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			u := &unstructured.Unstructured{}
			raw, err := yaml.YAMLToJSON([]byte(tc.live))
			if err != nil {
				t.Fatal(err)
			}
			if err := u.UnmarshalJSON(raw); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, Of(u)); diff != "" {
				t.Errorf("\n%s\nOf(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRollUp(t *testing.T) {
	missing := Missing(v1alpha1.ObjectReference{Kind: "Service", Name: "web"})
	web := Component("web", []Result{{Health: v1alpha1.Healthy}, missing, {Health: v1alpha1.Progressing, Message: "later"}})
	want := v1alpha1.ComponentHealth{Name: "web", Health: v1alpha1.Progressing, Message: "Service web: is not there"}
	if diff := cmp.Diff(want, web); diff != "" {
		t.Errorf("\nThe first of the worst objects speaks for the component.\nComponent(...): -want, +got:\n%s", diff)
	}

	got := RollUp([]v1alpha1.ComponentHealth{
		web,
		{Name: "a", Health: v1alpha1.Unknown, Message: "unknown"},
		{Name: "b", Health: v1alpha1.Degraded, Message: "broken"},
	})
	if diff := cmp.Diff(Result{Health: v1alpha1.Degraded, Message: "broken"}, got); diff != "" {
		t.Errorf("\nThat a part is broken counts for more than that another is not known.\nRollUp(...): -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(Result{Health: v1alpha1.Healthy}, RollUp([]v1alpha1.ComponentHealth{Component("empty", nil)})); diff != "" {
		t.Errorf("\nNothing is healthy.\nRollUp(...): -want, +got:\n%s", diff)
	}
}

func TestOneLine(t *testing.T) {
	if got := oneLine(strings.Repeat("é", 400)); len([]rune(got)) != maxMessage || !strings.HasSuffix(got, "…") {
		t.Errorf("a long message is cut: got %d runes", len([]rune(got)))
	}
}
