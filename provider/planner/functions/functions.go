// Package functions reaches the functions that a hub's Compositions are made of, as Crossplane
// reaches them, so that plans are rendered by what is going to compose.
//
// Which Composition a kind has, its newest revision, the steps of that, the active revision of
// each step's Function, its endpoint and the certificate to show there are all read from the
// hub, anew for each plan. Connections are kept.
//
// Invariants: a function that cannot be reached is an error, and never replaced silently. A
// function of the provider itself takes the place of one whose endpoint or certificate nobody
// told it only where both are of the same version, and the plan says so.
//
// Deliberately absent: Compositions that are chosen by a claim, pinned revisions, credentials of
// functions, and schemas that they ask for. Where a Composition has steps that need
// these, it is said, and nothing is planned.
package functions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	xpv1 "github.com/crossplane/crossplane/apis/v2/apiextensions/v1"

	"github.com/mainstay-dev/mainstay/internal/plan/pipeline"
	"github.com/mainstay-dev/mainstay/internal/plan/render"
)

// A Mode says which functions plans are rendered with.
type Mode string

// Modes.
const (
	// Pipeline has the functions of the hub's Compositions.
	Pipeline Mode = "pipeline"
	// Builtin has those that are part of the provider, whatever the hub runs.
	Builtin Mode = "builtin"
)

// A Config of where functions are.
type Config struct {
	// Mode defaults to Pipeline.
	Mode Mode
	// Hub that has Compositions and Functions. It is not cached: they are read rarely.
	Hub client.Reader
	// Certificates to show to functions.
	Certificates Certificates
	// Own functions of the provider, by the names of their Functions, and of which
	// version they are.
	Own     map[string]pipeline.Run
	Version string
	// Shipped says which one composes a kind where Mode is Builtin.
	Shipped map[string]string
}

// Certificates are where Crossplane's certificate as a client of functions is: files ca.crt, tls.crt and
// tls.key of a folder, or else the keys of a Secret.
type Certificates struct {
	Dir    string
	Secret types.NamespacedName
}

// A Pool of connections to functions. It is safe for concurrent use.
type Pool struct {
	config Config
	conns  connections
}

// New returns a Pool without any connection.
func New(c Config) *Pool {
	return &Pool{config: c, conns: connections{open: map[string]*connection{}}}
}

// Open the functions for one plan. What they are is found out when they are asked first.
func (p *Pool) Open() *Session {
	return &Session{pool: p, kinds: map[string]*kind{}, own: map[string]bool{}}
}

// A Session is what is known of a hub's functions while one plan is made.
type Session struct {
	pool *Pool

	mu    sync.Mutex
	kinds map[string]*kind
	own   map[string]bool
	certs *certificate
}

// A kind of composites, and how it is composed.
type kind struct {
	composition string
	function    render.Function
}

// Functions by the kinds of composites.
func (s *Session) Functions() map[string]render.Function {
	out := map[string]render.Function{}
	for _, k := range []string{render.ClusterFleet, render.FleetCell, render.ProductApplication} {
		out[k] = func(ctx context.Context, req render.Request) (render.Response, error) {
			known, err := s.kind(ctx, k)
			if err != nil {
				return render.Response{}, err
			}
			return known.function(ctx, req)
		}
	}
	return out
}

// Composition that composes a kind. Empty where none was looked for.
func (s *Session) Composition(ctx context.Context, of string) (string, error) {
	if s.pool.config.Mode == Builtin {
		return "", nil
	}
	k, err := s.kind(ctx, of)
	if err != nil {
		return "", err
	}
	return k.composition, nil
}

// Note says what was rendered by other functions than those of the hub. Empty where nothing was.
func (s *Session) Note() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pool.config.Mode == Builtin {
		return "rendered by the functions of the provider, " + s.pool.config.Version + ", because it is told to"
	}
	if len(s.own) == 0 {
		return ""
	}
	names := make([]string, 0, len(s.own))
	for n := range s.own {
		names = append(names, n)
	}
	slices.Sort(names)
	return fmt.Sprintf("rendered by the provider itself in place of %s, of the same version %s", strings.Join(names, ", "), s.pool.config.Version)
}

// kind as it is composed, found out once.
func (s *Session) kind(ctx context.Context, name string) (*kind, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.kinds[name]; k != nil {
		return k, nil
	}
	k, err := s.find(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("cannot find out how a %s is composed: %w", name, err)
	}
	s.kinds[name] = k
	return k, nil
}

func (s *Session) find(ctx context.Context, name string) (*kind, error) {
	c := s.pool.config
	if c.Mode == Builtin {
		run := c.Own[c.Shipped[name]]
		if run == nil {
			return nil, errors.New("the provider has no function for it")
		}
		return &kind{function: pipeline.Of(pipeline.Step{Name: "compose", Run: run})}, nil
	}
	composition, err := compositionOf(ctx, c.Hub, name)
	if err != nil {
		return nil, err
	}
	rev, err := newest(ctx, c.Hub, composition)
	if err != nil {
		return nil, err
	}
	steps := make([]pipeline.Step, 0, len(rev.Spec.Pipeline))
	for i := range rev.Spec.Pipeline {
		step, err := s.step(ctx, &rev.Spec.Pipeline[i])
		if err != nil {
			return nil, fmt.Errorf("step %q of Composition %s: %w", rev.Spec.Pipeline[i].Step, composition, err)
		}
		steps = append(steps, step)
	}
	return &kind{composition: composition, function: pipeline.Of(steps...)}, nil
}

// step of a pipeline, and how its function is reached.
func (s *Session) step(ctx context.Context, ps *xpv1.PipelineStep) (pipeline.Step, error) {
	out := pipeline.Step{Name: ps.Step, Requires: map[string]render.Selector{}}
	if len(ps.Credentials) > 0 {
		return out, errors.New("its function needs credentials, which plans are not made with")
	}
	if ps.Input != nil {
		out.Input = ps.Input.Raw
	}
	if r := ps.Requirements; r != nil {
		if len(r.RequiredSchemas) > 0 {
			return out, errors.New("its function needs schemas of kinds, which plans are not made with")
		}
		for _, sel := range r.RequiredResources {
			out.Requires[sel.RequirementName] = selector(sel)
		}
	}
	var err error
	out.Run, err = s.run(ctx, ps.FunctionRef.Name)
	return out, err
}

// run of a function: at its endpoint, or else of the provider's own.
func (s *Session) run(ctx context.Context, name string) (pipeline.Run, error) {
	c := s.pool.config
	rev, err := active(ctx, c.Hub, name)
	if err != nil {
		return nil, err
	}
	missing := ""
	switch {
	case rev.Status.Endpoint == "":
		missing = fmt.Sprintf("FunctionRevision %s has no endpoint yet", rev.GetName())
	case s.certs == nil:
		certs, err := c.Certificates.read(ctx, c.Hub)
		if err != nil {
			missing = err.Error()
			break
		}
		s.certs = certs
	}
	if missing == "" {
		return s.pool.conns.at(name, rev.Status.Endpoint, s.certs)
	}
	own := c.Own[name]
	if own == nil {
		return nil, fmt.Errorf("function %s cannot be asked: %s", name, missing)
	}
	if v := versionOf(rev); v != c.Version {
		return nil, fmt.Errorf("function %s cannot be asked: %s; and the one that is part of the provider is of version %s, and not %s", name, missing, c.Version, v)
	}
	s.own[name] = true
	return own, nil
}
