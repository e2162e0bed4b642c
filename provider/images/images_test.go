package images

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

const team = "team-a"

func sealed(t *testing.T, image string) *v1alpha1.Bundle {
	t.Helper()
	u := unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "web"},
		"spec": map[string]any{"containers": []any{map[string]any{"name": "web", "image": image}}},
	}}
	b, err := bundle.New("shop", bundle.Content{Components: []bundle.Component{{Name: "web", Objects: []unstructured.Unstructured{u}}}})
	if err != nil {
		t.Fatal(err)
	}
	b[0].SetNamespace(team)
	b[0].SetUID("bundle")
	return b[0]
}

func cluster(name, registry string) *v1alpha1.Cluster {
	c := &v1alpha1.Cluster{}
	c.SetUID("cluster")
	c.SetName(name)
	c.SetGeneration(1)
	if registry != "" {
		c.Spec.ForProvider.Facts = map[string]string{"registry": registry}
	}
	return c
}

func TestNames(t *testing.T) {
	s := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason  string
		image   string
		cluster *v1alpha1.Cluster
		want    *rollout.ImageNames
	}{
		"Constant": {reason: "Without expressions the cluster does not matter.", image: "web:1", cluster: cluster("eu-1", ""), want: &rollout.ImageNames{Names: []string{"web:1"}}},
		"Bound":    {reason: "Facts are bound.", image: "${cluster.registry}/web:1", cluster: cluster("eu-1", "eu.example"), want: &rollout.ImageNames{Names: []string{"eu.example/web:1"}}},
		"Unbound":  {reason: "What lacks a fact is not known.", image: "${cluster.registry}/web:1", cluster: cluster("eu-1", "")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := sealed(t, tc.image)
			i := New(fake.NewClientBuilder().WithScheme(s).WithObjects(b).Build(), nil)
			names, err := i.Names(t.Context(), team, b.GetName())
			if err != nil {
				t.Fatal(err)
			}
			first := names(tc.cluster, team)
			if diff := cmp.Diff(tc.want, first); diff != "" {
				t.Errorf("\n%s\nNames(...): -want, +got:\n%s", tc.reason, diff)
			}
			if names, err = i.Names(t.Context(), team, b.GetName()); err != nil || names(tc.cluster, team) != first {
				t.Errorf("\n%s\nNames(...): what was worked out is kept: %v", tc.reason, err)
			}
		})
	}

	i := New(fake.NewClientBuilder().WithScheme(s).Build(), nil)
	if _, err := i.Names(t.Context(), team, "shop.1"); err == nil {
		t.Error("Names(...) of no Bundle: want an error")
	}
	want := map[string]rollout.Resolution{"web:1": {Message: "this provider asks no registries: start it with --registry-checks"}}
	if diff := cmp.Diff(want, i.Resolve(t.Context(), []string{"web:1"})); diff != "" || i.Asks() {
		t.Errorf("Resolve(...) without registries: -want, +got:\n%s", diff)
	}
}
