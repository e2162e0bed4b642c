package apis

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/test/schema"
)

// What admission says to bad input. Each message names the field, and what to do.
func TestRules(t *testing.T) {
	cases := map[string]struct {
		reason string
		object string
		old    string
		want   []string
	}{
		"FleetName": {
			reason: "Names of resources are made of it.",
			object: `{kind: ClusterFleet, metadata: {name: a.b}, spec: {}}`,
			want:   []string{"metadata.name must be a DNS label"},
		},
		"LongFleetName": {
			reason: "The composite's name is six characters longer.",
			object: `{kind: ClusterFleet, metadata: {name: ` + strings.Repeat("a", 47) + `}, spec: {}}`,
			want:   []string{"metadata.name is too long: a fleet name has at most 40 characters"},
		},
		"ClusterNames": {
			reason: "Not a DNS label, too long, and twice.",
			object: `{kind: ClusterFleet, metadata: {name: a}, spec: {clusters: [{name: A}, {name: ` + strings.Repeat("a", 46) + `}, {name: "a\u0007"}, {name: b}, {name: b}]}}`,
			want:   []string{"spec.clusters[0].name", "spec.clusters[1].name", "spec.clusters[2].name", "spec.clusters[4]: Duplicate value"},
		},
		"FiveThousand": {
			reason: "More clusters than a fleet can have.",
			object: `{kind: ClusterFleet, metadata: {name: a}, spec: {generate: [{prefix: a, regions: [b, c, d], count: 1700}]}}`,
			want:   []string{"spec.generate and spec.clusters ask for more than 2000 clusters: split them over several fleets"},
		},
		"UnknownField": {
			reason: "What is not known is not ignored.",
			object: `{kind: ClusterFleet, metadata: {name: a}, spec: {nodePool: [], clusters: [{name: b, zone: x}]}}`,
			want:   []string{"spec.clusters[0].zone: unknown field", "spec.nodePool: unknown field"},
		},
		"Version": {
			reason: "A version is written in full.",
			object: `{kind: ClusterFleet, metadata: {name: a}, spec: {kubernetesVersion: "1.35"}}`,
			want:   []string{"spec.kubernetesVersion"},
		},
		"VersionJump": {
			reason: "Kubernetes goes up minor by minor.",
			old:    `{kind: ClusterFleet, metadata: {name: a}, spec: {kubernetesVersion: v1.33.1}}`,
			object: `{kind: ClusterFleet, metadata: {name: a}, spec: {kubernetesVersion: v1.35.3}}`,
			want:   []string{"spec.kubernetesVersion can only go up one minor version at a time"},
		},
		"VersionStep": {
			reason: "One step is possible.",
			old:    `{kind: ClusterFleet, metadata: {name: a}, spec: {kubernetesVersion: v1.34.1}}`,
			object: `{kind: ClusterFleet, metadata: {name: a}, spec: {kubernetesVersion: v1.35.3}}`,
		},
		"TenantNamespaces": {
			reason: "No tenant gets the namespaces of Kubernetes.",
			object: `{kind: ClusterFleet, metadata: {name: a}, spec: {tenants: [{namespace: b, targetNamespaces: [kube-system]}]}}`,
			want:   []string{"targetNamespaces may not contain default or a namespace that starts with kube-"},
		},
		"LabelValue": {
			reason: "Labels have the values of labels.",
			object: `{kind: ClusterFleet, metadata: {name: a}, spec: {clusters: [{name: b, labels: {x: "${y}"}}]}}`,
			want:   []string{"spec.clusters[0].labels.x"},
		},
		"Unsupported": {
			reason: "What is not supported yet is refused by name.",
			object: `{kind: ProductApplication, metadata: {name: a}, spec: {
				workflow: {ref: w, steps: [{name: x, type: suspend, inputs: [{from: z, parameterKey: k}], outputs: [{name: z, valueFrom: object}]}]},
				components: [{name: b, type: worker, scopes: {z: z}, externalRevision: r, replicaKey: k}]}}`,
			want: []string{
				"workflow.ref is not supported", "inputs of a step are not supported", "outputs of a step are not supported", "scopes are not supported",
				"externalRevision is not supported yet", "replicaKey is not supported",
			},
		},
		"Workflow": {
			reason: "A workflow is strict: modes are known, steps have names of their own, and groups are one level deep.",
			object: `{kind: ProductApplication, metadata: {name: a}, spec: {components: [{name: b, type: worker}],
				workflow: {mode: {steps: Parallel}, steps: [{name: A, type: suspend}, {name: c, type: step-group, subSteps: [{name: d, type: suspend, subSteps: []}]}, {name: c, type: suspend}]}}}`,
			want: []string{"spec.workflow.mode.steps", "spec.workflow.steps[0].name", "spec.workflow.steps[1].subSteps[0].subSteps: unknown field", "spec.workflow.steps[2]: Duplicate value"},
		},
		"Outputs": {
			reason: "An output has a name and an expression, an input what it is and where it goes.",
			object: `{kind: ProductApplication, metadata: {name: a}, spec: {components: [{name: b, type: worker, inputs: [{from: x}], outputs: [{name: "a b", valueFrom: object}, {name: c}]}]}}`,
			want:   []string{"spec.components[0].inputs[0].parameterKey", "spec.components[0].outputs[0].name", "spec.components[0].outputs[1].valueFrom"},
		},
		"ComponentNames": {
			reason: "A component comes once.",
			object: `{kind: ProductApplication, metadata: {name: a}, spec: {components: [{name: b, type: worker}, {name: b, type: worker}]}}`,
			want:   []string{"spec.components[1]: Duplicate value"},
		},
		"NoComponents": {
			reason: "An application has components.",
			object: `{kind: ProductApplication, metadata: {name: a}, spec: {components: []}}`,
			want:   []string{"spec.components"},
		},
	}
	s := load(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := s.Validate(object(t, tc.object))
			if tc.old != "" {
				err = s.ValidateUpdate(object(t, tc.object), object(t, tc.old))
			}
			if len(tc.want) == 0 && err != nil {
				t.Errorf("%s\nwant no error, got %v", tc.reason, err)
			}
			for _, want := range tc.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s\nwant an error with %q, got %v", tc.reason, want, err)
				}
			}
		})
	}
}

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	objects, err := schema.Objects([]byte(text))
	if err != nil || len(objects) != 1 {
		t.Fatalf("cannot read object: %v", err)
	}
	objects[0].SetAPIVersion(v1alpha1.GroupVersion.String())
	return objects[0]
}
