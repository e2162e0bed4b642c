package github

import (
	"context"
	"strings"

	"github.com/google/go-github/v84/github"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// Members of a team, by the name that the team has in addresses, and of teams below it. Who was
// invited and did not accept is none.
func (f *Forge) Members(ctx context.Context, team string) ([]string, error) {
	members, err := f.members(ctx, team)
	return members, forge.Wrap(err, "list members of team %s", team)
}

func (f *Forge) members(ctx context.Context, team string) ([]string, error) {
	org, slug, err := forge.CheckTeam(team)
	if err != nil {
		return nil, err
	}
	if strings.Contains(org, "/") {
		return nil, forge.Refusef(forge.Invalid, "%q is no name of a team: write <organization>/<team>", team)
	}
	all, more, err := forge.Pages(forge.MaxMembers, func(n int) ([]*github.User, int, error) {
		users, r, err := f.c.Teams.ListTeamMembersBySlug(ctx, org, slug, &github.TeamListTeamMembersOptions{ListOptions: page(n)})
		return users, next(r), err
	})
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(all))
	for _, u := range all {
		names = append(names, u.GetLogin())
	}
	return forge.MembersOf(names, more)
}
