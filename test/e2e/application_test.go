package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// clusters of the demo's fleet, by name.
func demoClusters(t *testing.T) []string {
	t.Helper()
	out := strings.Fields(hub.must(t, "-n", "platform", "get", "clusters.m.mainstay.dev", "-l", "mainstay.dev/fleet=analytics", "-o", "jsonpath={.items[*].metadata.name}"))
	if len(out) != 3 {
		t.Fatalf("the demo has clusters %v, want three", out)
	}
	return out
}

// cluster returns a command line for one of the clusters, by the name of its
// Cluster resource. Its kubeconfig comes from the Secret, as a user's would.
func cluster(t *testing.T, namespace, name string) kubectl {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	out := hub.must(t, "-n", namespace, "get", "secret", name+".kubeconfig", "-o", "go-template={{.data.kubeconfig | base64decode}}")
	writeFile(t, path, out)
	return kubectl{kubeconfig: path}
}

const counter = `
apiVersion: mainstay.dev/v1alpha1
kind: ProductApplication
metadata: {name: %s, namespace: shop}
spec:
  components:
  - name: store
    type: statefulservice
    properties: {image: "registry.example.org/store:1", cpu: 50m, memory: 32Mi, ports: [{port: 6379}]}
  - name: api
    type: webservice
    dependsOn: [store]
    properties:
      image: "registry.example.org/api:%d"
      cpu: 50m
      memory: 32Mi
      ports: [{port: 8080, expose: true}]
      env: [{name: MODE, value: plain}]
  - name: settings
    type: k8s-objects
    properties:
      objects:
      - apiVersion: v1
        kind: ConfigMap
        metadata: {name: %[1]s-settings}
        data: {level: "%[2]d"}
  policies:
  - name: special
    type: override
    properties:
      clusters: [%[3]s]
      components: [{name: api, properties: {env: [{name: MODE, value: special}]}}]
`

// One application's life, in the order that a user lives it: it is made, changed,
// disturbed, made smaller and deleted.
func TestApplicationLife(t *testing.T) {
	const app = "counter"
	names := demoClusters(t)
	targets := map[string]kubectl{}
	for _, n := range names {
		targets[n] = cluster(t, "platform", n)
	}
	special := strings.TrimPrefix(names[0], "analytics.")
	claim := func() error { return reached(hub.get(t, "-n", "shop", "productapplication", app)) }
	image := func(k kubectl) string {
		return k.must(t, "-n", "shop", "get", "deployment", "api", "--ignore-not-found", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
	}

	t.Run("Create", func(t *testing.T) {
		hub.apply(t, fmt.Sprintf(counter, app, 1, special))
		eventually(t, 3*time.Minute, "application is reached", claim)
		for _, n := range names {
			if got := image(targets[n]); got != "registry.example.org/api:1" {
				t.Errorf("cluster %s runs image %q", n, got)
			}
			mode := targets[n].must(t, "-n", "shop", "get", "deployment", "api", "-o", "jsonpath={.spec.template.spec.containers[0].env[0].value}")
			if want := map[bool]string{true: "special", false: "plain"}[n == names[0]]; mode != want {
				t.Errorf("cluster %s has MODE=%q, want %q: the override applies to %s only", n, mode, want, special)
			}
			// dependsOn: the API was not made before its store was healthy.
			store := targets[n].get(t, "-n", "shop", "statefulset", "store")
			api := targets[n].get(t, "-n", "shop", "deployment", "api")
			if api.GetCreationTimestamp().Time.Before(store.GetCreationTimestamp().Time) {
				t.Errorf("cluster %s: api was made before the store it depends on", n)
			}
			pods := targets[n].must(t, "-n", "shop", "get", "pods", "-l", "app.kubernetes.io/part-of="+app, "-o", "jsonpath={.items[*].status.phase}")
			if f := strings.Fields(pods); len(f) != 2 || f[0] != "Running" || f[1] != "Running" {
				t.Errorf("cluster %s: pods are %q", n, pods)
			}
		}
		if n := len(strings.Fields(hub.must(t, "-n", "shop", "get", "releases", "-l", "mainstay.dev/application="+app, "-o", "name"))); n != 3 {
			t.Errorf("%d Releases, want one for each cluster", n)
		}
	})

	t.Run("Update", func(t *testing.T) {
		hub.apply(t, fmt.Sprintf(counter, app, 2, special))
		eventually(t, 2*time.Minute, "new image is everywhere", func() error {
			for _, n := range names {
				if got := image(targets[n]); got != "registry.example.org/api:2" {
					return fmt.Errorf("cluster %s runs image %q", n, got)
				}
			}
			return claim()
		})
	})

	t.Run("UnchangedIsNotWritten", func(t *testing.T) {
		before := targets[names[1]].get(t, "-n", "shop", "deployment", "api").GetResourceVersion()
		hub.must(t, "-n", "shop", "annotate", "release.m.mainstay.dev", "-l", "mainstay.dev/application="+app, "crossplane.io/reconcile-requested-at=now", "--overwrite")
		eventually(t, time.Minute, "request is handled", func() error {
			return claim()
		})
		if after := targets[names[1]].get(t, "-n", "shop", "deployment", "api").GetResourceVersion(); before != after {
			t.Errorf("Deployment was written although nothing changed: resource version %s became %s", before, after)
		}
	})

	t.Run("DriftIsRepaired", func(t *testing.T) {
		k := targets[names[2]]
		k.must(t, "-n", "shop", "delete", "deployment", "api")
		k.must(t, "-n", "shop", "patch", "configmap", app+"-settings", "--type=merge", "-p", `{"data":{"level":"edited"}}`)
		eventually(t, time.Minute, "deleted and edited objects are back", func() error {
			if image(k) != "registry.example.org/api:2" {
				return fmt.Errorf("the deleted Deployment is not back")
			}
			level := k.must(t, "-n", "shop", "get", "configmap", app+"-settings", "-o", "jsonpath={.data.level}")
			if level != "2" {
				return fmt.Errorf("the edited ConfigMap still has level %q", level)
			}
			return nil
		})
		eventually(t, time.Minute, "application is reached again", claim)
	})

	t.Run("DroppedComponentIsPruned", func(t *testing.T) {
		hub.must(t, "-n", "shop", "patch", "productapplication", app, "--type=json", "-p", `[{"op":"remove","path":"/spec/components/2"}]`)
		eventually(t, 2*time.Minute, "ConfigMap of the dropped component is gone", func() error {
			for _, n := range names {
				if targets[n].get(t, "-n", "shop", "configmap", app+"-settings") != nil {
					return fmt.Errorf("it is still on %s", n)
				}
				if image(targets[n]) == "" {
					return fmt.Errorf("the Deployment went with it on %s", n)
				}
			}
			return claim()
		})
	})

	t.Run("Delete", func(t *testing.T) {
		hub.must(t, "-n", "shop", "delete", "productapplication", app, "--timeout=3m")
		for _, n := range names {
			left := targets[n].must(t, "-n", "shop", "get", "deployments,statefulsets,services,configmaps", "-l", "app.kubernetes.io/part-of="+app, "-o", "name")
			if left != "" {
				t.Errorf("cluster %s still has %q after the claim is gone", n, left)
			}
		}
		for _, kind := range []string{"rollouts", "releases", "bundles"} {
			if left := hub.must(t, "-n", "shop", "get", kind+".m.mainstay.dev", "-o", "name"); strings.Contains(left, app) {
				t.Errorf("hub still has %q", left)
			}
		}
	})
}

// problem returns nil where a claim is not reached and says why.
func problem(u *unstructured.Unstructured, reason, text string) error {
	status, gotReason, message := condition(u, "Reached")
	if status != "False" || gotReason != reason || !strings.Contains(message, text) {
		return fmt.Errorf("Reached=%s (%s) %q, want %s with %q", status, gotReason, message, reason, text)
	}
	return nil
}
