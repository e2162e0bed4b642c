package change

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
)

// A world plays a forge, Git, a queue, and a hub with Rollouts.
type world struct {
	now, forge time.Time
	repo       v1alpha1.RepositoryParameters
	main       map[string]string
	commits    int
	mrs        map[int64]*mr
	changes    map[int64]*executor
	hub        map[string]*played
	queue      v1alpha1.ChangeQueueSpec

	forgeDown, gitDown, queueDown string
	// mergesAhead of each, as it is told.
	mergesAhead int
	// bad contents break what they touch. lasting are plans that cannot be taken back.
	bad      map[string]bool
	noReturn map[string]string
	blocked  map[string]string
	// clusters of a claim, and how many of them cannot be reached.
	clusters map[string]int32
	parked   map[string]int32
	takes    time.Duration
	// unprotected lets everybody merge everything.
	ids int64
}

// An mr is a merge request.
type mr struct {
	number     int64
	title      string
	author     string
	files      map[string]string
	from       map[string]string
	head       string
	state      RequestState
	by         string
	mergeSHA   string
	merged     string
	before     map[string]string
	draft      bool
	branchGone bool
	reviews    []Review
	comments   []Comment
	statuses   map[string]map[string]Status
	shown      Shown
	// seen is when the comment showed a digest of a head first.
	seen    map[string]time.Time
	refused string
}

// An executor has a Change and its status.
type executor struct {
	spec    Spec
	status  v1alpha1.ChangeObservation
	version int
	planned *Planned
	done    bool
}

// A played claim on the hub.
type played struct {
	exists  bool
	digest  string
	owner   int64
	epoch   int64
	granter int64
	granted int64
	sealed  bool

	taken                   string
	phase                   v1alpha1.RolloutPhase
	reached, moving, failed int32
	paused, allowed         bool
	retried, retry          int64
	strangers               []string
	leaving                 bool
}

func newWorld() *world {
	return &world{
		now:     time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		repo:    v1alpha1.RepositoryParameters{Forge: v1alpha1.ForgeGitea, BaseBranch: "main", MaxExecuting: 100, Merge: v1alpha1.MergePolicy{Method: v1alpha1.MergeCommit}},
		main:    map[string]string{},
		mrs:     map[int64]*mr{},
		changes: map[int64]*executor{},
		hub:     map[string]*played{},
		bad:     map[string]bool{}, noReturn: map[string]string{}, blocked: map[string]string{},
		clusters: map[string]int32{}, parked: map[string]int32{},
		takes: 10 * time.Minute,
	}
}

func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

func (w *world) commit() string { w.commits++; return hash("commit", fmt.Sprint(w.commits))[:40] }

// clock of the forge. It does not go back, whatever ours does.
func (w *world) clock() time.Time {
	if w.forge.Before(w.now) {
		w.forge = w.now
	}
	return w.forge
}

func (w *world) id() int64 { w.ids++; return w.ids }

func claimRef(name string) v1alpha1.ClaimReference {
	kind := "ProductApplication"
	if strings.HasPrefix(name, "fleet") {
		kind = "ClusterFleet"
	}
	return v1alpha1.ClaimReference{APIVersion: "mainstay.dev/v1alpha1", Kind: kind, Namespace: "shop", Name: name}
}

// said is the digest of what a claim says. Nothing has none.
func said(name, content string) string {
	if content == "" {
		return ""
	}
	return hash(name, content)
}

// live claim, as if it had been executed long ago.
func (w *world) live(name, content string, clusters int32) {
	w.main[name] = content
	w.clusters[name] = clusters
	w.hub[name] = &played{exists: true, digest: said(name, content), taken: said(name, content), phase: v1alpha1.RolloutCompleted, reached: clusters, sealed: true}
}

func (w *world) sized(name string) int32 {
	if n, ok := w.clusters[name]; ok {
		return n
	}
	return 3
}

// propose a merge request.
func (w *world) propose(number int64, author string, files map[string]string) *mr {
	m := &mr{number: number, title: fmt.Sprintf("Change %s", strings.Join(slices.Sorted(maps.Keys(files)), ", ")), author: author, state: RequestOpen, statuses: map[string]map[string]Status{}, seen: map[string]time.Time{}}
	w.mrs[number] = m
	w.push(m, files)
	e := &executor{}
	e.spec.RepositoryRef.Name, e.spec.Number = "claims", number
	w.changes[number] = e
	return m
}

// push files onto the main branch of now.
func (w *world) push(m *mr, files map[string]string) {
	m.files, m.from, m.head = files, map[string]string{}, w.commit()
	for f := range files {
		m.from[f] = w.main[f]
	}
	m.statuses[m.head] = map[string]Status{}
}

func (w *world) approve(m *mr, by string) {
	m.reviews = append(m.reviews, Review{ID: fmt.Sprint(w.id()), By: Person{Name: by, Writes: true}, HeadSHA: m.head, At: w.clock(), Approves: true})
}

func (w *world) say(m *mr, by, body string) {
	m.comments = append(m.comments, Comment{ID: w.id(), By: Person{Name: by, Writes: true}, At: w.clock(), Body: body})
}

// git is what the mirror has.
func (w *world) git(m *mr) Git {
	if w.gitDown != "" {
		return Git{Problem: w.gitDown}
	}
	g := Git{Head: m.head, Base: hash("main", fmt.Sprint(w.main)), MergeBase: hash("from", fmt.Sprint(m.from)), Content: hash(fmt.Sprint(m.files)), Merged: m.merged}
	tree := maps.Clone(w.main)
	maps.Copy(tree, m.files)
	g.Tree = hash("tree", fmt.Sprint(tree))
	if m.state != RequestMerged {
		for _, f := range slices.Sorted(maps.Keys(m.files)) {
			if w.main[f] != m.from[f] && w.main[f] != m.files[f] {
				g.Conflicts = append(g.Conflicts, f+".yaml")
			}
		}
	}
	return g
}

// plan as the planner would, from what is on the hub.
func (w *world) plan(number int64, r PlanRequest) *Planned {
	m := w.mrs[number]
	base := w.main
	if m.state == RequestMerged {
		base = m.before
	}
	wanted := maps.Clone(m.files)
	for _, c := range r.Carry {
		if _, ok := wanted[c.Name]; !ok {
			wanted[c.Name] = base[c.Name]
		}
	}
	p := &Planned{For: r}
	parts := []string{}
	risk := v1alpha1.RiskLow
	for _, f := range slices.Sorted(maps.Keys(wanted)) {
		c := v1alpha1.ChangeClaim{ClaimReference: claimRef(f), Digest: said(f, wanted[f]), Before: said(f, base[f]), Clusters: w.sized(f), Irreversible: w.noReturn[wanted[f]]}
		if c.Kind != "ClusterFleet" {
			c.Step = 1
		}
		if c.Irreversible != "" {
			p.Plan.Irreversible = c.Irreversible
		}
		if b := w.blocked[wanted[f]]; b != "" {
			p.Plan.Blocked = b
			p.Findings = append(p.Findings, v1alpha1.ChangeFinding{Cause: "B2", Blocking: true, Claim: c.String(), Clusters: c.Clusters, Message: b})
		}
		if c.Digest == "" && c.Before != "" {
			c.Removes, risk = c.Clusters, v1alpha1.RiskHigh
			p.Plan.Actions.Delete += 2 * c.Clusters
		} else {
			p.Plan.Actions.Update += 2 * c.Clusters
		}
		at := ""
		if o := w.hub[f]; o != nil && o.exists {
			at = o.digest
		}
		parts = append(parts, f, c.Digest, at)
		p.Plan.Clusters += c.Clusters
		p.Claims = append(p.Claims, c)
		p.Plan.Locks = append(p.Plan.Locks, v1alpha1.LockKey{Namespace: c.Namespace, Claim: c.Kind + "/" + c.Name})
	}
	p.Plan.Digest = hash(parts...)
	p.Plan.Name = fmt.Sprintf("claims-%d-%s", number, short(p.Plan.Digest))
	p.Plan.Risk, p.Plan.Waves = risk, 2
	p.Plan.Summary = count(len(p.Claims), "claim") + ", " + count(p.Plan.Clusters, "cluster")
	p.Plan.Takes = &metav1.Duration{Duration: w.takes}
	return p
}

// observe what Next decides from.
func (w *world) observe(number int64) (Spec, Observed) {
	e, m := w.changes[number], w.mrs[number]
	spec := e.spec
	spec.Repository = w.repo
	o := Observed{Status: *e.status.DeepCopy(), ForgeProblem: w.forgeDown, Self: "mainstay-bot", Git: w.git(m), QueueProblem: w.queueDown, Planned: e.planned, MergesAhead: w.mergesAhead, Claims: map[v1alpha1.ClaimReference]Claim{}}
	if w.forgeDown == "" {
		o.Request = &Request{
			Title: m.title, Author: m.author, URL: fmt.Sprintf("https://git.example.org/ops/claims/pulls/%d", number), State: m.state, By: m.by, HeadSHA: m.head, BaseRef: "main",
			MergeSHA: m.mergeSHA, Draft: m.draft, BranchGone: m.branchGone, Reviews: slices.Clone(m.reviews), Statuses: maps.Clone(m.statuses[m.head]),
		}
		o.Shown, o.Comments, o.MergeRefused = m.shown, slices.Clone(m.comments), m.refused
	}
	if w.queueDown == "" {
		o.Place = lock.Look(w.queue, fmt.Sprint(number), w.now)
	}
	for name, p := range w.hub {
		o.Claims[claimRef(name)] = w.claim(number, name, p)
	}
	for _, c := range e.status.Claims {
		if _, ok := o.Claims[c.ClaimReference]; !ok {
			o.Claims[c.ClaimReference] = Claim{Sealed: true}
		}
	}
	return spec, o
}

func (w *world) claim(number int64, name string, p *played) Claim {
	c := Claim{Granted: p.granted, GrantedUs: p.granter == number, Exists: p.exists, Digest: p.digest, Epoch: p.epoch, Ours: p.owner == number, Sealed: p.sealed || p.granter != number, Strangers: p.strangers}
	if !p.exists {
		return c
	}
	c.TakenIn, c.Phase, c.Paused, c.Allowed, c.Retried = p.taken == p.digest, p.phase, p.paused, p.allowed, p.retried
	c.Clusters, c.Reached, c.InMotion, c.Failed = w.sized(name), p.reached, p.moving, p.failed
	c.Owed = min(w.parked[name], c.Clusters-p.reached)
	if p.leaving {
		c.Removes = c.Clusters
	}
	if p.phase == v1alpha1.RolloutHalted {
		c.Message = "halted: " + count(p.failed, "cluster") + " failed: CrashLoopBackOff"
	}
	return c
}

// roll lets the Rollout of a claim take one turn.
func (w *world) roll(name string) {
	p := w.hub[name]
	if p == nil || !p.exists {
		return
	}
	if p.leaving {
		if p.reached, p.moving = max(0, p.reached-2), 0; p.reached == 0 {
			*p = played{granter: p.granter, granted: p.granted, sealed: p.sealed, owner: p.owner, epoch: p.epoch}
		}
		return
	}
	if p.taken != p.digest {
		p.taken, p.reached, p.moving, p.failed, p.phase, p.allowed, p.strangers = p.digest, 0, 0, 0, v1alpha1.RolloutProgressing, false, nil
		return
	}
	can := w.sized(name) - w.parked[name]
	if p.retry > p.retried {
		p.retried, p.failed = p.retry, 0
		if p.phase == v1alpha1.RolloutHalted {
			p.phase = v1alpha1.RolloutProgressing
		}
	}
	if p.moving > 0 {
		if w.bad[p.taken] {
			p.failed, p.phase = p.moving, v1alpha1.RolloutHalted
		} else {
			p.reached += p.moving
		}
		p.moving = 0
	}
	if p.phase == v1alpha1.RolloutHalted {
		return
	}
	switch {
	case p.reached >= can:
		p.phase = v1alpha1.RolloutCompleted
	case p.paused:
		p.phase = v1alpha1.RolloutPaused
	default:
		p.phase = v1alpha1.RolloutProgressing
		p.moving = min(can-p.reached, 1+p.reached)
	}
}

// decide, and answer what is asked, until nothing more is.
func (w *world) decide(number int64) Decision {
	e := w.changes[number]
	var d Decision
	for range 5 {
		spec, o := w.observe(number)
		d = Next(spec, o, w.now)
		if d.Plan == nil {
			break
		}
		e.planned = w.plan(number, *d.Plan)
	}
	e.planned = nil
	return d
}

// persist a status, unless another was meanwhile.
func (w *world) persist(number int64, version int, d Decision) bool {
	e := w.changes[number]
	if e.version != version {
		return false
	}
	e.status, e.version, e.done = *d.Status.DeepCopy(), e.version+1, d.Done
	return true
}

// turn decides, persists and does.
func (w *world) turn(number int64) Decision {
	version := w.changes[number].version
	d := w.decide(number)
	w.persist(number, version, d)
	for _, a := range d.Do {
		w.carryOut(number, a)
	}
	return d
}

// carryOut an action, as the controllers, the API server and the forge would. It returns
// whether it was refused.
func (w *world) carryOut(number int64, a Action) (refused bool) {
	m := w.mrs[number]
	if w.forgeDown != "" && slices.Contains([]Verb{DoStatus, DoComment, DoMerge, DoClose}, a.Verb) {
		return true
	}
	switch a.Verb {
	case DoStatus:
		m.statuses[a.Head][a.Context] = a.Status
	case DoComment:
		m.shown = Shown{Head: a.Head, Digest: a.Digest, Progress: Fingerprint(a.Progress), At: w.clock()}
		if key := a.Digest + a.Head; m.seen[key].IsZero() {
			m.seen[key] = w.clock()
		}
	case DoLock:
		r := *a.Lock
		r.UID, r.Change, r.Label = fmt.Sprint(number), fmt.Sprintf("shop/claims-%d", number), fmt.Sprintf("!%d", number)
		if q, err := lock.Ask(w.queue, r, w.now); err == nil {
			w.queue = q
		}
	case DoUnlock:
		w.queue = lock.Leave(w.queue, fmt.Sprint(number), w.now)
	case DoApply:
		return w.write(number, a, a.Claim.Name, a.Digest)
	case DoBranch:
		for _, c := range a.Claims {
			refused = w.write(number, a, c.Name, c.Digest) || refused
		}
		return refused
	case DoSeal, DoPause, DoUnpause, DoRetry, DoAllow:
		return w.tellRollout(number, a)
	case DoMerge:
		return w.mergeNow(m, a)
	case DoClose:
		if m.state == RequestOpen {
			m.state, m.by = RequestClosed, "mainstay-bot"
		}
	}
	return false
}

// write a claim behind its grant.
func (w *world) write(number int64, a Action, name, digest string) (refused bool) {
	p := w.hub[name]
	if p == nil {
		p = &played{}
		w.hub[name] = p
	}
	if a.Epoch < p.granted || a.Epoch == p.granted && p.granter != number {
		return true
	}
	p.granted, p.granter, p.sealed = a.Epoch, number, false
	p.owner, p.epoch = number, a.Epoch
	if digest == "" {
		p.leaving = p.exists
		return false
	}
	p.exists, p.leaving, p.digest = true, false, digest
	return false
}

func (w *world) tellRollout(number int64, a Action) (refused bool) {
	p := w.hub[a.Claim.Name]
	if p == nil || a.Epoch < p.granted || p.granter != number && a.Epoch == p.granted {
		return true
	}
	switch a.Verb {
	case DoSeal:
		p.sealed = true
	case DoPause:
		p.paused = true
	case DoUnpause:
		p.paused = false
	case DoRetry:
		p.retry = max(p.retry, a.Count)
	case DoAllow:
		p.allowed = true
	}
	return false
}

// mergeNow by compare-and-swap on the head, where the forge asks for green statuses.
func (w *world) mergeNow(m *mr, a Action) (refused bool) {
	if m.refused != "" || m.state != RequestOpen || m.head != a.Head || m.branchGone || len(w.git(m).Conflicts) > 0 || m.statuses[m.head][ContextExecute].State != StatusSuccess {
		return true
	}
	w.mergeAs(m, "mainstay-bot")
	return false
}

func (w *world) mergeAs(m *mr, by string) {
	m.before = maps.Clone(w.main)
	maps.Copy(w.main, m.files)
	m.state, m.by, m.mergeSHA, m.merged = RequestMerged, by, w.commit(), hash(fmt.Sprint(m.files))
}
