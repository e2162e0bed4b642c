package controlplane

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
)

// AnnotationFake is the annotation, with the value AnnotationFakeValue, of the
// nodes that KWOK plays.
const (
	AnnotationFake      = "kwok.x-k8s.io/node"
	AnnotationFakeValue = "fake"
)

// Processes, by the names of their programs.
const (
	nameAPIServer         = "kube-apiserver"
	nameControllerManager = "kube-controller-manager"
	nameScheduler         = "kube-scheduler"
	nameKWOK              = "kwok"
)

// Files of a control plane, beside those of its processes.
const (
	fileTokens     = "tokens.csv"
	fileSigningKey = "service-account.key"
	filePorts      = "ports.json"
	fileStages     = "stages.yaml"
)

const (
	// serviceCIDR is the same everywhere: nothing routes to it.
	serviceCIDR = "10.96.0.0/16"
	// advertiseAddress is set aside for documentation. The API server wants one
	// that is not loopback, even where it advertises nothing, and would otherwise
	// look for an interface that a machine without a network does not have.
	advertiseAddress = "192.0.2.1"
	// podCIDR and nodeIP are what KWOK gives to pods and nodes.
	podCIDR = "10.244.0.0/16"
	nodeIP  = "192.0.2.10"
	// eagerGC trades some CPU for memory, of which many small processes waste most.
	eagerGC = "GOGC=50"
)

func (c *ControlPlane) apiServer() process.Spec {
	pki, etcd := c.pki(), c.cfg.Etcd
	env := []string{eagerGC}
	if c.cfg.MemoryLimit != "" {
		env = append(env, "GOMEMLIMIT="+c.cfg.MemoryLimit)
	}
	env = append(env, c.cfg.APIServerEnv...)
	return process.Spec{
		Dir:  c.cfg.Dir,
		Name: nameAPIServer,
		Path: filepath.Join(c.cfg.Binaries, nameAPIServer),
		Args: append([]string{
			"--bind-address=" + loopback,
			fmt.Sprintf("--secure-port=%d", c.ports().get(portAPIServer)),
			"--advertise-address=" + advertiseAddress,
			"--endpoint-reconciler-type=none",
			"--tls-cert-file=" + pki.serverCert(),
			"--tls-private-key-file=" + pki.serverKey(),
			"--etcd-servers=" + etcd.endpoint(),
			"--etcd-prefix=" + c.cfg.Prefix,
			"--etcd-cafile=" + etcd.pki().ca(),
			"--etcd-certfile=" + etcd.pki().clientCert(),
			"--etcd-keyfile=" + etcd.pki().clientKey(),
			"--service-account-issuer=https://kubernetes.default.svc",
			"--service-account-key-file=" + c.path(fileSigningKey),
			"--service-account-signing-key-file=" + c.path(fileSigningKey),
			"--service-cluster-ip-range=" + serviceCIDR,
			"--token-auth-file=" + c.path(fileTokens),
			"--anonymous-auth=false",
			"--authorization-mode=RBAC",
			// Nothing played by KWOK reads a token.
			"--disable-admission-plugins=ServiceAccount",
			"--allow-privileged=true",
			"--profiling=false",
		}, c.cfg.APIServerArgs...),
		Env:   env,
		Files: []string{pki.serverCert(), pki.serverKey(), c.path(fileSigningKey), c.path(fileTokens), etcd.pki().clientCert()},
	}
}

// clients are the processes that need the API server.
func (c *ControlPlane) clients() []process.Spec {
	if !c.cfg.Nodes {
		return []process.Spec{c.controllerManager()}
	}
	return []process.Spec{c.controllerManager(), c.scheduler(), c.kwok()}
}

func (c *ControlPlane) controllerManager() process.Spec {
	s := c.client(nameControllerManager, identityControllerManager,
		"--secure-port=0",
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+c.path(fileSigningKey),
		"--root-ca-file="+c.pki().ca(),
		"--node-monitor-grace-period=2m",
		"--profiling=false",
	)
	if len(c.cfg.Controllers) > 0 {
		s.Args = append(s.Args, "--controllers="+strings.Join(c.cfg.Controllers, ","))
	}
	s.Files = append(s.Files, c.path(fileSigningKey), c.pki().ca())
	return s
}

func (c *ControlPlane) scheduler() process.Spec {
	return c.client(nameScheduler, identityScheduler,
		"--secure-port=0",
		"--leader-elect=false",
		"--profiling=false",
	)
}

// stages say how pods behave. Nodes have KWOK's own: they become ready.
//
//go:embed stages.yaml
var stages []byte

func (c *ControlPlane) kwok() process.Spec {
	s := c.client(nameKWOK, identityKWOK,
		"--config="+c.path(fileStages),
		"--manage-all-nodes=false",
		"--manage-nodes-with-annotation-selector="+AnnotationFake+"="+AnnotationFakeValue,
		"--node-lease-duration-seconds=60",
		"--node-ip="+nodeIP,
		"--cidr="+podCIDR,
	)
	s.Files = append(s.Files, c.path(fileStages))
	return s
}

func (c *ControlPlane) client(name string, id identity, args ...string) process.Spec {
	kubeconfig := c.path(kubeconfigFile(id))
	return process.Spec{
		Dir:   c.cfg.Dir,
		Name:  name,
		Path:  filepath.Join(c.cfg.Binaries, name),
		Args:  append([]string{"--kubeconfig=" + kubeconfig}, args...),
		Env:   []string{eagerGC},
		Files: []string{kubeconfig},
	}
}
