package definition

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

// A Catalogue is what is published, as far as an application names it. It is an
// oam.Catalogue.
type Catalogue struct {
	// pinned are the versions that the application has already, by definition.
	pinned    map[key][]string
	published map[key][]v1alpha1.PublishedVersion
	revisions map[string]*v1alpha1.DefinitionRevision
}

// A key is a definition.
type key struct{ kind, name string }

// NewCatalogue returns an empty catalogue.
func NewCatalogue() *Catalogue {
	return &Catalogue{
		pinned:    map[key][]string{},
		published: map[key][]v1alpha1.PublishedVersion{},
		revisions: map[string]*v1alpha1.DefinitionRevision{},
	}
}

// Publish adds a definition with the versions that there are of it.
func (c *Catalogue) Publish(kind, name string, versions []v1alpha1.PublishedVersion) {
	c.published[key{kind, name}] = versions
}

// Pin says that the application has a version already. It keeps it where it was
// withdrawn since.
func (c *Catalogue) Pin(kind, name, version string) {
	k := key{kind, name}
	c.pinned[k] = append(c.pinned[k], version)
}

// AddRevision adds the content of a version.
func (c *Catalogue) AddRevision(r *v1alpha1.DefinitionRevision) { c.revisions[r.GetName()] = r }

// Needs returns the names of the revisions that references resolve to, sorted. Those
// that resolve to nothing are left out: to compile the application will say why.
func (c *Catalogue) Needs(refs []Reference) []string {
	names := map[string]bool{}
	for _, r := range refs {
		if p, err := c.resolve(r.Kind, r.Reference); err == nil {
			names[p.Revision] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (c *Catalogue) resolve(kind, reference string) (v1alpha1.PublishedVersion, error) {
	k := key{kind, typeName(reference)}
	published, known := c.published[k]
	if !known {
		return v1alpha1.PublishedVersion{}, fmt.Errorf("there is no %s %q", kind, k.name)
	}
	return Resolve(reference, published, c.pinned[k])
}

func (c *Catalogue) names(kind string) []string {
	var out []string
	for k := range c.published {
		if k.kind == kind {
			out = append(out, k.name)
		}
	}
	slices.Sort(out)
	return out
}

// ComponentTypes implements oam.Catalogue.
func (c *Catalogue) ComponentTypes() []string { return c.names(v1alpha1.ComponentDefinitionKind) }

// TraitTypes implements oam.Catalogue.
func (c *Catalogue) TraitTypes() []string { return c.names(v1alpha1.TraitDefinitionKind) }

// ComponentType implements oam.Catalogue.
func (c *Catalogue) ComponentType(reference string) (*oam.ComponentType, error) {
	found, err := c.compiled(v1alpha1.ComponentDefinitionKind, reference)
	if err != nil {
		return nil, err
	}
	return found.component.Type(), nil
}

// TraitType implements oam.Catalogue.
func (c *Catalogue) TraitType(reference string) (*oam.TraitType, error) {
	found, err := c.compiled(v1alpha1.TraitDefinitionKind, reference)
	if err != nil {
		return nil, err
	}
	return found.trait.Type(), nil
}

func (c *Catalogue) compiled(kind, reference string) (compiled, error) {
	p, err := c.resolve(kind, reference)
	if err != nil {
		return compiled{}, err
	}
	r, ok := c.revisions[p.Revision]
	if !ok {
		return compiled{}, fmt.Errorf("version %s of definition %q is published, but its revision %q is not there", p.Version, typeName(reference), p.Revision)
	}
	if r.Spec.Of != kind {
		return compiled{}, fmt.Errorf("revision %q is of a %s", p.Revision, r.Spec.Of)
	}
	return cache.get(r)
}

// cache of what was compiled, by content: revisions do not change, and every reconcile
// of every application asks for them again.
var cache = &compilations{by: map[string]compiled{}}

// mostCompiled is how many definitions are remembered.
const mostCompiled = 200

type compilations struct {
	mu sync.Mutex
	by map[string]compiled
}

func (c *compilations) get(r *v1alpha1.DefinitionRevision) (compiled, error) {
	// The key is over what is there, and not over what it says of itself.
	k := r.GetName() + " " + digest(r.Spec.Content) + " " + r.Spec.Digest
	c.mu.Lock()
	found, ok := c.by[k]
	c.mu.Unlock()
	if ok {
		return found, nil
	}
	made, err := compileRevision(r)
	if err != nil {
		return compiled{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.by) >= mostCompiled {
		clear(c.by)
	}
	c.by[k] = made
	return made, nil
}
