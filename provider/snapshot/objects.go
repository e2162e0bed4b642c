package snapshot

import (
	"context"
	"maps"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mainstay-dev/mainstay/internal/preflight"
)

// maxPages of classes and volumes.
const maxPages = 10

// classes of storage, priority and runtimes.
func (r *reader) classes(ctx context.Context, n preflight.Needs, s *preflight.Snapshot) error {
	if n.Storage {
		st, err := fresh(r, "storage", func() (*preflight.Storage, error) { return r.storage(ctx) })
		if err != nil {
			if err := unknown(err); err != nil {
				return err
			}
		}
		if st != nil && r.wantsVolumes(n, st) {
			free, err := fresh(r, "volumes", func() (map[string]bool, error) { return r.freeVolumes(ctx) })
			if err != nil {
				if err := unknown(err); err != nil {
					return err
				}
				st = nil
			} else {
				st = &preflight.Storage{Classes: st.Classes, Default: st.Default, Free: free}
			}
		}
		s.Storage = st
	}
	var err error
	if n.PriorityClasses {
		if s.PriorityClasses, err = r.names(ctx, schedulingv1.SchemeGroupVersion.WithKind("PriorityClass")); err != nil {
			return err
		}
	}
	if n.RuntimeClasses {
		if s.RuntimeClasses, err = r.names(ctx, nodev1.SchemeGroupVersion.WithKind("RuntimeClass")); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) storage(ctx context.Context) (*preflight.Storage, error) {
	st := &preflight.Storage{Classes: map[string]bool{}, Free: map[string]bool{}}
	l := &storagev1.StorageClassList{}
	err := r.pages(ctx, l, maxPages, func() {
		for i := range l.Items {
			c := &l.Items[i]
			st.Classes[c.Name] = c.VolumeBindingMode != nil && *c.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer
			for _, a := range []string{"storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"} {
				st.Default = st.Default || c.Annotations[a] == "true"
			}
		}
	})
	return st, err
}

// wantsVolumes is true where a class is missing, so that only a volume that was made by
// hand could help.
func (r *reader) wantsVolumes(n preflight.Needs, st *preflight.Storage) bool {
	return !st.Default || slices.ContainsFunc(n.StorageClasses, func(c string) bool { _, ok := st.Classes[c]; return !ok })
}

func (r *reader) freeVolumes(ctx context.Context) (map[string]bool, error) {
	free := map[string]bool{}
	l := &corev1.PersistentVolumeList{}
	err := r.pages(ctx, l, maxPages, func() {
		for i := range l.Items {
			if l.Items[i].Status.Phase == corev1.VolumeAvailable || l.Items[i].Status.Phase == corev1.VolumePending {
				free[l.Items[i].Spec.StorageClassName] = true
			}
		}
	})
	return free, err
}

// names of all objects of a kind that has no namespaces. They are nil where they are not known.
func (r *reader) names(ctx context.Context, gvk schema.GroupVersionKind) (map[string]bool, error) {
	out, err := fresh(r, "names "+gvk.Kind, func() (map[string]bool, error) {
		found := map[string]bool{}
		l := &metav1.PartialObjectMetadataList{}
		l.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		err := r.pages(ctx, l, maxPages, func() {
			for i := range l.Items {
				found[l.Items[i].Name] = true
			}
		})
		return found, err
	})
	if err != nil {
		return nil, unknown(err)
	}
	return out, nil
}

// config that pods refer to: ConfigMaps, Secrets, service accounts and claims.
func (r *reader) config(ctx context.Context, n preflight.Needs, s *preflight.Snapshot) error {
	s.ConfigMaps, s.Secrets = map[types.NamespacedName]*preflight.ConfigMap{}, map[types.NamespacedName]*preflight.Secret{}
	s.ServiceAccounts, s.Claims = map[types.NamespacedName]*preflight.ServiceAccount{}, map[types.NamespacedName]*preflight.Claim{}
	if err := each(r, "configmap", n.ConfigMaps, s.ConfigMaps, func(key types.NamespacedName) (*preflight.ConfigMap, error) {
		o := &corev1.ConfigMap{}
		ok, err := r.get(ctx, key, o)
		if !ok {
			return nil, err
		}
		return &preflight.ConfigMap{Keys: append(slices.Sorted(maps.Keys(o.Data)), slices.Sorted(maps.Keys(o.BinaryData))...)}, nil
	}); err != nil {
		return err
	}
	if err := each(r, "secret", n.Secrets, s.Secrets, func(key types.NamespacedName) (*preflight.Secret, error) {
		o := &corev1.Secret{}
		ok, err := r.get(ctx, key, o)
		if !ok {
			return nil, err
		}
		// Values go no further than here.
		return &preflight.Secret{Type: o.Type, Keys: slices.Sorted(maps.Keys(o.Data))}, nil
	}); err != nil {
		return err
	}
	if err := each(r, "account", n.ServiceAccounts, s.ServiceAccounts, func(key types.NamespacedName) (*preflight.ServiceAccount, error) {
		m, err := r.metadata(ctx, corev1.SchemeGroupVersion.WithKind("ServiceAccount"), key)
		if m == nil || err != nil {
			return nil, err
		}
		return &preflight.ServiceAccount{}, nil
	}); err != nil {
		return err
	}
	return each(r, "claim", n.Claims, s.Claims, func(key types.NamespacedName) (*preflight.Claim, error) {
		o := &corev1.PersistentVolumeClaim{}
		ok, err := r.get(ctx, key, o)
		if !ok {
			return nil, err
		}
		return &preflight.Claim{Phase: o.Status.Phase, Class: o.Spec.StorageClassName, Terminating: o.DeletionTimestamp != nil}, nil
	})
}

// each reads objects by name. One that cannot be read stays unknown.
func each[T any](r *reader, what string, keys []types.NamespacedName, into map[types.NamespacedName]*T, read func(types.NamespacedName) (*T, error)) error {
	for _, key := range keys {
		v, err := fresh(r, what+" "+key.String(), func() (*T, error) { return read(key) })
		if err != nil {
			if err := unknown(err); err != nil {
				return err
			}
			continue
		}
		into[key] = v
	}
	return nil
}

// objects of the content as they are on the cluster, without what only a server sets.
func (r *reader) objects(ctx context.Context, n preflight.Needs, s *preflight.Snapshot) error {
	s.Objects = map[preflight.ObjectKey]*unstructured.Unstructured{}
	for _, ref := range n.Objects {
		gvk := ref.WithVersion(ref.Version)
		if _, ok := s.Kinds.Served[gvk]; !ok {
			continue
		}
		o, err := fresh(r, "object "+gvk.String()+" "+ref.NamespacedName.String(), func() (*unstructured.Unstructured, error) {
			u := &unstructured.Unstructured{}
			u.SetGroupVersionKind(gvk)
			ok, err := r.get(ctx, ref.NamespacedName, u)
			if !ok {
				return nil, err
			}
			return trimmed(u), nil
		})
		if err != nil {
			if err := unknown(err); err != nil {
				return err
			}
			continue
		}
		s.Objects[ref.ObjectKey] = o
	}
	return nil
}

// trimmed object: only what can be compared, and whose it is. A Secret is its type.
func trimmed(u *unstructured.Unstructured) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: map[string]any{}}
	for k, v := range u.Object {
		switch k {
		case "metadata", "status":
			continue
		case "data", "binaryData", "stringData":
			if u.GetKind() == "Secret" {
				continue
			}
		}
		out.Object[k] = v
	}
	out.SetLabels(u.GetLabels())
	return out
}

// access that contracts ask for.
func (r *reader) access(ctx context.Context, n preflight.Needs, s *preflight.Snapshot) error {
	s.Access = map[preflight.Access]bool{}
	for _, a := range n.Access {
		allowed, err := fresh(r, "access "+a.String(), func() (bool, error) {
			sar := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User:               "system:serviceaccount:" + a.Namespace + ":" + a.ServiceAccount,
				Groups:             []string{"system:serviceaccounts", "system:serviceaccounts:" + a.Namespace, "system:authenticated"},
				ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: a.Namespace, Verb: a.Verb, Group: a.Group, Resource: a.Resource},
			}}
			err := r.client.Create(ctx, sar)
			return sar.Status.Allowed, err
		})
		if err != nil {
			if err := unknown(err); err != nil {
				return err
			}
			continue
		}
		s.Access[a] = allowed
	}
	return nil
}
