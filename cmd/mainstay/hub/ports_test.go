package hub

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func newHub(t *testing.T) *Hub {
	t.Helper()
	return New(Config{State: t.TempDir(), Binaries: t.TempDir(), Source: t.TempDir()})
}

func mustPort(t *testing.T, h *Hub, name string) int {
	t.Helper()
	p, err := h.port(t.Context(), name)
	if err != nil {
		t.Fatalf("port(%s): %v", name, err)
	}
	return p
}

func TestPortsAreKept(t *testing.T) {
	h := newHub(t)
	first := map[string]int{}
	for _, name := range append(functions(), portRegistry, portCoreHealth, portCoreWebhook, portProviderHealth) {
		first[name] = mustPort(t, h, name)
	}

	seen := map[int]string{}
	again := New(h.cfg)
	for name, port := range first {
		if got := mustPort(t, again, name); got != port {
			t.Errorf("A port is drawn once: %s was %d, and is %d", name, port, got)
		}
		if other, ok := seen[port]; ok {
			t.Errorf("A port has one purpose: %d is for %s and %s", port, name, other)
		}
		seen[port] = name
	}
}

func TestPortsThatStrangersTook(t *testing.T) {
	h := newHub(t)
	taken, kept := mustPort(t, h, portRegistry), mustPort(t, h, portCoreHealth)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address(taken))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()

	if err := h.dropTaken(t.Context()); err != nil {
		t.Fatalf("dropTaken(...): %v", err)
	}
	if got := mustPort(t, h, portRegistry); got == taken {
		t.Errorf("Port %d is a stranger's, and still the registry's", taken)
	}
	if got := mustPort(t, h, portCoreHealth); got != kept {
		t.Errorf("Port %d is free, and was given up", kept)
	}
}

func TestPortsOfGarbage(t *testing.T) {
	for name, content := range map[string]string{"NoJSON": "{", "OutOfRange": `{"registry": 70000}`, "Null": "null"} {
		t.Run(name, func(t *testing.T) {
			h := newHub(t)
			if err := os.WriteFile(h.path("ports.json"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := h.dropTaken(t.Context()); err != nil {
				t.Errorf("dropTaken(...): %v", err)
			}
			if p := mustPort(t, h, portRegistry); p < firstPort || p > lastPort {
				t.Errorf("port(...): want one between %d and %d, got %d", firstPort, lastPort, p)
			}
		})
	}
}

func TestListeners(t *testing.T) {
	got := map[string]string{}
	for _, p := range []string{portRegistry, portCoreWebhook, portCoreMetrics, portProviderMetrics, "fleet-cell"} {
		got[p] = listener(p)
	}
	want := map[string]string{
		portRegistry: "registry", portCoreWebhook: "crossplane", portCoreMetrics: "crossplane",
		portProviderMetrics: "provider", "fleet-cell": "function-fleet-cell",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listener(...): -want, +got:\n%s", diff)
	}
}

func TestPathsBelowState(t *testing.T) {
	h := New(Config{State: "/somewhere"})
	got := []string{h.Kubeconfig(), h.Clusters()}
	want := []string{filepath.Join("/somewhere", "kubeconfig"), filepath.Join("/somewhere", "clusters")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("All state is in one folder: -want, +got:\n%s", diff)
	}
}
