package health

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// maxMessage is the most runes that a message has.
const maxMessage = 300

// explain what is wrong with an object, or awaited, better than kstatus can: with
// the numbers that count, and with what the object's own conditions say.
func explain(live *unstructured.Unstructured, said string) string {
	switch {
	case isKind(live, "apps", "Deployment"):
		return withDetail(ofReplicas(live, "available", "availableReplicas", "updatedReplicas"), trouble(live))
	case isKind(live, "apps", "StatefulSet"):
		return withDetail(ofReplicas(live, "ready", "readyReplicas", "updatedReplicas"), trouble(live))
	case isKind(live, "apps", "ReplicaSet"):
		return withDetail(ofReplicas(live, "available", "availableReplicas", ""), trouble(live))
	case isKind(live, "apps", "DaemonSet"):
		return fmt.Sprintf("%d of %d pods available", number(live, 0, "status", "numberAvailable"), number(live, 0, "status", "desiredNumberScheduled"))
	case isKind(live, "", "PersistentVolumeClaim"):
		return "is not bound to a volume"
	case isKind(live, "", "Pod"):
		return withDetail(said, trouble(live))
	}
	return said
}

// ofReplicas says how many replicas are there, out of how many. Where the number
// that counts is right it is the update that is still on its way.
func ofReplicas(live *unstructured.Unstructured, word, field, updated string) string {
	wanted := number(live, 1, "spec", "replicas")
	got := number(live, 0, "status", field)
	if current := number(live, 0, "status", updated); updated != "" && got >= wanted && current < wanted {
		return fmt.Sprintf("%d of %d replicas updated", current, wanted)
	}
	return fmt.Sprintf("%d of %d replicas %s", got, wanted, word)
}

// trouble returns what the conditions of an object complain about.
func trouble(live *unstructured.Unstructured) string {
	for _, c := range conditions(live) {
		switch {
		case c.kind == "ReplicaFailure" && c.status == "True",
			c.kind == "Progressing" && c.status == "False",
			c.kind == "PodScheduled" && c.status == "False":
			return c.text()
		}
	}
	return ""
}

// A condition of an object.
type condition struct{ kind, status, reason, message string }

func (c condition) text() string {
	if c.message == "" {
		return c.reason
	}
	return c.message
}

func conditions(live *unstructured.Unstructured) []condition {
	list, _, _ := unstructured.NestedSlice(live.Object, "status", "conditions")
	out := make([]condition, 0, len(list))
	for _, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			continue
		}
		field := func(name string) string { s, _ := m[name].(string); return s }
		out = append(out, condition{kind: field("type"), status: field("status"), reason: field("reason"), message: field("message")})
	}
	return out
}

// number returns an integer field, or what stands for it where it is not there.
func number(live *unstructured.Unstructured, fallback int64, path ...string) int64 {
	v, found, err := unstructured.NestedFieldNoCopy(live.Object, path...)
	if err != nil || !found {
		return fallback
	}
	switch n := v.(type) {
	case int64:
		return n
	case float64:
		return int64(n)
	}
	return fallback
}

func text(live *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(live.Object, path...)
	return s
}

func withDetail(said, detail string) string {
	if detail == "" {
		return said
	}
	return said + ": " + detail
}

// oneLine makes a message that objects had a part in fit for a terminal.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > maxMessage {
		return string(r[:maxMessage-1]) + "…"
	}
	return s
}
