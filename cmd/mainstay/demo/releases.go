package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/step"
)

// The application whose releases are shown, and where.
const (
	releasesOf        = "checkout"
	releasesNamespace = "shop"
)

// A release is one that the demo shows: what it does, and in which phase its Rollout
// comes to rest.
type release struct {
	title, file string
	rests       []string
	// explain is true where the reader is shown why.
	explain bool
}

func releases() []release {
	return []release{
		{title: "Release 1.0 of checkout is rolled out", file: "release-1.0.yaml", rests: []string{"Completed"}},
		{title: "Release 1.1: a canary in each region, then the rest", file: "release-1.1.yaml", rests: []string{"Completed"}},
		{title: "Release 1.2 forgot a Secret: it is refused before anything is written", file: "release-1.2.yaml", rests: []string{"Preflight", "Blocked"}, explain: true},
		{title: "Release 1.3 crashes: it halts in the canary wave and goes back", file: "release-1.3.yaml", rests: []string{"RolledBack"}, explain: true},
		{title: "Release 1.1 again", file: "release-1.1.yaml", rests: []string{"Completed"}},
	}
}

// showReleases of a small application, good ones and bad ones. What has been shown
// once is not shown again.
func (d *Demo) showReleases(ctx context.Context) error {
	if now, err := d.rolloutNow(ctx); err == nil && now.phase == "Completed" {
		return nil
	}
	for _, r := range releases() {
		before, _ := d.rolloutNow(ctx) // There is none before the first.
		err := d.cfg.Log.Do(ctx, r.title, func(ctx context.Context, waiting step.Waiting) error {
			file := filepath.Join(d.cfg.Examples, "..", "rollout", r.file)
			if _, err := d.kubectl(ctx, "apply", "--server-side", "--force-conflicts", "--field-manager=demo", "-f", file); err != nil {
				return err
			}
			return d.await(ctx, waiting, func(ctx context.Context) error { return d.rested(ctx, r, before) })
		})
		if err != nil {
			return err
		}
		if r.explain {
			if err := d.explain(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// A rolloutState is how a Rollout is.
type rolloutState struct{ digest, phase, message string }

// rested is nil where the Rollout of a release has come to rest as it should.
func (d *Demo) rested(ctx context.Context, r release, before rolloutState) error {
	now, err := d.rolloutNow(ctx)
	if err != nil {
		return err
	}
	switch {
	case now.digest == before.digest:
		return errors.New("the Rollout to take up the release")
	case !slices.Contains(r.rests, now.phase) || now.message == "":
		return fmt.Errorf("the Rollout, which is %s: %s", now.phase, now.message)
	}
	return nil
}

func (d *Demo) rolloutNow(ctx context.Context) (rolloutState, error) {
	out, err := d.kubectl(ctx, "-n", releasesNamespace, "get", "rollouts.m.mainstay.dev", releasesOf, "-o",
		`jsonpath={.status.atProvider.digest}{"\t"}{.status.atProvider.phase}{"\t"}{.status.atProvider.message}`)
	if err != nil {
		return rolloutState{}, err
	}
	f := append(strings.SplitN(out, "\t", 3), "", "", "")
	return rolloutState{digest: f[0], phase: f[1], message: f[2]}, nil
}

// explain shows the reader what the command explain says of the application.
func (d *Demo) explain(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find the command: %w", err)
	}
	kind := "productapplication/" + releasesOf
	cmd := exec.CommandContext(ctx, self, "explain", kind, "-n", releasesNamespace, "--kubeconfig", d.cfg.Hub.Kubeconfig())
	out, err := cmd.Output()
	// The status says that something is wrong with the application, which is the point.
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("cannot explain %s: %w", kind, err)
	}
	d.cfg.Log.Print("  mainstay explain %s -n %s", kind, releasesNamespace)
	for line := range strings.Lines(string(out)) {
		if _, err := fmt.Fprint(d.cfg.Out, "            ", line); err != nil {
			return err
		}
	}
	return nil
}
