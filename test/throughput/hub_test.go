package throughput

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mainstay-dev/mainstay/test/fleet"
)

// hubWrites are what was written to the hub per change, by kind and answer, by the
// metrics of its API server.
func (w *world) hubWrites(changes int) string {
	cfg, err := clientcmd.BuildConfigFromFlags("", w.hub.Kubeconfig())
	if err != nil {
		return err.Error()
	}
	c, err := rest.UnversionedRESTClientFor(fleet.WithoutCodec(cfg))
	if err != nil {
		return err.Error()
	}
	raw, err := c.Get().AbsPath("/metrics").DoRaw(w.t.Context())
	if err != nil {
		return err.Error()
	}
	return writesOf(string(raw), changes)
}

// writesOf the kinds of changes, from metrics of an API server.
func writesOf(metrics string, changes int) string {
	counts := map[string]int{}
	for line := range strings.Lines(metrics) {
		of, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
		if !ok || !strings.HasPrefix(of, "apiserver_request_total{") {
			continue
		}
		l := labels(of)
		if !slices.Contains([]string{"changes", "changequeues", "claimgrants", "plans", "productapplications"}, l["resource"]) ||
			!slices.Contains([]string{"POST", "PUT", "PATCH", "APPLY", "DELETE"}, l["verb"]) {
			continue
		}
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			counts[strings.TrimSuffix(l["resource"]+"/"+l["subresource"], "/")+" "+l["verb"]+" "+l["code"]] += int(n)
		}
	}
	var lines []string
	for k, n := range counts {
		lines = append(lines, fmt.Sprintf("  %6.2f  %s", per(n, changes), k))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(b, a) })
	return "writes of the hub per change\n" + strings.Join(lines, "\n")
}

func labels(metric string) map[string]string {
	out := map[string]string{}
	_, of, _ := strings.Cut(metric, "{")
	for l := range strings.SplitSeq(of, ",") {
		k, v, _ := strings.Cut(l, "=")
		out[k] = strings.Trim(v, `"`)
	}
	return out
}

func TestWritesOf(t *testing.T) {
	got := writesOf(`apiserver_request_total{code="200",component="apiserver",dry_run="",group="m.mainstay.dev",resource="changes",scope="resource",subresource="status",verb="PUT",version="v1alpha1"} 24
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="",verb="PUT",version="v1"} 24
`, 2)
	if want := "writes of the hub per change\n   12.00  changes/status PUT 200"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
