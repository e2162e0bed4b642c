package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
)

const kept = `
apiVersion: mainstay.dev/v1alpha1
kind: ClusterFleet
metadata: {name: kept, namespace: guarded}
spec:
  providerConfigRef: {kind: ClusterProviderConfig, name: local}
  kubernetesVersion: v1.35.3
  clusters: [%s]
  nodePools:
  - {name: general, class: general, size: 1}
`

const carried = `
apiVersion: m.mainstay.dev/v1alpha1
kind: ClaimGrant
metadata: {name: clusterfleet.kept, namespace: guarded}
spec:
  claim: {apiVersion: mainstay.dev/v1alpha1, kind: ClusterFleet, namespace: guarded, name: kept}
  digest: %s
  change: guarded/claims-1
  epoch: 1
`

// A fleet that is edited by hand stays as it is, in both directions, until an approved change
// carries what it says.
func TestFleetEditedByHand(t *testing.T) {
	makeNamespace(t, "guarded")
	fleet := func() *unstructured.Unstructured { return hub.get(t, "-n", "guarded", "clusterfleet", "kept") }
	clusters := func() string {
		return hub.must(t, "-n", "guarded", "get", "clusters.m.mainstay.dev", "-o", "jsonpath={range .items[*]}{.metadata.name}:{.metadata.generation}:{.metadata.deletionTimestamp} {end}")
	}
	held := func(text string) func() error {
		return func() error {
			if _, reason, message := condition(fleet(), "Reached"); reason != "Blocked" || !strings.Contains(message, text) || !strings.HasSuffix(message, "; 1/1 clusters ready") {
				return fmt.Errorf("it says %s: %s", reason, message)
			}
			return nil
		}
	}
	approve := func() {
		spec, _, _ := unstructured.NestedMap(fleet().Object, "spec")
		digest, err := grant.Digest("ClusterFleet", "guarded", "kept", spec)
		if err != nil {
			t.Fatal(err)
		}
		hub.apply(t, fmt.Sprintf(carried, digest))
	}

	hub.apply(t, fmt.Sprintf(kept, "{name: a}"))
	eventually(t, 4*time.Minute, "fleet of one is reached", func() error { return reached(fleet()) })
	before := clusters()

	hub.must(t, "label", "namespace", "guarded", "mainstay.dev/require-change=true")
	hub.apply(t, fmt.Sprintf(kept, "{name: b}"))
	eventually(t, time.Minute, "another cluster is held back", held("no approved change carries this claim"))
	if got := clusters(); got != before {
		t.Errorf("clusters were %s, and are %s", before, got)
	}
	out, err := command(t, "explain", "fleet", "kept", "-n", "guarded")
	if want := "No approved change carries ClusterFleet kept"; !strings.Contains(out, want) {
		t.Errorf("explain: want %q, got %v:\n%s", want, err, out)
	}

	hub.apply(t, fmt.Sprintf(kept, "{name: a}"))
	approve()
	eventually(t, time.Minute, "what a change carries is reached", func() error { return reached(fleet()) })

	hub.apply(t, fmt.Sprintf(kept, "{name: a}, {name: b}"))
	eventually(t, time.Minute, "a second cluster is held back", held("edited since change guarded/claims-1"))
	out, err = command(t, "explain", "fleet", "kept", "-n", "guarded")
	if want := "Edited by hand: no approved change carries what ClusterFleet kept says now"; !strings.Contains(out, want) {
		t.Errorf("explain: want %q, got %v:\n%s", want, err, out)
	}
	if got := clusters(); got != before {
		t.Errorf("clusters were %s, and are %s", before, got)
	}

	approve()
	eventually(t, 30*time.Second, "a change carries it, and it is composed", func() error {
		if got := clusters(); !strings.Contains(got, "kept.b:") {
			return fmt.Errorf("clusters are %s", got)
		}
		return nil
	})
	eventually(t, 4*time.Minute, "fleet of two is reached", func() error { return reached(fleet()) })

	// Who deletes it has to mean it.
	out, err = hub.run(t.Context(), "", "-n", "guarded", "delete", "clusterfleet", "kept", "--timeout=3m")
	if want := "repeat its name in its annotation"; err == nil || !strings.Contains(out+err.Error(), want) {
		t.Errorf("delete: want %q, got %v:\n%s", want, err, out)
	}
	hub.must(t, "-n", "guarded", "annotate", "clusterfleet", "kept", v1alpha1.AnnotationAllowDeletion+"=kept")
	hub.must(t, "-n", "guarded", "delete", "clusterfleet", "kept", "--timeout=3m")
}
