package repository

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

var now = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// at a state of a merge request.
func at(head string, minutes int) Request {
	return Request{HeadSHA: head, UpdatedAt: ago(time.Duration(minutes) * time.Minute)}
}

func change(number int64, phase v1alpha1.ChangePhase) Change {
	busy := slices.Contains([]v1alpha1.ChangePhase{v1alpha1.ChangeExecuting, v1alpha1.ChangeVerifying}, phase)
	return Change{Name: Name("claims", number), Number: number, Phase: phase, UnderWay: busy, Since: ago(time.Hour)}
}

func TestNext(t *testing.T) {
	long, earlier := metav1.NewTime(ago(2*time.Hour)), metav1.NewTime(ago(time.Minute))
	polled := metav1.NewTime(now)
	two := map[int64]Request{3: at("a", 5), 7: at("b", 5)}
	quiet := v1alpha1.RepositoryObservation{BaseSHA: "base", User: "bot", Polled: &earlier}
	type want struct {
		Create         []int64
		Wake, Remove   []string
		Look           []string
		Reason, Tells  string
		Base           string
		Since          *metav1.Time
		Polled         *metav1.Time
		Gone           bool
		Open, Halted   int32
		Queued, Moving int32
	}
	cases := map[string]struct {
		reason   string
		spec     func(*Spec)
		observed Observed
		want     want
	}{
		"First": {
			reason:   "Each open merge request gets a Change.",
			observed: Observed{Look: &Look{Open: two, BaseSHA: "base"}},
			want:     want{Create: []int64{3, 7}, Tells: "0 open", Base: "base", Polled: &polled},
		},
		"Quiet": {
			reason:   "Where nothing happened nobody is woken.",
			observed: Observed{Status: quiet, Look: &Look{Open: two, BaseSHA: "base"}, Before: two, Changes: []Change{change(3, v1alpha1.ChangePlanned), change(7, v1alpha1.ChangeQueued)}},
			want:     want{Tells: "2 open, 1 queued, 0 executing, 0 halted", Base: "base", Polled: &polled, Open: 2, Queued: 1},
		},
		"Started": {
			reason:   "A provider that starts does not know what happened meanwhile.",
			observed: Observed{Status: quiet, Look: &Look{Open: two, BaseSHA: "base"}, Changes: []Change{change(3, v1alpha1.ChangePlanned), change(7, v1alpha1.ChangeAbandoned), change(1, v1alpha1.ChangeCompleted)}},
			want:     want{Wake: []string{"claims-3", "claims-7"}, Tells: "1 open", Base: "base", Polled: &polled, Open: 1},
		},
		"Pushed": {
			reason:   "A head that moved wakes its Change and no other.",
			observed: Observed{Status: quiet, Look: &Look{Open: map[int64]Request{3: at("c", 5), 7: at("b", 5)}, BaseSHA: "base"}, Before: two, Changes: []Change{change(3, v1alpha1.ChangeExecuting), change(7, v1alpha1.ChangePlanned)}},
			want:     want{Wake: []string{"claims-3"}, Tells: "1 executing", Base: "base", Polled: &polled, Open: 2, Moving: 1},
		},
		"Commented": {
			reason:   "So does something else that happened to it.",
			observed: Observed{Status: quiet, Look: &Look{Open: map[int64]Request{3: at("a", 5), 7: at("b", 1)}, BaseSHA: "base"}, Before: two, Changes: []Change{change(3, v1alpha1.ChangePlanned), change(7, v1alpha1.ChangeHalted)}},
			want:     want{Wake: []string{"claims-7"}, Tells: "1 halted", Base: "base", Polled: &polled, Open: 2, Halted: 1},
		},
		"Vanished": {
			reason:   "One that is not in the list any more may be closed, or merged, or only have moved: its Change reads it.",
			observed: Observed{Status: quiet, Look: &Look{Open: map[int64]Request{3: at("a", 5)}, BaseSHA: "base"}, Before: two, Changes: []Change{change(3, v1alpha1.ChangePlanned), change(7, v1alpha1.ChangeExecuting)}},
			want:     want{Wake: []string{"claims-7"}, Tells: "2 open", Base: "base", Polled: &polled, Open: 2, Moving: 1},
		},
		"Reopened": {
			reason:   "One that ended and is open again is looked at.",
			observed: Observed{Status: quiet, Look: &Look{Open: two, BaseSHA: "base"}, Before: map[int64]Request{3: two[3]}, Changes: []Change{change(3, v1alpha1.ChangePlanned), change(7, v1alpha1.ChangeAbandoned)}},
			want:     want{Wake: []string{"claims-7"}, Tells: "1 open", Base: "base", Polled: &polled, Open: 1},
		},
		"BaseMoved": {
			reason:   "A base that moved may matter to all that have not ended.",
			observed: Observed{Status: quiet, Look: &Look{Open: two, BaseSHA: "next"}, Before: two, Changes: []Change{change(3, v1alpha1.ChangePlanned), change(7, v1alpha1.ChangePlanned), change(1, v1alpha1.ChangeCompleted)}},
			want:     want{Look: []string{"claims-3", "claims-7"}, Tells: "2 open", Base: "next", Polled: &polled, Open: 2},
		},
		"Down": {
			reason:   "A forge that is down takes nothing away, and it is said since when.",
			observed: Observed{Status: quiet, Look: &Look{}, Before: two, Problem: &Problem{Kind: ForgeUnreachable, Detail: "connection refused"}, Changes: []Change{change(3, v1alpha1.ChangeExecuting)}},
			want:     want{Reason: "ForgeUnreachable", Tells: "connection refused; what executes goes on, and until it is back nothing begins and nothing is merged (since 2026-03-02 12:00:00Z)", Base: "base", Since: &polled, Polled: &earlier, Open: 1, Moving: 1},
		},
		"StillDown": {
			reason:   "Since when does not move on.",
			observed: Observed{Status: v1alpha1.RepositoryObservation{BaseSHA: "base", UnreachableSince: &long}, Look: &Look{}, Problem: &Problem{Kind: ForgeUnreachable, Detail: "connection refused"}},
			want:     want{Reason: "ForgeUnreachable", Tells: "(since 2026-03-02 10:00:00Z)", Base: "base", Since: &long},
		},
		"Back": {
			reason:   "A forge that is back has all who waited looked at.",
			observed: Observed{Status: v1alpha1.RepositoryObservation{BaseSHA: "base", UnreachableSince: &long}, Look: &Look{Open: two, BaseSHA: "base"}, Before: two, Changes: []Change{change(3, v1alpha1.ChangeExecuting), change(7, v1alpha1.ChangeCompleted)}},
			want:     want{Wake: []string{"claims-3"}, Tells: "1 open", Base: "base", Polled: &polled, Open: 1, Moving: 1},
		},
		"NotAsked": {
			reason:   "In between Changes are only counted.",
			observed: Observed{Status: quiet, Before: two, Changes: []Change{change(3, v1alpha1.ChangeHalted)}},
			want:     want{Tells: "1 halted", Base: "base", Polled: &earlier, Open: 1, Halted: 1},
		},
		"TokenExpired": {
			reason:   "A token that is refused is named by its Secret.",
			observed: Observed{Status: quiet, Look: &Look{}, Problem: &Problem{Kind: TokenRefused, Detail: "401"}},
			want:     want{Reason: "TokenRefused", Tells: `put a valid one into key "token" of Secret "forge"`, Base: "base", Since: &polled, Polled: &earlier},
		},
		"Gone": {
			reason:   "A repository that vanished keeps its Changes.",
			observed: Observed{Status: quiet, Look: &Look{}, Problem: &Problem{Kind: RepositoryGone}, Changes: []Change{change(3, v1alpha1.ChangePlanned)}},
			want:     want{Reason: "RepositoryGone", Tells: "there is no repository at https://git.example.org/ops/claims", Base: "base", Since: &polled, Polled: &earlier, Open: 1},
		},
		"Limited": {
			reason:   "It is said how long a forge is left alone.",
			observed: Observed{Status: quiet, Look: &Look{}, Problem: &Problem{Kind: RateLimited, Until: now.Add(time.Hour)}},
			want:     want{Reason: "RateLimited", Tells: "left alone until 2026-03-02 13:00:00Z: raise spec.forProvider.pollInterval", Base: "base", Since: &polled, Polled: &earlier},
		},
		"NoBase": {
			reason:   "Merge requests are known although the mirror has no such branch.",
			observed: Observed{Look: &Look{Open: two}, Problem: &Problem{Kind: BaseBranchMissing}},
			want:     want{Create: []int64{3, 7}, Reason: "BaseBranchMissing", Tells: `branch "main" is not in the repository`, Since: &polled},
		},
		"Notes": {
			reason:   "What the token may not is said, and is no problem.",
			observed: Observed{Status: quiet, Notes: []string{"token may not protect main"}},
			want:     want{Tells: "0 halted; token may not protect main", Base: "base", Polled: &earlier},
		},
		"Old": {
			reason: "What ended long ago goes, unless it is open again or going already.",
			observed: Observed{Status: quiet, Look: &Look{Open: map[int64]Request{2: at("a", 1)}, BaseSHA: "base"}, Before: map[int64]Request{2: at("a", 1)}, Changes: []Change{
				{Name: "claims-1", Number: 1, Phase: v1alpha1.ChangeCompleted, Since: ago(31 * 24 * time.Hour)},
				{Name: "claims-2", Number: 2, Phase: v1alpha1.ChangeAbandoned, Since: ago(31 * 24 * time.Hour)},
				{Name: "claims-3", Number: 3, Phase: v1alpha1.ChangeCompleted, Since: ago(29 * 24 * time.Hour)},
				{Name: "claims-4", Number: 4, Phase: v1alpha1.ChangeHalted, Since: ago(99 * 24 * time.Hour)},
				{Name: "claims-5", Number: 5, Phase: v1alpha1.ChangeCompleted, Since: ago(99 * 24 * time.Hour), Going: true},
			}},
			want: want{Remove: []string{"claims-1"}, Tells: "1 halted", Base: "base", Polled: &polled, Open: 1, Halted: 1},
		},
		"Leaving": {
			reason:   "A Repository that is deleted makes no Changes and waits for those under way.",
			spec:     func(s *Spec) { s.Leaving = true },
			observed: Observed{Status: quiet, Look: &Look{Open: two, BaseSHA: "base"}, Before: two, Changes: []Change{change(3, v1alpha1.ChangeExecuting), change(4, v1alpha1.ChangePlanned)}},
			want:     want{Reason: "ChangesUnderWay", Tells: "deletion waits for claims-3: let each end, or /abandon it; annotation mainstay.dev/leave-changes", Base: "base", Polled: &polled, Open: 2, Moving: 1},
		},
		"LeavingIdle": {
			reason:   "Nothing under way keeps nobody.",
			spec:     func(s *Spec) { s.Leaving = true },
			observed: Observed{Status: quiet, Changes: []Change{change(4, v1alpha1.ChangePlanned)}},
			want:     want{Reason: "ChangesUnderWay", Tells: "being deleted", Base: "base", Polled: &earlier, Gone: true, Open: 1},
		},
		"LetGo": {
			reason:   "Somebody may say that it goes all the same.",
			spec:     func(s *Spec) { s.Leaving, s.LetGo = true, true },
			observed: Observed{Status: quiet, Changes: []Change{change(3, v1alpha1.ChangeExecuting)}},
			want:     want{Reason: "ChangesUnderWay", Tells: "being deleted", Base: "base", Polled: &earlier, Gone: true, Open: 1, Moving: 1},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			spec := Spec{Name: "claims", RepositoryParameters: v1alpha1.RepositoryParameters{
				URL: "https://git.example.org/ops/claims", BaseBranch: "main", CredentialsSecretRef: v1alpha1.SecretKeyReference{Name: "forge", Key: "token"},
			}}
			if tc.spec != nil {
				tc.spec(&spec)
			}
			d := Next(spec, tc.observed, now)
			if !strings.Contains(d.Status.Message, tc.want.Tells) || d.Ready.Message != "" && d.Ready.Message != d.Status.Message {
				t.Errorf("\n%s\nNext(...): want %q in the message, got %q and %q", tc.reason, tc.want.Tells, d.Status.Message, d.Ready.Message)
			}
			n := d.Status.Changes
			got := want{
				Create: d.Create, Wake: d.Wake, Look: d.Look, Remove: d.Remove, Reason: d.Ready.Reason, Tells: tc.want.Tells, Base: d.Status.BaseSHA,
				Since: d.Status.UnreachableSince, Polled: d.Status.Polled, Gone: d.Gone, Open: n.Open, Halted: n.Halted, Queued: n.Queued, Moving: n.Executing,
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nNext(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestMany(t *testing.T) {
	o := Observed{Look: &Look{Open: map[int64]Request{}}}
	for n := int64(1); n <= MaxCreate+5; n++ {
		o.Look.Open[n] = at("a", 1)
	}
	d := Next(Spec{Name: "claims"}, o, now)
	if len(d.Create) != MaxCreate || !d.More || d.Create[0] != 1 {
		t.Errorf("Changes are made some at a time, the oldest first: got %d from %d, more: %t", len(d.Create), d.Create[0], d.More)
	}

	o = Observed{Look: &Look{Open: map[int64]Request{}}}
	for n := int64(1); n <= MaxEnded+2; n++ {
		c := change(n, v1alpha1.ChangeCompleted)
		c.Since = ago(time.Duration(MaxEnded+2-n) * time.Minute)
		o.Changes = append(o.Changes, c)
	}
	if diff := cmp.Diff([]string{"claims-1", "claims-2"}, Next(Spec{Name: "claims"}, o, now).Remove); diff != "" {
		t.Errorf("Past %d the oldest go: -want, +got:\n%s", MaxEnded, diff)
	}
}

// TestProperties holds what must be so whatever happens.
func TestProperties(t *testing.T) {
	phases := []v1alpha1.ChangePhase{"", v1alpha1.ChangePlanned, v1alpha1.ChangeQueued, v1alpha1.ChangeExecuting, v1alpha1.ChangeHalted, v1alpha1.ChangeCompleted, v1alpha1.ChangeAbandoned}
	for seed := range uint64(5000) {
		r := rand.New(rand.NewPCG(seed, 1))
		o := Observed{Before: map[int64]Request{}}
		has, listed := map[int64]Change{}, map[int64]Request{}
		for n := range int64(12) {
			if r.IntN(2) == 0 {
				c := change(n+1, phases[r.IntN(len(phases))])
				c.Since, c.Going = ago(time.Duration(r.IntN(60))*24*time.Hour), r.IntN(8) == 0
				has[c.Number] = c
				o.Changes = append(o.Changes, c)
			}
			if r.IntN(2) == 0 {
				listed[n+1] = at(fmt.Sprint(r.IntN(2)), 1)
			}
			if r.IntN(2) == 0 {
				o.Before[n+1] = at(fmt.Sprint(r.IntN(2)), 1)
			}
		}
		if r.IntN(4) > 0 {
			o.Look = &Look{}
			if r.IntN(4) > 0 {
				o.Look.Open = listed
			}
		}
		if r.IntN(3) == 0 {
			o.Problem = &Problem{Kind: Kinds()[r.IntN(len(Kinds()))]}
		}
		spec := Spec{Name: "claims", Leaving: r.IntN(4) == 0}
		d := Next(spec, o, now)
		unread := o.Look == nil || o.Look.Open == nil
		if unread && len(d.Create)+len(d.Wake)+len(d.Remove) > 0 {
			t.Fatalf("seed %d: what was not read leads to nothing: got %+v", seed, d)
		}
		for _, n := range d.Create {
			if _, is := has[n]; is || spec.Leaving {
				t.Fatalf("seed %d: Change %d is made although it is there, or the Repository leaves", seed, n)
			}
		}
		for n, c := range has {
			_, open := listed[n]
			if slices.Contains(d.Remove, c.Name) && (!c.ended() || open || o.Problem != nil || c.UnderWay) {
				t.Fatalf("seed %d: Change %d is removed: %+v", seed, n, c)
			}
			if d.Gone && c.UnderWay {
				t.Fatalf("seed %d: the Repository goes while %s is under way", seed, c.Name)
			}
		}
		if (o.Problem != nil || spec.Leaving) != (d.Ready.Reason != "") {
			t.Fatalf("seed %d: a problem is told, and nothing else is: got %+v", seed, d.Ready)
		}
	}
}

func TestWait(t *testing.T) {
	down := &Problem{Kind: ForgeUnreachable}
	cases := map[string]struct {
		reason   string
		problem  *Problem
		failures int
		interval time.Duration
		want     time.Duration
	}{
		"Fine":        {reason: "A forge that answers is asked in its interval.", interval: time.Minute, want: time.Minute},
		"Once":        {reason: "One that failed once is asked soon.", problem: down, failures: 1, interval: time.Minute, want: 5 * time.Second},
		"Thrice":      {reason: "Then less and less often.", problem: down, failures: 3, interval: time.Minute, want: 20 * time.Second},
		"Long":        {reason: "Up to a bound.", problem: down, failures: 1000, interval: time.Minute, want: 5 * time.Minute},
		"Seldom":      {reason: "Which is never below the interval.", problem: down, failures: 1000, interval: time.Hour, want: time.Hour},
		"Limited":     {reason: "One that says until when is left alone until then.", problem: &Problem{Kind: RateLimited, Until: now.Add(17 * time.Minute)}, failures: 1, interval: time.Minute, want: 17 * time.Minute},
		"LimitedLong": {reason: "But not for ever.", problem: &Problem{Kind: RateLimited, Until: now.Add(24 * time.Hour)}, failures: 1, interval: time.Minute, want: time.Hour},
		"LimitedPast": {reason: "A time that has passed means nothing.", problem: &Problem{Kind: RateLimited, Until: ago(time.Hour)}, failures: 2, interval: time.Minute, want: 10 * time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Wait(tc.problem, tc.failures, tc.interval, now); got != tc.want {
				t.Errorf("\n%s\nWait(...): want %s, got %s", tc.reason, tc.want, got)
			}
		})
	}
	if got := Spacing(true, 100, 5000, time.Minute); got != time.Minute {
		t.Errorf("Where the limit is near only the interval counts, got %s", got)
	}
	if got := Spacing(false, 0, 0, time.Minute); got != 2*time.Second {
		t.Errorf("Webhooks that come one after the other are one look, got %s", got)
	}
}

func TestChangeOf(t *testing.T) {
	began := []v1alpha1.ChangeClaim{{Began: true, Phase: v1alpha1.ClaimFailed}}
	cases := map[string]struct {
		reason string
		at     v1alpha1.ChangeObservation
		want   bool
	}{
		"Planned":    {reason: "What has not begun keeps nobody.", at: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangePlanned}},
		"Executing":  {reason: "What executes does.", at: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeExecuting}, want: true},
		"HaltedHalf": {reason: "So does what halted half-way.", at: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeHalted, Claims: began}, want: true},
		"HaltedBack": {reason: "What is back where it was does not.", at: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeHalted, Claims: []v1alpha1.ChangeClaim{{Began: true, Phase: v1alpha1.ClaimIsBack}}}},
		"Completed":  {reason: "What is merged is over.", at: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeCompleted, Claims: began}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := &v1alpha1.Change{}
			c.Status.AtProvider = tc.at
			if got := ChangeOf(c).UnderWay; got != tc.want {
				t.Errorf("\n%s\nChangeOf(...).UnderWay: want %t, got %t", tc.reason, tc.want, got)
			}
		})
	}
}
