package change

import (
	"slices"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
)

// Contexts of the commit statuses that Mainstay posts.
const (
	ContextPlan    = "mainstay/plan"
	ContextExecute = "mainstay/execute"
)

// A Spec is what is asked for, and the rules for it.
type Spec struct {
	v1alpha1.ChangeParameters

	// Repository that the merge request is in.
	Repository v1alpha1.RepositoryParameters

	// Leaving is true where the Change itself is being deleted: it leaves its locks,
	// and everything else as it is.
	Leaving bool
}

// Observed is all that Next decides from, besides the time.
type Observed struct {
	// Status is what the last decision reported and was persisted.
	Status v1alpha1.ChangeObservation

	// ForgeProblem says why the forge cannot be asked. Then Request is what it said
	// last, or nil.
	ForgeProblem string
	// Self is the user of the forge that we are.
	Self string
	// Request is the merge request.
	Request *Request
	// TeamProblems say why it is not known who is in a team, by team. Nobody is, then.
	TeamProblems map[string]string
	// Git is what the mirror has of it.
	Git Git
	// Shown is what the comment on the merge request shows.
	Shown Shown
	// Comments of people on the merge request, in the order of their ids.
	Comments []Comment

	// Planned answers what the last decision asked. Nil where nothing was.
	Planned *Planned
	// Place in the queue. Without meaning where QueueProblem is not empty.
	Place        lock.Place
	QueueProblem string
	// Claims of the status, and of the plan, as they are on the hub. One that is
	// missing could not be read.
	Claims map[v1alpha1.ClaimReference]Claim
	// MergeRefused says why the forge refused to merge the head that it was asked to.
	MergeRefused string
	// MergesAhead are so many other merge requests of the repository whose turn to be merged comes first.
	MergesAhead int
}

// A RequestState says whether a merge request is open.
type RequestState string

// States of a merge request.
const (
	RequestOpen   RequestState = "Open"
	RequestClosed RequestState = "Closed"
	RequestMerged RequestState = "Merged"
)

// A Request is what the forge says of a merge request.
type Request struct {
	Title, Author, URL string
	// Committers are who committed to it, besides the author.
	Committers []string
	State      RequestState
	// By whom it was closed or merged, where that is known.
	By string
	// HeadSHA that it asks for. Where it is merged, the one that was.
	HeadSHA string
	// BaseRef is the branch that it asks to be merged into.
	BaseRef string
	// MergeSHA is the commit that the merge made.
	MergeSHA string
	Draft    bool
	// BranchGone is true where its branch does not exist any more.
	BranchGone bool
	// Reviews on it.
	Reviews []Review
	// Statuses of the head by context.
	Statuses map[string]Status
}

// A Review is somebody's approval, or objection.
type Review struct {
	ID      string
	By      Person
	HeadSHA string
	At      time.Time
	// Approves, or else objects.
	Approves bool
	// Dismissed ones count no more.
	Dismissed bool
}

// A Person on the forge, and what they may do.
type Person struct {
	Name string
	// Writes is true where they may write to the repository.
	Writes bool
	// Teams that they are in, of those that the policy names.
	Teams []string
}

// among is true where a person is one of a set.
func (p Person) among(people v1alpha1.People) bool {
	return slices.Contains(people.Users, p.Name) || slices.ContainsFunc(p.Teams, func(t string) bool { return slices.Contains(people.Teams, t) })
}

// A Status is a commit status.
type Status struct {
	State StatusState
	// Description, of 140 bytes at most.
	Description string
}

// A StatusState is the state of a commit status.
type StatusState string

// States of a commit status.
const (
	StatusPending StatusState = "pending"
	StatusSuccess StatusState = "success"
	StatusFailure StatusState = "failure"
)

// Git is what the mirror has of a merge request.
type Git struct {
	// Problem says why nothing can be said. Then the rest has no meaning, and the base
	// counts as diverged.
	Problem string
	// Head that the rest is of.
	Head string
	// Base and MergeBase are the tip of the base branch, and the commit that both stem
	// from. Where it is merged, Base is the commit before.
	Base, MergeBase string
	// Tree that the base branch has once it is merged, and Content what the claims of
	// the merge request say there.
	Tree, Content string
	// Conflicts are files that both sides changed.
	Conflicts []string
	// Merged is what those claims say in the commit of the merge. Empty where there is
	// none yet.
	Merged string
}

// Shown is what the comment on the merge request shows.
type Shown struct {
	// Head and Digest of the plan, and the Fingerprint of the progress.
	Head, Digest, Progress string
	// At which time it was edited last, by the forge's clock.
	At time.Time
}

// A Comment of somebody on the merge request.
type Comment struct {
	ID   int64
	By   Person
	At   time.Time
	Body string
}

// A Planned is the answer to a PlanRequest.
type Planned struct {
	// For is what was asked.
	For PlanRequest
	// Problem says why there is no plan. Later is true where asking again may help
	// although nothing is pushed.
	Problem string
	Later   bool
	// Plan, its claims, and what was found.
	Plan     v1alpha1.ChangePlan
	Claims   []v1alpha1.ChangeClaim
	Findings []v1alpha1.ChangeFinding
}

// A Claim is what is observed of one.
type Claim struct {
	// Exists is true where it is on the hub, also while it is being deleted.
	Exists bool
	// Digest of what it says.
	Digest string
	// Epoch that it was last written for by a change, and whether that is this one. With
	// the delivery branch, where the engine writes it, that of its grant.
	Epoch int64
	Ours  bool
	// Granted is the epoch of its grant, and GrantedUs whether that is to this change.
	Granted   int64
	GrantedUs bool
	// Sealed is true where its grant has no Before any more.
	Sealed bool
	// Refused says why the API server makes something else of it than it is to say. Then it is not
	// written. RefusedAt is how often failures had been forgotten by then.
	Refused   string
	RefusedAt int64
	// TakenIn is true where what it says is what is being rolled out, or was.
	TakenIn bool
	// Phase of its Rollout. Empty where it has none yet.
	Phase v1alpha1.RolloutPhase
	// Paused is true where its Rollout is told to start nothing, Allowed where it is told
	// that it may take the claim away from clusters.
	Paused, Allowed bool
	// Retried is the last request to try again that its Rollout acted on.
	Retried int64
	// Clusters of it: all, those as wanted, in motion, failed, and not to be reached.
	Clusters, Reached, InMotion, Failed, Owed int32
	// Removes is from how many clusters it is taken away, or how many of a fleet go.
	Removes int32
	// Strangers are clusters that are moved, or of a fleet that go, are not in the plan, and did not join since.
	Strangers []string
	// Other says what is rolled out that was not planned.
	Other string
	// Message of its Rollout, or of the claim.
	Message string
}
