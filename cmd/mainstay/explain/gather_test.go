package explain

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/screen"
	"github.com/mainstay-dev/mainstay/internal/control/controltest"
	"github.com/mainstay-dev/mainstay/internal/explain"
)

var errBoom = errors.New("boom")

const crossplanes = `
apiVersion: mainstay.dev/v1alpha1
kind: ProductApplication
metadata: {name: shop, namespace: team-a}
spec: {resourceRef: {name: shop-7tq2x}}
status: {conditions: [{type: Synced, status: "True"}, {type: Reached, status: "False", reason: Progressing, message: updated on 2 of 3}]}
---
apiVersion: mainstay.dev/v1alpha1
kind: XProductApplication
metadata: {name: shop-7tq2x}
status: {conditions: [{type: Synced, status: "False", message: no function}]}
---
apiVersion: mainstay.dev/v1alpha1
kind: ClusterFleet
metadata: {name: prod, namespace: platform}
spec: {resourceRef: {name: prod-x2x4k}}
status: {conditions: [{type: Synced, status: "True"}, {type: Reached, status: "False", reason: Progressing, message: 2/3 clusters ready}]}
---
apiVersion: mainstay.dev/v1alpha1
kind: XClusterFleet
metadata: {name: prod-x2x4k}
---
apiVersion: mainstay.dev/v1alpha1
kind: ClusterFleet
metadata: {name: held, namespace: platform}
spec: {kubernetesVersion: v1.36.0, resourceRef: {name: prod-x2x4k}}
status: {conditions: [{type: Reached, status: "False", reason: Blocked, message: "held back: the claim was edited since change ops/claims-41: open a merge request"}]}
---
apiVersion: mainstay.dev/v1alpha1
kind: ClusterFleet
metadata: {name: made, namespace: platform}
spec: {kubernetesVersion: v1.36.0, resourceRef: {name: prod-x2x4k}}
status: {conditions: [{type: Reached, status: "False", reason: Blocked, message: "held back: no approved change carries this claim"}]}
---
apiVersion: m.mainstay.dev/v1alpha1
kind: ClaimGrant
metadata: {name: clusterfleet.held, namespace: platform}
spec: {change: ops/claims-41, digest: a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0, claim: {apiVersion: mainstay.dev/v1alpha1, kind: ClusterFleet, namespace: platform, name: held}}
---
apiVersion: mainstay.dev/v1alpha1
kind: FleetCell
metadata: {name: prod.cell-00, namespace: platform}
spec: {fleet: prod}
status: {conditions: [{type: Synced, status: "False", message: too many children}]}
---
apiVersion: mainstay.dev/v1alpha1
kind: FleetCell
metadata: {name: other.cell-00, namespace: platform}
spec: {fleet: other}
---
apiVersion: pkg.crossplane.io/v1
kind: Function
metadata: {name: broken}
status: {conditions: [{type: Installed, status: "True"}, {type: Healthy, status: "False", message: cannot pull}]}
---
apiVersion: pkg.crossplane.io/v1
kind: Provider
metadata: {name: fine}
status: {conditions: [{type: Installed, status: "True"}, {type: Healthy, status: "True"}]}
`

// hub with an application on three clusters, one of which fails.
func hub(t *testing.T, f interceptor.Funcs) client.Client {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	objects := []client.Object{controltest.Rollout(controltest.Halted)}
	for _, doc := range strings.Split(crossplanes, "---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(doc), &u.Object); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, u)
	}
	for _, gvk := range []schema.GroupVersionKind{
		claims.WithKind("ProductApplication"), claims.WithKind("XProductApplication"), claims.WithKind("ClusterFleet"), claims.WithKind("XClusterFleet"),
		claims.WithKind("FleetCell"), packages.WithKind("Function"), packages.WithKind("Provider"), packages.WithKind("Configuration"),
	} {
		s.AddKnownTypeWithName(gvk, &unstructured.Unstructured{})
		s.AddKnownTypeWithName(gvk.GroupVersion().WithKind(gvk.Kind+"List"), &unstructured.UnstructuredList{})
	}
	notAvailable := v1alpha1.ComponentHealth{Name: "web", Health: v1alpha1.Degraded, Message: "Deployment web: 0 of 3 replicas available"}
	for _, r := range []v1alpha1.Release{
		release("prod.eu-1", v1alpha1.Healthy, ""),
		release("prod.eu-2", v1alpha1.Degraded, "component web: Deployment web: 0 of 3 replicas available", notAvailable),
		release("prod.eu-3", v1alpha1.Unknown, `cluster "prod.eu-3" is unreachable: connection refused`),
	} {
		name := strings.TrimPrefix(r.Spec.ForProvider.ClusterRef.Name, "prod.")
		r.SetLabels(map[string]string{v1alpha1.LabelRollout: "shop", v1alpha1.LabelFleet: "prod", v1alpha1.LabelCluster: name})
		r.Spec.ForProvider.Namespace = "team-a"
		r.Status.AtProvider.Inventory = []v1alpha1.ObjectReference{
			{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "team-a", Name: "web", Component: "web"},
			{APIVersion: "v1", Kind: "Service", Namespace: "team-a", Name: "web", Component: "web"},
		}
		c := cluster("prod." + name)
		c.SetLabels(map[string]string{v1alpha1.LabelFleet: "prod"})
		c.Spec.ForProvider = v1alpha1.ClusterParameters{Fleet: "prod", Name: name, Tenants: []v1alpha1.Tenant{{Namespace: "team-a"}}}
		objects = append(objects, &r, &c)
	}
	return fake.NewClientBuilder().WithScheme(s).WithObjects(objects...).WithInterceptorFuncs(f).Build()
}

// farAway is a cluster where an image cannot be pulled.
func farAway() client.Client {
	pod := pulls("web-5d9f-aaaaa", "web")
	pod.SetNamespace("team-a")
	pod.Labels[v1alpha1.LabelApplication] = "shop"
	service := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "web", "namespace": "team-a"}}}
	return fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(&pod, service).Build()
}

func TestGather(t *testing.T) {
	forbidden := func(resource string) error {
		return kerrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errBoom)
	}
	look := func(context.Context, *v1alpha1.Cluster, string) (client.Reader, error) { return farAway(), nil }
	type want struct {
		causes, notes []string
		err           string
	}
	pull := `Component web: container web cannot get image registry.example/shop:2.0 (ImagePullBackOff): Back-off pulling image "registry.example/shop:2.0"`
	silent := "The cluster is unreachable: connection refused"
	function := "Function broken is not healthy: cannot pull"
	cases := map[string]struct {
		reason    string
		namespace string
		target    []string
		look      func(context.Context, *v1alpha1.Cluster, string) (client.Reader, error)
		hub       interceptor.Funcs
		want      want
	}{
		"Application": {
			reason: "From the claim to the pod, and the package that stands in the way.",
			target: []string{"app/shop"}, look: look,
			want: want{causes: []string{function, pull, silent}},
		},
		"KindAndName": {
			reason: "Kind and name may be two words, and a kind is told by its full name too.",
			target: []string{"Rollouts.m.mainstay.dev", "shop"}, look: look,
			want: want{causes: []string{pull, silent}},
		},
		"Release": {
			reason: "One Release.",
			target: []string{"release/shop.platform.prod.eu-2"}, look: look,
			want: want{causes: []string{pull}},
		},
		"Shallow": {
			reason: "Without a look at the cluster, the component is the last that is known.",
			target: []string{"release/shop.platform.prod.eu-2"},
			want:   want{causes: []string{"Component web: Deployment web: 0 of 3 replicas available"}},
		},
		"NoKubeconfig": {
			reason: "Who may not read kubeconfigs is told so, and gets the rest.",
			target: []string{"rollout/shop"},
			look: func(context.Context, *v1alpha1.Cluster, string) (client.Reader, error) {
				return nil, forbidden("secrets")
			},
			want: want{
				causes: []string{"Component web: Deployment web: 0 of 3 replicas available", silent},
				notes:  []string{"Pods on prod.eu-2 were not looked at: you may not read its kubeconfig, or the tenant may not read pods there."},
			},
		},
		"Tenant": {
			reason: "A tenant reads neither composites nor clusters, and its explanation is nearly the same.",
			target: []string{"app/shop"}, look: look,
			hub: interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
				if key.Namespace != "team-a" {
					return forbidden("any")
				}
				return c.Get(ctx, key, o, opts...)
			}},
			want: want{
				causes: []string{"Component web: Deployment web: 0 of 3 replicas available", silent},
				notes: []string{
					"Composites were not looked at: you may not read them.",
					"Clusters were not looked at: you may not read them in namespace platform.",
				},
			},
		},
		"Fleet": {
			reason: "A cell of another fleet is not looked at.", namespace: "platform",
			target: []string{"fleet/prod"},
			want:   want{causes: []string{"Crossplane cannot compose FleetCell prod.cell-00: too many children"}},
		},
		"FleetHeld": {
			reason: "A fleet that was edited by hand is said to be, with the change that would have to be.", namespace: "platform",
			target: []string{"fleet/held"},
			want:   want{causes: []string{"Edited by hand: no approved change carries what ClusterFleet held says now (digest f4d63c0227bb). Change ops/claims-41 carries a0a0a0a0a0a0."}},
		},
		"FleetMade": {
			reason: "So is one that was made by hand.", namespace: "platform",
			target: []string{"fleet/made"},
			want:   want{causes: []string{"No approved change carries ClusterFleet made (digest b8bdb3e2a38b)."}},
		},
		"Cluster": {
			reason: "A cluster, and what its tenants have there.", namespace: "platform",
			target: []string{"cluster/prod.eu-2"}, look: look,
			want: want{causes: []string{pull}},
		},
		"Absent": {
			reason: "What does not exist is said not to.",
			target: []string{"app/nothing"},
			want:   want{causes: []string{"There is no ProductApplication nothing in namespace team-a."}},
		},
		"NoRight": {
			reason: "Without the right to read the claim there is nothing to explain.",
			target: []string{"app/shop"},
			hub: interceptor.Funcs{Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return errBoom
			}},
			want: want{err: `cannot get ProductApplication "shop": boom`},
		},
		"Nonsense": {
			reason: "What can be explained is listed.",
			target: []string{"pod/web"},
			want:   want{err: `"pod/web" is nothing that can be explained: say app/<name>, fleet/<name>, rollout/<name>, release/<name> or cluster/<name>`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.namespace == "" {
				tc.namespace = "team-a"
			}
			got := want{}
			kind, thing, err := Parse(tc.target)
			in := explain.Input{}
			if err == nil {
				g := &Gatherer{Hub: hub(t, tc.hub), Namespace: tc.namespace, Now: controltest.Now, Look: tc.look}
				in, err = g.Gather(t.Context(), kind, thing)
			}
			if err != nil {
				got.err = err.Error()
			} else {
				e := explain.Explain(in)
				for _, c := range e.Causes {
					got.causes = append(got.causes, c.Message)
				}
				got.notes = e.Notes
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestSafe(t *testing.T) {
	in := stories()["halted"]
	in.Releases[17].Status.AtProvider.Message = "\x1b[2J\x1b]0;owned\x07"
	in.Rollout.Status.AtProvider.Message = "\x1b[31mred"
	text := screen.Screen{}.Render(Lines(explain.Explain(in)), false)
	if strings.ContainsAny(text, "\x1b\x07") {
		t.Errorf("What a cluster says does not steer a terminal: got %q", text)
	}
}
