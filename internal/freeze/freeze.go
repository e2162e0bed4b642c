// Package freeze says whether nothing may be started at an instant, and until when.
//
// A freeze is from one instant to another, or every week from one time of day to
// another, by the clock of a place: where clocks are changed, a freeze changes with
// them. Freezes that touch or overlap are one. A freeze that cannot be read is refused
// by Check; whoever asks Until nonetheless is told that it is in force, because that is
// the safe answer.
//
// Deliberately absent: what a freeze stops. Package rollout knows that.
package freeze

import (
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // The provider's image has no time zones of its own.

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// clockFormat of a time of day.
const clockFormat = "15:04"

// maxChain is how many freezes in a row are followed, before they count as never
// ending.
const maxChain = 300

// A Window is a freeze that is in force.
type Window struct {
	// Name of the freeze.
	Name string
	// Until when nothing may be started. Zero where that cannot be said, because the
	// freeze cannot be read or never ends.
	Until time.Time
}

// Check returns what is wrong with freezes, one sentence for each that has something.
func Check(freezes []v1alpha1.Freeze) []string {
	var out []string
	for i := range freezes {
		if err := check(&freezes[i]); err != nil {
			out = append(out, fmt.Sprintf("freeze %q: %v", freezes[i].Name, err))
		}
	}
	return out
}

func check(f *v1alpha1.Freeze) error {
	if f.From != nil || f.Until != nil {
		if f.From == nil || f.Until == nil {
			return fmt.Errorf("from and until must both be given")
		}
		if !f.Until.After(f.From.Time) {
			return fmt.Errorf("until must be after from")
		}
		return nil
	}
	_, err := weeklyOf(f)
	return err
}

// Active returns the freeze that is in force at an instant, with the end of all that
// follow it without a gap. It is nil where there is none.
func Active(freezes []v1alpha1.Freeze, now time.Time) *Window {
	first := at(freezes, now)
	if first == nil || first.Until.IsZero() {
		return first
	}
	until := first.Until
	for range maxChain {
		next := at(freezes, until)
		if next == nil {
			return &Window{Name: first.Name, Until: until}
		}
		if next.Until.IsZero() {
			return &Window{Name: first.Name}
		}
		until = next.Until
	}
	return &Window{Name: first.Name}
}

// at returns the freeze that is in force at an instant and lasts longest.
func at(freezes []v1alpha1.Freeze, now time.Time) *Window {
	var out *Window
	for i := range freezes {
		until, active := end(&freezes[i], now)
		switch {
		case !active:
		case until.IsZero():
			return &Window{Name: freezes[i].Name}
		case out == nil || until.After(out.Until):
			out = &Window{Name: freezes[i].Name, Until: until}
		}
	}
	return out
}

// end of a freeze, if it is in force.
func end(f *v1alpha1.Freeze, now time.Time) (time.Time, bool) {
	if check(f) != nil {
		return time.Time{}, true
	}
	if f.From != nil {
		return f.Until.Time, !now.Before(f.From.Time) && now.Before(f.Until.Time)
	}
	w, err := weeklyOf(f)
	if err != nil {
		return time.Time{}, true
	}
	return w.end(now)
}

// A weekly freeze, read.
type weekly struct {
	zone   *time.Location
	days   []string
	starts clock
	ends   clock
}

// A clock is a time of day.
type clock struct{ hour, minute int }

// dayNames in the order of time.Weekday.
var dayNames = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

func weeklyOf(f *v1alpha1.Freeze) (weekly, error) {
	w := weekly{days: f.Days}
	zone, err := time.LoadLocation(f.TimeZone)
	// Local would be another place for every provider.
	if err != nil || f.TimeZone == "Local" {
		return w, fmt.Errorf("time zone %q is not known: write one such as Asia/Shanghai", f.TimeZone)
	}
	w.zone = zone
	if w.starts, err = clockOf(f.Start); err != nil {
		return w, fmt.Errorf("start: %w", err)
	}
	if w.ends, err = clockOf(f.End); err != nil {
		return w, fmt.Errorf("end: %w", err)
	}
	for _, d := range f.Days {
		if !slices.Contains(dayNames, d) {
			return w, fmt.Errorf("day %q is not known: write Mon, Tue, Wed, Thu, Fri, Sat or Sun", d)
		}
	}
	return w, nil
}

func clockOf(text string) (clock, error) {
	t, err := time.Parse(clockFormat, text)
	if err != nil {
		return clock{}, fmt.Errorf("%q is no time of day: write one such as 22:00", text)
	}
	return clock{hour: t.Hour(), minute: t.Minute()}, nil
}

// end of the freeze, if it is in force. It may have begun today or yesterday.
func (w weekly) end(now time.Time) (time.Time, bool) {
	local := now.In(w.zone)
	for _, back := range []int{0, 1} {
		day := local.AddDate(0, 0, -back)
		if len(w.days) > 0 && !slices.Contains(w.days, dayNames[day.Weekday()]) {
			continue
		}
		start := w.starts.on(day, 0)
		until := w.ends.on(day, 0)
		if !until.After(start) {
			until = w.ends.on(day, 1)
		}
		if !now.Before(start) && now.Before(until) {
			return until, true
		}
	}
	return time.Time{}, false
}

// on a day, or so many days later.
func (c clock) on(day time.Time, later int) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day()+later, c.hour, c.minute, 0, 0, day.Location())
}
