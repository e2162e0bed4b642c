// Package preflight finds out, before the first write, why an application would not
// start on a cluster. What it looks for is the table of causes; each has one check.
//
// A check sees two things: what is to be put on the cluster, and a snapshot of what the
// cluster is. Objects of the application itself count as there. What the snapshot does
// not know gives no finding: preflight refuses what certainly fails and warns of what
// may, and where it cannot tell it is silent. Whatever it does not find, the API server
// and the scheduler still do.
//
// Messages say what is wrong and fixes say what to do, both in words that are the same
// on every cluster as far as they can be, so that a thousand findings fold into one.
// They name objects of the application's own namespaces and of no namespace, never
// another tenant's.
//
// Deliberately absent: clients, clocks and values of Secrets. A snapshot has the
// names of a Secret's keys and its type, and no field that could hold more.
package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// maxFindings is how many findings of one cluster are returned. An application that has
// more is not going to be mended by the last of them.
const maxFindings = 200

// An Input is what is checked, and against what.
type Input struct {
	// Content that is to be put on the cluster, bound to it.
	Content bundle.Content
	// Namespace on the cluster for objects that name none.
	Namespace string
	// Allowed namespaces of the tenant. Nil allows all.
	Allowed []string
	// Snapshot of the cluster. Without one, only the content is checked.
	Snapshot *Snapshot
}

// Check an application on one cluster. Findings come the worst first.
func Check(in Input) []v1alpha1.Finding {
	return Prepare(in.Content, in.Namespace, in.Allowed).Check(in.Snapshot)
}

// Check a prepared content on one cluster.
func (s *Subject) Check(snap *Snapshot) []v1alpha1.Finding {
	if snap == nil {
		snap = &Snapshot{}
	}
	r := &run{Subject: s, snap: snap}
	for i := range catalogue {
		r.cause = &catalogue[i]
		r.cause.check(r)
	}
	slices.SortStableFunc(r.out, worst)
	if len(r.out) > maxFindings {
		r.out = r.out[:maxFindings]
	}
	return r.out
}

// Blocks is true where one of the findings blocks and is not waived.
func Blocks(findings []v1alpha1.Finding) bool {
	return slices.ContainsFunc(findings, func(f v1alpha1.Finding) bool {
		return f.Severity == v1alpha1.Blocking && f.Waived == ""
	})
}

// Unplaced is true where a finding blocks that nodes which are still to come might mend.
func Unplaced(findings []v1alpha1.Finding) bool {
	return slices.ContainsFunc(findings, func(f v1alpha1.Finding) bool {
		return f.Severity == v1alpha1.Blocking && (strings.HasPrefix(f.Cause, "B") || f.Cause == "C7")
	})
}

// A run is one check of one content on one cluster.
type run struct {
	*Subject

	snap  *Snapshot
	cause *Cause
	out   []v1alpha1.Finding

	// nodes that each workload may run on, once they are known.
	nodes map[*workload]*candidates
	// pods by the node they are on, once they are asked for.
	pods map[string][]*Pod
	// frees are rooms that are free on nodes, once they are asked for.
	frees map[string]corev1.ResourceList
}

// find reports something with the severity of its cause.
func (r *run) find(o *object, field, fix, format string, args ...any) {
	r.add(r.cause.Severity, o, field, fix, fmt.Sprintf(format, args...))
}

// warn reports something that depends on time or luck, whatever its cause.
func (r *run) warn(o *object, field, fix, format string, args ...any) {
	r.add(v1alpha1.Warning, o, field, fix, fmt.Sprintf(format, args...))
}

// findIf reports something that is certain, or else warns of it.
func (r *run) findIf(certain bool, o *object, field, fix, format string, args ...any) {
	if certain {
		r.find(o, field, fix, format, args...)
		return
	}
	r.warn(o, field, fix, format, args...)
}

func (r *run) add(severity v1alpha1.Severity, o *object, field, fix, message string) {
	// What is still to be bound is not known yet, and messages quote what they are about.
	if late(message) || late(field) {
		return
	}
	f := v1alpha1.Finding{
		Cause:    r.cause.ID,
		Severity: severity,
		Field:    short(field),
		Message:  short(message),
		Fix:      short(fix),
		Clusters: 1,
	}
	if o != nil {
		f.Object, f.Component = short(o.title()), o.component
	}
	if !slices.ContainsFunc(r.out, func(g v1alpha1.Finding) bool { return same(f, g) && f.Message == g.Message }) {
		r.out = append(r.out, f)
	}
}

// late is true for a text that is bound later.
func late(s string) bool { return strings.Contains(s, "${") }

// maxText bounds what a finding says: it ends up in a status.
const maxText = 512

func short(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText-3], "") + "..."
}

// same is true for findings that are about the same, whatever each cluster has to say
// of it.
func same(a, b v1alpha1.Finding) bool {
	return a.Cause == b.Cause && a.Severity == b.Severity && a.Object == b.Object && a.Component == b.Component && a.Field == b.Field
}

// worst orders findings.
func worst(a, b v1alpha1.Finding) int {
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)),
		-cmp.Compare(a.Clusters, b.Clusters),
		cmp.Compare(order(a.Cause), order(b.Cause)),
		cmp.Compare(a.Component, b.Component),
		cmp.Compare(a.Object, b.Object),
		cmp.Compare(a.Field, b.Field),
		cmp.Compare(a.Message, b.Message),
	)
}

func rank(f v1alpha1.Finding) int {
	switch {
	case f.Waived != "":
		return 2
	case f.Severity == v1alpha1.Blocking:
		return 0
	}
	return 1
}

// order of a cause in the table.
func order(id string) int {
	return slices.IndexFunc(catalogue, func(c Cause) bool { return c.ID == id })
}
