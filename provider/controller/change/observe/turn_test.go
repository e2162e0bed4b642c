package observe

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
)

// Merge requests of a repository are merged in turn; of two repositories side by side.
func TestTurn(t *testing.T) {
	o := &Observer{Now: func() time.Time { return at }}
	in := func(repository types.UID, number int64) Input {
		c, r := &v1alpha1.Change{}, &v1alpha1.Repository{}
		c.SetUID(types.UID(rune('a' + number)))
		c.Spec.ForProvider.Number = number
		r.SetUID(repository)
		return Input{Change: c, Repository: r}
	}
	is := func(phase v1alpha1.ChangePhase, merged bool) change.Observed {
		s := v1alpha1.ChangeObservation{Phase: phase}
		if merged {
			s.Merged = &v1alpha1.ChangeMerge{}
		}
		return change.Observed{Status: s}
	}
	for i, step := range []struct {
		reason string
		in     Input
		out    change.Observed
		want   int
	}{
		{"What executes has no turn to ask for.", in("r", 1), is(v1alpha1.ChangeExecuting, false), 0},
		{"The first is first.", in("r", 2), is(v1alpha1.ChangeMerging, false), 0},
		{"The next one waits for it.", in("r", 3), is(v1alpha1.ChangeMerging, false), 1},
		{"Not in another repository.", in("other", 4), is(v1alpha1.ChangeMerging, false), 0},
		{"What is merged waits for nobody.", in("r", 2), is(v1alpha1.ChangeMerging, true), 0},
		{"And nobody waits for it.", in("r", 3), is(v1alpha1.ChangeMerging, false), 0},
	} {
		if diff := cmp.Diff(step.want, o.turn(step.in, step.out)); diff != "" {
			t.Errorf("step %d: %s\n-want, +got:\n%s", i, step.reason, diff)
		}
	}
}
