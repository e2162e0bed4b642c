package functions_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/functions/builtin"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
	"github.com/mainstay-dev/mainstay/internal/plan/render"
	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/planner/functions"
)

const everything = `apiVersion: mainstay.dev/v1alpha1
kind: ClusterFleet
metadata: {name: edge, namespace: platform}
spec:
  providerConfigRef: {kind: ClusterProviderConfig, name: local}
  kubernetesVersion: v1.34.2
  clusters:
    - {name: eu-1, region: eu}
    - {name: us-1, region: us, labels: {money: dollars}}
  nodePools: [{name: general, class: general, size: 4}]
  tenants: [{namespace: shop}]
---
apiVersion: mainstay.dev/v1alpha1
kind: ProductApplication
metadata: {name: shop, namespace: shop}
spec:
  components:
    - name: web
      type: webservice
      properties:
        image: registry.example.org/web:1.0.0
        env: [{name: CURRENCY, value: EUR}]
    - name: db
      type: k8s-objects
      properties:
        objects:
          - {apiVersion: v1, kind: ConfigMap, metadata: {name: db}, data: {size: "3"}}
  policies:
    - name: dollars
      type: override
      properties:
        clusterLabelSelector: {money: dollars}
        components: [{name: web, properties: {env: [{name: CURRENCY, value: USD}]}}]
    - {name: carefully, type: rollout, properties: {maxConcurrent: 2, waves: [{name: canary, canary: 1, soak: 10m}, {name: rest}]}}
`

// A call of a pipeline, and its answer.
type call struct {
	kind string
	req  render.Request
	rsp  render.Response
	// required is all that was found on the way.
	required []map[string]any
}

// TestCrossplane: what a plan is rendered from is what Crossplane composes of the same
// composites, with the programs that it would ask: by its own code, in "crossplane internal render".
func TestCrossplane(t *testing.T) {
	names := slices.Sorted(maps.Values(builtin.Shipped()))
	needed := []string{"crossplane"}
	for _, n := range names {
		needed = append(needed, program("", n))
	}
	dir := backendtest.Directory(t, needed...)
	a := newAuthority(t)
	served := a.folder(a.files(x509.ExtKeyUsageServerAuth))
	core := crossplane{program: filepath.Join(dir, "crossplane"), functions: map[string]string{}}
	endpoints := map[string]string{}
	for _, n := range names {
		endpoints[n] = "dns:///localhost:" + start(t, program(dir, n), "--tls-certs-dir="+served)
		core.functions[n] = "localhost:" + start(t, program(dir, n), "--insecure")
	}
	hub := hubOf(t, endpoints, secretOf(a.files(x509.ExtKeyUsageClientAuth)))
	pool := functions.New(functions.Config{Hub: hub, Certificates: functions.Certificates{Secret: secret}, Version: version})
	t.Cleanup(func() { _ = pool.Close() })
	session := pool.Open()

	var mu sync.Mutex
	var calls []call
	recorded := map[string]render.Function{}
	for kind, f := range session.Functions() {
		recorded[kind] = func(ctx context.Context, req render.Request) (render.Response, error) {
			c := call{kind: kind, req: req}
			find := req.Find
			req.Find = func(s render.Selector) ([]map[string]any, error) {
				found, err := find(s)
				c.required = append(c.required, found...)
				return found, err
			}
			var err error
			c.rsp, err = f(ctx, req)
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, c)
			return c.rsp, err
		}
	}
	for name, text := range map[string]string{"fine": everything, "refused": strings.Replace(everything, "type: webservice", "type: websrvice", 1)} {
		set, err := claims.Read(map[string][]byte{name + ".yaml": []byte(text)}, claims.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := render.New(recorded).Render(t.Context(), render.Input{Claims: set, Complete: true}); err != nil {
			t.Fatal(err)
		}
	}
	if note := session.Note(); note != "" {
		t.Errorf("what was rendered by others is %q", note)
	}
	seen := map[string]int{}
	for i, c := range calls {
		seen[c.kind]++
		t.Run(fmt.Sprintf("%d-%s", i, c.kind), func(t *testing.T) { compare(t, core, c) })
	}
	// Each set has a fleet and its cell. The application is asked for twice where there are
	// variants, and once where it is refused.
	if diff := cmp.Diff(map[string]int{"XClusterFleet": 2, "FleetCell": 2, "XProductApplication": 3}, seen); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

// compare a call with what Crossplane makes of the same.
func compare(t *testing.T, core crossplane, c call) {
	t.Helper()
	composite := with(c.req.Composite, "uid", "plan")
	if metadataOf(composite)["name"] == nil {
		composite = with(composite, "name", "plan")
	}
	var observed []map[string]any
	for name, o := range c.req.Composed {
		o = with(o, "annotations", map[string]any{"crossplane.io/composition-resource-name": name})
		o = with(o, "ownerReferences", []any{map[string]any{
			"apiVersion": composite["apiVersion"], "kind": composite["kind"], "name": metadataOf(composite)["name"], "uid": "plan", "controller": true,
		}})
		if metadataOf(o)["name"] == nil {
			o = with(o, "name", name)
		}
		observed = append(observed, o)
	}
	composed, err := core.render(t, composite, read(t, c.kind, "composition.yaml"), read(t, c.kind, "definition.yaml"), observed, c.required)
	if c.rsp.Refused != "" {
		if err == nil || !strings.Contains(err.Error(), c.rsp.Refused) {
			t.Errorf("crossplane says %v, and the plan that %q", err, c.rsp.Refused)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]map[string]any{}, map[string]map[string]any{}
	for name, o := range composed {
		want[name] = plain(o)
	}
	for name, o := range c.rsp.Composed {
		got[name] = plain(o)
	}
	if len(got) == 0 {
		t.Error("nothing is composed")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-crossplane, +plan:\n%s", diff)
	}
}

func metadataOf(o map[string]any) map[string]any {
	m, _ := o["metadata"].(map[string]any)
	return m
}

// with a field of the metadata.
func with(o map[string]any, field string, value any) map[string]any {
	out, meta := maps.Clone(o), maps.Clone(metadataOf(o))
	if meta == nil {
		meta = map[string]any{}
	}
	meta[field] = value
	out["metadata"] = meta
	return out
}

// plain object: without what Crossplane adds to all that it composes.
func plain(o map[string]any) map[string]any {
	out, meta := maps.Clone(o), maps.Clone(metadataOf(o))
	delete(out, "status")
	for _, f := range []string{"ownerReferences", "generateName", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"} {
		delete(meta, f)
	}
	for _, f := range []string{"labels", "annotations"} {
		m, _ := meta[f].(map[string]any)
		m = maps.Clone(m)
		maps.DeleteFunc(m, func(k string, _ any) bool { return strings.HasPrefix(k, "crossplane.io/") })
		if delete(meta, f); len(m) > 0 {
			meta[f] = m
		}
	}
	out["metadata"] = meta
	return out
}
