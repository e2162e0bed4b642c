package simulator_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/provider/backend/simulated/simulator"
)

func start(t testing.TB, cfg simulator.Config) (*simulator.Simulator, *simulator.Client) {
	t.Helper()
	s, err := simulator.Start(cfg)
	if err != nil {
		t.Fatalf("Start(...): %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	c, err := simulator.NewClient(s.Access())
	if err != nil {
		t.Fatalf("NewClient(...): %v", err)
	}
	return s, c
}

func ensure(t testing.TB, c *simulator.Client, name string) client.Client {
	t.Helper()
	if err := c.Ensure(t.Context(), "team", name, ""); err != nil {
		t.Fatalf("Ensure(...): %v", err)
	}
	cl, err := c.Get(t.Context(), "team", name)
	if err != nil || cl == nil {
		t.Fatalf("Get(...): %v, %v", cl, err)
	}
	out, err := client.New(c.Config(cl), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFaults(t *testing.T) {
	_, c := start(t, simulator.Config{})
	one, other := ensure(t, c, "one"), ensure(t, c, "other")
	list := func(cl client.Client) error {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		return cl.List(ctx, &corev1.ConfigMapList{})
	}
	if err := list(one); err != nil { // What kinds there are is asked once, without a limit.
		t.Fatal(err)
	}
	cases := map[string]struct {
		faults simulator.Faults
		is     func(error) bool
	}{
		"None":   {simulator.Faults{}, func(err error) bool { return err == nil }},
		"Errors": {simulator.Faults{ErrorRate: 1}, kerrors.IsInternalError},
		"Throttles": {simulator.Faults{ThrottleRate: 1}, func(err error) bool {
			return kerrors.IsTooManyRequests(err) || errors.Is(err, context.DeadlineExceeded)
		}},
		"BlackHole": {simulator.Faults{BlackHole: true}, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		"Slow":      {simulator.Faults{Latency: time.Minute}, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		"Refuses":   {simulator.Faults{Refuse: true}, func(err error) bool { return err != nil && !errors.Is(err, context.DeadlineExceeded) }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := c.SetFaults(t.Context(), "team", "one", tc.faults); err != nil {
				t.Fatal(err)
			}
			if err := list(one); !tc.is(err) {
				t.Errorf("List on a cluster with %+v: got %v", tc.faults, err)
			}
			if err := list(other); err != nil {
				t.Errorf("List on the other cluster: got %v", err)
			}
		})
	}
}

// TestKilled: a simulator that was killed has its clusters and their tokens again, and
// what was saved.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	s, err := simulator.Start(simulator.Config{State: dir})
	if err != nil {
		t.Fatal(err)
	}
	c, err := simulator.NewClient(s.Access())
	if err != nil {
		t.Fatal(err)
	}
	cl := ensure(t, c, "one")
	if err := cl.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kept"}}); err != nil {
		t.Fatal(err)
	}
	was, _ := c.Get(t.Context(), "team", "one")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, c = start(t, simulator.Config{State: dir})
	is, err := c.Get(t.Context(), "team", "one")
	if err != nil || is == nil || *is != *was {
		t.Fatalf("Cluster after a restart: %v, was %+v, is %+v", err, was, is)
	}
	if err := ensure(t, c, "one").Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "kept"}, &corev1.ConfigMap{}); err != nil {
		t.Errorf("Object after a restart: %v", err)
	}
}

// TestAudit: who asks what was done, and how often, is told of changes by clients alone.
func TestAudit(t *testing.T) {
	_, c := start(t, simulator.Config{Audit: true})
	cl := ensure(t, c, "one")
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kept"}, Data: map[string]string{"a": "1"}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(cl.Create(t.Context(), cm))
	must(cl.Update(t.Context(), cm))
	cm.Annotations = map[string]string{"note": "x"}
	must(cl.Update(t.Context(), cm))
	cm.Data["a"] = "2"
	must(cl.Update(t.Context(), cm))
	must(cl.Delete(t.Context(), cm))

	audit, err := c.Audit(t.Context(), "team", "one")
	must(err)
	var got []string
	content := ""
	for _, e := range audit {
		same := ""
		if e.Content == content {
			same = " same"
		}
		content = e.Content
		got = append(got, fmt.Sprintf("%s %s %s/%s%s %s", e.Verb, e.Kind, e.Namespace, e.Name, same, e.Annotations["note"]))
	}
	want := []string{
		"Created ConfigMap default/kept ",
		"Changed ConfigMap default/kept same x",
		"Changed ConfigMap default/kept x",
		"Deleted ConfigMap default/kept same x",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Audit(...): -want, +got:\n%s", diff)
	}
}

func TestAddress(t *testing.T) {
	if s, err := simulator.Start(simulator.Config{Address: "0.0.0.0:0"}); err == nil {
		_ = s.Close()
		t.Errorf("Start(...) on an address that others reach: want an error")
	}
}

// TestManyClusters holds what an empty cluster takes to half a megabyte.
func TestManyClusters(t *testing.T) {
	_, c := start(t, simulator.Config{})
	ensure(t, c, "first")
	before := heap()
	const n = 1000
	for i := range n {
		if err := c.Ensure(t.Context(), "team", "c"+strconv.Itoa(i), ""); err != nil {
			t.Fatal(err)
		}
	}
	each := (heap() - before) / n
	t.Logf("an empty cluster takes %d KiB", each>>10)
	if each > 512<<10 {
		t.Errorf("An empty cluster takes %d KiB, want at most 512", each>>10)
	}
}

// BenchmarkApply is a server-side apply of a Deployment that changes its image.
func BenchmarkApply(b *testing.B) {
	_, c := start(b, simulator.Config{})
	if err := c.Ensure(b.Context(), "team", "one", ""); err != nil {
		b.Fatal(err)
	}
	cl, _ := c.Get(b.Context(), "team", "one")
	k, err := kubernetes.NewForConfig(c.Config(cl))
	if err != nil {
		b.Fatal(err)
	}
	i := 0
	for b.Loop() {
		i++
		body := fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"default"},"spec":{"selector":{"matchLabels":{"a":"b"}},
			"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"main","image":"web:%d","ports":[{"containerPort":80}],"env":[{"name":"A","value":"a"}]}]}}}}`, i)
		if _, err := k.AppsV1().Deployments("default").Patch(b.Context(), "web", "application/apply-patch+yaml", []byte(body), metav1.PatchOptions{FieldManager: "bench"}); err != nil {
			b.Fatal(err)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	m := runtime.MemStats{}
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
