package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// refusal returns nil where a managed resource is refused and says why.
func refusal(t *testing.T, namespace, kind, name, text string) func() error {
	return func() error {
		u := hub.get(t, "-n", namespace, kind+".m.mainstay.dev", name)
		status, _, message := condition(u, "Synced")
		if status != "False" || !strings.Contains(message, text) {
			return fmt.Errorf("%s %s: Synced=%s %q, want it refused with %q", kind, name, status, message, text)
		}
		return nil
	}
}

// A namespace that no fleet lists gets nowhere: by claim, and by resources written
// by hand.
func TestStrangerIsRefused(t *testing.T) {
	makeNamespace(t, "stranger")
	k := cluster(t, "platform", "analytics."+strings.TrimPrefix(demoClusters(t)[0], "analytics."))

	t.Run("Claim", func(t *testing.T) {
		hub.apply(t, `
apiVersion: mainstay.dev/v1alpha1
kind: ProductApplication
metadata: {name: intruder, namespace: stranger}
spec:
  components: [{name: web, type: worker, properties: {image: x}}]
`)
		eventually(t, time.Minute, "claim of a stranger is blocked", func() error {
			return problem(hub.get(t, "-n", "stranger", "productapplication", "intruder"), "Blocked", "stranger")
		})
	})

	// The Bundle that the claim was rendered into is a good one to try with.
	bundle := ""
	eventually(t, time.Minute, "the claim's Bundle is there", func() error {
		bundle = hub.must(t, "-n", "stranger", "get", "bundles.m.mainstay.dev", "-o", "jsonpath={.items[0].metadata.name}")
		if bundle == "" {
			return fmt.Errorf("no Bundle")
		}
		return nil
	})
	release := func(namespace, name, target string) {
		hub.apply(t, fmt.Sprintf(`
apiVersion: m.mainstay.dev/v1alpha1
kind: Release
metadata: {name: %s, namespace: %s}
spec: {forProvider: {application: intruder, bundle: %s, namespace: %s, clusterRef: {namespace: platform, name: %s}}}
`, name, namespace, bundle, target, demoClusters(t)[0]))
	}

	t.Run("ReleaseByHand", func(t *testing.T) {
		for _, target := range []string{"stranger", "shop", "kube-system", "default"} {
			release("stranger", "by-hand-"+target, target)
			eventually(t, time.Minute, "Release into "+target+" is refused", refusal(t, "stranger", "release", "by-hand-"+target, "not a tenant"))
			if got := k.get(t, "-n", target, "deployment", "web"); got != nil {
				t.Errorf("it got into namespace %s", target)
			}
		}
	})

	t.Run("RolloutByHand", func(t *testing.T) {
		hub.apply(t, fmt.Sprintf(`
apiVersion: m.mainstay.dev/v1alpha1
kind: Rollout
metadata: {name: by-hand, namespace: stranger}
spec: {forProvider: {application: intruder, variants: [{bundle: %s}], placement: {topologies: [{name: t, namespace: shop}]}}}
`, bundle))
		eventually(t, time.Minute, "Rollout is refused", refusal(t, "stranger", "rollout", "by-hand", "tenant"))
	})

	t.Run("BundleByHand", func(t *testing.T) {
		u := hub.get(t, "-n", "stranger", "bundles.m.mainstay.dev", bundle)
		data, _ := u.Object["spec"].(map[string]any)["data"].(string)
		hub.apply(t, fmt.Sprintf(`
apiVersion: m.mainstay.dev/v1alpha1
kind: Bundle
metadata: {name: other.000000000000, namespace: shop}
spec: {application: other, digest: "%s", objectCount: 1, data: "%s"}
`, strings.Repeat("0", 64), data))
		hub.apply(t, fmt.Sprintf(`
apiVersion: m.mainstay.dev/v1alpha1
kind: Release
metadata: {name: tampered, namespace: shop}
spec: {forProvider: {application: other, bundle: other.000000000000, namespace: shop, clusterRef: {namespace: platform, name: %s}}}
`, demoClusters(t)[0]))
		eventually(t, time.Minute, "tampered Bundle is refused", refusal(t, "shop", "release", "tampered", "digest"))
		hub.must(t, "-n", "shop", "delete", "release.m.mainstay.dev/tampered", "bundle.m.mainstay.dev/other.000000000000", "--timeout=1m")
	})

	hub.must(t, "-n", "stranger", "delete", "rollouts.m.mainstay.dev,releases.m.mainstay.dev", "--all", "--timeout=1m")
	hub.must(t, "-n", "stranger", "delete", "productapplication", "intruder", "--timeout=1m")
}

// A tenant's rights on a cluster end at its target namespaces, whatever a Bundle
// says: the cluster's own authorizer is the judge.
func TestTenantStaysInItsNamespaces(t *testing.T) {
	k := cluster(t, "platform", demoClusters(t)[0])
	k.as = "mainstay:tenant:shop"
	for _, allowed := range [][]string{{"create", "deployments", "-n", "shop"}, {"delete", "secrets", "-n", "shop"}} {
		if out, err := k.run(t.Context(), "", append([]string{"auth", "can-i"}, allowed...)...); err != nil {
			t.Errorf("tenant must be able to %v: %s %v", allowed, out, err)
		}
	}
	for _, denied := range [][]string{
		{"create", "deployments", "-n", "insight"}, {"get", "secrets", "-n", "kube-system"}, {"create", "namespaces"},
		{"create", "clusterroles"}, {"impersonate", "users"}, {"delete", "nodes"},
	} {
		if out, err := k.run(t.Context(), "", append([]string{"auth", "can-i"}, denied...)...); err == nil {
			t.Errorf("tenant must not be able to %v: %s", denied, out)
		}
	}
}
