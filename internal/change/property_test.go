package change

import (
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
)

// TestProperties lets changes run through worlds in which everything goes wrong, then
// through the calm after. After every decision, and before everything that is done, the
// rules of the package must hold.
func TestProperties(t *testing.T) {
	const seeds, steps = 500, 300
	total := 0
	ends := map[v1alpha1.ChangePhase]int{}
	for seed := range int64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := newHistory(t, seed)
			for range steps {
				h.disturb()
				h.step()
				total++
			}
			h.calm()
			for _, e := range h.w.changes {
				ends[e.status.Phase]++
			}
		})
	}
	t.Logf("%d steps, %v", total, ends)
	if total < 100_000 && !t.Failed() {
		t.Errorf("want 100,000 steps, took %d", total)
	}
}

// A history of a world, and what must hold in it.
type history struct {
	t   *testing.T
	w   *world
	rnd *rand.Rand
	// late are decisions of executors that sleep.
	late []late
	// shown is when a plan of a head could first be read.
	log []string
}

type late struct {
	number int64
	d      Decision
}

var claimNames = []string{"fleet-a", "shop", "search", "pay"}

func newHistory(t *testing.T, seed int64) *history {
	h := &history{t: t, w: newWorld(), rnd: rand.New(rand.NewSource(seed))}
	for i, name := range claimNames {
		if i == 3 && h.rnd.Intn(2) == 0 {
			continue
		}
		h.w.live(name, "v0", int32(1+h.rnd.Intn(6)))
	}
	h.w.repo.Emergency = &v1alpha1.EmergencyPolicy{Count: 2, From: v1alpha1.People{Users: []string{"bob", "zoe"}}}
	if h.rnd.Intn(3) == 0 {
		h.w.repo.MaxExecuting = 1
	}
	if h.rnd.Intn(3) == 0 {
		h.w.repo.Delivery = v1alpha1.Delivery{Mode: v1alpha1.DeliverBranch, Branch: &v1alpha1.DeliveryBranch{Name: "deployed"}}
	}
	for i := range 2 + h.rnd.Intn(3) {
		h.w.propose(int64(41+i), h.someone(), h.files())
	}
	return h
}

func (h *history) someone() string { return []string{"ada", "bob", "zoe"}[h.rnd.Intn(3)] }

func (h *history) files() map[string]string {
	out := map[string]string{}
	if h.rnd.Intn(12) == 0 {
		return out // Of a page, and of no claim.
	}
	for range 1 + h.rnd.Intn(2) {
		content := fmt.Sprintf("v%d", 1+h.rnd.Intn(50))
		if h.rnd.Intn(10) == 0 {
			content = ""
		}
		out[claimNames[h.rnd.Intn(len(claimNames))]] = content
	}
	for f, c := range out {
		if c == h.w.main[f] {
			out[f] = c + "+"
		}
	}
	return out
}

func (h *history) note(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf("%s "+format, append([]any{h.w.now.Format("15:04:05")}, args...)...))
}

func (h *history) fail(format string, args ...any) {
	h.t.Helper()
	h.t.Fatalf(format+"\n%s", append(args, strings.Join(latest(h.log, 60), "\n"))...)
}

// disturb the world.
func (h *history) disturb() {
	w, rnd := h.w, h.rnd
	number := h.anyone()
	m := w.mrs[number]
	toggle := func(s *string, why string) {
		if *s == "" {
			*s = why
		} else {
			*s = ""
		}
	}
	name := claimNames[rnd.Intn(len(claimNames))]
	switch rnd.Intn(48) {
	case 0:
		if m.state == RequestOpen {
			h.note("push to !%d", number)
			w.push(m, h.files())
		}
	case 31:
		w.say(m, "bob", "/emergency all is down")
		w.say(m, "zoe", "/emergency all is down")
		h.note("an emergency of !%d", number)
	case 30:
		if m.state == RequestOpen {
			h.note("force-push of the same to !%d", number)
			w.push(m, m.files)
		}
	case 1:
		if m.state != RequestMerged {
			m.state, m.by = RequestClosed, h.someone()
			h.note("!%d closed", number)
		}
	case 2, 3:
		if m.state == RequestClosed {
			m.state = RequestOpen
			h.note("!%d reopened", number)
		}
	case 4:
		m.draft = !m.draft
	case 5:
		m.branchGone = !m.branchGone
	case 6:
		if m.state == RequestOpen && rnd.Intn(4) == 0 && len(w.git(m).Conflicts) == 0 {
			h.note("!%d merged by hand", number)
			w.mergeAs(m, "zoe")
		}
	case 7:
		if rnd.Intn(4) == 0 {
			w.main[name] += "x"
			h.note("main moved in %s", name)
		}
	case 8:
		w.main["elsewhere"] += "x"
	case 9:
		toggle(&w.forgeDown, "503")
	case 10:
		toggle(&w.gitDown, "timeout")
	case 11:
		toggle(&w.queueDown, "the API server is away")
		w.mergesAhead = rnd.Intn(2)
	case 12, 13:
		d := said(name, fmt.Sprintf("v%d", 1+rnd.Intn(50)))
		w.bad[d] = !w.bad[d]
	case 14:
		w.parked[name] = int32(rnd.Intn(2))
	case 15:
		if p := w.hub[name]; p != nil && p.exists {
			p.digest = said(name, "by hand")
			h.note("%s edited by hand", name)
		}
	case 16:
		w.now = w.now.Add(time.Duration(rnd.Intn(7200)-1800) * time.Second)
	case 17, 18, 19, 20, 21, 22:
		who := h.someone()
		if rnd.Intn(5) == 0 {
			who = m.author
		}
		w.approve(m, who)
		h.note("%s approves !%d", who, number)
	case 23:
		if len(m.reviews) > 0 {
			m.reviews[rnd.Intn(len(m.reviews))].Dismissed = true
		}
	case 24, 25, 26:
		verb := []string{"/halt", "/retry", "/resume", "/rollback", "/abandon", "/emergency now", "/approve-deletions "}[rnd.Intn(7)]
		if p := w.changes[number].status.Plan; p != nil && strings.HasPrefix(verb, "/approve") {
			verb += p.Token
		}
		who := h.someone()
		w.say(m, who, verb)
		if rnd.Intn(4) == 0 {
			m.comments[len(m.comments)-1].By.Writes = false
		}
		h.note("%s says %s to !%d", who, verb, number)
	case 27:
		if p := w.hub[name]; p != nil && p.exists {
			p.strangers = []string{"prod.stranger"}
		}
	case 28:
		w.noReturn[fmt.Sprintf("v%d", 1+rnd.Intn(50))] = "its data was migrated"
	case 29:
		w.blocked[fmt.Sprintf("v%d", 1+rnd.Intn(50))] = "a Secret is missing"
	}
}

func (h *history) anyone() int64 {
	all := sortedKeys(h.w.changes)
	return all[h.rnd.Intn(len(all))]
}

// step lets somebody decide and do, and everything else go on. Executors crash, sleep and
// do things twice.
func (h *history) step() {
	number := h.anyone()
	version := h.w.changes[number].version
	d := h.decide(number)
	if h.rnd.Intn(12) == 0 {
		h.note("!%d crashes before it persists", number)
		return
	}
	h.w.persist(number, version, d)
	if h.rnd.Intn(15) == 0 {
		// It sleeps now, and acts later.
		h.late = append(h.late, late{number, d})
		return
	}
	for _, a := range d.Do {
		if h.rnd.Intn(15) == 0 {
			h.note("!%d crashes before %s", number, a.Verb)
			break
		}
		h.carryOut(number, a, true)
		if h.rnd.Intn(20) == 0 {
			h.carryOut(number, a, true)
		}
	}
	if len(h.late) > 0 && h.rnd.Intn(6) == 0 {
		i := h.rnd.Intn(len(h.late))
		l := h.late[i]
		h.late = slices.Delete(h.late, i, i+1)
		for _, a := range l.d.Do {
			h.note("!%d wakes up and does %s", l.number, a.Verb)
			h.carryOut(l.number, a, false)
		}
	}
	if h.rnd.Intn(2) == 0 {
		h.pass()
	}
}

func (h *history) pass() {
	for _, name := range slices.Sorted(maps.Keys(h.w.hub)) {
		h.w.roll(name)
	}
	h.w.now = h.w.now.Add(time.Duration(h.rnd.Intn(60)) * time.Second)
}

// decide, and check what was decided.
func (h *history) decide(number int64) Decision {
	before := h.w.changes[number].status
	d := h.w.decide(number)
	if d.Status.Phase != before.Phase {
		h.note("!%d %s: %s", number, d.Status.Phase, d.Status.Message)
	}
	if h.rnd.Intn(20) == 0 {
		if err := Verify(d.Status.Audit, ""); err != nil {
			h.fail("the audit trail must verify: %v", err)
		}
	}
	if d.Status.Phase == v1alpha1.ChangeExecuting && before.Executed != d.Status.Plan.Digest && before.Phase != v1alpha1.ChangeHalted {
		h.agreed(number, d)
	}
	place := lock.Look(h.w.queue, fmt.Sprint(number), h.w.now)
	for _, a := range d.Do {
		if a.Writes() && (h.w.queueDown != "" || !place.Held || place.Epoch != a.Epoch) {
			h.fail("!%d decides to %s in epoch %d, and has %+v", number, a.Verb, a.Epoch, place)
		}
	}
	if len(d.Do) > 0 && !d.PersistFirst && d.Status.Phase != before.Phase {
		h.fail("a phase must be on record before anything is done in it")
	}
	return d
}

// agreed to by enough people other than the author, after they could read it.
func (h *history) agreed(number int64, d Decision) {
	p, m := d.Status.Plan, h.w.mrs[number]
	called := map[string]bool{}
	for _, w := range d.Status.Emergency {
		if w.Digest == p.Digest && w.HeadSHA == m.head {
			called[w.By] = true
		}
	}
	if len(called) >= 2 {
		return
	}
	who := map[string]bool{}
	for _, r := range m.reviews {
		seen := m.seen[p.Digest+m.head]
		if r.Approves && !r.Dismissed && r.HeadSHA == m.head && r.By.Name != m.author && !seen.IsZero() && !r.At.Before(seen.Truncate(time.Second)) {
			who[r.By.Name] = true
		}
	}
	need := 1
	if p.Risk == v1alpha1.RiskHigh || p.Irreversible != "" {
		need = 2
	}
	if len(who) < need {
		h.fail("!%d executes plan %s with approvals of %v, and needs %d", number, short(p.Digest), who, need)
	}
}

// carryOut an action, and check that it may be done. A fresh one has looked at the queue
// just before; one that slept has not.
func (h *history) carryOut(number int64, a Action, fresh bool) {
	w := h.w
	place := lock.Look(w.queue, fmt.Sprint(number), w.now)
	if a.Writes() && fresh && (!place.Held || place.Epoch != a.Epoch) {
		if place.Epoch > a.Epoch || !place.Held {
			// The live queue says so, and it is refused.
			h.note("!%d is refused %s: its epoch %d is over", number, a.Verb, a.Epoch)
			return
		}
		h.fail("!%d does %s in epoch %d, and has %d", number, a.Verb, a.Epoch, place.Epoch)
	}
	if a.Verb == DoMerge {
		h.mergeIsTrue(number, a, fresh)
		return
	}
	before := map[string]played{}
	for n, p := range w.hub {
		before[n] = *p
	}
	refused := w.carryOut(number, a)
	if a.Verb == DoApply {
		b := before[a.Claim.Name]
		if !refused && a.Epoch < b.granted {
			h.fail("!%d wrote %s in epoch %d after it was granted in %d", number, a.Claim, a.Epoch, b.granted)
		}
		h.note("!%d %s %s epoch %d refused %t", number, a.Verb, a.Claim.Name, a.Epoch, refused)
	}
}

// mergeIsTrue where the forge takes it: everything that is merged must be so.
func (h *history) mergeIsTrue(number int64, a Action, fresh bool) {
	w, m := h.w, h.w.mrs[number]
	was := m.state
	refused := w.carryOut(number, a)
	h.note("!%d merge refused %t", number, refused)
	if refused || was != RequestOpen {
		return
	}
	if m.head != a.Head {
		h.fail("!%d was merged at another head", number)
	}
	for _, f := range slices.Sorted(maps.Keys(m.files)) {
		p, want := w.hub[f], said(f, m.files[f])
		if p == nil || !p.exists {
			if want != "" {
				h.fail("!%d was merged, and %s does not exist", number, f)
			}
			continue
		}
		if p.granter != number {
			h.fail("!%d was merged, and %s is !%d's", number, f, p.granter)
		}
		if fresh && (p.digest != want || p.taken != want || p.phase != v1alpha1.RolloutCompleted || p.reached < w.sized(f)) {
			h.fail("!%d was merged, and %s is not verified: %+v", number, f, *p)
		}
	}
}

// calm lets everything be mended, and people say what it takes. Then every change must
// end, and leave nothing.
func (h *history) calm() {
	w := h.w
	w.forgeDown, w.gitDown, w.queueDown, w.mergesAhead = "", "", "", 0
	clear(w.bad)
	clear(w.parked)
	clear(w.blocked)
	h.late = nil
	for _, m := range w.mrs {
		m.draft, m.branchGone = false, false
	}
	for range 400 {
		over := true
		for _, number := range sortedKeys(w.changes) {
			h.help(number)
			version := w.changes[number].version
			d := h.decide(number)
			w.persist(number, version, d)
			for _, a := range d.Do {
				h.carryOut(number, a, true)
			}
			over = over && d.Done
		}
		if over {
			h.nothingIsLeft()
			return
		}
		h.pass()
		w.now = w.now.Add(time.Second)
	}
	for _, number := range sortedKeys(w.changes) {
		h.note("!%d %s: %s", number, w.changes[number].status.Phase, w.changes[number].status.Message)
	}
	h.fail("once all is calm every change must end")
}

// help a change as people would.
func (h *history) help(number int64) {
	w, m, s := h.w, h.w.mrs[number], h.w.changes[number].status
	for _, p := range w.hub {
		p.strangers = nil
	}
	switch s.Phase {
	case v1alpha1.ChangePlanned:
		if m.state != RequestOpen && m.state != RequestMerged || s.Plan == nil || s.Plan.Shown == nil {
			return
		}
		for _, who := range []string{"bob", "zoe", "cleo"} {
			counts := slices.ContainsFunc(s.Approvals, func(a v1alpha1.ChangeApproval) bool { return a.By == who && a.Counts })
			if !counts && who != m.author {
				w.approve(m, who)
			}
		}
		if s.Plan.Token != "" && s.Deletions == nil {
			w.say(m, "cleo", "/approve-deletions "+s.Plan.Token)
		}
	case v1alpha1.ChangeRefused:
		if m.state == RequestOpen {
			w.push(m, h.files())
		}
	case v1alpha1.ChangeHalted:
		if s.Halt == nil {
			return
		}
		switch s.Halt.Reason {
		case v1alpha1.HaltDiverged:
			w.push(m, h.files())
		case v1alpha1.HaltFailed, v1alpha1.HaltEdited:
			w.say(m, "cleo", "/retry")
		default:
			w.say(m, "cleo", "/resume")
		}
	}
}

// nothingIsLeft of any change: no lock, and a main that is true.
func (h *history) nothingIsLeft() {
	w := h.w
	if len(w.queue.Changes) > 0 {
		h.fail("locks leaked: %+v", w.queue.Changes)
	}
	last := map[string]int64{}
	for name, p := range w.hub {
		last[name] = p.granter
	}
	for number, e := range w.changes {
		m := w.mrs[number]
		if e.status.Phase != v1alpha1.ChangeCompleted || e.status.Merged.Untrue != "" {
			continue
		}
		for f, content := range m.files {
			if last[f] != number {
				continue
			}
			if p := w.hub[f]; p.exists != (content != "") || p.exists && p.taken != said(f, content) && p.digest != said(f, "by hand") {
				h.fail("!%d is completed, and %s is not so", number, f)
			}
		}
	}
}
