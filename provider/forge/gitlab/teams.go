package gitlab

import (
	"context"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// Members of a group. Those of groups above it are in all groups below, and would make
// everybody of an organization a member of each of its teams: they do not count.
func (f *Forge) Members(ctx context.Context, team string) ([]string, error) {
	members, err := f.members(ctx, team)
	return members, forge.Wrap(err, "list members of group %s", team)
}

func (f *Forge) members(ctx context.Context, group string) ([]string, error) {
	if _, _, err := forge.CheckTeam(group); err != nil {
		return nil, err
	}
	all, more, err := forge.Pages(forge.MaxMembers, func(n int) ([]*gitlab.GroupMember, int, error) {
		members, r, err := f.c.Groups.ListGroupMembers(group, &gitlab.ListGroupMembersOptions{ListOptions: page(n)}, gitlab.WithContext(ctx))
		return members, next(r), err
	})
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(all))
	for _, m := range all {
		if m.State == "active" && level(m.AccessLevel) > forge.NoRights {
			names = append(names, m.Username)
		}
	}
	return forge.MembersOf(names, more)
}
