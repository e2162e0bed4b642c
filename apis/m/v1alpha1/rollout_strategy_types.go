package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// A RolloutStrategy says how clusters are moved from what they have to what is wanted.
type RolloutStrategy struct {
	// MaxConcurrent is how many clusters may be in motion at once, as a number or
	// as a percentage of the placed clusters (rounded up).
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([1-9][0-9]{0,4}|[1-9][0-9]?%|100%)$`
	// +kubebuilder:default=10
	// +optional
	MaxConcurrent *intstr.IntOrString `json:"maxConcurrent,omitempty"`

	// MaxUnavailable is how many clusters may be unhealthy before no further one
	// is moved, as a number or as a percentage (rounded up). Without it, unhealthy
	// clusters stop no others.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}|[0-9]{1,2}%|100%)$`
	// +optional
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// FailureBudget is how many clusters may fail, as a number or as a percentage of
	// the placed clusters (rounded up), before onFailure is done. With 0 the first
	// failure is one too many. Without it, failures stop no others of their wave, but
	// the next wave does not begin before they are mended. What failed within the
	// budget holds no wave open.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}|[0-9]{1,2}%|100%)$`
	// +optional
	FailureBudget *intstr.IntOrString `json:"failureBudget,omitempty"`

	// OnFailure says what happens when the failure budget is spent, or a gate fails:
	// nothing further is started (Halt), the clusters of the current wave go back
	// to what they had (RollbackWave), or all clusters do (RollbackAll).
	// +kubebuilder:validation:Enum=Halt;RollbackWave;RollbackAll
	// +kubebuilder:default=Halt
	// +optional
	OnFailure FailureAction `json:"onFailure,omitempty"`

	// ProgressDeadline is how long a cluster may be in motion before it counts as
	// failed.
	// +kubebuilder:default="10m"
	// +optional
	ProgressDeadline *metav1.Duration `json:"progressDeadline,omitempty"`

	// Strata are the labels of a cluster by which clusters differ. A canary wave holds
	// clusters of each combination of their values that there is.
	// +kubebuilder:validation:MaxItems=5
	// +kubebuilder:validation:items:MaxLength=317
	// +kubebuilder:default={"region"}
	// +listType=atomic
	// +optional
	Strata []string `json:"strata,omitempty"`

	// Waves put clusters in order. A wave begins when the one before it is over.
	// Without any, all clusters are one wave.
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	// +optional
	Waves []Wave `json:"waves,omitempty"`

	// Rollback says how fast clusters go back to what they had.
	// +optional
	Rollback *RollbackStrategy `json:"rollback,omitempty"`

	// Freezes are times at which nothing is started. A rollback is started
	// nonetheless.
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	// +optional
	Freezes []Freeze `json:"freezes,omitempty"`

	// MaxDeletions is how many clusters the application may be taken away from because
	// the placement leaves them out, as a number or as a percentage (rounded up) of
	// those that have it. More wait until control.allowDeletions names the digest
	// of this revision. Clusters that are being deleted do not count.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}|[0-9]{1,2}%|100%)$`
	// +kubebuilder:default="50%"
	// +optional
	MaxDeletions *intstr.IntOrString `json:"maxDeletions,omitempty"`

	// Preflight says what happens where something is found on a cluster for which the
	// application would not start: no cluster is started until it is mended (Hold),
	// only that cluster waits (Skip), or nothing is checked (Off).
	// +kubebuilder:validation:Enum=Hold;Skip;Off
	// +kubebuilder:default=Hold
	// +optional
	Preflight PreflightMode `json:"preflight,omitempty"`

	// Images says what becomes of images that are named by a tag. Once for each revision,
	// before anything is started, they are resolved to digests where their registries can
	// be asked without credentials (Resolve), or nothing is started before all are
	// (Require), or they stay as they are written (AsWritten). It holds from the
	// next revision on. Defaults to Resolve where the provider asks registries, and
	// otherwise to AsWritten.
	// +kubebuilder:validation:Enum=Resolve;Require;AsWritten
	// +optional
	Images ImageMode `json:"images,omitempty"`

	// Waivers accept findings of the preflight, until they expire.
	// +kubebuilder:validation:MaxItems=50
	// +listType=atomic
	// +optional
	Waivers []Waiver `json:"waivers,omitempty"`

	// Paused stops moving further clusters. Those in motion finish.
	// +optional
	Paused bool `json:"paused,omitempty"`
}

// A FailureAction says what happens when a Rollout fails.
type FailureAction string

// Failure actions.
const (
	FailureHalt         FailureAction = "Halt"
	FailureRollbackWave FailureAction = "RollbackWave"
	FailureRollbackAll  FailureAction = "RollbackAll"
)

// A PreflightMode says what happens with what the preflight finds.
type PreflightMode string

// Preflight modes.
const (
	PreflightHold PreflightMode = "Hold"
	PreflightSkip PreflightMode = "Skip"
	PreflightOff  PreflightMode = "Off"
)

// A Wave is a set of clusters that are moved together. It has a selector, a size, or
// is the rest: the last wave without either takes the clusters that no other has. A
// cluster that two selectors match, a wave that has no cluster, and a cluster
// that is in no wave are refused.
//
// +kubebuilder:validation:XValidation:rule="!has(self.canary) || !has(self.size)",message="a wave has canary or size, not both"
type Wave struct {
	// Name of the wave.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// ClusterLabelSelector selects the clusters of the wave.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	ClusterLabelSelector map[string]string `json:"clusterLabelSelector,omitempty"`

	// Canary takes so many clusters of each stratum, out of those that are left and
	// that the selector matches.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	Canary *int32 `json:"canary,omitempty"`

	// Size takes so many clusters, or this percentage (rounded up) of all that are
	// placed, out of those that are left and that the selector matches. They are
	// taken evenly from the strata.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([1-9][0-9]{0,4}|[1-9][0-9]?%|100%)$`
	// +optional
	Size *intstr.IntOrString `json:"size,omitempty"`

	// AllowEmpty accepts that the wave has no cluster.
	// +optional
	AllowEmpty bool `json:"allowEmpty,omitempty"`

	// MaxConcurrent within the wave, as a number or as a percentage of its clusters.
	// The Rollout's own holds as well.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([1-9][0-9]{0,4}|[1-9][0-9]?%|100%)$`
	// +optional
	MaxConcurrent *intstr.IntOrString `json:"maxConcurrent,omitempty"`

	// Soak is how long the wave must be healthy, without a break, before it is over.
	// +optional
	Soak *metav1.Duration `json:"soak,omitempty"`

	// Gates must be open: those with when: Before for the wave to begin, the
	// others, once the wave is healthy and has soaked, for it to be over.
	// +kubebuilder:validation:MaxItems=10
	// +listType=map
	// +listMapKey=name
	// +optional
	Gates []Gate `json:"gates,omitempty"`
}

// A Gate is a question that is asked before a Rollout goes on. It fails closed: what
// cannot be asked is not open.
//
// +kubebuilder:validation:XValidation:rule="[has(self.approval), has(self.cel), has(self.prometheus), has(self.webhook)].filter(x, x).size() == 1",message="a gate is exactly one of approval, cel, prometheus and webhook"
type Gate struct {
	// Name of the gate.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// When it is asked.
	// +kubebuilder:validation:Enum=Before;After
	// +kubebuilder:default=After
	// +optional
	When GateTime `json:"when,omitempty"`

	// Timeout is how long the gate may stay closed before the Rollout has failed. It
	// counts from when the gate was first asked. Without it the Rollout waits.
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`

	// Approval is given with control.approvals.
	// +optional
	Approval *ApprovalGate `json:"approval,omitempty"`

	// CEL is an expression over the wave and the rollout.
	// +optional
	CEL *CELGate `json:"cel,omitempty"`

	// Prometheus is a query.
	// +optional
	Prometheus *PrometheusGate `json:"prometheus,omitempty"`

	// Webhook is an address that says whether to go on.
	// +optional
	Webhook *WebhookGate `json:"webhook,omitempty"`
}

// A GateTime says when a gate is asked.
type GateTime string

// Gate times.
const (
	GateBefore GateTime = "Before"
	GateAfter  GateTime = "After"
)

// An ApprovalGate is open when somebody approved this revision at this gate.
type ApprovalGate struct {
	// Count of different people who must.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	// +kubebuilder:default=1
	// +optional
	Count int32 `json:"count,omitempty"`
}

// A CELGate is open when an expression is true.
type CELGate struct {
	// Expression over wave and rollout, each with the numbers total, updated,
	// ready, failed and parked, and components: a map from the name of a component
	// to its healthy and total clusters.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Expression string `json:"expression"`
}

// A PrometheusGate is open when the answer to a query is as it should be.
type PrometheusGate struct {
	// URL of the Prometheus API, such as http://prometheus.monitoring:9090.
	// +kubebuilder:validation:Pattern=`^https?://[^\s@]+$`
	// +kubebuilder:validation:MaxLength=1024
	URL string `json:"url"`

	// Query in PromQL. It must return a scalar or one or more series.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query string `json:"query"`

	// Condition in CEL over value, the scalar or the only series' value, and values,
	// the list of all series' values.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Condition string `json:"condition"`

	// TokenSecretRef names the key of a Secret, in the Rollout's namespace, with a
	// bearer token.
	// +optional
	TokenSecretRef *SecretKeyReference `json:"tokenSecretRef,omitempty"`
}

// A WebhookGate is open when an address answers 2xx to a POST, with either no body
// or a JSON object whose field allowed is true. Anything else keeps it closed.
type WebhookGate struct {
	// URL that is posted to.
	// +kubebuilder:validation:Pattern=`^https?://[^\s@]+$`
	// +kubebuilder:validation:MaxLength=1024
	URL string `json:"url"`

	// TokenSecretRef names the key of a Secret, in the Rollout's namespace, with a
	// bearer token.
	// +optional
	TokenSecretRef *SecretKeyReference `json:"tokenSecretRef,omitempty"`
}

// A SecretKeyReference names a key of a Secret.
type SecretKeyReference struct {
	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Key in the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}

// A RollbackStrategy says how fast clusters go back to what they had.
type RollbackStrategy struct {
	// MaxConcurrent clusters that go back at once, as a number or as a percentage
	// of the placed clusters. Defaults to the Rollout's own.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([1-9][0-9]{0,4}|[1-9][0-9]?%|100%)$`
	// +optional
	MaxConcurrent *intstr.IntOrString `json:"maxConcurrent,omitempty"`
}

// A Freeze is a time at which nothing is started: from one instant to another, or
// every week from one time of day to another on some days.
//
// +kubebuilder:validation:XValidation:rule="has(self.from) == has(self.until) && has(self.start) == has(self.end) && has(self.from) != has(self.start)",message="a freeze has from and until (instants), or start and end (times of day)"
type Freeze struct {
	// Name of the freeze.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// From this instant.
	// +optional
	From *metav1.Time `json:"from,omitempty"`
	// Until this instant.
	// +optional
	Until *metav1.Time `json:"until,omitempty"`

	// Days of the week on which it starts. Without any, every day.
	// +kubebuilder:validation:MaxItems=7
	// +kubebuilder:validation:items:Enum=Mon;Tue;Wed;Thu;Fri;Sat;Sun
	// +listType=set
	// +optional
	Days []string `json:"days,omitempty"`
	// Start is the time of day at which it starts, as 15:04.
	// +kubebuilder:validation:Pattern=`^([01][0-9]|2[0-3]):[0-5][0-9]$`
	// +optional
	Start string `json:"start,omitempty"`
	// End is the time of day at which it ends, as 15:04: on the next day where it is
	// not after start.
	// +kubebuilder:validation:Pattern=`^([01][0-9]|2[0-3]):[0-5][0-9]$`
	// +optional
	End string `json:"end,omitempty"`
	// TimeZone of start and end, such as Asia/Shanghai.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:default=UTC
	// +optional
	TimeZone string `json:"timeZone,omitempty"`
}

// A Waiver accepts findings of the preflight.
type Waiver struct {
	// Cause that is accepted, such as B2.
	// +kubebuilder:validation:Pattern=`^[A-D][0-9]{1,2}$`
	Cause string `json:"cause"`
	// Object it is accepted for, as Kind/name. Without it, for all.
	// +kubebuilder:validation:MaxLength=317
	// +optional
	Object string `json:"object,omitempty"`
	// Clusters it is accepted on. Without any, on all.
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MaxLength=128
	// +listType=set
	// +optional
	Clusters []string `json:"clusters,omitempty"`
	// Until when.
	Until metav1.Time `json:"until"`
	// Reason why.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason"`
}
