package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/kube"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/plan"
	planned "github.com/mainstay-dev/mainstay/internal/plan"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
)

// changes is the error of a plan that has something to do. Nothing went wrong.
type changes struct{}

func (changes) Error() string { return "there is something to do" }

type planCmd struct {
	Before string `arg:"" help:"Folder of claims as they are. With --git, a revision." name:"before"`
	After  string `arg:"" help:"Folder of claims as they are to be. With --git, a revision." name:"after"`

	Git        string `help:"Folder in a Git repository whose revisions are compared, below that folder." type:"existingdir"`
	Repository string `help:"Manifest of a Repository: its include, exclude and kustomize say which files hold claims. Without it all YAML files do." type:"existingfile"`

	Hub     bool   `help:"Compare with what the clusters of a hub run. --kubeconfig and --context do so as well."`
	Lenient bool   `help:"Leave out documents that are no claims, instead of refusing them."`
	Output  string `default:"text" enum:"text,markdown,json" help:"text, markdown or json." short:"o"`

	Shrink int `default:"10" help:"By how many percent of its nodes a fleet may shrink before a token is needed."`

	kube.Flags
}

// Help says what the exit status means.
func (c *planCmd) Help() string {
	return "Says what a change of claims is going to do: on which clusters, in which order, what restarts, and whether it can be taken back. " +
		"Exit status: 0 where there is nothing to do, 2 where there is, 1 where something went wrong."
}

// Validate the bounds.
func (c *planCmd) Validate(*kong.Context) error {
	if c.Shrink < 1 || c.Shrink > 100 {
		return fmt.Errorf("--shrink is a number from 1 to 100")
	}
	return nil
}

// Run makes the plan and prints it.
func (c *planCmd) Run(ctx context.Context) error {
	in := plan.Input{Read: claims.Options{Namespace: c.Namespace, Lenient: c.Lenient}}
	in.Options.Limits.Shrink = c.Shrink
	var by *plan.Chosen
	var err error
	if c.Repository != "" {
		if by, err = plan.Choose(c.Repository); err != nil {
			return err
		}
		in.Read.Namespace = cmp.Or(in.Read.Namespace, by.Namespace)
	}
	if c.Git != "" {
		in.Options.Source = planned.Source{Base: c.Before, Head: c.After}
	}
	if in.Before, err = c.read(ctx, c.Before, by); err != nil {
		return err
	}
	if in.After, err = c.read(ctx, c.After, by); err != nil {
		return err
	}
	if c.Hub || c.Kubeconfig != "" || c.Context != "" {
		hub, err := c.Open()
		if err != nil {
			return err
		}
		in.Hub, in.Read.Namespace = hub.Client, cmp.Or(in.Read.Namespace, hub.Namespace)
	}
	p, err := plan.Make(ctx, in)
	if err != nil {
		return err
	}
	if err := c.show(p); err != nil {
		return err
	}
	if len(p.Claims) > 0 || p.Blocked != "" {
		return changes{}
	}
	return nil
}

func (c *planCmd) read(ctx context.Context, name string, by *plan.Chosen) (map[string][]byte, error) {
	if c.Git != "" {
		return plan.Revision(ctx, c.Git, name, by)
	}
	return plan.Folder(name, by)
}

func (c *planCmd) show(p planned.Plan) error {
	var out string
	switch c.Output {
	case "markdown":
		out = p.Markdown()
	case "json":
		raw, err := json.MarshalIndent(p, "", "  ")
		if err != nil {
			return fmt.Errorf("cannot print plan: %w", err)
		}
		out = string(raw) + "\n"
	default:
		out = p.Text()
	}
	_, err := fmt.Fprint(os.Stdout, out)
	return err
}
