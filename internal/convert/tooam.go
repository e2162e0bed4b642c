package convert

import (
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/internal/expr"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

// What KubeVela has built in.
var (
	theirComponents = []string{"cron-task", "daemon", "k8s-objects", "ref-objects", "statefulset", "task", "webservice", "worker"}
	theirTraits     = []string{
		"affinity", "annotations", "command", "container-image", "container-ports", "cpuscaler", "env", "expose", "gateway", "hostalias", "hpa", "init-container",
		"json-merge-patch", "json-patch", "k8s-update-strategy", "labels", "lifecycle", "podsecuritycontext", "resource", "scaler", "securitycontext",
		"service-account", "service-binding", "sidecar", "startup-probe", "storage", "topologyspreadconstraints",
	}
)

// ourProperties are what our traits have and KubeVela's of the same name have not.
var ourProperties = map[string][]string{
	"env":    {"valueFrom"},
	"expose": {"httpRoute", "ingress"},
	"scaler": {"cpu", "max", "memory", "min"},
}

// ToOAM turns a ProductApplication into an Application.
func ToOAM(in *unstructured.Unstructured) *Result {
	r := begin(in, OAMVersion, OAMKind)
	spec := specOf(r.Object)
	components(spec, r.component)
	each(spec, "components", "spec", r.outputs)
	each(spec, "policies", "spec", r.policy)
	steps(spec, r.step)
	return r
}

func (r *Result) component(c map[string]any, at string) {
	if name, ok := c["type"].(string); ok {
		c["type"] = renamed(name, true)
		if !slices.Contains(theirComponents, renamed(name, true)) {
			r.problemf(at+".type", "KubeVela has no component type %q built in: a ComponentDefinition of that name must be there", name)
		}
	}
	r.literal(c, at)
	each(c, "traits", at, func(t map[string]any, at string) {
		name, _ := t["type"].(string)
		if !slices.Contains(theirTraits, name) {
			r.problemf(at+".type", "KubeVela has no trait type %q built in: a TraitDefinition of that name must be there", name)
		}
		properties, _ := t["properties"].(map[string]any)
		for _, p := range ourProperties[name] {
			if _, ok := properties[p]; ok {
				r.problemf(at+".properties."+p, "is no property of KubeVela's trait %q", name)
			}
		}
		r.literal(t, at)
	})
}

// literal takes the escapes out of properties. An expression cannot be converted.
func (r *Result) literal(m map[string]any, at string) {
	v, ok := m["properties"]
	if !ok {
		return
	}
	bound := false
	expressions(v, at+".properties", func(at string, first expr.Span) {
		bound = true
		r.problemf(at, "has an expression, ${%s}: KubeVela binds none", first.Source)
	})
	if !bound {
		m["properties"] = unescaped(v)
	}
}

var otherObject = regexp.MustCompile(`\bobjects?\b`)

func (r *Result) outputs(c map[string]any, at string) {
	each(c, "outputs", at, func(o map[string]any, at string) {
		if source, _ := o["valueFrom"].(string); otherObject.MatchString(source) {
			r.problemf(at+".valueFrom", "is CEL over object or objects: KubeVela's is CUE over output")
		}
	})
}

func (r *Result) policy(p map[string]any, at string) {
	switch p["type"] {
	case oam.PolicyRollout:
		r.problemf(at+".type", "KubeVela has no policy of type %q", oam.PolicyRollout)
	case oam.PolicyOverride:
		properties, _ := p["properties"].(map[string]any)
		for _, name := range []string{"clusterLabelSelector", "clusters"} {
			if _, ok := properties[name]; ok {
				r.problemf(at+".properties."+name, "KubeVela's overrides are for all clusters: list the override in a deploy step with the topology that it is for")
			}
		}
	}
}

var celFunction = regexp.MustCompile(`[.?]\s*[A-Za-z_]+\(`)

func (r *Result) step(s map[string]any, at string) {
	if condition, ok := s["if"].(string); ok {
		s["if"] = phases(condition, true)
		if celFunction.MatchString(condition) {
			r.problemf(at+".if", "is CEL: KubeVela's conditions are CUE")
		}
	}
	properties, _ := s["properties"].(map[string]any)
	switch s["type"] {
	case oam.StepNotification:
		if _, ok := properties["webhook"]; ok {
			r.problemf(at+".properties.webhook", "is no property of KubeVela's notification: use a step of type \"webhook\" there")
		}
	case oam.StepDependsOnApp:
		if _, ok := properties["namespace"]; !ok && properties != nil && r.Object.GetNamespace() != "" {
			properties["namespace"] = r.Object.GetNamespace()
		}
	}
}
