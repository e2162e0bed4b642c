package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
)

// A Repository is a Git repository whose merge requests change claims. Each of them
// becomes a Change, which stays open until the fleet has really got there.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,managed,mainstay}
// +kubebuilder:printcolumn:name="READY",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].status`
// +kubebuilder:printcolumn:name="SYNCED",type=string,JSONPath=`.status.conditions[?(@.type=='Synced')].status`
// +kubebuilder:printcolumn:name="FORGE",type=string,JSONPath=`.spec.forProvider.forge`
// +kubebuilder:printcolumn:name="BASE",type=string,JSONPath=`.spec.forProvider.baseBranch`
// +kubebuilder:printcolumn:name="OPEN",type=integer,JSONPath=`.status.atProvider.changes.open`
// +kubebuilder:printcolumn:name="EXECUTING",type=integer,JSONPath=`.status.atProvider.changes.executing`
// +kubebuilder:printcolumn:name="HALTED",type=integer,JSONPath=`.status.atProvider.changes.halted`
// +kubebuilder:printcolumn:name="MESSAGE",type=string,JSONPath=`.status.atProvider.message`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="metadata.name has at most 63 characters: Changes are named after it"
type Repository struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   RepositorySpec   `json:"spec"`
	Status RepositoryStatus `json:"status,omitempty"`
}

// A RepositorySpec is the wanted state of a Repository.
type RepositorySpec struct {
	xpv2.ManagedResourceSpec `json:",inline"`

	// ForProvider says where the repository is and how its merge requests are handled.
	ForProvider RepositoryParameters `json:"forProvider"`
}

// RepositoryParameters say where a repository is and how its merge requests are handled.
//
// +kubebuilder:validation:XValidation:rule="self.url == oldSelf.url && self.forge == oldSelf.forge",message="forge and url cannot change: make another Repository"
type RepositoryParameters struct {
	// Forge that the repository is on.
	// +kubebuilder:validation:Enum=gitea;gitlab;github
	Forge ForgeName `json:"forge"`

	// URL of the repository as a browser shows it, such as
	// https://git.example.org/platform/claims. It must be https unless the forge is on
	// this machine.
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^https?://[^\s@?#]+/[^\s@?#]+$`
	// +kubebuilder:validation:XValidation:rule="self.startsWith('https://') || self.matches('^http://(127[.]0[.]0[.]1|localhost|\\\\[::1\\\\])(:[0-9]+)?/')",message="url must be https: a token is sent there"
	URL string `json:"url"`

	// CredentialsSecretRef names the key of a Secret, in the Repository's namespace,
	// with the token of the user that acts on the forge.
	CredentialsSecretRef SecretKeyReference `json:"credentialsSecretRef"`

	// CASecretRef names the key of a Secret, in the Repository's namespace, with the
	// certificates, in PEM, that the forge's is signed by. Without it the system's.
	// +optional
	CASecretRef *SecretKeyReference `json:"caSecretRef,omitempty"`

	// BaseBranch is the branch that holds what is true.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_][A-Za-z0-9._/-]*$`
	// +kubebuilder:default=main
	// +optional
	BaseBranch string `json:"baseBranch,omitempty"`

	// Claims says which files hold claims.
	// +optional
	Claims ClaimPaths `json:"claims,omitempty"`

	// TargetNamespaces on the hub that the claims may be in. Defaults to the
	// Repository's own. Another one must agree: its annotation
	// mainstay.dev/repositories lists the Repository as <namespace>/<name>.
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +listType=set
	// +optional
	TargetNamespaces []string `json:"targetNamespaces,omitempty"`

	// Delivery says how claims get from the merge request to the hub.
	// +kubebuilder:default={mode: direct}
	// +optional
	Delivery Delivery `json:"delivery,omitempty"`

	// Approval says who has to agree to a plan before it is executed.
	// +optional
	Approval ApprovalPolicy `json:"approval,omitempty"`

	// Emergency says who may execute a change past approvals, freezes and the queue.
	// Without it nobody may.
	// +optional
	Emergency *EmergencyPolicy `json:"emergency,omitempty"`

	// Merge says how a change that is verified is merged.
	// +optional
	Merge MergePolicy `json:"merge,omitempty"`

	// Freezes are times at which no change begins to execute. What has begun goes on,
	// and a change that is abandoned goes back.
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	// +optional
	Freezes []Freeze `json:"freezes,omitempty"`

	// RequireChange holds back every claim of this repository that was edited by other
	// means, until an approved change carries what it says. The label
	// mainstay.dev/require-change on a namespace does the same for its claims.
	// +optional
	RequireChange bool `json:"requireChange,omitempty"`

	// MaxExecuting is how many changes of this repository execute at once.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +kubebuilder:default=100
	// +optional
	MaxExecuting int32 `json:"maxExecuting,omitempty"`

	// MaxOwed is how many clusters that cannot be reached a change may be merged
	// without, as a number or as a percentage (rounded down) of its clusters. They are
	// caught up later. Defaults to 0: the merge request stays open for each of them.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}|[0-9]{1,2}%)$`
	// +optional
	MaxOwed *intstr.IntOrString `json:"maxOwed,omitempty"`

	// Soak is how long everything must be as wanted, without a break, before a change
	// is merged. It comes after the soak times of the waves.
	// +optional
	Soak *metav1.Duration `json:"soak,omitempty"`

	// PollInterval is how often the forge is asked. A webhook makes it faster, and is
	// never needed.
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('5s') && duration(self) <= duration('24h')",message="pollInterval is from 5s to 24h"
	// +kubebuilder:default="1m"
	// +optional
	PollInterval *metav1.Duration `json:"pollInterval,omitempty"`

	// Webhook has the forge say at once that something happened.
	// +optional
	Webhook *ForgeWebhook `json:"webhook,omitempty"`
}

// A ForgeName names a kind of forge.
type ForgeName string

// Forges.
const (
	ForgeGitea  ForgeName = "gitea"
	ForgeGitLab ForgeName = "gitlab"
	ForgeGitHub ForgeName = "github"
)

// ClaimPaths say which files of a repository hold claims. A path pattern is as in
// Go's path.Match, and ** stands for any number of folders.
type ClaimPaths struct {
	// Include these files. Defaults to **/*.yaml and **/*.yml.
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +listType=set
	// +optional
	Include []string `json:"include,omitempty"`

	// Exclude these files, whatever includes them.
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +listType=set
	// +optional
	Exclude []string `json:"exclude,omitempty"`

	// Kustomize are folders that are built with Kustomize. Files below them are not
	// read as claims by themselves.
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +listType=set
	// +optional
	Kustomize []string `json:"kustomize,omitempty"`
}

// A Delivery says how claims get from a merge request to the hub.
//
// +kubebuilder:validation:XValidation:rule="(self.mode == 'branch') == has(self.branch)",message="branch is for mode branch, which needs it"
type Delivery struct {
	// Mode direct applies the claims to the hub. Mode branch puts them on a branch that
	// a GitOps engine syncs.
	// +kubebuilder:validation:Enum=direct;branch
	// +kubebuilder:default=direct
	// +optional
	Mode DeliveryMode `json:"mode,omitempty"`

	// Branch that is moved.
	// +optional
	Branch *DeliveryBranch `json:"branch,omitempty"`
}

// A DeliveryMode is a way for claims to get to the hub.
type DeliveryMode string

// Delivery modes.
const (
	DeliverDirect DeliveryMode = "direct"
	DeliverBranch DeliveryMode = "branch"
)

// A DeliveryBranch is a branch that a GitOps engine syncs. Nobody else may write it.
type DeliveryBranch struct {
	// Name of the branch. It is not the base branch.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_][A-Za-z0-9._/-]*$`
	Name string `json:"name"`

	// Engine that syncs it. It is told to look at once, where it can be.
	// +kubebuilder:validation:Enum=argocd;flux;other
	// +kubebuilder:default=other
	// +optional
	Engine string `json:"engine,omitempty"`

	// Source is what the engine syncs the branch with: an Application of Argo CD, or
	// a GitRepository of Flux.
	// +optional
	Source *DeliverySource `json:"source,omitempty"`
}

// A DeliverySource names what a GitOps engine syncs with.
type DeliverySource struct {
	// Namespace it is in. Defaults to the Repository's.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Name of it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// An ApprovalPolicy says who has to agree to a plan. The author's own approval, and that
// of whoever committed to the merge request, never counts. An approval is for one head
// commit and one plan, and means nothing to another.
type ApprovalPolicy struct {
	// Rules by risk. A plan needs what the rule for its risk asks for; where there is
	// none, what the next higher one does; where there is none above, one approval,
	// and two from High on.
	// +kubebuilder:validation:MaxItems=4
	// +listType=map
	// +listMapKey=risk
	// +optional
	Rules []ApprovalRule `json:"rules,omitempty"`

	// Irreversible is how many have to agree to a plan that cannot be taken back.
	// +kubebuilder:validation:Minimum=2
	// +kubebuilder:validation:Maximum=10
	// +kubebuilder:default=2
	// +optional
	Irreversible int32 `json:"irreversible,omitempty"`
}

// An ApprovalRule says how many have to agree, and who.
type ApprovalRule struct {
	// Risk that the rule is for.
	Risk RiskLevel `json:"risk"`

	// Count of people who have to agree. 0 asks nobody.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	Count int32 `json:"count"`

	// From these people only. Without any, from everybody who may write to the
	// repository.
	// +optional
	From *People `json:"from,omitempty"`
}

// People are users of a forge, by name or by team.
type People struct {
	// Users by their names on the forge.
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	// +listType=set
	// +optional
	Users []string `json:"users,omitempty"`

	// Teams whose members count, as <organisation>/<team>.
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +listType=set
	// +optional
	Teams []string `json:"teams,omitempty"`
}

// A RiskLevel says how much can go wrong.
// +kubebuilder:validation:Enum=Low;Medium;High;Critical
type RiskLevel string

// Risk levels, in order.
const (
	RiskLow      RiskLevel = "Low"
	RiskMedium   RiskLevel = "Medium"
	RiskHigh     RiskLevel = "High"
	RiskCritical RiskLevel = "Critical"
)

// An EmergencyPolicy says who may execute a change past approvals, freezes and the
// queue. Checks, deletion tokens and verification stay.
//
// +kubebuilder:validation:XValidation:rule="has(self.from.users) || has(self.from.teams)",message="emergency.from must name users or teams"
type EmergencyPolicy struct {
	// Count of different people who have to say so. The author may be one of them.
	// +kubebuilder:validation:Minimum=2
	// +kubebuilder:validation:Maximum=10
	// +kubebuilder:default=2
	// +optional
	Count int32 `json:"count,omitempty"`

	// From these people.
	From People `json:"from"`
}

// A MergePolicy says how a change that is verified is merged.
type MergePolicy struct {
	// Method of the merge.
	// +kubebuilder:validation:Enum=merge;squash;rebase
	// +kubebuilder:default=merge
	// +optional
	Method MergeMethod `json:"method,omitempty"`

	// RequiredContexts are commit statuses of others that must be green before a change
	// executes. Mainstay's own are not waited for.
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	// +listType=set
	// +optional
	RequiredContexts []string `json:"requiredContexts,omitempty"`

	// DeleteBranch deletes the branch of a merge request once it is merged.
	// +optional
	DeleteBranch bool `json:"deleteBranch,omitempty"`
}

// A MergeMethod is a way to merge.
type MergeMethod string

// Merge methods.
const (
	MergeCommit MergeMethod = "merge"
	MergeSquash MergeMethod = "squash"
	MergeRebase MergeMethod = "rebase"
)

// A ForgeWebhook has the forge say at once that something happened.
type ForgeWebhook struct {
	// SecretRef names the key of a Secret, in the Repository's namespace, with what
	// deliveries are signed with. One that is not signed with it is refused.
	SecretRef SecretKeyReference `json:"secretRef"`

	// URL that the forge is told to deliver to. Without it the webhook is set up by hand.
	// +kubebuilder:validation:Pattern=`^https?://[^\s@]+$`
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	URL string `json:"url,omitempty"`
}

// A RepositoryStatus is the observed state of a Repository.
type RepositoryStatus struct {
	xpv2.ConditionedStatus `json:",inline"`

	// AtProvider is what is observed.
	// +optional
	AtProvider RepositoryObservation `json:"atProvider,omitempty"`
}

// A RepositoryObservation is what is observed of a Repository.
type RepositoryObservation struct {
	// Message says in one line what is wrong, or how things are.
	// +optional
	Message string `json:"message,omitempty"`
	// BaseSHA is the commit that the base branch was seen at last.
	// +optional
	BaseSHA string `json:"baseSHA,omitempty"`
	// User of the forge that the token is of.
	// +optional
	User string `json:"user,omitempty"`
	// Protected is true where the forge lets only green statuses be merged.
	// +optional
	Protected bool `json:"protected,omitempty"`
	// Changes by what they do.
	// +optional
	Changes ChangeCount `json:"changes,omitempty"`
	// Polled is when the forge answered last.
	// +optional
	Polled *metav1.Time `json:"polled,omitempty"`
	// UnreachableSince is since when the forge does not answer as it should.
	// +optional
	UnreachableSince *metav1.Time `json:"unreachableSince,omitempty"`
}

// A ChangeCount counts Changes by what they do.
type ChangeCount struct {
	// Open changes.
	Open int32 `json:"open"`
	// Queued ones wait for others.
	Queued int32 `json:"queued"`
	// Executing ones move clusters, or are verified.
	Executing int32 `json:"executing"`
	// Halted ones wait for somebody.
	Halted int32 `json:"halted"`
}

// A RepositoryList is a list of Repositories.
// +kubebuilder:object:root=true
type RepositoryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Repository `json:"items"`
}
