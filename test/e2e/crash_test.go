package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

const fragile = `
apiVersion: mainstay.dev/v1alpha1
kind: ProductApplication
metadata: {name: fragile, namespace: shop}
spec:
  components:
  - name: fragile
    type: webservice
    properties: {image: "registry.example.org/fragile:%d", cpu: 50m, memory: 32Mi, ports: [{port: 8080}]}
  - name: fragile-migrate
    type: task
    properties: {image: "registry.example.org/fragile-migrate:%[1]d", cmd: [migrate], cpu: 50m, memory: 32Mi}
  policies:
  - name: carefully
    type: rollout
    properties:
      maxConcurrent: 1
      waves:
      - {name: canary, canary: 1, soak: 1s}
      - {name: rest}
`

// The provider is killed at random points of real rollouts. Each ends where it should,
// nothing is lost, and nothing is done twice: a Deployment changes once a release, and a
// task runs once.
func TestRolloutSurvivesKills(t *testing.T) {
	const releases = 4
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	names := demoClusters(t)
	targets := map[string]kubectl{}
	for _, n := range names {
		targets[n] = cluster(t, "platform", n)
	}

	for release := 1; release <= releases; release++ {
		hub.apply(t, fmt.Sprintf(fragile, release))
		for range 2 {
			moment := time.After(time.Duration(random.IntN(3000)) * time.Millisecond)
			<-moment
			killProvider(t)
			if out, err := mainstay(t.Context(), "demo", "up", "--hub-only"); err != nil {
				t.Fatalf("cannot start the provider again: %v: %s", err, out)
			}
		}
		eventually(t, 3*time.Minute, fmt.Sprintf("release %d is everywhere", release), func() error {
			for _, n := range names {
				got := targets[n].must(t, "-n", "shop", "get", "deployment", "fragile", "--ignore-not-found", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
				if got != fmt.Sprintf("registry.example.org/fragile:%d", release) {
					return fmt.Errorf("cluster %s runs %q", n, got)
				}
			}
			return reached(hub.get(t, "-n", "shop", "productapplication", "fragile"))
		})
	}

	for _, n := range names {
		if got := targets[n].must(t, "-n", "shop", "get", "deployment", "fragile", "-o", "jsonpath={.metadata.generation}"); got != strconv.Itoa(releases) {
			t.Errorf("cluster %s: the Deployment changed %s times for %d releases", n, got, releases)
		}
		jobs := strings.Fields(targets[n].must(t, "-n", "shop", "get", "jobs", "-o", `jsonpath={range .items[*]}{.metadata.name}={.status.succeeded} {end}`))
		for _, j := range jobs {
			if strings.HasPrefix(j, "fragile-migrate-") && !strings.HasSuffix(j, "=1") {
				t.Errorf("cluster %s: task %s, want once", n, j)
			}
		}
	}
	epoch := hub.must(t, "-n", "shop", "get", "rollout", "fragile", "-o", "jsonpath={.status.atProvider.epoch}")
	if epoch != strconv.Itoa(releases) {
		t.Errorf("epoch is %s after %d releases", epoch, releases)
	}
	hub.must(t, "-n", "shop", "delete", "productapplication", "fragile", "--timeout=2m")
}
