package release

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/health"
)

const (
	// maxPods of a workload are asked why it does not get there.
	maxPods = 20
	// askAfter is how long a workload is given before they are asked. Hardly anything
	// crashes sooner, and most have got there by then.
	askAfter = time.Second
)

// consult the pods of workloads that have been on their way for a moment. A tenant may not be allowed to see
// pods, and a cluster may be too busy: then the workload alone has to say.
func (a *applier) consult(ctx context.Context, mg *v1alpha1.Release) {
	a.pods = map[objectKey][]unstructured.Unstructured{}
	if a.clock.Since(a.pending.begun(mg)) < askAfter && mg.GetCondition(xpv2.TypeReady).Status == corev1.ConditionTrue {
		return
	}
	for key, live := range a.live {
		if live == nil || health.Of(live).Health != v1alpha1.Progressing {
			continue
		}
		labels, ok := health.PodSelector(live)
		if !ok {
			continue
		}
		l := &unstructured.UnstructuredList{}
		l.SetAPIVersion("v1")
		l.SetKind("PodList")
		if err := a.remote.tenant.Client().List(ctx, l, client.InNamespace(live.GetNamespace()), client.MatchingLabels(labels), client.Limit(maxPods)); err == nil {
			a.pods[key] = l.Items
		}
	}
}

// health of a live object.
func (a *applier) health(key objectKey, live *unstructured.Unstructured) health.Result {
	return health.WithPods(health.Of(live), live, a.pods[key])
}
