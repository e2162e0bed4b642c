package rollout

import (
	"fmt"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// BenchmarkNext decides for a thousand clusters, half of which have been moved.
func BenchmarkNext(b *testing.B) {
	w := newWorld(v1alpha1.RolloutStrategy{MaxConcurrent: number(500), Waves: []v1alpha1.Wave{
		{Name: "canary", Canary: ptr.To(int32(1))}, {Name: "some", Size: percent("30%")}, {Name: "rest"},
	}})
	for i := range 1000 {
		w.join(fmt.Sprintf("%s-%03d", []string{"eu", "us", "ap"}[i%3], i))
	}
	for range 5 {
		_, d := w.next()
		w.obey(d)
		w.turnAll()
	}
	o := w.observe(nil)
	b.ReportAllocs()
	for b.Loop() {
		Next(w.spec, o, w.now)
	}
}
