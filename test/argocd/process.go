package argocd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

// Names of the processes. Their logs are <name>.log in the directory.
const (
	cache      = "argocd-redis"
	repoServer = "argocd-repo-server"
	controller = "argocd-application-controller"
)

// ports that the processes listen on, on loopback.
type ports struct {
	Cache, RepoServer, RepoServerMetrics, ControllerMetrics int
}

// Ports are drawn from below those that Linux gives to outgoing connections, so that
// a port is still free when its process starts again.
const firstPort, lastPort = 16000, 17999

// drawPorts once for all the life of the directory.
func (in *installation) drawPorts(ctx context.Context) (ports, error) {
	var p ports
	file := filepath.Join(in.cfg.Dir, "ports.json")
	if b, err := os.ReadFile(file); err == nil && json.Unmarshal(b, &p) == nil {
		return p, nil
	}
	next := firstPort + os.Getpid()%(lastPort-firstPort)
	for _, to := range []*int{&p.Cache, &p.RepoServer, &p.RepoServerMetrics, &p.ControllerMetrics} {
		for ; !free(ctx, next); next++ {
			if next > lastPort {
				return p, errors.New("cannot find a port for Argo CD: none is free")
			}
		}
		*to = next
		next++
	}
	b, err := json.Marshal(p)
	if err != nil {
		return p, fmt.Errorf("cannot encode ports: %w", err)
	}
	return p, statedir.WriteFile(file, b)
}

// free says whether nobody listens on a port, on any interface: the metrics of the
// controller are served on all of them.
func free(ctx context.Context, port int) bool {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf(":%d", port))
	return err == nil && l.Close() == nil
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// processes that an Argo CD is made of, in the order in which they start.
func (in *installation) processes(p ports) []process.Spec {
	redis := address(p.Cache)
	repo := []string{
		"--address", "127.0.0.1", "--port", strconv.Itoa(p.RepoServer), "--metrics-address", "127.0.0.1", "--metrics-port", strconv.Itoa(p.RepoServerMetrics),
		"--disable-tls", "--redis", redis,
	}
	control := []string{
		"--repo-server", address(p.RepoServer), "--repo-server-plaintext", "--redis", redis,
		"--metrics-port", strconv.Itoa(p.ControllerMetrics), "--namespace", Namespace, "--kubeconfig", in.kubeconfig(),
		// One hub needs few hands.
		"--status-processors", "4", "--operation-processors", "2",
	}
	if in.cfg.Poll > 0 {
		// What a branch is at is kept for as long.
		repo = append(repo, "--revision-cache-expiration", in.cfg.Poll.String())
		control = append(control, "--app-resync", strconv.Itoa(int(in.cfg.Poll.Seconds())), "--app-resync-jitter", "0")
	}
	return []process.Spec{
		{Dir: in.cfg.Dir, Name: cache, Path: in.program(cache), Args: []string{"--address", redis}},
		{Dir: in.cfg.Dir, Name: repoServer, Path: in.program(repoServer), Args: repo, Env: in.env()},
		{Dir: in.cfg.Dir, Name: controller, Path: in.program(controller), Args: control, Env: in.env()},
	}
}

func (in *installation) program(name string) string { return filepath.Join(in.cfg.Binaries, name) }

// kubeconfig of Argo CD's own account.
func (in *installation) kubeconfig() string { return filepath.Join(in.cfg.Dir, "kubeconfig") }

// env of its processes. The hub is the cluster that Argo CD is in: Applications name it
// as https://kubernetes.default.svc. Git asks the program named argocd for passwords.
func (in *installation) env() []string {
	env := []string{
		"PATH=" + in.cfg.Binaries + string(os.PathListSeparator) + os.Getenv("PATH"),
		"KUBECONFIG=" + in.kubeconfig(), "ARGOCD_FAKE_IN_CLUSTER=true",
		"TMPDIR=" + in.path("tmp"), "ARGOCD_ASK_PASS_SOCK=" + socket(in.cfg.Dir),
		"ARGOCD_GPG_ENABLED=false",
	}
	for _, f := range folders {
		env = append(env, f.variable+"="+in.path(f.name))
	}
	return env
}

// folders that Argo CD reads keys and certificates from. They are empty.
var folders = []struct{ variable, name string }{
	{"ARGOCD_GNUPGHOME", "gnupg"},
	{"ARGOCD_TLS_DATA_PATH", "tls"},
	{"ARGOCD_SSH_DATA_PATH", "ssh"},
	{"ARGOCD_APP_CONF_PATH", "config"},
}

// socket that Git is given passwords through. It is not in the directory, since the path
// of a socket must be short.
func socket(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(os.TempDir(), "mainstay-argocd-"+hex.EncodeToString(sum[:6])+".sock")
}

func (in *installation) path(name string) string { return filepath.Join(in.cfg.Dir, name) }
