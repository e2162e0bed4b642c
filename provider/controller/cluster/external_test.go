package cluster

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	xpresource "github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend"
	"github.com/mainstay-dev/mainstay/provider/target"
)

var errBoom = errors.New("boom")

func TestObserve(t *testing.T) {
	ready := backend.ClusterState{Exists: true, UpToDate: true, Ready: true, Version: "v1.35.3", Endpoint: "https://127.0.0.1:6443", Kubeconfig: []byte("secret")}

	type want struct {
		exists, upToDate, secret bool
		status                   v1alpha1.ClusterObservation
		ready                    xpv2.ConditionReason
		message                  string
		published                bool
		err                      bool
	}
	cases := map[string]struct {
		reason   string
		cluster  *v1alpha1.Cluster
		state    backend.ClusterState
		err      error
		releases []client.Object
		there    []client.Object // On the cluster.
		fails    error           // All calls to the cluster.
		slow     bool            // Rights have no effect yet.
		want     want
	}{
		"Nothing": {
			reason:  "A cluster that is not there yet is made by Update, which costs no protocol.",
			cluster: wanted(),
			want:    want{exists: true, ready: xpv2.ReasonCreating, message: "waits for the API server", status: v1alpha1.ClusterObservation{Message: "waits for the API server"}},
		},
		"CreateOnly": {
			reason: "A cluster that may be created but not updated takes the create path.",
			cluster: wanted(func(c *v1alpha1.Cluster) {
				c.SetManagementPolicies(xpv2.ManagementPolicies{xpv2.ManagementActionObserve, xpv2.ManagementActionCreate})
			}),
			want: want{ready: xpv2.ReasonCreating, message: "waits for the API server", status: v1alpha1.ClusterObservation{Message: "waits for the API server"}},
		},
		"Starting": {
			reason:  "A cluster that comes up says what it waits for, and publishes what is known.",
			cluster: wanted(),
			state:   backend.ClusterState{Exists: true, UpToDate: true, Kubeconfig: []byte("secret"), Message: "waiting for etcd"},
			want: want{
				exists: true, upToDate: true, secret: true, ready: xpv2.ReasonCreating, message: "waiting for etcd",
				status: v1alpha1.ClusterObservation{Message: "waiting for etcd"},
			},
		},
		"JustAskedFor": {
			reason:  "A new cluster does not write down each step.",
			cluster: wanted(func(c *v1alpha1.Cluster) { c.SetCreationTimestamp(metav1.NewTime(time.Unix(3590, 0))) }),
			state:   backend.ClusterState{Exists: true, UpToDate: true, Endpoint: "https://127.0.0.1:6443", Message: "waiting for etcd"},
			want: want{
				exists: true, upToDate: true, ready: xpv2.ReasonCreating, message: "waits for the API server",
				status: v1alpha1.ClusterObservation{Message: "waits for the API server"},
			},
		},
		"Died": {
			reason: "A cluster that was ready and is not any more says so, and keeps what is known of it.",
			cluster: wanted(func(c *v1alpha1.Cluster) {
				c.SetConditions(xpv2.Available())
				c.Status.AtProvider = v1alpha1.ClusterObservation{Version: "v1.35.3", Nodes: v1alpha1.NodeCount{Total: 3, Ready: 3}}
			}),
			state: backend.ClusterState{Exists: true, Message: "the API server does not answer"},
			want: want{
				exists: true, ready: xpv2.ReasonUnavailable, message: "the API server does not answer",
				status: v1alpha1.ClusterObservation{Version: "v1.35.3", Nodes: v1alpha1.NodeCount{Total: 3, Ready: 3}, Message: "the API server does not answer"},
			},
		},
		"TenantsMissing": {
			reason:  "A cluster that its tenants cannot use is not ready.",
			cluster: wanted(tenant("shop")),
			state:   ready,
			there:   []client.Object{node("n1", true), node("n2", false)},
			want: want{
				exists: true, secret: true, ready: xpv2.ReasonCreating, message: "waits for its tenants to be set up",
				status: v1alpha1.ClusterObservation{
					Version: "v1.35.3", Endpoint: "https://127.0.0.1:6443", Nodes: v1alpha1.NodeCount{Total: 2, Ready: 1}, Message: "waits for its tenants to be set up",
				},
			},
		},
		"Ready": {
			reason:   "A cluster is ready once its tenants can use it. Releases are counted, applications named once.",
			cluster:  wanted(tenant("shop")),
			state:    ready,
			there:    []client.Object{namespace("shop"), binding("shop")},
			releases: []client.Object{release("shop", "storefront", "a"), release("shop", "storefront", "b"), release("shop", "api", "c")},
			want: want{
				exists: true, upToDate: true, secret: true, ready: xpv2.ReasonAvailable,
				status: v1alpha1.ClusterObservation{
					Version: "v1.35.3", Endpoint: "https://127.0.0.1:6443", Tenants: []string{"shop"},
					Releases: 3, Applications: []string{"shop/api", "shop/storefront"},
				},
			},
		},
		"RightsMissing": {
			reason:  "A cluster is not ready before the rights of its tenants have effect.",
			cluster: wanted(tenant("shop")),
			state:   ready,
			there:   []client.Object{namespace("shop"), binding("shop")},
			slow:    true,
			want: want{
				exists: true, upToDate: true, secret: true, ready: xpv2.ReasonCreating, message: "waits for the rights of its tenants to have effect",
				status: v1alpha1.ClusterObservation{Version: "v1.35.3", Endpoint: "https://127.0.0.1:6443", Message: "waits for the rights of its tenants to have effect"},
			},
		},
		"Drifted": {
			reason:  "A cluster that is in use stays ready while what somebody changed is put right.",
			cluster: wanted(tenant("shop"), func(c *v1alpha1.Cluster) { c.SetConditions(xpv2.Available()) }),
			state:   ready,
			there:   []client.Object{namespace("shop")},
			want: want{
				exists: true, secret: true, ready: xpv2.ReasonAvailable,
				status: v1alpha1.ClusterObservation{Version: "v1.35.3", Endpoint: "https://127.0.0.1:6443"},
			},
		},
		"Unreachable": {
			reason:  "A cluster that stops answering between two calls is not ready, which is a state and no error.",
			cluster: wanted(tenant("shop")),
			state:   ready,
			fails:   &target.UnreachableError{Cluster: types.NamespacedName{Name: "eu-1"}, Err: errBoom},
			want: want{
				exists: true, upToDate: true, secret: true, ready: xpv2.ReasonCreating, message: `cluster "eu-1" is unreachable: boom`,
				status: v1alpha1.ClusterObservation{Version: "v1.35.3", Endpoint: "https://127.0.0.1:6443", Message: `cluster "eu-1" is unreachable: boom`},
			},
		},
		"Unauthorized": {
			reason:  "So is one that does not let us in.",
			cluster: wanted(tenant("shop")),
			state:   ready,
			fails:   kerrors.NewUnauthorized("who?"),
			want: want{
				exists: true, upToDate: true, secret: true, ready: xpv2.ReasonCreating, message: "the API server refuses the kubeconfig's credentials",
				status: v1alpha1.ClusterObservation{Version: "v1.35.3", Endpoint: "https://127.0.0.1:6443", Message: "the API server refuses the kubeconfig's credentials"},
			},
		},
		"Forbidden": {
			reason:  "A kubeconfig without administrator's rights needs somebody's help.",
			cluster: wanted(tenant("shop")),
			state:   ready,
			fails:   kerrors.NewForbidden(schema.GroupResource{Resource: "nodes"}, "", errBoom),
			want:    want{err: true},
		},
		"CannotObserve": {
			reason:  "What the backend cannot say is an error.",
			cluster: wanted(),
			err:     errBoom,
			want:    want{err: true},
		},
		"Draining": {
			reason:   "A cluster with Releases goes on existing while it is deleted, and so does its Secret.",
			cluster:  wanted(deleted),
			state:    ready,
			releases: []client.Object{release("shop", "storefront", "a"), release("shop", "api", "b")},
			want: want{
				exists: true, upToDate: true, published: true,
				status: v1alpha1.ClusterObservation{Message: "waits for 2 Releases to leave: shop/api, shop/storefront", Releases: 2, Applications: []string{"shop/api", "shop/storefront"}},
			},
		},
		"DrainingInForeground": {
			reason:   "What the garbage collector is removing is not written again before it is done.",
			cluster:  wanted(deleted, func(c *v1alpha1.Cluster) { c.SetFinalizers([]string{metav1.FinalizerDeleteDependents}) }),
			state:    ready,
			releases: []client.Object{release("shop", "storefront", "a")},
			want: want{
				exists: true, upToDate: true,
				status: v1alpha1.ClusterObservation{Message: "waits for 1 Release to leave: shop/storefront", Releases: 1, Applications: []string{"shop/storefront"}},
			},
		},
		"DeadAndDraining": {
			reason:   "A cluster that is gone is still drained: Releases on it give up on their own.",
			cluster:  wanted(deleted),
			releases: []client.Object{release("shop", "storefront", "a")},
			want: want{
				exists: true, upToDate: true,
				status: v1alpha1.ClusterObservation{Message: "waits for 1 Release to leave: shop/storefront", Releases: 1, Applications: []string{"shop/storefront"}},
			},
		},
		"Drained": {
			reason:  "A cluster without Releases is there to be destroyed.",
			cluster: wanted(deleted),
			state:   ready,
			want:    want{exists: true, upToDate: true},
		},
		"Gone": {
			reason:  "A cluster that is gone may be forgotten.",
			cluster: wanted(deleted),
			want:    want{upToDate: true},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			there := onCluster(t, tc.fails, tc.there...)
			if tc.slow {
				there = interceptor.NewClient(there, interceptor.Funcs{Create: nothing})
			}
			e := &external{
				hub:     hub(t, tc.releases...),
				backend: &clusters{state: tc.state, err: tc.err},
				targets: opener{there},
				secrets: &secrets{},
				clock:   clocktesting.NewFakePassiveClock(time.Unix(3600, 0)),
			}
			o, err := e.Observe(context.Background(), tc.cluster)
			c := tc.cluster.GetCondition(xpv2.TypeReady)
			got := want{
				exists: o.ResourceExists, upToDate: o.ResourceUpToDate, secret: len(o.ConnectionDetails["kubeconfig"]) > 0,
				status: tc.cluster.Status.AtProvider, ready: c.Reason, message: c.Message, published: e.secrets.(*secrets).published, err: err != nil,
			}
			if got.err {
				got = want{err: true}
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\nObserve(...): -want, +got:\n%s\nerror: %v", tc.reason, diff, err)
			}
		})
	}
}

func TestUpdate(t *testing.T) {
	ready := backend.ClusterState{Exists: true, UpToDate: true, Ready: true}
	shop := tenant("shop", "cpu", "4")

	type want struct {
		ensured bool
		there   []string
		ready   corev1.ConditionStatus
		err     string
	}
	cases := map[string]struct {
		reason  string
		cluster *v1alpha1.Cluster
		state   backend.ClusterState
		err     error
		there   []client.Object
		want    want
	}{
		"Make": {
			reason:  "A cluster that is not there is made.",
			cluster: wanted(shop),
			want:    want{ensured: true, ready: corev1.ConditionFalse},
		},
		"Invalid": {
			reason:  "What cannot be had is said in the backend's own words.",
			cluster: wanted(),
			err:     &backend.InvalidError{Message: "version v1.2.3 is not available: use v1.35.3"},
			want:    want{ensured: true, ready: corev1.ConditionFalse, err: "version v1.2.3 is not available: use v1.35.3"},
		},
		"Fails": {
			reason:  "What fails says what failed.",
			cluster: wanted(),
			err:     errBoom,
			want:    want{ensured: true, ready: corev1.ConditionFalse, err: "cannot make cluster: boom"},
		},
		"SetUp": {
			reason:  "Tenants are set up, and the cluster is ready at once.",
			cluster: wanted(shop),
			state:   ready,
			want: want{ready: corev1.ConditionTrue, there: []string{
				"LimitRange shop/mainstay", "Namespace shop", "ResourceQuota shop/mainstay", "RoleBinding shop/mainstay:tenant:shop",
			}},
		},
		"Left": {
			reason:  "A tenant that left loses its rights, also those it gave itself under another name, and keeps its namespace.",
			cluster: wanted(tenant("web")),
			state:   ready,
			there:   []client.Object{namespace("shop"), binding("shop"), door("shop")},
			want:    want{ready: corev1.ConditionTrue, there: []string{"Namespace shop", "Namespace web", "RoleBinding web/mainstay:tenant:web"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := &clusters{state: tc.state, fails: tc.err}
			there := onCluster(t, nil, tc.there...)
			e := &external{hub: hub(t), backend: b, targets: opener{there}, clock: clocktesting.NewFakePassiveClock(time.Unix(3600, 0))}
			if _, err := e.Observe(context.Background(), tc.cluster); err != nil {
				t.Fatal(err)
			}
			_, err := e.Update(context.Background(), tc.cluster)
			got := want{ensured: b.ensured, there: list(t, there), ready: tc.cluster.GetCondition(xpv2.TypeReady).Status}
			if err != nil {
				got.err = err.Error()
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\nUpdate(...): -want, +got:\n%s", tc.reason, diff)
			}
			if tc.want.ready != corev1.ConditionTrue {
				return
			}
			again := &external{hub: hub(t), backend: b, targets: opener{there}, clock: clocktesting.NewFakePassiveClock(time.Unix(3600, 0))}
			o, err := again.Observe(context.Background(), tc.cluster)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(true, o.ResourceUpToDate); diff != "" {
				t.Errorf("\n%s\nWhat was done must not be done again: -want, +got:\n%s\n%v", tc.reason, diff, again.tenants.describe())
			}
		})
	}
}

func TestDelete(t *testing.T) {
	type want struct {
		deleted bool
		there   []string
		err     bool
	}
	adopted := func(c *v1alpha1.Cluster) {
		c.Spec.ForProvider.KubeconfigSecretRef = &v1alpha1.SecretKeySelector{Name: "theirs"}
	}
	ready := backend.ClusterState{Exists: true, UpToDate: true, Ready: true}
	cases := map[string]struct {
		reason   string
		cluster  *v1alpha1.Cluster
		state    backend.ClusterState
		releases []client.Object
		there    []client.Object
		fails    error
		err      error
		want     want
	}{
		"Draining": {
			reason:   "A cluster with Releases is not destroyed.",
			cluster:  wanted(deleted),
			state:    ready,
			releases: []client.Object{release("shop", "storefront", "a")},
		},
		"Drained": {
			reason:  "A cluster without any is.",
			cluster: wanted(deleted),
			state:   ready,
			there:   []client.Object{namespace("shop"), binding("shop")},
			want:    want{deleted: true, there: []string{"Namespace shop", "RoleBinding shop/mainstay:tenant:shop"}},
		},
		"Adopted": {
			reason:  "A cluster that lives on is left without tenants.",
			cluster: wanted(deleted, adopted, tenant("shop")),
			state:   ready,
			there:   []client.Object{namespace("shop"), binding("shop")},
			want:    want{deleted: true, there: []string{"Namespace shop"}},
		},
		"AdoptedAndUnreachable": {
			reason:  "A cluster that cannot be reached is let go of all the same.",
			cluster: wanted(deleted, adopted),
			state:   ready,
			fails:   &target.UnreachableError{Err: errBoom},
			want:    want{deleted: true},
		},
		"AdoptedAndFails": {
			reason:  "What goes wrong otherwise is tried again.",
			cluster: wanted(deleted, adopted),
			state:   ready,
			fails:   errBoom,
			want:    want{err: true},
		},
		"Fails": {
			reason:  "A cluster that cannot be destroyed is tried again.",
			cluster: wanted(deleted),
			state:   ready,
			err:     errBoom,
			want:    want{deleted: true, err: true},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := &clusters{state: tc.state, fails: tc.err}
			there := onCluster(t, tc.fails, tc.there...)
			e := &external{hub: hub(t, tc.releases...), backend: b, targets: opener{there}, secrets: &secrets{}, clock: clocktesting.NewFakePassiveClock(time.Unix(3600, 0))}
			if _, err := e.Observe(context.Background(), tc.cluster); err != nil {
				t.Fatal(err)
			}
			_, err := e.Delete(context.Background(), tc.cluster)
			got := want{deleted: b.deleted, err: err != nil}
			if tc.fails == nil {
				got.there = list(t, there)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\nDelete(...): -want, +got:\n%s\nerror: %v", tc.reason, diff, err)
			}
		})
	}
}

func TestWaits(t *testing.T) {
	cases := map[string]struct {
		reason    string
		residents residents
		want      string
	}{
		"Nobody": {reason: "Nobody has to leave."},
		"Many": {
			reason:    "Some are named, the others counted.",
			residents: residents{count: 7, applications: []string{"a/1", "a/2", "a/3", "a/4", "a/5"}},
			want:      "waits for 7 Releases to leave: a/1, a/2, a/3 and 2 more",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.residents.waits()); diff != "" {
				t.Errorf("\n%s\nwaits(): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestMisleading(t *testing.T) {
	draining := wanted()
	draining.Status.AtProvider.Message = "waits for 1 Release to leave: shop/storefront"
	available := wanted()
	available.SetConditions(xpv2.Available())

	cases := map[string]struct {
		reason string
		o      runtime.Object
		event  event.Reason
		want   bool
	}{
		"Draining":  {reason: "It is not being deleted yet.", o: draining, event: "DeletedExternalResource", want: true},
		"Deleting":  {reason: "Now it is.", o: wanted(), event: "DeletedExternalResource"},
		"OnItsWay":  {reason: "Looking at it is no news.", o: wanted(), event: "UpdatedExternalResource", want: true},
		"Changed":   {reason: "A ready cluster was changed.", o: available, event: "UpdatedExternalResource"},
		"Error":     {reason: "Errors are news.", o: draining, event: "CannotDeleteExternalResource"},
		"OtherKind": {reason: "Others are none of ours.", o: &corev1.Pod{}, event: "DeletedExternalResource"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, misleading(tc.o, event.Event{Reason: tc.event})); diff != "" {
				t.Errorf("\n%s\nmisleading(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// clusters is a backend that is in one state.
type clusters struct {
	state            backend.ClusterState
	err, fails       error
	ensured, deleted bool
}

func (b *clusters) ObserveCluster(context.Context, backend.Cluster) (backend.ClusterState, error) {
	return b.state, b.err
}

func (b *clusters) EnsureCluster(context.Context, backend.Cluster) error {
	b.ensured = true
	return b.fails
}

func (b *clusters) DeleteCluster(context.Context, backend.Cluster) error {
	b.deleted = true
	return b.fails
}

type secrets struct{ published bool }

func (s *secrets) PublishConnection(context.Context, xpresource.LocalConnectionSecretOwner, managed.ConnectionDetails) (bool, error) {
	s.published = true
	return true, nil
}

// An opener opens always the same cluster.
type opener struct{ there client.Client }

func (o opener) Open(*v1alpha1.Cluster, []byte) (target.Target, error) { return o, nil }
func (o opener) Client() client.Client                                 { return o.there }
func (o opener) Mapper() meta.RESTMapper                               { return o.there.RESTMapper() }

func hub(t *testing.T, releases ...client.Object) client.Client {
	t.Helper()
	s := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(s).WithObjects(releases...).WithIndex(&v1alpha1.Release{}, indexCluster, clusterOf).Build()
}

// onCluster returns a client of a cluster that has objects, and whose calls may fail.
func onCluster(t *testing.T, fails error, objects ...client.Object) client.WithWatch {
	t.Helper()
	return fake.NewClientBuilder().WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, o ...client.ListOption) error {
			if fails != nil {
				return fmt.Errorf("cannot list: %w", fails)
			}
			return c.List(ctx, l, o...)
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			r, ok := o.(*authorizationv1.SubjectAccessReview)
			if !ok {
				return c.Create(ctx, o, opts...)
			}
			b := &rbacv1.RoleBinding{}
			r.Status.Allowed = c.Get(ctx, types.NamespacedName{Namespace: r.Spec.ResourceAttributes.Namespace, Name: r.Spec.User}, b) == nil
			return nil
		},
	}).Build()
}

func nothing(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
	return nil
}

// list what tenants have on a cluster.
func list(t *testing.T, c client.Client) []string {
	t.Helper()
	var out []string
	for _, l := range []client.ObjectList{&corev1.LimitRangeList{}, &corev1.NamespaceList{}, &corev1.ResourceQuotaList{}, &rbacv1.RoleBindingList{}} {
		if err := c.List(context.Background(), l); err != nil {
			t.Fatal(err)
		}
		if err := meta.EachListItem(l, func(o runtime.Object) error {
			co := o.(client.Object)
			gvk, err := c.GroupVersionKindFor(o)
			if err != nil {
				return err
			}
			name := co.GetName()
			if co.GetNamespace() != "" {
				name = co.GetNamespace() + "/" + name
			}
			out = append(out, gvk.Kind+" "+name)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func wanted(change ...func(*v1alpha1.Cluster)) *v1alpha1.Cluster {
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: "eu-1"}}
	for _, fn := range change {
		fn(c)
	}
	return c
}

func deleted(c *v1alpha1.Cluster) {
	now := metav1.Now()
	c.SetDeletionTimestamp(&now)
}

func tenant(namespace string, quota ...string) func(*v1alpha1.Cluster) {
	return func(c *v1alpha1.Cluster) {
		t := v1alpha1.Tenant{Namespace: namespace}
		for i := 0; i < len(quota); i += 2 {
			t.Quota = map[string]resource.Quantity{quota[i]: resource.MustParse(quota[i+1])}
		}
		c.Spec.ForProvider.Tenants = append(c.Spec.ForProvider.Tenants, t)
	}
}

func release(namespace, application, name string) client.Object {
	r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	r.Spec.ForProvider = v1alpha1.ReleaseParameters{Application: application, ClusterRef: v1alpha1.ClusterReference{Namespace: "ops", Name: "eu-1"}}
	return r
}

func namespace(name string) client.Object {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.LabelTenant: name, "pod-security.kubernetes.io/enforce": "baseline"}}}
}

func binding(tenant string) client.Object {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: "mainstay:tenant:" + tenant, Labels: map[string]string{v1alpha1.LabelTenant: tenant}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "mainstay:tenant:" + tenant}},
	}
}

func door(tenant string) client.Object {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: "door"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "mainstay:tenant:" + tenant}},
	}
}

func node(name string, ready bool) client.Object {
	s := corev1.ConditionFalse
	if ready {
		s = corev1.ConditionTrue
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: s}}},
	}
}
