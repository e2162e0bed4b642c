package fleet

import (
	"cmp"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	protectionv1beta1 "github.com/crossplane/crossplane/apis/v2/protection/v1beta1"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/names"
)

// Cell returns the FleetCell that holds some of a fleet's clusters.
func Cell(namespace, fleet string, number int, s *v1alpha1.ClusterFleetSpec, clusters []v1alpha1.FleetCluster) *v1alpha1.FleetCell {
	return &v1alpha1.FleetCell{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.FleetCellKind},
		ObjectMeta: meta(namespace, names.FleetCell(fleet, number), map[string]string{mv1alpha1.LabelFleet: fleet}),
		Spec: v1alpha1.FleetCellSpec{
			Fleet:             fleet,
			ProviderConfigRef: s.ProviderConfigRef,
			KubernetesVersion: s.KubernetesVersion,
			Clusters:          clusters,
			NodePools:         s.NodePools,
			Tenants:           s.Tenants,
			Revision:          Revision(s),
			DeletionPolicy:    cmp.Or(s.DeletionPolicy, v1alpha1.DeletionDelete),
		},
	}
}

// Cluster returns the Cluster resource for a cluster of a cell.
func Cluster(namespace string, s *v1alpha1.FleetCellSpec, c *v1alpha1.FleetCluster) *mv1alpha1.Cluster {
	name := names.Cluster(s.Fleet, c.Name)
	managed := managedSpec(s)
	managed.WriteConnectionSecretToReference = &xpv2.LocalSecretReference{Name: names.Kubeconfig(name)}
	return &mv1alpha1.Cluster{
		TypeMeta:   typeMeta(mv1alpha1.ClusterGVK.Kind),
		ObjectMeta: meta(namespace, name, resourceLabels(s, c)),
		Spec: mv1alpha1.ClusterSpec{
			ManagedResourceSpec: managed,
			ForProvider: mv1alpha1.ClusterParameters{
				Fleet:               s.Fleet,
				Name:                c.Name,
				Region:              c.Region,
				KubernetesVersion:   version(s, c),
				Shape:               shape(s, c),
				Revision:            s.Revision,
				Labels:              Labels(c),
				Facts:               c.Facts,
				Tenants:             s.Tenants,
				KubeconfigSecretRef: c.KubeconfigSecretRef,
			},
		},
	}
}

func version(s *v1alpha1.FleetCellSpec, c *v1alpha1.FleetCluster) string {
	return cmp.Or(c.KubernetesVersion, s.KubernetesVersion)
}

// shape of a cluster whose fleet rolls shapes out.
func shape(s *v1alpha1.FleetCellSpec, c *v1alpha1.FleetCluster) string {
	if s.Revision == "" {
		return ""
	}
	return Shape(version(s, c), s.NodePools)
}

// NodePool returns the NodePool resource for a pool of a cluster of a cell.
func NodePool(namespace string, s *v1alpha1.FleetCellSpec, c *v1alpha1.FleetCluster, p *v1alpha1.FleetNodePool) *mv1alpha1.NodePool {
	return &mv1alpha1.NodePool{
		TypeMeta:   typeMeta(mv1alpha1.NodePoolGVK.Kind),
		ObjectMeta: meta(namespace, names.NodePool(s.Fleet, c.Name, p.Name), resourceLabels(s, c)),
		Spec: mv1alpha1.NodePoolSpec{
			ManagedResourceSpec: managedSpec(s),
			ForProvider: mv1alpha1.NodePoolParameters{
				Cluster: names.Cluster(s.Fleet, c.Name),
				Name:    p.Name,
				Class:   p.Class,
				Size:    p.Size,
				Labels:  p.Labels,
				Taints:  p.Taints,
				Shape:   shape(s, c),
			},
		},
	}
}

// Guard returns the Usage that refuses the deletion of a fleet while applications run
// on it, and nil where none do or where the fleet does not want to be guarded.
func Guard(namespace, fleet string, s *v1alpha1.ClusterFleetSpec, applications []string) *protectionv1beta1.Usage {
	if s.DeletionGuard == v1alpha1.GuardNone || len(applications) == 0 {
		return nil
	}
	shown := applications
	more := ""
	if len(shown) > maxGuardApplications {
		shown, more = shown[:maxGuardApplications], " and others"
	}
	return &protectionv1beta1.Usage{
		TypeMeta:   metav1.TypeMeta{APIVersion: protectionv1beta1.SchemeGroupVersion.String(), Kind: protectionv1beta1.UsageKind},
		ObjectMeta: meta(namespace, names.DeletionGuard(fleet), map[string]string{mv1alpha1.LabelFleet: fleet}),
		Spec: protectionv1beta1.UsageSpec{
			Of: protectionv1beta1.NamespacedResource{
				APIVersion:  v1alpha1.GroupVersion.String(),
				Kind:        v1alpha1.ClusterFleetKind,
				ResourceRef: &protectionv1beta1.NamespacedResourceRef{Name: fleet},
			},
			Reason: ptr.To(fmt.Sprintf("applications run on it: %s%s. Delete them first, or set spec.deletionGuard to None",
				strings.Join(shown, ", "), more)),
		},
	}
}

// maxGuardApplications is how many applications the refusal of a deletion names.
const maxGuardApplications = 5

func managedSpec(s *v1alpha1.FleetCellSpec) xpv2.ManagedResourceSpec {
	out := xpv2.ManagedResourceSpec{
		ProviderConfigReference: &xpv2.ProviderConfigReference{Kind: s.ProviderConfigRef.Kind, Name: s.ProviderConfigRef.Name},
		ManagementPolicies:      xpv2.ManagementPolicies{xpv2.ManagementActionAll},
	}
	if s.DeletionPolicy == v1alpha1.DeletionOrphan {
		out.ManagementPolicies = xpv2.ManagementPolicies{
			xpv2.ManagementActionObserve,
			xpv2.ManagementActionCreate,
			xpv2.ManagementActionUpdate,
			xpv2.ManagementActionLateInitialize,
		}
	}
	return out
}

func resourceLabels(s *v1alpha1.FleetCellSpec, c *v1alpha1.FleetCluster) map[string]string {
	return map[string]string{mv1alpha1.LabelFleet: s.Fleet, mv1alpha1.LabelCluster: c.Name}
}

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: mv1alpha1.GroupVersion.String(), Kind: kind}
}

func meta(namespace, name string, labels map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}
}
