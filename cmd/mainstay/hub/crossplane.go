package hub

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/step"
	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

const (
	systemNamespace = "crossplane-system"
	webhookService  = "crossplane-webhooks"
	secretCA        = "crossplane-root-ca"
	secretServer    = "crossplane-tls-server"
	secretClient    = "crossplane-tls-client"

	// What Mainstay recommends: the defaults drop events of composites whose
	// children change often, as clusters do while they are made.
	breakerBurst  = 20000
	breakerRefill = 200

	poll = 250 * time.Millisecond
)

// initCrossplane installs Crossplane's own kinds, webhooks and certificates.
func (h *Hub) initCrossplane(ctx context.Context, waiting step.Waiting) error {
	c, err := h.client()
	if err != nil {
		return err
	}
	port, err := h.port(ctx, portCoreWebhook)
	if err != nil {
		return err
	}
	for _, o := range []client.Object{
		&corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: systemNamespace}},
		&corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: metav1.ObjectMeta{Name: "crossplane", Namespace: systemNamespace}},
		// The API server calls webhooks by their Service. This one leads to this
		// machine; certificates are still checked for the Service's name.
		&corev1.Service{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
			ObjectMeta: metav1.ObjectMeta{Name: webhookService, Namespace: systemNamespace},
			Spec: corev1.ServiceSpec{
				Type: corev1.ServiceTypeExternalName, ExternalName: loopback,
				Ports: []corev1.ServicePort{{Port: int32(port)}}, //nolint:gosec // A port.
			},
		},
	} {
		if err := apply(ctx, c, o); err != nil {
			return err
		}
	}
	sources, err := h.crossplaneSources(ctx)
	if err != nil {
		return err
	}
	env := h.environment("CRDS_PATH="+filepath.Join(sources, "crds"), "WEBHOOK_CONFIGS_PATH="+filepath.Join(sources, "webhookconfigurations"),
		"WEBHOOK_SERVICE_NAME="+webhookService, "WEBHOOK_SERVICE_NAMESPACE="+systemNamespace, fmt.Sprintf("WEBHOOK_SERVICE_PORT=%d", port),
		"TLS_CA_SECRET_NAME="+secretCA, "TLS_SERVER_SECRET_NAME="+secretServer, "TLS_CLIENT_SECRET_NAME="+secretClient)

	// The first try fails while the kinds that it makes are not served yet.
	out := []byte{}
	waiting("Crossplane's kinds to be served")
	err = wait.PollUntilContextTimeout(ctx, poll, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		cmd := exec.CommandContext(ctx, h.binary("crossplane"), "core", "init")
		cmd.Env = env
		var err error
		out, err = cmd.CombinedOutput()
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("cannot set up Crossplane: %w: %s", err, lastLine(out))
	}
	for dir, secret := range map[string]string{"server": secretServer, "client": secretClient} {
		if err := h.certificates(ctx, c, secret, h.path("crossplane", "tls", dir)); err != nil {
			return err
		}
	}
	return nil
}

// startCrossplane starts Crossplane's core and waits until it is ready.
func (h *Hub) startCrossplane(ctx context.Context, waiting step.Waiting) error {
	for _, dir := range []string{"xpkg", "xfn"} {
		if err := os.MkdirAll(h.path("crossplane", "cache", dir), 0o700); err != nil {
			return fmt.Errorf("cannot make folder for Crossplane: %w", err)
		}
	}
	numbers := map[string]int{}
	for _, name := range []string{portCoreMetrics, portCoreHealth, portCoreWebhook} {
		p, err := h.port(ctx, name)
		if err != nil {
			return err
		}
		numbers[name] = p
	}
	args := []string{"core", "start"}
	if !h.cfg.DefaultCircuitBreaker {
		args = append(args, fmt.Sprintf("--circuit-breaker-burst=%d", breakerBurst), fmt.Sprintf("--circuit-breaker-refill-rate=%d", breakerRefill))
	}
	tls := h.path("crossplane", "tls")
	spec := process.Spec{
		Dir: h.path("crossplane"), Name: "crossplane", Path: h.binary("crossplane"), Args: args,
		Env: h.environment("PACKAGE_RUNTIME=External",
			"TLS_SERVER_SECRET_NAME="+secretServer, "TLS_CLIENT_SECRET_NAME="+secretClient,
			"TLS_SERVER_CERTS_DIR="+filepath.Join(tls, "server"), "TLS_CLIENT_CERTS_DIR="+filepath.Join(tls, "client"),
			"XPKG_CACHE_DIR="+h.path("crossplane", "cache", "xpkg"), "XFN_CACHE_DIR="+h.path("crossplane", "cache", "xfn"),
			fmt.Sprintf("METRICS_PORT=%d", numbers[portCoreMetrics]), fmt.Sprintf("HEALTH_PROBE_PORT=%d", numbers[portCoreHealth]),
			fmt.Sprintf("WEBHOOK_PORT=%d", numbers[portCoreWebhook])),
		Files: []string{filepath.Join(tls, "server", "tls.crt"), filepath.Join(tls, "client", "tls.crt"), h.binary("crossplane")},
	}
	url := "http://" + address(numbers[portCoreHealth]) + "/readyz"
	return h.run(ctx, spec, waiting, func(ctx context.Context) error { return get(ctx, url) })
}

// crossplaneSources is the folder of Crossplane's manifests, in the module that
// its program was built from.
func (h *Hub) crossplaneSources(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/crossplane/crossplane/v2")
	cmd.Dir = filepath.Join(h.cfg.Source, "tools", "controlplane")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("cannot find Crossplane's manifests: is Go on the PATH?: %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "cluster"), nil
}

// certificates writes the Secret that Crossplane made to where its program reads it.
func (h *Hub) certificates(ctx context.Context, c client.Client, name, dir string) error {
	s := &corev1.Secret{}
	if err := c.Get(ctx, types.NamespacedName{Namespace: systemNamespace, Name: name}, s); err != nil {
		return fmt.Errorf("cannot get certificates of Crossplane: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make folder for certificates: %w", err)
	}
	for _, key := range []string{"ca.crt", "tls.crt", "tls.key"} {
		if err := statedir.WriteFile(filepath.Join(dir, key), s.Data[key]); err != nil {
			return err
		}
	}
	return nil
}

// run a process, and wait until it can be used. One that ends is started again.
func (h *Hub) run(ctx context.Context, spec process.Spec, waiting step.Waiting, ready func(ctx context.Context) error) error {
	last := error(nil)
	err := wait.PollUntilContextTimeout(ctx, poll, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		if err := os.MkdirAll(spec.Dir, 0o700); err != nil {
			return false, fmt.Errorf("cannot make folder for %s: %w", spec.Name, err)
		}
		if err := process.Ensure(ctx, spec); err != nil {
			return false, err
		}
		last = ready(ctx)
		waiting(spec.Name + " to be ready")
		return last == nil && process.Observe(spec).Current, nil
	})
	if err != nil {
		return fmt.Errorf("cannot start %s: %w: %w: look at %s", spec.Name, err, last, process.LogFile(spec.Dir, spec.Name))
	}
	return nil
}

// environment of a process that works on the hub as its administrator.
func (h *Hub) environment(more ...string) []string {
	return append([]string{
		"KUBECONFIG=" + h.Kubeconfig(), "POD_NAMESPACE=" + systemNamespace, "POD_SERVICE_ACCOUNT=crossplane",
		"HOME=" + h.cfg.State, "PATH=/usr/bin:/bin",
	}, more...)
}

func get(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	rsp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer rsp.Body.Close() //nolint:errcheck // Nothing is read from it.
	if rsp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, rsp.Status)
	}
	return nil
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
