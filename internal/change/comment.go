package change

import (
	"fmt"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// maxCommentClaims is how many claims the comment lists.
const maxCommentClaims = 20

// Markdown is the part of the comment on a merge request that says how far the change is, in
// Markdown. The plan stands below it. It says nothing that changes with every cluster:
// it is edited in place, and somebody may be mailed for it.
func Markdown(s v1alpha1.ChangeObservation) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "### %s\n\n%s\n", title(s), line(s))
	claims(b, s)
	if len(s.Findings) > 0 {
		b.WriteString("\n**Found before anything was written**\n\n")
		for _, f := range s.Findings {
			mark := "warning"
			if f.Blocking {
				mark = "**must be mended**"
			}
			on := ""
			if f.Clusters > 0 {
				on = " on " + count(f.Clusters, "cluster")
			}
			fmt.Fprintf(b, "- %s `%s`%s: %s\n", mark, f.Cause, on, plain(f.Message))
		}
	}
	if s.Phase == v1alpha1.ChangePlanned && s.Missing != "" && !strings.Contains(s.Message, s.Missing) {
		fmt.Fprintf(b, "\n**Approvals**: %s.\n", plain(s.Missing))
	}
	staleApprovals(b, s)
	for _, notice := range s.Notices {
		fmt.Fprintf(b, "\n> %s\n", plain(notice))
	}
	if next := advice(s); len(next) > 0 {
		b.WriteString("\n**What next**\n\n- " + strings.Join(next, "\n- ") + "\n")
	}
	if len(s.Next) > 0 {
		b.WriteString("\n**What can be said**: ")
		for i, c := range s.Next {
			if i > 0 {
				b.WriteString(", ")
			}
			if strings.HasPrefix(c, "/") {
				fmt.Fprintf(b, "`%s`", c)
			} else {
				b.WriteString(c)
			}
		}
		b.WriteString("\n")
	}
	if p := s.Plan; p != nil {
		fmt.Fprintf(b, "\nPlan `%s` of head `%s`, risk %s.\n", short(p.Digest), short(p.HeadSHA), strings.ToLower(string(p.Risk)))
	}
	return b.String()
}

// staleApprovals and why they do not count.
func staleApprovals(b *strings.Builder, s v1alpha1.ChangeObservation) {
	if s.Phase != v1alpha1.ChangePlanned {
		return
	}
	begin := "\n"
	for _, a := range s.Approvals {
		if a.Message != "" {
			fmt.Fprintf(b, "%s- the approval of %s does not count: %s\n", begin, plain(a.By), plain(a.Message))
			begin = ""
		}
	}
}

// title of the comment: the phase, in words.
func title(s v1alpha1.ChangeObservation) string {
	switch s.Phase {
	case v1alpha1.ChangePending, "":
		return "Being planned"
	case v1alpha1.ChangeRefused:
		return "No plan"
	case v1alpha1.ChangePlanned:
		return "Planned"
	case v1alpha1.ChangeApproved, v1alpha1.ChangeQueued:
		return "Queued"
	case v1alpha1.ChangeSuperseded:
		return "Superseded by a newer push"
	case v1alpha1.ChangeMerging:
		return "Verified"
	case v1alpha1.ChangeCompleted:
		if s.Merged != nil && s.Merged.Untrue != "" {
			return "Merged, and not true"
		}
		return "Completed"
	case v1alpha1.ChangeAbandoned:
		if s.Merged != nil {
			return "Abandoned, and merged"
		}
		return "Abandoned"
	case v1alpha1.ChangeAbandoning:
		return "Going back"
	}
	return string(s.Phase)
}

// line below the title. What moves all the time is left to the command line.
func line(s v1alpha1.ChangeObservation) string {
	switch s.Phase {
	case v1alpha1.ChangeExecuting:
		return fmt.Sprintf("%s there, as `mainstay change status` says to the cluster%s.", tenth(s.Progress), parts(s.Progress))
	case v1alpha1.ChangeApproved, v1alpha1.ChangeQueued:
		if s.Queue != nil {
			return Waiting(v1alpha1.ChangeWait{Position: s.Queue.Position, Behind: s.Queue.Behind}) + "."
		}
		return "Everything is there that it needs to begin."
	case v1alpha1.ChangeSuperseded:
		return "What is in motion finishes. Then head `" + short(s.Request.HeadSHA) + "` is planned from what is there by then."
	case v1alpha1.ChangeAbandoning:
		return "Everything goes back to what it was, the last step first."
	case v1alpha1.ChangeMerging:
		return "Everything stayed as it should. It is being merged."
	case v1alpha1.ChangeVerifying:
		return "Everything is there. It is merged when it stays so."
	case v1alpha1.ChangeAbandoned:
		return abandoned(s)
	case v1alpha1.ChangeHalted:
		if s.Halt != nil {
			return "**" + plain(s.Halt.Message) + "**\n\nThe merge request stays open. Nothing further is started."
		}
	}
	return plain(sentence(s.Message))
}

// abandoned says who wanted that, and what had gone wrong.
func abandoned(s v1alpha1.ChangeObservation) string {
	out := "Everything is as it was before" + plain(asked(s.Back)) + "."
	if m := s.Merged; m != nil {
		out = plain(sentence(m.Untrue))
	}
	if b := s.Back; b != nil && b.Halted != nil {
		out += "\n\nIt had halted: **" + plain(b.Halted.Message) + "**"
	}
	return out
}

// closing says why the merge request is closed, and where the audit trail is by then.
func closing(s v1alpha1.ChangeObservation) string { return abandoned(s) + "\n\n" + Anchor(s.Audit) }

// tenth of the clusters that are there, rounded down.
func tenth(p v1alpha1.ChangeProgress) string {
	if p.Clusters == 0 {
		return "Nothing has to get"
	}
	t := int64(p.Reached) * 10 / int64(p.Clusters)
	return fmt.Sprintf("About %d %% of %s are", t*10, count(p.Clusters, "cluster"))
}

// claims of the change, as a table.
func claims(b *strings.Builder, s v1alpha1.ChangeObservation) {
	switch s.Phase {
	case v1alpha1.ChangeExecuting, v1alpha1.ChangeSuperseded, v1alpha1.ChangeVerifying, v1alpha1.ChangeMerging, v1alpha1.ChangeHalted, v1alpha1.ChangeAbandoning, v1alpha1.ChangeCompleted:
	default:
		return
	}
	if len(s.Claims) == 0 {
		return
	}
	b.WriteString("\n| claim | | |\n|---|---|---|\n")
	for i, c := range s.Claims {
		if i == maxCommentClaims {
			fmt.Fprintf(b, "| and %d more | | |\n", len(s.Claims)-i)
			break
		}
		says := ""
		if c.Phase == v1alpha1.ClaimFailed && !saidOf(s.Halt, c.Message) {
			says = c.Message
		}
		if c.Owed > 0 {
			says = strings.Join(nonEmpty(says, count(c.Owed, "cluster")+" owed"), "; ")
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", plain(c.String()), phaseOf(c), plain(says))
	}
}

// cause in the message of a Rollout that halted: that it did is said already.
func cause(message string) string { return strings.TrimPrefix(message, "halted: ") }

// saidOf a halt already. It is not said twice.
func saidOf(h *v1alpha1.ChangeHalt, message string) bool {
	return h != nil && strings.Contains(h.Message, cause(message))
}

func phaseOf(c v1alpha1.ChangeClaim) string {
	switch c.Phase {
	case v1alpha1.ClaimGoBack:
		return "going back"
	case v1alpha1.ClaimIsBack:
		return "back"
	case "":
		return "waiting"
	}
	return strings.ToLower(string(c.Phase))
}

// plain text within Markdown: on one line, and nothing that would be a link, a mention, or the
// end of a table's cell.
func plain(s string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "|", "\\|", "@", "@\u200b", "<", "&lt;", "[", "\\[", "`", "'", "*", "\\*").Replace(s)
}

// sentence of a message.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
