package nodes

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend"
)

const version = "v1.35.3"

var gpu = corev1.Taint{Key: "gpu", Value: "a100", Effect: corev1.TaintEffectNoSchedule}

func pool(size int32, change ...func(*backend.NodePool)) backend.NodePool {
	p := backend.NodePool{
		Name:     "p",
		Class:    "general",
		Capacity: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4")},
		Size:     size,
		Labels:   map[string]string{"disk": "fast"},
		Taints:   []corev1.Taint{gpu},
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

func made(name string, change ...func(*corev1.Node)) corev1.Node {
	n := fresh(name, version, pool(1))
	for _, c := range change {
		c(&n)
	}
	return n
}

func TestPlan(t *testing.T) {
	type want struct{ create, update, updateStatus, remove []string }
	foreign := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "p-0"}}
	cases := map[string]struct {
		reason string
		pool   backend.NodePool
		all    []corev1.Node
		want   want
	}{
		"Fresh": {
			reason: "Nodes are numbered from 0.",
			pool:   pool(2),
			want:   want{create: []string{"p-0", "p-1"}},
		},
		"Settled": {
			reason: "What is as wanted is left alone.",
			pool:   pool(2),
			all:    []corev1.Node{made("p-1"), made("p-0")},
		},
		"Gap": {
			reason: "The lowest free number is taken.",
			pool:   pool(3),
			all:    []corev1.Node{made("p-2"), made("p-0")},
			want:   want{create: []string{"p-1"}},
		},
		"NameIsTaken": {
			reason: "A node of somebody else's is not touched, and its name not used.",
			pool:   pool(1),
			all:    []corev1.Node{foreign},
			want:   want{create: []string{"p-1"}},
		},
		"Shrink": {
			reason: "Numbers are numbers: 10 goes before 9.",
			pool:   pool(1),
			all:    []corev1.Node{made("p-10"), made("p-9"), made("p-0")},
			want:   want{remove: []string{"p-10", "p-9"}},
		},
		"ShrinkStrangersFirst": {
			reason: "A node that joined the pool under another name goes before those that the pool made.",
			pool:   pool(1),
			all:    []corev1.Node{made("by-hand"), made("p-0")},
			want:   want{remove: []string{"by-hand"}},
		},
		"Going": {
			reason: "A node that is being deleted is not counted, and its name is free only once it is gone.",
			pool:   pool(1),
			all:    []corev1.Node{made("p-0", func(n *corev1.Node) { n.DeletionTimestamp = ptr.To(metav1.Now()) })},
			want:   want{create: []string{"p-1"}},
		},
		"OtherPool": {
			reason: "Nodes of another pool are not this one's.",
			pool:   pool(0),
			all:    []corev1.Node{made("q-0", func(n *corev1.Node) { n.Labels[v1alpha1.LabelNodePool] = "q" })},
		},
		"NegativeSize": {
			reason: "Less than nothing is nothing.",
			pool:   pool(-1),
			all:    []corev1.Node{made("p-0")},
			want:   want{remove: []string{"p-0"}},
		},
		"OtherClass": {
			reason: "A node changes its class in place.",
			pool: pool(1, func(p *backend.NodePool) {
				p.Class, p.Capacity = "large", corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("8")}
			}),
			all:  []corev1.Node{made("p-0")},
			want: want{update: []string{"p-0"}, updateStatus: []string{"p-0"}},
		},
		"KeptAfterAll": {
			reason: "A node that was to be removed takes pods again when the pool grows.",
			pool:   pool(1),
			all:    []corev1.Node{Cordoned(made("p-0"))},
			want:   want{update: []string{"p-0"}},
		},
		"CordonedByHand": {
			reason: "A node that a person cordoned stays so.",
			pool:   pool(1),
			all:    []corev1.Node{made("p-0", func(n *corev1.Node) { n.Spec.Unschedulable = true })},
		},
		"SameCapacity": {
			reason: "4 CPUs are 4000m CPUs.",
			pool: pool(1, func(p *backend.NodePool) {
				p.Capacity = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4000m"), corev1.ResourcePods: resource.MustParse("110")}
			}),
			all: []corev1.Node{made("p-0")},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := Plan(tc.pool, version, tc.all)
			got := want{create: names(c.Create), update: names(c.Update), updateStatus: names(c.UpdateStatus), remove: names(c.Remove)}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\nPlan(...): -want, +got:\n%s", tc.reason, diff)
			}
			if none := cmp.Equal(tc.want, want{}, cmp.AllowUnexported(want{})); none != c.None() {
				t.Errorf("\n%s\nNone(): want %t", tc.reason, none)
			}
		})
	}
}

// TestPlanConverges: what was done need not be done again.
func TestPlanConverges(t *testing.T) {
	wanted := pool(2, func(p *backend.NodePool) {
		p.Class, p.Labels, p.Taints = "large", nil, nil
		p.Capacity = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("8")}
	})
	c := Plan(wanted, version, []corev1.Node{Cordoned(made("p-0"))})
	all := slices.Concat(c.Update, c.Create)
	all[0].Status = c.UpdateStatus[0].Status
	if again := Plan(wanted, version, all); !again.None() {
		t.Errorf("Plan(...) of what was done: %s", cmp.Diff(Changes{}, again))
	}
}

func TestWithSpec(t *testing.T) {
	notReady := corev1.Taint{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule}
	dedicated := corev1.Taint{Key: "dedicated", Effect: corev1.TaintEffectNoExecute}
	type want struct {
		labels map[string]string
		taints []corev1.Taint
	}
	base := func(extra map[string]string) map[string]string {
		out := map[string]string{
			"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": "p-0",
			"node.kubernetes.io/instance-type": "general", "mainstay.dev/node-pool": "p", "mainstay.dev/node-class": "general",
		}
		for k, v := range extra {
			out[k] = v
		}
		return out
	}
	cases := map[string]struct {
		reason string
		node   corev1.Node
		pool   backend.NodePool
		want   want
	}{
		"Fresh": {
			reason: "A node has the labels and taints of its pool.",
			node:   corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "p-0"}},
			pool:   pool(1),
			want:   want{labels: base(map[string]string{"disk": "fast"}), taints: []corev1.Taint{gpu}},
		},
		"TakenBack": {
			reason: "What the pool gave and gives no more goes; what others gave stays.",
			node: made("p-0", func(n *corev1.Node) {
				n.Labels["theirs"] = "x"
				n.Spec.Taints = append(n.Spec.Taints, notReady, dedicated)
			}),
			pool: pool(1, func(p *backend.NodePool) { p.Labels, p.Taints = nil, nil }),
			want: want{labels: base(map[string]string{"theirs": "x"}), taints: []corev1.Taint{notReady, dedicated}},
		},
		"Changed": {
			reason: "A value changes in place.",
			node:   made("p-0", func(n *corev1.Node) { n.Spec.Taints = append(n.Spec.Taints, notReady) }),
			pool: pool(1, func(p *backend.NodePool) {
				p.Labels = map[string]string{"disk": "slow"}
				p.Taints = []corev1.Taint{{Key: "gpu", Value: "h100", Effect: corev1.TaintEffectNoSchedule}, dedicated}
			}),
			want: want{
				labels: base(map[string]string{"disk": "slow"}),
				taints: []corev1.Taint{{Key: "gpu", Value: "h100", Effect: corev1.TaintEffectNoSchedule}, notReady, dedicated},
			},
		},
		"Reserved": {
			reason: "A pool cannot say that its nodes are another pool's.",
			node:   corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "p-0"}},
			pool: pool(1, func(p *backend.NodePool) {
				p.Labels, p.Taints = map[string]string{v1alpha1.LabelNodePool: "q"}, nil
			}),
			want: want{labels: base(nil)},
		},
		"SameTaintTwice": {
			reason: "A taint that is asked for twice is there once.",
			node:   corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "p-0"}},
			pool: pool(1, func(p *backend.NodePool) {
				p.Labels, p.Taints = nil, []corev1.Taint{gpu, gpu}
			}),
			want: want{labels: base(nil), taints: []corev1.Taint{gpu}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			n := withSpec(tc.node, tc.pool)
			got := want{labels: n.Labels, taints: n.Spec.Taints}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\nwithSpec(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestCount(t *testing.T) {
	ready := func(s corev1.ConditionStatus) corev1.Node {
		return corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: s}}}}
	}
	got := Count([]corev1.Node{ready(corev1.ConditionTrue), ready(corev1.ConditionUnknown), {}})
	if diff := cmp.Diff(v1alpha1.NodeCount{Total: 3, Ready: 1}, got); diff != "" {
		t.Errorf("Count(...): -want, +got:\n%s", diff)
	}
}

func TestHoldsUp(t *testing.T) {
	since := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	cases := map[string]struct {
		reason string
		pod    corev1.Pod
		want   bool
	}{
		"Running": {reason: "A pod that runs would be lost.", want: true},
		"DaemonSet": {
			reason: "A DaemonSet would put its pod right back.",
			pod:    corev1.Pod{ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: "DaemonSet", Controller: ptr.To(true)}}}},
		},
		"Ended": {
			reason: "A pod that has ended needs no node.",
			pod:    corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded}},
		},
		"Ending": {
			reason: "A pod may take its time to end.",
			pod:    corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: ptr.To(metav1.NewTime(since.Add(time.Second)))}},
			want:   true,
		},
		"Stuck": {
			reason: "But not forever.",
			pod:    corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: ptr.To(metav1.NewTime(since.Add(-time.Second)))}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := HoldsUp(tc.pod, since); got != tc.want {
				t.Errorf("\n%s\nHoldsUp(...): want %t, got %t", tc.reason, tc.want, got)
			}
		})
	}
}

func names(ns []corev1.Node) []string {
	var out []string
	for _, n := range ns {
		out = append(out, n.Name)
	}
	return out
}
