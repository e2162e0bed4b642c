package gitea_test

import (
	"testing"

	"github.com/mainstay-dev/mainstay/provider/forge/forgetest"
	"github.com/mainstay-dev/mainstay/provider/forge/gitea"
)

// TestConformance runs the suite against a real Gitea.
func TestConformance(t *testing.T) { forgetest.Run(t, newWorld(t)) }

// TestFaults lets the forge fail in every way.
func TestFaults(t *testing.T) { forgetest.RunFaults(t, gitea.Driver()) }
