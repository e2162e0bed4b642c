// Package planner makes the plans of merge requests: from the commits of a mirror, by the hub's own
// functions, compared with what clusters are observed to run.
//
// Invariants: it answers whatever happens. What the author has to mend is a problem; what may pass
// by itself is one for later; neither comes with a plan. What cannot be read is never taken
// for nothing. The same commits on the same hub give the same plan. The only things that are written
// are Plan objects: they are named by what they say, so making one twice is making it once.
//
// Deliberately absent: whether a plan may be executed (internal/change), and what it says
// (internal/plan).
package planner

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	files "github.com/mainstay-dev/mainstay/internal/claims"
	"github.com/mainstay-dev/mainstay/internal/plan"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
	"github.com/mainstay-dev/mainstay/internal/plan/render"
	"github.com/mainstay-dev/mainstay/internal/tree"
	"github.com/mainstay-dev/mainstay/provider/controller/change/trees"
	"github.com/mainstay-dev/mainstay/provider/git"
	"github.com/mainstay-dev/mainstay/provider/planner/functions"
	"github.com/mainstay-dev/mainstay/provider/planner/hub"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

// maxProblem is how many bytes a problem has.
const maxProblem = 2000

// A Planner makes plans. It is safe for concurrent use.
type Planner struct {
	hub       client.Client
	live      client.Reader
	functions *functions.Pool
	trees     Viewer
	preflight Preflight
	now       func() time.Time
	log       logging.Logger
}

// A Viewer tells which claims two commits have, and which some files.
type Viewer interface {
	At(r *repo.Repo, spec v1alpha1.RepositoryParameters, namespace, base, head string) (trees.View, error)
	Files(r *repo.Repo, spec v1alpha1.RepositoryParameters, namespace string, of tree.Files) (files.Set, error)
}

// A Preflight looks at clusters for what a plan is going to put there.
type Preflight interface {
	// Planned is what it finds for the applications of a rendered side that the plan
	// touches, folded. What it could not look at in time is no finding.
	Planned(ctx context.Context, side plan.Side, touched []v1alpha1.ClaimReference) []v1alpha1.ChangeFinding
}

// A Config of a Planner.
type Config struct {
	// Hub whose clusters are looked at, and that keeps the plans. It may be cached. Live is
	// not.
	Hub  client.Client
	Live client.Reader
	// Functions that render.
	Functions *functions.Pool
	// Trees of merge requests.
	Trees Viewer
	// Preflight of what is planned. Nil: what depends on clusters is found by the Rollouts, before
	// they begin.
	Preflight Preflight
	Now       func() time.Time
	Log       logging.Logger
}

// New returns a Planner.
func New(c Config) *Planner {
	return &Planner{hub: c.Hub, live: c.Live, functions: c.Functions, trees: c.Trees, preflight: c.Preflight, now: c.Now, log: c.Log}
}

// An Input is whose plan is made.
type Input struct {
	Change     *v1alpha1.Change
	Repository *v1alpha1.Repository
	Repo       *repo.Repo
}

// A problem is an error that the author has to mend. Every other one may pass.
type problem struct{ message string }

func (p problem) Error() string { return p.message }

func problemf(format string, args ...any) error { return problem{fmt.Sprintf(format, args...)} }

// Plan what is asked for, and keep the plan on the hub. What is wrong is in the answer.
func (p *Planner) Plan(ctx context.Context, in Input, req change.PlanRequest) (out change.Planned) {
	log := p.log.WithValues("change", client.ObjectKeyFromObject(in.Change), "head", req.Head, "base", req.Base)
	began := p.now()
	defer func() {
		if r := recover(); r != nil {
			// One odd merge request must not keep all others from being planned.
			log.Info("Planning crashed", "reason", r, "stack", string(debug.Stack()))
			out = change.Planned{For: req, Problem: "planning this crashed: that is a fault of Mainstay, and its log says more. Another push is tried again"}
		}
	}()
	out, err := p.plan(ctx, in, req)
	out.For = req
	if err == nil {
		log.Debug("Planned", "digest", out.Plan.Digest, "summary", out.Plan.Summary, "took", p.now().Sub(began))
		return out
	}
	_, mend := errors.AsType[problem](err)
	log.Debug("Cannot plan", "error", err, "later", !mend)
	return change.Planned{For: req, Problem: cut(err.Error()), Later: !mend}
}

func (p *Planner) plan(ctx context.Context, in Input, req change.PlanRequest) (change.Planned, error) {
	s, err := p.sides(ctx, in, req)
	if err != nil {
		return change.Planned{}, err
	}
	before, after, err := plan.Narrow(s.before, s.after, req.Carry)
	if err != nil {
		return change.Planned{}, problem{err.Error()}
	}
	observed, statuses, err := hub.Look(ctx, p.hub, before, after)
	if err != nil {
		return change.Planned{}, err
	}
	session := p.functions.Open()
	if err := composed(ctx, session, s); err != nil {
		return change.Planned{}, err
	}
	around := render.Input{Complete: true, Statuses: statuses, Clusters: observed.Clusters, Hub: hub.Find(ctx, p.hub)}
	pipeline := render.New(session.Functions())
	around.Claims = before
	was, err := pipeline.Render(ctx, around)
	if err != nil {
		return change.Planned{}, err
	}
	around.Claims = after
	is, err := pipeline.Render(ctx, around)
	if err != nil {
		return change.Planned{}, err
	}
	if p.preflight != nil {
		observed.Findings = p.preflight.Planned(ctx, is, s.touched)
	}
	observed.Findings = append(observed.Findings, s.found...)
	made, err := plan.Build(was, is, observed, plan.Options{
		Source: plan.Source{Title: in.Change.Status.AtProvider.Request.Title, Head: req.Head, Base: req.Base, Rendered: session.Note()},
		Carry:  req.Carry, Broken: s.broken, Now: p.now(),
	})
	if err != nil {
		return change.Planned{}, problem{err.Error()}
	}
	out := s.planned(made, in.Change.GetName(), p.now())
	if err := p.deliverable(in, s, out.Claims); err != nil {
		return change.Planned{}, err
	}
	if err := p.keep(ctx, in.Change, made); err != nil {
		return change.Planned{}, err
	}
	return out, nil
}

// planned is what a Change keeps of a plan.
func (s *sides) planned(made plan.Plan, name string, now time.Time) change.Planned {
	r := made.Record(name)
	r.Plan.Expires = &metav1.Time{Time: now.Add(time.Duration(made.Validity.Seconds) * time.Second)}
	for i := range r.Claims {
		if c := &r.Claims[i]; slices.Contains(s.strays, c.ClaimReference) {
			// The base does not have it, whatever is on the hub: to go back is to delete it.
			c.Before = ""
		}
	}
	return change.Planned{Plan: r.Plan, Claims: r.Claims, Findings: r.Findings}
}

// composed refuses claims that choose a Composition of their own: plans are of the one that a kind
// has.
func composed(ctx context.Context, session *functions.Session, s *sides) error {
	for _, c := range s.after.Claims {
		if !slices.Contains(s.touched, c.ClaimReference) {
			continue
		}
		for _, f := range []string{"compositionRef", "compositionSelector", "compositionRevisionRef", "compositionRevisionSelector"} {
			v, ok := c.Spec[f]
			if !ok {
				continue
			}
			if m, _ := v.(map[string]any); f == "compositionRef" {
				of, err := session.Composition(ctx, "X"+c.Kind)
				if err != nil {
					return err
				}
				if of == m["name"] {
					continue
				}
			}
			return problemf("%s: spec.%s: a claim that chooses how it is composed cannot be planned: leave it out", c, f)
		}
	}
	return nil
}

// Page is a plan as it stands in a merge request, in Markdown.
func (p *Planner) Page(ctx context.Context, in Input, name string) (string, error) {
	o := &v1alpha1.Plan{}
	if err := p.live.Get(ctx, client.ObjectKey{Namespace: in.Change.GetNamespace(), Name: name}, o); err != nil {
		return "", fmt.Errorf("cannot get Plan %q: %w", name, err)
	}
	made, err := plan.Open(o)
	if err != nil {
		return "", err
	}
	return made.Page(), nil
}

// read error of a mirror: the author mends what is in the repository, and all else may pass.
func readError(err error) error {
	switch git.ReasonOf(err) {
	case git.TooLarge, git.Refused:
		return problem{err.Error()}
	}
	return fmt.Errorf("cannot read the commits: %w", err)
}

// cut a message at its bound, at the end of a line where there is one.
func cut(s string) string {
	if len(s) <= maxProblem {
		return s
	}
	s = strings.ToValidUTF8(s[:maxProblem-len("\n…")], "")
	if i := strings.LastIndexByte(s, '\n'); i > maxProblem/2 {
		s = s[:i]
	}
	return s + "\n…"
}

// sorted claims, each once.
func sorted(refs []v1alpha1.ClaimReference) []v1alpha1.ClaimReference {
	slices.SortFunc(refs, claims.Compare)
	return slices.Compact(refs)
}
