package plan

import (
	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// Schema of the plans that are written here.
const Schema = "mainstay.dev/plan/v1"

// A Plan is all that a change is going to do.
type Plan struct {
	// Schema that it is written in.
	Schema string `json:"schema"`
	// Digest of what it does, in 64 hexadecimal digits.
	Digest string `json:"digest"`
	// Source that it was made of. It is not part of the digest.
	Source Source `json:"source,omitzero"`
	// Summary in one line.
	Summary string `json:"summary"`
	// Blocked says why it must not be executed. Empty where it may.
	Blocked string `json:"blocked,omitempty"`

	// Claims that it writes or that it moves, in the order of their steps.
	Claims []Claim `json:"claims,omitempty"`
	// Actions on clusters, and on what runs there.
	Actions []Action `json:"actions,omitempty"`
	// Groups of clusters. Each cluster is in one. Sets are made of them.
	Groups []Group `json:"groups,omitempty"`

	// Count of actions by what they do, on every cluster once.
	Count Count `json:"count"`
	// Effects that it has on what runs.
	Effects Effects `json:"effects"`
	// Blast is how far it reaches.
	Blast Blast `json:"blast"`
	// Risk of it.
	Risk Risk `json:"risk"`
	// Reverse says how it is taken back.
	Reverse Reverse `json:"reverse"`
	// Guards that were asked.
	Guards []Guard `json:"guards,omitempty"`
	// Findings of what was looked at before anything is written.
	Findings []v1alpha1.ChangeFinding `json:"findings,omitempty"`
	// Locks that it needs.
	Locks []v1alpha1.LockKey `json:"locks,omitempty"`
	// Validity says how long it is good for.
	Validity Validity `json:"validity"`
	// Left counts details that were left out because there are too many.
	Left int `json:"left,omitempty"`
}

// A Source is what a plan was made of.
type Source struct {
	// Title for the reader.
	Title string `json:"title,omitempty"`
	// Head and Base that were compared.
	Head string `json:"head,omitempty"`
	Base string `json:"base,omitempty"`
	// Observed is true where clusters were looked at. Else they are taken to have what
	// the base says.
	Observed bool `json:"observed"`
	// Rendered says by what claims were rendered, where it was not by the functions of the
	// hub.
	Rendered string `json:"rendered,omitempty"`
}

// A Verb says what an action does.
type Verb string

// Verbs.
const (
	Create  Verb = "create"
	Update  Verb = "update"
	Replace Verb = "replace"
	Delete  Verb = "delete"
	// Restart changes nothing but that pods start anew.
	Restart Verb = "restart"
	// Scale changes nothing but how many there are.
	Scale Verb = "scale"
	Noop  Verb = "noop"
)

// A Claim is one that a plan writes, or whose clusters it moves.
type Claim struct {
	v1alpha1.ClaimReference `json:",inline"`

	// File that it is in.
	File string `json:"file,omitempty"`
	// Verb says what becomes of the claim itself. It is noop where what is made of it
	// changes and it does not, such as where its definition or its fleet does.
	Verb Verb `json:"verb"`
	// After and Before are digests of what it says.
	After  string `json:"after,omitempty"`
	Before string `json:"before,omitempty"`
	// From is the namespace that it is moved from.
	From string `json:"from,omitempty"`
	// Step in which it is written. The next one begins when all of one are there.
	Step int32 `json:"step"`
	// Clusters that it touches, as groups, and how many they are.
	Set      []int `json:"set,omitempty"`
	Clusters int   `json:"clusters"`
	// Removes is from how many clusters it is taken away.
	Removes int `json:"removes,omitempty"`
	// Waves that its clusters are moved in.
	Waves []Wave `json:"waves,omitempty"`
	// Reverse says how it is taken back.
	Reverse Reverse `json:"reverse"`
	// Carried is true where the change has written it already.
	Carried bool `json:"carried,omitempty"`
	// Problem says why nothing can be made of it.
	Problem string `json:"problem,omitempty"`
	// Unknown is true where the clusters that it goes to are not known.
	Unknown bool `json:"unknown,omitempty"`
}

// A Wave is clusters that are moved together.
type Wave struct {
	// Name of the wave.
	Name string `json:"name"`
	// Clusters that it moves, as groups, and how many they are.
	Set      []int `json:"set,omitempty"`
	Clusters int   `json:"clusters"`
	// Concurrent is how many at once, as it is written.
	Concurrent string `json:"concurrent,omitempty"`
	// Soak is how long it must be healthy.
	Soak string `json:"soak,omitempty"`
	// Gates that it has, by name.
	Gates []string `json:"gates,omitempty"`
}

// An Action is one thing that is done on a set of clusters.
type Action struct {
	// ID of the action within its plan.
	ID string `json:"id"`
	// Claim that it belongs to, as an index.
	Claim int `json:"claim"`
	// Component that it belongs to.
	Component string `json:"component,omitempty"`
	// Object that it is done to. It is on the cluster, or is the cluster itself.
	Object Object `json:"object"`
	// Verb says what is done.
	Verb Verb `json:"verb"`
	// Reason why, where it is not that the claim says so.
	Reason string `json:"reason,omitempty"`
	// Set of clusters, as groups, and how many they are.
	Set      []int `json:"set,omitempty"`
	Clusters int   `json:"clusters"`
	// Fields that change, and how many more there are.
	Fields []Field `json:"fields,omitempty"`
	Left   int     `json:"left,omitempty"`
	// Detail is a digest of all fields, as they are shown.
	Detail string `json:"detail,omitempty"`
	// Effects on every cluster of the set.
	Effects Effects `json:"effects,omitzero"`
	// Reverse says how it is taken back.
	Reverse Reverse `json:"reverse"`
}

// An Object that an action is done to.
type Object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name,omitempty"`
}

// A Field that changes.
type Field struct {
	// Path of the field. Members of lists are named where they have names.
	Path string `json:"path"`
	// Before and After in short. What is secret is shown as that.
	Before *string `json:"before,omitempty"`
	After  *string `json:"after,omitempty"`
	// Owner is who writes the field: the field manager.
	Owner string `json:"owner"`
	// Secret is true where its values are not shown.
	Secret bool `json:"secret,omitempty"`
	// Replaces is true where it cannot be changed in place.
	Replaces bool `json:"replaces,omitempty"`
}

// A Group of clusters.
type Group struct {
	// Clusters as <fleet>.<cluster>. Where there are too many some are left out.
	Clusters []string `json:"clusters"`
	// Count of them, and a digest of all names.
	Count  int    `json:"count"`
	Digest string `json:"digest"`
}

// A Count of actions, on every cluster once.
type Count struct {
	Create  int `json:"create,omitempty"`
	Update  int `json:"update,omitempty"`
	Replace int `json:"replace,omitempty"`
	Delete  int `json:"delete,omitempty"`
	Restart int `json:"restart,omitempty"`
	Scale   int `json:"scale,omitempty"`
}

// Effects on what runs, besides what is written.
type Effects struct {
	// Restarts is how many pods start anew, as far as that is known.
	Restarts int `json:"restarts,omitempty"`
	// Stops and Starts are how many pods there are less, and more.
	Stops  int `json:"stops,omitempty"`
	Starts int `json:"starts,omitempty"`
	// Moves is on how many nodes pods have to find another one.
	Moves int `json:"moves,omitempty"`
	// Unknown counts workloads whose number of pods is not known.
	Unknown int `json:"unknown,omitempty"`
	// Data is how many objects with data are taken away.
	Data int `json:"data,omitempty"`
}

// A Blast is how far a plan reaches.
type Blast struct {
	// Clusters that are touched, and how many there are.
	Clusters int `json:"clusters"`
	Of       int `json:"of,omitempty"`
	// Regions and Tenants that they are in, and of.
	Regions int `json:"regions,omitempty"`
	Tenants int `json:"tenants,omitempty"`
	// PerWave is the most clusters of a wave.
	PerWave int `json:"perWave,omitempty"`
	// Unknown is on how many clusters it is not known what they run, or on how many
	// claims which clusters they go to.
	Unknown int `json:"unknown,omitempty"`
}

// A Class says whether something can be taken back.
type Class string

// Classes, in order.
const (
	// Auto: it goes back by itself.
	Auto Class = "auto"
	// Manual: it goes back with somebody's help.
	Manual Class = "manual"
	// ForwardOnly: it stays, and harms nothing.
	ForwardOnly Class = "forward-only"
	// Irreversible: what is gone is gone.
	Irreversible Class = "irreversible"
)

// A Reverse says how something is taken back.
type Reverse struct {
	// Class of it.
	Class Class `json:"class"`
	// Verb that takes it back. Empty where there is none.
	Verb Verb `json:"verb,omitempty"`
	// Why it is not auto.
	Why string `json:"why,omitempty"`
}

// A Risk says how much can go wrong, and why.
type Risk struct {
	// Level of it.
	Level v1alpha1.RiskLevel `json:"level"`
	// Factors that it comes from, the worst first.
	Factors []Factor `json:"factors,omitempty"`
	// TwoPersons is true where two people have to agree, whatever the policy says.
	TwoPersons bool `json:"twoPersons,omitempty"`
}

// A Factor of a risk.
type Factor struct {
	// Name in one word.
	Name string `json:"name"`
	// Level that it makes the plan at least.
	Level v1alpha1.RiskLevel `json:"level"`
	// Message says what it is.
	Message string `json:"message"`
	// Action that shows it, by id.
	Action string `json:"action,omitempty"`
}

// A Guard is a bound that was asked.
type Guard struct {
	// Name of the guard.
	Name string `json:"name"`
	// Passed is true where the plan is within it.
	Passed bool `json:"passed"`
	// Token is true where somebody has to repeat the token of the plan to go past it.
	// Else nobody can.
	Token bool `json:"token,omitempty"`
	// Message says what is, and what may be.
	Message string `json:"message"`
}

// A Validity says how long a plan is good for.
type Validity struct {
	// Seconds after which it is made anew, if it has not begun by then.
	Seconds int64 `json:"seconds"`
	// Until one of these happens.
	Until []string `json:"until,omitempty"`
}
