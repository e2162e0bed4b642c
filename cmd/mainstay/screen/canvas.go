package screen

import (
	"context"
	"fmt"
	"io"
	"time"

	"k8s.io/utils/clock"
)

// A Canvas is drawn over again in a terminal. Elsewhere it gets a line whenever there
// is something new to say.
type Canvas struct {
	Out    io.Writer
	Screen Screen

	drawn int
	said  string
}

// Show lines, or what they come to in one.
func (c *Canvas) Show(lines func(Screen) []Line, brief string) {
	if !c.Screen.Terminal {
		c.say(Safe(brief))
		return
	}
	all := lines(c.Screen)
	if h := c.Screen.Height - 1; h > 0 && len(all) > h {
		all = all[:h]
	}
	c.clear()
	_, _ = io.WriteString(c.Out, c.Screen.Render(all, true))
	c.drawn = len(all)
}

// Lost says why nothing new is drawn.
func (c *Canvas) Lost(err error) {
	if !c.Screen.Terminal {
		c.say(err.Error())
		return
	}
	_, _ = io.WriteString(c.Out, c.Screen.Render([]Line{Text(Bad, err.Error())}, true))
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

// A Looker looks at something again and again.
type Looker struct {
	Clock clock.WithTicker
	Every time.Duration
	// Lost is told why nothing can be seen for the moment.
	Lost func(error)
}

// Look until there is nothing more to see. What cannot be seen for a while is waited for, unless
// it is so at first, or there is nothing more to see because of it.
func (l Looker) Look(ctx context.Context, look func(context.Context) (over bool, err error)) error {
	t := l.Clock.NewTicker(l.Every)
	defer t.Stop()
	for first := true; ; first = false {
		over, err := look(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case over, err != nil && first:
			return err
		case err != nil:
			l.Lost(err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C():
		}
	}
}
