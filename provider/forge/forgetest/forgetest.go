// Package forgetest holds the conformance suite of forges: what package forge promises
// beyond its signatures. A driver conforms when it passes against its forge, or
// against a server that holds it to the contract of its API.
//
// Every step has a merge request of its own in one repository, and ends it, so that
// steps do not depend on each other. A few are about the whole repository and come
// last. Nothing is skipped.
package forgetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

const (
	// patience is how long anything may take that is waited for.
	patience = 30 * time.Second
	poll     = 100 * time.Millisecond
)

// Run the suite.
func Run(t *testing.T, w World) {
	s := &suite{World: w}
	s.f = s.as(t, Bot)
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"Account", s.account},
		{"MergeRequest", s.mergeRequest},
		{"Fork", s.fork},
		{"Draft", s.draft},
		{"ChangedFiles", s.changedFiles},
		{"ManyFiles", s.manyFiles},
		{"Statuses", s.statuses},
		{"StatusRefused", s.statusRefused},
		{"Comments", s.comments},
		{"ManyComments", s.manyComments},
		{"UpsertComment", s.upsertComment},
		{"UpsertCommentOfOthers", s.upsertCommentOfOthers},
		{"Approvals", s.approvals},
		{"Rights", s.rights},
		{"Teams", s.teams},
		{"Merge", s.merge},
		{"MergeSquash", s.mergeSquash},
		{"MergeMovedHead", s.mergeMovedHead},
		{"MergeConflict", s.mergeConflict},
		{"MergeRefused", s.mergeRefused},
		{"CloseReopen", s.closeReopen},
		{"BranchDeleted", s.branchDeleted},
		{"Webhook", s.webhook},
		{"Protection", s.protection},
		{"Strangers", s.strangers},
		{"OpenMergeRequests", s.openMergeRequests},
	} {
		t.Run(step.name, step.run)
	}
}

type suite struct {
	World

	// f is the bot's.
	f forge.Forge
	n int
}

// as somebody.
func (s *suite) as(t *testing.T, person string) forge.Forge {
	t.Helper()
	return s.with(t, s.Config(person))
}

func (s *suite) with(t *testing.T, c forge.Config) forge.Forge {
	t.Helper()
	f, err := s.Driver().New(c)
	if err != nil {
		t.Fatalf("New(...): %v", err)
	}
	return f
}

// open a merge request on a new branch with one new file, and read it.
func (s *suite) open(t *testing.T) forge.MergeRequest {
	t.Helper()
	return s.openWith(t, map[string]string{"claims/" + s.branch() + ".yaml": "kind: ProductApplication\n"})
}

// branch that open takes next.
func (s *suite) branch() string { return fmt.Sprintf("change-%d", s.n+1) }

func (s *suite) openWith(t *testing.T, files map[string]string) forge.MergeRequest {
	t.Helper()
	b := s.branch()
	s.n++
	s.Push(t, Push{Branch: b, Files: files})
	n := s.Propose(t, Proposal{Title: "Change " + b, Body: "Because.", Head: b})
	mr := s.read(t, n)
	t.Cleanup(func() {
		// Whatever became of it.
		_ = s.f.Close(context.WithoutCancel(t.Context()), n)
	})
	return mr
}

func (s *suite) read(t *testing.T, number int64) forge.MergeRequest {
	t.Helper()
	mr, err := s.f.MergeRequest(t.Context(), number)
	if err != nil {
		t.Fatalf("MergeRequest(%d): %v", number, err)
	}
	return mr
}

// await something that the forge does in its own time.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

// want an error for a reason, that tells no secret.
func (s *suite) want(t *testing.T, what string, err error, reasons ...forge.Reason) {
	t.Helper()
	for _, r := range reasons {
		if forge.Is(err, r) {
			if strings.Contains(err.Error(), string(s.Config(Bot).Token)) {
				t.Errorf("%s: the message tells the token", what)
			}
			return
		}
	}
	t.Errorf("%s: want an error for %v, got %q: %v", what, reasons, forge.ReasonOf(err), err)
}

func noError(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -want, +got:\n%s", what, diff)
	}
}
