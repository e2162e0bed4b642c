package demo

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/hub"
)

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestUnreached(t *testing.T) {
	cases := map[string]struct {
		reason string
		claims string
		want   string
	}{
		"All": {
			reason: "Claims that are ready and reached are waited for no more.",
			claims: "ClusterFleet\tanalytics\tTrue\tTrue\t3/3 clusters ready\nProductApplication\tpipeline\tTrue\tTrue\t2/2 clusters ready\n",
		},
		"NotReady": {
			reason: "A claim that has reached what it asks for may still not be ready.",
			claims: "ClusterFleet\tanalytics\tFalse\tTrue\t3/3 clusters ready\n",
			want:   "ClusterFleet analytics: 3/3 clusters ready",
		},
		"NotReached": {
			reason: "The first claim that is not reached is named, with what it says.",
			claims: "ClusterFleet\tanalytics\tTrue\tTrue\t3/3 clusters ready\nProductApplication\tpipeline\tTrue\tFalse\twaits for two pods\tand more\n",
			want:   "ProductApplication pipeline: waits for two pods\tand more",
		},
		"Silent": {
			reason: "A claim that no function has said anything about points to where Crossplane does.",
			claims: "ClusterFleet\tanalytics\tFalse\t\t\n",
			want:   "ClusterFleet analytics: Crossplane has not composed it yet: kubectl describe xclusterfleet says why",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, message(unreached(tc.claims))); diff != "" {
				t.Errorf("\n%s\nunreached(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestNotRunning(t *testing.T) {
	cases := map[string]struct {
		reason string
		pods   string
		want   string
	}{
		"None":    {reason: "A cluster without pods has none that does not run."},
		"Running": {reason: "The pod of a task has run, all others run.", pods: "shop/web\tRunning\nshop/migrate\tSucceeded\n"},
		"Pending": {
			reason: "The first pod that does not run is named.",
			pods:   "shop/web\tRunning\nshop/worker\tPending\n",
			want:   "pod shop/worker on platform/eu-1, which is Pending",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, message(notRunning("platform/eu-1", tc.pods))); diff != "" {
				t.Errorf("\n%s\nnotRunning(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestWithoutDemo(t *testing.T) {
	state := filepath.Join(t.TempDir(), "demo")
	out := &bytes.Buffer{}
	d := New(Config{Hub: hub.New(hub.Config{State: state, Binaries: t.TempDir()}), Out: out})

	if err := d.Status(t.Context()); err != nil || !strings.Contains(out.String(), "There is no demo") {
		t.Errorf("Status(...) where there is no demo: %v: %s", err, out)
	}
	if err := d.Down(t.Context()); err != nil {
		t.Errorf("Down(...) where there is no demo: %v", err)
	}
	if err := d.Up(t.Context()); err == nil || !strings.Contains(err.Error(), "make binaries") {
		t.Errorf("Up(...) without programs: want the command that builds them, got %v", err)
	}
	if _, err := os.Stat(state); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing was started, and yet there is state: %v", err)
	}
}

func TestDownRemovesGarbage(t *testing.T) {
	state := filepath.Join(t.TempDir(), "demo")
	for _, f := range []string{"kubeconfig", "ports.json", "crossplane/crossplane.pid", "clusters/clusters/a/b/ports.json"} {
		path := filepath.Join(state, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := New(Config{Hub: hub.New(hub.Config{State: state, Binaries: t.TempDir()}), Out: &bytes.Buffer{}})
	if err := d.Down(t.Context()); err != nil {
		t.Fatalf("Down(...): %v", err)
	}
	if _, err := os.Stat(state); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Down(...) left state: %v", err)
	}
}

func TestWriteSimulated(t *testing.T) {
	for _, n := range []int{1, 7, 100, 1003, MaxSimulated} {
		dir := t.TempDir()
		if err := WriteSimulated(dir, n); err != nil {
			t.Fatalf("WriteSimulated(%d): %v", n, err)
		}
		b, err := os.ReadFile(filepath.Join(dir, "fleet.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		fleet := v1alpha1.ClusterFleet{}
		if err := yaml.UnmarshalStrict(b, &fleet); err != nil {
			t.Fatalf("Fleet of %d: %v", n, err)
		}
		got := 0
		for _, g := range fleet.Spec.Generate {
			got += int(g.Count) * len(g.Regions)
		}
		if got != n {
			t.Errorf("Fleet of %d has %d clusters", n, got)
		}
	}
	if err := WriteSimulated(t.TempDir(), 0); err == nil {
		t.Errorf("WriteSimulated(0): want an error")
	}
}
