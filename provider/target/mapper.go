package target

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// settled kinds are served by every cluster that can be reached, whatever its version,
// and are the same everywhere. To ask a thousand clusters for them would be to hear the
// same a thousand times.
var settled = settledMapper() //nolint:gochecknoglobals // A table.

func settledMapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	for _, k := range []struct {
		group string
		kinds []string
	}{
		{"", []string{"ConfigMap", "Secret", "Service", "ServiceAccount", "PersistentVolumeClaim", "Pod", "ResourceQuota", "LimitRange", "Event"}},
		{"apps", []string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"}},
		{"batch", []string{"Job", "CronJob"}},
		{"networking.k8s.io", []string{"Ingress", "NetworkPolicy"}},
		{"policy", []string{"PodDisruptionBudget"}},
		{"rbac.authorization.k8s.io", []string{"Role", "RoleBinding"}},
		{"coordination.k8s.io", []string{"Lease"}},
	} {
		for _, kind := range k.kinds {
			m.Add(schema.GroupVersionKind{Group: k.group, Version: "v1", Kind: kind}, meta.RESTScopeNamespace)
		}
	}
	for _, kind := range []string{"Namespace", "Node", "PersistentVolume"} {
		m.Add(schema.GroupVersionKind{Version: "v1", Kind: kind}, meta.RESTScopeRoot)
	}
	m.Add(schema.GroupVersionKind{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"}, meta.RESTScopeNamespace)
	return m
}

// A knowing mapper asks the cluster only for what is not settled.
type knowing struct{ meta.RESTMapper }

// RESTMapping of a kind in one of some versions, of which there may be none.
func (k knowing) RESTMapping(gk schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	if m, err := settled.RESTMapping(gk, versions...); err == nil {
		return m, nil
	}
	return k.RESTMapper.RESTMapping(gk, versions...)
}
