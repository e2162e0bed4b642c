package preflight

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// checkSchema is A3.
func checkSchema(r *run) {
	for _, o := range r.objects {
		if o.late {
			// What is still to be bound may become anything.
			continue
		}
		if d := r.definition(o.gvk.GroupKind()); d != nil && o.custom() {
			for _, v := range d.validate(o) {
				r.find(o, v.field, "correct the field as its definition says", "%s", strings.TrimSpace(v.field+" "+v.message))
			}
			continue
		}
		if o.broken != nil {
			at, what := broken(o.broken)
			r.find(o, at, "correct the field", "cannot be read as %s: %s", o.gvk.Kind, what)
			continue
		}
		if r.snap.Minor > knownMinor || r.snap.Minor == 0 {
			continue // It may know fields that are not known here.
		}
		for _, u := range o.unknown {
			at, what := split(u)
			r.find(o, at, "remove the field, or correct its name", "%s", what)
		}
	}
}

// definition of a kind: as the application will leave it, or as the cluster has it.
func (r *run) definition(gk schema.GroupKind) *Definition {
	if d := r.defined[gk]; d != nil {
		return d
	}
	return r.snap.Definitions[gk]
}

// broken says which field cannot be read, and why. What is there is not quoted.
func broken(err error) (at, what string) {
	t := &json.UnmarshalTypeError{}
	if !errors.As(err, &t) {
		return "", err.Error()
	}
	return t.Field, fmt.Sprintf("%s is a %s, and must be a %s", cmp.Or(t.Field, "a value"), t.Value, t.Type)
}

// split an error of decoding into its field and the whole of it. The decoder quotes the
// field it does not know.
func split(text string) (at, what string) {
	if i := strings.Index(text, `unknown field "`); i >= 0 {
		rest := text[i+len(`unknown field "`):]
		if j := strings.Index(rest, `"`); j >= 0 {
			return rest[:j], text
		}
	}
	return "", text
}
