package github_test

import (
	"testing"

	"github.com/mainstay-dev/mainstay/provider/forge/forgetest"
	"github.com/mainstay-dev/mainstay/provider/forge/forgetest/contract"
	"github.com/mainstay-dev/mainstay/provider/forge/github"
)

// TestConformance runs the suite against a server that holds the driver to the
// contract of GitHub's API.
func TestConformance(t *testing.T) { forgetest.Run(t, contract.NewGitHub(t, github.Driver())) }

// TestFaults lets the forge fail in every way.
func TestFaults(t *testing.T) { forgetest.RunFaults(t, github.Driver()) }
