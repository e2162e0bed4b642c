package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/preflight"
)

// A template is an action that is the same on every cluster of a set.
type template struct {
	Action

	// unknown is true where it is not known what changes.
	unknown bool
}

// key of a template: what it says.
func (t template) key() string {
	raw, _ := json.Marshal(t.Action) // Its fields are texts and numbers.
	return hash(raw)
}

func (t template) action() Action {
	a := t.Action
	a.Left = max(0, len(a.Fields)-maxFields)
	a.Fields = a.Fields[:min(len(a.Fields), maxFields)]
	return a
}

func hash(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// opaque template of clusters that have something that nobody has the content of.
func opaque(t transition) template {
	out := template{unknown: true}
	out.Object = Object{APIVersion: "m.mainstay.dev/v1alpha1", Kind: "Bundle", Name: cmp.Or(t.to.Bundle, t.from.Bundle)}
	out.Verb, out.Reason = Update, "what clusters have now is not known: bundle "+t.from.Bundle
	out.Reverse = Reverse{Class: Manual, Verb: Update, Why: "what clusters have now is not known"}
	if t.to.Bundle == "" {
		out.Verb = Delete
	}
	return out
}

// An entry is an object of a component.
type entry struct {
	component *bundle.Component
	object    *unstructured.Unstructured
}

// objects of a content, by what they are.
func objects(c bundle.Content, namespace string) (map[Object]entry, []Object) {
	out := map[Object]entry{}
	var order []Object
	for i := range c.Components {
		comp := &c.Components[i]
		for j := range comp.Objects {
			o := &comp.Objects[j]
			group, _, _ := strings.Cut(o.GetAPIVersion(), "/")
			if !strings.Contains(o.GetAPIVersion(), "/") {
				group = ""
			}
			// Versions of one group are the same object.
			k := Object{APIVersion: group, Kind: o.GetKind(), Namespace: cmp.Or(o.GetNamespace(), namespace), Name: o.GetName()}
			if _, twice := out[k]; !twice {
				order = append(order, k)
			}
			out[k] = entry{component: comp, object: o}
		}
	}
	return out, order
}

// templates of what leads from one content to another. What is created and updated comes in
// the order in which it is applied, and what is deleted after it.
func templates(from, to bundle.Content, t transition) []template {
	hide := secretsOf(from, to)
	has, hasOrder := objects(from, t.from.Namespace)
	wants, order := objects(to, t.to.Namespace)
	var out []template
	for _, k := range order {
		e := wants[k]
		was, known := has[k]
		switch {
		case !known:
			out = append(out, made(k, e, hide))
		case !same(plain(was.object), plain(e.object)) || was.component.Name != e.component.Name:
			out = append(out, changed(k, was, e, hide))
		}
	}
	gone := slices.DeleteFunc(hasOrder, func(k Object) bool { _, kept := wants[k]; return kept })
	slices.Reverse(gone)
	for _, k := range gone {
		out = append(out, taken(k, has[k], from.Policies))
	}
	if len(out) == 0 {
		// The content differs, and no object does: policies, health rules, order.
		u := template{}
		u.Object, u.Verb = Object{APIVersion: "m.mainstay.dev/v1alpha1", Kind: "Bundle", Name: t.to.Bundle}, Update
		u.Reason, u.Reverse = "how objects are treated changes, and no object does", Reverse{Class: Auto, Verb: Update}
		out = append(out, u)
	}
	return out
}

func objectOf(k Object, e entry) Object {
	k.APIVersion = e.object.GetAPIVersion()
	return k
}

func made(k Object, e entry, hide secrets) template {
	fields := diff(&unstructured.Unstructured{Object: map[string]any{}}, e.object, hide)
	t := template{}
	t.Component, t.Object, t.Verb, t.Detail = e.component.Name, objectOf(k, e), Create, detail(fields)
	t.Effects, t.Reverse = effects(nil, e.object, t.Verb), reverseOf(nil, e.object, t.Verb)
	return t
}

func taken(k Object, e entry, policies *bundle.Policies) template {
	t := template{}
	t.Component, t.Object, t.Verb = e.component.Name, objectOf(k, e), Delete
	if policies != nil && policies.GarbageCollect != nil && (policies.GarbageCollect.KeepLegacy || kept(policies.GarbageCollect, e)) {
		t.Verb, t.Reason = Noop, "it is left where it is: the application's policy says so"
		t.Reverse = Reverse{Class: Auto}
		return t
	}
	t.Effects, t.Reverse = effects(e.object, nil, t.Verb), reverseOf(e.object, nil, t.Verb)
	return t
}

// kept is true where a rule never deletes an object.
func kept(gc *bundle.GarbageCollect, e entry) bool {
	for _, r := range gc.Rules {
		s := r.Selector
		if in(s.Components, e.component.Name) && in(s.ComponentTypes, e.component.Type) && in(s.Kinds, e.object.GetKind()) && in(s.Names, e.object.GetName()) {
			return r.Strategy != "onAppUpdate"
		}
	}
	return false
}

func in(list []string, s string) bool { return len(list) == 0 || slices.Contains(list, s) }

func changed(k Object, was, is entry, hide secrets) template {
	t := template{}
	t.Component, t.Object = is.component.Name, objectOf(k, is)
	t.Fields = diff(was.object, is.object, hide)
	t.Verb = verbOf(t.Fields)
	fixed := preflight.Immutable(is.object.GroupVersionKind().GroupKind())
	for i := range t.Fields {
		for _, p := range fixed {
			if f := &t.Fields[i]; f.Path == p || strings.HasPrefix(f.Path, p+".") || strings.HasPrefix(f.Path, p+"[") {
				f.Replaces, t.Verb = true, Replace
				t.Reason = p + " cannot be changed in place"
			}
		}
	}
	if was.component.Name != is.component.Name && t.Reason == "" {
		t.Reason = "it comes from component " + was.component.Name
	}
	t.Detail = detail(t.Fields)
	t.Effects, t.Reverse = effects(was.object, is.object, t.Verb), reverseOf(was.object, is.object, t.Verb)
	return t
}

// verbOf an update, by the fields that change.
func verbOf(fields []Field) Verb {
	scale, restart := len(fields) > 0, len(fields) > 0
	for _, f := range fields {
		scale = scale && f.Path == "spec.replicas"
		restart = restart && strings.HasPrefix(f.Path, "spec.template.metadata.annotations")
	}
	switch {
	case scale:
		return Scale
	case restart:
		return Restart
	}
	return Update
}

func detail(fields []Field) string {
	raw, _ := json.Marshal(fields) // Texts only.
	return hash(raw)[:16]
}
