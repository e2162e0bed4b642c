package observe

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

// organization is a forge of which only teams are asked for.
type organization struct {
	forge.Forge

	teams map[string][]string
	fails error
	asked int
}

func (o *organization) Members(_ context.Context, team string) ([]string, error) {
	o.asked++
	if o.fails != nil {
		return nil, forge.Wrap(o.fails, "list members of team %s", team)
	}
	all, ok := o.teams[team]
	if !ok {
		return nil, forge.Wrap(forge.Refusef(forge.NotFound, "no such team"), "list members of team %s", team)
	}
	return all, nil
}

func TestInTeams(t *testing.T) {
	policy := v1alpha1.RepositoryParameters{
		Approval: v1alpha1.ApprovalPolicy{Rules: []v1alpha1.ApprovalRule{
			{Risk: v1alpha1.RiskLow, Count: 1, From: &v1alpha1.People{Teams: []string{"ops/dev", "ops/sre"}}},
			{Risk: v1alpha1.RiskHigh, Count: 2, From: &v1alpha1.People{Teams: []string{"ops/sre"}}},
		}},
		Emergency: &v1alpha1.EmergencyPolicy{From: v1alpha1.People{Teams: []string{"ops/duty"}}},
	}
	teams := map[string][]string{"ops/sre": {"ravi", "zoe"}, "ops/dev": {"ravi"}, "ops/duty": {"zoe"}}
	approves := func(who string) change.Review {
		return change.Review{By: change.Person{Name: who}, Approves: true}
	}
	says := func(who, what string) change.Comment {
		return change.Comment{By: change.Person{Name: who}, Body: what}
	}
	cases := map[string]struct {
		reason   string
		spec     v1alpha1.RepositoryParameters
		teams    map[string][]string
		fails    error
		reviews  []change.Review
		comments []change.Comment
		want     map[string][]string
		problems map[string]string
		asked    int
	}{
		"NoTeams":  {reason: "Where no team is named, none is asked for.", reviews: []change.Review{approves("ravi")}, want: map[string][]string{"ravi": nil}},
		"NoPeople": {reason: "Where nobody approved, neither.", spec: policy, comments: []change.Comment{says("zoe", "looks good")}, want: map[string][]string{"zoe": nil}},
		"Reviewers": {
			reason: "Each team is asked for once, whoever approved.", spec: policy, teams: teams, reviews: []change.Review{approves("ravi"), approves("zoe"), approves("eve")},
			want: map[string][]string{"ravi": {"ops/dev", "ops/sre"}, "zoe": {"ops/sre"}, "eve": nil}, asked: 2,
		},
		"Objection": {reason: "Who objects is heard without.", spec: policy, teams: teams, reviews: []change.Review{{By: change.Person{Name: "zoe"}}}, want: map[string][]string{"zoe": nil}},
		"Command":   {reason: "A command asks for those who may call an emergency.", spec: policy, teams: teams, comments: []change.Comment{says("zoe", "/emergency fire")}, want: map[string][]string{"zoe": {"ops/duty"}}, asked: 1},
		"Unknown": {
			reason: "Nobody is in a team that is not to be seen, and the others count.", spec: policy, teams: map[string][]string{"ops/dev": {"ravi"}}, reviews: []change.Review{approves("ravi")},
			want: map[string][]string{"ravi": {"ops/dev"}}, problems: map[string]string{"ops/sre": "no such team"}, asked: 2,
		},
		"Down": {
			reason: "What it says does not change while the wait does.", spec: policy, fails: &forge.Error{Reason: forge.RateLimited, Message: "too often", RetryAfter: time.Hour}, reviews: []change.Review{approves("ravi")},
			want: map[string][]string{"ravi": nil}, problems: map[string]string{"ops/sre": "too often", "ops/dev": "too often"}, asked: 2,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			org := &organization{teams: tc.teams, fails: tc.fails}
			o := &Observer{Now: func() time.Time { return at }}
			in := Input{Repository: &v1alpha1.Repository{Spec: v1alpha1.RepositorySpec{ForProvider: tc.spec}}, Repo: &repo.Repo{UID: "r", Forge: org}}
			for range 2 { // The second time, all is known.
				out := &change.Observed{Request: &change.Request{Reviews: append([]change.Review{}, tc.reviews...)}, Comments: append([]change.Comment{}, tc.comments...)}
				o.inTeams(t.Context(), in, out)
				got := map[string][]string{}
				for _, r := range out.Request.Reviews {
					got[r.By.Name] = r.By.Teams
				}
				for _, c := range out.Comments {
					got[c.By.Name] = c.By.Teams
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
				}
				if diff := cmp.Diff(tc.problems, out.TeamProblems); diff != "" {
					t.Errorf("\n%s\nproblems: -want, +got:\n%s", tc.reason, diff)
				}
				if org.asked != tc.asked {
					t.Errorf("\n%s\nasked %d times, want %d", tc.reason, org.asked, tc.asked)
				}
			}
		})
	}
}

// Who is in a team is asked for again in time, and what could not be read sooner.
func TestMembersAgain(t *testing.T) {
	org := &organization{teams: map[string][]string{"ops/sre": {"ravi"}}, fails: forge.Refusef(forge.Unavailable, "down")}
	now := at
	o := &Observer{Now: func() time.Time { return now }}
	r := &repo.Repo{UID: "r", Forge: org}
	for i, step := range []struct {
		pass    time.Duration
		fails   error
		members []string
		want    membership
		asked   int
	}{
		{fails: forge.Refusef(forge.Unavailable, "down"), want: membership{problem: "down", until: at.Add(time.Minute)}, asked: 1},
		{pass: 59 * time.Second, want: membership{problem: "down", until: at.Add(time.Minute)}, asked: 1},
		{pass: time.Second, members: []string{"ravi"}, want: membership{members: []string{"ravi"}, until: at.Add(6 * time.Minute)}, asked: 2},
		{pass: 4 * time.Minute, members: []string{"zoe"}, want: membership{members: []string{"ravi"}, until: at.Add(6 * time.Minute)}, asked: 2},
		{pass: time.Minute, fails: forge.Refusef(forge.Forbidden, "no"), want: membership{problem: "no", until: at.Add(7 * time.Minute)}, asked: 3},
	} {
		now = now.Add(step.pass)
		org.fails, org.teams["ops/sre"] = step.fails, step.members
		got := o.members(t.Context(), r, "ops/sre")
		if diff := cmp.Diff(step.want, got, cmp.AllowUnexported(membership{})); diff != "" || org.asked != step.asked {
			t.Errorf("step %d: asked %d times, want %d; -want, +got:\n%s", i, org.asked, step.asked, diff)
		}
	}
}
