package lock

import (
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func key(claim string, clusters ...string) v1alpha1.LockKey {
	return v1alpha1.LockKey{Namespace: "shop", Claim: claim, Clusters: clusters}
}

func ask(t *testing.T, table *v1alpha1.ChangeQueueSpec, r Request) {
	t.Helper()
	r.Change, r.Label = "shop/"+r.UID, "!"+r.UID
	out, err := Ask(*table, r, now)
	if err != nil {
		t.Fatal(err)
	}
	*table = out
}

func TestKeys(t *testing.T) {
	ref := func(ns, name string) v1alpha1.ClaimReference {
		return v1alpha1.ClaimReference{Kind: "App", Namespace: ns, Name: name}
	}
	var many []string
	for i := range MaxClusters + 1 {
		many = append(many, fmt.Sprintf("prod.c-%03d", i))
	}
	var claims []Target
	for i := range MaxKeys + 1 {
		claims = append(claims, Target{Claim: ref("shop", fmt.Sprint(i))})
	}
	cases := map[string]struct {
		reason  string
		targets []Target
		want    []v1alpha1.LockKey
	}{
		"Sorted":  {reason: "The same targets have the same keys.", targets: []Target{{Claim: ref("shop", "b")}, {Claim: ref("shop", "a"), Clusters: []string{"y", "x", "x"}}}, want: []v1alpha1.LockKey{key("App/a", "x", "y"), key("App/b")}},
		"Merged":  {reason: "A claim has one key.", targets: []Target{{Claim: ref("shop", "a"), Clusters: []string{"x"}}, {Claim: ref("shop", "a"), Clusters: []string{"y"}}}, want: []v1alpha1.LockKey{key("App/a", "x", "y")}},
		"All":     {reason: "All clusters are more than some.", targets: []Target{{Claim: ref("shop", "a"), Clusters: []string{"x"}}, {Claim: ref("shop", "a")}}, want: []v1alpha1.LockKey{key("App/a")}},
		"Wider":   {reason: "Many clusters widen to all of the claim.", targets: []Target{{Claim: ref("shop", "a"), Clusters: many}}, want: []v1alpha1.LockKey{key("App/a")}},
		"Widest":  {reason: "Many claims widen to all of the namespace.", targets: claims, want: []v1alpha1.LockKey{key("")}},
		"Nothing": {reason: "Nothing needs no lock.", want: nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Keys(tc.targets)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
			for _, target := range tc.targets {
				if !Covers(got, Keys([]Target{target})) {
					t.Errorf("%s\nkeys must cover %v", tc.reason, target.Claim)
				}
			}
		})
	}
}

func TestOverlap(t *testing.T) {
	cases := map[string]struct {
		a, b v1alpha1.LockKey
		want bool
	}{
		"SameClaim":       {a: key("App/a"), b: key("App/a"), want: true},
		"OtherClaim":      {a: key("App/a"), b: key("App/b")},
		"OtherClusters":   {a: key("App/a", "x"), b: key("App/a", "y")},
		"OneCluster":      {a: key("App/a", "x", "y"), b: key("App/a", "y", "z"), want: true},
		"AllClusters":     {a: key("App/a", "x"), b: key("App/a"), want: true},
		"WholeNamespace":  {a: key(""), b: key("App/a", "x"), want: true},
		"OtherNamespace":  {a: key(""), b: v1alpha1.LockKey{Namespace: "search"}},
		"SameNameInOther": {a: key("App/a"), b: v1alpha1.LockKey{Namespace: "search", Claim: "App/a"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a, b := []v1alpha1.LockKey{tc.a}, []v1alpha1.LockKey{tc.b}
			if Overlap(a, b) != tc.want || Overlap(b, a) != tc.want {
				t.Errorf("want %t both ways", tc.want)
			}
		})
	}
}

func TestQueue(t *testing.T) {
	one := func(uid string, keys ...v1alpha1.LockKey) Request {
		return Request{UID: uid, Wants: keys, Takes: 10 * time.Minute, Group: "claims"}
	}
	cases := map[string]struct {
		reason string
		play   func(t *testing.T, q *v1alpha1.ChangeQueueSpec)
		held   []string
		who    string
		want   Place
	}{
		"Disjoint": {
			reason: "Changes that have nothing in common run side by side.",
			play: func(t *testing.T, q *v1alpha1.ChangeQueueSpec) {
				ask(t, q, one("1", key("App/a")))
				ask(t, q, one("2", key("App/b")))
			},
			held: []string{"1", "2"},
		},
		"InOrder": {
			reason: "One waits behind the other, and knows for how long.",
			play: func(t *testing.T, q *v1alpha1.ChangeQueueSpec) {
				ask(t, q, one("1", key("App/a")))
				ask(t, q, one("2", key("App/a")))
				ask(t, q, one("3", key("App/a")))
			},
			held: []string{"1"}, who: "3", want: Place{Asked: true, Wants: []v1alpha1.LockKey{key("App/a")}, Position: 2, Behind: []string{"!1", "!2"}, Takes: 20 * time.Minute},
		},
		"LargeDoesNotStarve": {
			reason: "Who waits for two is not passed by those who want one of them.",
			play: func(t *testing.T, q *v1alpha1.ChangeQueueSpec) {
				ask(t, q, one("1", key("App/a")))
				ask(t, q, one("2", key("App/a"), key("App/b")))
				ask(t, q, one("3", key("App/b")))
				ask(t, q, one("4", key("App/c")))
			},
			held: []string{"1", "4"},
		},
		"Left": {
			reason: "Who leaves makes room, in order.",
			play: func(t *testing.T, q *v1alpha1.ChangeQueueSpec) {
				ask(t, q, one("1", key("App/a")))
				ask(t, q, one("2", key("App/a")))
				ask(t, q, one("3", key("App/a")))
				*q = Leave(*q, "1", now)
			},
			held: []string{"2"},
		},
		"Superseding": {
			reason: "A push keeps the ticket, and the locks that are still wanted.",
			play: func(t *testing.T, q *v1alpha1.ChangeQueueSpec) {
				ask(t, q, one("1", key("App/a"), key("App/b")))
				ask(t, q, one("2", key("App/a")))
				ask(t, q, one("3", key("App/b")))
				ask(t, q, one("1", key("App/a")))
			},
			held: []string{"1", "3"},
		},
		"KeepsItsPlace": {
			reason: "Who wants nothing for now blocks nobody, and comes back at its place.",
			play: func(t *testing.T, q *v1alpha1.ChangeQueueSpec) {
				ask(t, q, one("1", key("App/a")))
				ask(t, q, one("2", key("App/a")))
				ask(t, q, one("3", key("App/a")))
				ask(t, q, Request{UID: "2", Idle: true, Group: "claims"})
				ask(t, q, one("2", key("App/a")))
				*q = Leave(*q, "1", now)
			},
			held: []string{"2"},
		},
		"NoCircle": {
			reason: "Two that each want what the other has: the older one gets it.",
			play: func(t *testing.T, q *v1alpha1.ChangeQueueSpec) {
				ask(t, q, one("1", key("App/a")))
				ask(t, q, one("2", key("App/b")))
				ask(t, q, one("2", key("App/a"), key("App/b")))
				ask(t, q, one("1", key("App/a"), key("App/b")))
			},
			held: []string{"1"},
		},
		"Urgent": {
			reason: "An emergency passes those who wait, and takes from who is idle, not from who writes.",
			play: func(t *testing.T, q *v1alpha1.ChangeQueueSpec) {
				ask(t, q, one("1", key("App/a")))
				ask(t, q, one("2", key("App/b")))
				ask(t, q, one("3", key("App/b")))
				ask(t, q, Request{UID: "1", Keep: true, Idle: true, Group: "claims"})
				ask(t, q, Request{UID: "4", Wants: []v1alpha1.LockKey{key("App/a")}, Urgent: true})
				ask(t, q, Request{UID: "5", Wants: []v1alpha1.LockKey{key("App/b")}, Urgent: true})
			},
			held: []string{"2", "4"},
		},
		"Limit": {
			reason: "A group has no more than its limit at once, and others are not held up.",
			play: func(t *testing.T, q *v1alpha1.ChangeQueueSpec) {
				for i, c := range []string{"a", "b", "c"} {
					ask(t, q, Request{UID: fmt.Sprint(i), Wants: []v1alpha1.LockKey{key("App/" + c)}, Group: "claims", Limit: 2, Takes: time.Minute})
				}
				ask(t, q, Request{UID: "9", Wants: []v1alpha1.LockKey{key("App/z")}, Group: "other", Limit: 2})
			},
			held: []string{"0", "1", "9"},
		},
		"Renewed": {
			reason: "Another epoch for the same locks.",
			play: func(t *testing.T, q *v1alpha1.ChangeQueueSpec) {
				ask(t, q, one("1", key("App/a")))
				ask(t, q, Request{UID: "1", Wants: []v1alpha1.LockKey{key("App/a")}, Renew: 1, Group: "claims"})
				ask(t, q, Request{UID: "1", Wants: []v1alpha1.LockKey{key("App/a")}, Renew: 1, Group: "claims"})
			},
			held: []string{"1"}, who: "1", want: Place{Asked: true, Held: true, Epoch: 2, Wants: []v1alpha1.LockKey{key("App/a")}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			q := &v1alpha1.ChangeQueueSpec{}
			tc.play(t, q)
			var held []string
			for _, c := range q.Changes {
				if Look(*q, c.UID, now).Held {
					held = append(held, c.UID)
				}
			}
			slices.Sort(held)
			if diff := cmp.Diff(tc.held, held); diff != "" {
				t.Errorf("%s\nwho has locks: -want, +got:\n%s", tc.reason, diff)
			}
			if tc.who != "" {
				if diff := cmp.Diff(tc.want, Look(*q, tc.who, now)); diff != "" {
					t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
				}
			}
		})
	}
}

// TestFull says so, and gives nothing away.
func TestFull(t *testing.T) {
	q := v1alpha1.ChangeQueueSpec{}
	for i := range MaxChanges {
		q.Changes = append(q.Changes, v1alpha1.QueuedChange{UID: fmt.Sprint(i), Ticket: int64(i)})
	}
	if _, err := Ask(q, Request{UID: "late", Label: "!1"}, now); err == nil {
		t.Error("a table that is full must say so")
	}
}

// TestQueueProperties lets changes come, want, idle, hurry and leave in any order.
func TestQueueProperties(t *testing.T) {
	steps := 0
	for seed := range int64(100) {
		rnd := rand.New(rand.NewSource(seed))
		q := v1alpha1.ChangeQueueSpec{}
		for range 300 {
			steps++
			before := q.Epoch
			uid := fmt.Sprint(rnd.Intn(12))
			if rnd.Intn(4) == 0 {
				q = Leave(q, uid, now)
			} else {
				r := Request{UID: uid, Idle: rnd.Intn(3) == 0, Urgent: rnd.Intn(8) == 0, Keep: rnd.Intn(4) == 0, Group: "claims", Limit: int32(rnd.Intn(6)), Takes: time.Minute}
				for range rnd.Intn(4) {
					k := key("App/" + string(rune('a'+rnd.Intn(4))))
					if rnd.Intn(2) == 0 {
						k.Clusters = []string{fmt.Sprint(rnd.Intn(3))}
					}
					r.Wants = append(r.Wants, k)
				}
				ask(t, &q, r)
			}
			rules(t, q, before)
			// The same again changes nothing.
			if again := Leave(q, "nobody", now); !reflect.DeepEqual(q, again) {
				t.Fatalf("seed %d: a table that is settled must stay so: %s", seed, cmp.Diff(q, again))
			}
		}
		// Those that have what they want leave, until nobody is left.
		for range 200 {
			for _, c := range slices.Clone(q.Changes) {
				if len(c.Wants) == 0 || Look(q, c.UID, now).Held {
					q = Leave(q, c.UID, now)
				}
			}
		}
		if len(q.Changes) > 0 {
			t.Fatalf("seed %d: everybody must have their turn, and these wait: %+v", seed, q.Changes)
		}
	}
	t.Logf("%d steps", steps)
}

func rules(t *testing.T, q v1alpha1.ChangeQueueSpec, before int64) {
	t.Helper()
	if q.Epoch < before {
		t.Fatal("an epoch must not go back")
	}
	epochs := map[int64]bool{}
	for i, a := range q.Changes {
		if (a.Epoch > 0) != (len(a.Has) > 0) {
			t.Fatalf("an epoch is for locks: %+v", a)
		}
		if a.Epoch > 0 && epochs[a.Epoch] {
			t.Fatalf("epoch %d was given twice", a.Epoch)
		}
		epochs[a.Epoch] = true
		for _, b := range q.Changes[i+1:] {
			if Overlap(a.Has, b.Has) {
				t.Fatalf("two changes must not have the same: %+v %+v", a, b)
			}
		}
	}
}
