package release

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/health"
)

// maxPods of a workload are asked why it does not get there.
const maxPods = 20

// consult the pods of workloads that are on their way. A tenant may not be allowed to see
// pods, and a cluster may be too busy: then the workload alone has to say.
func (a *applier) consult(ctx context.Context) {
	a.pods = map[objectKey][]unstructured.Unstructured{}
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
