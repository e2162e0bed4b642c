package apiserver

import (
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const defaultClass = "standard"

// seed a cluster with what any has.
func (c *Cluster) seed() {
	c.mu.Lock()
	defer c.unlock()
	for _, ns := range []string{"default", "kube-node-lease", "kube-public", "kube-system"} {
		c.must(namespaces.WithVersion("v1"), bare("v1", "Namespace", ns))
	}
	for _, r := range seededRoles() {
		m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&r)
		if err != nil {
			panic(err)
		}
		u := &unstructured.Unstructured{Object: m}
		withoutEmpty(u)
		c.must(clusterRoles.WithVersion("v1"), u)
	}
	class := bare("storage.k8s.io/v1", "StorageClass", defaultClass)
	class.SetAnnotations(map[string]string{"storageclass.kubernetes.io/is-default-class": "true"})
	class.Object["provisioner"] = "simulated.mainstay.dev/volumes"
	class.Object["reclaimPolicy"] = "Delete"
	class.Object["volumeBindingMode"] = "Immediate"
	c.must(schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"}, class)
	for name, value := range map[string]int64{"system-cluster-critical": 2000000000, "system-node-critical": 2000001000} {
		p := bare("scheduling.k8s.io/v1", "PriorityClass", name)
		p.Object["value"] = value
		c.must(schema.GroupVersionResource{Group: "scheduling.k8s.io", Version: "v1", Resource: "priorityclasses"}, p)
	}
}

// furnish a namespace with what is in any.
func (c *Cluster) furnish(namespace string) error {
	for _, o := range []struct {
		gvr schema.GroupVersionResource
		u   *unstructured.Unstructured
	}{
		{schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}, bare("v1", "ServiceAccount", "default")},
		{schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, bare("v1", "ConfigMap", "kube-root-ca.crt")},
	} {
		k := c.machinery.byPath[o.gvr]
		if ns := c.objects[namespaces][key("", namespace)]; ns == nil || ns.leaving || c.find(k, namespace, o.u.GetName()) != nil {
			continue
		}
		if err := c.makeLocked(k, namespace, o.u); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) must(gvr schema.GroupVersionResource, u *unstructured.Unstructured) {
	if err := c.makeLocked(c.machinery.byPath[gvr], "", u); err != nil {
		panic(fmt.Sprintf("cannot make %s: %v", u.GetName(), err)) // What is seeded is ours.
	}
}

func (c *Cluster) makeLocked(k *kind, namespace string, u *unstructured.Unstructured) error {
	_, _, err := c.writeLocked(target{kind: k, namespace: namespace, name: u.GetName()}, func(*unstructured.Unstructured) (*unstructured.Unstructured, bool, error) {
		return u, true, nil
	})
	return err
}

func bare(apiVersion, kind, name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": name}}}
}

// seededRoles are those that a cluster is made with, simpler than the real ones: who is
// admin of a namespace may do anything there but change its bounds.
func seededRoles() []rbacv1.ClusterRole {
	read, all := []string{"get", "list", "watch"}, []string{"*"}
	rule := func(verbs, groups []string, resources ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{Verbs: verbs, APIGroups: groups, Resources: resources}
	}
	role := func(name string, rules ...rbacv1.PolicyRule) rbacv1.ClusterRole {
		return rbacv1.ClusterRole{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/bootstrapping": "rbac-defaults"}}, Rules: rules,
		}
	}
	named := []string{"apps", "batch", "autoscaling", "policy", "networking.k8s.io", "discovery.k8s.io", "events.k8s.io", "coordination.k8s.io"}
	edit := []rbacv1.PolicyRule{
		rule(all, named, "*"),
		rule(all, []string{""}, "configmaps", "secrets", "services", "serviceaccounts", "endpoints", "persistentvolumeclaims",
			"pods", "pods/status", "pods/eviction", "pods/log", "pods/exec", "events", "replicationcontrollers", "replicationcontrollers/scale"),
		rule(read, []string{""}, "namespaces", "resourcequotas", "resourcequotas/status", "limitranges"),
	}
	admin := append(slices.Clone(edit),
		rule(all, []string{rbacv1.GroupName}, "roles", "rolebindings"),
		rule([]string{"create"}, []string{"authorization.k8s.io"}, "localsubjectaccessreviews"))
	return []rbacv1.ClusterRole{
		role("cluster-admin", rule(all, all, "*")),
		role("admin", admin...),
		role("edit", edit...),
		role("view", rule(read, append([]string{""}, named...), "*")),
	}
}
