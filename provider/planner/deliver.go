package planner

import (
	"errors"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/delivery"
	files "github.com/mainstay-dev/mainstay/internal/claims"
	"github.com/mainstay-dev/mainstay/internal/tree"
)

// deliverable is asked of what is planned where it is delivered by a branch: whole files are put there, so
// that claims of several steps in one file could not be written one after the other. On a base that is broken
// it cannot be tried: then only the branch itself will tell.
func (p *Planner) deliverable(in Input, s *sides, planned []v1alpha1.ChangeClaim) error {
	spec := in.Repository.Spec.ForProvider
	if spec.Delivery.Mode != v1alpha1.DeliverBranch || len(s.view.BaseProblems) > 0 {
		return nil
	}
	var unread error
	read := func(f tree.Files) (files.Set, error) {
		set, err := p.trees.Files(in.Repo, spec, in.Repository.GetNamespace(), f)
		if _, wrong := errors.AsType[files.Problems](err); err != nil && !wrong {
			unread = err
		}
		return set, err
	}
	base := delivery.Side{Files: s.view.BaseFiles, Claims: s.view.Base}
	merged := delivery.Side{Files: s.view.Look.Merged.Files, Claims: s.view.Merged}
	err := delivery.Try(planned, base, merged, read)
	switch {
	case unread != nil:
		return readError(unread)
	case err != nil:
		return problem{err.Error()}
	}
	return nil
}
