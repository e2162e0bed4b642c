package productapplication

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/functions/internal/pipeline"
	"github.com/mainstay-dev/mainstay/internal/definition"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

// catalogue asks for what is published of the types that an application names: first for
// the definitions, which say what versions there are, then for the revisions that it
// gets. It is false where Crossplane has yet to look: it calls the function again at once,
// and uses nothing of what is answered until then.
func catalogue(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse, app *v1alpha1.ProductApplication) (*definition.Catalogue, bool, error) {
	c := definition.NewCatalogue()
	refs := definition.References(&app.Spec)
	for _, p := range app.Status.Definitions {
		c.Pin(kindOf(p.Trait), p.Type, p.Version)
	}
	all := true
	known := map[string]bool{}
	for _, ref := range refs {
		key := ref.Kind + " " + ref.Name()
		if known[key] {
			continue
		}
		known[key] = true
		versions, lookup, err := published(req, rsp, key, ref)
		switch {
		case err != nil:
			return nil, false, err
		case lookup == pipeline.Unresolved:
			all = false
		case lookup == pipeline.Absent:
			versions = kept(app.Status.Definitions, ref)
		}
		if len(versions) > 0 || lookup == pipeline.Found {
			c.Publish(ref.Kind, ref.Name(), versions)
		}
	}
	if !all {
		return nil, false, nil
	}
	for _, name := range c.Needs(refs) {
		rev := &v1alpha1.DefinitionRevision{}
		lookup, err := pipeline.Require(req, rsp, "revision "+name, pipeline.Selector{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.DefinitionRevisionKind, Name: name,
		}, rev)
		switch {
		case err != nil:
			return nil, false, err
		case lookup == pipeline.Unresolved:
			all = false
		case lookup == pipeline.Found:
			c.AddRevision(rev)
		}
	}
	return c, all, nil
}

// published returns the versions that there are of a definition.
func published(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse, key string, ref definition.Reference) ([]v1alpha1.PublishedVersion, pipeline.Lookup, error) {
	d := struct {
		metav1.ObjectMeta `json:"metadata"`

		Status v1alpha1.DefinitionStatus `json:"status"`
	}{}
	lookup, err := pipeline.Require(req, rsp, key, pipeline.Selector{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: ref.Kind, Name: ref.Name(),
	}, &d)
	if err != nil {
		return nil, lookup, err
	}
	if d.GetDeletionTimestamp() != nil {
		for i := range d.Status.Versions {
			d.Status.Versions[i].Withdrawn = true
		}
	}
	return d.Status.Versions, lookup, nil
}

// kept are the versions of a definition that is gone which the application has. Their
// revisions may still be there.
func kept(has []v1alpha1.AppliedDefinition, ref definition.Reference) []v1alpha1.PublishedVersion {
	var out []v1alpha1.PublishedVersion
	known := map[string]bool{}
	for _, p := range has {
		if kindOf(p.Trait) == ref.Kind && p.Type == ref.Name() && !known[p.Version] {
			known[p.Version] = true
			out = append(out, v1alpha1.PublishedVersion{
				Version: p.Version, Revision: definition.RevisionName(ref.Kind, p.Type, p.Version), Withdrawn: true,
			})
		}
	}
	return out
}

func kindOf(isTrait bool) string {
	if isTrait {
		return v1alpha1.TraitDefinitionKind
	}
	return v1alpha1.ComponentDefinitionKind
}

// maxDefinitions is how many definitions a claim shows.
const maxDefinitions = 200

// applied says which versions of definitions the components got.
func applied(app *oam.Application) []v1alpha1.AppliedDefinition {
	var out []v1alpha1.AppliedDefinition
	for _, p := range app.Pinned() {
		out = append(out, v1alpha1.AppliedDefinition{Component: p.Component, Type: p.Type, Version: p.Version, Trait: p.Trait})
	}
	return out[:min(len(out), maxDefinitions)]
}
