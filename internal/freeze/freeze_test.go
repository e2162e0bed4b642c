package freeze

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	out, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return out.UTC()
}

func TestActive(t *testing.T) {
	span := func(name, from, until string) v1alpha1.Freeze {
		return v1alpha1.Freeze{Name: name, From: &metav1.Time{Time: instant(t, from)}, Until: &metav1.Time{Time: instant(t, until)}}
	}
	week := func(name, start, end, zone string, days ...string) v1alpha1.Freeze {
		return v1alpha1.Freeze{Name: name, Start: start, End: end, TimeZone: zone, Days: days}
	}
	cases := map[string]struct {
		reason  string
		freezes []v1alpha1.Freeze
		now     string
		want    *Window
	}{
		"None": {
			reason: "Without freezes there is none.",
			now:    "2026-01-01T00:00:00Z",
		},
		"Instants": {
			reason:  "A freeze between two instants is in force from the first on.",
			freezes: []v1alpha1.Freeze{span("singles-day", "2026-11-10T16:00:00Z", "2026-11-12T00:00:00Z")},
			now:     "2026-11-10T16:00:00Z",
			want:    &Window{Name: "singles-day", Until: instant(t, "2026-11-12T00:00:00Z")},
		},
		"Over": {
			reason:  "At its end it is over.",
			freezes: []v1alpha1.Freeze{span("singles-day", "2026-11-10T16:00:00Z", "2026-11-12T00:00:00Z")},
			now:     "2026-11-12T00:00:00Z",
		},
		"Night": {
			reason:  "A night belongs to the day on which it starts, by the clock of its place.",
			freezes: []v1alpha1.Freeze{week("friday-night", "22:00", "06:00", "Asia/Shanghai", "Fri")},
			now:     "2026-01-02T21:30:00Z", // Saturday 05:30 in Shanghai.
			want:    &Window{Name: "friday-night", Until: instant(t, "2026-01-02T22:00:00Z")},
		},
		"OtherNight": {
			reason:  "Another night is free.",
			freezes: []v1alpha1.Freeze{week("friday-night", "22:00", "06:00", "Asia/Shanghai", "Fri")},
			now:     "2026-01-03T21:30:00Z",
		},
		"WholeDay": {
			reason:  "From a time to the same time is a whole day.",
			freezes: []v1alpha1.Freeze{week("sunday", "00:00", "00:00", "UTC", "Sun")},
			now:     "2026-01-04T23:59:59Z",
			want:    &Window{Name: "sunday", Until: instant(t, "2026-01-05T00:00:00Z")},
		},
		"Chained": {
			reason:  "Freezes without a gap are one.",
			freezes: []v1alpha1.Freeze{week("weekend", "00:00", "00:00", "UTC", "Sat", "Sun"), span("launch", "2026-01-05T00:00:00Z", "2026-01-05T12:00:00Z")},
			now:     "2026-01-03T10:00:00Z",
			want:    &Window{Name: "weekend", Until: instant(t, "2026-01-05T12:00:00Z")},
		},
		"Always": {
			reason:  "One that never ends has no end.",
			freezes: []v1alpha1.Freeze{week("always", "00:00", "00:00", "UTC")},
			now:     "2026-01-03T10:00:00Z",
			want:    &Window{Name: "always"},
		},
		"ClocksChange": {
			reason:  "Where clocks go forward a night is an hour shorter.",
			freezes: []v1alpha1.Freeze{week("night", "22:00", "06:00", "Europe/Berlin")},
			now:     "2026-03-28T21:30:00Z",
			want:    &Window{Name: "night", Until: instant(t, "2026-03-29T04:00:00Z")},
		},
		"Unreadable": {
			reason:  "What cannot be read is in force.",
			freezes: []v1alpha1.Freeze{week("mars", "22:00", "06:00", "Mars/Olympus")},
			now:     "2026-01-03T10:00:00Z",
			want:    &Window{Name: "mars"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Active(tc.freezes, instant(t, tc.now))
			if got != nil && !got.Until.IsZero() {
				got.Until = got.Until.UTC()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nActive(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	at := func(s string) *metav1.Time { return &metav1.Time{Time: instant(t, s)} }
	got := Check([]v1alpha1.Freeze{
		{Name: "fine", Start: "22:00", End: "06:00", TimeZone: "UTC", Days: []string{"Mon"}},
		{Name: "zone", Start: "22:00", End: "06:00", TimeZone: "Mars/Olympus"},
		{Name: "start", Start: "25:00", End: "06:00"},
		{Name: "end", Start: "22:00", End: ""},
		{Name: "day", Start: "22:00", End: "06:00", Days: []string{"Monday"}},
		{Name: "half", From: at("2026-01-01T00:00:00Z")},
		{Name: "backwards", From: at("2026-01-02T00:00:00Z"), Until: at("2026-01-01T00:00:00Z")},
	})
	want := []string{
		`freeze "zone": time zone "Mars/Olympus" is not known: write one such as Asia/Shanghai`,
		`freeze "start": start: "25:00" is no time of day: write one such as 22:00`,
		`freeze "end": end: "" is no time of day: write one such as 22:00`,
		`freeze "day": day "Monday" is not known: write Mon, Tue, Wed, Thu, Fri, Sat or Sun`,
		`freeze "half": from and until must both be given`,
		`freeze "backwards": until must be after from`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("\nEach freeze says what is wrong with it.\nCheck(...): -want, +got:\n%s", diff)
	}
}
