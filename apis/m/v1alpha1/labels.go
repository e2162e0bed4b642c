package v1alpha1

// Labels and annotations that Mainstay writes, on the hub and on clusters.
const (
	// LabelFleet is the name of the fleet a resource belongs to.
	LabelFleet = "mainstay.dev/fleet"
	// LabelCluster is the name a cluster has in its fleet.
	LabelCluster = "mainstay.dev/cluster"
	// LabelNodePool is the name of the node pool a node belongs to.
	LabelNodePool = "mainstay.dev/node-pool"
	// LabelNodeClass is the class of a node.
	LabelNodeClass = "mainstay.dev/node-class"
	// LabelSpot is "true" on a node that can be taken away at short notice. Such a node
	// has a taint with this key, too.
	LabelSpot = "mainstay.dev/spot"
	// LabelApplication is the name of the application an object belongs to.
	LabelApplication = "mainstay.dev/application"
	// LabelComponent is the name of the component an object belongs to.
	LabelComponent = "mainstay.dev/component"
	// LabelTenant is the namespace, on the hub, that an object was deployed from.
	LabelTenant = "mainstay.dev/tenant"
	// LabelRollout is the name of the Rollout that made a Release.
	LabelRollout = "mainstay.dev/rollout"

	// LabelRepository is the name of the Repository whose merge request a Change is of.
	LabelRepository = "mainstay.dev/repository"

	// LabelRequireChange is "true" on a namespace whose claims may only say what an
	// approved change carries.
	LabelRequireChange = "mainstay.dev/require-change"

	// AnnotationRepositories on a namespace lists the Repositories of other namespaces
	// whose claims it takes, as <namespace>/<name>, separated by commas.
	AnnotationRepositories = "mainstay.dev/repositories"
	// AnnotationChange fences: it says for which change, and in which epoch, a claim was
	// last written, as <namespace>/<name>.<epoch>.
	AnnotationChange = "mainstay.dev/change"

	// AnnotationAllowDeletion on a claim repeats its name, where it is to be deleted by hand
	// although only changes may delete it.
	AnnotationAllowDeletion = "mainstay.dev/allow-deletion"

	// AnnotationLeaveChanges is "true" on a Repository that may be deleted although Changes
	// are under way: their locks are left, and what runs stays as it is.
	AnnotationLeaveChanges = "mainstay.dev/leave-changes"

	// AnnotationRelease marks an object on a cluster with the Release that owns it,
	// as namespace/name on the hub. Nothing is taken over or removed that carries
	// another's mark.
	AnnotationRelease = "mainstay.dev/release"

	// AnnotationWave on a Release names the wave that its cluster was moved in. It keeps a
	// cluster in its wave while others come and go.
	AnnotationWave = "mainstay.dev/wave"
	// AnnotationEpoch fences: it says in which epoch of which Release an object was
	// last written, as <uid>.<epoch>. Whoever decided in a lower one does not write it.
	AnnotationEpoch = "mainstay.dev/epoch"
	// AnnotationProcedure says of an object that a step of an upgrade procedure put on
	// a cluster which upgrade it was for.
	AnnotationProcedure = "mainstay.dev/procedure"

	// ClusterLabelRegion is the cluster label that a cluster's region becomes.
	ClusterLabelRegion = "region"

	// FieldManager owns what Mainstay applies to clusters.
	FieldManager = "mainstay"
	// FieldManagerChange owns what changes apply to the hub.
	FieldManagerChange = "mainstay-change"
)
