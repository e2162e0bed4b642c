package step

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	clocktesting "k8s.io/utils/clock/testing"
)

var errBoom = errors.New("boom")

func TestDo(t *testing.T) {
	cases := map[string]struct {
		reason string
		run    func(ctx context.Context, c *clocktesting.FakeClock, out *output, waiting Waiting) error
		want   []string
		err    error
	}{
		"Quick": {
			reason: "A quick step is one line.",
			run: func(_ context.Context, c *clocktesting.FakeClock, _ *output, waiting Waiting) error {
				waiting("nothing in particular")
				c.Step(1500 * time.Millisecond)
				return nil
			},
			want: []string{"[  1.5 s] Raise the roof (1.5 s)"},
		},
		"Long": {
			reason: "A long step says what it waits for, the last thing it was told.",
			run: func(_ context.Context, c *clocktesting.FakeClock, out *output, waiting Waiting) error {
				waiting("bricks")
				c.Step(patience)
				out.await(1)
				waiting("tiles")
				c.Step(patience)
				out.await(2)
				return nil
			},
			want: []string{
				"[  5.0 s]   Raise the roof: waiting for bricks",
				"[ 10.0 s]   Raise the roof: waiting for tiles",
				"[ 10.0 s] Raise the roof (10.0 s)",
			},
		},
		"Patient": {
			reason: "A step that waits for the same thing does not say so all the time.",
			run: func(_ context.Context, c *clocktesting.FakeClock, out *output, waiting Waiting) error {
				waiting("rain")
				c.Step(patience)
				out.await(1)
				c.Step(2 * time.Second)
				return nil
			},
			want: []string{
				"[  5.0 s]   Raise the roof: waiting for rain",
				"[  7.0 s] Raise the roof (7.0 s)",
			},
		},
		"Failed": {
			reason: "A step that fails says so, and its error is returned as it is.",
			run:    func(context.Context, *clocktesting.FakeClock, *output, Waiting) error { return errBoom },
			want:   []string{"[  0.0 s] Raise the roof: failed after 0.0 s"},
			err:    errBoom,
		},
		"Interrupted": {
			reason: "A step that was interrupted did not fail.",
			run:    func(context.Context, *clocktesting.FakeClock, *output, Waiting) error { return context.Canceled },
			want:   []string{"[  0.0 s] Raise the roof: interrupted after 0.0 s"},
			err:    context.Canceled,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := clocktesting.NewFakeClock(time.Unix(0, 0))
			out := &output{written: make(chan struct{}, 10)}
			err := New(out, c).Do(t.Context(), "Raise the roof", func(ctx context.Context, w Waiting) error {
				return tc.run(ctx, c, out, w)
			})
			if diff := cmp.Diff(tc.err, err, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("\n%s\nDo(...): error: -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.want, out.lines()); diff != "" {
				t.Errorf("\n%s\nDo(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestNilLog(t *testing.T) {
	var l *Log
	ran := false
	if err := l.Do(t.Context(), "Raise the roof", func(context.Context, Waiting) error { ran = true; return nil }); err != nil || !ran {
		t.Errorf("A nil Log must run its steps: ran %t, error %v", ran, err)
	}
}

// output collects lines, and can be waited on.
type output struct {
	mu      sync.Mutex
	text    strings.Builder
	seen    int
	written chan struct{}
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.written <- struct{}{}
	return o.text.Write(b)
}

// await returns once so many lines were written.
func (o *output) await(n int) {
	for ; o.seen < n; o.seen++ {
		<-o.written
	}
}

func (o *output) lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Split(strings.TrimSuffix(o.text.String(), "\n"), "\n")
}
