package rollout

import (
	"context"
	"fmt"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/screen"
	"github.com/mainstay-dev/mainstay/internal/control"
)

// A Watcher shows a Rollout until it ends.
type Watcher struct {
	screen.Looker

	Client *Client
	Show   func(control.View)
}

// Watch a Rollout until it ends, and say how. A hub that does not answer for a while
// is waited for; one that does not answer at first is an error.
func (w *Watcher) Watch(ctx context.Context, application string) (control.End, error) {
	end := control.Going
	err := w.Look(ctx, func(ctx context.Context) (bool, error) {
		ro, err := w.Client.Get(ctx, application)
		if err != nil {
			return false, err
		}
		v := control.See(ro, w.Clock.Now())
		w.Show(v)
		end = v.Ended()
		return end != control.Going, nil
	})
	return end, err
}

// A Canvas that Rollouts are drawn on.
type Canvas struct{ screen.Canvas }

// Draw a View.
func (c *Canvas) Draw(v control.View) {
	c.Show(func(s screen.Screen) []screen.Line { return Lines(v, s) },
		fmt.Sprintf("%s %d/%d: %s", v.Phase, v.Clusters.Ready, v.Clusters.Total, v.Message))
}
