// Package step tells a person what a long command is doing: one line for each step
// once it is done, with how long it took, and while a step takes long, now and then
// a line that says what is waited for.
//
// Deliberately absent: colours, cursor movement, and anything that needs a
// terminal. The output reads the same in a log.
package step

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// patience is how long a step stays silent before it says what it waits for, and
// how long it then stays silent again.
const patience = 5 * time.Second

// repeat is after how many such times what was said already is said again.
const repeat = 6

// A Log prints steps. A nil Log runs them and prints nothing.
type Log struct {
	out   io.Writer
	clock clock.WithTicker
	begun time.Time
}

// New returns a Log whose times count from now.
func New(out io.Writer, c clock.WithTicker) *Log {
	return &Log{out: out, clock: c, begun: c.Now()}
}

// A Waiting is told what a step waits for. The last that it was told is printed
// when the step takes long.
type Waiting func(what string)

// Do runs a step and prints its title once it is done. The error of the step is
// returned as it is, and the title is printed with it.
func (l *Log) Do(ctx context.Context, title string, run func(ctx context.Context, waiting Waiting) error) error {
	if l == nil {
		return run(ctx, func(string) {})
	}
	began := l.clock.Now()
	p := &pending{}
	done := make(chan struct{})
	stopped := make(chan struct{})
	ticker := l.clock.NewTicker(patience)
	go func() {
		defer close(stopped)
		defer ticker.Stop()
		l.report(title, p, ticker.C(), done)
	}()

	err := run(ctx, p.set)
	close(done)
	<-stopped
	took := l.clock.Since(began)
	switch {
	case errors.Is(err, context.Canceled):
		l.Print("%s: interrupted after %s", title, seconds(took))
	case err != nil:
		l.Print("%s: failed after %s", title, seconds(took))
	default:
		l.Print("%s (%s)", title, seconds(took))
	}
	return err
}

// Print prints a line with the time since the Log began.
func (l *Log) Print(format string, args ...any) {
	if l == nil {
		return
	}
	_, _ = fmt.Fprintf(l.out, "[%7s] %s\n", seconds(l.clock.Since(l.begun)), fmt.Sprintf(format, args...))
}

// report prints what is waited for at each tick until the step is done.
func (l *Log) report(title string, p *pending, ticks <-chan time.Time, done <-chan struct{}) {
	said, silent := "", 0
	for {
		select {
		case <-done:
			return
		case <-ticks:
			// What has been said is said again only now and then.
			silent++
			if what := p.get(); what != "" && (what != said || silent >= repeat) {
				l.Print("  %s: waiting for %s", title, what)
				said, silent = what, 0
			}
		}
	}
}

// seconds prints a duration in tenths of a second.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// A pending is what is waited for now.
type pending struct {
	mu   sync.Mutex
	what string
}

func (p *pending) set(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what = what
}

func (p *pending) get() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.what
}
