package plan

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/functions/builtin"
	"github.com/mainstay-dev/mainstay/internal/plan"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
	"github.com/mainstay-dev/mainstay/internal/plan/pipeline"
	"github.com/mainstay-dev/mainstay/internal/plan/render"
)

var update = flag.Bool("update", false, "Write golden files anew.")

const fleetClaim = `apiVersion: mainstay.dev/v1alpha1
kind: ClusterFleet
metadata: {name: edge, namespace: platform}
spec:
  providerConfigRef: {kind: ClusterProviderConfig, name: local}
  kubernetesVersion: v1.34.2
  clusters:
    - {name: eu-1, region: eu}
    - {name: eu-2, region: eu}
    - {name: us-1, region: us, labels: {money: dollars}}
  nodePools: [{name: general, class: general, size: 4}]
  tenants: [{namespace: shop}, {namespace: market}]
---
`

const shopClaim = `apiVersion: mainstay.dev/v1alpha1
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
          - {apiVersion: v1, kind: Secret, metadata: {name: db}, stringData: {password: correct-horse}}
          - apiVersion: v1
            kind: PersistentVolumeClaim
            metadata: {name: data}
            spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
  policies:
    - name: dollars
      type: override
      properties:
        clusterLabelSelector: {money: dollars}
        components: [{name: web, properties: {env: [{name: CURRENCY, value: USD}]}}]
    - name: carefully
      type: rollout
      properties:
        maxConcurrent: 2
        waves: [{name: canary, canary: 1, soak: 10m}, {name: rest}]
---
`

func files(text string) map[string][]byte { return map[string][]byte{"claims.yaml": []byte(text)} }

// TestStories plans changes, and compares what is said of them with files to be read.
func TestStories(t *testing.T) {
	both := fleetClaim + shopClaim
	with := func(text string, pairs ...string) string {
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(text, pairs[i]) {
				t.Fatalf("%q is not there", pairs[i])
			}
		}
		return strings.NewReplacer(pairs...).Replace(text)
	}
	volume := shopClaim[strings.Index(shopClaim, "          - apiVersion: v1\n"):strings.Index(shopClaim, "  policies:")]
	cases := map[string]struct {
		reason        string
		before, after string
	}{
		"nothing":        {"Comments and order are no change.", both, "# said otherwise\n" + shopClaim + fleetClaim},
		"new":            {"All of it is new.", "", both},
		"release":        {"An image on all clusters, and a secret that nobody is to see.", both, with(both, "web:1.0.0", "web:1.1.0", "correct-horse", "battery-staple")},
		"one-variant":    {"What differs on one cluster changes there alone.", both, with(both, "value: USD", "value: CAD")},
		"data-goes":      {"A volume is taken out of the claim.", both, with(both, volume, "")},
		"cluster-leaves": {"A cluster leaves its fleet, with all that is on it.", both, with(both, "    - {name: eu-2, region: eu}\n", "")},
		"upgrade":        {"Another version of Kubernetes, and less nodes.", both, with(both, "v1.34.2", "v1.35.3", "size: 4", "size: 2")},
		"application-goes": {
			"The claim is deleted.", both, fleetClaim,
		},
		"moved":         {"The claim is moved to another namespace.", both, fleetClaim + with(shopClaim, "namespace: shop", "namespace: market")},
		"refused":       {"A type that there is not.", both, with(both, "type: webservice", "type: websrvice")},
		"cannot-place":  {"A cluster that there is not.", both, with(both, "    - name: carefully\n", "    - {name: there, type: topology, properties: {clusters: [mars-1]}}\n    - name: carefully\n")},
		"tenant-leaves": {"The fleet does not take the tenant any more: its claim says the same and cannot be placed.", both, with(both, "{namespace: shop}, ", "")},
		"clusters-unknown": {
			"Without any fleet nobody knows where it goes.", shopClaim, with(shopClaim, "web:1.0.0", "web:1.1.0"),
		},
		"hostile-text": {
			"What authors write is no markup.", both,
			with(both, "value: EUR", "value: \"@everyone </details> ```\\n| [x](https://example.org) <img src=x>\""),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p, err := Make(t.Context(), Input{Before: files(tc.before), After: files(tc.after)})
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"correct-horse", "battery-staple"} {
				if raw, _ := json.Marshal(p); strings.Contains(string(raw)+p.Text()+p.Markdown(), secret) {
					t.Errorf("plan shows %q", secret)
				}
			}
			golden(t, name+".txt", tc.reason, p.Text())
			if name != "nothing" && name != "new" {
				golden(t, name+".md", tc.reason, p.Markdown())
			}
			if page := p.Page(); strings.Contains(page, "What next") || strings.Contains(page, "Found before") || !strings.Contains(page, p.Digest) {
				t.Errorf("within a comment on a merge request, what is next is for the change to say:\n%s", page)
			}
		})
	}
}

func golden(t *testing.T, name, reason, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("\n%s\n%s: -want, +got:\n%s", reason, file, diff)
	}
}

// A runner serves a function as Crossplane reaches it.
type runner struct {
	fnv1.UnimplementedFunctionRunnerServiceServer

	run pipeline.Run
}

func (r runner) RunFunction(ctx context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
	return r.run(ctx, req)
}

// remote renders with functions behind endpoints.
func remote(t *testing.T) render.Renderer {
	t.Helper()
	serve := func(run pipeline.Run) render.Function {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := grpc.NewServer()
		fnv1.RegisterFunctionRunnerServiceServer(s, runner{run: run})
		go func() { _ = s.Serve(l) }()
		t.Cleanup(s.Stop)
		conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		client := fnv1.NewFunctionRunnerServiceClient(conn)
		return pipeline.Of(pipeline.Step{Name: "remote", Run: func(ctx context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
			return client.RunFunction(ctx, req)
		}})
	}
	f := builtin.Functions()
	return render.New(map[string]render.Function{
		render.ClusterFleet: serve(f[builtin.ClusterFleet]), render.FleetCell: serve(f[builtin.FleetCell]), render.ProductApplication: serve(f[builtin.ProductApplication]),
	})
}

// TestConformance of renderers: whichever way functions are reached, the same is made.
func TestConformance(t *testing.T) {
	set, err := claims.Read(files(fleetClaim+shopClaim), claims.Options{})
	if err != nil {
		t.Fatal(err)
	}
	broken, err := claims.Read(files(fleetClaim+strings.Replace(shopClaim, "type: webservice", "type: websrvice", 1)), claims.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := Local()
	for name, r := range map[string]render.Renderer{"InProcess": Local(), "Remote": remote(t)} {
		t.Run(name, func(t *testing.T) {
			for _, s := range []claims.Set{set, broken, {}} {
				in := render.Input{Claims: s, Complete: true}
				expect, err := want.Render(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					got, err := r.Render(t.Context(), in)
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(expect, got); diff != "" {
						t.Errorf("Render(...): -want, +got:\n%s", diff)
					}
				}
			}
			got, err := r.Render(t.Context(), render.Input{Claims: set, Complete: true})
			if err != nil {
				t.Fatal(err)
			}
			shop := got.Claims[1]
			if len(got.Claims[0].Clusters) != 3 || len(got.Claims[0].Pools) != 3 || len(shop.Targets) != 3 || len(shop.Contents) != 2 {
				t.Errorf("%d clusters, %d pools, %d targets, %d variants", len(got.Claims[0].Clusters), len(got.Claims[0].Pools), len(shop.Targets), len(shop.Contents))
			}
		})
	}
	// A function that cannot be asked is no empty answer.
	dead := render.New(map[string]render.Function{render.ClusterFleet: func(context.Context, render.Request) (render.Response, error) {
		return render.Response{}, fmt.Errorf("connection refused")
	}})
	if _, err := dead.Render(t.Context(), render.Input{Claims: set}); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("Render(...): %v", err)
	}
}

// TestLarge: a thousand clusters from claims to plan, in bounds.
func TestLarge(t *testing.T) {
	fleet := strings.Replace(fleetClaim, "  clusters:\n", "  generate: [{prefix: c, regions: [a, b, c, d], count: 249}]\n  clusters:\n", 1)
	p, err := Make(t.Context(), Input{Before: files(fleet + shopClaim), After: files(strings.NewReplacer("web:1.0.0", "web:2.0.0", "v1.34.2", "v1.35.3").Replace(fleet + shopClaim))})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d clusters: %d bytes, %d bytes of Markdown", p.Blast.Clusters, len(raw), len(p.Markdown()))
	if p.Blast.Clusters != 999 || len(raw) > v1alpha1.MaxPlanContentBytes {
		t.Errorf("%d clusters, %d bytes", p.Blast.Clusters, len(raw))
	}
}

// TestThreeThousand claims are read and rendered, and too many changes are refused.
func TestThreeThousand(t *testing.T) {
	all := map[string][]byte{"fleet.yaml": []byte(fleetClaim)}
	for i := range 3000 {
		all[fmt.Sprintf("apps/%04d.yaml", i)] = []byte(strings.Replace(shopClaim, "name: shop,", fmt.Sprintf("name: shop-%d,", i), 1))
	}
	some := map[string][]byte{}
	for n, f := range all {
		some[n] = f
	}
	some["apps/0007.yaml"] = []byte(strings.Replace(string(all["apps/0007.yaml"]), "web:1.0.0", "web:1.1.0", 1))
	start := time.Now()
	p, err := Make(t.Context(), Input{Before: all, After: some})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("took %s", time.Since(start))
	if len(p.Claims) != 1 {
		t.Errorf("plan is of %d claims", len(p.Claims))
	}
	if _, err := Make(t.Context(), Input{After: all}); err == nil || !strings.Contains(err.Error(), "touches 3001 claims, and 200 are the most") {
		t.Errorf("Make(3001 new claims): %v", err)
	}
}

// TestFolder reads files, and nothing that lies outside.
func TestFolder(t *testing.T) {
	write := func(t *testing.T, dir, name string, data []byte) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cases := map[string]struct {
		reason string
		make   func(t *testing.T, dir string)
		want   []string
		err    string
	}{
		"Files": {
			reason: "YAML files below the folder; what is hidden is not claims.",
			make: func(t *testing.T, dir string) {
				for _, n := range []string{"a.yaml", "b/c.yml", "README.md", ".git/x.yaml"} {
					write(t, dir, n, []byte("# "+n))
				}
			},
			want: []string{"a.yaml", "b/c.yml"},
		},
		"Link": {
			reason: "A link may lead anywhere.",
			make: func(t *testing.T, dir string) {
				if err := os.Symlink("/etc/hostname", filepath.Join(dir, "a.yaml")); err != nil {
					t.Fatal(err)
				}
			},
			err: "a.yaml is a link",
		},
		"Large": {
			reason: "A file of 50 MB is not read.",
			make:   func(t *testing.T, dir string) { write(t, dir, "a.yaml", make([]byte, 50<<20)) },
			err:    "keep data out of claims",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tc.make(t, dir)
			files, err := Folder(dir, nil)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("\n%s\nFolder(...): %v", tc.reason, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]bool{}
			for n := range files {
				got[n] = true
			}
			for _, w := range tc.want {
				if !got[w] || len(got) != len(tc.want) {
					t.Errorf("\n%s\nFolder(...): %v", tc.reason, got)
				}
			}
		})
	}
}

// TestRevision plans two commits of a repository.
func TestRevision(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.org"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	commit := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "claims.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		git("add", ".")
		git("commit", "-q", "-m", "claims")
	}
	git("init", "-q")
	commit(fleetClaim + shopClaim)
	commit(fleetClaim + strings.Replace(shopClaim, "web:1.0.0", "web:1.1.0", 1))
	before, err := Revision(t.Context(), dir, "HEAD~1", nil)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Revision(t.Context(), dir, "HEAD", nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Make(t.Context(), Input{Before: before, After: after, Options: plan.Options{}})
	if err != nil {
		t.Fatal(err)
	}
	if p.Count.Update != 3 {
		t.Errorf("plan is %s", p.Text())
	}
	for _, bad := range []string{"nowhere", "--output=x", ""} {
		if _, err := Revision(t.Context(), dir, bad, nil); err == nil {
			t.Errorf("Revision(%q): no error", bad)
		}
	}
}
