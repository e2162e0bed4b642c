package apiserver

import (
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What whoever plays the controllers of a cluster uses. It needs no connection, and
// owns no fields.

// Get an object. It is nil where there is none.
func (c *Cluster) Get(gk schema.GroupKind, namespace, name string) *unstructured.Unstructured {
	c.mu.RLock()
	defer c.mu.RUnlock()
	k := c.kindNamed(gk)
	if k == nil {
		return nil
	}
	o := c.find(k, namespace, name)
	if o == nil {
		return nil
	}
	return o.decode()
}

// List objects of a kind, in one namespace or in all, in order of their names.
func (c *Cluster) List(gk schema.GroupKind, namespace string) []*unstructured.Unstructured {
	c.mu.RLock()
	defer c.mu.RUnlock()
	k := c.kindNamed(gk)
	if k == nil {
		return nil
	}
	var out []*unstructured.Unstructured
	for _, at := range c.sorted(k, namespace) {
		out = append(out, c.objects[k.groupResource()][at].decode())
	}
	return out
}

// Owned returns the names of the objects of a kind that an owner has, in order.
func (c *Cluster) Owned(gk schema.GroupKind, namespace, uid string) []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	k := c.kindNamed(gk)
	if k == nil {
		return nil
	}
	var out []string
	for at, o := range c.objects[k.groupResource()] {
		if ns, name, _ := cut(at); ns == namespace && slices.Contains(o.owners, uid) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Some is true where there is an object of a kind, in one namespace or in any.
func (c *Cluster) Some(gk schema.GroupKind, namespace string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	k := c.kindNamed(gk)
	if k == nil {
		return false
	}
	for at := range c.objects[k.groupResource()] {
		if ns, _, _ := cut(at); namespace == "" || ns == namespace {
			return true
		}
	}
	return false
}

// Each calls a function for every object, until it returns false. It must not call the cluster.
func (c *Cluster) Each(fn func(gk schema.GroupKind, namespace, name string) bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, bucket := range c.objects {
		for at, o := range bucket {
			ns, name, _ := cut(at)
			if !fn(o.kind.gvk.GroupKind(), ns, name) {
				return
			}
		}
	}
}

// Create an object.
func (c *Cluster) Create(u *unstructured.Unstructured) error {
	c.mu.Lock()
	defer c.unlock()
	c.own = true
	k := c.kindNamed(u.GroupVersionKind().GroupKind())
	if k == nil {
		return fmt.Errorf("cannot create %s: it is not served", u.GetKind())
	}
	if c.find(k, u.GetNamespace(), u.GetName()) != nil {
		return apierrors.NewAlreadyExists(k.groupResource(), u.GetName())
	}
	return c.makeLocked(k, u.GetNamespace(), u)
}

// Edit an object, or only its status. That it is not there is no error.
func (c *Cluster) Edit(gk schema.GroupKind, namespace, name, subresource string, fn func(*unstructured.Unstructured)) error {
	c.mu.Lock()
	defer c.unlock()
	c.own = true
	k := c.kindNamed(gk)
	if k == nil || c.find(k, namespace, name) == nil {
		return nil
	}
	_, _, err := c.writeLocked(target{kind: k, namespace: namespace, name: name, subresource: subresource}, func(live *unstructured.Unstructured) (*unstructured.Unstructured, bool, error) {
		fn(live)
		return live, true, nil
	})
	return err
}

// Delete an object at once. That it is not there is no error.
func (c *Cluster) Delete(gk schema.GroupKind, namespace, name string) error {
	c.mu.Lock()
	defer c.unlock()
	c.own = true
	k := c.kindNamed(gk)
	if k == nil {
		return nil
	}
	o := c.find(k, namespace, name)
	if o == nil {
		return nil
	}
	if o.leaving {
		u := o.decode()
		now := int64(0)
		u.SetDeletionGracePeriodSeconds(&now)
		c.put(k, u)
		return c.finish(k, namespace, name)
	}
	now := int64(0)
	return c.remove(o, namespace, name, &metav1.DeleteOptions{GracePeriodSeconds: &now})
}

// Writes is how many changes there were.
func (c *Cluster) Writes() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.revision
}
