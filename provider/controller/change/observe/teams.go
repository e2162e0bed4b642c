package observe

import (
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

const (
	// membersFor is how long the members of a team are taken for what they were.
	membersFor = 5 * time.Minute
	// membersRetry is the wait before a team is asked for again that could not be read.
	membersRetry = time.Minute
	// maxTeamProblem is how long it is told why.
	maxTeamProblem = 256
)

// A team in a repository's policy.
type team struct {
	repository types.UID
	name       string
}

// A membership is who was in a team at a time, or why that is not known.
type membership struct {
	members []string
	problem string
	until   time.Time
}

// inTeams says in which teams of the policy those are who approved, or gave a command. Where nobody
// did, nobody is asked. A team that cannot be read is no reason not to hear what people say: nobody
// is in it, and that is said.
func (o *Observer) inTeams(ctx context.Context, in Input, out *change.Observed) {
	approval, emergency := teamsOf(in.Repository.Spec.ForProvider)
	var people []*change.Person
	for i := range out.Request.Reviews {
		if r := &out.Request.Reviews[i]; r.Approves && !r.Dismissed {
			people = append(people, &r.By)
		}
	}
	o.join(ctx, in.Repo, approval, people, out)

	people = nil
	for i := range out.Comments {
		if _, _, ok := change.Parse(out.Comments[i].Body); ok {
			people = append(people, &out.Comments[i].By)
		}
	}
	o.join(ctx, in.Repo, emergency, people, out)
}

// teamsOf a policy: those whose approvals are asked for, and those who may call an emergency.
func teamsOf(spec v1alpha1.RepositoryParameters) (approval, emergency []string) {
	for _, r := range spec.Approval.Rules {
		if r.From != nil {
			approval = append(approval, r.From.Teams...)
		}
	}
	if spec.Emergency != nil {
		emergency = spec.Emergency.From.Teams
	}
	slices.Sort(approval)
	return slices.Compact(approval), emergency
}

// join people to those of the teams that they are in.
func (o *Observer) join(ctx context.Context, r *repo.Repo, teams []string, people []*change.Person, out *change.Observed) {
	if len(people) == 0 {
		return
	}
	for _, name := range teams {
		m := o.members(ctx, r, name)
		if m.problem != "" {
			if out.TeamProblems == nil {
				out.TeamProblems = map[string]string{}
			}
			out.TeamProblems[name] = m.problem
		}
		for _, p := range people {
			if slices.Contains(m.members, p.Name) {
				p.Teams = append(p.Teams, name)
			}
		}
	}
}

// members of a team, asked for once in a while.
func (o *Observer) members(ctx context.Context, r *repo.Repo, name string) membership {
	key, now := team{r.UID, name}, o.Now()
	o.mu.Lock()
	m, ok := o.teams[key]
	o.mu.Unlock()
	if ok && now.Before(m.until) && m.until.Sub(now) <= membersFor {
		return m
	}
	members, err := r.Forge.Members(ctx, name)
	m = membership{members: members, until: now.Add(membersFor)}
	if err != nil {
		m = membership{problem: teamProblem(err), until: now.Add(min(max(membersRetry, forge.RetryAfter(err)), membersFor))}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for t, old := range o.teams {
		if !now.Before(old.until) {
			delete(o.teams, t)
		}
	}
	if o.teams == nil {
		o.teams = map[team]membership{}
	}
	o.teams[key] = m
	return m
}

// teamProblem is why a team could not be read, without how long to wait: it is told to people, and
// would be news each time.
func teamProblem(err error) string {
	if e, ok := errors.AsType[*forge.Error](err); ok {
		return forge.Cut(e.Message, maxTeamProblem)
	}
	return forge.Cut(err.Error(), maxTeamProblem)
}
