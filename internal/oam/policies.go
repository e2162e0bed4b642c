package oam

import (
	"maps"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// Policy types.
const (
	PolicyTopology       = "topology"
	PolicyOverride       = "override"
	PolicyRollout        = "rollout"
	PolicyApplyOnce      = "apply-once"
	PolicyGarbageCollect = "garbage-collect"
	PolicyTakeOver       = "take-over"
	PolicyReadOnly       = "read-only"
)

// PolicyTypes returns the names of the policy types, sorted.
func PolicyTypes() []string {
	schemas, err := policyTypeSchemas()
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(schemas))
}

// refusedProperties are what KubeVela's policies have and ours do not, with what to do
// instead.
var refusedProperties = map[string]map[string]string{
	PolicyTopology: {"clusterSelector": "is deprecated and not supported: rename it to clusterLabelSelector"},
	PolicyApplyOnce: {
		"affect":     "is not supported: remove it; what is left alone is so always",
		"oamTypes":   "is not supported: select by componentNames, componentTypes, resourceTypes or resourceNames",
		"traitTypes": "is not supported: select by componentNames, componentTypes, resourceTypes or resourceNames",
	},
	PolicyGarbageCollect: {
		"applicationRevisionLimit": "is not supported: remove it; the last revisions are kept for rollback",
		"continueOnFailure":        "is not supported: remove it; what cannot be deleted stops nothing else",
		"order":                    "is not supported: remove it; what depends on others is always deleted first",
		"propagation":              "is not supported: remove it",
		"oamTypes":                 "is not supported: select by componentNames, componentTypes, resourceTypes or resourceNames",
		"traitTypes":               "is not supported: select by componentNames, componentTypes, resourceTypes or resourceNames",
	},
}

// readPolicies reads and checks policies. Whether overrides fit the components is
// checked when they are applied.
func (a *Application) readPolicies(in []v1alpha1.Policy, ps *problems) {
	first := map[string]int{}
	for i := range in {
		at := path{"spec", "policies", i}
		name := in[i].Name
		if j, ok := first[name]; ok {
			ps.addf(at.field("name"), "policy name %q is already taken by spec.policies[%d]: names must be unique", name, j)
			continue
		}
		first[name] = i
		a.policyAt[name] = at
		if len(validation.IsDNS1123Label(name)) > 0 {
			ps.addf(at.field("name"), "policy name %q must be a DNS label of at most 63 characters", name)
		}
		a.readPolicy(&in[i], at, ps)
	}
}

func (a *Application) readPolicy(p *v1alpha1.Policy, at path, ps *problems) {
	schemas, err := policyTypeSchemas()
	if err != nil {
		ps.addf(at, "%v", err)
		return
	}
	s, ok := schemas[p.Type]
	if !ok {
		types := PolicyTypes()
		ps.addf(at.field("type"), "policy type %q is not supported: there are %s%s", p.Type, enumerate(types), didYouMean(p.Type, types))
		return
	}
	propertiesAt := at.field("properties")
	written := decodeProperties(p.Properties, propertiesAt, checkPolicyText, ps)
	properties, fs := s.complete(written)
	for _, f := range fs {
		if why, refused := refusedProperties[p.Type][f.path.last()]; refused {
			f.message = why
		}
		ps.addf(propertiesAt.join(f.path), "%s", f.message)
	}
	if len(fs) > 0 {
		return
	}
	switch p.Type {
	case PolicyTopology:
		a.readTopology(p.Name, properties, propertiesAt, ps)
	case PolicyOverride:
		a.readOverride(p.Name, properties, written, propertiesAt, ps)
	case PolicyRollout:
		a.readStrategy(written, properties, propertiesAt, ps)
	case PolicyApplyOnce:
		a.readApplyOnce(properties, propertiesAt, ps)
	case PolicyGarbageCollect:
		a.readGarbageCollect(properties, propertiesAt, ps)
	default:
		a.readSelectors(p.Type, properties, propertiesAt, ps)
	}
}

func (a *Application) readTopology(name string, properties map[string]any, at path, ps *problems) {
	t := mv1alpha1.Topology{}
	if err := fromMap(properties, &t); err != nil {
		ps.addf(at, "cannot be read: %v", err)
		return
	}
	t.Name = name
	checkClusters(t.Clusters, at, ps)
	checkSelector(t.ClusterLabelSelector, at, ps.addf)
	if t.Namespace != "" && len(validation.IsDNS1123Label(t.Namespace)) > 0 {
		ps.addf(at.field("namespace"), "must be a DNS label, got %s", describe(t.Namespace))
	}
	a.placement.Topologies = append(a.placement.Topologies, t)
}

// An override changes components.
type override struct {
	name     string
	at       path
	patches  []patch
	selector []string
	// scoped is true where the override applies to some clusters only.
	scoped bool
}

// A patch changes the components that match it.
type patch struct {
	at         path
	Name       string         `json:"name"`
	Type       string         `json:"type"`
	Properties map[string]any `json:"properties"`
	Traits     []traitPatch   `json:"traits"`
}

// readOverride reads an override. What it changes is taken as it was written, where a
// null means that a property is removed.
func (a *Application) readOverride(name string, properties, written map[string]any, at path, ps *problems) {
	scope := mv1alpha1.OverrideScope{}
	o := struct {
		Components []patch  `json:"components"`
		Selector   []string `json:"selector"`
	}{}
	for _, into := range []any{&scope, &o} {
		if err := fromMap(properties, into); err != nil {
			ps.addf(at, "cannot be read: %v", err)
			return
		}
	}
	scope.Name = name
	checkClusters(scope.Clusters, at, ps)
	checkSelector(scope.ClusterLabelSelector, at, ps.addf)
	for i := range o.Components {
		p := &o.Components[i]
		p.at = at.field("components").index(i)
		changes, _ := lookup(written, path{"components", i})
		if m, ok := changes.(map[string]any); ok {
			p.Properties, _ = m["properties"].(map[string]any)
		}
		for j := range p.Traits {
			p.Traits[j].Properties = nil
			if as, n := lookup(changes, path{"traits", j, "properties"}); n == 3 {
				p.Traits[j].Properties, _ = as.(map[string]any)
			}
		}
		a.checkTraits(p, ps)
		if p.Type != "" {
			a.checkComponentType(p.Type, p.at.field("type"), ps)
		}
	}
	a.overrides = append(a.overrides, override{
		name: name, at: at, patches: o.Components, selector: o.Selector,
		scoped: len(scope.Clusters) > 0 || len(scope.ClusterLabelSelector) > 0,
	})
	a.placement.Overrides = append(a.placement.Overrides, scope)
}

// clusterName is <cluster> or <fleet>.<cluster>.
var clusterName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)?$`)

func checkClusters(names []string, at path, ps *problems) {
	known := map[string]bool{}
	for i, n := range names {
		at := at.field("clusters").index(i)
		switch {
		case !clusterName.MatchString(n):
			ps.addf(at, "must be the name of a cluster, <cluster> or <fleet>.<cluster>, got %s", describe(n))
		case known[n]:
			ps.addf(at, "lists cluster %q twice", n)
		}
		known[n] = true
	}
}

func checkSelector(labels map[string]string, at path, addf func(at path, format string, args ...any)) {
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		at := at.field("clusterLabelSelector", k)
		if len(validation.IsQualifiedName(k)) > 0 {
			addf(at, "is not a valid label key")
		}
		if len(validation.IsValidLabelValue(labels[k])) > 0 {
			addf(at, "must be the value of a label, got %s", describe(labels[k]))
		}
	}
}
