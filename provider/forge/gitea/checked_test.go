package gitea

import (
	"errors"
	"testing"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// A merge that comes while Gitea tries others is done when it has, and another refusal is one at once.
func TestChecked(t *testing.T) {
	busy := forge.Refusef(forge.Conflict, "forge refuses POST /merge with 405: Please try again later")
	protected := forge.Refusef(forge.Conflict, "forge refuses POST /merge with 405: the branch is protected")
	cases := map[string]struct {
		reason  string
		answers []error
		want    error
	}{
		"AtOnce":    {"What can be merged is.", []error{nil}, nil},
		"Busy":      {"It is asked again.", []error{busy, busy, nil}, nil},
		"Protected": {"Asking again does not help.", []error{protected}, protected},
		"Then":      {"Nor after it was busy.", []error{busy, protected}, protected},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			asked, looked := 0, 0
			err := checked(t.Context(), func() { looked++ }, func() error { asked++; return tc.answers[asked-1] })
			if !errors.Is(err, tc.want) || asked != len(tc.answers) || looked > asked {
				t.Errorf("%s: got %v after %d, want %v after %d", tc.reason, err, asked, tc.want, len(tc.answers))
			}
		})
	}
}
