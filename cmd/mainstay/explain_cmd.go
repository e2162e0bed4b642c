package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/alecthomas/kong"

	gather "github.com/mainstay-dev/mainstay/cmd/mainstay/explain"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/kube"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/screen"
	"github.com/mainstay-dev/mainstay/internal/explain"
)

type explainCmd struct {
	kube.Flags
	outputFlag
	Deep   bool     `default:"true" help:"Look at pods on clusters too, where you may read their kubeconfigs." negatable:""`
	Target []string `arg:"" help:"What to explain: app/<name>, fleet/<name>, rollout/<name>, release/<name> or cluster/<name>." name:"kind/name"`
}

// Validate what is to be explained.
func (c *explainCmd) Validate(*kong.Context) error {
	_, _, err := gather.Parse(c.Target)
	return err
}

// Run explains why something is as it is.
func (c *explainCmd) Run(ctx context.Context) error {
	kind, name, err := gather.Parse(c.Target)
	if err != nil {
		return err
	}
	hub, err := c.Open()
	if err != nil {
		return err
	}
	g := &gather.Gatherer{Hub: hub.Client, Namespace: hub.Namespace, Now: time.Now()}
	if c.Deep {
		g.Look = gather.Looker(hub.Client)
	}
	in, err := g.Gather(ctx, kind, name)
	if err != nil {
		return err
	}
	e := explain.Explain(in)
	if c.Output != "text" {
		return c.print(e)
	}
	_, err = fmt.Print(screen.Of(os.Stdout).Render(gather.Lines(e), false))
	return err
}
