package scale

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/apiserver"
	"github.com/mainstay-dev/mainstay/test/fleet"
)

// A stage of an object is what one release makes of it: its content, or nothing.
type stage struct {
	content   string
	overtaken bool
}

// stagesOf all objects, by name, for releases that came in order.
func stagesOf(rs []release, contentOf func(*unstructured.Unstructured) string) map[string][]stage {
	out := map[string][]stage{}
	for n, r := range rs {
		for _, o := range r.objects() {
			s := out[o.GetName()]
			for len(s) < n { // It was not there before.
				s = append(s, stage{overtaken: rs[len(s)].overtaken})
			}
			out[o.GetName()] = append(s, stage{content: contentOf(&o), overtaken: r.overtaken})
		}
		for name, s := range out {
			if len(s) == n { // It is dropped.
				out[name] = append(s, stage{overtaken: r.overtaken})
			}
		}
	}
	return out
}

// judge what was changed on one cluster: each object went through all its stages in
// order, each was reached by one change, and nothing else was changed.
func judge(audit []apiserver.Entry, want map[string][]stage) []string {
	var problems []string
	seen := map[string][]apiserver.Entry{}
	for _, e := range audit {
		if e.Namespace == fleet.Tenant && strings.HasPrefix(e.Name, app+"-") {
			seen[e.Name] = append(seen[e.Name], e)
		}
	}
	for name := range seen {
		if want[name] == nil {
			problems = append(problems, name+" is no object of any release")
		}
	}
	for name, stages := range want {
		if why := walk(seen[name], stages); why != "" {
			problems = append(problems, fmt.Sprintf("%s %s: %s", name, why, tell(seen[name], stages)))
		}
	}
	slices.Sort(problems)
	return problems
}

// walk through the stages of an object with what was changed. It returns what is wrong.
func walk(entries []apiserver.Entry, stages []stage) string {
	at, is, epoch := -1, "", int64(0)
	for _, e := range entries {
		next := e.Content
		if e.Verb == apiserver.Deleted {
			next = ""
		}
		if next == is {
			return "was written without need"
		}
		ahead := slices.IndexFunc(stages[at+1:], func(s stage) bool { return s.content == next })
		if ahead < 0 {
			return "was changed to what no later release has"
		}
		to := at + 1 + ahead
		for _, s := range stages[at+1 : to] {
			if s.content != is && !s.overtaken {
				return "skipped a release"
			}
		}
		at, is = to, next
		if n := epochOf(e); e.Verb != apiserver.Deleted {
			if n < epoch {
				return "was written in an earlier epoch than before"
			}
			epoch = n
		}
	}
	for _, s := range stages[at+1:] {
		if s.content != is && !s.overtaken {
			return "never got a release"
		}
	}
	return ""
}

// tell what was changed in words, the number of a release for each content.
func tell(entries []apiserver.Entry, stages []stage) string {
	var words []string
	for _, e := range entries {
		release := "of no release"
		for i, s := range stages {
			if s.content == e.Content {
				release = "as in release " + strconv.Itoa(i+1)
				break
			}
		}
		words = append(words, fmt.Sprintf("%s %s (epoch %d)", e.Verb, release, epochOf(e)))
	}
	return strings.Join(words, ", ")
}

func epochOf(e apiserver.Entry) int64 {
	a := e.Annotations[v1alpha1.AnnotationEpoch]
	n, err := strconv.ParseInt(a[strings.LastIndexByte(a, '.')+1:], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// The judge is a witness too: that it finds fault where there is one has to be shown.
func TestJudge(t *testing.T) {
	stages := []stage{{content: "a"}, {content: "b"}, {content: "b"}, {content: "c", overtaken: true}, {content: "d"}}
	short := []stage{{}, {content: "a"}, {}}
	entry := func(verb apiserver.Verb, content string, epoch int) apiserver.Entry {
		return apiserver.Entry{Namespace: fleet.Tenant, Name: name(2), Verb: verb, Content: content,
			Annotations: map[string]string{v1alpha1.AnnotationEpoch: "uid." + strconv.Itoa(epoch)}}
	}
	made := func(content string, epoch int) apiserver.Entry { return entry(apiserver.Created, content, epoch) }
	changed := func(content string, epoch int) apiserver.Entry { return entry(apiserver.Changed, content, epoch) }
	gone := func(content string, epoch int) apiserver.Entry { return entry(apiserver.Deleted, content, epoch) }
	cases := map[string]struct {
		reason string
		audit  []apiserver.Entry
		stages []stage
		want   string
	}{
		"All":       {"Every release once.", []apiserver.Entry{made("a", 1), changed("b", 2), changed("c", 4), changed("d", 5)}, stages, ""},
		"Overtaken": {"What was overtaken need not have been everywhere.", []apiserver.Entry{made("a", 1), changed("b", 2), changed("d", 5)}, stages, ""},
		"Dropped":   {"What is dropped goes.", []apiserver.Entry{made("a", 2), gone("a", 2)}, short, ""},
		"Left":      {"What is dropped does not stay.", []apiserver.Entry{made("a", 2)}, short, "never got a release"},
		"Twice":     {"The same content is not written again.", []apiserver.Entry{made("a", 1), changed("a", 1)}, stages, "was written without need"},
		"Back":      {"What an old provider had begun does not come back.", []apiserver.Entry{made("a", 1), changed("b", 2), changed("a", 2)}, stages, "was changed to what no later release has"},
		"Lost":      {"What is gone in between was lost.", []apiserver.Entry{made("a", 1), gone("a", 1), made("b", 2)}, stages, "was changed to what no later release has"},
		"Skipped":   {"No release is left out.", []apiserver.Entry{made("a", 1), changed("d", 5)}, stages, "skipped a release"},
		"Epoch":     {"Epochs only rise.", []apiserver.Entry{made("a", 2), changed("b", 1)}, stages, "was written in an earlier epoch than before"},
		"Never":     {"All get there.", []apiserver.Entry{made("a", 1)}, stages, "never got a release"},
		"Nothing":   {"All get there.", nil, stages, "never got a release"},
	}
	for n, tc := range cases {
		t.Run(n, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, walk(tc.audit, tc.stages)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
	strange := apiserver.Entry{Namespace: fleet.Tenant, Name: app + "-strange"}
	if got := judge([]apiserver.Entry{strange}, nil); len(got) != 1 {
		t.Errorf("an object of no release: got %v", got)
	}
}
