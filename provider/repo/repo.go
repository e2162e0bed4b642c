package repo

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/git"
)

// A Repo is a Repository that is open. It is what Open found: whoever keeps one goes on
// with the token of then. It is safe for concurrent use.
type Repo struct {
	// Key and UID of the Repository.
	Key types.NamespacedName
	UID types.UID
	// Forge that it is on, with its token. It remembers the rate limit.
	Forge forge.Forge
	// Mirror of it on disk.
	Mirror *git.Mirror
	// Self is the name of the token's user on the forge. Empty until it is known.
	Self string

	known *known
}

// A Poll is what a look at the open merge requests of the base branch found.
type Poll struct {
	// At which time it began, by our own clock.
	At time.Time
	// Base is the commit that the base branch was at. Empty where that is not known.
	Base string
	// Open merge requests by number: all of them.
	Open map[int64]forge.MergeRequest
}

// Seen is what the last poll that the forge answered found. It is false where there was
// none yet. What it returns is shared: do not change it.
func (r *Repo) Seen() (Poll, bool) {
	if r.known == nil {
		return Poll{}, false // It was not opened by a Pool, as in tests.
	}
	r.known.mu.Lock()
	defer r.known.mu.Unlock()
	return r.known.poll, r.known.polled
}

// Saw says what a poll found. It is the Repository controller that says so.
func (r *Repo) Saw(p Poll) {
	if r.known == nil {
		r.known = &known{forge: r.Forge}
	}
	r.known.mu.Lock()
	defer r.known.mu.Unlock()
	r.known.poll, r.known.polled = p, true
}

// Is says whose the token is, for all who open the Repository from now on.
func (r *Repo) Is(user string) {
	if r.known == nil {
		r.known = &known{forge: r.Forge}
	}
	r.known.mu.Lock()
	defer r.known.mu.Unlock()
	// A token that was replaced meanwhile may be somebody else's.
	if r.known.forge == r.Forge {
		r.known.self = user
	}
}

// known is what all who have a Repository open share.
type known struct {
	mu     sync.Mutex
	forge  forge.Forge
	self   string
	poll   Poll
	polled bool
}
