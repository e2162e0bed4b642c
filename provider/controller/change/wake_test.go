package change

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func TestWoken(t *testing.T) {
	key := func(claim string) []v1alpha1.LockKey { return []v1alpha1.LockKey{{Namespace: "shop", Claim: claim}} }
	has := func(n, claim string, epoch int64) v1alpha1.QueuedChange {
		return v1alpha1.QueuedChange{UID: n, Change: "shop/" + n, Wants: key(claim), Has: key(claim), Epoch: epoch}
	}
	waits := func(n, claim string) v1alpha1.QueuedChange {
		return v1alpha1.QueuedChange{UID: n, Change: "shop/" + n, Wants: key(claim)}
	}
	table := func(cs ...v1alpha1.QueuedChange) v1alpha1.ChangeQueueSpec {
		return v1alpha1.ChangeQueueSpec{Changes: cs}
	}
	cases := map[string]struct {
		reason        string
		before, after v1alpha1.ChangeQueueSpec
		want          []string
	}{
		"Same":  {reason: "Nothing happened.", before: table(has("a", "x", 1)), after: table(has("a", "x", 1))},
		"Comes": {reason: "Only who comes is concerned.", before: table(has("a", "x", 1)), after: table(has("a", "x", 1), waits("b", "x")), want: []string{"b"}},
		"Given": {
			reason: "Who leaves, who gets the locks, and who waits for the same.",
			before: table(has("a", "x", 1), waits("b", "x"), waits("c", "x"), waits("d", "y")), after: table(has("b", "x", 2), waits("c", "x"), waits("d", "y")),
			want: []string{"b", "a", "c"},
		},
		"Taken": {reason: "Who lost its locks looks.", before: table(has("a", "x", 1)), after: table(waits("a", "x")), want: []string{"a"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var want []types.NamespacedName
			for _, n := range tc.want {
				want = append(want, types.NamespacedName{Namespace: "shop", Name: n})
			}
			if diff := cmp.Diff(want, woken(tc.before, tc.after)); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
