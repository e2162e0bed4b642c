package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
)

// whatNext ends a successful start with what is there, and what to type.
func (d *Demo) whatNext(ctx context.Context, took time.Duration) error {
	claims, err := d.kubectl(ctx, "get", "clusterfleets,productapplications", "-A")
	if err != nil {
		return err
	}
	clusters, err := d.clusters(ctx)
	if err != nil {
		return err
	}
	example, namespace := "", ""
	if len(clusters) > 0 {
		namespace, example, _ = strings.Cut(clusters[0], "/")
	}
	_, err = fmt.Fprintf(d.cfg.Out, `
The demo is up after %.0f s.

%s
What to type next:

  export KUBECONFIG=%s
  export PATH=%s:$PATH
  kubectl get clusterfleet,productapplication -A     # the claims
  kubectl get clusters,nodepools,rollouts,releases -A   # what they became

  # one of the clusters:
  kubectl -n %s get secret %s.kubeconfig -o jsonpath='{.data.kubeconfig}' | base64 -d > %s
  kubectl --kubeconfig %[7]s get pods -A -o wide

  make demo-down                                     # stop and remove everything
`, took.Seconds(), claims, d.cfg.Hub.Kubeconfig(), d.cfg.Binaries, namespace, example,
		filepath.Join(d.state(), example+".kubeconfig"))
	return err
}

// Status says which processes run, and how the claims are.
func (d *Demo) Status(ctx context.Context) error {
	state := d.state()
	if _, err := os.Stat(d.cfg.Hub.Kubeconfig()); err != nil {
		_, err := fmt.Fprintln(d.cfg.Out, "There is no demo in "+state+". Start it with: make demo")
		return err
	}
	for _, p := range process.List(state) {
		rel, err := filepath.Rel(state, p.Name)
		if err != nil {
			rel = p.Name
		}
		if _, err := fmt.Fprintf(d.cfg.Out, "%8d  %s\n", p.PID, rel); err != nil {
			return err
		}
	}
	claims, err := d.kubectl(ctx, "get", "clusterfleets,productapplications", "-A", "--request-timeout=5s")
	if err != nil {
		_, err := fmt.Fprintf(d.cfg.Out, "\nNo claims can be read; bring the demo back with: make demo\n%v\n", err)
		return err
	}
	_, err = fmt.Fprintf(d.cfg.Out, "\n%s", claims)
	return err
}
