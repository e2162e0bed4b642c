package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

// MaxSimulated is how many simulated clusters a demo has at most.
const MaxSimulated = v1alpha1.MaxFleetClusters

// WriteSimulated writes the manifests of a demo with a number of simulated clusters into
// a folder: the same files that examples/demo has.
func WriteSimulated(dir string, clusters int) error {
	if clusters < 1 || clusters > MaxSimulated {
		return fmt.Errorf("cannot simulate %d clusters: a fleet has 1 to %d", clusters, MaxSimulated)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make folder for manifests: %w", err)
	}
	fleet, err := simulatedFleet(clusters)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"namespaces.yaml":     simulatedNamespaces,
		"providerconfig.yaml": simulatedProviderConfig,
		"fleet.yaml":          fleet,
		"applications.yaml":   simulatedApplications,
	} {
		if err := statedir.WriteFile(filepath.Join(dir, name), []byte(strings.TrimLeft(text, "\n"))); err != nil {
			return err
		}
	}
	return nil
}

// simulatedFleet of a number of clusters, spread over up to ten regions.
func simulatedFleet(clusters int) (string, error) {
	all := []string{
		"eu-central", "us-east", "ap-south", "eu-west", "us-west",
		"ap-east", "sa-east", "eu-north", "af-south", "me-south",
	}
	regions := all[:min(len(all), clusters)]
	each, more := clusters/len(regions), clusters%len(regions)
	spec := v1alpha1.ClusterFleetSpec{
		ProviderConfigRef: v1alpha1.ProviderConfigReference{Kind: mv1alpha1.ClusterProviderConfigGVK.Kind, Name: "simulated"},
		Generate: []v1alpha1.ClusterGenerator{{
			Prefix: "site", Regions: regions, Count: int32(each), //nolint:gosec // At most as many as there are clusters.
			Labels: map[string]mv1alpha1.LabelValue{"size": "small", "demo": "simulated"},
		}},
		Tenants: []mv1alpha1.Tenant{{Namespace: "shop"}},
	}
	if more > 0 {
		spec.Generate = append(spec.Generate, v1alpha1.ClusterGenerator{
			Prefix: "hub", Regions: regions[:more], Count: 1, Labels: map[string]mv1alpha1.LabelValue{"size": "large", "demo": "simulated"},
		})
	}
	b, err := yaml.Marshal(map[string]any{
		"apiVersion": "mainstay.dev/v1alpha1", "kind": "ClusterFleet",
		"metadata": map[string]any{"name": "analytics", "namespace": "platform"},
		"spec":     spec,
	})
	if err != nil {
		return "", fmt.Errorf("cannot write fleet: %w", err)
	}
	return string(b), nil
}

const simulatedNamespaces = `
apiVersion: v1
kind: Namespace
metadata:
  name: platform
---
apiVersion: v1
kind: Namespace
metadata:
  name: shop
`

const simulatedProviderConfig = `
apiVersion: m.mainstay.dev/v1alpha1
kind: ClusterProviderConfig
metadata:
  name: simulated
spec:
  backend: simulated
`

const simulatedApplications = `
apiVersion: mainstay.dev/v1alpha1
kind: ProductApplication
metadata:
  name: storefront
  namespace: shop
spec:
  components:
    - name: storefront-web
      type: webservice
      properties:
        image: registry.example.org/shop/web:3.1.0
        cpu: 100m
        memory: 128Mi
        ports:
          - port: 80
            name: http
            expose: true
  policies:
    - name: everywhere
      type: topology
      properties:
        clusterLabelSelector:
          demo: simulated
    - name: some-at-a-time
      type: rollout
      properties:
        maxConcurrent: 10%
---
apiVersion: mainstay.dev/v1alpha1
kind: ProductApplication
metadata:
  name: orders
  namespace: shop
spec:
  components:
    - name: orders
      type: worker
      properties:
        image: registry.example.org/shop/orders:1.9.0
        cpu: 100m
        memory: 128Mi
  policies:
    - name: europe
      type: topology
      properties:
        clusterLabelSelector:
          region: eu-central
`
