package preflight

import (
	"slices"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A Cause is something for which an application does not start, or does not work.
type Cause struct {
	// ID such as C2. The letter is its family: A the API server refuses it, B it is not
	// scheduled, C its containers do not start, D they start and do not work.
	ID string
	// Title in a few words.
	Title string
	// Severity where it is certain. What depends on time or luck is a Warning.
	Severity v1alpha1.Severity
	// Doc says what is looked at, and when it only warns.
	Doc string

	check func(*run)
}

// Causes that are looked for, in order.
func Causes() []Cause { return slices.Clone(catalogue) }

const (
	blocking = v1alpha1.Blocking
	warning  = v1alpha1.Warning
)

// Found by the server-side dry run alone.
var noCheck = func(*run) {}

var catalogue = []Cause{
	{"A1", "Kind is not served", blocking, "The cluster does not serve the kind, and the application does not bring its definition. Kinds that a contract names count.", checkServed},
	{"A2", "API version is removed", blocking, "The kind is served in another version only, or the version was removed in the cluster's release. Warns where the version is still served and will be removed.", checkRemoved},
	{"A3", "Object does not fit its schema", blocking, "A field is unknown, missing, or has a wrong type or value: Kubernetes' own kinds by their types, custom resources by the schema and the rules of their definition.", checkSchema},
	{"A4", "Field cannot be changed", blocking, "The object is there, and differs in a field that is immutable: selectors, claims of StatefulSets, templates of Jobs, cluster addresses, roles of bindings and so on.", checkImmutable},
	{"A5", "Namespace is missing or going", blocking, "The namespace that an object goes to does not exist, or is being deleted, and the application does not bring it.", checkNamespaces},
	{"A6", "Quota does not suffice", blocking, "A quota of the namespace is smaller than all replicas together, or wants requests or limits that containers lack. Warns where only what is free now is too little.", checkQuotas},
	{"A7", "Limit range is violated", blocking, "A container, pod or claim is below the least, above the most, or beyond the ratio of the namespace's limit ranges, after their defaults.", checkLimitRanges},
	{"A8", "Pod security level forbids it", blocking, "Pods violate the pod security standard that the namespace enforces, judged by the admission's own code.", checkPodSecurity},
	{"A9", "Priority class is missing", blocking, "The priority class does not exist, and the application does not bring it.", checkPriorityClass},
	{"A10", "Runtime class is missing", blocking, "The runtime class does not exist, and the application does not bring it.", checkRuntimeClass},
	{"A11", "Service account is missing", blocking, "The service account does not exist, and the application does not bring it. Warns where something in the application may make it.", checkServiceAccount},
	{"A12", "Admission refuses it", blocking, "A webhook or policy refused the object in the server-side dry run, or a webhook that must answer did not. It is asked again while clusters wait.", noCheck},
	{"A13", "Name or label is not valid", blocking, "A name, label, port, volume or container name is too long or has characters that are not allowed, also the names that Kubernetes makes of it.", checkNames},
	{"A14", "Selector does not match the template", blocking, "The selector of a workload does not select the pods of its template.", checkSelectors},
	{"A15", "Duplicate or dangling part of a pod", blocking, "Containers, ports, variables, volumes or mount paths are there twice, or a mount names no volume.", checkParts},

	{"B1", "Pod is larger than any node", blocking, "No node that the pod may run on has room for it, even empty. Warns where only what daemons leave is too little, and where nodes may come by themselves.", checkFits},
	{"B2", "Replicas do not fit", blocking, "All nodes together, even empty, cannot take all replicas, in whatever order. Warns where only what is free now is too little.", checkPacking},
	{"B3", "No node matches the selector", blocking, "The node selector or the required node affinity matches no node, or a label of the contract is on none.", checkAffinity},
	{"B4", "Taints are not tolerated", blocking, "All nodes that match have a taint that the pod does not tolerate. Taints of nodes that are not ready yet do not count.", checkTaints},
	{"B5", "Anti-affinity leaves too few places", blocking, "Replicas that must not share a domain are more than there are domains.", checkAntiAffinity},
	{"B6", "Spread cannot be met", blocking, "A topology spread that must be met has no node with its label, or too few domains.", checkSpread},
	{"B7", "Extended resource is absent", blocking, "No node that the pod may run on offers a resource such as nvidia.com/gpu that it, or its contract, asks for.", checkExtended},
	{"B8", "Volume cannot be had", blocking, "The claim does not exist or is lost, its storage class does not exist, or there is no default class. Warns where something in the application may make the claim.", checkVolumes},
	{"B10", "Host port is taken", blocking, "Replicas that need a port of their node are more than the nodes, or other pods have the port on all nodes. Warns where they have it on some.", checkHostPorts},
	{"B16", "No node has the architecture", blocking, "The pod asks for, or its image is only made for, an architecture that no node has.", checkArchitecture},

	{"C1", "ConfigMap or Secret is missing", blocking, "A ConfigMap or Secret that a pod needs does not exist, and the application does not bring it. What is optional is left out. Warns where something in the application may make it.", checkConfig},
	{"C2", "Key is missing", blocking, "The ConfigMap or Secret has not the key that a variable, a volume or the contract needs, or has one that the contract forbids.", checkKeys},
	{"C3", "Secret has the wrong type or keys", blocking, "A pull secret or a TLS secret has another type, or a Secret lacks the keys of its type. Warns where pods start without it.", checkSecretTypes},
	{"C4", "Pull secret is missing", warning, "A pull secret does not exist. Pods start if the image can be had without. Which registries it covers is not looked at: that is part of its value.", checkPullSecrets},
	{"C5", "Image does not exist", blocking, "The registry says that there is no such tag or digest, and no node has the image. Needs registry checks.", checkImages},
	{"C6", "Image tag is not fixed", warning, "The image has no tag, or latest: what runs differs from node to node and from day to day.", checkTags},
	{"C7", "Image has no such platform", blocking, "The image's index has no platform of a node that the pod may run on. Needs registry checks.", checkPlatforms},
	{"C8", "Image is never pulled", warning, "With the pull policy Never a node must have the image already.", checkPullPolicy},

	{"D1", "Probe asks the wrong port", blocking, "A probe or hook names a port that its container does not have. Warns where the number is not among those that it declares.", checkProbes},
	{"D2", "Environment is not as the contract says", blocking, "A variable that the component's version needs is missing, or one that it does not have any more is set, or a port of the contract is not offered.", checkEnvironment},
	{"D3", "Heap is larger than the memory limit", warning, "A JVM's heap or a Flink process is larger than the memory limit of its container, and will be killed as it grows.", checkHeap},
	{"D7", "Service selects nothing", warning, "The selector of a Service matches no pod of the application or the namespace, or its named target port is none of theirs.", checkServices},
	{"D8", "Right is missing", blocking, "The component's service account has not a right that its contract needs, and the application does not give it. Also where the tenant may not write an object, or not into its namespace.", checkAccess},
	{"D10", "Disruption budget allows nothing", warning, "The budget never allows a pod to be evicted, so nodes cannot be drained.", checkBudgets},
	{"D11", "Update cannot move", blocking, "maxSurge and maxUnavailable are both 0. Warns where an update needs room for one more pod that is not there.", checkSurge},
	{"D12", "Grace period is too short", warning, "The hook that runs before a container is stopped takes longer than the pod is given.", checkGrace},
	{"D13", "Configuration changes without a restart", warning, "A ConfigMap changes while the pods that use it stay as they are, so they go on with the old one.", checkRestarts},
}
