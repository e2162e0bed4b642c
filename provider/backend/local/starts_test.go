package local

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/mainstay-dev/mainstay/provider/backend"
)

// TestStarts begins more starts than go on at a time.
func TestStarts(t *testing.T) {
	s := newStarts()
	running := make(chan string, 10)
	finish := make(chan error)
	begin := func(i int) {
		key := strconv.Itoa(i)
		s.begin(key, func(ctx context.Context) error {
			running <- key
			select {
			case err := <-finish:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}
	first := map[string]bool{}
	for i := range maxStarts {
		begin(i)
		first[<-running] = true
	}
	begin(0)
	begin(maxStarts)

	waits := strconv.Itoa(maxStarts)
	if diff := cmp.Diff(backend.ClusterState{UpToDate: true, Message: "waiting for other clusters to start"}, described(s, waits)); diff != "" {
		t.Errorf("State of one too many: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(backend.ClusterState{UpToDate: true, Message: "starting: why"}, described(s, "0")); diff != "" {
		t.Errorf("State of one that is being started: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(backend.ClusterState{Message: "why"}, described(s, "unknown")); diff != "" {
		t.Errorf("State of one that was not begun: -want, +got:\n%s", diff)
	}
	if len(running) != 0 {
		t.Errorf("More than %d clusters are started at a time", maxStarts)
	}

	// One that ends, in whatever way, makes room for the one that waits.
	finish <- errors.New("boom")
	if got := <-running; got != waits {
		t.Errorf("Next to start: want %s, got %s", waits, got)
	}
	failed := backend.ClusterState{Message: "boom"}
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
		for k := range first {
			if cmp.Equal(failed, described(s, k)) {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		t.Errorf("A start that failed does not say why: %v", err)
	}

	for i := range maxStarts + 1 {
		if err := s.end(t.Context(), strconv.Itoa(i)); err != nil {
			t.Errorf("end(...): %v", err)
		}
	}
	if err := s.end(t.Context(), "unknown"); err != nil {
		t.Errorf("end(...) of one that was not begun: %v", err)
	}
	if len(s.byKey) != 0 {
		t.Errorf("Starts that are remembered after their end: %d", len(s.byKey))
	}
}

func described(s *starts, key string) backend.ClusterState {
	c := backend.ClusterState{Message: "why"}
	s.describe(key, &c)
	return c
}
