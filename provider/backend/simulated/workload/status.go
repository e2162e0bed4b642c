package workload

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// A Set is what a workload asks for and what there is, as far as its status depends on it.
type Set struct {
	Kind       string
	Generation int64
	// Want is the number of pods asked for, and Granted how many of them there is room
	// for. Denied says why there is no more.
	Want, Granted int64
	Denied        string
	// Before is how many pods were available when this generation was first seen.
	Before int64
	// Age is how long ago that was.
	Age       time.Duration
	Behaviour Behaviour
	// Revision names the pods' template, and Old the one before.
	Revision, Old string
	// MaxUnavailable of a rolling update. Recreate is true where there is none.
	MaxUnavailable *intstr.IntOrString
	Recreate       bool
	// Deadline after which a Deployment is said not to progress.
	Deadline time.Duration
}

// A Count of pods.
type Count struct {
	// Updated pods are of the wanted template. Ready ones are of either.
	Total, Updated, Ready int64
	Fault                 Fault
	// Started is true where the wanted pods run.
	Started bool
	// Next is when this changes, and 0 where it does not.
	Next time.Duration
}

// CountOf the pods of a set. While new ones start, old ones stay as far as they may.
func CountOf(s Set) Count {
	fault, started, next := s.Behaviour.at(s.Age)
	if s.Granted == 0 {
		return Count{Started: s.Want == 0, Next: 0}
	}
	if started {
		return Count{Total: s.Granted, Updated: s.Granted, Ready: s.Granted, Started: s.Granted == s.Want, Next: next}
	}
	failedLater := fault != "" && s.Behaviour.Fault == ""
	if s.Before == 0 || s.Recreate || failedLater {
		return Count{Total: s.Granted, Updated: s.Granted, Fault: fault, Next: next}
	}
	kept := min(s.Before, s.Granted-s.unavailable())
	updated := max(1, (s.Granted+3)/4)
	if s.Kind != "Deployment" {
		updated = min(updated, s.Granted-kept) // Others make no pod more than is wanted.
	}
	return Count{Total: kept + updated, Updated: updated, Ready: kept, Fault: fault, Next: next}
}

// unavailable pods that a rolling update may have.
func (s Set) unavailable() int64 {
	if s.Kind != "Deployment" {
		return 1
	}
	v := s.MaxUnavailable
	if v == nil {
		d := intstr.FromString("25%")
		v = &d
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(v, int(s.Granted), false)
	if err != nil {
		return 0
	}
	return min(int64(n), s.Granted)
}

// StatusOf a set of pods, as its controller would write it, and when it changes next.
func StatusOf(s Set, now time.Time, old map[string]any) (map[string]any, time.Duration) {
	c := CountOf(s)
	out := map[string]any{"observedGeneration": s.Generation, "replicas": c.Total}
	put := func(key string, n int64) {
		if n > 0 {
			out[key] = n
		}
	}
	put("readyReplicas", c.Ready)
	put("availableReplicas", c.Ready)
	switch s.Kind {
	case "StatefulSet":
		put("updatedReplicas", c.Updated)
		put("currentReplicas", c.Updated)
		out["updateRevision"], out["currentRevision"] = s.Revision, s.Revision
		if s.Old != "" && !c.Started {
			out["currentRevision"] = s.Old
		}
		out["availableReplicas"] = c.Ready
	case "ReplicaSet":
		put("fullyLabeledReplicas", c.Total)
	case "Deployment":
		put("updatedReplicas", c.Updated)
		put("unavailableReplicas", max(c.Total, s.Want)-c.Ready)
		next := s.conditions(c, out, now, old)
		return out, sooner(c.Next, next)
	}
	return out, c.Next
}

// conditions of a Deployment, and when they change next.
func (s Set) conditions(c Count, out map[string]any, now time.Time, old map[string]any) time.Duration {
	available := condition{"Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."}
	if c.Ready >= s.Want-s.unavailable() {
		available = condition{"Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."}
	}
	progressing := condition{"Progressing", "True", "ReplicaSetUpdated", "ReplicaSet is progressing."}
	next := time.Duration(0)
	switch {
	case c.Started:
		progressing.reason, progressing.message = "NewReplicaSetAvailable", "ReplicaSet has successfully progressed."
	case s.Age >= s.Deadline:
		progressing = condition{"Progressing", "False", "ProgressDeadlineExceeded", "ReplicaSet has timed out progressing."}
	default:
		next = s.Deadline - s.Age
	}
	list := []condition{available, progressing}
	if s.Denied != "" {
		list = append(list, condition{"ReplicaFailure", "True", "FailedCreate", s.Denied})
	}
	out["conditions"] = conditions(list, now, old)
	return next
}

// DaemonStatus of a DaemonSet that wants a pod on each of a number of nodes.
func DaemonStatus(s Set) (map[string]any, time.Duration) {
	c := CountOf(s)
	return map[string]any{
		"observedGeneration":     s.Generation,
		"desiredNumberScheduled": s.Want,
		"currentNumberScheduled": c.Total,
		"updatedNumberScheduled": c.Updated,
		"numberReady":            c.Ready,
		"numberAvailable":        c.Ready,
		"numberUnavailable":      s.Want - c.Ready,
		"numberMisscheduled":     int64(0),
	}, c.Next
}

// A Run is a Job.
type Run struct {
	Parallelism, Completions, BackoffLimit int64
	Suspended                              bool
	Age                                    time.Duration
	Behaviour                              Behaviour
	Granted                                int64
}

// JobStatus of a Job. One that crashes has failed once its attempts are used up.
func JobStatus(r Run, now time.Time, old map[string]any) (map[string]any, time.Duration) {
	began := now.Add(-r.Age).UTC().Format(time.RFC3339)
	if r.Suspended {
		return map[string]any{"conditions": conditions([]condition{{"Suspended", "True", "JobSuspended", "Job suspended"}}, now, old)}, 0
	}
	out := map[string]any{"startTime": began}
	fault, done, next := r.Behaviour.at(r.Age)
	switch {
	case done && r.Granted > 0:
		out["succeeded"], out["ready"], out["terminating"] = r.Completions, int64(0), int64(0)
		out["completionTime"] = now.UTC().Format(time.RFC3339)
		if t, ok := old["completionTime"].(string); ok {
			out["completionTime"] = t
		}
		out["conditions"] = conditions([]condition{
			{"SuccessCriteriaMet", "True", "CompletionsReached", "Reached expected number of succeeded pods"},
			{"Complete", "True", "CompletionsReached", "Reached expected number of succeeded pods"},
		}, now, old)
		return out, 0
	case fault == CrashLoop && r.Age >= r.Behaviour.StartAfter:
		out["failed"] = r.BackoffLimit + 1
		text := fmt.Sprintf("Job has reached the specified backoff limit (%d)", r.BackoffLimit)
		out["conditions"] = conditions([]condition{{"FailureTarget", "True", "BackoffLimitExceeded", text}, {"Failed", "True", "BackoffLimitExceeded", text}}, now, old)
		return out, 0
	case fault == CrashLoop:
		next = r.Behaviour.StartAfter - r.Age
	}
	out["active"], out["ready"] = min(r.Parallelism, r.Granted), int64(0)
	return out, next
}

type condition struct{ kind, status, reason, message string }

// conditions keep the time at which they became what they are.
func conditions(list []condition, now time.Time, old map[string]any) []any {
	since := map[string]string{}
	had, _ := old["conditions"].([]any)
	for _, h := range had {
		if m, ok := h.(map[string]any); ok {
			since[fmt.Sprint(m["type"], m["status"], m["reason"])] = fmt.Sprint(m["lastTransitionTime"])
		}
	}
	out := make([]any, 0, len(list))
	for _, c := range list {
		at, ok := since[c.kind+c.status+c.reason]
		if !ok {
			at = now.UTC().Format(time.RFC3339)
		}
		out = append(out, map[string]any{
			"type": c.kind, "status": c.status, "reason": c.reason, "message": c.message,
			"lastTransitionTime": at, "lastUpdateTime": at,
		})
	}
	return out
}

// sooner of two durations, where 0 is never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
