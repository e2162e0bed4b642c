// Package kube opens the hub as kubectl does: KUBECONFIG, --context, -n.
package kube

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// Flags say which hub, and where on it. They are kubectl's.
type Flags struct {
	Kubeconfig string `help:"Kubeconfig of the hub. Defaults to that of kubectl." type:"path"`
	Context    string `help:"Context of the kubeconfig."`
	Namespace  string `help:"Namespace. Defaults to that of the context." short:"n"`
}

// A Hub is where claims are.
type Hub struct {
	// Client of the hub, with the user's own rights.
	Client client.Client
	// Namespace that is meant.
	Namespace string
}

// Open the hub.
func (f Flags) Open() (*Hub, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.Kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: f.Context})
	cfg, err := loader.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("cannot find the hub: set KUBECONFIG, or --kubeconfig and --context: %w", err)
	}
	namespace := f.Namespace
	if namespace == "" {
		if namespace, _, err = loader.Namespace(); err != nil {
			return nil, fmt.Errorf("cannot find namespace of context: %w", err)
		}
	}
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	return &Hub{Client: c, Namespace: namespace}, nil
}

func newClient(cfg *rest.Config) (client.Client, error) {
	cfg.QPS = -1 // The server knows better what it can do.
	cfg.WarningHandler = rest.NoWarnings{}
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			return nil, fmt.Errorf("cannot register kinds: %w", err)
		}
	}
	c, err := client.New(cfg, client.Options{Scheme: s})
	if err != nil {
		return nil, fmt.Errorf("cannot make client for the hub: %w", err)
	}
	return c, nil
}

// User that the hub takes us for.
func (h *Hub) User(ctx context.Context) (string, error) {
	r := &authenticationv1.SelfSubjectReview{}
	if err := h.Client.Create(ctx, r); err != nil {
		return "", fmt.Errorf("cannot ask the hub who we are: %w", err)
	}
	return r.Status.UserInfo.Username, nil
}
