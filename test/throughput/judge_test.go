package throughput

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/apiserver"
)

// An ending is how one merge request of an application ended.
type ending struct {
	number int64
	// epoch in which it executed last. 0 where it never did.
	epoch int64
	// content that its clusters had when it was merged. Empty where it was not.
	content string
}

// judge what one cluster has on record of one object: it went from one merged content to the next, each
// once, in the order in which locks were given. Where a merge request was given up, it
// may have had something else for a while, and then again what was merged before.
func judge(audit []apiserver.Entry, start string, endings []ending) string {
	at := []string{}
	for _, e := range audit {
		if e.Verb == apiserver.Deleted {
			return "it was deleted"
		}
		if n := len(at); n == 0 || at[n-1] != e.Content {
			at = append(at, e.Content)
		}
	}
	if len(at) == 0 || at[0] != start {
		return "it did not begin as main did"
	}
	merged := []string{start}
	for _, e := range endings {
		if e.content != "" {
			merged = append(merged, e.content)
		}
	}
	endings = slices.Clone(endings)
	slices.SortFunc(endings, func(a, b ending) int { return int(a.epoch - b.epoch) })
	is := start
	at = at[1:]
	for _, e := range endings {
		switch {
		case e.epoch == 0:
		case e.content != "":
			if len(at) == 0 || at[0] != e.content {
				return fmt.Sprintf("!%d was merged, and it never ran here, or something else did before", e.number)
			}
			is, at = e.content, at[1:]
		case len(at) > 0 && !slices.Contains(merged, at[0]):
			if len(at) < 2 || at[1] != is {
				return fmt.Sprintf("!%d was given up, and it did not go back to what was before", e.number)
			}
			at = at[2:]
		}
	}
	if len(at) > 0 {
		return fmt.Sprintf("it had %d contents more than what was merged", len(at))
	}
	return ""
}

// sharing are changes that have locks of the same.
func sharing(q v1alpha1.ChangeQueueSpec) []string {
	var out []string
	for i := range q.Changes {
		for j := range q.Changes[:i] {
			a, b := &q.Changes[j], &q.Changes[i]
			if len(a.Has) > 0 && len(b.Has) > 0 && lock.Overlap(a.Has, b.Has) {
				out = append(out, fmt.Sprintf("%s and %s have locks of the same", a.Label, b.Label))
			}
		}
	}
	return out
}

// The judge is a witness too: that it finds fault where there is one has to be shown.
func TestJudge(t *testing.T) {
	ran := func(contents ...string) []apiserver.Entry {
		var out []apiserver.Entry
		for i, c := range contents {
			e := apiserver.Entry{Verb: apiserver.Changed, Content: c}
			if i == 0 {
				e.Verb = apiserver.Created
			}
			out = append(out, e)
		}
		return out
	}
	two := []ending{{number: 2, epoch: 9, content: "c"}, {number: 1, epoch: 4, content: "b"}}
	gaveUp := []ending{{number: 1, epoch: 4, content: "b"}, {number: 2, epoch: 7}, {number: 3, epoch: 9, content: "c"}}
	cases := map[string]struct {
		reason  string
		audit   []apiserver.Entry
		endings []ending
		want    string
	}{
		"Merged":    {"Each once, by epoch.", ran("a", "b", "c"), two, ""},
		"Metadata":  {"What changes metadata only changes nothing that is judged.", ran("a", "b", "b", "c"), two, ""},
		"GaveUp":    {"What was given up came and went.", ran("a", "b", "x", "b", "c"), gaveUp, ""},
		"Untouched": {"What was given up need not have come here.", ran("a", "b", "c"), gaveUp, ""},
		"NeverRan":  {"What never executed is nowhere.", ran("a"), []ending{{number: 1}}, ""},
		"Wrong":     {"Merged, and not there.", ran("a", "c"), two, "!1 was merged, and it never ran here, or something else did before"},
		"Last":      {"Merged, and not there yet.", ran("a", "b"), two, "!2 was merged, and it never ran here, or something else did before"},
		"Lost":      {"An update that was lost.", ran("a", "b", "c", "b"), two, "it had 1 contents more than what was merged"},
		"Order":     {"In the order of the locks.", ran("a", "c", "b"), two, "!1 was merged, and it never ran here, or something else did before"},
		"NotBack":   {"What was given up goes.", ran("a", "b", "x"), gaveUp[:2], "!2 was given up, and it did not go back to what was before"},
		"Unmerged":  {"What nobody merged.", ran("a", "x"), nil, "it had 1 contents more than what was merged"},
		"Nothing":   {"There is what was there.", nil, nil, "it did not begin as main did"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, judge(tc.audit, "a", tc.endings)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestSharing(t *testing.T) {
	keys := func(cluster string) []v1alpha1.LockKey {
		return []v1alpha1.LockKey{{Namespace: "shop", Claim: "ProductApplication/a", Clusters: []string{cluster}}}
	}
	q := v1alpha1.ChangeQueueSpec{Changes: []v1alpha1.QueuedChange{
		{Label: "!1", Has: keys("x")}, {Label: "!2", Wants: keys("x")}, {Label: "!3", Has: keys("y")},
	}}
	if got := sharing(q); got != nil {
		t.Errorf("nobody shares: %v", got)
	}
	q.Changes[1].Has = keys("x")
	if diff := cmp.Diff([]string{"!1 and !2 have locks of the same"}, sharing(q)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}
