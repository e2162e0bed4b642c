package change

import (
	"fmt"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/screen"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/control"
)

// A Trail is the audit trail of a Change, and whether it is what was written.
type Trail struct {
	v1alpha1.ChangeAudit `json:",inline"`
	// Anchor is the line that names the last entry. Whoever has it can prove the rest.
	Anchor string `json:"anchor"`
	// Anchored is true where it was compared with what Git says.
	Anchored bool `json:"anchored"`
	// Broken says where the trail is not what was written. Empty where it is.
	Broken string `json:"broken,omitempty"`
}

// Audit a Change: its trail, compared with a text that has an anchor, such as the message of
// the commit that merged it. Without a text only the chain is verified.
func Audit(c *v1alpha1.Change, anchored string) Trail {
	a := c.Status.AtProvider.Audit
	t := Trail{ChangeAudit: a, Anchor: change.Anchor(a), Anchored: change.Anchored(anchored)}
	switch err := change.Verify(a, anchored); {
	case err != nil:
		t.Broken = err.Error()
	case anchored != "" && !t.Anchored:
		t.Broken = "the text names no entry of an audit trail, as the message of a merge does"
	}
	return t
}

// AuditLines show a trail.
func AuditLines(t Trail) []screen.Line {
	rows := table{{cell("WHEN"), cell("WHO"), cell("HEAD"), cell("PLAN"), cell("EPOCH"), cell("HASH"), cell("DID")}}
	for _, e := range t.Entries {
		epoch := ""
		if e.Epoch > 0 {
			epoch = fmt.Sprint(e.Epoch)
		}
		rows = append(rows, []screen.Span{cell(e.At.UTC().Format("2006-01-02 15:04:05Z")), cell(e.By), cell(control.Short(e.HeadSHA)), cell(control.Short(e.Digest)), cell(epoch),
			{Text: control.Short(e.Hash), Style: screen.Faint}, cell(e.Did)})
	}
	out := rows.lines()
	if dropped := t.Length - int64(len(t.Entries)); dropped > 0 {
		out = append(out, screen.Text(screen.Faint, fmt.Sprintf("%d earlier entries are in the provider's log.", dropped)))
	}
	out = append(out, screen.Line{}, screen.Text(screen.Faint, t.Anchor))
	switch {
	case t.Broken != "":
		out = append(out, screen.Text(screen.Bad, "Not as it was written: "+t.Broken+"."))
	case t.Anchored:
		out = append(out, screen.Text(screen.Good, "Every entry follows from the one before, and Git names the same trail."))
	default:
		out = append(out, screen.Text(screen.Good, "Every entry follows from the one before."),
			screen.Text(screen.Plain, "To prove that none was rewritten, compare it with the message of the merge: git log -1 --format=%B <commit> | mainstay change audit --commit-message - <change>"))
	}
	return out
}
