package change

import (
	"context"
	"errors"
	"fmt"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/screen"
	"github.com/mainstay-dev/mainstay/internal/control"
	"github.com/mainstay-dev/mainstay/internal/control/changes"
)

// A Watcher shows a Change until it ends.
type Watcher struct {
	screen.Looker

	Client *Client
	// Halts has it end where the Change halts, too.
	Halts bool
	Show  func(changes.View)
}

// Watch a Change until it ends, and say how. A hub that does not answer for a while is waited
// for; one that does not answer at first, and a Change that is not there any more, are errors.
func (w *Watcher) Watch(ctx context.Context, name string) (control.End, error) {
	end := control.Going
	err := w.Look(ctx, func(ctx context.Context) (bool, error) {
		ch, err := w.Client.Get(ctx, name)
		if err != nil {
			return errors.Is(err, errGone), err
		}
		v := changes.See(ch, w.Clock.Now())
		w.Show(v)
		if end = v.Ended(); end == control.Going && w.Halts && v.Halted() {
			end = control.Failed
		}
		return end != control.Going, nil
	})
	return end, err
}

// A Canvas that Changes are drawn on.
type Canvas struct{ screen.Canvas }

// Draw a View.
func (c *Canvas) Draw(v changes.View) {
	c.Show(func(s screen.Screen) []screen.Line { return Lines(v, s) },
		fmt.Sprintf("%s %d/%d: %s", v.Phase, v.Progress.Reached, v.Progress.Clusters, v.Message))
}
