package drift

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func object(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestHash(t *testing.T) {
	const wanted = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  template: {spec: {containers: [{name: web, image: nginx}]}}
`
	const applied = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, uid: abc, resourceVersion: "7", labels: {app: web}}
spec:
  replicas: 2
  revisionHistoryLimit: 10
  template: {spec: {dnsPolicy: ClusterFirst, containers: [{name: web, image: nginx, imagePullPolicy: Always}]}}
status: {replicas: 1}
`
	cases := map[string]struct {
		reason string
		live   string
		drift  bool
	}{
		"Same": {
			reason: "What the API server returned is no drift from itself.",
			live:   applied,
		},
		"OthersFields": {
			reason: "Fields that were not asked for may change.",
			live: `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, uid: abc, resourceVersion: "9", labels: {app: web, other: x}, annotations: {a: b}}
spec:
  replicas: 2
  paused: true
  template: {spec: {dnsPolicy: Default, containers: [{name: web, image: nginx, imagePullPolicy: Always}]}}
status: {replicas: 2}
`,
		},
		"ValueEdited": {
			reason: "An edited value is drift.",
			live: `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 0
  template: {spec: {containers: [{name: web, image: nginx, imagePullPolicy: Always}]}}
`,
			drift: true,
		},
		"FieldRemoved": {
			reason: "A field that is gone is drift.",
			live: `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  template: {spec: {containers: [{name: web, image: nginx, imagePullPolicy: Always}]}}
`,
			drift: true,
		},
		"ListElementAdded": {
			reason: "A list counts as a whole.",
			live: `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  template: {spec: {containers: [{name: web, image: nginx, imagePullPolicy: Always}, {name: side, image: car}]}}
`,
			drift: true,
		},
		"MapBecameValue": {
			reason: "A change of type is drift.",
			live: `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec: none
`,
			drift: true,
		},
	}
	before, err := Hash(object(t, applied), object(t, wanted))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			after, err := Hash(object(t, tc.live), object(t, wanted))
			if err != nil {
				t.Fatal(err)
			}
			if drift := before != after; drift != tc.drift {
				t.Errorf("\n%s\nHash(...): want drift %t, got %t", tc.reason, tc.drift, drift)
			}
		})
	}
}

func TestHashOfSecret(t *testing.T) {
	wanted := object(t, `{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {b: eA==}, stringData: {a: x}}`)
	applied := object(t, `{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {a: eA==, b: eA==}}`)
	edited := object(t, `{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {a: eQ==, b: eA==}}`)

	before, err := Hash(applied, wanted)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Hash(edited, wanted)
	if err != nil {
		t.Fatal(err)
	}
	if before == after {
		t.Errorf("an edit of what was written as stringData must show")
	}
	if _, ok := wanted.Object["stringData"]; !ok {
		t.Errorf("the wanted object must not be changed")
	}
}

func TestHashWanted(t *testing.T) {
	a := object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: x, b: z}}`)
	b := object(t, `{kind: ConfigMap, metadata: {name: c}, data: {b: z, a: x}, apiVersion: v1}`)
	c := object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: y, b: z}}`)
	ha, errA := HashWanted(a)
	hb, errB := HashWanted(b)
	hc, errC := HashWanted(c)
	if errA != nil || errB != nil || errC != nil {
		t.Fatal(errA, errB, errC)
	}
	if ha != hb || ha == hc {
		t.Errorf("the hash is of the content, whatever the order of its keys")
	}
	if _, err := HashWanted(&unstructured.Unstructured{Object: map[string]any{"x": func() {}}}); err == nil {
		t.Errorf("what cannot be encoded has no hash")
	}
}
