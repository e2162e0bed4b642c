package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// An existing cluster is adopted by its kubeconfig, gets an application, and is
// let go unharmed. The cluster is one of the demo's, adopted a second time.
func TestAdoptCluster(t *testing.T) {
	makeNamespace(t, "adopters")
	hub.apply(t, "{apiVersion: m.mainstay.dev/v1alpha1, kind: ClusterProviderConfig, metadata: {name: adopt}, spec: {backend: kubeconfig, allowedNamespaces: [adopters]}}")
	existing := cluster(t, "platform", demoClusters(t)[2])
	hub.must(t, "-n", "adopters", "create", "secret", "generic", "existing", "--from-file=kubeconfig="+existing.kubeconfig)

	fleet := func(clusters string) string {
		return `
apiVersion: mainstay.dev/v1alpha1
kind: ClusterFleet
metadata: {name: adopted, namespace: adopters}
spec:
  providerConfigRef: {name: adopt}
  clusters: [` + clusters + `]
  tenants: [{namespace: adopters}]
`
	}
	hub.apply(t, fleet("{name: old, kubeconfigSecretRef: {name: existing}}"))
	eventually(t, 2*time.Minute, "cluster is adopted", func() error {
		return reached(hub.get(t, "-n", "adopters", "clusterfleet", "adopted"))
	})
	hub.apply(t, `
apiVersion: mainstay.dev/v1alpha1
kind: ProductApplication
metadata: {name: guest, namespace: adopters}
spec:
  components: [{name: guest, type: worker, properties: {image: x, cpu: 50m, memory: 32Mi}}]
`)
	eventually(t, 2*time.Minute, "application runs on it", func() error {
		if err := reached(hub.get(t, "-n", "adopters", "productapplication", "guest")); err != nil {
			return err
		}
		if existing.get(t, "-n", "adopters", "deployment", "guest") == nil {
			return fmt.Errorf("the Deployment is not there")
		}
		return nil
	})
	hub.must(t, "-n", "adopters", "delete", "productapplication", "guest", "--timeout=2m")

	// What is wrong with a kubeconfig is said; the cluster that works goes on.
	dir := t.TempDir()
	writeFile(t, dir+"/garbage", "\x00not: [a kubeconfig")
	writeFile(t, dir+"/nowhere", "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\nclusters: [{name: x, cluster: {server: \"https://127.0.0.1:1\"}}]\nusers: [{name: x, user: {token: t}}]\n")
	for _, name := range []string{"garbage", "nowhere"} {
		hub.must(t, "-n", "adopters", "create", "secret", "generic", name, "--from-file=kubeconfig="+dir+"/"+name)
	}
	for name, tc := range map[string]struct{ ref, want string }{
		"Missing": {ref: "kubeconfigSecretRef: {name: nosuch}", want: "nosuch"},
		"Garbage": {ref: "kubeconfigSecretRef: {name: garbage}", want: "kubeconfig"},
		"Nowhere": {ref: "kubeconfigSecretRef: {name: nowhere}", want: "does not answer"},
		"NoRef":   {ref: "region: x", want: "kubeconfigSecretRef"},
	} {
		t.Run(name, func(t *testing.T) {
			hub.apply(t, fleet("{name: old, kubeconfigSecretRef: {name: existing}}, {name: bad, "+tc.ref+"}"))
			eventually(t, 2*time.Minute, "the claim says what is wrong", func() error {
				status, _, message := condition(hub.get(t, "-n", "adopters", "clusterfleet", "adopted"), "Reached")
				if status != "False" || !strings.Contains(message, tc.want) {
					return fmt.Errorf("Reached=%s %q, want it to say %q", status, message, tc.want)
				}
				return nil
			})
			ready, _, _ := condition(hub.get(t, "-n", "adopters", "cluster.m.mainstay.dev", "adopted.old"), "Ready")
			if ready != "True" {
				t.Error("the other cluster suffers")
			}
		})
	}

	hub.must(t, "-n", "adopters", "delete", "clusterfleet", "adopted", "--timeout=2m")
	if existing.get(t, "namespace", "adopters") == nil {
		t.Error("the cluster that was let go lost a namespace")
	}
}
