package apiserver

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// MaxAudit is how many changes an audit remembers. It forgets the oldest first.
const MaxAudit = 10000

// A Verb says what became of an object.
type Verb string

// Verbs.
const (
	Created Verb = "Created"
	Changed Verb = "Changed"
	Deleted Verb = "Deleted"
)

// An Entry of an audit is one change of one object that a client made. A request that
// changed nothing leaves none.
type Entry struct {
	// Revision of the cluster that the change made.
	Revision  uint64 `json:"revision"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Verb      Verb   `json:"verb"`
	// Content of the object since (see ContentOf). Where it is that of the entry before,
	// only metadata changed.
	Content string `json:"content"`
	// Annotations that the object has since.
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Audit is what clients changed, in order. It is empty where the cluster keeps none.
func (c *Cluster) Audit() []Entry {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return append([]Entry{}, c.audit...)
}

// record a change that a client made. Callers hold the lock.
func (c *Cluster) record(was, is *object, namespace, name string) {
	if !c.audits || c.own {
		return
	}
	e := Entry{Revision: c.revision, Namespace: namespace, Name: name}
	o := is
	switch {
	case is == nil:
		e.Verb, o = Deleted, was
	case was == nil:
		e.Verb = Created
	case bytes.Equal(was.raw, is.raw):
		return
	default:
		e.Verb = Changed
	}
	u := o.decode()
	e.Kind, e.Annotations = u.GetKind(), u.GetAnnotations()
	e.Content = ContentOf(u)
	if len(c.audit) == MaxAudit {
		c.audit = append(c.audit[:0], c.audit[1:]...)
	}
	c.audit = append(c.audit, e)
}

// ContentOf an object is a hash of all that it has but metadata and status.
func ContentOf(u *unstructured.Unstructured) string {
	content := maps.Clone(u.Object)
	delete(content, "metadata")
	delete(content, "status")
	sum := sha256.Sum256(encode(content))
	return hex.EncodeToString(sum[:8])
}
