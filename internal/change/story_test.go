package change

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files")

// A story tells what becomes of merge requests, as prose.
type story struct {
	w    *world
	b    strings.Builder
	last map[int64]string
	turn int
}

func (s *story) tell(format string, args ...any) { fmt.Fprintf(&s.b, "\n"+format+"\n", args...) }

// turns of every change, each followed by a minute in which Rollouts move.
func (s *story) turns(n int) {
	for range n {
		s.turn++
		told := fmt.Sprintf("\n%s\n", s.w.now.Format("15:04"))
		for _, number := range sortedKeys(s.w.changes) {
			if s.w.changes[number].done {
				continue
			}
			d := s.w.turn(number)
			var lines []string
			for _, a := range d.Do {
				if l := a.told(s.w.changes[number].status); l != "" {
					lines = append(lines, l)
				}
			}
			says := fmt.Sprintf("%s: %s", d.Status.Phase, d.Status.Message)
			if len(d.Status.Next) > 0 {
				says += " [" + strings.Join(d.Status.Next, ", ") + "]"
			}
			if len(lines) == 0 && says == s.last[number] {
				continue
			}
			s.b.WriteString(told)
			told = ""
			fmt.Fprintf(&s.b, "  !%d %s\n", number, says)
			for _, l := range lines {
				fmt.Fprintf(&s.b, "     %s\n", l)
			}
			s.last[number] = says
		}
		s.pass()
	}
}

// pass a minute.
func (s *story) pass() {
	for name := range s.w.hub {
		s.w.roll(name)
	}
	s.w.now = s.w.now.Add(time.Minute)
}

// untilDone takes turns until nothing is left to do.
func (s *story) untilDone() {
	for range 60 {
		s.turns(1)
		if !slices.ContainsFunc(sortedKeys(s.w.changes), func(n int64) bool { return !s.w.changes[n].done }) {
			return
		}
	}
	s.tell("IT DOES NOT END.")
}

// told is what an action says in a story. Comments are said in tests of their own.
func (a Action) told(s v1alpha1.ChangeObservation) string {
	switch a.Verb {
	case DoStatus:
		return fmt.Sprintf("%s turns %s: %s", a.Context, a.Status.State, a.Status.Description)
	case DoLock:
		switch {
		case a.Lock.Renew > 0:
			return "draws another epoch"
		case a.Lock.Idle && !a.Lock.Keep:
			return "keeps its place, and blocks nobody"
		case a.Lock.Idle:
			return "keeps its locks, idle"
		case a.Lock.Keep:
			return "is not idle any more"
		}
		return "asks for locks"
	case DoUnlock:
		return "leaves its locks"
	case DoApply:
		what := "writes"
		if a.Digest == "" {
			what = "deletes"
		}
		if a.Back {
			what = "takes back"
		}
		return fmt.Sprintf("%s %s, epoch %d", what, a.Claim, a.Epoch)
	case DoBranch:
		return fmt.Sprintf("puts %d claims on the branch, epoch %d", len(a.Claims), a.Epoch)
	case DoPause, DoUnpause, DoRetry, DoAllow:
		return fmt.Sprintf("tells the Rollout of %s: %s", a.Claim, strings.ToLower(string(a.Verb)))
	case DoMerge:
		return "merges " + short(a.Head)
	case DoClose:
		return "closes the merge request"
	}
	return ""
}

func sortedKeys[V any](m map[int64]V) []int64 {
	var out []int64
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// TestStories tells stories of merge requests.
func TestStories(t *testing.T) {
	cases := map[string]struct {
		reason string
		play   func(s *story)
	}{
		"good": {
			reason: "A release is planned, approved, executed, verified and merged.",
			play: func(s *story) {
				s.w.live("shop", "v1", 4)
				m := s.w.propose(41, "ada", map[string]string{"shop": "v2"})
				s.turns(2)
				s.tell("Ada approves her own merge request, then Bob does.")
				s.w.approve(m, "ada")
				s.turns(1)
				s.w.approve(m, "bob")
				s.untilDone()
			},
		},
		"refused-by-preflight": {
			reason: "What the preflight finds stands in the way, whoever approves. A push mends it.",
			play: func(s *story) {
				s.w.live("shop", "v1", 4)
				s.w.blocked["v2"] = "on 4 clusters the Secret shop-db is missing"
				m := s.w.propose(41, "ada", map[string]string{"shop": "v2"})
				s.turns(2)
				s.w.approve(m, "bob")
				s.turns(1)
				s.tell("Ada pushes what does without the Secret. Bob's approval was of the old head.")
				s.w.push(m, map[string]string{"shop": "v3"})
				s.turns(2)
				s.w.approve(m, "bob")
				s.untilDone()
			},
		},
		"canary-fails-abandoned": {
			reason: "A release whose canary fails halts with the merge request open, and goes back when somebody says so.",
			play: func(s *story) {
				s.w.live("shop", "v1", 4)
				s.w.bad[said("shop", "v2")] = true
				m := s.w.propose(41, "ada", map[string]string{"shop": "v2"})
				s.turns(2)
				s.w.approve(m, "bob")
				s.turns(6)
				s.tell("A retry does not help.")
				s.w.say(m, "bob", "Once more:\n/retry")
				s.turns(5)
				s.tell("Bob gives up on it.")
				s.w.say(m, "bob", "/abandon")
				s.untilDone()
			},
		},
		"superseded": {
			reason: "A push while it executes: the batch finishes, and the newer head is planned from what is there.",
			play: func(s *story) {
				s.w.live("shop", "v1", 8)
				m := s.w.propose(41, "ada", map[string]string{"shop": "v2"})
				s.turns(2)
				s.w.approve(m, "bob")
				s.turns(6)
				s.tell("Ada pushes v3 while v2 is on its way.")
				s.w.push(m, map[string]string{"shop": "v3"})
				s.turns(5)
				s.tell("Bob approves what he reads now.")
				s.w.approve(m, "bob")
				s.untilDone()
			},
		},
		"two-overlapping": {
			reason: "Two changes of the same application follow each other, and the second is planned anew. A third one passes.",
			play: func(s *story) {
				s.w.live("shop", "v1", 4)
				s.w.live("search", "v1", 4)
				a := s.w.propose(41, "ada", map[string]string{"shop": "v2"})
				b := s.w.propose(42, "cleo", map[string]string{"shop": "v1b"})
				c := s.w.propose(43, "cleo", map[string]string{"search": "v2"})
				s.turns(2)
				for _, m := range []*mr{a, b, c} {
					s.w.approve(m, "bob")
				}
				s.turns(14)
				s.tell("Cleo rebases: her change keeps its place.")
				s.w.push(b, map[string]string{"shop": "v2b"})
				s.turns(2)
				s.w.approve(b, "bob")
				s.untilDone()
			},
		},
		"merged-by-hand": {
			reason: "Somebody merges before it was executed. It says so, and makes it true where it was approved.",
			play: func(s *story) {
				s.w.live("shop", "v1", 4)
				m := s.w.propose(41, "ada", map[string]string{"shop": "v2"})
				s.turns(2)
				s.tell("Zoe, who is an administrator, merges it.")
				s.w.mergeAs(m, "zoe")
				s.turns(2)
				s.tell("Zoe wants it to go on, and Bob approves.")
				s.w.say(m, "zoe", "/resume")
				s.turns(2)
				s.w.approve(m, "bob")
				s.untilDone()
			},
		},
		"emergency": {
			reason: "Two people of the list take a change past approvals, a freeze and a change that halted.",
			play: func(s *story) {
				s.w.repo.Emergency = &v1alpha1.EmergencyPolicy{Count: 2, From: v1alpha1.People{Users: []string{"bob", "zoe"}}}
				s.w.live("shop", "v1", 4)
				s.w.bad[said("shop", "v2")] = true
				m := s.w.propose(41, "ada", map[string]string{"shop": "v2"})
				s.turns(2)
				s.w.approve(m, "bob")
				s.turns(6)
				s.w.repo.Freezes = []v1alpha1.Freeze{{Name: "night", Start: "00:00", End: "00:00"}}
				s.tell("There is a freeze now, and the fix must get through.")
				fix := s.w.propose(42, "cleo", map[string]string{"shop": "v1-fixed"})
				s.turns(2)
				s.w.say(fix, "ada", "/emergency I am not on the list")
				s.w.say(fix, "bob", "/emergency the shop is down")
				s.turns(1)
				s.w.say(fix, "zoe", "/emergency I agree")
				s.turns(14)
				s.tell("Ada closes hers: main says something else now.")
				m.state, m.by = RequestClosed, "ada"
				s.untilDone()
			},
		},
		"deletions": {
			reason: "What is taken away takes a token, of this plan, from somebody else than the author.",
			play: func(s *story) {
				s.w.live("shop", "v1", 4)
				m := s.w.propose(41, "ada", map[string]string{"shop": ""})
				s.turns(2)
				s.w.approve(m, "bob")
				s.w.approve(m, "cleo")
				token := s.w.changes[41].status.Plan.Token
				s.w.say(m, "bob", "/approve-deletions 123456")
				s.w.say(m, "ada", "/approve-deletions "+token)
				s.turns(1)
				s.w.say(m, "bob", "/approve-deletions "+token)
				s.untilDone()
			},
		},
		"forge-down": {
			reason: "A forge that is down for an hour in the middle stops nothing but the merge.",
			play: func(s *story) {
				s.w.live("fleet", "1.34", 2)
				s.w.live("shop", "v1", 4)
				m := s.w.propose(41, "ada", map[string]string{"fleet": "1.35", "shop": "v2"})
				s.turns(2)
				s.w.approve(m, "bob")
				s.turns(4)
				s.tell("The forge does not answer.")
				s.w.forgeDown, s.w.gitDown = "connection refused", "connection refused"
				s.turns(60)
				s.tell("It does again.")
				s.w.forgeDown, s.w.gitDown = "", ""
				s.untilDone()
			},
		},
		"parked-is-owed": {
			reason: "One cluster that cannot be reached keeps the merge request open until it is caught up.",
			play: func(s *story) {
				s.w.live("shop", "v1", 4)
				s.w.parked["shop"] = 1
				m := s.w.propose(41, "ada", map[string]string{"shop": "v2"})
				s.turns(2)
				s.w.approve(m, "bob")
				s.turns(10)
				s.tell("The cluster is back.")
				s.w.parked["shop"] = 0
				s.untilDone()
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := &story{w: newWorld(), last: map[int64]string{}}
			fmt.Fprintln(&s.b, tc.reason)
			tc.play(s)
			golden(t, name, s.b.String())
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("read the difference as a reviewer would, then run with -update: -want, +got:\n%s", diff)
	}
}
