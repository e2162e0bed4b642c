package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-dev/mainstay/test/gitea"
)

// TestDemoChange runs `make demo-change` on the suite's demo: a merge request that becomes
// true, one that is refused and one that goes back. The command fails where one of them goes
// another way. Then the page about it is followed, with a merge request of the reader's own.
func TestDemoChange(t *testing.T) {
	if _, err := os.Stat(filepath.Join(binaries, "gitea")); err != nil {
		t.Fatalf("cannot find gitea: build it with: make gitea: %v", err)
	}
	t.Cleanup(func() {
		// Not the test's context, which is done by now. The other tests need neither.
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		for _, gone := range [][]string{{"delete", "repositories.m.mainstay.dev", "claims", "-n", "platform"}, {"delete", "productapplication", "cart", "-n", "shop"}} {
			if out, err := hub.run(ctx, "", append(gone, "--ignore-not-found", "--timeout=2m")...); err != nil {
				t.Errorf("kubectl %s: %v: %s", strings.Join(gone, " "), err, out)
			}
		}
		if err := gitea.Stop(ctx, filepath.Join(state, "gitea")); err != nil {
			t.Error(err)
		}
	})
	began := time.Now()
	out, err := mainstay(t.Context(), "demo", "change")
	t.Logf("mainstay demo change:\n%s", out)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Minute {
		t.Errorf("it took %s on a demo that runs: five minutes are enough", took)
	}
	for _, want := range []string{"main is true", "nothing moved on any cluster", "all clusters run again what main says"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	runPage(t, "docs/first-change.md", hub.kubeconfig, map[string]string{"_output/demo/": relative(t, state) + "/"})
}
