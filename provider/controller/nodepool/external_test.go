package nodepool

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	ctrlevent "sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend"
	"github.com/mainstay-dev/mainstay/provider/controller/providerconfig"
)

var errBoom = errors.New("boom")

func TestObserve(t *testing.T) {
	type want struct {
		exists, upToDate bool
		nodes            v1alpha1.NodeCount
		ready            xpv2.ConditionReason
		message          string
		err              string
	}
	cases := map[string]struct {
		reason  string
		pool    *v1alpha1.NodePool
		cluster *v1alpha1.Cluster
		state   backend.NodePoolState
		fails   error
		want    want
	}{
		"NoCluster": {
			reason: "Nodes wait for a cluster that is not there yet.",
			pool:   pool("general", 2),
			want:   want{exists: true, upToDate: true, ready: xpv2.ReasonCreating, message: "waits for cluster analytics.eu-1"},
		},
		"ClusterNotReady": {
			reason:  "Nodes wait for a cluster that is not ready, also where they were there before.",
			pool:    pool("general", 2, func(p *v1alpha1.NodePool) { p.SetConditions(xpv2.Available()) }),
			cluster: cluster(),
			want:    want{exists: true, upToDate: true, ready: xpv2.ReasonUnavailable, message: "waits for cluster analytics.eu-1"},
		},
		"Nothing": {
			reason:  "A pool that has no nodes yet is made by Update.",
			pool:    pool("general", 2),
			cluster: cluster(isReady),
			want:    want{exists: true, ready: xpv2.ReasonCreating, message: "waits for nodes to be made as asked"},
		},
		"CreateOnly": {
			reason: "A pool that may be created but not updated takes the create path.",
			pool: pool("general", 2, func(p *v1alpha1.NodePool) {
				p.SetManagementPolicies(xpv2.ManagementPolicies{xpv2.ManagementActionObserve, xpv2.ManagementActionCreate})
			}),
			cluster: cluster(isReady),
			want:    want{ready: xpv2.ReasonCreating, message: "waits for nodes to be made as asked"},
		},
		"SomeReady": {
			reason:  "A pool is not ready before all its nodes are.",
			pool:    pool("general", 2),
			cluster: cluster(isReady),
			state:   backend.NodePoolState{Exists: true, UpToDate: true, Nodes: v1alpha1.NodeCount{Total: 2, Ready: 1}},
			want: want{
				exists: true, upToDate: true, nodes: v1alpha1.NodeCount{Total: 2, Ready: 1},
				ready: xpv2.ReasonCreating, message: "waits for nodes: 1 of 2 are ready",
			},
		},
		"Ready": {
			reason:  "A pool whose nodes are all ready is.",
			pool:    pool("general", 2),
			cluster: cluster(isReady),
			state:   backend.NodePoolState{Exists: true, UpToDate: true, Nodes: v1alpha1.NodeCount{Total: 2, Ready: 2}},
			want:    want{exists: true, upToDate: true, nodes: v1alpha1.NodeCount{Total: 2, Ready: 2}, ready: xpv2.ReasonAvailable},
		},
		"NoNodes": {
			reason:  "A pool of no nodes is ready.",
			pool:    pool("general", 0),
			cluster: cluster(isReady),
			state:   backend.NodePoolState{UpToDate: true},
			want:    want{exists: true, upToDate: true, ready: xpv2.ReasonAvailable},
		},
		"UnknownClass": {
			reason:  "A class that nobody knows is refused, with those that are known.",
			pool:    pool("huge", 2),
			cluster: cluster(isReady),
			want:    want{err: `spec.nodePools[].class: there is no node class "huge": use one of compute, general, gpu, memory, tiny, or add it to spec.nodeClasses of the provider configuration`},
		},
		"NoBackend": {
			reason:  "Where the cluster's configuration is missing nothing can be said.",
			pool:    pool("general", 2),
			cluster: cluster(isReady, func(c *v1alpha1.Cluster) { c.Spec.ProviderConfigReference.Name = "other" }),
			want:    want{err: `ClusterProviderConfig "other" does not exist: create it, or name another in spec.providerConfigRef`},
		},
		"Invalid": {
			reason:  "What cannot be had is said in the backend's own words.",
			pool:    pool("general", 2),
			cluster: cluster(isReady),
			fails:   &backend.InvalidError{Message: "an adopted cluster has the nodes it has"},
			want:    want{err: "an adopted cluster has the nodes it has"},
		},
		"Fails": {
			reason:  "What fails says what failed.",
			pool:    pool("general", 2),
			cluster: cluster(isReady),
			fails:   errBoom,
			want:    want{err: "cannot observe nodes: boom"},
		},
		"DeletedWithNodes": {
			reason:  "A pool with nodes is there until they have gone, whether its class is known or not.",
			pool:    pool("huge", 2, deleted[*v1alpha1.NodePool]),
			cluster: cluster(isReady),
			state:   backend.NodePoolState{Exists: true},
			want:    want{exists: true, upToDate: true},
		},
		"DeletedWithCluster": {
			reason:  "Nodes of a cluster that goes go with it.",
			pool:    pool("general", 2, deleted[*v1alpha1.NodePool]),
			cluster: cluster(deleted[*v1alpha1.Cluster], func(c *v1alpha1.Cluster) { c.SetFinalizers([]string{"f"}) }),
		},
		"DeletedAfterCluster": {
			reason: "Nodes of a cluster that is gone are gone.",
			pool:   pool("general", 2, deleted[*v1alpha1.NodePool]),
		},
		"DeletedWhileUnreachable": {
			reason:  "Nodes of a cluster that will be back are not forgotten there.",
			pool:    pool("general", 2, deleted[*v1alpha1.NodePool]),
			cluster: cluster(),
			want:    want{err: `cannot remove nodes: cluster "analytics.eu-1" is not ready; they go once it is, or once it is deleted`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := &pools{state: tc.state, fails: tc.fails}
			got := want{}
			err := func() error {
				e, err := connect(t, b, tc.cluster).Connect(context.Background(), tc.pool)
				if err != nil {
					return err
				}
				o, err := e.Observe(context.Background(), tc.pool)
				if err != nil {
					return err
				}
				c := tc.pool.GetCondition(xpv2.TypeReady)
				got = want{exists: o.ResourceExists, upToDate: o.ResourceUpToDate, nodes: tc.pool.Status.AtProvider.Nodes, ready: c.Reason, message: c.Message}
				return nil
			}()
			if err != nil {
				got.err = err.Error()
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\nObserve(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAct(t *testing.T) {
	type act func(ctx context.Context, c *connector, p *v1alpha1.NodePool) error
	update := func(ctx context.Context, c *connector, p *v1alpha1.NodePool) error {
		e, err := c.Connect(ctx, p)
		if err != nil {
			return err
		}
		_, err = e.Update(ctx, p)
		return err
	}
	remove := func(ctx context.Context, c *connector, p *v1alpha1.NodePool) error {
		e, err := c.Connect(ctx, p)
		if err != nil {
			return err
		}
		_, err = e.Delete(ctx, p)
		return err
	}
	asked := backend.NodePool{
		Cluster: backend.Cluster{Namespace: "ops", Name: "analytics.eu-1"},
		Name:    "workers", Class: "tiny", Size: 2,
		Labels: map[string]string{"disk": "ssd"},
		Taints: []corev1.Taint{{Key: "dedicated", Value: "flink", Effect: corev1.TaintEffectNoSchedule}},
	}
	full := func(p *v1alpha1.NodePool) {
		p.Spec.ForProvider.Labels = map[string]v1alpha1.LabelValue{"disk": "ssd"}
		p.Spec.ForProvider.Taints = []v1alpha1.Taint{{Key: "dedicated", Value: "flink", Effect: corev1.TaintEffectNoSchedule}}
	}
	cases := map[string]struct {
		reason string
		act    act
		pool   *v1alpha1.NodePool
		ready  bool
		want   []backend.NodePool
	}{
		"Make":     {reason: "The backend is asked for what the pool asks for.", act: update, pool: pool("tiny", 2, full), ready: true, want: []backend.NodePool{asked}},
		"Remove":   {reason: "And to remove it.", act: remove, pool: pool("tiny", 2, full), ready: true, want: []backend.NodePool{asked}},
		"NotReady": {reason: "Nothing is asked of a cluster that is not ready.", act: update, pool: pool("tiny", 2)},
		"NotThere": {reason: "Nor is anything removed from it.", act: remove, pool: pool("tiny", 2)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b, cr := &pools{}, cluster()
			if tc.ready {
				isReady(cr)
			}
			if err := tc.act(context.Background(), connect(t, b, cr), tc.pool); err != nil {
				t.Fatal(err)
			}
			for i := range b.asked {
				b.asked[i].Capacity = nil // It has tests of its own.
			}
			if diff := cmp.Diff(tc.want, b.asked); diff != "" {
				t.Errorf("\n%s\nasked: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestClusterChanged(t *testing.T) {
	cases := map[string]struct {
		reason        string
		before, after client.Object
		want          bool
	}{
		"Ready":   {reason: "Nodes can join now.", before: cluster(), after: cluster(isReady), want: true},
		"Deleted": {reason: "Nodes go with it.", before: cluster(), after: cluster(deleted[*v1alpha1.Cluster]), want: true},
		"Counted": {
			reason: "How much runs there makes no difference.",
			before: cluster(isReady), after: cluster(isReady, func(c *v1alpha1.Cluster) { c.Status.AtProvider.Releases = 7 }),
		},
		"OtherKind": {reason: "Others are none of ours.", before: &corev1.Pod{}, after: &corev1.Pod{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := clusterChanged().Update(ctrlevent.UpdateEvent{ObjectOld: tc.before, ObjectNew: tc.after})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nUpdate(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestMisleading(t *testing.T) {
	cases := map[string]struct {
		reason string
		o      runtime.Object
		want   bool
	}{
		"OnItsWay":  {reason: "Looking at it is no news.", o: pool("tiny", 1), want: true},
		"Changed":   {reason: "Nodes of a ready pool were changed.", o: pool("tiny", 1, func(p *v1alpha1.NodePool) { p.SetConditions(xpv2.Available()) })},
		"OtherKind": {reason: "Others are none of ours.", o: &corev1.Pod{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, misleading(tc.o, event.Event{Reason: "UpdatedExternalResource"})); diff != "" {
				t.Errorf("\n%s\nmisleading(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// pools is a backend whose pools are in one state.
type pools struct {
	backend.Clusters

	state backend.NodePoolState
	fails error
	asked []backend.NodePool
}

func (b *pools) ObserveNodePool(context.Context, backend.NodePool) (backend.NodePoolState, error) {
	return b.state, b.fails
}

func (b *pools) EnsureNodePool(_ context.Context, p backend.NodePool) error {
	b.asked = append(b.asked, p)
	return b.fails
}

func (b *pools) DeleteNodePool(_ context.Context, p backend.NodePool) error {
	b.asked = append(b.asked, p)
	return b.fails
}

func connect(t *testing.T, b backend.Backend, cr *v1alpha1.Cluster) *connector {
	t.Helper()
	s := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	pc := &v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	pc.Spec.Backend = v1alpha1.BackendLocal
	pc.Spec.NodeClasses = []v1alpha1.NodeClass{{Name: "tiny"}}
	c := fake.NewClientBuilder().WithScheme(s).WithObjects(pc)
	if cr != nil {
		c = c.WithObjects(cr)
	}
	hub := c.Build()
	return &connector{hub: hub, resolver: &providerconfig.Resolver{Hub: hub, Backends: providerconfig.Backends{v1alpha1.BackendLocal: b}}}
}

func pool(class string, size int32, change ...func(*v1alpha1.NodePool)) *v1alpha1.NodePool {
	p := &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: "analytics.eu-1.workers"}}
	p.Spec.ForProvider = v1alpha1.NodePoolParameters{Cluster: "analytics.eu-1", Name: "workers", Class: class, Size: size}
	for _, fn := range change {
		fn(p)
	}
	return p
}

func cluster(change ...func(*v1alpha1.Cluster)) *v1alpha1.Cluster {
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: "analytics.eu-1"}}
	c.Spec.ProviderConfigReference = &xpv2.ProviderConfigReference{Kind: "ClusterProviderConfig", Name: "default"}
	for _, fn := range change {
		fn(c)
	}
	return c
}

func isReady(c *v1alpha1.Cluster) { c.SetConditions(xpv2.Available()) }

func deleted[T client.Object](o T) {
	now := metav1.Now()
	o.SetDeletionTimestamp(&now)
}
