package hub

import (
	"context"
	"fmt"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	apisv1alpha1 "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

// providerIdentity is the provider's ServiceAccount and role.
const providerIdentity = "mainstay-provider"

// tokenLife is how long the provider's token is good for.
const tokenLife = 365 * 24 * time.Hour

// providerKubeconfig gives the provider an identity of its own. Its rights are
// those that Crossplane's RBAC manager gives every provider, and those that
// docs/install.md adds.
func (h *Hub) providerKubeconfig(ctx context.Context) (string, error) {
	c, err := h.client()
	if err != nil {
		return "", err
	}
	for _, o := range providerRights() {
		if err := apply(ctx, c, o); err != nil {
			return "", err
		}
	}
	file := h.path("provider.kubeconfig")
	if h.works(ctx, file) {
		return file, nil
	}

	cfg, err := clientcmd.LoadFromFile(h.Kubeconfig())
	if err != nil {
		return "", fmt.Errorf("cannot read kubeconfig: %w", err)
	}
	rest, err := clientcmd.BuildConfigFromFlags("", h.Kubeconfig())
	if err != nil {
		return "", fmt.Errorf("cannot read kubeconfig: %w", err)
	}
	kube, err := kubernetes.NewForConfig(rest)
	if err != nil {
		return "", fmt.Errorf("cannot make client: %w", err)
	}
	token, err := kube.CoreV1().ServiceAccounts(systemNamespace).CreateToken(ctx, providerIdentity,
		&authv1.TokenRequest{Spec: authv1.TokenRequestSpec{ExpirationSeconds: ptr.To(int64(tokenLife.Seconds()))}}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("cannot make token for the provider: %w", err)
	}
	for _, user := range cfg.AuthInfos {
		user.Token = token.Status.Token
		user.ClientCertificateData, user.ClientKeyData = nil, nil
	}
	b, err := clientcmd.Write(*cfg)
	if err != nil {
		return "", fmt.Errorf("cannot write kubeconfig: %w", err)
	}
	return file, statedir.WriteFile(file, b)
}

// works says whether a kubeconfig is accepted by the hub.
func (h *Hub) works(ctx context.Context, file string) bool {
	cfg, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		return false
	}
	kube, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return false
	}
	_, err = kube.CoreV1().Secrets(systemNamespace).List(ctx, metav1.ListOptions{Limit: 1})
	return err == nil
}

// providerRights are the provider's account and its rights.
func providerRights() []client.Object {
	managed := withSubresources("clusters", "nodepools", "bundles", "rollouts", "releases", "repositories", "changes", "plans", "changequeues", "claimgrants", "providerconfigs", "clusterproviderconfigs", "providerconfigusages")
	definitions := withSubresources("componentdefinitions", "traitdefinitions", "definitionrevisions")
	write := []string{"get", "list", "watch", "update", "patch", "create"}
	read := []string{"get", "list", "watch"}
	group := v1alpha1.GroupVersion.Group
	return []client.Object{
		&corev1.ServiceAccount{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
			ObjectMeta: metav1.ObjectMeta{Name: providerIdentity, Namespace: systemNamespace},
		},
		&rbacv1.ClusterRole{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
			ObjectMeta: metav1.ObjectMeta{Name: providerIdentity},
			Rules: []rbacv1.PolicyRule{
				{APIGroups: []string{group}, Resources: managed, Verbs: write},
				{APIGroups: []string{apisv1alpha1.GroupVersion.Group}, Resources: definitions, Verbs: write},
				{APIGroups: []string{group}, Resources: []string{"releases", "changes", "plans", "claimgrants"}, Verbs: []string{"delete"}},
				{APIGroups: []string{apisv1alpha1.GroupVersion.Group}, Resources: []string{"clusterfleets", "fleetcells", "productapplications"}, Verbs: append([]string{"delete"}, write...)},
				{APIGroups: []string{apisv1alpha1.GroupVersion.Group}, Resources: []string{"xclusterfleets", "xproductapplications"}, Verbs: read},
				{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: read},
				{APIGroups: []string{"pkg.crossplane.io"}, Resources: []string{"functions", "functionrevisions"}, Verbs: read},
				{APIGroups: []string{"apiextensions.crossplane.io"}, Resources: []string{"compositions", "compositionrevisions", "compositeresourcedefinitions"}, Verbs: read},
				{APIGroups: []string{"argoproj.io"}, Resources: []string{"applications"}, Verbs: []string{"get", "patch"}},
				{APIGroups: []string{"source.toolkit.fluxcd.io"}, Resources: []string{"gitrepositories"}, Verbs: []string{"get", "patch"}},
				{APIGroups: []string{"", "coordination.k8s.io"}, Resources: []string{"secrets", "configmaps", "events", "leases"}, Verbs: []string{"*"}},
				{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"}, Verbs: []string{"get", "list", "watch"}},
			},
		},
		&rbacv1.ClusterRoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"},
			ObjectMeta: metav1.ObjectMeta{Name: providerIdentity},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: providerIdentity},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: providerIdentity, Namespace: systemNamespace}},
		},
	}
}

// withSubresources returns kinds, in the plural, and what a controller writes of them.
func withSubresources(kinds ...string) []string {
	var out []string
	for _, k := range kinds {
		out = append(out, k, k+"/status", k+"/finalizers")
	}
	return out
}
