package planner

import (
	"context"
	"fmt"
	"slices"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	files "github.com/mainstay-dev/mainstay/internal/claims"
	"github.com/mainstay-dev/mainstay/provider/controller/change/trees"
)

// A base branch that is broken is mended by a merge request, as everything else. What it does not say
// validly is taken from the hub: that is what clusters have, and what a plan compares with. There
// is no way back to it, because nothing in Git says it.

// causeBase of a warning.
const causeBase = "BaseBranch"

// refusal of a tree that is wrong. Where it is no worse than the base branch that is said: the author
// may never have seen the file.
func refusal(v trees.View, base string) error {
	for _, p := range v.Problems {
		if !slices.Contains(v.BaseProblems, p) {
			return problem{v.Problems.Error()}
		}
	}
	return problemf("%s itself is broken, and nothing is planned until a merge request mends it:\n%s", base, v.Problems.Error())
}

// mends a claim that the API server would not take as the base branch has it.
func (p *Planner) mends(ctx context.Context, s *sides, was files.Claim, wrong []string) error {
	s.warn(was.Ref.String(), fmt.Sprintf("%s: the base branch is broken: %s", was.Source, wrong[0]))
	return p.instead(ctx, s, was.Ref)
}

// unread claims are missing from a base branch of which not all could be read. They are new only where
// the hub does not have them.
func (p *Planner) unread(ctx context.Context, s *sides, v trees.View) error {
	for i, wrong := range v.BaseProblems {
		if i == files.MaxProblems {
			s.warn("", fmt.Sprintf("the base branch is broken in %d more places", len(v.BaseProblems)-i))
			break
		}
		s.warn("", "the base branch is broken: "+wrong.String())
	}
	if len(v.BaseProblems) == 0 {
		return nil
	}
	for _, ref := range s.touched {
		_, was := v.Base[ref]
		if _, is := v.Merged[ref]; was || !is {
			continue
		}
		if err := p.instead(ctx, s, ref); err != nil {
			return err
		}
	}
	return nil
}

// instead of what the base branch says, a claim was what it is on the hub. Where that has none, it is
// new.
func (p *Planner) instead(ctx context.Context, s *sides, ref v1alpha1.ClaimReference) error {
	c, err := p.onHub(ctx, ref)
	if err != nil || c == nil {
		return err
	}
	s.before.Claims = append(s.before.Claims, *c)
	s.broken[ref] = "the base branch does not say validly what " + ref.Kind + " " + ref.Namespace + "/" + ref.Name + " was"
	return nil
}

// warn of the base.
func (s *sides) warn(claim, message string) {
	s.found = append(s.found, v1alpha1.ChangeFinding{Cause: causeBase, Claim: claim, Message: message})
}
