package gitea_test

import (
	"testing"

	"github.com/mainstay-dev/mainstay/provider/forge/forgetest"
)

// TestConformance runs the suite against a real Gitea.
func TestConformance(t *testing.T) { forgetest.Run(t, newWorld(t)) }
