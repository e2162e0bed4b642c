// Command bench measures what a change to many clusters costs, against a floor: a
// program that only sends what has to be sent. Both act on the same simulated clusters
// in the same minutes, in turn, because figures of a machine that others use mean
// little and ratios mean much.
//
// It runs a real hub (kube-apiserver, etcd, the provider), and the simulator of clusters
// in a process of its own, so that the processor time of each can be told apart. It uses
// no Crossplane core: what core costs does not depend on the number of clusters.
//
// Deliberately absent: judging. It prints what it measured.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/test/fleet"
)

type flags struct {
	Binaries     string        `default:"_output/bin"     help:"Folder of the programs."          type:"path"`
	CRDs         string        `default:"package/provider/crds" help:"Folder of the definitions." name:"crds" type:"path"`
	Backend      string        `default:"simulated" enum:"simulated,local" help:"Simulated clusters, or a few real control planes."`
	Clusters     int           `default:"100"             help:"How many clusters."`
	Rollouts     int           `default:"100"              help:"How many rollouts at once in S4, and applications in S5."`
	Rounds       int           `default:"3"               help:"How often the floor and the rollout take turns."`
	Scenarios    []string      `default:"s1,s2,s3,s4,s5,s6,s7,s8,peer" help:"Which scenarios."`
	Peer         bool          `default:"true" negatable:"" help:"Measure provider-kubernetes too, in scenario peer, where make peer has built it."`
	PeerClusters int           `default:"20" help:"To how many of the clusters it delivers: an object each on the hub for ten objects on each cluster are many."`
	Patience     time.Duration `default:"15m"             help:"How long one measurement may take."`
	Out          string        `help:"File for the table. Without it, the terminal only." type:"path"`
	Keep         bool          `help:"Leave everything running."`
	Profiles     string        `help:"Folder for processor profiles of the hub and of the provider, one each a scenario." type:"path"`
}

func main() {
	f := flags{}
	kong.Parse(&f, kong.Name("bench"), kong.Description("Measures what a change to many clusters costs."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	log.SetLogger(logr.Discard())
	err := run(ctx, f)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A bench is one run.
type bench struct {
	flags
	*fleet.World

	rows  []row
	notes []string
	// idle is what each process uses in a second while nothing happens.
	idle map[string]float64
	// connections of the floor, once it has them.
	connections []connection
}

func run(ctx context.Context, f flags) (err error) {
	state, err := os.MkdirTemp("", "mainstay-bench-")
	if err != nil {
		return fmt.Errorf("cannot make folder: %w", err)
	}
	b := &bench{flags: f, World: &fleet.World{Config: fleet.Config{
		State: state, Binaries: f.Binaries, CRDs: f.CRDs, Backend: v1alpha1.BackendName(f.Backend),
		Clusters: f.Clusters, Patience: f.Patience, Profiling: f.Profiles != "",
	}}}
	if !f.Keep {
		defer func() { err = errors.Join(err, b.Down(context.WithoutCancel(ctx))) }()
	}
	b.say("starting a hub, and %d clusters", f.Clusters)
	if err := b.Up(ctx); err != nil {
		return err
	}
	for _, s := range scenarios() {
		if !wanted(f.Scenarios, s.name) {
			continue
		}
		b.say("%s: %s", s.name, s.title)
		stop := b.profile(ctx, s.name)
		err := s.run(ctx, b)
		stop()
		if err != nil {
			b.say("%s did not get there: %v", s.name, err)
			b.notes = append(b.notes, fmt.Sprintf("%s did not get there: %s", strings.ToUpper(s.name), firstLine(err.Error())))
		}
	}
	text := b.report()
	fmt.Println(text)
	if f.Out == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(f.Out), 0o755); err != nil { //nolint:gosec // Documentation.
		return fmt.Errorf("cannot make folder for table: %w", err)
	}
	return os.WriteFile(f.Out, []byte(text), 0o644) //nolint:gosec // Documentation.
}

func wanted(list []string, name string) bool {
	for _, s := range list {
		if strings.EqualFold(s, name) {
			return true
		}
	}
	return false
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().UTC().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
