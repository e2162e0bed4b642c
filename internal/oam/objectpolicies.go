package oam

import (
	"slices"

	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// objectPolicies are the policies about objects that are on a cluster.
type objectPolicies struct {
	bundle.Policies
	// selectors that they have, with where they are written.
	selectors []writtenSelector
	// garbageCollectAt is where the garbage-collect policy is, if there is one.
	garbageCollectAt path
}

// A writtenSelector selects objects, in KubeVela's words.
type writtenSelector struct {
	at             path
	ComponentNames []string `json:"componentNames"`
	ComponentTypes []string `json:"componentTypes"`
	ResourceTypes  []string `json:"resourceTypes"`
	ResourceNames  []string `json:"resourceNames"`
}

// A writtenRule is one rule of any of these policies.
type writtenRule struct {
	Selector writtenSelector `json:"selector"`
}

// content returns the policies as a Bundle has them, or nil where there is none.
func (p *objectPolicies) content() *bundle.Policies {
	if len(p.ApplyOnce) == 0 && p.GarbageCollect == nil && len(p.TakeOver) == 0 && len(p.ReadOnly) == 0 {
		return nil
	}
	return &p.Policies
}

// selector returns a selector as a Bundle has it, and remembers it to be checked.
func (p *objectPolicies) selector(s writtenSelector, at path) bundle.ObjectSelector {
	s.at = at
	p.selectors = append(p.selectors, s)
	return bundle.ObjectSelector{Components: s.ComponentNames, ComponentTypes: s.ComponentTypes, Kinds: s.ResourceTypes, Names: s.ResourceNames}
}

func (a *Application) readApplyOnce(properties map[string]any, at path, ps *problems) {
	policy := struct {
		Enable bool `json:"enable"`
		Rules  []struct {
			writtenRule
			Strategy struct {
				Path []string `json:"path"`
			} `json:"strategy"`
		} `json:"rules"`
	}{}
	if err := fromMap(properties, &policy); err != nil {
		ps.addf(at, "cannot be read: %v", err)
		return
	}
	if !policy.Enable {
		ps.addf(at.field("enable"), "must be true: otherwise the policy does nothing; remove it if that is meant")
		return
	}
	for i, r := range policy.Rules {
		once := bundle.ApplyOnce{Selector: a.policies.selector(r.Selector, at.field("rules").index(i).field("selector")), Paths: r.Strategy.Path}
		if slices.Contains(r.Strategy.Path, "*") {
			once.Paths = nil
		}
		a.policies.ApplyOnce = append(a.policies.ApplyOnce, once)
	}
	if len(policy.Rules) == 0 {
		a.policies.ApplyOnce = append(a.policies.ApplyOnce, bundle.ApplyOnce{})
	}
}

func (a *Application) readGarbageCollect(properties map[string]any, at path, ps *problems) {
	policy := struct {
		KeepLegacyResource bool `json:"keepLegacyResource"`
		Rules              []struct {
			writtenRule
			Strategy string `json:"strategy"`
		} `json:"rules"`
	}{}
	if err := fromMap(properties, &policy); err != nil {
		ps.addf(at, "cannot be read: %v", err)
		return
	}
	if before := a.policies.garbageCollectAt; before != nil {
		ps.addf(at, "there is a garbage-collect policy already, %s: write all rules in one", before)
		return
	}
	a.policies.garbageCollectAt = at
	gc := &bundle.GarbageCollect{KeepLegacy: policy.KeepLegacyResource}
	for i, r := range policy.Rules {
		gc.Rules = append(gc.Rules, bundle.GarbageCollectRule{
			Selector: a.policies.selector(r.Selector, at.field("rules").index(i).field("selector")), Strategy: r.Strategy,
		})
	}
	a.policies.GarbageCollect = gc
}

// readSelectors reads a policy that is nothing but selectors: take-over or read-only.
func (a *Application) readSelectors(policyType string, properties map[string]any, at path, ps *problems) {
	policy := struct {
		Rules []writtenRule `json:"rules"`
	}{}
	if err := fromMap(properties, &policy); err != nil {
		ps.addf(at, "cannot be read: %v", err)
		return
	}
	for i, r := range policy.Rules {
		s := a.policies.selector(r.Selector, at.field("rules").index(i).field("selector"))
		if policyType == PolicyTakeOver {
			a.policies.TakeOver = append(a.policies.TakeOver, s)
			continue
		}
		a.policies.ReadOnly = append(a.policies.ReadOnly, s)
	}
}

// checkSelectors checks that policies select components that there are, in the
// application or added to it by an override.
func (a *Application) checkSelectors(ps *problems) {
	names := componentNames(a.components)
	var types []string
	for i := range a.components {
		types = append(types, a.components[i].kind)
	}
	for i := range a.overrides {
		for _, p := range a.overrides[i].patches {
			if p.Type != "" {
				names, types = append(names, p.Name), append(types, p.Type)
			}
		}
	}
	for _, s := range a.policies.selectors {
		for i, n := range s.ComponentNames {
			if !slices.Contains(names, n) {
				ps.addf(s.at.field("componentNames").index(i), "%q is no component of this application%s", n, didYouMean(n, names))
			}
		}
		for i, t := range s.ComponentTypes {
			if !slices.Contains(types, t) {
				ps.addf(s.at.field("componentTypes").index(i), "no component of this application is of type %q%s", t, didYouMean(t, types))
			}
		}
	}
}
