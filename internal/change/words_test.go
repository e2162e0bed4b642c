package change

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func TestParse(t *testing.T) {
	cases := map[string]struct {
		reason, body string
		verb         v1alpha1.ChangeVerb
		argument     string
	}{
		"Plain":     {reason: "A command is a line.", body: "/retry", verb: v1alpha1.VerbRetry},
		"InText":    {reason: "It can stand among other lines.", body: "It was the network.\r\n/retry\r\nThanks!", verb: v1alpha1.VerbRetry},
		"Argument":  {reason: "The rest of the line is its argument.", body: "/approve-deletions 0123abcd", verb: v1alpha1.VerbApproveDeletions, argument: "0123abcd"},
		"Reason":    {reason: "An emergency has a reason.", body: "/emergency the shop is down", verb: v1alpha1.VerbEmergency, argument: "the shop is down"},
		"UpperCase": {reason: "Telephones write capitals.", body: "/Abandon", verb: v1alpha1.VerbAbandon},
		"MidLine":   {reason: "Who writes about a command does not give it.", body: "say /abandon to go back"},
		"Quoted":    {reason: "Nor does who quotes one.", body: "> /abandon"},
		"Code":      {reason: "Nor who shows one.", body: "```\n/abandon\n```"},
		"Longer":    {reason: "Another word is another word.", body: "/abandoned"},
		"Unknown":   {reason: "Commands of others are theirs.", body: "/assign bob"},
		"Path":      {reason: "A path is not a command.", body: "/retry/it"},
		"Huge":      {reason: "What is too long is cut.", body: strings.Repeat("x", 1<<20) + "\n/abandon"},
		"Empty":     {reason: "Nothing is nothing."},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			verb, argument, ok := Parse(tc.body)
			if verb != tc.verb || argument != tc.argument || ok != (tc.verb != "") {
				t.Errorf("%s\nwant %q %q, got %q %q %t", tc.reason, tc.verb, tc.argument, verb, argument, ok)
			}
		})
	}
}

// TestApprovals says whose word counts.
func TestApprovals(t *testing.T) {
	const head = "1111111111111111111111111111111111111111"
	shown := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	review := func(by string, o ...func(*Review)) Review {
		r := Review{ID: by, By: Person{Name: by, Writes: true}, HeadSHA: head, At: shown.Add(time.Minute), Approves: true}
		for _, fn := range o {
			fn(&r)
		}
		return r
	}
	cases := map[string]struct {
		reason  string
		policy  v1alpha1.ApprovalPolicy
		plan    func(*v1alpha1.ChangePlan)
		reviews []Review
		teams   map[string]string
		want    string
	}{
		"None":        {reason: "Somebody has to.", want: "0 of 1 approvals"},
		"One":         {reason: "One does for little risk.", reviews: []Review{review("bob")}},
		"Author":      {reason: "The author's own never counts.", reviews: []Review{review("ada")}, want: "0 of 1"},
		"Committer":   {reason: "Nor that of who pushed to it.", reviews: []Review{review("cleo")}, want: "0 of 1"},
		"OldHead":     {reason: "It is of one head.", reviews: []Review{review("bob", func(r *Review) { r.HeadSHA = strings.Repeat("2", 40) })}, want: "0 of 1"},
		"BeforeShown": {reason: "Nobody approves what cannot be read yet.", reviews: []Review{review("bob", func(r *Review) { r.At = shown.Add(-time.Second) })}, want: "0 of 1"},
		"Dismissed":   {reason: "It was taken back.", reviews: []Review{review("bob", func(r *Review) { r.Dismissed = true })}, want: "0 of 1"},
		"Reader":      {reason: "It takes the right to write.", reviews: []Review{review("eve", func(r *Review) { r.By.Writes = false })}, want: "0 of 1"},
		"Twice":       {reason: "One person is one.", plan: high, reviews: []Review{review("bob"), review("bob", func(r *Review) { r.ID = "again" })}, want: "1 of 2"},
		"HighRisk":    {reason: "Two for high risk.", plan: high, reviews: []Review{review("bob"), review("zoe")}},
		"Irreversible": {
			reason: "Two for what cannot be taken back, however small the risk.", policy: v1alpha1.ApprovalPolicy{Rules: []v1alpha1.ApprovalRule{{Risk: v1alpha1.RiskLow, Count: 0}}},
			plan: func(p *v1alpha1.ChangePlan) { p.Irreversible = "a volume is replaced" }, reviews: []Review{review("bob")}, want: "1 of 2 approvals, because it cannot be taken back: a volume is replaced",
		},
		"NobodyAsked": {reason: "A policy can ask nobody.", policy: v1alpha1.ApprovalPolicy{Rules: []v1alpha1.ApprovalRule{{Risk: v1alpha1.RiskLow}}}},
		"NextHigher":  {reason: "Where there is no rule, the next higher one is meant.", policy: v1alpha1.ApprovalPolicy{Rules: []v1alpha1.ApprovalRule{{Risk: v1alpha1.RiskCritical, Count: 3}}}, reviews: []Review{review("bob")}, want: "1 of 3"},
		"UnknownRisk": {reason: "What is not known is as bad as can be.", plan: func(p *v1alpha1.ChangePlan) { p.Risk = "Tiny" }, reviews: []Review{review("bob")}, want: "1 of 2"},
		"Team":        {reason: "A team's member counts, without the right to write.", policy: from1(v1alpha1.People{Teams: []string{"ops/sre"}}), reviews: []Review{review("bob", func(r *Review) { r.By = Person{Name: "bob", Teams: []string{"ops/sre"}} })}},
		"OtherTeam":   {reason: "That of another does not.", policy: from1(v1alpha1.People{Teams: []string{"ops/sre"}}), reviews: []Review{review("bob", func(r *Review) { r.By.Teams = []string{"ops/dev"} })}, want: "0 of 1 approvals from ops/sre"},
		"TeamUnknown": {
			reason: "Who is in a team that nobody can look into is in none, and that is said.", policy: from1(v1alpha1.People{Teams: []string{"ops/sre"}}), reviews: []Review{review("bob")},
			teams: map[string]string{"ops/sre": "forge says no"}, want: "0 of 1 approvals from ops/sre (it is not known who is in ops/sre: forge says no)",
		},
		"TeamBeside": {
			reason: "Who is named counts nevertheless.", policy: from1(v1alpha1.People{Users: []string{"bob"}, Teams: []string{"ops/sre"}}), reviews: []Review{review("bob")},
			teams: map[string]string{"ops/sre": "forge says no"},
		},
		"NotAsked":  {reason: "Others do not.", policy: from1(v1alpha1.People{Users: []string{"zoe"}}), reviews: []Review{review("bob")}, want: "0 of 1 approvals from zoe"},
		"Objection": {reason: "Who objects is heard.", reviews: []Review{review("bob"), review("zoe", func(r *Review) { r.Approves = false })}, want: "zoe asked for changes"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			n := &run{now: shown.Add(time.Hour)}
			n.spec.Repository.Approval, n.o.TeamProblems = tc.policy, tc.teams
			n.is.Plan = &v1alpha1.ChangePlan{Digest: "d1", HeadSHA: head, Risk: v1alpha1.RiskLow, Shown: &metav1.Time{Time: shown}}
			if tc.plan != nil {
				tc.plan(n.is.Plan)
			}
			n.o.Request = &Request{Author: "ada", Committers: []string{"cleo"}, HeadSHA: head, Reviews: tc.reviews}
			n.weigh()
			if n.approved != (tc.want == "") || !strings.Contains(n.is.Missing, tc.want) {
				t.Errorf("%s\nwant %q, got approved %t, %q", tc.reason, tc.want, n.approved, n.is.Missing)
			}
			// Another digest is another plan.
			n.is.Plan.Digest, n.is.Plan.Shown = "d2", nil
			n.weigh()
			if n.approved && ruleFor(tc.policy, n.is.Plan.Risk).Count > 0 {
				t.Errorf("%s\nan approval of one plan must not be one of another", tc.reason)
			}
		})
	}
}

func high(p *v1alpha1.ChangePlan) { p.Risk = v1alpha1.RiskHigh }

func from1(p v1alpha1.People) v1alpha1.ApprovalPolicy {
	return v1alpha1.ApprovalPolicy{Rules: []v1alpha1.ApprovalRule{{Risk: v1alpha1.RiskLow, Count: 1, From: &p}}}
}

// TestControl gives commands on the hub. Each names a head and a plan, and is obeyed once.
func TestControl(t *testing.T) {
	s, _ := executing(t)
	e := s.w.changes[41]
	tell := func(id string, verb v1alpha1.ChangeVerb, head, digest string) {
		if e.spec.Control == nil {
			e.spec.Control = &v1alpha1.ChangeControl{}
		}
		e.spec.Control.Commands = append(e.spec.Control.Commands, v1alpha1.ChangeCommand{ID: id, Verb: verb, HeadSHA: head, Digest: digest, By: "sre@hub"})
	}
	p := e.status.Plan
	tell("1", v1alpha1.VerbHalt, p.HeadSHA, strings.Repeat("0", 64))
	tell("2", v1alpha1.VerbHalt, strings.Repeat("0", 40), p.Digest)
	s.turns(1)
	if e.status.Phase != v1alpha1.ChangeExecuting || len(e.status.Notices) != 2 {
		t.Fatalf("words for another head or plan mean nothing to this one: %s, %v", e.status.Phase, e.status.Notices)
	}
	tell("3", v1alpha1.VerbHalt, p.HeadSHA[:12], p.Digest[:12])
	s.turns(1)
	if e.status.Phase != v1alpha1.ChangeHalted {
		t.Fatalf("it must halt, got %s", e.status.Message)
	}
	tell("4", v1alpha1.VerbResume, p.HeadSHA, p.Digest)
	s.turns(1)
	if e.status.Phase == v1alpha1.ChangeHalted {
		t.Fatalf("it must go on, and the halt is obeyed once, got %s", e.status.Message)
	}
	e.spec.Control.Commands = e.spec.Control.Commands[3:]
	s.turns(1)
	if diff := cmp.Diff([]string{"4"}, e.status.Obeyed); diff != "" {
		t.Errorf("what was taken away again need not be remembered: %s", diff)
	}
}

// TestRefusals says why a word is not heard.
func TestRefusals(t *testing.T) {
	cases := map[string]struct {
		said, want string
		prepare    func(s *story, m *mr)
	}{
		"ResumeWithoutHalt":    {said: "/resume", want: "it did not halt"},
		"DeletionsOfNothing":   {said: "/approve-deletions 123", want: "takes nothing away"},
		"EmergencyNoPolicy":    {said: "/emergency now", want: "no emergency policy"},
		"EmergencyNotListed":   {said: "/emergency now", want: "one of those", prepare: func(s *story, _ *mr) { s.w.repo.Emergency = emergency("zoe") }},
		"EmergencyNoReason":    {said: "/emergency", want: "takes a reason", prepare: func(s *story, _ *mr) { s.w.repo.Emergency = emergency("bob") }},
		"RollbackTwice":        {said: "/rollback", want: "goes back already", prepare: func(s *story, m *mr) { s.w.say(m, "zoe", "/rollback"); s.turns(1) }},
		"ResumeOfDivergedBase": {said: "/resume", want: "rebase and push", prepare: func(s *story, _ *mr) { s.w.main["shop"] = "x"; s.turns(1) }},
		"ResumeOfFailure":      {said: "/resume", want: "/retry tries again", prepare: func(s *story, _ *mr) { s.w.bad[said("shop", "v2")] = true; s.turns(3) }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, m := executing(t)
			if tc.prepare != nil {
				tc.prepare(s, m)
			}
			s.w.say(m, "bob", tc.said)
			s.turns(1)
			got := s.w.changes[41].status
			if !slices.ContainsFunc(got.Notices, func(n string) bool { return strings.Contains(n, tc.want) && strings.Contains(n, "bob") }) {
				t.Errorf("want a notice with %q, got %q", tc.want, got.Notices)
			}
			if !slices.ContainsFunc(got.Audit.Entries, func(e v1alpha1.AuditEntry) bool { return e.By == "bob" && strings.Contains(e.Did, tc.want) }) {
				t.Error("what was refused is on the audit trail, too")
			}
		})
	}
}

func emergency(users ...string) *v1alpha1.EmergencyPolicy {
	return &v1alpha1.EmergencyPolicy{Count: 2, From: v1alpha1.People{Users: users}}
}

// TestAudit shows that nothing on the trail can be changed, taken out or put in.
func TestAudit(t *testing.T) {
	trail := func(n int) v1alpha1.ChangeAudit {
		a := v1alpha1.ChangeAudit{}
		for i := range n {
			a = appended(a, v1alpha1.AuditEntry{At: metav1.NewTime(time.Unix(int64(i), 0)), By: "bob", Did: fmt.Sprint("thing ", i), Digest: "d"})
		}
		return a
	}
	cases := map[string]struct {
		reason   string
		length   int
		change   func(a *v1alpha1.ChangeAudit)
		anchored func(a v1alpha1.ChangeAudit) string
		want     string
	}{
		"Empty":     {reason: "Nothing is true of nothing."},
		"Whole":     {reason: "It is what was written.", length: 5},
		"Long":      {reason: "Only the latest are kept.", length: 3 * maxAudit},
		"Anchored":  {reason: "Git names an entry of it.", length: 5, anchored: func(a v1alpha1.ChangeAudit) string { return "Merge\n\n" + Anchor(a) + "\n" }},
		"Later":     {reason: "It goes on after the merge.", length: 5, anchored: func(v1alpha1.ChangeAudit) string { return Anchor(trail(3)) }},
		"Rewritten": {reason: "Git names an entry that it does not have.", length: 5, change: func(a *v1alpha1.ChangeAudit) { *a = trail(4) }, anchored: func(a v1alpha1.ChangeAudit) string { return Anchor(trail(6)) }, want: "Git names"},
		"Who":       {reason: "Somebody else did it.", length: 5, change: func(a *v1alpha1.ChangeAudit) { a.Entries[2].By = "eve" }, want: "entry 3"},
		"When":      {reason: "It was at another time.", length: 5, change: func(a *v1alpha1.ChangeAudit) { a.Entries[2].At = metav1.Now() }, want: "entry 3"},
		"TakenOut":  {reason: "One is missing.", length: 5, change: func(a *v1alpha1.ChangeAudit) { a.Entries = slices.Delete(a.Entries, 1, 2) }, want: "has 4"},
		"Swapped":   {reason: "The order is part of it.", length: 5, change: func(a *v1alpha1.ChangeAudit) { a.Entries[1], a.Entries[2] = a.Entries[2], a.Entries[1] }, want: "entry 2"},
		"Cut":       {reason: "The end is missing.", length: 5, change: func(a *v1alpha1.ChangeAudit) { a.Entries, a.Length = a.Entries[:4], 4 }, want: "not its head"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := trail(tc.length)
			text := ""
			if tc.change != nil {
				tc.change(&a)
			}
			if tc.anchored != nil {
				text = tc.anchored(a)
			}
			err := Verify(a, text)
			if (err != nil) != (tc.want != "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s\nwant %q, got %v", tc.reason, tc.want, err)
			}
			if len(a.Entries) > maxAudit {
				t.Errorf("the trail must be bounded, has %d", len(a.Entries))
			}
		})
	}
}

// TestMarkdown shows what stands in a merge request.
func TestMarkdown(t *testing.T) {
	s, b := &story{w: newWorld(), last: map[int64]string{}}, &strings.Builder{}
	page := func(what string) { fmt.Fprintf(b, "<!-- %s -->\n%s\n", what, Markdown(s.w.changes[41].status)) }
	s.w.live("shop", "v1", 4)
	m := s.w.propose(41, "ada", map[string]string{"shop": "v2"})
	s.turns(2)
	s.w.approve(m, "ada")
	s.turns(1)
	page("planned")
	s, m = executing(t)
	page("executing")
	s.w.bad[said("shop", "v2")] = true
	s.w.say(m, "bob", "/resume")
	s.turns(3)
	page("halted")
	s.w.say(m, "bob", "/abandon")
	s.turns(4)
	page("going back")
	s.untilDone()
	page("abandoned")
	golden(t, "comment", b.String())

	hostile := v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeHalted, Halt: &v1alpha1.ChangeHalt{Message: "a\n# title\n@everybody <img src=x> [link](http://evil) | `code`"}}
	for _, bad := range []string{"\n# title", "@everybody", "<img", " [link"} {
		if strings.Contains(Markdown(hostile), bad) {
			t.Errorf("text of others must not be Markdown, has %q:\n%s", bad, Markdown(hostile))
		}
	}
}

// TestBounded keeps a status small, whatever is said and done.
func TestBounded(t *testing.T) {
	s, m := executing(t)
	for i := range 300 {
		s.w.say(m, "bob", "/approve-deletions "+strings.Repeat("x", 1000))
		m.title = strings.Repeat("ü", 500+i)
		s.w.approve(m, fmt.Sprint("user-", i))
	}
	s.turns(2)
	got := s.w.changes[41].status
	if len(got.Audit.Entries) > maxAudit || len(got.Notices) > 5 || len(got.Approvals) > 50 || len(got.Timeline) > 50 || len(got.Request.Title) > 256 || len(got.Message) > maxMessage {
		t.Errorf("everything in a status is bounded: %d entries, %d notices, %d approvals", len(got.Audit.Entries), len(got.Notices), len(got.Approvals))
	}
}
