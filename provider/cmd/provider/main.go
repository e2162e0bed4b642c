// Command provider makes Mainstay's managed resources real. It needs no other program,
// except where it is told to run control planes itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/alecthomas/kong"
	// The image has no certificates of its own, and forges have those of public authorities.
	_ "golang.org/x/crypto/x509roots/fallback"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"

	"github.com/mainstay-dev/mainstay/internal/version"
	"github.com/mainstay-dev/mainstay/provider/controller"
	"github.com/mainstay-dev/mainstay/provider/controller/steady"
)

// flags of the provider.
type flags struct {
	Version kong.VersionFlag `help:"Print the version and exit."`
	Debug   bool             `help:"Log what is decided, and why." short:"d"`

	LeaderElection           bool   `env:"LEADER_ELECTION"                                                              help:"Let one of several replicas act."`
	LeaderElectionNamespace  string `env:"POD_NAMESPACE"                                                                help:"Namespace the replicas agree in. Defaults to the provider's own."`
	MetricsAddress           string `default:":8080"                                                                    help:"Address that serves metrics, or 0 for none."`
	HealthAddress            string `default:":8081"                                                                    help:"Address that serves /healthz and /readyz, or 0 for none."`
	ProfilingAddress         string `default:"0"                                                                        help:"Address that serves /debug/pprof, or 0 for none. Whoever reaches it can read what the provider holds in memory."`
	EnableManagementPolicies bool   `default:"true" help:"Support spec.managementPolicies." negatable:""`

	EnableChangelogs     bool   `help:"Send a record of every change to the change log."`
	ChangelogsSocketPath string `default:"/var/run/changelogs/changelogs.sock" help:"Socket of the change log."`

	SyncInterval            time.Duration `default:"1h"  help:"How often everything is looked at that is watched."`
	Poll                    time.Duration `default:"30s" help:"How often a ready resource is compared with the world."`
	PollJitter              steady.Jitter `default:"0.1" help:"How much polls are spread: a fraction of the interval such as 0.1, or a duration such as 5s."`
	LooksPerSecond          int           `default:"50"  help:"Most ready Releases compared with their clusters in a second, or 0 for no bound. Where there are more than that in a poll interval, each is looked at less often."`
	PollStateMetricInterval time.Duration `default:"1m"  help:"How often resources are counted for metrics."`

	MaxReconcileRate int `default:"500" help:"Most reconciles a second, of all kinds together."`
	ClusterWorkers   int `default:"50"  help:"Clusters reconciled at once."`
	NodePoolWorkers  int `default:"50"  help:"Node pools reconciled at once."`
	ReleaseWorkers   int `default:"100" help:"Releases reconciled at once."`
	RolloutWorkers   int `default:"20"  help:"Rollouts reconciled at once."`

	RepositoryWorkers int `default:"10" help:"Repositories asked for at once."`
	ChangeWorkers     int `default:"20" help:"Changes reconciled at once."`

	RegistryChecks bool `help:"Ask registries, without credentials, whether the images of an application exist before it is rolled out, and which digests their tags stand for."`

	Mirrors            string `default:"/tmp/mainstay/mirrors" help:"Folder for the mirrors of repositories. What is lost of it is fetched again." type:"path"`
	WebhookAddress     string `default:"0"                     help:"Address that takes webhooks of forges, at /webhooks/<namespace>/<repository>, or 0 for none. Without it forges are polled."`
	WebhookCertificate string `help:"File with the certificate, in PEM, that webhooks are taken with. With --webhook-key it makes them HTTPS. It is read again when it changes." type:"path"`
	WebhookKey         string `help:"File with the key of that certificate." type:"path"`

	PlanFunctions     string `default:"pipeline" enum:"pipeline,builtin"                       help:"Functions that merge requests are planned with: those of the hub's Compositions, or those that are part of the provider."`
	FunctionTLSDir    string `help:"Folder with ca.crt, tls.crt and tls.key to show to functions. Without it, a Secret." type:"path"`
	FunctionTLSSecret string `default:"crossplane-system/crossplane-tls-client" help:"Secret with Crossplane's certificate as a client of functions, as <namespace>/<name>."`

	LocalBinaries string `help:"Folder of the control plane's programs. With --local-state it enables the backend local." type:"path"`
	LocalState    string `help:"Folder for the state of local clusters." type:"path"`

	SimulatedState string `help:"Folder for the state of simulated clusters. Without it they go with the provider." type:"path"`
	Simulator      string `help:"Folder of a running simulator, which then has the simulated clusters." type:"path"`
}

// Validate flags that depend on each other.
func (f *flags) Validate() error {
	if (f.LocalBinaries == "") != (f.LocalState == "") {
		return errors.New("--local-binaries and --local-state belong together")
	}
	if f.SimulatedState != "" && f.Simulator != "" {
		return errors.New("--simulated-state and --simulator exclude each other")
	}
	if (f.WebhookCertificate == "") != (f.WebhookKey == "") {
		return errors.New("--webhook-certificate and --webhook-key belong together")
	}
	if err := checkSecret(f.FunctionTLSSecret); err != nil {
		return err
	}
	if f.Poll <= 0 || f.SyncInterval <= 0 || f.PollStateMetricInterval <= 0 {
		return errors.New("--poll, --sync-interval and --poll-state-metric-interval must be more than 0")
	}
	if f.LooksPerSecond < 0 {
		return errors.New("--looks-per-second must not be less than 0")
	}
	if min(f.MaxReconcileRate, f.ClusterWorkers, f.NodePoolWorkers, f.ReleaseWorkers, f.RolloutWorkers, f.RepositoryWorkers, f.ChangeWorkers) <= 0 {
		return errors.New("--max-reconcile-rate and the numbers of workers must be more than 0")
	}
	return nil
}

func (f *flags) workers() controller.Workers {
	return controller.Workers{
		Clusters: f.ClusterWorkers, NodePools: f.NodePoolWorkers, Releases: f.ReleaseWorkers, Rollouts: f.RolloutWorkers,
		Repositories: f.RepositoryWorkers, Changes: f.ChangeWorkers,
	}
}

func main() {
	f := flags{}
	kong.Parse(&f,
		kong.Name("provider"),
		kong.Description("Makes Mainstay's managed resources real."),
		kong.Vars{"version": version.String()},
		kong.ShortUsageOnError())

	log := logger(f.Debug)
	if err := run(ctrl.SetupSignalHandler(), f, log); err != nil {
		log.Info("Provider stops", "error", err)
		fmt.Fprintln(os.Stderr, "provider:", err)
		os.Exit(1)
	}
}

// logger for all that is linked in.
func logger(debug bool) logging.Logger {
	zl := zap.New(zap.UseDevMode(debug))
	ctrl.SetLogger(zl)
	klog.SetLogger(zl.WithName("kubernetes"))
	return logging.NewLogrLogger(zl.WithName("mainstay"))
}

func run(ctx context.Context, f flags, log logging.Logger) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	cfg, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("cannot find the hub: set KUBECONFIG, or run in a cluster: %w", err)
	}
	b, err := backends(f)
	if err != nil {
		return err
	}
	defer func() {
		if err := closeBackends(b); err != nil {
			log.Info("Cannot close backends", "error", err)
		}
	}()
	mgr, err := manager(cfg, f)
	if err != nil {
		return err
	}
	if err := controllers(mgr, f, log, b, stop); err != nil {
		return err
	}
	log.Info("Provider starts", "version", version.String(), "backends", b.Names())
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("cannot run controllers: %w", err)
	}
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
