package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A story is what the demo tells of merge requests.
type story struct {
	*Demo
	forge  *forge
	scenes []*scene
}

// tell it: all three end the way they should, or there is an error.
func (s *story) tell(ctx context.Context) error {
	if err := s.tidy(ctx); err != nil {
		return err
	}
	for _, act := range []func(context.Context) error{s.good, s.refused, s.failing} {
		if _, err := fmt.Fprintln(s.cfg.Out); err != nil {
			return err
		}
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tidy up what a run that was interrupted left open.
func (s *story) tidy(ctx context.Context) error {
	left, err := s.leftOpen(ctx)
	if err != nil || len(left) == 0 {
		return err
	}
	s.cfg.Log.Print("Merge requests of a run that did not end are abandoned")
	for _, c := range left {
		if err := c.comment(ctx, sre, "/abandon"); err != nil {
			return err
		}
		if err := c.abandoned(ctx); err != nil {
			return err
		}
	}
	return s.runs(ctx, "")
}

// good is a release that becomes true on all clusters, and is merged by Mainstay then.
func (s *story) good(ctx context.Context) error {
	s.cfg.Log.Print("A good release")
	c, err := s.open(ctx, "", bumped, "Faster baskets.")
	if err != nil {
		return err
	}
	if err := c.planned(ctx, ""); err != nil {
		return err
	}
	if err := c.approve(ctx, sre); err != nil {
		return err
	}
	end, err := c.until(ctx, "merged", func(is v1alpha1.ChangeObservation) (bool, error) {
		return is.Phase == v1alpha1.ChangeCompleted, astray(is, v1alpha1.ChangeHalted, v1alpha1.ChangeRefused, v1alpha1.ChangeAbandoning, v1alpha1.ChangeAbandoned)
	})
	if err != nil {
		return err
	}
	if end.Merged == nil || end.Merged.Untrue != "" || end.Merged.By != "" {
		return fmt.Errorf("merge request !%d was to be merged by Mainstay once it is true: %s", c.number, end.Message)
	}
	if err := c.onMain(ctx); err != nil {
		return err
	}
	if err := s.runs(ctx, c.tag()); err != nil {
		return err
	}
	c.outcome = "merged: main is true"
	s.cfg.Log.Print("  main is true: it says cart:%s, and that is what all clusters run", c.tag())
	return nil
}

// refused is a release that cannot work, which is found out before anything is written.
func (s *story) refused(ctx context.Context) error {
	s.cfg.Log.Print("A release that cannot work: the setting was renamed, and cart asks for the old name")
	before, err := s.releasesNow(ctx)
	if err != nil {
		return err
	}
	c, err := s.open(ctx, "", renamed, "The same name for the default currency everywhere.")
	if err != nil {
		return err
	}
	if err := c.planned(ctx, `no key "currency"`); err != nil {
		return err
	}
	if err := c.approve(ctx, sre); err != nil {
		return err
	}
	// An approval does not help, and neither does anybody else.
	if _, err := c.until(ctx, "approved and held back", func(is v1alpha1.ChangeObservation) (bool, error) {
		counts := slices.ContainsFunc(is.Approvals, func(a v1alpha1.ChangeApproval) bool { return a.Counts })
		return counts && is.Phase == v1alpha1.ChangePlanned, began(is)
	}); err != nil {
		return err
	}
	s.cfg.Log.Print("  %s closes it", developer)
	if err := c.close(ctx); err != nil {
		return err
	}
	if err := c.abandoned(ctx); err != nil {
		return err
	}
	after, err := s.releasesNow(ctx)
	if err != nil {
		return err
	}
	if before != after {
		return fmt.Errorf("merge request !%d was refused, and yet something moved: %s became %s", c.number, before, after)
	}
	c.outcome = "refused before anything was written, and closed"
	s.cfg.Log.Print("  nothing moved on any cluster")
	return nil
}

// failing is a release that only running it can tell: it halts among the canaries, and
// goes back when somebody says so.
func (s *story) failing(ctx context.Context) error {
	s.cfg.Log.Print("A release that crashes, which only running it can tell")
	before, err := s.images(ctx)
	if err != nil {
		return err
	}
	c, err := s.open(ctx, "-crashes", bumped, "Smaller images.")
	if err != nil {
		return err
	}
	if err := c.planned(ctx, ""); err != nil {
		return err
	}
	if err := c.approve(ctx, otherSRE); err != nil {
		return err
	}
	halted, err := c.until(ctx, "halted", func(is v1alpha1.ChangeObservation) (bool, error) {
		return is.Phase == v1alpha1.ChangeHalted && is.Halt != nil, astray(is, v1alpha1.ChangeRefused, v1alpha1.ChangeVerifying, v1alpha1.ChangeMerging, v1alpha1.ChangeCompleted)
	})
	if err != nil {
		return err
	}
	if halted.Halt.Reason != v1alpha1.HaltFailed {
		return fmt.Errorf("merge request !%d was to halt because a cluster fails, and halted for %s: %s", c.number, halted.Halt.Reason, halted.Halt.Message)
	}
	if err := s.canariesOnly(ctx, c.tag()); err != nil {
		return err
	}
	c.told(halted.Next)
	if err := c.comment(ctx, sre, "/abandon"); err != nil {
		return err
	}
	if err := c.abandoned(ctx); err != nil {
		return err
	}
	if err := s.runs(ctx, tagOf(slices.Collect(maps.Values(before)))); err != nil {
		return err
	}
	c.outcome = "halted among the canaries, and went back"
	s.cfg.Log.Print("  all clusters run again what main says")
	return nil
}

// canariesOnly is nil where some clusters have a version, and some never got it.
func (s *story) canariesOnly(ctx context.Context, tag string) error {
	images, err := s.images(ctx)
	if err != nil {
		return err
	}
	var have, spared []string
	for _, cluster := range slices.Sorted(maps.Keys(images)) {
		if strings.HasPrefix(images[cluster], tag+" ") {
			have = append(have, cluster)
			continue
		}
		spared = append(spared, cluster)
	}
	if len(have) == 0 || len(spared) == 0 {
		return fmt.Errorf("release %s was to stop among the canaries: %s have it, %s have not", tag, listed(have), listed(spared))
	}
	s.cfg.Log.Print("  canaries that have it: %s; spared: %s", listed(have), listed(spared))
	return nil
}

// astray says that a Change is where it was not to go.
func astray(is v1alpha1.ChangeObservation, never ...v1alpha1.ChangePhase) error {
	if slices.Contains(never, is.Phase) {
		return fmt.Errorf("it is %s: %s", is.Phase, is.Message)
	}
	return nil
}

// began says that something may have been written, where that must not be.
func began(is v1alpha1.ChangeObservation) error {
	return astray(is, v1alpha1.ChangeApproved, v1alpha1.ChangeQueued, v1alpha1.ChangeExecuting, v1alpha1.ChangeSuperseded, v1alpha1.ChangeVerifying,
		v1alpha1.ChangeMerging, v1alpha1.ChangeCompleted, v1alpha1.ChangeHalted)
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
