package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const victim = `
apiVersion: mainstay.dev/v1alpha1
kind: ProductApplication
metadata: {name: victim, namespace: shop}
spec:
  components:
  - name: web
    type: webservice
    properties: {image: "registry.example.org/web:1", cpu: 50m, memory: 32Mi}
%s
`

// Each change is refused, by admission or on the claim, in words that name the
// field; and what ran before is not touched.
func TestBadApplications(t *testing.T) {
	hub.apply(t, fmt.Sprintf(victim, ""))
	eventually(t, 2*time.Minute, "application is reached", func() error {
		return reached(hub.get(t, "-n", "shop", "productapplication", "victim"))
	})
	k := cluster(t, "platform", demoClusters(t)[0])
	before := k.get(t, "-n", "shop", "deployment", "web").GetResourceVersion()

	worker := func(properties string) string {
		return "  - name: bad\n    type: worker\n    properties: " + properties
	}
	cases := map[string]struct {
		reason string
		extra  string // appended to the components
		want   []string
	}{
		"UnknownType": {
			reason: "A component type that nobody defined.",
			extra:  "  - {name: bad, type: wbservice}",
			want:   []string{"spec.components", "wbservice", "webservice"},
		},
		"WrongType": {
			reason: "A property of the wrong type.",
			extra:  "  - {name: bad, type: webservice, properties: {image: x, ports: [{port: eighty}]}}",
			want:   []string{"spec.components[1].properties.ports[0].port", "integer"},
		},
		"UnknownProperty": {
			reason: "A property that the type does not have.",
			extra:  worker(`{imgae: x}`),
			want:   []string{"spec.components[1].properties", "imgae", "image"},
		},
		"UnknownTrait": {
			reason: "A trait that there is not is refused with the one that was meant.",
			extra:  "  - {name: bad, type: worker, properties: {image: x}, traits: [{type: scalr}]}",
			want:   []string{"spec.components[1].traits[0]", "scalr", "scaler"},
		},
		"UnknownPolicy": {
			reason: "A policy that is not supported.",
			extra:  "  policies: [{name: shared, type: shared-resource}]",
			want:   []string{"spec.policies[0]", "shared-resource"},
		},
		"Workflow": {
			reason: "A step that nobody knows is not ignored.",
			extra:  "  workflow: {steps: [{name: a, type: deplyo}]}",
			want:   []string{"spec.workflow.steps[0].type", "deplyo", "deploy"},
		},
		"CircularDependsOn": {
			reason: "Nothing could ever start.",
			extra:  "  - {name: a, type: worker, properties: {image: x}, dependsOn: [b]}\n  - {name: b, type: worker, properties: {image: x}, dependsOn: [a]}",
			want:   []string{"dependsOn", "a", "b"},
		},
		"DanglingDependsOn": {
			reason: "What is waited for does not exist.",
			extra:  "  - {name: bad, type: worker, properties: {image: x}, dependsOn: [wep]}",
			want:   []string{"spec.components[1].dependsOn", "wep"},
		},
		"DuplicateComponent": {
			reason: "Two components of one name.",
			extra:  "  - {name: web, type: worker, properties: {image: x}}",
			want:   []string{"web"},
		},
		"LongName": {
			reason: "A name that is no DNS label.",
			extra:  "  - {name: " + strings.Repeat("x", 53) + ", type: worker, properties: {image: x}}",
			want:   []string{"spec.components[1].name"},
		},
		"NoDNSLabel": {
			reason: "A name that is no DNS label.",
			extra:  "  - {name: Bad_Name, type: worker, properties: {image: x}}",
			want:   []string{"spec.components[1].name"},
		},
		"SelectsNothing": {
			reason: "A topology that selects no cluster.",
			extra:  "  policies: [{name: nowhere, type: topology, properties: {clusterLabelSelector: {region: atlantis}}}]",
			want:   []string{"nowhere", "no cluster"},
		},
		"UnknownCluster": {
			reason: "A topology that names a cluster that does not exist.",
			extra:  "  policies: [{name: nowhere, type: topology, properties: {clusters: [atlantis]}}]",
			want:   []string{"nowhere", "atlantis"},
		},
		"ForeignNamespace": {
			reason: "A namespace that is not the tenant's.",
			extra:  "  policies: [{name: elsewhere, type: topology, properties: {namespace: kube-system}}]",
			want:   []string{"kube-system"},
		},
		"ControlCharacter": {
			reason: "A control character in a string.",
			extra:  worker(`{image: "x\u0007"}`),
			want:   []string{"spec.components[1].properties.image", "control character"},
		},
		"Expression": {
			reason: "An expression that reads what there is not.",
			extra:  worker(`{image: "x:${nothing.region}"}`),
			want:   []string{"spec.components[1].properties.image", "nothing"},
		},
		"TooLarge": {
			reason: "A manifest over the size limit.",
			extra:  "  - name: bad\n    type: k8s-objects\n    properties:\n      objects:\n" + largeObject(),
			want:   []string{"ConfigMap", "big", "1048576"},
		},
		"MissingSecret": {
			reason: "A Secret that is missing on the cluster is found before anything is written.",
			extra:  worker(`{image: x, cpu: 50m, memory: 32Mi, env: [{name: P, valueFrom: {secretKeyRef: {name: nosuch, key: p}}}]}`),
			want:   []string{"nosuch"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, admission := hub.run(t.Context(), fmt.Sprintf(victim, tc.extra), "apply", "--server-side", "--force-conflicts", "-f", "-")
			eventually(t, time.Minute, tc.reason, func() error {
				var text string
				if admission != nil {
					text = admission.Error()
				} else {
					status, _, message := condition(hub.get(t, "-n", "shop", "productapplication", "victim"), "Reached")
					if status != "False" {
						return fmt.Errorf("Reached=%s %q", status, message)
					}
					text = message
				}
				for _, w := range tc.want {
					if !strings.Contains(text, w) {
						return fmt.Errorf("%q does not say %q", text, w)
					}
				}
				return nil
			})
			if after := k.get(t, "-n", "shop", "deployment", "web"); after == nil || after.GetResourceVersion() != before {
				t.Errorf("what ran was touched: %v", after)
			}
		})
	}

	hub.apply(t, fmt.Sprintf(victim, ""))
	eventually(t, 2*time.Minute, "mended application is reached", func() error {
		return reached(hub.get(t, "-n", "shop", "productapplication", "victim"))
	})
	hub.must(t, "-n", "shop", "delete", "productapplication", "victim", "--timeout=2m")
}

// largeObject is a ConfigMap that fits into a Bundle, and that no API server takes.
func largeObject() string {
	return fmt.Sprintf("      - {apiVersion: v1, kind: ConfigMap, metadata: {name: big}, data: {a: %q}}\n", strings.Repeat("0123456789", 110000))
}

func TestBadFleets(t *testing.T) {
	makeNamespace(t, "bad-fleets")
	cases := map[string]struct {
		reason string
		spec   string
		want   []string
	}{
		"NoSuchVersion": {
			reason: "A version that no binary exists for.",
			spec:   "kubernetesVersion: v1.99.0, clusters: [{name: a}]",
			want:   []string{"v1.99.0", "v1.35.3"},
		},
		"DuplicateCluster": {
			reason: "Two clusters of one name.",
			spec:   "clusters: [{name: a}, {name: a}]",
			want:   []string{"spec.clusters", "uplicate"},
		},
		"GeneratedDuplicate": {
			reason: "A cluster that is both named and generated.",
			spec:   "clusters: [{name: g-x-1}], generate: [{prefix: g, regions: [x], count: 1}]",
			want:   []string{"g-x-1", "spec.generate"},
		},
		"TooMany": {
			reason: "5,000 generated clusters in one fleet.",
			spec:   "generate: [{prefix: g, regions: [a, b, c, d, e], count: 1000}]",
			want:   []string{"2000", "spec.generate"},
		},
		"LongName": {
			reason: "A cluster name that is too long.",
			spec:   "clusters: [{name: " + strings.Repeat("x", 46) + "}]",
			want:   []string{"spec.clusters[0].name"},
		},
		"NoSuchConfig": {
			reason: "A provider configuration that does not exist.",
			spec:   "providerConfigRef: {name: nosuch}, clusters: [{name: a}]",
			want:   []string{"ClusterProviderConfig", "nosuch"},
		},
		"NoSuchClass": {
			reason: "A node class that nobody defined.",
			spec:   "clusters: [{name: a}], nodePools: [{name: p, class: huge, size: 1}]",
			want:   []string{"huge", "general"},
		},
		"ReservedNamespace": {
			reason: "A tenant may not be given a system namespace.",
			spec:   "clusters: [{name: a}], tenants: [{namespace: shop, targetNamespaces: [kube-system]}]",
			want:   []string{"kube-"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fleet := strings.ToLower(name)
			spec := tc.spec
			if !strings.Contains(spec, "providerConfigRef") {
				spec = "providerConfigRef: {name: local}, " + spec
			}
			_, admission := hub.run(t.Context(), "{apiVersion: mainstay.dev/v1alpha1, kind: ClusterFleet, metadata: {name: "+fleet+", namespace: bad-fleets}, spec: {"+spec+"}}", "apply", "--server-side", "--force-conflicts", "-f", "-")
			eventually(t, 90*time.Second, tc.reason, func() error {
				var text string
				if admission != nil {
					text = admission.Error()
				} else {
					_, _, text = condition(hub.get(t, "-n", "bad-fleets", "clusterfleet", fleet), "Reached")
				}
				for _, w := range tc.want {
					if !strings.Contains(text, w) {
						return fmt.Errorf("%q does not say %q", text, w)
					}
				}
				return nil
			})
			hub.must(t, "-n", "bad-fleets", "delete", "clusterfleet", fleet, "--ignore-not-found", "--timeout=2m")
		})
	}
}
