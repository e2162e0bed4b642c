package fleet

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

func TestObserve(t *testing.T) {
	spec := &v1alpha1.FleetCellSpec{Fleet: "eu", Tenants: []mv1alpha1.Tenant{{Namespace: "a", Quota: map[string]resource.Quantity{"cpu": resource.MustParse("1000m")}}}}
	member := &v1alpha1.FleetCluster{Name: "a", Region: "r"}
	pool := &v1alpha1.FleetNodePool{Name: "p", Class: "c", Size: 2}

	cases := map[string]struct {
		reason string
		change func(c *mv1alpha1.Cluster, p *mv1alpha1.NodePool)
		absent bool
		noPool bool
		want   Member
	}{
		"Absent": {reason: "It has not been made.", absent: true, want: Member{Name: "a"}},
		"Ready": {
			reason: "The cluster and its pool are as wanted; equal quantities are equal however they are written.",
			change: func(c *mv1alpha1.Cluster, _ *mv1alpha1.NodePool) {
				c.Spec.ForProvider.Tenants = []mv1alpha1.Tenant{{Namespace: "a", Quota: map[string]resource.Quantity{"cpu": resource.MustParse("1")}}}
				c.Spec.ForProvider.KubernetesVersion = "v1.35.3" // Was filled in.
			},
			want: Member{Name: "a", Ready: true, Nodes: 2, Applications: []string{"x/y"}},
		},
		"NotToldYet": {
			reason: "What it says is about an older specification.",
			change: func(c *mv1alpha1.Cluster, _ *mv1alpha1.NodePool) { c.Spec.ForProvider.Region = "other" },
			want:   Member{Name: "a", Nodes: 2, Applications: []string{"x/y"}},
		},
		"NotSeenYet": {
			reason: "Its controller has not seen the latest specification.",
			change: func(c *mv1alpha1.Cluster, _ *mv1alpha1.NodePool) { c.Generation = 3 },
			want:   Member{Name: "a", Nodes: 2, Applications: []string{"x/y"}},
		},
		"NotSynced": {
			reason: "An error comes before everything else.",
			change: func(c *mv1alpha1.Cluster, _ *mv1alpha1.NodePool) {
				c.Status.AtProvider.Message = "waits"
				c.SetConditions(xpv2.Creating().WithMessage("waits"), xpv2.ReconcileError(fmt.Errorf("cannot make it")))
			},
			want: Member{Name: "a", Nodes: 2, Applications: []string{"x/y"}, Problem: "cannot make it"},
		},
		"Waits": {
			reason: "It says what it waits for.",
			change: func(c *mv1alpha1.Cluster, _ *mv1alpha1.NodePool) {
				c.Status.AtProvider.Message = "waits"
				c.SetConditions(xpv2.Creating())
			},
			want: Member{Name: "a", Nodes: 2, Applications: []string{"x/y"}, Problem: "waits"},
		},
		"WaitsByCondition": {
			reason: "It says so in its condition only.",
			change: func(c *mv1alpha1.Cluster, _ *mv1alpha1.NodePool) {
				c.SetConditions(xpv2.Unavailable().WithMessage("away"))
			},
			want: Member{Name: "a", Nodes: 2, Applications: []string{"x/y"}, Problem: "away"},
		},
		"NoPool": {
			reason: "A pool that has not been made keeps the cluster from being as wanted.",
			noPool: true,
			want:   Member{Name: "a", Nodes: 2, Applications: []string{"x/y"}},
		},
		"PoolIsMade": {
			reason: "Its progress is left out.",
			change: func(_ *mv1alpha1.Cluster, p *mv1alpha1.NodePool) {
				p.SetConditions(xpv2.Creating().WithMessage("1 of 2"))
			},
			want: Member{Name: "a", Nodes: 2, Applications: []string{"x/y"}, Problem: `node pool "p" waits for its nodes`},
		},
		"PoolLostNodes": {
			reason: "What was there and is not is worth a figure.",
			change: func(_ *mv1alpha1.Cluster, p *mv1alpha1.NodePool) {
				p.SetConditions(xpv2.Unavailable().WithMessage("1 of 2"))
			},
			want: Member{Name: "a", Nodes: 2, Applications: []string{"x/y"}, Problem: `node pool "p": 1 of 2`},
		},
		"PoolFails": {
			reason: "An error of a pool is named with the pool.",
			change: func(_ *mv1alpha1.Cluster, p *mv1alpha1.NodePool) {
				p.SetConditions(xpv2.Creating(), xpv2.ReconcileError(fmt.Errorf("no such class")))
			},
			want: Member{Name: "a", Nodes: 2, Applications: []string{"x/y"}, Problem: `node pool "p": no such class`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want, wantPool := Cluster("ns", spec, member), NodePool("ns", spec, member, pool)
			have, havePool := want.DeepCopy(), wantPool.DeepCopy()
			have.Generation, havePool.Generation = 2, 2
			have.Status.AtProvider.Nodes = mv1alpha1.NodeCount{Total: 2, Ready: 2}
			have.Status.AtProvider.Applications = []string{"x/y"}
			for _, o := range []interface{ SetConditions(c ...xpv2.Condition) }{have, havePool} {
				o.SetConditions(xpv2.Available().WithObservedGeneration(2), xpv2.ReconcileSuccess().WithObservedGeneration(2))
			}
			if tc.change != nil {
				tc.change(have, havePool)
			}
			if tc.absent {
				have = nil
			}
			if tc.noPool {
				havePool = nil
			}
			if diff := cmp.Diff(tc.want, Observe(want, have, []Pool{{Want: wantPool, Have: havePool}})); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestSummaries(t *testing.T) {
	members := []Member{{Name: "z", Problem: strings.Repeat("ä", 200)}, {Name: "n"}}
	for i := range 10 {
		members = append(members, Member{Name: fmt.Sprintf("c-%d", i), Ready: i%2 == 0, Nodes: 3, Problem: "bad", Applications: []string{fmt.Sprintf("t/a-%d", i), "t/b"}})
	}
	got := SummariseCell(members, []v1alpha1.ClusterProblem{{Cluster: "y"}, {Cluster: "x", Message: "waits"}})
	if len(got.Problems) != maxCellProblems || got.Problems[0].Cluster != "c-1" {
		t.Errorf("problems: want the first five by name, got %v", got.Problems)
	}
	want := v1alpha1.FleetCellStatus{
		Summary:      "5/12",
		Clusters:     v1alpha1.ClusterCount{Total: 12, Ready: 5},
		Nodes:        15,
		Applications: []string{"t/a-0", "t/a-1", "t/a-2", "t/a-3", "t/a-4", "t/a-5", "t/a-6", "t/a-7", "t/a-8", "t/a-9"},
		Problems:     got.Problems,
		Retiring:     []v1alpha1.ClusterProblem{{Cluster: "x", Message: "waits"}, {Cluster: "y"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cell: -want, +got:\n%s", diff)
	}

	fleet := SummariseFleet(15, []v1alpha1.FleetCellStatus{got, {Clusters: v1alpha1.ClusterCount{Total: 12, Ready: 12}, Nodes: 1, Problems: got.Problems}})
	if diff := cmp.Diff(v1alpha1.ClusterCount{Total: 15, Ready: 15}, fleet.Clusters); diff != "" {
		t.Errorf("fleet clusters: -want, +got:\n%s", diff)
	}
	if fleet.Summary != "15/15" || fleet.Nodes != 16 || fleet.Cells != 2 || len(fleet.Problems) != 10 {
		t.Errorf("fleet: got %+v", fleet)
	}

	long := SummariseCell(members[:1], nil).Problems[0].Message
	if len(long) > maxProblemBytes || !strings.HasSuffix(long, "ä…") {
		t.Errorf("a long message is not cut where a character ends: %q", long)
	}
}

func TestOutcome(t *testing.T) {
	two := []v1alpha1.ClusterProblem{{Cluster: "a", Message: "x"}, {Cluster: "b"}}
	type want struct{ Reason, Message string }
	cases := map[string]struct {
		reason string
		in     Progress
		want   want
	}{
		"Reached": {
			reason: "All is as wanted.",
			in:     Progress{Clusters: v1alpha1.ClusterCount{Total: 3, Ready: 3}, Settled: true, WasReached: true},
			want:   want{"Reached", "3/3 clusters ready"},
		},
		"Empty": {
			reason: "No clusters are what is wanted.",
			in:     Progress{Settled: true},
			want:   want{"Reached", "no clusters are asked for"},
		},
		"Progressing": {
			reason: "A few problems are named.",
			in:     Progress{Clusters: v1alpha1.ClusterCount{Total: 3}, Problems: append(two, v1alpha1.ClusterProblem{Cluster: "c"})},
			want:   want{"Progressing", "0/3 clusters ready: a: x; b; and 1 more"},
		},
		"Degraded": {
			reason: "It was reached.",
			in:     Progress{Clusters: v1alpha1.ClusterCount{Total: 3, Ready: 2}, Settled: true, WasReached: true, Problems: two[:1]},
			want:   want{"Degraded", "2/3 clusters ready: a: x"},
		},
		"Unsettled": {
			reason: "What is observed is about something older.",
			in:     Progress{Clusters: v1alpha1.ClusterCount{Total: 1, Ready: 1}},
			want:   want{"Progressing", "1/1 clusters ready, but the latest change has not got to all of them yet"},
		},
		"Blocked": {
			reason: "Somebody has to help.",
			in:     Progress{Clusters: v1alpha1.ClusterCount{Total: 1, Ready: 1}, Settled: true, Blocked: "help"},
			want:   want{"Blocked", "help; 1/1 clusters ready"},
		},
		"Retiring": {
			reason: "What is not wanted is still there.",
			in:     Progress{Clusters: v1alpha1.ClusterCount{Total: 1, Ready: 1}, Settled: true, WasReached: true, Retiring: two},
			want:   want{"Progressing", "1/1 clusters ready; 2 clusters are being retired: a: x; b"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r, m := tc.in.Outcome()
			if diff := cmp.Diff(tc.want, want{r, m}); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestGuard(t *testing.T) {
	apps := []string{"t/1", "t/2", "t/3", "t/4", "t/5", "t/6"}
	if got := Guard("ns", "eu", &v1alpha1.ClusterFleetSpec{}, nil); got != nil {
		t.Errorf("without applications: got %v", got)
	}
	if got := Guard("ns", "eu", &v1alpha1.ClusterFleetSpec{DeletionGuard: v1alpha1.GuardNone}, apps); got != nil {
		t.Errorf("without a guard: got %v", got)
	}
	got := Guard("ns", "eu", &v1alpha1.ClusterFleetSpec{DeletionGuard: v1alpha1.GuardApplications}, apps)
	want := "applications run on it: t/1, t/2, t/3, t/4, t/5 and others. Delete them first, or set spec.deletionGuard to None"
	if diff := cmp.Diff(want, *got.Spec.Reason); diff != "" {
		t.Errorf("reason: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(metav1.ObjectMeta{Namespace: "ns", Name: "eu.deletion-guard", Labels: map[string]string{mv1alpha1.LabelFleet: "eu"}}, got.ObjectMeta); diff != "" {
		t.Errorf("metadata: -want, +got:\n%s", diff)
	}
}

func TestManagementPolicies(t *testing.T) {
	member := &v1alpha1.FleetCluster{Name: "a", Labels: labels{"k": "v"}, Region: "r", KubernetesVersion: "v1.34.1", Facts: map[string]string{"registry": "x"}}
	c := Cluster("ns", &v1alpha1.FleetCellSpec{Fleet: "eu", KubernetesVersion: "v1.35.3", DeletionPolicy: v1alpha1.DeletionOrphan}, member)
	if diff := cmp.Diff(xpv2.ManagementPolicies{"Observe", "Create", "Update", "LateInitialize"}, c.Spec.ManagementPolicies); diff != "" {
		t.Errorf("orphan: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(labels{"k": "v", "region": "r"}, c.Spec.ForProvider.Labels); diff != "" {
		t.Errorf("labels: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(member.Facts, c.Spec.ForProvider.Facts); diff != "" {
		t.Errorf("facts: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff("v1.34.1", c.Spec.ForProvider.KubernetesVersion); diff != "" {
		t.Errorf("version: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(labels{"k": "v"}, member.Labels); diff != "" {
		t.Errorf("the member itself is changed: -want, +got:\n%s", diff)
	}
	p := NodePool("ns", &v1alpha1.FleetCellSpec{Fleet: "eu"}, member, &v1alpha1.FleetNodePool{Name: "p", Taints: []mv1alpha1.Taint{{Key: "k", Effect: corev1.TaintEffectNoSchedule}}})
	if diff := cmp.Diff(xpv2.ManagementPolicies{"*"}, p.Spec.ManagementPolicies); diff != "" {
		t.Errorf("delete: -want, +got:\n%s", diff)
	}
}
