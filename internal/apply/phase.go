package apply

import "k8s.io/apimachinery/pkg/runtime/schema"

// A Phase is a step in which objects of some kinds are applied. Objects of a later
// phase may need those of an earlier one to be there.
type Phase int

// Phases, in order.
const (
	// PhaseFoundations: what other objects live in or are instances of.
	PhaseFoundations Phase = iota
	// PhaseRights: who may do what, and how much of it.
	PhaseRights
	// PhaseConfiguration: what pods read and mount.
	PhaseConfiguration
	// PhaseServices: how pods are found.
	PhaseServices
	// PhaseWorkloads: what makes pods.
	PhaseWorkloads
	// PhaseRest: everything else, custom resources included.
	PhaseRest
)

// phases of the standard kinds.
var phases = map[schema.GroupKind]Phase{ //nolint:gochecknoglobals // A table.
	{Kind: "Namespace"}: PhaseFoundations,
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: PhaseFoundations,

	{Kind: "ServiceAccount"}:                                         PhaseRights,
	{Kind: "ResourceQuota"}:                                          PhaseRights,
	{Kind: "LimitRange"}:                                             PhaseRights,
	{Group: "rbac.authorization.k8s.io", Kind: "Role"}:               PhaseRights,
	{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"}:        PhaseRights,
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}:        PhaseRights,
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}: PhaseRights,
	{Group: "networking.k8s.io", Kind: "NetworkPolicy"}:              PhaseRights,
	{Group: "scheduling.k8s.io", Kind: "PriorityClass"}:              PhaseRights,

	{Kind: "ConfigMap"}:                             PhaseConfiguration,
	{Kind: "Secret"}:                                PhaseConfiguration,
	{Kind: "PersistentVolume"}:                      PhaseConfiguration,
	{Kind: "PersistentVolumeClaim"}:                 PhaseConfiguration,
	{Group: "storage.k8s.io", Kind: "StorageClass"}: PhaseConfiguration,

	{Kind: "Service"}:   PhaseServices,
	{Kind: "Endpoints"}: PhaseServices,
	{Group: "discovery.k8s.io", Kind: "EndpointSlice"}: PhaseServices,

	{Kind: "Pod"}:                        PhaseWorkloads,
	{Kind: "ReplicationController"}:      PhaseWorkloads,
	{Group: "apps", Kind: "Deployment"}:  PhaseWorkloads,
	{Group: "apps", Kind: "StatefulSet"}: PhaseWorkloads,
	{Group: "apps", Kind: "DaemonSet"}:   PhaseWorkloads,
	{Group: "apps", Kind: "ReplicaSet"}:  PhaseWorkloads,
	{Group: "batch", Kind: "Job"}:        PhaseWorkloads,
	{Group: "batch", Kind: "CronJob"}:    PhaseWorkloads,
}

// PhaseOf a kind.
func PhaseOf(gk schema.GroupKind) Phase {
	if p, ok := phases[gk]; ok {
		return p
	}
	return PhaseRest
}
