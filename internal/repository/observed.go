package repository

import (
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// Bounds of what is kept and made.
const (
	// KeepEnded is how long a Change stays once it has ended, and MaxEnded how many of them do.
	KeepEnded = 30 * 24 * time.Hour
	MaxEnded  = 500
	// MaxCreate is how many Changes are made after one look. The next look makes more.
	MaxCreate = 100
)

// A Spec is what is asked for.
type Spec struct {
	v1alpha1.RepositoryParameters

	// Name of the Repository.
	Name string
	// Leaving is true where it is being deleted, and LetGo where it may go although
	// Changes are under way.
	Leaving, LetGo bool
}

// Observed is what is decided from, besides the time.
type Observed struct {
	// Status is what was reported last.
	Status v1alpha1.RepositoryObservation
	// Look at the forge. Nil where it was not asked this time.
	Look *Look
	// Before are the open merge requests that the last look found which could read
	// them. Nil where there was none since the provider started.
	Before map[int64]Request
	// Problem of this look, or where there was none of the last one.
	Problem *Problem
	// Notes on what is not as it should be and yet keeps nothing from going on.
	Notes []string
	// Changes of the Repository that there are, those that are going included.
	Changes []Change
}

// A Look is what the forge said. What it was not asked for is empty.
type Look struct {
	// Open merge requests into the base branch by number. Nil where they could not be read.
	Open map[int64]Request
	// BaseSHA is the commit of the base branch, and User whose the token is.
	BaseSHA, User string
	// Protected is whether the forge merges only what is green. Nil where that is not known.
	Protected *bool
}

// A Request is what tells one state of a merge request from another.
type Request struct {
	HeadSHA   string
	UpdatedAt time.Time
	Draft     bool
}

// same is true where nothing happened between two looks at a merge request.
func (r Request) same(o Request) bool {
	return r.HeadSHA == o.HeadSHA && r.Draft == o.Draft && r.UpdatedAt.Equal(o.UpdatedAt)
}

// A Change of the Repository.
type Change struct {
	Name   string
	Number int64
	Phase  v1alpha1.ChangePhase
	// UnderWay is true where it has begun, and has ended neither merged nor back.
	UnderWay bool
	// Since when it is in its phase.
	Since time.Time
	// Going is true where it is being deleted.
	Going bool
}

// ChangeOf says what matters here of a Change.
func ChangeOf(c *v1alpha1.Change) Change {
	at := c.Status.AtProvider
	out := Change{
		Name: c.GetName(), Number: c.Spec.ForProvider.Number, Phase: at.Phase, UnderWay: underWay(at),
		Since: c.GetCreationTimestamp().Time, Going: c.GetDeletionTimestamp() != nil,
	}
	if n := len(at.Timeline); n > 0 {
		out.Since = at.Timeline[n-1].At.Time
	}
	return out
}

// underWay is true from the first write until the change is merged, or back.
func underWay(at v1alpha1.ChangeObservation) bool {
	switch at.Phase {
	case v1alpha1.ChangeExecuting, v1alpha1.ChangeSuperseded, v1alpha1.ChangeVerifying, v1alpha1.ChangeMerging, v1alpha1.ChangeAbandoning:
		return true
	case v1alpha1.ChangeHalted:
		for _, c := range at.Claims {
			if c.Began && c.Phase != v1alpha1.ClaimIsBack {
				return true
			}
		}
	}
	return false
}

// ended is true where nothing more is to come of it.
func (c Change) ended() bool {
	return c.Phase == v1alpha1.ChangeCompleted || c.Phase == v1alpha1.ChangeAbandoned
}
