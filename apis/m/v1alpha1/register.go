package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of the managed resources.
var GroupVersion = schema.GroupVersion{Group: "m.mainstay.dev", Version: "v1alpha1"}

// Kinds of this group.
var (
	ClusterGVK               = GroupVersion.WithKind("Cluster")
	NodePoolGVK              = GroupVersion.WithKind("NodePool")
	BundleGVK                = GroupVersion.WithKind("Bundle")
	RolloutGVK               = GroupVersion.WithKind("Rollout")
	ReleaseGVK               = GroupVersion.WithKind("Release")
	RepositoryGVK            = GroupVersion.WithKind("Repository")
	ChangeGVK                = GroupVersion.WithKind("Change")
	PlanGVK                  = GroupVersion.WithKind("Plan")
	ClaimGrantGVK            = GroupVersion.WithKind("ClaimGrant")
	ChangeQueueGVK           = GroupVersion.WithKind("ChangeQueue")
	ProviderConfigGVK        = GroupVersion.WithKind("ProviderConfig")
	ClusterProviderConfigGVK = GroupVersion.WithKind("ClusterProviderConfig")
	ProviderConfigUsageGVK   = GroupVersion.WithKind("ProviderConfigUsage")
)

// AddToScheme adds the kinds of this group to a scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&Cluster{}, &ClusterList{},
		&NodePool{}, &NodePoolList{},
		&Bundle{}, &BundleList{},
		&Rollout{}, &RolloutList{},
		&Release{}, &ReleaseList{},
		&Repository{}, &RepositoryList{},
		&Change{}, &ChangeList{},
		&Plan{}, &PlanList{},
		&ClaimGrant{}, &ClaimGrantList{},
		&ChangeQueue{}, &ChangeQueueList{},
		&ProviderConfig{}, &ProviderConfigList{},
		&ClusterProviderConfig{}, &ClusterProviderConfigList{},
		&ProviderConfigUsage{}, &ProviderConfigUsageList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
