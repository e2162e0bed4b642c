package apiserver

import (
	"fmt"
	"net/http"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// stopping is how long a pod takes to stop where it does not say, in seconds.
const stopping = int64(30)

func (c *Cluster) serveDelete(w http.ResponseWriter, req *request) error {
	if req.subresource != "" {
		return apierrors.NewMethodNotSupported(req.kind.groupResource(), "delete")
	}
	opts, err := c.deleteOptions(req)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.unlock()
	o := c.find(req.kind, req.namespace, req.name)
	if o == nil {
		return apierrors.NewNotFound(req.kind.groupResource(), req.name)
	}
	if p := opts.Preconditions; p != nil {
		uid, revision := "", ""
		if p.UID != nil {
			uid = string(*p.UID)
		}
		if p.ResourceVersion != nil {
			revision = *p.ResourceVersion
		}
		if err := preconditions(targetOf(req), o.decode(), uid, revision); err != nil {
			return err
		}
	}
	if len(opts.DryRun) == 0 {
		if err := c.remove(o, req.namespace, req.name, opts); err != nil {
			return err
		}
	}
	if now := c.find(req.kind, req.namespace, req.name); now != nil {
		write(w, http.StatusOK, present(req, now.raw))
		return nil
	}
	write(w, http.StatusOK, encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess,
		Details: &metav1.StatusDetails{Name: req.name, Group: req.kind.gvk.Group, Kind: req.kind.resource},
	}))
	return nil
}

func (c *Cluster) serveDeleteCollection(w http.ResponseWriter, req *request) error {
	sel, err := selectionOf(req)
	if err != nil {
		return err
	}
	opts, err := c.deleteOptions(req)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.unlock()
	for _, at := range c.sorted(req.kind, req.namespace) {
		o := c.objects[req.kind.groupResource()][at]
		if o == nil || !sel.matches(at, o) || len(opts.DryRun) > 0 {
			continue
		}
		namespace, name, _ := cut(at)
		if err := c.remove(o, namespace, name, opts); err != nil {
			return err
		}
	}
	write(w, http.StatusOK, encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess}))
	return nil
}

// remove an object, as far as it can be removed now. What holds it up, a finalizer, a
// grace period or what is in it, removes it later. Callers hold the lock.
func (c *Cluster) remove(o *object, namespace, name string, opts *metav1.DeleteOptions) error {
	u := o.decode()
	finalizers := u.GetFinalizers()
	policy := metav1.DeletePropagationBackground
	if opts.PropagationPolicy != nil {
		policy = *opts.PropagationPolicy
	}
	switch {
	case policy == metav1.DeletePropagationForeground && c.hasDependents(o.uid):
		finalizers = with(finalizers, metav1.FinalizerDeleteDependents)
	case policy == metav1.DeletePropagationOrphan:
		if err := c.orphan(o.uid); err != nil {
			return err
		}
	}
	grace := c.graceOf(o, u, opts)
	if len(finalizers) == 0 && grace == 0 && !isKind(o.kind, "", "Namespace") {
		c.drop(o, u)
		return c.gone(o, namespace)
	}
	if u.GetDeletionTimestamp() == nil {
		now := metav1.NewTime(c.clock.Now())
		u.SetDeletionTimestamp(&now)
		u.SetDeletionGracePeriodSeconds(&grace)
		u.SetFinalizers(finalizers)
		if o.kind.generation() {
			u.SetGeneration(u.GetGeneration() + 1)
		}
		if isKind(o.kind, "", "Namespace") {
			_ = unstructured.SetNestedField(u.Object, "Terminating", "status", "phase")
		}
		c.put(o.kind, u)
	}
	if slices.Contains(finalizers, metav1.FinalizerDeleteDependents) {
		if err := c.collect(o.uid); err != nil {
			return err
		}
	}
	if isKind(o.kind, "", "Namespace") {
		if err := c.clear(name); err != nil {
			return err
		}
	}
	return c.finish(o.kind, namespace, name)
}

// graceOf an object, in seconds: pods on a node are asked to stop.
func (c *Cluster) graceOf(o *object, u *unstructured.Unstructured, opts *metav1.DeleteOptions) int64 {
	if !isKind(o.kind, "", "Pod") {
		return 0
	}
	if node, _, _ := unstructured.NestedString(u.Object, "spec", "nodeName"); node == "" {
		return 0
	}
	if phase, _, _ := unstructured.NestedString(u.Object, "status", "phase"); phase == "Succeeded" || phase == "Failed" {
		return 0
	}
	if opts.GracePeriodSeconds != nil {
		return *opts.GracePeriodSeconds
	}
	if n, ok, _ := unstructured.NestedInt64(u.Object, "spec", "terminationGracePeriodSeconds"); ok {
		return n
	}
	return stopping
}

// finish removing an object that waited for something, once nothing holds it up.
func (c *Cluster) finish(k *kind, namespace, name string) error {
	o := c.find(k, namespace, name)
	if o == nil || !o.leaving {
		return nil
	}
	u := o.decode()
	finalizers := u.GetFinalizers()
	if i := slices.Index(finalizers, metav1.FinalizerDeleteDependents); i >= 0 && !c.hasDependents(o.uid) {
		finalizers = slices.Delete(finalizers, i, i+1)
		u.SetFinalizers(finalizers)
		if len(finalizers) > 0 {
			c.put(k, u)
		}
	}
	if len(finalizers) > 0 || isKind(k, "", "Namespace") && c.occupied(name) {
		return nil
	}
	if g := u.GetDeletionGracePeriodSeconds(); isKind(k, "", "Pod") && g != nil && *g > 0 {
		return nil // Whoever plays its node removes it.
	}
	c.drop(o, u)
	return c.gone(o, namespace)
}

// gone: what an object owned goes too, and what waited for it goes on.
func (c *Cluster) gone(o *object, namespace string) error {
	if isKind(o.kind, "apiextensions.k8s.io", "CustomResourceDefinition") {
		c.undefine(o.decode())
	}
	if err := c.collect(o.uid); err != nil {
		return err
	}
	for _, uid := range o.owners {
		if k, ns, name := c.byUID(uid); k != nil {
			if err := c.finish(k, ns, name); err != nil {
				return err
			}
		}
	}
	if namespace == "" {
		return nil
	}
	return c.finish(c.machinery.namespaces(), "", namespace)
}

// A place of an object.
type place struct {
	object          *object
	namespace, name string
}

// places of all objects that a test chooses.
func (c *Cluster) places(test func(at string, o *object) bool) []place {
	var out []place
	for _, bucket := range c.objects {
		for at, o := range bucket {
			if test(at, o) {
				ns, name, _ := cut(at)
				out = append(out, place{o, ns, name})
			}
		}
	}
	return out
}

func (c *Cluster) hasDependents(uid string) bool {
	for _, bucket := range c.objects {
		for _, o := range bucket {
			if slices.Contains(o.owners, uid) {
				return true
			}
		}
	}
	return false
}

// collect what an owner leaves behind. What another owner keeps only loses this one.
func (c *Cluster) collect(uid string) error {
	for _, p := range c.places(func(_ string, o *object) bool { return slices.Contains(o.owners, uid) }) {
		if c.find(p.object.kind, p.namespace, p.name) != p.object {
			continue // It went with another.
		}
		kept := slices.ContainsFunc(p.object.owners, func(other string) bool {
			k, _, _ := c.byUID(other)
			return other != uid && k != nil
		})
		if kept {
			if err := c.disown(p, uid); err != nil {
				return err
			}
			continue
		}
		if p.object.leaving {
			continue
		}
		if err := c.remove(p.object, p.namespace, p.name, &metav1.DeleteOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// orphan what an owner that goes has.
func (c *Cluster) orphan(uid string) error {
	for _, p := range c.places(func(_ string, o *object) bool { return slices.Contains(o.owners, uid) }) {
		if err := c.disown(p, uid); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) disown(p place, uid string) error {
	_, _, err := c.writeLocked(target{kind: p.object.kind, namespace: p.namespace, name: p.name}, func(live *unstructured.Unstructured) (*unstructured.Unstructured, bool, error) {
		live.SetOwnerReferences(slices.DeleteFunc(live.GetOwnerReferences(), func(r metav1.OwnerReference) bool { return string(r.UID) == uid }))
		return live, true, nil
	})
	if err != nil {
		return fmt.Errorf("cannot orphan %s: %w", p.name, err)
	}
	return nil
}

func (c *Cluster) byUID(uid string) (k *kind, namespace, name string) {
	for _, bucket := range c.objects {
		for at, o := range bucket {
			if o.uid == uid {
				ns, n, _ := cut(at)
				return o.kind, ns, n
			}
		}
	}
	return nil, "", ""
}

// clear a namespace of all that is in it.
func (c *Cluster) clear(namespace string) error {
	in := c.places(func(at string, _ *object) bool { ns, _, _ := cut(at); return ns == namespace })
	for _, p := range in {
		if c.find(p.object.kind, p.namespace, p.name) != p.object || p.object.leaving {
			continue
		}
		now := int64(0)
		if err := c.remove(p.object, p.namespace, p.name, &metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) occupied(namespace string) bool {
	for _, bucket := range c.objects {
		for at := range bucket {
			if ns, _, _ := cut(at); ns == namespace {
				return true
			}
		}
	}
	return false
}

// serveEviction deletes a pod, unless too few others would be left.
func (c *Cluster) serveEviction(w http.ResponseWriter, req *request) error {
	c.mu.Lock()
	defer c.unlock()
	o := c.find(req.kind, req.namespace, req.name)
	if o == nil {
		return apierrors.NewNotFound(req.kind.groupResource(), req.name)
	}
	if c.disrupts(req.namespace, o) {
		return apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 10)
	}
	if err := c.remove(o, req.namespace, req.name, &metav1.DeleteOptions{}); err != nil {
		return err
	}
	write(w, http.StatusCreated, encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess}))
	return nil
}

// disrupts is true where a budget that selects a pod allows no disruption.
func (c *Cluster) disrupts(namespace string, pod *object) bool {
	for at, o := range c.objects[pdbs] {
		if ns, _, _ := cut(at); ns != namespace {
			continue
		}
		u := o.decode()
		if n, _, _ := unstructured.NestedInt64(u.Object, "status", "disruptionsAllowed"); n == 0 && selects(u, pod.labels) {
			return true
		}
	}
	return false
}

func with(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(slices.Clone(list), s)
}
