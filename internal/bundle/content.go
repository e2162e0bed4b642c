package bundle

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A Content is everything that one variant of an application puts on a cluster.
type Content struct {
	// Components in the application's order.
	Components []Component `json:"components"`
	// Policies say how the objects are treated once they are on the cluster.
	Policies *Policies `json:"policies,omitempty"`
}

// A Component is the objects of one component.
type Component struct {
	// Name of the component.
	Name string `json:"name"`
	// Type of the component.
	Type string `json:"type"`
	// Version of the definition that it was rendered from, where it has one.
	Version string `json:"version,omitempty"`
	// Traits are the published trait types that it has, as <type>@<version>.
	Traits []string `json:"traits,omitempty"`
	// DependsOn names the components that must be healthy first.
	DependsOn []string `json:"dependsOn,omitempty"`
	// Objects to apply. One whose kind has namespaces but that names none goes to
	// the namespace of the Release.
	Objects []unstructured.Unstructured `json:"objects"`

	// Health is the definition's rule, in place of the workload's own.
	Health *Health `json:"health,omitempty"`
	// Contract is what the definition says the component needs.
	Contract *Contract `json:"contract,omitempty"`
	// Procedure is how the component moves from an earlier version to this.
	Procedure []ProcedureStep `json:"procedure,omitempty"`
	// Outputs are values that are read from the component's objects once it is
	// healthy. Manifests of components that depend on it use them as
	// ${outputs.<name>}.
	Outputs []Output `json:"outputs,omitempty"`
}

// A Health is a rule in CEL. objects is the list of the component's objects as they
// are on the cluster, and object the first of them.
type Health struct {
	// Healthy is true where the component is.
	Healthy string `json:"healthy"`
	// Degraded is true where it will not become so by itself.
	Degraded string `json:"degraded,omitempty"`
	// Message is a text.
	Message string `json:"message,omitempty"`
}

// A Contract is what a component needs of the cluster and of its own manifests.
type Contract struct {
	// Env variables that a container of the workload must have.
	Env []EnvNeed `json:"env,omitempty"`
	// Config keys that a ConfigMap or Secret must have.
	Config []ConfigNeed `json:"config,omitempty"`
	// Ports that the workload must offer, by name or number.
	Ports []string `json:"ports,omitempty"`
	// Kinds that the cluster must serve, as <plural>.<group>/<version> or <plural>.<group>.
	Kinds []string `json:"kinds,omitempty"`
	// Access that the component's service account must have.
	Access []AccessNeed `json:"access,omitempty"`
	// NodeLabels that a node must have for the workload.
	NodeLabels map[string]string `json:"nodeLabels,omitempty"`
	// NodeResources that a node must offer, such as nvidia.com/gpu.
	NodeResources []string `json:"nodeResources,omitempty"`
}

// An EnvNeed is an environment variable that must be set.
type EnvNeed struct {
	// Name of the variable.
	Name string `json:"name"`
	// Container that needs it. Without it, one of them must have it.
	Container string `json:"container,omitempty"`
	// Forbidden is true where it must not be set, as it was renamed.
	Forbidden bool `json:"forbidden,omitempty"`
}

// A ConfigNeed is keys that a ConfigMap or Secret must or must not have.
type ConfigNeed struct {
	// Kind is ConfigMap or Secret, and Name its name.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Required and Forbidden keys.
	Required  []string `json:"required,omitempty"`
	Forbidden []string `json:"forbidden,omitempty"`
}

// An AccessNeed is a right that the component's service account must have.
type AccessNeed struct {
	// Group and Resource, and the verbs on it.
	Group    string   `json:"group,omitempty"`
	Resource string   `json:"resource"`
	Verbs    []string `json:"verbs"`
}

// A ProcedureStep is a step of an upgrade, taken before the component's objects are
// applied, where they differ from what is on the cluster.
type ProcedureStep struct {
	// Name of the step.
	Name string `json:"name"`
	// When in CEL over from and to (versions of the definition) and objects (as they
	// are on the cluster). Without it the step is always taken.
	When string `json:"when,omitempty"`
	// Patches are merged into objects of the component that are on the cluster.
	Patches []ObjectPatch `json:"patches,omitempty"`
	// Apply these objects, such as a Job that takes a savepoint.
	Apply []unstructured.Unstructured `json:"apply,omitempty"`
	// Until in CEL over objects, and applied: those that the step applied. The
	// step is done when it is true.
	Until string `json:"until,omitempty"`
	// Timeout after which the step has failed.
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// An ObjectPatch is merged into an object.
type ObjectPatch struct {
	// Kind and Name of the object.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Patch is a JSON merge patch.
	Patch map[string]any `json:"patch"`
}

// An Output is a value that is read from a component.
type Output struct {
	// Name of the output, unique in the application.
	Name string `json:"name"`
	// ValueFrom in CEL over object, the component's first object as it is on the
	// cluster, and objects, all of them. output is another name for object: it is
	// KubeVela's. It must give a string, a number or a boolean.
	ValueFrom string `json:"valueFrom"`
}

// Policies say how objects are treated once they are on the cluster.
type Policies struct {
	// ApplyOnce leaves alone what others change of these objects.
	ApplyOnce []ApplyOnce `json:"applyOnce,omitempty"`
	// GarbageCollect says what happens with objects that are no longer wanted.
	GarbageCollect *GarbageCollect `json:"garbageCollect,omitempty"`
	// TakeOver are objects that exist, and are made the application's.
	TakeOver []ObjectSelector `json:"takeOver,omitempty"`
	// ReadOnly are objects that are looked at and never written.
	ReadOnly []ObjectSelector `json:"readOnly,omitempty"`
}

// An ObjectSelector selects objects by all that it has. With nothing it selects all.
type ObjectSelector struct {
	Components     []string `json:"components,omitempty"`
	ComponentTypes []string `json:"componentTypes,omitempty"`
	Kinds          []string `json:"kinds,omitempty"`
	Names          []string `json:"names,omitempty"`
}

// An ApplyOnce leaves fields of objects alone after they were applied.
type ApplyOnce struct {
	Selector ObjectSelector `json:"selector"`
	// Paths of fields, such as spec.replicas. Without any, the whole object.
	Paths []string `json:"paths,omitempty"`
}

// A GarbageCollect says what happens with objects that are no longer wanted.
type GarbageCollect struct {
	// KeepLegacy leaves objects that a new revision dropped where they are.
	KeepLegacy bool `json:"keepLegacy,omitempty"`
	// Rules for objects. The first that selects an object counts.
	Rules []GarbageCollectRule `json:"rules,omitempty"`
}

// A GarbageCollectRule says when objects are deleted.
type GarbageCollectRule struct {
	Selector ObjectSelector `json:"selector"`
	// Strategy is onAppUpdate (the default: with the revision that drops it),
	// onAppDelete (with the application) or never.
	Strategy string `json:"strategy"`
}
