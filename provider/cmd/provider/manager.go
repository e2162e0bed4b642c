package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	changelogsv1alpha1 "github.com/crossplane/crossplane-runtime/v2/apis/changelogs/proto/v1alpha1"
	xpcontroller "github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/feature"
	"github.com/crossplane/crossplane-runtime/v2/pkg/gate"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/crossplane/crossplane-runtime/v2/pkg/ratelimiter"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/customresourcesgate"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/statemetrics"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	apisv1alpha1 "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/version"
	"github.com/mainstay-dev/mainstay/provider/controller"
	"github.com/mainstay-dev/mainstay/provider/controller/change/trees"
	"github.com/mainstay-dev/mainstay/provider/controller/providerconfig"
	rolloutgate "github.com/mainstay-dev/mainstay/provider/gate"
	"github.com/mainstay-dev/mainstay/provider/images"
	mainstaymetrics "github.com/mainstay-dev/mainstay/provider/metrics"
	"github.com/mainstay-dev/mainstay/provider/preflight"
	"github.com/mainstay-dev/mainstay/provider/repo"
	"github.com/mainstay-dev/mainstay/provider/repo/hooks"
	"github.com/mainstay-dev/mainstay/provider/snapshot"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// shutdown is how long reconciles that have begun may take to end.
const shutdown = 30 * time.Second

// manager of the controllers. It keeps no Secrets, and of all else not what nobody reads.
func manager(cfg *rest.Config, f flags) (ctrl.Manager, error) {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme, apisv1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			return nil, fmt.Errorf("cannot add kinds: %w", err)
		}
	}
	mgr, err := ctrl.NewManager(ratelimiter.LimitRESTConfig(cfg, f.MaxReconcileRate), ctrl.Options{
		Scheme: s,
		Cache: cache.Options{
			SyncPeriod:       &f.SyncInterval,
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject: map[client.Object]cache.ByObject{
				&apiextensionsv1.CustomResourceDefinition{}: {Transform: customresourcesgate.TransformStripCRDSchema},
			},
		},
		Client:                  client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Metrics:                 metricsserver.Options{BindAddress: f.MetricsAddress},
		HealthProbeBindAddress:  f.HealthAddress,
		PprofBindAddress:        f.ProfilingAddress,
		LeaderElection:          f.LeaderElection,
		LeaderElectionID:        "mainstay-provider",
		LeaderElectionNamespace: f.LeaderElectionNamespace,
		// The lease is let go of on the way out, so that nobody waits for it to expire.
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       ptr.To(shutdown),
	})
	if err != nil {
		return nil, fmt.Errorf("cannot make manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("cannot add health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("cannot add readiness check: %w", err)
	}
	return mgr, nil
}

// controllers are added to a manager. One that cannot be added later stops it.
func controllers(mgr ctrl.Manager, f flags, log logging.Logger, b providerconfig.Backends, stop func(error)) error {
	lifecycle, state := managed.NewMRMetricRecorder(), statemetrics.NewMRStateMetrics()
	for _, c := range []prometheus.Collector{lifecycle, state} {
		if err := metrics.Registry.Register(c); err != nil {
			return fmt.Errorf("cannot register metrics: %w", err)
		}
	}
	if err := mainstaymetrics.Default.Register(metrics.Registry); err != nil {
		return err
	}
	o := xpcontroller.Options{
		Logger:            log,
		GlobalRateLimiter: ratelimiter.NewGlobal(f.MaxReconcileRate),
		PollInterval:      f.Poll,
		// Of the kinds that have no number of their own.
		MaxConcurrentReconciles: 10,
		Features:                &feature.Flags{},
		MetricOptions: &xpcontroller.MetricOptions{
			PollStateMetricInterval: f.PollStateMetricInterval,
			MRMetrics:               lifecycle,
			MRStateMetrics:          state,
		},
		Gate: new(gate.Gate[schema.GroupVersionKind]),
	}
	if f.EnableManagementPolicies {
		o.Features.Enable(feature.EnableBetaManagementPolicies)
	}
	if f.EnableChangelogs {
		conn, err := grpc.NewClient("unix://"+f.ChangelogsSocketPath, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return fmt.Errorf("cannot connect to change log at %q: %w", f.ChangelogsSocketPath, err)
		}
		o.Features.Enable(feature.EnableAlphaChangeLogs)
		o.ChangeLogOptions = &xpcontroller.ChangeLogOptions{ChangeLogger: managed.NewGRPCChangeLogger(
			changelogsv1alpha1.NewChangeLogServiceClient(conn), managed.WithProviderVersion("mainstay-provider:"+version.String()))}
	}
	pool := repo.NewPool(mgr.GetClient(), f.Mirrors, time.Now)
	if f.WebhookAddress != "0" && f.WebhookAddress != "" {
		s := hooks.New(mgr.GetClient(), pool, time.Now, mainstaymetrics.Default.Repositories, log)
		if err := mgr.Add(&hooks.Listener{Handler: s, Address: f.WebhookAddress, Certificate: f.WebhookCertificate, Key: f.WebhookKey}); err != nil {
			return fmt.Errorf("cannot add webhooks: %w", err)
		}
	}
	views := trees.New()
	targets, registries := target.NewClients(mgr.GetClient(), clock.RealClock{}), registriesOf(f)
	looks := preflightOf(mgr, registries, targets, log)
	return controller.SetupGated(mgr, o, controller.Deps{
		Backends: b,
		Targets:  targets,
		Gates:    rolloutgate.New(mgr.GetAPIReader()),
		Jitter:   f.PollJitter,

		Repositories: pool,
		Trees:        views,
		Planner:      plannerOf(mgr, f, views, looks, log),
		Workers:      f.workers(),

		LooksPerSecond: f.LooksPerSecond,

		Preflight: looks,
		Images:    imagesOf(mgr, registries),
	}, stop)
}

// registriesOf images, or nil where none is asked.
func registriesOf(f flags) *snapshot.Images {
	if !f.RegistryChecks {
		return nil
	}
	return snapshot.NewImages(clock.RealClock{}, nil)
}

// preflightOf what Rollouts are to move.
func preflightOf(mgr ctrl.Manager, registries *snapshot.Images, targets *target.Clients, log logging.Logger) *preflight.Runner {
	cl := clock.RealClock{}
	return preflight.New(mgr.GetClient(), snapshot.New(targets, cl, rand.Float64, registries), targets, cl, rand.Float64, mainstaymetrics.Default.Preflight, log)
}

// imagesOf what Rollouts are to move.
func imagesOf(mgr ctrl.Manager, registries *snapshot.Images) *images.Images {
	if registries == nil {
		return images.New(mgr.GetClient(), nil)
	}
	return images.New(mgr.GetClient(), registries)
}
