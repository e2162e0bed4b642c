package change

import (
	"slices"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// advice is what is to be done next, and by whom, as Markdown says it: a line each. There is none where
// nothing is asked of anybody.
func advice(s v1alpha1.ChangeObservation) []string {
	switch s.Phase {
	case v1alpha1.ChangeRefused:
		return []string{"Mend what is said above, and push. It is planned again by itself."}
	case v1alpha1.ChangePlanned:
		return advicePlanned(s)
	case v1alpha1.ChangeApproved, v1alpha1.ChangeQueued:
		return []string{"Nothing: it begins by itself."}
	case v1alpha1.ChangeExecuting:
		return []string{"Nothing: it is merged by itself once it is on every cluster and stays so. A push is planned from what is there by then."}
	case v1alpha1.ChangeHalted:
		return adviceHalted(s)
	case v1alpha1.ChangeCompleted:
		if s.Merged != nil && s.Merged.Untrue != "" {
			return []string{"Put the base branch right with another merge request."}
		}
	case v1alpha1.ChangeAbandoned:
		if s.Merged != nil {
			return []string{"Revert the merge with another merge request."}
		}
		return []string{"Nothing: it is over. Whoever opens the merge request again, or makes another one, has it planned anew."}
	}
	return nil
}

// advicePlanned of what is approved, or may be.
func advicePlanned(s v1alpha1.ChangeObservation) []string {
	p := s.Plan
	if p == nil {
		return nil
	}
	if p.Blocked != "" {
		return []string{"Mend what was found. What is in the merge request takes a push; what is elsewhere is looked at again by itself."}
	}
	var out []string
	if s.Missing != "" {
		out = append(out, "Read the plan below, and approve the merge request. The approval is for this plan: another one has to be approved again.")
		if p.Irreversible != "" {
			out = append(out, "Two people have to approve: it cannot be taken back.")
		}
	}
	if d := s.Deletions; p.Token != "" && (d == nil || d.Digest != p.Digest || d.HeadSHA != p.HeadSHA) {
		out = append(out, "Things are taken away. Somebody other than the author says `/approve-deletions "+p.Token+"`.")
	}
	if len(out) == 0 {
		return []string{"Nothing: it begins by itself, once nothing is waited for."}
	}
	return out
}

// adviceHalted by what it halted for.
func adviceHalted(s v1alpha1.ChangeObservation) []string {
	if s.Halt == nil {
		return nil
	}
	var out []string
	switch s.Halt.Reason {
	case v1alpha1.HaltFailed:
		out = append(out, "Mend the cause, and say `/retry`.", "Or push what mends it: it is planned from what is there by then, and approved again.")
	case v1alpha1.HaltDeviates:
		out = append(out, "Look why. `/resume` accepts it.")
	case v1alpha1.HaltEdited:
		out = append(out, "`/retry` writes what was planned, and the edit is lost.")
	case v1alpha1.HaltDiverged:
		out = append(out, "The author rebases and pushes, or puts back what the merge request asks to be merged into.")
	case v1alpha1.HaltTold, v1alpha1.HaltLocksLost:
		out = append(out, "`/resume` has it go on.")
	case v1alpha1.HaltDraft:
		out = append(out, "Mark the merge request as ready: it goes on by itself.")
	case v1alpha1.HaltBranchGone:
		out = append(out, "Push the branch again, at the same head: it goes on by itself.")
	case v1alpha1.HaltMergedEarly:
		out = append(out, "`/resume` executes it, once it is approved.", "Or `/abandon` goes back to what was before. Then revert the merge.")
		return out
	case v1alpha1.HaltIrreversible:
		out = append(out, "Do by hand what is said above. `/resume` says that it is done.")
	}
	began := slices.ContainsFunc(s.Claims, func(c v1alpha1.ChangeClaim) bool { return c.Began })
	switch {
	case s.Back != nil:
	case began:
		out = append(out, "Or go back to what was before: `/rollback` leaves the merge request open, `/abandon` closes it.")
	default:
		out = append(out, "Or `/abandon` it. Nothing was written.")
	}
	return out
}
