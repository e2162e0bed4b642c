package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/clock"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/change"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/kube"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/screen"
	"github.com/mainstay-dev/mainstay/internal/control"
	seen "github.com/mainstay-dev/mainstay/internal/control/changes"
)

type changeCmd struct {
	List             changeListCmd      `cmd:"" help:"List merge requests that are on their way."`
	Show             changeShowCmd      `cmd:"" aliases:"status" help:"Show one: its plan, how far it is, and what can be done."`
	Watch            changeWatchCmd     `cmd:"" help:"Show it until it ends. Exits 0 when it is merged and true, or abandoned; 1 when it has no plan, or is merged and not true."`
	Plan             changePlanCmd      `cmd:"" help:"Print the whole of its plan."`
	Queue            changeQueueCmd     `cmd:"" help:"Show who has which locks, and who waits for whom."`
	Audit            changeAuditCmd     `cmd:"" help:"Print who did what and when, and verify that it is what was written."`
	Halt             changeHaltCmd      `cmd:"" help:"Start nothing further. Clusters in motion finish."`
	Retry            changeRetryCmd     `cmd:"" help:"Forget failures, and try what failed again."`
	Resume           changeResumeCmd    `cmd:"" help:"Go on where it halted, and accept what it halted for."`
	Rollback         changeRollbackCmd  `cmd:"" help:"Go back to what was before. The merge request stays open."`
	Abandon          changeAbandonCmd   `cmd:"" help:"Go back to what was before, and close the merge request."`
	ApproveDeletions changeDeletionsCmd `cmd:"" help:"Allow that what the plan takes away is taken away."`
	Emergency        changeEmergencyCmd `cmd:"" help:"Execute past approvals, freezes and the queue. It takes two people."`
}

// changeFlags say which Change.
type changeFlags struct {
	kube.Flags
	Change string `arg:"" help:"Name of the change: <repository>-<number>, or the number of the merge request."`
}

func (f *changeFlags) open() (*change.Client, *kube.Hub, error) { return openChanges(&f.Flags) }

func openChanges(f *kube.Flags) (*change.Client, *kube.Hub, error) {
	hub, err := f.Open()
	if err != nil {
		return nil, nil, err
	}
	return &change.Client{Hub: hub.Client, Namespace: hub.Namespace}, hub, nil
}

type changeListCmd struct {
	kube.Flags
	outputFlag
	All           bool `help:"List those that are over, too."`
	AllNamespaces bool `help:"List those of all namespaces." short:"A"`
}

// Run lists Changes.
func (c *changeListCmd) Run(ctx context.Context) error {
	cl, _, err := openChanges(&c.Flags)
	if err != nil {
		return err
	}
	all, err := cl.List(ctx, c.AllNamespaces)
	if err != nil {
		return err
	}
	views := []seen.View{}
	for i := range all {
		if v := seen.See(&all[i], time.Now()); c.All || !v.Over() {
			views = append(views, v)
		}
	}
	if c.Output != "text" {
		return c.print(views)
	}
	s := screen.Of(os.Stdout)
	_, err = fmt.Print(s.Render(change.ListLines(views, c.AllNamespaces), s.Terminal))
	return err
}

type changeShowCmd struct {
	changeFlags
	outputFlag
}

// Run shows a Change.
func (c *changeShowCmd) Run(ctx context.Context) error {
	cl, _, err := c.open()
	if err != nil {
		return err
	}
	ch, err := cl.Get(ctx, c.Change)
	if err != nil {
		return err
	}
	v := seen.See(ch, time.Now())
	if c.Output != "text" {
		return c.print(v)
	}
	s := screen.Of(os.Stdout)
	_, err = fmt.Print(s.Render(change.Lines(v, s), false))
	return err
}

type changeWatchCmd struct {
	changeFlags
	outputFlag
	UntilHalted bool          `help:"End when it halts, too, and exit 1."`
	Timeout     time.Duration `help:"How long to watch at most. Without it, until the end."`
}

// Run shows a Change until it ends.
func (c *changeWatchCmd) Run(ctx context.Context) error {
	cl, _, err := c.open()
	if err != nil {
		return err
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("it has not ended within %s", c.Timeout)) //nolint:err113 // Only ever printed.
		defer cancel()
	}
	canvas := &change.Canvas{Canvas: screen.Canvas{Out: os.Stdout, Screen: screen.Of(os.Stdout)}}
	w := &change.Watcher{Looker: screen.Looker{Clock: clock.RealClock{}, Every: time.Second, Lost: canvas.Lost}, Client: cl, Halts: c.UntilHalted, Show: canvas.Draw}
	if c.Output != "text" {
		last := seen.View{}
		w.Show, w.Lost = func(v seen.View) {
			now := v
			now.Age, now.PhaseAge = 0, 0
			if !equality.Semantic.DeepEqual(last, now) {
				_ = c.print(v)
			}
			last = now
		}, func(error) {}
	}
	end, err := w.Watch(ctx, c.Change)
	if err == nil && end == control.Failed {
		return failed{}
	}
	return err
}

type changePlanCmd struct {
	changeFlags
	Output string `default:"text" enum:"text,markdown,json" help:"text, markdown or json." short:"o"`
}

// Run prints the plan of a Change.
func (c *changePlanCmd) Run(ctx context.Context) error {
	cl, _, err := c.open()
	if err != nil {
		return err
	}
	ch, err := cl.Get(ctx, c.Change)
	if err != nil {
		return err
	}
	p, err := cl.Plan(ctx, ch)
	if err != nil {
		return err
	}
	out := p.Text()
	switch c.Output {
	case "markdown":
		out = p.Markdown()
	case "json":
		raw, err := json.MarshalIndent(p, "", "  ")
		if err != nil {
			return fmt.Errorf("cannot print plan: %w", err)
		}
		out = string(raw) + "\n"
	}
	_, err = fmt.Print(out)
	return err
}

type changeQueueCmd struct {
	kube.Flags
	outputFlag
}

// Run shows the queue.
func (c *changeQueueCmd) Run(ctx context.Context) error {
	cl, _, err := openChanges(&c.Flags)
	if err != nil {
		return err
	}
	q, err := cl.Queue(ctx)
	if err != nil {
		return err
	}
	places := seen.Queue(q, time.Now())
	if c.Output != "text" {
		return c.print(places)
	}
	_, err = fmt.Print(screen.Of(os.Stdout).Render(change.QueueLines(places), false))
	return err
}

type changeAuditCmd struct {
	changeFlags
	outputFlag
	CommitMessage string `help:"File with the message of the commit that merged it, or the comment that closed it: its last line names the trail. - for standard input." placeholder:"FILE"`
}

// maxMessage of a commit that is read.
const maxMessage = 1 << 20

// Run prints the audit trail of a Change, and verifies it.
func (c *changeAuditCmd) Run(ctx context.Context) error {
	anchored, err := c.message()
	if err != nil {
		return err
	}
	cl, _, err := c.open()
	if err != nil {
		return err
	}
	ch, err := cl.Get(ctx, c.Change)
	if err != nil {
		return err
	}
	t := change.Audit(ch, anchored)
	if c.Output != "text" {
		err = c.print(t)
	} else {
		_, err = fmt.Print(screen.Of(os.Stdout).Render(change.AuditLines(t), false))
	}
	if err == nil && t.Broken != "" {
		return failed{}
	}
	return err
}

// message to compare with. Empty where there is none.
func (c *changeAuditCmd) message() (string, error) {
	from := os.Stdin
	switch c.CommitMessage {
	case "":
		return "", nil
	case "-":
	default:
		f, err := os.Open(c.CommitMessage)
		if err != nil {
			return "", fmt.Errorf("cannot read the message of the commit: %w", err)
		}
		defer f.Close() //nolint:errcheck // Only read.
		from = f
	}
	raw, err := io.ReadAll(io.LimitReader(from, maxMessage))
	if err != nil {
		return "", fmt.Errorf("cannot read the message of the commit: %w", err)
	}
	if len(raw) == 0 {
		return "", fmt.Errorf("the message of the commit is empty: there is nothing to compare the trail with")
	}
	return string(raw), nil
}

// commandFlags are those of all that can be said.
type commandFlags struct {
	changeFlags
	Plan string `help:"Beginning of the digest of the plan that is meant. Where it is another by now, nothing is done."`
	Yes  bool   `help:"Do not ask whether it is meant." short:"y"`
}

// tell a Change something, in the name that the hub knows the user by.
func (f *commandFlags) tell(ctx context.Context, s seen.Saying) error {
	cl, hub, err := f.open()
	if err != nil {
		return err
	}
	if s.By, err = hub.User(ctx); err != nil {
		return err
	}
	id := make([]byte, 8)
	_, _ = rand.Read(id) // It never fails.
	s.ID, s.At, s.Plan = string(s.Verb)+"-"+hex.EncodeToString(id), metav1.NewTime(time.Now().Truncate(time.Second)), f.Plan
	said, err := cl.Tell(ctx, f.Change, s, (&riskFlags{Yes: f.Yes}).confirm())
	if err != nil {
		return err
	}
	_, err = fmt.Println(screen.Safe(said))
	return err
}

type changeHaltCmd struct {
	commandFlags
	Reason string `help:"Why, for the audit trail."`
}

// Run halts a Change.
func (c *changeHaltCmd) Run(ctx context.Context) error {
	return c.tell(ctx, seen.Saying{Verb: v1alpha1.VerbHalt, Reason: c.Reason})
}

type changeRetryCmd struct{ commandFlags }

// Run has a Change try again.
func (c *changeRetryCmd) Run(ctx context.Context) error {
	return c.tell(ctx, seen.Saying{Verb: v1alpha1.VerbRetry})
}

type changeResumeCmd struct{ commandFlags }

// Run lets a Change go on.
func (c *changeResumeCmd) Run(ctx context.Context) error {
	return c.tell(ctx, seen.Saying{Verb: v1alpha1.VerbResume})
}

type changeRollbackCmd struct{ commandFlags }

// Run has a Change go back.
func (c *changeRollbackCmd) Run(ctx context.Context) error {
	return c.tell(ctx, seen.Saying{Verb: v1alpha1.VerbRollback})
}

type changeAbandonCmd struct{ commandFlags }

// Run abandons a Change.
func (c *changeAbandonCmd) Run(ctx context.Context) error {
	return c.tell(ctx, seen.Saying{Verb: v1alpha1.VerbAbandon})
}

type changeDeletionsCmd struct {
	commandFlags
	Token string `arg:"" help:"The token that the plan shows."`
}

// Run allows deletions.
func (c *changeDeletionsCmd) Run(ctx context.Context) error {
	return c.tell(ctx, seen.Saying{Verb: v1alpha1.VerbApproveDeletions, Token: c.Token})
}

type changeEmergencyCmd struct {
	commandFlags
	Reason string `help:"Why, for the audit trail." required:""`
}

// Run says that it is an emergency.
func (c *changeEmergencyCmd) Run(ctx context.Context) error {
	return c.tell(ctx, seen.Saying{Verb: v1alpha1.VerbEmergency, Reason: c.Reason})
}
