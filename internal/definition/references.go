package definition

import (
	"encoding/json"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

// A Reference names a definition, and maybe a version or a range of them.
type Reference struct {
	// Kind of the definition.
	Kind string
	// Reference as an application writes it, such as flink@1.2.x.
	Reference string
}

// Name of the definition.
func (r Reference) Name() string { return typeName(r.Reference) }

// References returns the definitions that an application names, in its components and
// in what overrides make of them: each once, sorted. What is built in is none.
func References(spec *v1alpha1.ProductApplicationSpec) []Reference {
	out := []Reference{}
	add := func(kind, reference string, builtIn []string) {
		if reference != "" && !slices.Contains(builtIn, typeName(reference)) && len(reference) <= maxReference {
			out = append(out, Reference{Kind: kind, Reference: reference})
		}
	}
	types, traits := oam.ComponentTypes(), oam.TraitTypes()
	for i := range spec.Components {
		add(v1alpha1.ComponentDefinitionKind, spec.Components[i].Type, types)
		for _, t := range spec.Components[i].Traits {
			add(v1alpha1.TraitDefinitionKind, t.Type, traits)
		}
	}
	for i := range spec.Policies {
		for _, c := range overrideComponents(spec.Policies[i].Properties) {
			add(v1alpha1.ComponentDefinitionKind, c.Type, types)
			for _, t := range c.Traits {
				add(v1alpha1.TraitDefinitionKind, t.Type, traits)
			}
		}
	}
	slices.SortFunc(out, func(a, b Reference) int { return strings.Compare(a.Kind+" "+a.Reference, b.Kind+" "+b.Reference) })
	return slices.Compact(out)
}

// maxReference is the longest reference that could be right: a longer one is refused
// where it is written.
const maxReference = 63

type overridden struct {
	Type   string `json:"type"`
	Traits []struct {
		Type string `json:"type"`
	} `json:"traits"`
}

// overrideComponents reads a policy as far as it names types. What else is wrong with it
// is found when the application is compiled.
func overrideComponents(r *runtime.RawExtension) []overridden {
	if r == nil {
		return nil
	}
	p := struct {
		Components []overridden `json:"components"`
	}{}
	if err := json.Unmarshal(r.Raw, &p); err != nil {
		return nil
	}
	return p.Components
}
