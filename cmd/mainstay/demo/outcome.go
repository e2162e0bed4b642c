package demo

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// whatNext ends a story with what became of it, where to look, and what to try.
func (s *story) whatNext(ctx context.Context, took time.Duration) error {
	b := &strings.Builder{}
	fmt.Fprintf(b, "\n%d merge requests, %.0f s with all that they need:\n\n", len(s.scenes), took.Seconds())
	for _, c := range s.scenes {
		fmt.Fprintf(b, "  !%-3d cart %-15s %s\n       %s\n", c.number, c.tag(), c.outcome, c.url)
	}
	fmt.Fprintf(b, "\n%s", s.changes(ctx))
	b.WriteString("\nLook at them in a browser on this machine. Passwords are the demo's own, and good for nothing else:\n\n")
	for _, p := range []struct{ name, does string }{
		{developer, "developer: opens merge requests"},
		{sre, "SRE: approves, and says /retry, /rollback, /abandon"},
		{otherSRE, "SRE, too: an emergency takes two"},
	} {
		fmt.Fprintf(b, "  %-6s %-14s %s\n", p.name, s.forge.people[p.name].Password, p.does)
	}
	last := s.scenes[len(s.scenes)-1].name()
	first := s.scenes[0].name()
	fmt.Fprintf(b, `
What to type next:

  export KUBECONFIG=%s
  export PATH=%s:$PATH
  mainstay change show %[3]s -n %[4]s     # what happened, and what can be said to it
  mainstay change audit %[5]s -n %[4]s    # who did what, as a chain that nobody can rewrite
  kubectl -n %[4]s get repositories,changes,plans

What to try: docs/first-change.md has a merge request of your own, with git and curl.

  Push to its branch while it executes, or close it, and see what happens: mainstay change watch %[6]s-<number> -n %[4]s
  Edit a claim by hand while its change executes: kubectl -n shop edit productapplication cart

  make demo-change    # three more merge requests
  make demo-down      # stop and remove everything
`, s.cfg.Hub.Kubeconfig(), s.cfg.Binaries, last, repositoryNamespace, first, forgeRepository)
	_, err := fmt.Fprint(s.cfg.Out, b.String())
	return err
}

// changes as the command lists them. They are there to be read: what they say has been
// checked by now.
func (s *story) changes(ctx context.Context) string {
	cmd := exec.CommandContext(ctx, filepath.Join(s.cfg.Binaries, "mainstay"), "change", "list", "--all", "-n", repositoryNamespace, "--kubeconfig", s.cfg.Hub.Kubeconfig())
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return "$ mainstay change list --all -n " + repositoryNamespace + "\n" + string(out)
}
