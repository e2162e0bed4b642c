package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const ledger = `
apiVersion: mainstay.dev/v1alpha1
kind: ProductApplication
metadata: {name: ledger, namespace: shop}
spec:
  components:
  - name: ledger
    type: webservice
    properties: {image: "registry.example.org/ledger:%s", cpu: 50m, memory: 32Mi, ports: [{port: 8080}]%s}
  policies:
  - name: carefully
    type: rollout
    properties:
      maxConcurrent: 1
      failureBudget: 0
      onFailure: %s
      waves:
      - {name: canary, clusterLabelSelector: {region: us-east}, soak: 2s}
      - {name: rest, gates: [{name: go, when: Before, approval: {}}]}
`

// command runs mainstay as a user does, and returns what it printed.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(binaries, "mainstay"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+hub.kubeconfig)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A release moves in waves, stops at its gate until somebody lets it pass, is refused
// where it would not start, halts where it breaks, and goes back when told to.
func TestRollout(t *testing.T) {
	names := demoClusters(t)
	targets := map[string]kubectl{}
	for _, n := range names {
		targets[n] = cluster(t, "platform", n)
	}
	canary := ""
	for _, n := range names {
		if strings.Contains(n, "us-") {
			canary = n
		}
	}
	if canary == "" {
		t.Fatalf("no cluster in America among %v", names)
	}
	image := func(n string) string {
		out := targets[n].must(t, "-n", "shop", "get", "deployment", "ledger", "--ignore-not-found", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
		_, tag, _ := strings.Cut(out, "ledger:")
		return tag
	}
	// runs checks which release the canary and the others have.
	runs := func(onCanary, elsewhere string) error {
		for _, n := range names {
			want := elsewhere
			if n == canary {
				want = onCanary
			}
			if got := image(n); got != want {
				return fmt.Errorf("cluster %s runs %q, want %q", n, got, want)
			}
		}
		return nil
	}
	digest := func() string {
		return hub.must(t, "-n", "shop", "get", "rollout", "ledger", "--ignore-not-found", "-o", "jsonpath={.status.atProvider.digest}")
	}
	before := ""
	// phase of the release that was made last. What is said of an older one does not count.
	phase := func(want, saying string) error {
		if digest() == before {
			return fmt.Errorf("rollout has not taken up the release")
		}
		out := hub.must(t, "-n", "shop", "get", "rollout", "ledger", "--ignore-not-found", "-o", "jsonpath={.status.atProvider.phase} {.status.atProvider.message}")
		if got, message, _ := strings.Cut(out, " "); got != want || !strings.Contains(message, saying) {
			return fmt.Errorf("rollout is %s, want %s %q", out, want, saying)
		}
		return nil
	}
	release := func(version, more, onFailure string) {
		before = digest()
		hub.apply(t, fmt.Sprintf(ledger, version, more, onFailure))
	}
	approve := func() {
		if out, err := command(t, "rollout", "approve", "ledger", "rest/go", "-n", "shop"); err != nil {
			t.Fatalf("cannot approve: %v: %s", err, out)
		}
	}

	t.Run("StopsAtTheGate", func(t *testing.T) {
		release("1", "", "Halt")
		eventually(t, time.Minute, "canary has it and the gate is closed", func() error {
			if err := runs("1", ""); err != nil {
				return err
			}
			return phase("Waiting", "gate")
		})
		out, err := command(t, "explain", "productapplication/ledger", "-n", "shop")
		if !strings.Contains(out, "approve") {
			t.Errorf("explain does not say that somebody has to approve: %v\n%s", err, out)
		}
		approve()
		eventually(t, time.Minute, "all have it", func() error {
			if err := runs("1", "1"); err != nil {
				return err
			}
			return phase("Completed", "")
		})
	})

	t.Run("RefusedByPreflight", func(t *testing.T) {
		bundles := hub.must(t, "-n", "shop", "get", "releases", "-l", "mainstay.dev/application=ledger", "-o", "jsonpath={.items[*].spec.forProvider.bundle}")
		release("2", `, env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: nowhere, key: token}}}]`, "Halt")
		eventually(t, time.Minute, "claim says which Secret is missing", func() error {
			status, _, message := condition(hub.get(t, "-n", "shop", "productapplication", "ledger"), "Reached")
			if status != "False" || !strings.Contains(message, "nowhere") {
				return fmt.Errorf("Reached=%s: %s", status, message)
			}
			return nil
		})
		if err := runs("1", "1"); err != nil {
			t.Error(err)
		}
		if after := hub.must(t, "-n", "shop", "get", "releases", "-l", "mainstay.dev/application=ledger", "-o", "jsonpath={.items[*].spec.forProvider.bundle}"); after != bundles {
			t.Errorf("Releases were written although the release was refused: %s became %s", bundles, after)
		}
	})

	t.Run("HaltsInTheCanaryWave", func(t *testing.T) {
		release("3-crashes", "", "Halt")
		eventually(t, time.Minute, "rollout halts", func() error { return phase("Halted", "") })
		if err := runs("3-crashes", "1"); err != nil {
			t.Error(err)
		}
		out, _ := command(t, "explain", "productapplication/ledger", "-n", "shop")
		if !strings.Contains(out, "crashes") {
			t.Errorf("explain does not name what is wrong with the pod:\n%s", out)
		}
		if out, err := command(t, "rollout", "rollback", "ledger", "-n", "shop", "--yes"); err != nil {
			t.Fatalf("cannot roll back: %v: %s", err, out)
		}
		eventually(t, time.Minute, "canary has the old release", func() error {
			if err := runs("1", "1"); err != nil {
				return err
			}
			return phase("RolledBack", "")
		})
	})

	t.Run("RollsBackByItself", func(t *testing.T) {
		release("4-crashes", "", "RollbackAll")
		eventually(t, time.Minute, "rollout has gone back", func() error { return phase("RolledBack", "") })
		if err := runs("1", "1"); err != nil {
			t.Error(err)
		}
	})

	t.Run("GoesOnWithAnother", func(t *testing.T) {
		release("5", "", "RollbackAll")
		eventually(t, time.Minute, "gate is closed", func() error {
			if err := runs("5", "1"); err != nil {
				return err
			}
			return phase("Waiting", "gate")
		})
		approve()
		eventually(t, time.Minute, "all have it", func() error {
			if err := runs("5", "5"); err != nil {
				return err
			}
			return reached(hub.get(t, "-n", "shop", "productapplication", "ledger"))
		})
	})

	hub.must(t, "-n", "shop", "delete", "productapplication", "ledger", "--timeout=2m")
}

const staged = `
apiVersion: mainstay.dev/v1alpha1
kind: ClusterFleet
metadata: {name: staged, namespace: platform}
spec:
  providerConfigRef: {kind: ClusterProviderConfig, name: %s}
  clusters:
  - {name: first, region: eu, labels: {stage: canary}}
  - {name: second, region: eu, labels: {stage: rest}}
  nodePools:
  - {name: general, class: %s, size: %d}
  upgrade:
    waves:
    - {name: canary, clusterLabelSelector: {stage: canary}, soak: 5s, gates: [{name: go, approval: {}}]}
    - {name: rest}
  deletionGuard: None
`

// A fleet that rolls changes out gives one cluster more nodes, waits for an approval, and
// then goes on with the other.
func TestFleetUpgrade(t *testing.T) {
	config := hub.must(t, "-n", "platform", "get", "clusterfleet", "analytics", "-o", "jsonpath={.spec.providerConfigRef.name}")
	class := hub.must(t, "-n", "platform", "get", "clusterfleet", "analytics", "-o", "jsonpath={.spec.nodePools[0].class}")
	fleet := func(size int) { hub.apply(t, fmt.Sprintf(staged, config, class, size)) }
	nodes := func() string {
		return hub.must(t, "-n", "platform", "get", "nodepools.m.mainstay.dev", "-l", "mainstay.dev/fleet=staged", "-o", "jsonpath={range .items[*]}{.status.atProvider.nodes.ready} {end}")
	}

	fleet(1)
	eventually(t, 3*time.Minute, "fleet is reached, no cluster waiting for a turn", func() error {
		return reached(hub.get(t, "-n", "platform", "clusterfleet", "staged"))
	})

	fleet(2)
	eventually(t, 2*time.Minute, "first cluster has two nodes, and the gate is closed", func() error {
		phase := hub.must(t, "-n", "platform", "get", "rollout", "staged.upgrade", "-o", "jsonpath={.status.atProvider.phase}")
		if got := strings.Fields(nodes()); len(got) != 2 || got[0] != "2" || got[1] != "1" || phase != "Waiting" {
			return fmt.Errorf("nodes are %v, and the rollout is %s", got, phase)
		}
		return nil
	})
	digest := hub.must(t, "-n", "platform", "get", "rollout", "staged.upgrade", "-o", "jsonpath={.status.atProvider.digest}")
	hub.must(t, "-n", "platform", "patch", "rollout", "staged.upgrade", "--type=merge", "-p",
		fmt.Sprintf(`{"spec":{"forProvider":{"control":{"approvals":[{"gate":"canary/go","digest":%q,"by":"e2e"}]}}}}`, digest))
	eventually(t, 2*time.Minute, "second cluster has two nodes, and the fleet is reached", func() error {
		if got := strings.Fields(nodes()); len(got) != 2 || got[1] != "2" {
			return fmt.Errorf("nodes are %v", got)
		}
		return reached(hub.get(t, "-n", "platform", "clusterfleet", "staged"))
	})
	hub.must(t, "-n", "platform", "delete", "clusterfleet", "staged", "--timeout=3m")
}
