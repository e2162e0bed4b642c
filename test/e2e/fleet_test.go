package e2e

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func makeNamespace(t *testing.T, name string) {
	t.Helper()
	hub.apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+name+"}\n")
}

const travellers = `
apiVersion: mainstay.dev/v1alpha1
kind: ClusterFleet
metadata: {name: travel, namespace: voyage}
spec:
  providerConfigRef: {kind: ClusterProviderConfig, name: local}
  kubernetesVersion: v1.35.3
  deletionPolicy: %s
  clusters: [%s]
  nodePools:
  - {name: general, class: general, size: %d, labels: {zone: a}}
  tenants:
  - {namespace: voyage, targetNamespaces: [voyage, luggage]}
`

const passenger = `
apiVersion: mainstay.dev/v1alpha1
kind: ProductApplication
metadata: {name: passenger, namespace: voyage}
spec:
  components:
  - name: seat
    type: worker
    properties: {image: "registry.example.org/seat:1", cpu: 50m, memory: 32Mi}
  policies:
  - {name: aboard, type: topology, properties: {clusterLabelSelector: {line: travel}}}
`

// One fleet's life: made, changed, refused to be deleted while it is in use,
// shrunk with an application on it, and deleted.
func TestFleetLife(t *testing.T) {
	makeNamespace(t, "voyage")
	a, b := "{name: a, region: north, labels: {line: travel}}", "{name: b, region: south, labels: {line: travel}}"
	fleet := func() error { return reached(hub.get(t, "-n", "voyage", "clusterfleet", "travel")) }
	app := func() error { return reached(hub.get(t, "-n", "voyage", "productapplication", "passenger")) }

	hub.apply(t, fmt.Sprintf(travellers, "Delete", a+", "+b, 1))
	eventually(t, 4*time.Minute, "fleet of two is reached", fleet)
	one, two := cluster(t, "voyage", "travel.a"), cluster(t, "voyage", "travel.b")

	t.Run("NodePoolGrowsAndShrinks", func(t *testing.T) {
		nodes := func(want int) func() error {
			return func() error {
				got := strings.Fields(one.must(t, "get", "nodes", "-l", "mainstay.dev/node-pool=general,zone=a", "-o", "name"))
				if len(got) != want {
					return fmt.Errorf("%d nodes, want %d", len(got), want)
				}
				return fleet()
			}
		}
		hub.apply(t, fmt.Sprintf(travellers, "Delete", a+", "+b, 3))
		eventually(t, 2*time.Minute, "pool has three nodes", nodes(3))
		hub.apply(t, fmt.Sprintf(travellers, "Delete", a+", "+b, 1))
		eventually(t, 2*time.Minute, "pool has one node", nodes(1))
	})

	hub.apply(t, passenger)
	eventually(t, 2*time.Minute, "application is on both", app)

	t.Run("DeletionIsRefusedWhileInUse", func(t *testing.T) {
		eventually(t, time.Minute, "fleet knows of its application", func() error {
			if got := hub.must(t, "-n", "voyage", "get", "usages.protection.crossplane.io", "-o", "name"); got == "" {
				return fmt.Errorf("nothing guards the fleet")
			}
			_, err := hub.run(t.Context(), "", "-n", "voyage", "delete", "clusterfleet", "travel", "--dry-run=server")
			switch {
			case err == nil:
				return errors.New("deletion is not refused")
			case !strings.Contains(err.Error(), "voyage/passenger"):
				return fmt.Errorf("the refusal does not name voyage/passenger: %w", err)
			}
			return nil
		})
	})

	t.Run("KilledClusterComesBack", func(t *testing.T) {
		pids := processesOf("travel.a")
		if len(pids) < 3 {
			t.Fatalf("cannot find the processes of cluster travel.a: %v", pids)
		}
		for _, p := range pids {
			var pid int
			if _, err := fmt.Sscan(p, &pid); err != nil {
				t.Fatal(err)
			}
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		eventually(t, 3*time.Minute, "killed cluster is back with its application", func() error {
			if _, err := one.run(t.Context(), "", "-n", "voyage", "get", "deployment", "seat", "--request-timeout=2s"); err != nil {
				return err
			}
			if err := fleet(); err != nil {
				return err
			}
			return app()
		})
	})

	t.Run("RetiredClusterIsDrainedFirst", func(t *testing.T) {
		hub.apply(t, fmt.Sprintf(travellers, "Delete", a, 1))
		hub.must(t, "-n", "voyage", "wait", "cluster.m.mainstay.dev/travel.b", "--for=delete", "--timeout=3m")
		eventually(t, time.Minute, "one cluster is left, with its application", func() error {
			if err := fleet(); err != nil {
				return err
			}
			if got := hub.get(t, "-n", "voyage", "release.m.mainstay.dev", "passenger.voyage.travel.b"); got != nil {
				return fmt.Errorf("the Release on it is still there")
			}
			return app()
		})
		if left := processesOf("travel.b"); len(left) > 0 {
			t.Errorf("destroyed cluster left processes: %v", left)
		}
		if _, err := two.run(t.Context(), "", "get", "ns", "--request-timeout=2s"); err == nil {
			t.Error("the destroyed cluster still answers")
		}
	})

	t.Run("ApplicationThenFleetAreDeleted", func(t *testing.T) {
		hub.must(t, "-n", "voyage", "delete", "productapplication", "passenger", "--timeout=2m")
		eventually(t, 2*time.Minute, "fleet can be deleted once nothing uses it", func() error {
			_, err := hub.run(t.Context(), "", "-n", "voyage", "delete", "clusterfleet", "travel", "--wait=false")
			return err
		})
		hub.must(t, "-n", "voyage", "wait", "clusterfleet/travel", "--for=delete", "--timeout=3m")
		if left := processesOf("travel.a"); len(left) > 0 {
			t.Errorf("deleted fleet left processes: %v", left)
		}
		if left := hub.must(t, "-n", "voyage", "get", "clusters.m.mainstay.dev,nodepools.m.mainstay.dev,secrets", "-o", "name"); left != "" {
			t.Errorf("deleted fleet left %q on the hub", left)
		}
	})
}

// A fleet whose clusters are dead can be deleted, applications and all, where its
// owner says so.
func TestDeadFleetIsDeleted(t *testing.T) {
	makeNamespace(t, "voyage")
	hub.apply(t, fmt.Sprintf(travellers, "Delete", "{name: dead, labels: {line: travel}}", 1))
	hub.apply(t, passenger)
	eventually(t, 4*time.Minute, "application runs", func() error {
		return reached(hub.get(t, "-n", "voyage", "productapplication", "passenger"))
	})
	hub.must(t, "-n", "voyage", "patch", "clusterfleet", "travel", "--type=merge", "-p", `{"spec":{"deletionGuard":"None"}}`)
	eventually(t, time.Minute, "guard is gone", func() error {
		if got := hub.must(t, "-n", "voyage", "get", "usages.protection.crossplane.io", "-o", "name"); got != "" {
			return fmt.Errorf("%s is there", got)
		}
		return nil
	})
	// Without the files it cannot be started again: this cluster stays dead.
	for _, p := range processesOf("travel.dead") {
		var pid int
		if _, err := fmt.Sscan(p, &pid); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	hub.must(t, "-n", "voyage", "delete", "clusterfleet", "travel", "--timeout=4m")
	hub.must(t, "-n", "voyage", "delete", "productapplication", "passenger", "--timeout=2m")
	if left := processesOf("travel.dead"); len(left) > 0 {
		t.Errorf("deleted fleet left processes: %v", left)
	}
}

func TestOrphanedFleetLeavesItsClusters(t *testing.T) {
	makeNamespace(t, "voyage")
	hub.apply(t, fmt.Sprintf(travellers, "Orphan", "{name: free, labels: {line: travel}}", 1))
	hub.apply(t, passenger)
	eventually(t, 4*time.Minute, "application runs", func() error {
		return reached(hub.get(t, "-n", "voyage", "productapplication", "passenger"))
	})
	k := cluster(t, "voyage", "travel.free")
	hub.must(t, "-n", "voyage", "patch", "clusterfleet", "travel", "--type=merge", "-p", `{"spec":{"deletionGuard":"None"}}`)
	eventually(t, 3*time.Minute, "fleet is deleted", func() error {
		_, err := hub.run(t.Context(), "", "-n", "voyage", "delete", "clusterfleet", "travel", "--timeout=2m")
		return err
	})
	hub.must(t, "-n", "voyage", "delete", "productapplication", "passenger", "--timeout=2m")
	if got := k.get(t, "-n", "voyage", "deployment", "seat"); got == nil {
		t.Error("the orphaned cluster lost its workload")
	}
	if nodes := k.must(t, "get", "nodes", "-o", "name"); nodes == "" {
		t.Error("the orphaned cluster lost its nodes")
	}
}

// The provider is killed while it works, and what it was doing is finished by the
// next one. `demo up` is what starts it again, as a Deployment would.
func TestProviderRestart(t *testing.T) {
	makeNamespace(t, "voyage")
	hub.apply(t, fmt.Sprintf(travellers, "Delete", "{name: steady, labels: {line: travel}}", 1))
	hub.apply(t, passenger)
	killProvider(t)
	if out, err := mainstay(t.Context(), "demo", "up", "--no-releases"); err != nil {
		t.Fatalf("cannot bring the demo up again: %v: %s", err, out)
	}
	eventually(t, 4*time.Minute, "what was begun is finished", func() error {
		if err := reached(hub.get(t, "-n", "voyage", "clusterfleet", "travel")); err != nil {
			return err
		}
		return reached(hub.get(t, "-n", "voyage", "productapplication", "passenger"))
	})
	hub.must(t, "-n", "voyage", "delete", "productapplication", "passenger", "--timeout=2m")
	eventually(t, 2*time.Minute, "fleet is deleted", func() error {
		_, err := hub.run(t.Context(), "", "-n", "voyage", "delete", "clusterfleet", "travel", "--timeout=100s")
		return err
	})
}

// killProvider with SIGKILL, so that it has no time to put anything right.
func killProvider(t *testing.T) {
	t.Helper()
	killed := 0
	for _, p := range processesOf(state) {
		if strings.Contains(p, "/provider ") {
			var pid int
			if _, err := fmt.Sscan(p, &pid); err == nil && pid != os.Getpid() {
				_ = syscall.Kill(pid, syscall.SIGKILL)
				killed++
			}
		}
	}
	if killed != 1 {
		t.Fatalf("killed %d providers, want one", killed)
	}
}
