// Package demo shows Mainstay at work on one machine: it brings up a hub, applies
// the claims of examples/demo, and returns once they are reached and every pod of
// every cluster runs. Change goes on from there: a Gitea with a repository of claims, and
// merge requests that become true, or do not. Deliberately absent: anything that a user
// could not do with kubectl and a forge; the demo applies files, reads claims, and works
// with merge requests as people do.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/hub"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/step"
)

const (
	poll     = time.Second
	patience = 10 * time.Minute
	// patienceEach is how much longer each cluster of a large fleet may take.
	patienceEach = 2 * time.Second
	// looked is how many clusters are looked at of many.
	looked = 10
)

// A Config says what the demo consists of.
type Config struct {
	Hub *hub.Hub
	// Examples is the folder of manifests to apply.
	Examples string
	// Clusters is how many there are to be, where they are many.
	Clusters int
	// Binaries is where kubectl is.
	Binaries string
	// Releases are shown after the claims are reached: good ones, and bad ones.
	Releases bool
	// Out is what the reader sees, and Log where steps are shown.
	Out io.Writer
	Log *step.Log
}

// A Demo is one demo. It holds no state.
type Demo struct{ cfg Config }

// New returns a demo that may or may not run yet.
func New(cfg Config) *Demo { return &Demo{cfg: cfg} }

// Hub that the demo runs on.
func (d *Demo) Hub() *hub.Hub { return d.cfg.Hub }

// Up brings the demo up.
func (d *Demo) Up(ctx context.Context) error {
	began := time.Now()
	if err := d.start(ctx); err != nil {
		return err
	}
	if d.cfg.Releases {
		if err := d.showReleases(ctx); err != nil {
			return err
		}
		if err := d.cfg.Log.Do(ctx, "Everything is as it should be", d.awaitEverything); err != nil {
			return err
		}
	}
	return d.whatNext(ctx, time.Since(began))
}

// start the hub, and what the claims ask for.
func (d *Demo) start(ctx context.Context) error {
	if err := d.cfg.Hub.Up(ctx); err != nil {
		return err
	}
	if err := d.cfg.Log.Do(ctx, "Claims of "+filepath.Base(filepath.Dir(d.cfg.Examples))+"/"+filepath.Base(d.cfg.Examples)+" are applied", d.apply); err != nil {
		return err
	}
	if err := d.cfg.Log.Do(ctx, "Fleet and applications are reached", d.awaitClaims); err != nil {
		return err
	}
	return d.cfg.Log.Do(ctx, "Every pod runs", d.awaitPods)
}

// state is the folder of all that the demo keeps.
func (d *Demo) state() string { return filepath.Dir(d.cfg.Hub.Kubeconfig()) }

// Down takes the demo down, and leaves nothing.
func (d *Demo) Down(ctx context.Context) error {
	err := d.cfg.Log.Do(ctx, "Everything is stopped and removed", func(ctx context.Context, _ step.Waiting) error { return d.cfg.Hub.Down(ctx) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(d.cfg.Out, "\nStart it again with: make demo")
	return err
}

// apply the manifests in the order of their use. A kind that has just been
// installed may not be served at once.
func (d *Demo) apply(ctx context.Context, waiting step.Waiting) error {
	for _, file := range []string{"namespaces.yaml", "providerconfig.yaml", "fleet.yaml", "applications.yaml"} {
		last := error(nil)
		err := wait.PollUntilContextTimeout(ctx, poll, time.Minute, true, func(ctx context.Context) (bool, error) {
			waiting(file + " to be accepted")
			_, last = d.kubectl(ctx, "apply", "--server-side", "--force-conflicts", "--field-manager=demo", "-f", filepath.Join(d.cfg.Examples, file))
			return last == nil, nil
		})
		if err != nil {
			return fmt.Errorf("cannot apply %s: %w: %w", file, err, last)
		}
	}
	return nil
}

// awaitEverything that the demo made, the releases that it showed included.
func (d *Demo) awaitEverything(ctx context.Context, waiting step.Waiting) error {
	if err := d.awaitClaims(ctx, waiting); err != nil {
		return err
	}
	return d.awaitPods(ctx, waiting)
}

// conditions of a claim on a line, for unreached.
const conditions = `{.kind}{"\t"}{.metadata.name}{"\t"}{.status.conditions[?(@.type=="Ready")].status}{"\t"}{.status.conditions[?(@.type=="Reached")].status}{"\t"}{.status.conditions[?(@.type=="Reached")].message}{"\n"}`

func (d *Demo) awaitClaims(ctx context.Context, waiting step.Waiting) error {
	return d.await(ctx, waiting, func(ctx context.Context) error {
		// The demo's own, and nobody else's.
		files := []string{"-f", filepath.Join(d.cfg.Examples, "fleet.yaml"), "-f", filepath.Join(d.cfg.Examples, "applications.yaml")}
		if now, err := d.rolloutNow(ctx); err == nil && now.digest != "" {
			files = append(files, "-f", filepath.Join(d.cfg.Examples, "..", "rollout", "release-1.1.yaml"))
		}
		out, err := d.kubectl(ctx, append([]string{"get"}, append(files, "-o",
			"jsonpath={range .items[*]}"+conditions+"{end}")...)...)
		if err != nil {
			return err
		}
		return unreached(out)
	})
}

// unreached says which claim is not where it should be. It is given one a line:
// kind, name, status of the conditions Ready and Reached, and what the latter says.
func unreached(claims string) error {
	for line := range strings.Lines(claims) {
		f := strings.SplitN(strings.TrimRight(line, "\n"), "\t", 5)
		if len(f) != 5 || f[2] == "True" && f[3] == "True" {
			continue
		}
		if f[4] == "" {
			f[4] = "Crossplane has not composed it yet: kubectl describe x" + strings.ToLower(f[0]) + " says why"
		}
		return fmt.Errorf("%s %s: %s", f[0], f[1], f[4])
	}
	return nil
}

func (d *Demo) awaitPods(ctx context.Context, waiting step.Waiting) error {
	return d.await(ctx, waiting, func(ctx context.Context) error {
		clusters, err := d.clusters(ctx)
		if err != nil {
			return err
		}
		for _, c := range clusters[:min(len(clusters), looked)] {
			out, err := d.onCluster(ctx, c, "get", "pods", "-A", "-o", `jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{"\t"}{.status.phase}{"\n"}{end}`)
			if err != nil {
				return err
			}
			if err := notRunning(c, out); err != nil {
				return err
			}
		}
		return nil
	})
}

// notRunning says which pod of a cluster does not run. It is given one a line: name
// and phase.
func notRunning(cluster, pods string) error {
	for line := range strings.Lines(pods) {
		pod, phase, _ := strings.Cut(strings.TrimSpace(line), "\t")
		// The pod of a task has run.
		if phase != "Running" && phase != "Succeeded" {
			return fmt.Errorf("pod %s on %s, which is %s", pod, cluster, phase)
		}
	}
	return nil
}

func (d *Demo) await(ctx context.Context, waiting step.Waiting, check func(context.Context) error) error {
	return d.awaitFor(ctx, patience+time.Duration(d.cfg.Clusters)*patienceEach, waiting, check)
}

// awaitFor at most so long that a check finds nothing more to wait for.
func (d *Demo) awaitFor(ctx context.Context, patience time.Duration, waiting step.Waiting, check func(context.Context) error) error {
	last := errors.New("nothing was looked at")
	err := wait.PollUntilContextTimeout(ctx, poll, patience, true, func(ctx context.Context) (bool, error) {
		if last = check(ctx); last != nil {
			waiting(last.Error())
		}
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("%w: still waiting for %w", err, last)
	}
	return nil
}

// clusters of the demo's fleet, as namespace/name.
func (d *Demo) clusters(ctx context.Context) ([]string, error) {
	out, err := d.kubectl(ctx, "get", "clusters.m.mainstay.dev", "-A", "-l", "mainstay.dev/fleet=analytics", "-o", `jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{"\n"}{end}`)
	return strings.Fields(out), err
}

// onCluster runs kubectl on a cluster, whose kubeconfig goes through a pipe: it is
// in a Secret, and nowhere else.
func (d *Demo) onCluster(ctx context.Context, cluster string, args ...string) (string, error) {
	namespace, name, _ := strings.Cut(cluster, "/")
	kubeconfig, err := d.kubectl(ctx, "-n", namespace, "get", "secret", name+".kubeconfig", "-o", "go-template={{.data.kubeconfig | base64decode}}")
	if err != nil {
		return "", err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return "", fmt.Errorf("cannot hand over kubeconfig: %w", err)
	}
	defer r.Close() //nolint:errcheck // Opened for reading.
	go func() {
		_, _ = io.WriteString(w, kubeconfig)
		_ = w.Close()
	}()
	cmd := exec.CommandContext(ctx, filepath.Join(d.cfg.Binaries, "kubectl"), append([]string{"--kubeconfig=/dev/fd/3"}, args...)...)
	cmd.ExtraFiles = []*os.File{r}
	return output(cmd)
}

func (d *Demo) kubectl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(d.cfg.Binaries, "kubectl"), append([]string{"--kubeconfig=" + d.cfg.Hub.Kubeconfig()}, args...)...)
	return output(cmd)
}

func output(cmd *exec.Cmd) (string, error) {
	errs := &strings.Builder{}
	cmd.Stderr = errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("kubectl: %w: %s", err, strings.TrimSpace(errs.String()))
	}
	return string(out), nil
}
