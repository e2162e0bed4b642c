package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/clock"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/kube"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/rollout"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/screen"
	"github.com/mainstay-dev/mainstay/internal/control"
)

type rolloutCmd struct {
	Status         rolloutStatusCmd         `cmd:"" help:"Show how far the rollout of an application is."`
	Watch          rolloutWatchCmd          `cmd:"" help:"Show it until it ends. Exits 0 when all is as wanted, 1 when it failed, was aborted or went back."`
	Pause          rolloutPauseCmd          `cmd:"" help:"Start no further cluster. Those in motion finish."`
	Resume         rolloutResumeCmd         `cmd:"" help:"Go on after a pause or an abort."`
	Approve        rolloutApproveCmd        `cmd:"" help:"Approve gates and steps of this revision. Without any, list those that need it."`
	Retry          rolloutRetryCmd          `cmd:"" help:"Forget failures of this revision, and try again."`
	Abort          rolloutAbortCmd          `cmd:"" help:"End this revision where it is. Clusters in motion finish."`
	Rollback       rolloutRollbackCmd       `cmd:"" help:"Go back to the revision that was reached before, wave by wave."`
	AllowDeletions rolloutAllowDeletionsCmd `cmd:"" help:"Let this revision take the application away from more clusters than strategy.maxDeletions."`
}

// A failed command has said already what there is to say.
type failed struct{}

// Error says that it failed.
func (failed) Error() string { return "failed" }

// rolloutFlags say which Rollout.
type rolloutFlags struct {
	kube.Flags
	Application string `arg:"" help:"Name of the application. That of a fleet's upgrade is <fleet>.upgrade."`
}

func (f *rolloutFlags) open() (*rollout.Client, *kube.Hub, error) {
	hub, err := f.Open()
	if err != nil {
		return nil, nil, err
	}
	return &rollout.Client{Hub: hub.Client, Namespace: hub.Namespace}, hub, nil
}

// outputFlag says in which form something is printed.
type outputFlag struct {
	Output string `default:"text" enum:"text,json,yaml" help:"text, json or yaml." short:"o"`
}

// print a value, if not as text.
func (f *outputFlag) print(v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err == nil && f.Output == "yaml" {
		raw, err = yaml.JSONToYAML(raw)
	}
	if err != nil {
		return fmt.Errorf("cannot print as %s: %w", f.Output, err)
	}
	_, err = fmt.Println(strings.TrimRight(string(raw), "\n"))
	return err
}

type rolloutStatusCmd struct {
	rolloutFlags
	outputFlag
}

// Run shows a Rollout.
func (c *rolloutStatusCmd) Run(ctx context.Context) error {
	cl, _, err := c.open()
	if err != nil {
		return err
	}
	ro, err := cl.Get(ctx, c.Application)
	if err != nil {
		return err
	}
	v := control.See(ro, time.Now())
	if c.Output != "text" {
		return c.print(v)
	}
	s := screen.Of(os.Stdout)
	_, err = fmt.Print(s.Render(rollout.Lines(v, s), false))
	return err
}

type rolloutWatchCmd struct {
	rolloutFlags
	outputFlag
	Timeout time.Duration `help:"How long to watch at most. Without it, until the end."`
}

// Run shows a Rollout until it ends.
func (c *rolloutWatchCmd) Run(ctx context.Context) error {
	cl, _, err := c.open()
	if err != nil {
		return err
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("it has not ended within %s", c.Timeout)) //nolint:err113 // Only ever printed.
		defer cancel()
	}
	canvas := &rollout.Canvas{Canvas: screen.Canvas{Out: os.Stdout, Screen: screen.Of(os.Stdout)}}
	w := &rollout.Watcher{Looker: screen.Looker{Clock: clock.RealClock{}, Every: time.Second, Lost: canvas.Lost}, Client: cl, Show: canvas.Draw}
	if c.Output != "text" {
		last := control.View{}
		w.Show, w.Lost = func(v control.View) {
			if !equality.Semantic.DeepEqual(last, v) {
				_ = c.print(v)
			}
			last = v
		}, func(error) {}
	}
	end, err := w.Watch(ctx, c.Application)
	if err == nil && end == control.Failed {
		return failed{}
	}
	return err
}

// wordFlags are those of all words.
type wordFlags struct {
	rolloutFlags
	Revision string `help:"Beginning of the revision that is meant. Where it is another by now, nothing is done."`
}

// tell a Rollout a word.
func (f *wordFlags) tell(ctx context.Context, s control.Saying, confirm func(string) error) error {
	cl, hub, err := f.open()
	if err != nil {
		return err
	}
	if s.Revision = f.Revision; s.Word == control.Approve {
		if s.By, err = hub.User(ctx); err != nil {
			return err
		}
	}
	said, err := cl.Tell(ctx, f.Application, s, confirm)
	if err != nil {
		return err
	}
	_, err = fmt.Println(said)
	return err
}

type rolloutPauseCmd struct{ wordFlags }

// Run pauses a Rollout.
func (c *rolloutPauseCmd) Run(ctx context.Context) error {
	return c.tell(ctx, control.Saying{Word: control.Pause}, nil)
}

type rolloutResumeCmd struct{ wordFlags }

// Run lets a Rollout go on.
func (c *rolloutResumeCmd) Run(ctx context.Context) error {
	return c.tell(ctx, control.Saying{Word: control.Resume}, nil)
}

type rolloutRetryCmd struct{ wordFlags }

// Run has a Rollout try again.
func (c *rolloutRetryCmd) Run(ctx context.Context) error {
	return c.tell(ctx, control.Saying{Word: control.Retry}, nil)
}

type rolloutApproveCmd struct {
	wordFlags
	Gates []string `arg:"" help:"Gates, as <wave>/<gate>, and steps to approve." optional:""`
}

// Run approves gates, or lists those that need it.
func (c *rolloutApproveCmd) Run(ctx context.Context) error {
	if len(c.Gates) > 0 {
		return c.tell(ctx, control.Saying{Word: control.Approve, Gates: c.Gates}, nil)
	}
	cl, _, err := c.open()
	if err != nil {
		return err
	}
	ro, err := cl.Get(ctx, c.Application)
	if err != nil {
		return err
	}
	s := screen.Of(os.Stdout)
	_, err = fmt.Print(s.Render(rollout.ApprovalLines(control.See(ro, time.Now())), false))
	return err
}

// riskFlags are those of words that should not be said by mistake.
type riskFlags struct {
	wordFlags
	Yes bool `help:"Do not ask whether it is meant." short:"y"`
}

// confirm asks a person, where there is one.
func (f *riskFlags) confirm() func(string) error {
	if f.Yes {
		return nil
	}
	return func(risk string) error {
		if !term.IsTerminal(int(os.Stdin.Fd())) {
			return fmt.Errorf("nobody is there to ask: say --yes if this is meant: %s", risk)
		}
		fmt.Printf("%s\nGo on? [y/N] ", screen.Safe(risk))
		answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if a := strings.ToLower(strings.TrimSpace(answer)); err != nil || a != "y" && a != "yes" {
			return errors.New("nothing was done")
		}
		return nil
	}
}

type rolloutAbortCmd struct{ riskFlags }

// Run ends a revision.
func (c *rolloutAbortCmd) Run(ctx context.Context) error {
	return c.tell(ctx, control.Saying{Word: control.Abort}, c.confirm())
}

type rolloutRollbackCmd struct{ riskFlags }

// Run has clusters go back.
func (c *rolloutRollbackCmd) Run(ctx context.Context) error {
	return c.tell(ctx, control.Saying{Word: control.Rollback}, c.confirm())
}

type rolloutAllowDeletionsCmd struct{ riskFlags }

// Run lets a revision take the application away.
func (c *rolloutAllowDeletionsCmd) Run(ctx context.Context) error {
	return c.tell(ctx, control.Saying{Word: control.AllowDeletions}, c.confirm())
}
