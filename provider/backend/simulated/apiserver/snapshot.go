package apiserver

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"encoding/json"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A header begins a snapshot. Objects follow, one a line.
type header struct {
	Version  string `json:"version"`
	Revision uint64 `json:"revision"`
}

type line struct {
	Resource string          `json:"resource"`
	Group    string          `json:"group,omitempty"`
	Object   json.RawMessage `json:"object"`
}

// Snapshot returns all that a cluster is, and false where nothing changed since the last.
func (c *Cluster) Snapshot() ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dirty {
		return nil, false
	}
	c.dirty = false
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	must := func(v any) {
		if err := w.Encode(v); err != nil {
			panic(err) // It is made of our own types.
		}
	}
	must(header{c.version, c.revision})
	for _, gr := range c.resources() {
		for _, o := range c.objects[gr] {
			must(line{gr.Resource, gr.Group, o.raw})
		}
	}
	return b.Bytes(), true
}

// resources that there are objects of, definitions first.
func (c *Cluster) resources() []schema.GroupResource {
	var out []schema.GroupResource
	for gr := range c.objects {
		out = append(out, gr)
	}
	slices.SortFunc(out, func(a, b schema.GroupResource) int {
		if a.Group == b.Group || b.Group != apiextensionsv1.GroupName && a.Group != apiextensionsv1.GroupName {
			return bytes.Compare([]byte(a.String()), []byte(b.String()))
		}
		if a.Group == apiextensionsv1.GroupName {
			return -1
		}
		return 1
	})
	return out
}

// Restore a cluster from a snapshot.
func Restore(cfg Config, snapshot []byte) (*Cluster, error) {
	r := json.NewDecoder(bytes.NewReader(snapshot))
	h := header{}
	if err := r.Decode(&h); err != nil {
		return nil, fmt.Errorf("cannot read snapshot: %w", err)
	}
	cfg.Version = h.Version
	c := empty(cfg)
	c.revision = h.Revision
	for {
		l := line{}
		if err := r.Decode(&l); err == io.EOF {
			c.audits = cfg.Audit
			return c, nil
		} else if err != nil {
			return nil, fmt.Errorf("cannot read snapshot: %w", err)
		}
		if err := c.restore(l); err != nil {
			return nil, err
		}
	}
}

func (c *Cluster) restore(l line) error {
	u := (&object{raw: l.Object}).decode()
	gvk := u.GroupVersionKind()
	k := c.kindOf(gvk.GroupVersion().WithResource(l.Resource))
	if k == nil {
		return fmt.Errorf("cannot restore %s %s: it is not served", gvk.Kind, u.GetName())
	}
	revision, err := revisionOf(u.GetResourceVersion())
	if err != nil {
		return err
	}
	gr := k.groupResource()
	if c.objects[gr] == nil {
		c.objects[gr] = map[string]*object{}
	}
	c.objects[gr][key(u.GetNamespace(), u.GetName())] = newObject(k, u, revision)
	if gr.Group == apiextensionsv1.GroupName {
		return c.define(&unstructured.Unstructured{Object: u.Object})
	}
	return nil
}
