package preflight

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// Bounds of what a status holds.
const (
	maxFolded   = 20
	maxExamples = 5
)

// Fold the findings of clusters into what a status holds: each once for all its
// clusters, the worst first. Waivers must have been applied. Clusters without findings
// count as checked. The digest is that of the revision.
func Fold(digest string, findings map[string][]v1alpha1.Finding) v1alpha1.PreflightStatus {
	out := v1alpha1.PreflightStatus{Digest: digest, Checked: int32(len(findings))} //nolint:gosec // There are not so many clusters.
	var folded []*fold
	index := map[foldKey]*fold{}
	for _, cluster := range slices.Sorted(maps.Keys(findings)) {
		if Blocks(findings[cluster]) {
			out.Blocking++
		}
		seen := map[foldKey]bool{}
		for _, f := range findings[cluster] {
			k := keyOf(f)
			if seen[k] {
				continue // Two messages about one field of one cluster: the first says enough.
			}
			seen[k] = true
			if index[k] == nil {
				index[k] = &fold{Finding: f, messages: map[string]int{}}
				index[k].Clusters, index[k].Examples = 0, nil
				folded = append(folded, index[k])
			}
			index[k].add(cluster, f)
		}
	}
	for _, f := range folded {
		f.Message = f.mostSaid()
		out.Findings = append(out.Findings, f.Finding)
	}
	slices.SortStableFunc(out.Findings, worst)
	if len(out.Findings) > maxFolded {
		out.Findings = out.Findings[:maxFolded]
	}
	return out
}

// A foldKey is what a finding is about. What is waived and what is not stay apart.
type foldKey struct {
	cause, object, component, field, waived string
	severity                                v1alpha1.Severity
}

func keyOf(f v1alpha1.Finding) foldKey {
	return foldKey{cause: f.Cause, object: f.Object, component: f.Component, field: f.Field, waived: f.Waived, severity: f.Severity}
}

// A fold is a finding on many clusters.
type fold struct {
	v1alpha1.Finding

	messages map[string]int
}

func (f *fold) add(cluster string, g v1alpha1.Finding) {
	f.Clusters++
	if len(f.Examples) < maxExamples {
		f.Examples = append(f.Examples, cluster)
	}
	f.messages[g.Message]++
}

// mostSaid is the message of most clusters. Others differ in what is there.
func (f *fold) mostSaid() string {
	best := ""
	for _, m := range slices.Sorted(maps.Keys(f.messages)) {
		if best == "" || f.messages[m] > f.messages[best] {
			best = m
		}
	}
	return best
}

// Waive the findings of a cluster that are accepted. A waiver that has expired accepts
// nothing, and the finding says so.
func Waive(cluster string, findings []v1alpha1.Finding, waivers []v1alpha1.Waiver, now time.Time) []v1alpha1.Finding {
	out := slices.Clone(findings)
	for i := range out {
		f := &out[i]
		expired := (*v1alpha1.Waiver)(nil)
		for j := range waivers {
			w := &waivers[j]
			if !accepts(w, cluster, f) {
				continue
			}
			if now.Before(w.Until.Time) {
				f.Waived = fmt.Sprintf("%s (until %s)", w.Reason, w.Until.UTC().Format(time.RFC3339))
				expired = nil
				break
			}
			expired = w
		}
		if expired != nil {
			f.Message = short(fmt.Sprintf("%s; the waiver for it expired at %s", f.Message, expired.Until.UTC().Format(time.RFC3339)))
		}
	}
	slices.SortStableFunc(out, worst)
	return out
}

// Expires is when the next of the waivers does. It is zero where none will.
func Expires(waivers []v1alpha1.Waiver, now time.Time) time.Time {
	next := time.Time{}
	for _, w := range waivers {
		if w.Until.After(now) && (next.IsZero() || w.Until.Time.Before(next)) {
			next = w.Until.Time
		}
	}
	return next
}

func accepts(w *v1alpha1.Waiver, cluster string, f *v1alpha1.Finding) bool {
	return w.Cause == f.Cause && (w.Object == "" || w.Object == f.Object) && (len(w.Clusters) == 0 || named(w.Clusters, cluster))
}

// named is true for a cluster that is listed, as <fleet>.<cluster> or without its fleet.
func named(list []string, cluster string) bool {
	return slices.ContainsFunc(list, func(n string) bool {
		return n == cluster || len(cluster) > len(n) && cluster[len(cluster)-len(n)-1] == '.' && cluster[len(cluster)-len(n):] == n
	})
}
