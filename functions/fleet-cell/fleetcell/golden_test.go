package fleetcell

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstay-dev/mainstay/functions/internal/functiontest"
)

// Whole requests, and the whole responses to them.
func TestRun(t *testing.T) {
	files, err := filepath.Glob("testdata/*.request.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("cannot find requests: %v", err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(f, ".request.yaml")
		t.Run(filepath.Base(name), func(t *testing.T) {
			rsp, err := Run(functiontest.Request(t, f))
			if err != nil {
				t.Fatal(err)
			}
			functiontest.Golden(t, name+".golden.yaml", rsp)
		})
	}
}
