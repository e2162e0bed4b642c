package apiserver

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/uuid"
)

// An edit says what becomes of an object, which is nil where there is none. It may
// change what it is given. Managed is true where it has worked out who owns which field.
type edit func(live *unstructured.Unstructured) (next *unstructured.Unstructured, managed bool, err error)

// A target is what is written.
type target struct {
	kind            *kind
	namespace, name string
	subresource     string
	manager         string
	dryRun          bool
}

func targetOf(req *request) target {
	return target{req.kind, req.namespace, req.name, req.subresource, managerOf(req.http), req.dryRun()}
}

func (c *Cluster) serveCreate(w http.ResponseWriter, req *request) error {
	u, err := c.decodeBody(req)
	if err != nil {
		return err
	}
	if req.kind.review {
		return c.serveReview(w, req, u)
	}
	if req.subresource == "eviction" {
		return c.serveEviction(w, req)
	}
	if req.name != "" {
		return apierrors.NewMethodNotSupported(req.kind.groupResource(), "create")
	}
	t := targetOf(req)
	if t.name = u.GetName(); t.name == "" && u.GetGenerateName() != "" {
		t.name = u.GetGenerateName() + rand.String(5)
		u.SetName(t.name)
	}
	o, _, err := c.write(t, func(live *unstructured.Unstructured) (*unstructured.Unstructured, bool, error) {
		if live != nil {
			return nil, false, apierrors.NewAlreadyExists(t.kind.groupResource(), t.name)
		}
		return u, false, nil
	})
	if err != nil {
		return err
	}
	write(w, http.StatusCreated, present(req, o.raw))
	return nil
}

func (c *Cluster) serveUpdate(w http.ResponseWriter, req *request) error {
	u, err := c.decodeBody(req)
	if err != nil {
		return err
	}
	t := targetOf(req)
	o, _, err := c.write(t, func(live *unstructured.Unstructured) (*unstructured.Unstructured, bool, error) {
		if live == nil {
			return nil, false, apierrors.NewNotFound(t.kind.groupResource(), t.name)
		}
		if err := preconditions(t, live, string(u.GetUID()), u.GetResourceVersion()); err != nil {
			return nil, false, err
		}
		if t.subresource == "scale" {
			return scaled(live, u)
		}
		return u, false, nil
	})
	if err != nil {
		return err
	}
	c.answer(w, req, o, http.StatusOK)
	return nil
}

func (c *Cluster) answer(w http.ResponseWriter, req *request, o *object, code int) {
	if req.subresource == "scale" {
		write(w, code, encode(scaleOf(o.decode()).Object))
		return
	}
	write(w, code, present(req, o.raw))
}

// scaled to the number of replicas that a Scale asks for.
func scaled(live, scale *unstructured.Unstructured) (*unstructured.Unstructured, bool, error) {
	n, ok, _ := unstructured.NestedInt64(scale.Object, "spec", "replicas")
	if !ok || n < 0 {
		return nil, false, apierrors.NewBadRequest("spec.replicas of a Scale must be a number that is not negative")
	}
	next := live.DeepCopy()
	return next, false, unstructured.SetNestedField(next.Object, n, "spec", "replicas")
}

// preconditions that a write may name: that the object is the one, and as it was.
func preconditions(t target, live *unstructured.Unstructured, uid, revision string) error {
	if uid != "" && uid != string(live.GetUID()) {
		return apierrors.NewConflict(t.kind.groupResource(), t.name,
			fmt.Errorf("Precondition failed: UID in precondition: %s, UID in object meta: %s", uid, live.GetUID())) //nolint:staticcheck // As the API server puts it.
	}
	if revision != "" && revision != live.GetResourceVersion() {
		return apierrors.NewConflict(t.kind.groupResource(), t.name,
			fmt.Errorf("the object has been modified; please apply your changes to the latest version and try again"))
	}
	return nil
}

// write an object. It returns it as it is now, and whether it was made.
func (c *Cluster) write(t target, fn edit) (*object, bool, error) {
	c.mu.Lock()
	defer c.unlock()
	return c.writeLocked(t, fn)
}

func (c *Cluster) writeLocked(t target, fn edit) (*object, bool, error) {
	was := c.find(t.kind, t.namespace, t.name)
	var live *unstructured.Unstructured
	if was != nil {
		live = was.decode()
	}
	next, managed, err := fn(live)
	if err != nil {
		return nil, false, err
	}
	if err := c.address(t, next); err != nil {
		return nil, false, err
	}
	if was == nil {
		o, err := c.make(t, next, managed)
		return o, true, err
	}
	o, err := c.change(t, was, next, managed)
	return o, false, err
}

// address an object to where the request goes.
func (c *Cluster) address(t target, u *unstructured.Unstructured) error {
	if gvk := u.GroupVersionKind(); !gvk.Empty() && gvk.GroupKind() != t.kind.gvk.GroupKind() {
		return apierrors.NewBadRequest(fmt.Sprintf("the object provided is %s, and is sent where %s is served", gvk.Kind, t.kind.gvk.Kind))
	}
	u.SetGroupVersionKind(t.kind.gvk)
	if u.GetName() == "" {
		u.SetName(t.name)
	}
	if u.GetName() != t.name {
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", u.GetName(), t.name))
	}
	if ns := u.GetNamespace(); ns != "" && ns != t.namespace {
		return apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
	}
	if t.kind.namespaced && t.namespace == "" {
		return apierrors.NewBadRequest("an empty namespace may not be set during creation")
	}
	u.SetNamespace(t.namespace)
	return nil
}

// make an object that is not there.
func (c *Cluster) make(t target, u *unstructured.Unstructured, managed bool) (*object, error) {
	if t.subresource != "" {
		return nil, apierrors.NewNotFound(t.kind.groupResource(), t.name)
	}
	if err := c.admitNew(t, u); err != nil {
		return nil, err
	}
	if t.kind.status && !isKind(t.kind, "", "Node") {
		delete(u.Object, "status")
	}
	c.complete(t.kind, nil, u)
	if err := validate(t.kind, nil, u); err != nil {
		return nil, err
	}
	if !managed {
		if err := c.trackFields(t, nil, u); err != nil {
			return nil, err
		}
	}
	u.SetUID(uuid.NewUUID())
	u.SetCreationTimestamp(metav1.NewTime(c.clock.Now()))
	u.SetDeletionTimestamp(nil)
	u.SetSelfLink("")
	unstructured.RemoveNestedField(u.Object, "metadata", "generation")
	if t.kind.generation() {
		u.SetGeneration(1)
	}
	if t.dryRun {
		return newObject(t.kind, u, c.revision), nil
	}
	c.put(t.kind, u)
	err := c.after(t.kind, u)
	return c.find(t.kind, t.namespace, t.name), err
}

// change an object that is there.
func (c *Cluster) change(t target, was *object, next *unstructured.Unstructured, managed bool) (*object, error) {
	live := was.decode()
	if t.kind.status {
		next = exchangeStatus(t, live, next)
	}
	keep(live, next)
	c.complete(t.kind, live, next)
	if err := validate(t.kind, live, next); err != nil {
		return nil, err
	}
	if !managed {
		if err := c.trackFields(t, live, next); err != nil {
			return nil, err
		}
	}
	if t.kind.generation() && wantsOther(live, next) {
		next.SetGeneration(live.GetGeneration() + 1)
	}
	next.SetResourceVersion(live.GetResourceVersion())
	if raw := encode(next.Object); bytes.Equal(raw, was.raw) || onlyTimesDiffer(live, next) {
		return was, nil
	}
	if t.dryRun {
		return newObject(t.kind, next, was.revision), nil
	}
	o := c.put(t.kind, next)
	if err := c.after(t.kind, next); err != nil {
		return o, err
	}
	return o, c.finish(t.kind, t.namespace, t.name)
}

// exchangeStatus leaves the status as it is, or leaves all but the status as it is.
func exchangeStatus(t target, live, next *unstructured.Unstructured) *unstructured.Unstructured {
	from, into := live, next
	if t.subresource == "status" {
		from, into = next, live.DeepCopy()
		into.SetManagedFields(next.GetManagedFields())
		into.SetLabels(next.GetLabels())
		into.SetAnnotations(next.GetAnnotations())
	}
	if s, ok := from.Object["status"]; ok {
		into.Object["status"] = s
	} else {
		delete(into.Object, "status")
	}
	return into
}

// keep what no client can change.
func keep(live, next *unstructured.Unstructured) {
	next.SetUID(live.GetUID())
	next.SetCreationTimestamp(live.GetCreationTimestamp())
	next.SetDeletionTimestamp(live.GetDeletionTimestamp())
	next.SetDeletionGracePeriodSeconds(live.GetDeletionGracePeriodSeconds())
	next.SetSelfLink("")
	unstructured.RemoveNestedField(next.Object, "metadata", "generation")
	if g := live.GetGeneration(); g > 0 {
		next.SetGeneration(g)
	}
	if next.GetManagedFields() == nil {
		next.SetManagedFields(live.GetManagedFields())
	}
}

// wantsOther is true where an object asks for something else than before.
func wantsOther(live, next *unstructured.Unstructured) bool {
	without := func(u *unstructured.Unstructured) map[string]any {
		m := maps.Clone(u.Object)
		delete(m, "metadata")
		delete(m, "status")
		return m
	}
	return !reflect.DeepEqual(without(live), without(next))
}

// onlyTimesDiffer is true where nothing was changed but when somebody last wrote.
func onlyTimesDiffer(live, next *unstructured.Unstructured) bool {
	a, b := live.GetManagedFields(), next.GetManagedFields()
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		a[i].Time, b[i].Time = nil, nil
	}
	if !reflect.DeepEqual(a, b) {
		return false
	}
	bare := func(u *unstructured.Unstructured) map[string]any {
		m := maps.Clone(u.Object)
		if md, ok := m["metadata"].(map[string]any); ok {
			md = maps.Clone(md)
			delete(md, "managedFields")
			m["metadata"] = md
		}
		return m
	}
	return bytes.Equal(encode(bare(live)), encode(bare(next)))
}

// trackFields works out who owns which field after a write that is no apply.
func (c *Cluster) trackFields(t target, live, next *unstructured.Unstructured) error {
	if t.manager == "" {
		return nil // Whoever plays the controllers owns nothing that anybody would apply.
	}
	fm, err := c.machinery.manager(t.kind, t.subresource)
	if err != nil {
		return err
	}
	if live == nil {
		live = &unstructured.Unstructured{}
		live.SetGroupVersionKind(t.kind.gvk)
	}
	out := fm.UpdateNoErrors(live.DeepCopy(), next, t.manager)
	if u, ok := out.(*unstructured.Unstructured); ok {
		next.Object = u.Object
	}
	return nil
}
