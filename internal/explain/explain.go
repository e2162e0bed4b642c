// Package explain says why something is as it is: the tree from a claim down to the pod,
// the one reason at the bottom of each branch, and what to do about it.
//
// What is well is folded, so that three clusters that are not can be seen among a
// thousand. The deepest thing that has something to say is the cause: what stands above
// it only repeats it. Causes that differ in nothing but the cluster are one.
//
// Explain is pure: whoever asks gathers the objects, as many as may be read.
// What could not be read is not held against anybody; it is said.
//
// Deliberately absent: guesses. Where no object says why, neither does this package.
package explain

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A Kind of thing that can be explained.
type Kind string

// Kinds.
const (
	Application Kind = "ProductApplication"
	Fleet       Kind = "ClusterFleet"
	Rollout     Kind = "Rollout"
	Release     Kind = "Release"
	Cluster     Kind = "Cluster"
)

// An Input is what was gathered about one thing.
type Input struct {
	Kind      Kind
	Namespace string
	Name      string
	Now       time.Time

	// Claim, where the thing is one and exists, and what Crossplane made of it.
	Claim     *Resource
	Composite *Resource
	// Cells of a fleet.
	Cells []Resource
	// Packages of Crossplane that are not healthy.
	Packages []Resource

	// Held says by what change the claim is held back, where it is and has no Rollout that does.
	Held *v1alpha1.RolloutHold
	// Rollout of the thing, if there is one.
	Rollout *v1alpha1.Rollout
	// Releases of the Rollout, or on the cluster, or the one that is asked about.
	Releases []v1alpha1.Release
	// Clusters of the fleet, and those of Releases.
	Clusters []v1alpha1.Cluster
	// NodePools of those clusters.
	NodePools []v1alpha1.NodePool

	// Evidence from clusters themselves, by the name of the Release.
	Evidence map[string]Evidence
	// Notes say what was not looked at, and why.
	Notes []string
}

// A Resource is what counts of an object that Crossplane writes.
type Resource struct {
	Kind       string
	Name       string
	Deleting   bool
	Conditions []Condition
}

// A Condition of a Resource.
type Condition struct {
	Type    string
	Status  string
	Reason  string
	Message string
}

// condition of a type, or none.
func (r *Resource) condition(t string) Condition {
	if r == nil {
		return Condition{}
	}
	for _, c := range r.Conditions {
		if c.Type == t {
			return c
		}
	}
	return Condition{}
}

// Evidence is what a cluster itself shows of a Release.
type Evidence struct {
	// Objects that are not healthy.
	Objects []Object
	// Pods of the application.
	Pods []corev1.Pod
}

// An Object that is not healthy.
type Object struct {
	Component string
	Kind      string
	Name      string
	Message   string
}

// A State says how something is.
type State string

// States, the worst first.
const (
	Failed      State = "Failed"
	Unknown     State = "Unknown"
	Waiting     State = "Waiting"
	Progressing State = "Progressing"
	Healthy     State = "Healthy"
)

// A Node of the tree.
type Node struct {
	// What it is: kind and name, or so many of them.
	What string `json:"what"`
	// State it is in.
	State State `json:"state"`
	// Message that it has itself.
	Message string `json:"message,omitempty"`
	// Children that it consists of.
	Children []Node `json:"children,omitempty"`

	// because holds causes that the node knows, cluster is what it and all below is on, mute
	// keeps its message from being a cause, and folded are children that are not shown.
	because []Cause
	cluster string
	mute    bool
	folded  []Node
}

// A Cause is why something is not as wanted.
type Cause struct {
	// Message in full.
	Message string `json:"message"`
	// State that it leads to.
	State State `json:"state"`
	// Clusters is the number of clusters that it was found on, if it is about clusters,
	// and Examples are some of them.
	Clusters int      `json:"clusters,omitempty"`
	Examples []string `json:"examples,omitempty"`
	// Next says what to do: sentences, and commands to type.
	Next []string `json:"next,omitempty"`

	cluster string
}

// An Explanation says why something is as it is.
type Explanation struct {
	// Subject that was asked about.
	Subject string `json:"subject"`
	// State of it.
	State State `json:"state"`
	// Tree below it.
	Tree Node `json:"tree"`
	// Causes, the worst first. There are none where all is well.
	Causes []Cause `json:"causes,omitempty"`
	// Then is what can be done once the causes are mended.
	Then []string `json:"then,omitempty"`
	// Notes say what was not looked at.
	Notes []string `json:"notes,omitempty"`
}

// Explain why something is as it is.
func Explain(in Input) Explanation {
	e := explainer{Input: in}
	root := e.root()
	out := Explanation{
		Subject: string(in.Kind) + " " + in.Namespace + "/" + in.Name,
		State:   root.State,
		Tree:    root,
		Causes:  group(collect(root)),
		Notes:   in.Notes,
	}
	out.Then = e.then(out.Causes)
	return out
}

// An explainer goes down one tree.
type explainer struct{ Input }

func (e *explainer) root() Node {
	switch e.Kind {
	case Application:
		return e.claim(e.rolloutNodes())
	case Fleet:
		return e.claim(append(e.rolloutNodes(), e.fleetNodes()...))
	case Rollout:
		if nodes := e.rolloutNodes(); len(nodes) > 0 {
			return nodes[0]
		}
	case Release:
		if len(e.Releases) > 0 {
			return e.release(&e.Releases[0])
		}
	case Cluster:
		if len(e.Clusters) > 0 {
			return e.clusterWithReleases(&e.Clusters[0])
		}
	}
	return e.absent()
}

// absent is what is not there at all.
func (e *explainer) absent() Node {
	return Node{What: string(e.Kind) + " " + e.Name, State: Failed, Message: "does not exist", because: []Cause{{
		State:   Failed,
		Message: "There is no " + string(e.Kind) + " " + e.Name + " in namespace " + e.Namespace + ".",
		Next:    []string{"Is it in another namespace? Say which with -n."},
	}}}
}

// worst of the states of nodes.
func worst(nodes []Node) State {
	out := Healthy
	for _, n := range nodes {
		if rank(n.State) < rank(out) {
			out = n.State
		}
	}
	return out
}

func rank(s State) int {
	switch s {
	case Failed:
		return 0
	case Unknown:
		return 1
	case Waiting:
		return 2
	case Progressing:
		return 3
	case Healthy:
	}
	return 4
}
