package v1alpha1

import (
	"k8s.io/apimachinery/pkg/runtime"
)

// A Workflow is the steps in which an application is deployed.
//
// +kubebuilder:validation:XValidation:rule="!has(self.ref)",message="workflow.ref is not supported: write the steps in the application"
type Workflow struct {
	// Mode says whether steps run one after another or together.
	// +optional
	Mode *WorkflowMode `json:"mode,omitempty"`

	// Ref is refused: it is not supported.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Ref string `json:"ref,omitempty"`

	// Steps of the workflow. Their names, and those of their sub-steps, are unique.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +listType=map
	// +listMapKey=name
	// +optional
	Steps []WorkflowStep `json:"steps,omitempty"`
}

// A WorkflowMode says whether steps run one after another (StepByStep) or, as far as
// dependsOn allows, together (DAG).
type WorkflowMode struct {
	// Steps of the workflow.
	// +kubebuilder:validation:Enum=StepByStep;DAG
	// +kubebuilder:default=StepByStep
	// +optional
	Steps string `json:"steps,omitempty"`

	// SubSteps of step groups.
	// +kubebuilder:validation:Enum=StepByStep;DAG
	// +kubebuilder:default=DAG
	// +optional
	SubSteps string `json:"subSteps,omitempty"`
}

// Modes of a workflow.
const (
	ModeStepByStep = "StepByStep"
	ModeDAG        = "DAG"
)

// A WorkflowStep is one step of a workflow, or a group of them.
type WorkflowStep struct {
	WorkflowSubStep `json:",inline"`

	// SubSteps of a step-group.
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	// +optional
	SubSteps []WorkflowSubStep `json:"subSteps,omitempty"`
}

// A WorkflowSubStep is one step.
//
// +kubebuilder:validation:XValidation:rule="!has(self.inputs)",message="inputs of a step are not supported: give them to a component"
// +kubebuilder:validation:XValidation:rule="!has(self.outputs)",message="outputs of a step are not supported: give them to a component"
type WorkflowSubStep struct {
	// Name of the step.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// Type of the step: deploy, suspend, depends-on-app, notification,
	// apply-component or step-group.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Type string `json:"type"`

	// Properties of the step. Which there are depends on the type.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	// +optional
	Properties *runtime.RawExtension `json:"properties,omitempty"`

	// DependsOn names the steps that must be done before.
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=63
	// +listType=set
	// +optional
	DependsOn []string `json:"dependsOn,omitempty"`

	// If says when the step runs: always, or an expression in CEL over status, such
	// as status["first-step"].failed. Of a step there are phase, message, succeeded,
	// failed and skipped. Without it the step runs where nothing failed before it.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	If string `json:"if,omitempty"`

	// Timeout after which the step has failed, such as 30m.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Timeout string `json:"timeout,omitempty"`

	// Meta is for people, and means nothing.
	// +optional
	Meta *WorkflowStepMeta `json:"meta,omitempty"`

	// Inputs are refused: they are not supported.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	Inputs []Input `json:"inputs,omitempty"`

	// Outputs are refused: they are not supported.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	Outputs []Output `json:"outputs,omitempty"`
}

// WorkflowStepMeta is for people.
type WorkflowStepMeta struct {
	// Alias of the step.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Alias string `json:"alias,omitempty"`
}

// A WorkflowStatus says how far a workflow is.
type WorkflowStatus struct {
	// Done is how many steps are, and of how many, such as 2/5.
	// +optional
	Done string `json:"done,omitempty"`
	// Steps that run or failed. At most 10.
	// +optional
	Steps []WorkflowStepStatus `json:"steps,omitempty"`
}

// A WorkflowStepStatus says how far a step is.
type WorkflowStepStatus struct {
	// Name of the step.
	Name string `json:"name"`
	// Phase of the step: Running or Failed.
	Phase string `json:"phase"`
	// Message says what it waits for, or why it failed.
	// +optional
	Message string `json:"message,omitempty"`
}
