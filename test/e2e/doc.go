// Package e2e proves Mainstay as a user meets it: the demo is started by its
// command, Crossplane's own package manager installs the packages, and the tests
// speak to real API servers through kubectl. Nothing here is faked but nodes and
// pods, which KWOK plays.
//
// The tests share one demo, since it takes a minute to start. Each makes claims and
// namespaces of its own, and leaves the demo's claims as it found them.
package e2e
