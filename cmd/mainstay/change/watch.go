package change

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"k8s.io/utils/clock"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/screen"
	"github.com/mainstay-dev/mainstay/internal/control"
	"github.com/mainstay-dev/mainstay/internal/control/changes"
)

// A Watcher shows a Change until it ends.
type Watcher struct {
	Client *Client
	Clock  clock.WithTicker
	Every  time.Duration
	// Halts has it end where the Change halts, too.
	Halts bool
	Show  func(changes.View)
	// Lost is told why a Change cannot be read for the moment.
	Lost func(error)
}

// Watch a Change until it ends, and say how. A hub that does not answer for a while is waited
// for; one that does not answer at first, and a Change that is not there any more, are errors.
func (w *Watcher) Watch(ctx context.Context, name string) (control.End, error) {
	t := w.Clock.NewTicker(w.Every)
	defer t.Stop()
	for first := true; ; first = false {
		ch, err := w.Client.Get(ctx, name)
		switch {
		case ctx.Err() != nil:
			return control.Going, context.Cause(ctx)
		case err != nil && (first || errors.Is(err, errGone)):
			return control.Going, err
		case err != nil:
			w.Lost(err)
		default:
			v := changes.See(ch, w.Clock.Now())
			w.Show(v)
			if end := v.Ended(); end != control.Going {
				return end, nil
			}
			if w.Halts && v.Halted() {
				return control.Failed, nil
			}
		}
		select {
		case <-ctx.Done():
			return control.Going, context.Cause(ctx)
		case <-t.C():
		}
	}
}

// A Canvas is drawn over again in a terminal. Elsewhere it gets a line whenever there
// is something new to say.
type Canvas struct {
	Out    io.Writer
	Screen screen.Screen

	drawn int
	said  string
}

// Draw a View.
func (c *Canvas) Draw(v changes.View) {
	if !c.Screen.Terminal {
		c.say(fmt.Sprintf("%s %d/%d: %s", v.Phase, v.Progress.Reached, v.Progress.Clusters, screen.Safe(v.Message)))
		return
	}
	lines := Lines(v, c.Screen)
	if h := c.Screen.Height - 1; h > 0 && len(lines) > h {
		lines = lines[:h]
	}
	c.clear()
	_, _ = io.WriteString(c.Out, c.Screen.Render(lines, true))
	c.drawn = len(lines)
}

// Lost says why nothing new is drawn.
func (c *Canvas) Lost(err error) {
	if !c.Screen.Terminal {
		c.say(err.Error())
		return
	}
	_, _ = io.WriteString(c.Out, c.Screen.Render([]screen.Line{screen.Text(screen.Bad, err.Error())}, true))
	c.drawn++
}

// clear what was drawn before.
func (c *Canvas) clear() {
	if c.drawn > 0 {
		_, _ = fmt.Fprintf(c.Out, "\x1b[%dA\x1b[J", c.drawn)
	}
	c.drawn = 0
}

func (c *Canvas) say(text string) {
	if text != c.said {
		_, _ = fmt.Fprintln(c.Out, text)
		c.said = text
	}
}
