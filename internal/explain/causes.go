package explain

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// maxExamples of clusters that a cause names.
const maxExamples = 5

// collect the causes in a tree. A node speaks for itself only where nothing below
// it does.
func collect(n Node) []Cause {
	var below []Cause
	for _, children := range [][]Node{n.Children, n.folded} {
		for _, c := range children {
			below = append(below, collect(c)...)
		}
	}
	out := append(slices.Clone(n.because), below...)
	if len(out) == 0 && n.State != Healthy && n.Message != "" && !n.mute {
		out = []Cause{{Message: n.What + ": " + n.Message, State: n.State}}
	}
	for i := range out {
		if out[i].cluster == "" {
			out[i].cluster = n.cluster
		}
	}
	return out
}

// group causes that differ only in the cluster, the worst and the most frequent first.
// What is merely on its way is no cause beside one that is.
func group(causes []Cause) []Cause {
	var out []Cause
	on := map[string][]string{}
	for _, c := range causes {
		if c.cluster != "" {
			c.Message = without(c.Message, c.cluster)
		}
		i := slices.IndexFunc(out, func(o Cause) bool { return o.Message == c.Message && o.State == c.State })
		if i < 0 {
			out = append(out, c)
		}
		if c.cluster != "" && !slices.Contains(on[c.Message], c.cluster) {
			on[c.Message] = append(on[c.Message], c.cluster)
		}
	}
	for i := range out {
		if names := on[out[i].Message]; len(names) > 0 {
			slices.Sort(names)
			out[i].Clusters, out[i].Examples = len(names), names[:min(len(names), maxExamples)]
		}
	}
	if slices.ContainsFunc(out, func(c Cause) bool { return c.State != Progressing }) {
		out = slices.DeleteFunc(out, func(c Cause) bool { return c.State == Progressing })
	}
	slices.SortStableFunc(out, func(a, b Cause) int {
		return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), cmp.Compare(reach(b), reach(a)))
	})
	return out
}

// reach of a cause. One that is not about clusters is about all of them.
func reach(c Cause) int {
	if c.Clusters == 0 {
		return math.MaxInt
	}
	return c.Clusters
}

// without the name of the cluster that a message is about.
func without(message, cluster string) string {
	for _, quoted := range []string{`cluster "` + cluster + `"`, `Cluster "` + cluster + `"`, "Cluster " + cluster, "cluster " + cluster, "Release on " + cluster} {
		message = strings.ReplaceAll(message, quoted, "the cluster")
	}
	for _, start := range []string{"the cluster", "component"} {
		if strings.HasPrefix(message, start) {
			return strings.ToUpper(message[:1]) + message[1:]
		}
	}
	return message
}
