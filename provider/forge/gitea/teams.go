package gitea

import (
	"context"
	"strings"

	"code.gitea.io/sdk/gitea"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// Members of a team. Gitea shows teams to those who are in them, and to owners of the
// organization.
func (f *Forge) Members(ctx context.Context, team string) (members []string, err error) {
	err = f.with(ctx, func(c *gitea.Client) error {
		id, err := f.team(c, team)
		if err != nil {
			return err
		}
		all, more, err := forge.Pages(forge.MaxMembers, func(n int) ([]*gitea.User, int, error) {
			page, r, err := c.ListTeamMembers(id, gitea.ListTeamMembersOptions{
				ListOptions: gitea.ListOptions{Page: n, PageSize: pageSize},
			})
			return page, next(r), err
		})
		if err != nil {
			return err
		}
		for _, u := range all {
			members = append(members, login(u))
		}
		members, err = forge.MembersOf(members, more)
		return err
	}, "list members of team %s", team)
	return members, err
}

// team by name: its id.
func (f *Forge) team(c *gitea.Client, team string) (int64, error) {
	org, name, err := forge.CheckTeam(team)
	if err != nil {
		return 0, err
	}
	if strings.Contains(org, "/") {
		return 0, forge.Refusef(forge.Invalid, "%q is no name of a team: write <organization>/<team>", team)
	}
	all, _, err := forge.Pages(forge.MaxMembers, func(n int) ([]*gitea.Team, int, error) {
		page, r, err := c.SearchOrgTeams(org, &gitea.SearchTeamsOptions{
			Query: name, ListOptions: gitea.ListOptions{Page: n, PageSize: pageSize},
		})
		return page, next(r), err
	})
	if err != nil {
		return 0, err
	}
	for _, t := range all {
		// The query finds all whose name is like it.
		if strings.EqualFold(t.Name, name) {
			return t.ID, nil
		}
	}
	return 0, forge.Refusef(forge.NotFound, "organization %s has no such team that the token's user is in: add it to the team", org)
}
