package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	// maxFields is how many fields of one action are shown.
	maxFields = 24
	// maxValue is how many bytes of a value are shown.
	maxValue = 160
	// owner of all fields that are written to clusters.
	owner = "mainstay"
)

// A differ compares one object before and after.
type differ struct {
	secrets secrets
	// hidden is true where none of the values are shown.
	hidden bool
	fields []Field
}

// diff of two objects. Only what people and functions write is compared.
func diff(before, after *unstructured.Unstructured, s secrets) []Field {
	d := &differ{secrets: s, hidden: hidden(before) || hidden(after)}
	d.compare("", "", plain(before), plain(after))
	slices.SortStableFunc(d.fields, func(a, b Field) int { return strings.Compare(a.Path, b.Path) })
	return d.fields
}

// plain content of an object.
func plain(o *unstructured.Unstructured) map[string]any {
	out := maps.Clone(o.Object)
	delete(out, "status")
	return out
}

// compare two values. Name is the one that the value is known by.
func (d *differ) compare(path, name string, before, after any) {
	switch b := before.(type) {
	case map[string]any:
		if a, ok := after.(map[string]any); ok {
			d.maps(path, name, b, a)
			return
		}
	case []any:
		if a, ok := after.([]any); ok {
			d.lists(path, name, b, a)
			return
		}
	}
	if same(before, after) {
		return
	}
	d.leaves(path, name, before, false)
	d.leaves(path, name, after, true)
}

func (d *differ) maps(path, name string, before, after map[string]any) {
	keys := slices.Collect(maps.Keys(before))
	for k := range after {
		if _, known := before[k]; !known {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		at := d.text(k)
		if strings.ContainsAny(k, "./[] ") {
			at = fmt.Sprintf("[%s]", cut(at, 80))
		}
		if path != "" && !strings.HasPrefix(at, "[") {
			at = "." + at
		}
		// The value of a variable is as secret as its name says.
		by := k
		if k == "value" && name != "" {
			by = name
		}
		d.compare(path+at, by, before[k], after[k])
	}
}

func (d *differ) lists(path, name string, before, after []any) {
	b, bok := byName(before)
	a, aok := byName(after)
	if !bok || !aok {
		for i := range max(len(before), len(after)) {
			d.compare(fmt.Sprintf("%s[%d]", path, i), flag(name, before, after, i), at(before, i), at(after, i))
		}
		return
	}
	keys := slices.Collect(maps.Keys(b))
	for k := range a {
		if _, known := b[k]; !known {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		d.compare(path+"["+cut(d.text(k), 80)+"]", k, b[k], a[k])
	}
}

// byName returns the members of a list by their names, where all of them have one.
func byName(list []any) (map[string]any, bool) {
	out := map[string]any{}
	for _, v := range list {
		m, _ := v.(map[string]any)
		n, ok := m["name"].(string)
		if _, twice := out[n]; !ok || twice {
			return nil, false
		}
		out[n] = m
	}
	return out, true
}

// flag that a member of a list is the value of, such as of --password, or the list's own name.
func flag(name string, before, after []any, i int) string {
	for _, list := range [][]any{before, after} {
		if s, ok := at(list, i-1).(string); ok && strings.HasPrefix(s, "-") && named(strings.TrimLeft(s, "-")) {
			return strings.TrimLeft(s, "-")
		}
	}
	return name
}

func at(list []any, i int) any {
	if i < 0 {
		return nil
	}
	if i < len(list) {
		return list[i]
	}
	return nil
}

// leaves below a value that is there on one side only, or that is of another kind there.
func (d *differ) leaves(path, name string, v any, after bool) {
	switch v := v.(type) {
	case nil:
		return
	case map[string]any:
		if after {
			d.maps(path, name, nil, v)
		} else {
			d.maps(path, name, v, nil)
		}
		return
	case []any:
		if after {
			d.lists(path, name, nil, v)
		} else {
			d.lists(path, name, v, nil)
		}
		return
	}
	secret := d.secret(path, name, v)
	text := Secret
	if !secret {
		text = cut(text1(v), maxValue)
	}
	i := len(d.fields) - 1
	if i < 0 || d.fields[i].Path != path {
		d.fields = append(d.fields, Field{Path: path, Owner: owner})
		i++
	}
	f := &d.fields[i]
	f.Secret = f.Secret || secret
	if after {
		f.After = &text
	} else {
		f.Before = &text
	}
	if f.Secret {
		// Neither side is shown, where one is secret.
		for _, side := range []*string{f.Before, f.After} {
			if side != nil {
				*side = Secret
			}
		}
	}
}

// secret is true where a value is not shown.
func (d *differ) secret(path, name string, v any) bool {
	if d.hidden && path != "kind" && path != "apiVersion" && path != "metadata.name" && path != "metadata.namespace" && path != "type" {
		return true
	}
	if strings.Contains(path, "last-applied-configuration") {
		return true
	}
	text, ok := v.(string)
	if !ok {
		// A number can be a PIN. Whether something is so is not a secret.
		_, truth := v.(bool)
		return !truth && named(name)
	}
	return text != "" && named(name) || d.secrets.has(text)
}

// text of a key, which can be secret as well.
func (d *differ) text(s string) string {
	if d.secrets.has(s) {
		return Secret
	}
	return s
}

// text1 of a value, on one line.
func text1(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}

// same is true where two values say the same, whichever type numbers were read as.
func same(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}

// cut a text to so many bytes.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	at := most - len("…")
	for at > 0 && !utf8.RuneStart(s[at]) {
		at--
	}
	return s[:at] + "…"
}
