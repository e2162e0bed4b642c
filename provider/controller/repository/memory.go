package repository

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	decide "github.com/mainstay-dev/mainstay/internal/repository"
	"github.com/mainstay-dev/mainstay/provider/forge"
)

const (
	// more is how soon the next look comes where one could not make all Changes.
	more = time.Second
	// tokenPoll is how often a Secret is looked at that somebody has to mend.
	tokenPoll = 10 * time.Second
	// settingsEvery is how often whose token it is, protection and webhook are looked at.
	settingsEvery = 10 * time.Minute
)

// A memory of one Repository, which one reconcile at a time has. Without it everything is asked
// for anew.
type memory struct {
	// next is when the forge is asked again, and last when it was. woken is that somebody said it
	// should be sooner.
	next, last time.Time
	woken      bool
	// failures of looks in a row, and why the last one failed.
	failures int
	problem  *decide.Problem
	// forge and generation that the last look was with.
	forge      forge.Forge
	generation int64
	// settings is when they were looked at, and notes what was found. hook is what the webhook
	// was set to.
	settings time.Time
	notes    []string
	hook     string
}

// again is when a Repository is reconciled again.
func (m *memory) again(now time.Time, p *decide.Problem) time.Duration {
	wait := max(m.next.Sub(now), 100*time.Millisecond)
	if p != nil && (p.Kind == decide.CredentialsMissing || p.Kind == decide.TokenRefused || p.Kind == decide.TokenForbidden) {
		wait = min(wait, tokenPoll)
	}
	return wait
}

// memories of all Repositories.
type memories struct {
	mu    sync.Mutex
	byUID map[types.UID]*memory
}

func newMemories() *memories { return &memories{byUID: map[types.UID]*memory{}} }

func (m *memories) of(uid types.UID) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byUID[uid] == nil {
		m.byUID[uid] = &memory{}
	}
	return m.byUID[uid]
}

func (m *memories) forget(uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byUID, uid)
}
