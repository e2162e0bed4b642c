package observe

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

// A silent forge takes every connection and never answers.
type silent struct {
	forge.Forge
	until time.Time
}

func (s *silent) CurrentUser(ctx context.Context) (string, error) {
	s.until, _ = ctx.Deadline()
	return "", errors.New("no answer")
}

// TestSilentForge is not waited for until nothing can be put on record any more.
func TestSilentForge(t *testing.T) {
	f := &silent{}
	o := &Observer{Now: time.Now}
	in := Input{Change: &v1alpha1.Change{}, Repository: &v1alpha1.Repository{}, Repo: &repo.Repo{Forge: f}, Woken: true}
	out := change.Observed{}
	began := time.Now()
	o.outside(t.Context(), in, o.memory("uid"), &out)
	if f.until.IsZero() || f.until.After(began.Add(patience+time.Minute)) {
		t.Errorf("want at most %s for it, got until %s", patience, f.until)
	}
	if out.ForgeProblem == "" || out.Git.Problem == "" {
		t.Errorf("it must say that it does not answer, got %+v", out)
	}
}
