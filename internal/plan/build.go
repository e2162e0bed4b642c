package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
)

const (
	// MaxClaims is how many claims one change may touch.
	MaxClaims = 200
	// validity of a plan, in seconds: clusters change.
	validity = 24 * 60 * 60
)

// Steps in which claims are written: clusters come before what runs on them, and go after.
const (
	stepFleets = iota + 1
	stepApplications
	stepGone
)

// Build the plan that leads from one side to the other. It fails where that is too much for
// one change. A claim of which nothing can be made does not fail it: it blocks the plan, and
// is in it.
func Build(before, after Side, o Observed, options Options) (Plan, error) {
	b := &builder{observed: o, options: options, before: index(before), after: index(after), inventory: map[v1alpha1.ClusterReference]*v1alpha1.Cluster{}, clusters: newClusters()}
	b.defaults()
	b.know()
	touched := b.touched()
	if n := len(touched); n > MaxClaims {
		return Plan{}, tooMany(n)
	}
	for _, ref := range touched {
		b.claim(ref)
	}
	for _, problem := range after.Problems {
		b.findings = append(b.findings, v1alpha1.ChangeFinding{Cause: "Definition", Blocking: true, Message: clean(problem)})
	}
	return b.finish()
}

// A builder makes a plan.
type builder struct {
	observed Observed
	options  Options

	before, after map[v1alpha1.ClaimReference]*Rendered
	// inventory of clusters that are, or are going to be.
	inventory map[v1alpha1.ClusterReference]*v1alpha1.Cluster
	clusters  *clusters
	// releases that there are, by namespace and application.
	releases map[string][]*v1alpha1.Release

	claims  []*draft
	details map[string][]template
	// nodes before and after, of all fleets that are touched.
	nodesBefore, nodesAfter int
	unknown                 int
	findings                []v1alpha1.ChangeFinding
}

// A draft is a claim of a plan, with its clusters by reference.
type draft struct {
	Claim

	clusters set
	removes  set
	waves    []set
	actions  []*work
	// deletions that the strategy allows.
	budget string
	over   bool
	// wavesAsked is true where somebody cut the clusters into waves.
	wavesAsked bool
}

// Work is an action, with its clusters by reference.
type work struct {
	Action

	clusters set
}

func index(s Side) map[v1alpha1.ClaimReference]*Rendered {
	out := make(map[v1alpha1.ClaimReference]*Rendered, len(s.Claims))
	for i := range s.Claims {
		out[s.Claims[i].ClaimReference] = &s.Claims[i]
	}
	return out
}

func (b *builder) defaults() {
	l := &b.options.Limits
	l.Shrink, l.Share = cmp.Or(l.Shrink, 10), cmp.Or(l.Share, 25)
	b.details, b.releases = map[string][]template{}, map[string][]*v1alpha1.Release{}
	for i := range b.observed.Releases {
		r := &b.observed.Releases[i]
		key := r.GetNamespace() + "/" + r.Spec.ForProvider.Application
		b.releases[key] = append(b.releases[key], r)
	}
}

// know the clusters that there are.
func (b *builder) know() {
	add := func(list []v1alpha1.Cluster) {
		for i := range list {
			b.inventory[referenceTo(&list[i])] = &list[i]
		}
	}
	for _, side := range []map[v1alpha1.ClaimReference]*Rendered{b.before, b.after} {
		for _, r := range side {
			add(r.Clusters)
		}
	}
	add(b.observed.Clusters)
	for ref, c := range b.inventory {
		b.clusters.label(ref, c.Spec.ForProvider.Fleet+"."+c.Spec.ForProvider.Name)
	}
	for _, side := range []map[v1alpha1.ClaimReference]*Rendered{b.before, b.after} {
		for _, r := range side {
			for _, t := range r.Targets {
				b.clusters.label(t.Cluster, t.Label())
			}
		}
	}
	for i := range b.observed.Releases {
		c := b.observed.Releases[i].Spec.ForProvider.ClusterRef
		b.clusters.label(c, c.Name)
	}
}

func referenceTo(c *v1alpha1.Cluster) v1alpha1.ClusterReference {
	return v1alpha1.ClusterReference{Namespace: c.GetNamespace(), Name: c.GetName()}
}

// touched claims: those that say something else, and those of which something else is made.
func (b *builder) touched() []v1alpha1.ClaimReference {
	var out []v1alpha1.ClaimReference
	for ref, is := range b.after {
		if was := b.before[ref]; was == nil || was.Digest != is.Digest || !alike(was, is) || slices.Contains(b.options.Carry, ref) {
			out = append(out, ref)
		}
	}
	for ref := range b.before {
		if b.after[ref] == nil {
			out = append(out, ref)
		}
	}
	for _, ref := range b.options.Carry {
		// What was written for an earlier head, and is nowhere any more.
		if b.after[ref] == nil && b.before[ref] == nil {
			out = append(out, ref)
		}
	}
	slices.SortFunc(out, claims.Compare)
	return slices.Compact(out)
}

// alike is true where the same is made of a claim on both sides.
func alike(a, b *Rendered) bool {
	if a == b {
		return true
	}
	if a.Problem != b.Problem || a.Blocked != b.Blocked || len(a.Targets) != len(b.Targets) || len(a.Clusters) != len(b.Clusters) {
		return false
	}
	if a.Kind == fleetKind {
		return true // The same fleet makes the same clusters.
	}
	wants, has := wanted(a), wanted(b)
	for ref, w := range wants {
		if has[ref] != w {
			return false
		}
	}
	return len(wants) == len(has)
}

const fleetKind = "ClusterFleet"

// claim of the plan.
func (b *builder) claim(ref v1alpha1.ClaimReference) {
	was, is := b.before[ref], b.after[ref]
	d := &draft{clusters: set{}, removes: set{}}
	d.ClaimReference = ref
	d.Verb, d.Reverse = Update, Reverse{Class: Auto, Verb: Update}
	switch {
	case was == nil && is == nil:
		d.Verb = Noop
	case was == nil:
		d.Verb, d.Reverse = Create, Reverse{Class: Auto, Verb: Delete}
	case is == nil:
		d.Verb, d.Reverse = Delete, Reverse{Class: Auto, Verb: Create}
	case was.Digest == is.Digest:
		d.Verb = Noop
	}
	if was != nil {
		d.Before, d.File = was.Digest, was.File
	}
	if is != nil {
		d.After, d.File = is.Digest, is.File
		d.Problem = clean(cmp.Or(is.Problem, is.Blocked))
		d.Unknown = is.Unknown
	}
	d.Carried = slices.Contains(b.options.Carry, ref)
	if why := b.options.Broken[ref]; why != "" && (d.Verb != Noop || d.Carried) {
		d.Reverse = Reverse{Class: Irreversible, Why: why}
	}
	d.Step = stepApplications
	if ref.Kind == fleetKind {
		d.Step = stepFleets
		if is == nil {
			d.Step = stepGone
		}
	}
	b.moved(d)
	b.claims = append(b.claims, d)
	if is != nil && is.Problem != "" {
		b.finding(ref, "Refused", "cannot be rendered: "+d.Problem)
		return
	}
	if ref.Kind == fleetKind {
		b.fleet(d, was, is)
		return
	}
	if is != nil && is.Blocked != "" {
		b.finding(ref, "Placement", "cannot be placed: "+d.Problem)
		return
	}
	b.application(d, was, is)
}

// moved notes that a claim comes from another namespace: it is taken away there.
func (b *builder) moved(d *draft) {
	if d.Verb != Create {
		return
	}
	var from []string
	for ref := range b.before {
		if ref.Kind == d.Kind && ref.Name == d.Name && ref.Namespace != d.Namespace && b.after[ref] == nil {
			from = append(from, ref.Namespace)
		}
	}
	if len(from) == 1 {
		d.From = from[0]
	}
}

// finding that blocks the plan.
func (b *builder) finding(ref v1alpha1.ClaimReference, cause, message string) {
	b.findings = append(b.findings, v1alpha1.ChangeFinding{
		Cause: cause, Blocking: true, Claim: ref.String(), Message: message,
	})
}

// work to do on clusters, for a template.
func (d *draft) work(t template, on set) {
	key := t.key()
	if i := slices.IndexFunc(d.actions, func(w *work) bool { return w.ID == key }); i >= 0 {
		d.actions[i].clusters.join(on)
		return
	}
	w := &work{Action: t.action(), clusters: set{}}
	w.ID = key
	w.clusters.join(on)
	d.actions = append(d.actions, w)
}

// finish the plan: fold it, judge it, and seal it.
func (b *builder) finish() (Plan, error) {
	p := Plan{Schema: Schema, Source: b.options.Source, Findings: b.findings, Validity: Validity{Seconds: validity, Until: []string{
		"the head moves", "the base moves in one of these claims", "a cluster joins, leaves, or runs something else",
	}}}
	p.Source.Observed = b.observed.Known
	for _, f := range b.observed.Findings {
		// What contradicts itself does so on clusters as well.
		if alikeIn(p.Findings, f) < 0 {
			p.Findings = append(p.Findings, f)
		}
	}
	slices.SortStableFunc(b.claims, func(x, y *draft) int {
		return cmp.Or(cmp.Compare(x.Step, y.Step), claims.Compare(x.ClaimReference, y.ClaimReference))
	})
	b.fold(&p)
	b.lock(&p)
	b.sum(&p)
	b.guard(&p)
	b.judge(&p)
	p.Blocked = blocked(p)
	p.Summary = summary(p)
	return seal(p)
}

// lock what the plan touches.
func (b *builder) lock(p *Plan) {
	targets := make([]lock.Target, 0, len(b.claims))
	for _, d := range b.claims {
		t := lock.Target{Claim: d.ClaimReference}
		// A claim whose clusters are not all known is locked on all of them.
		if d.Problem == "" && !d.Unknown {
			for ref := range d.clusters {
				t.Clusters = append(t.Clusters, b.clusters.labels[ref])
			}
		}
		targets = append(targets, t)
	}
	p.Locks = lock.Keys(targets)
}

// blocked says why a plan must not be executed.
func blocked(p Plan) string {
	for _, f := range p.Findings {
		if f.Blocking {
			return cut(strings.TrimPrefix(f.Claim+": "+f.Message, ": "), 512)
		}
	}
	for _, g := range p.Guards {
		if !g.Passed && !g.Token {
			return g.Message
		}
	}
	return ""
}

// content of a Bundle that a cluster has, and whether it is known.
func (b *builder) content(namespace, name string, sides ...*Rendered) (bundle.Content, bool) {
	for _, s := range sides {
		if s == nil {
			continue
		}
		if c, ok := s.Contents[name]; ok {
			return c, true
		}
	}
	c, ok := b.observed.Contents[namespace+"/"+name]
	return c, ok
}
