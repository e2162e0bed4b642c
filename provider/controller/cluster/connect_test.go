package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/controller/providerconfig"
)

func TestConnectWithoutConfiguration(t *testing.T) {
	now := metav1.Now()
	// In the foreground, so that no use is tracked.
	deleted := metav1.ObjectMeta{Namespace: "platform", Name: "a.b", DeletionTimestamp: &now, Finalizers: []string{metav1.FinalizerDeleteDependents}}
	ref := &xpv2.ProviderConfigReference{Kind: "ClusterProviderConfig", Name: "nosuch"}

	cases := map[string]struct {
		reason  string
		cluster v1alpha1.Cluster
		fails   bool
	}{
		"NeverMade": {
			reason:  "What no backend was ever asked for can go, without the configuration that it never had.",
			cluster: v1alpha1.Cluster{ObjectMeta: deleted},
		},
		"Made": {
			reason: "What may be there is not forgotten: its configuration has to come back.",
			cluster: v1alpha1.Cluster{ObjectMeta: deleted, Status: v1alpha1.ClusterStatus{
				ConditionedStatus: xpv2.ConditionedStatus{Conditions: []xpv2.Condition{xpv2.Creating()}},
			}},
			fails: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := runtime.NewScheme()
			if err := v1alpha1.AddToScheme(s); err != nil {
				t.Fatal(err)
			}
			hub := fake.NewClientBuilder().WithScheme(s).Build()
			tc.cluster.Spec.ProviderConfigReference = ref
			c := &connector{hub: hub, resolver: &providerconfig.Resolver{Hub: hub}}
			e, err := c.Connect(t.Context(), &tc.cluster)
			if diff := cmp.Diff(tc.fails, err != nil); diff != "" {
				t.Fatalf("\n%s\n%v", tc.reason, err)
			}
			if err != nil {
				return
			}
			got, err := e.Observe(t.Context(), &tc.cluster)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(managed.ExternalObservation{}, got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
