package argocd

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

// account that Argo CD's processes have, and fieldManager of what is installed for it.
const (
	account      = "argocd-application-controller"
	fieldManager = "mainstay-argocd"
)

// base is what an installation begins with, apart from the kinds. Settings come on top.
const base = `
apiVersion: v1
kind: Namespace
metadata: {name: argocd}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: argocd-application-controller, namespace: argocd}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: argocd-application-controller, namespace: argocd}
rules:
- {apiGroups: [""], resources: [secrets, configmaps], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [events], verbs: [create, list]}
- {apiGroups: [argoproj.io], resources: [applications, appprojects, applicationsets], verbs: ["*"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: argocd-application-controller, namespace: argocd}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: argocd-application-controller}
subjects:
- {kind: ServiceAccount, name: argocd-application-controller, namespace: argocd}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm, namespace: argocd, labels: {app.kubernetes.io/part-of: argocd}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-rbac-cm, namespace: argocd, labels: {app.kubernetes.io/part-of: argocd}}
---
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: default, namespace: argocd}
spec: {}
`

// tokenLife is how long the account's token is good for.
const tokenLife = 365 * 24 * time.Hour

// An installation is an Argo CD that need not run.
type installation struct {
	cfg  Config
	rest *rest.Config
	hub  client.Client
}

func newInstallation(cfg Config) (*installation, error) {
	rc, err := clientcmd.BuildConfigFromFlags("", cfg.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("cannot read kubeconfig: %w", err)
	}
	rc.QPS, rc.WarningHandler = -1, rest.NoWarnings{}
	hub, err := client.New(rc, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("cannot make client: %w", err)
	}
	return &installation{cfg: cfg, rest: rc, hub: hub}, nil
}

// install what Argo CD needs on the hub and in its directory.
func (in *installation) install(ctx context.Context) error {
	for _, f := range folders {
		if err := os.MkdirAll(in.path(f.name), 0o700); err != nil {
			return fmt.Errorf("cannot make folder: %w", err)
		}
	}
	if err := os.MkdirAll(in.path("tmp"), 0o700); err != nil {
		return fmt.Errorf("cannot make folder: %w", err)
	}
	kinds, err := filepath.Glob(filepath.Join(in.cfg.Binaries, "argocd.d", "*.yaml"))
	if err != nil || len(kinds) == 0 {
		return fmt.Errorf("cannot find the kinds of Argo CD: build it anew with make argocd: %w", err)
	}
	for _, f := range kinds {
		if err := in.applyFile(ctx, f); err != nil {
			return err
		}
	}
	if err := in.apply(ctx, []byte(base)); err != nil {
		return err
	}
	if err := in.secret(ctx); err != nil {
		return err
	}
	for _, f := range in.cfg.Settings {
		if err := in.applyFile(ctx, f); err != nil {
			return err
		}
	}
	return in.identify(ctx)
}

// secret of the installation, which Argo CD's API server would make.
func (in *installation) secret(ctx context.Context) error {
	s := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret",
		"metadata": map[string]any{
			"name": "argocd-secret", "namespace": Namespace, "labels": map[string]any{"app.kubernetes.io/part-of": "argocd"},
		},
		"stringData": map[string]any{"server.secretkey": rand.Text()},
	}}
	if err := client.IgnoreAlreadyExists(in.hub.Create(ctx, s)); err != nil {
		return fmt.Errorf("cannot make Secret of Argo CD: %w", err)
	}
	return nil
}

// identify writes a kubeconfig with a token of Argo CD's account, once.
func (in *installation) identify(ctx context.Context) error {
	if _, err := os.Stat(in.kubeconfig()); err == nil {
		return nil
	}
	kube, err := kubernetes.NewForConfig(in.rest)
	if err != nil {
		return fmt.Errorf("cannot make client: %w", err)
	}
	token, err := kube.CoreV1().ServiceAccounts(Namespace).CreateToken(ctx, account,
		&authv1.TokenRequest{Spec: authv1.TokenRequestSpec{ExpirationSeconds: ptr.To(int64(tokenLife.Seconds()))}}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("cannot make token for Argo CD: %w", err)
	}
	cfg, err := clientcmd.LoadFromFile(in.cfg.Kubeconfig)
	if err != nil {
		return fmt.Errorf("cannot read kubeconfig: %w", err)
	}
	for _, user := range cfg.AuthInfos {
		user.Token = token.Status.Token
		user.ClientCertificateData, user.ClientKeyData = nil, nil
	}
	b, err := clientcmd.Write(*cfg)
	if err != nil {
		return fmt.Errorf("cannot write kubeconfig: %w", err)
	}
	return statedir.WriteFile(in.kubeconfig(), b)
}

func (in *installation) applyFile(ctx context.Context, file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("cannot read manifests: %w", err)
	}
	if err := in.apply(ctx, b); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// apply manifests the way they are. A kind that was just made is waited for.
func (in *installation) apply(ctx context.Context, manifests []byte) error {
	r := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifests)))
	for {
		raw, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read manifest: %w", err)
		}
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(raw, &o.Object); err != nil {
			return fmt.Errorf("cannot decode manifest: %w", err)
		}
		if o.GetKind() == "" {
			continue
		}
		last := errors.New("not tried")
		if err := wait.PollUntilContextTimeout(ctx, startPoll, startPatience, true, func(ctx context.Context) (bool, error) {
			last = in.hub.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner(fieldManager), client.ForceOwnership)
			return !unknown(last), nil
		}); err != nil {
			last = errors.Join(err, last)
		}
		if last != nil {
			return fmt.Errorf("cannot apply %s %q: %w", o.GetKind(), o.GetName(), last)
		}
	}
}

// unknown says whether an error is that the API server does not know a kind yet.
func unknown(err error) bool { return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) }
