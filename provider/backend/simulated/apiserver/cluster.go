package apiserver

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/utils/clock"
)

// A Config says what cluster an API server is of.
type Config struct {
	// Machinery is shared by all clusters.
	Machinery *Machinery
	// Version of Kubernetes that the server says it is, such as v1.35.3.
	Version string
	// Token of the administrator.
	Token string
	// Clock that timestamps are taken from.
	Clock clock.PassiveClock
	// Changed is told of every change, after it was made. It must return at once and
	// must not call the cluster. Nil tells nobody.
	Changed func(Change)
	// Audit keeps a record of what clients change, for tests that ask what was done and
	// how often. It does not survive the process.
	Audit bool
}

// A Change of an object.
type Change struct {
	Kind            schema.GroupKind
	Namespace, Name string
	// Deleted is true where the object is gone.
	Deleted bool
	// Own is true where whoever plays the controllers made the change.
	Own bool
}

// A Cluster is one API server and its objects.
type Cluster struct {
	machinery *Machinery
	token     string
	clock     clock.PassiveClock
	changed   func(Change)

	mu      sync.RWMutex
	version string
	// revision counts the changes.
	revision  uint64
	objects   map[schema.GroupResource]map[string]*object
	custom    map[schema.GroupVersionResource]*kind
	discovery *discovery
	history   history
	// told are changes that Changed has yet to be told of, and own says whose they are.
	told []Change
	own  bool
	// dirty is true where there are changes that no snapshot has.
	dirty bool
	// audits is true where changes by clients are recorded in audit.
	audits bool
	audit  []Entry
}

// An object as it is stored: what is sent, and what is looked for in many.
type object struct {
	kind     *kind
	raw      []byte
	revision uint64
	labels   map[string]string
	owners   []string
	uid      string
	leaving  bool
}

// New returns a cluster as it is made: with the namespaces, roles and classes that any has.
func New(cfg Config) *Cluster {
	c := empty(cfg)
	c.seed()
	c.audits = cfg.Audit // What any cluster has is nobody's change.
	return c
}

func empty(cfg Config) *Cluster {
	c := &Cluster{
		machinery: cfg.Machinery,
		version:   cfg.Version,
		token:     cfg.Token,
		clock:     cfg.Clock,
		changed:   cfg.Changed,
		objects:   map[schema.GroupResource]map[string]*object{},
		custom:    map[schema.GroupVersionResource]*kind{},
	}
	return c
}

// Version of Kubernetes.
func (c *Cluster) Version() string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.version
}

// SetVersion of Kubernetes, as an upgrade does.
func (c *Cluster) SetVersion(v string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version, c.dirty = v, true
}

// kindOf a resource, or nil where it is not served.
func (c *Cluster) kindOf(gvr schema.GroupVersionResource) *kind {
	if k, ok := c.machinery.byPath[gvr]; ok {
		return k
	}
	return c.custom[gvr]
}

// kindNamed of a group and kind, or nil. Callers hold the lock.
func (c *Cluster) kindNamed(gk schema.GroupKind) *kind {
	for _, k := range c.machinery.kinds {
		if k.gvk.GroupKind() == gk {
			return k
		}
	}
	for _, k := range c.custom {
		if k.gvk.GroupKind() == gk {
			return k
		}
	}
	return nil
}

func key(namespace, name string) string { return namespace + "/" + name }

// find an object, or nil. Callers hold the lock.
func (c *Cluster) find(k *kind, namespace, name string) *object {
	return c.objects[k.groupResource()][key(namespace, name)]
}

// sorted objects of a kind, in one namespace or in all. Callers hold the lock.
func (c *Cluster) sorted(k *kind, namespace string) []string {
	bucket := c.objects[k.groupResource()]
	out := make([]string, 0, len(bucket))
	for key := range bucket {
		if namespace == "" || strings.HasPrefix(key, namespace+"/") {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

func (o *object) decode() *unstructured.Unstructured {
	m := map[string]any{}
	if err := json.Unmarshal(o.raw, &m); err != nil {
		panic(err) // It was encoded here.
	}
	return &unstructured.Unstructured{Object: m}
}

// put an object in its place, with the next revision, and say so. Callers hold the lock.
func (c *Cluster) put(k *kind, u *unstructured.Unstructured) *object {
	c.revision++
	u.SetResourceVersion(strconv.FormatUint(c.revision, 10))
	o := newObject(k, u, c.revision)
	bucket := c.objects[k.groupResource()]
	if bucket == nil {
		bucket = map[string]*object{}
		c.objects[k.groupResource()] = bucket
	}
	at := key(u.GetNamespace(), u.GetName())
	was := bucket[at]
	bucket[at] = o
	c.note(was, o, u.GetNamespace(), u.GetName())
	return o
}

// drop an object. Callers hold the lock.
func (c *Cluster) drop(o *object, u *unstructured.Unstructured) {
	c.revision++
	u.SetResourceVersion(strconv.FormatUint(c.revision, 10))
	gr := o.kind.groupResource()
	delete(c.objects[gr], key(u.GetNamespace(), u.GetName()))
	if len(c.objects[gr]) == 0 {
		delete(c.objects, gr)
	}
	c.note(newObject(o.kind, u, c.revision), nil, u.GetNamespace(), u.GetName())
}

// note a change for those that watch, and for whoever plays the controllers.
func (c *Cluster) note(was, is *object, namespace, name string) {
	c.dirty = true
	c.history.add(event{revision: c.revision, was: was, is: is, namespace: namespace, name: name})
	c.record(was, is, namespace, name)
	if c.changed == nil {
		return
	}
	o := is
	if o == nil {
		o = was
	}
	c.told = append(c.told, Change{Kind: o.kind.gvk.GroupKind(), Namespace: namespace, Name: name, Deleted: is == nil, Own: c.own})
}

// unlock after writing, and tell of what was written.
func (c *Cluster) unlock() {
	told := c.told
	c.told, c.own = nil, false
	c.mu.Unlock()
	for _, ch := range told {
		c.changed(ch)
	}
}

func newObject(k *kind, u *unstructured.Unstructured, revision uint64) *object {
	o := &object{kind: k, raw: encode(u.Object), revision: revision, labels: u.GetLabels(), uid: string(u.GetUID()), leaving: u.GetDeletionTimestamp() != nil}
	for _, r := range u.GetOwnerReferences() {
		o.owners = append(o.owners, string(r.UID))
	}
	return o
}
