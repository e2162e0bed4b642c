package apiserver

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A kind is what is served under one resource name.
type kind struct {
	gvk        schema.GroupVersionKind
	resource   string
	short      []string
	namespaced bool
	// status and scale say which subresources there are.
	status, scale bool
	// custom kinds come from a CustomResourceDefinition.
	custom bool
	// review kinds are answered and not stored.
	review bool
}

func (k *kind) groupResource() schema.GroupResource {
	return schema.GroupResource{Group: k.gvk.Group, Resource: k.resource}
}

func (k *kind) verbs() []string {
	if k.review {
		return []string{"create"}
	}
	return []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
}

// generation is true where an object counts the changes of what is wanted of it.
func (k *kind) generation() bool { return k.status || k.custom }

// builtin kinds, a line for each: group and version, then kind, resource, what it has
// (n namespaced, s status, x scale, r review) and short names.
const builtin = `
v1
Binding bindings n,r
ConfigMap configmaps n cm
Endpoints endpoints n ep
Event events n ev
LimitRange limitranges n limits
Namespace namespaces s ns
Node nodes s no
PersistentVolume persistentvolumes s pv
PersistentVolumeClaim persistentvolumeclaims n,s pvc
Pod pods n,s po
ReplicationController replicationcontrollers n,s,x rc
ResourceQuota resourcequotas n,s quota
Secret secrets n
Service services n,s svc
ServiceAccount serviceaccounts n sa
apps/v1
ControllerRevision controllerrevisions n
DaemonSet daemonsets n,s ds
Deployment deployments n,s,x deploy
ReplicaSet replicasets n,s,x rs
StatefulSet statefulsets n,s,x sts
batch/v1
CronJob cronjobs n,s cj
Job jobs n,s
autoscaling/v2
HorizontalPodAutoscaler horizontalpodautoscalers n,s hpa
policy/v1
PodDisruptionBudget poddisruptionbudgets n,s pdb
networking.k8s.io/v1
Ingress ingresses n,s ing
IngressClass ingressclasses -
NetworkPolicy networkpolicies n netpol
discovery.k8s.io/v1
EndpointSlice endpointslices n
rbac.authorization.k8s.io/v1
ClusterRole clusterroles -
ClusterRoleBinding clusterrolebindings -
Role roles n
RoleBinding rolebindings n
storage.k8s.io/v1
CSIDriver csidrivers -
CSINode csinodes -
StorageClass storageclasses - sc
VolumeAttachment volumeattachments s
scheduling.k8s.io/v1
PriorityClass priorityclasses - pc
node.k8s.io/v1
RuntimeClass runtimeclasses -
coordination.k8s.io/v1
Lease leases n
events.k8s.io/v1
Event events n ev
admissionregistration.k8s.io/v1
MutatingWebhookConfiguration mutatingwebhookconfigurations -
ValidatingAdmissionPolicy validatingadmissionpolicies s
ValidatingAdmissionPolicyBinding validatingadmissionpolicybindings -
ValidatingWebhookConfiguration validatingwebhookconfigurations -
apiextensions.k8s.io/v1
CustomResourceDefinition customresourcedefinitions s crd
authorization.k8s.io/v1
LocalSubjectAccessReview localsubjectaccessreviews n,r
SelfSubjectAccessReview selfsubjectaccessreviews r
SelfSubjectRulesReview selfsubjectrulesreviews r
SubjectAccessReview subjectaccessreviews r
authentication.k8s.io/v1
SelfSubjectReview selfsubjectreviews r
TokenReview tokenreviews r
`

// parseKinds reads the table above. It panics where the table is wrong, which a test sees.
func parseKinds(table string) []*kind {
	var out []*kind
	var gv schema.GroupVersion
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		switch len(f) {
		case 0:
			continue
		case 1:
			var err error
			if gv, err = schema.ParseGroupVersion(f[0]); err != nil {
				panic(err)
			}
			continue
		}
		k := &kind{gvk: gv.WithKind(f[0]), resource: f[1], short: f[3:]}
		for has := range strings.SplitSeq(f[2], ",") {
			switch has {
			case "n":
				k.namespaced = true
			case "s":
				k.status = true
			case "x":
				k.scale = true
			case "r":
				k.review = true
			}
		}
		out = append(out, k)
	}
	return out
}

func isKind(k *kind, group, name string) bool { return k.gvk.Group == group && k.gvk.Kind == name }
