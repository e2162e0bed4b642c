package placement

import (
	"errors"
	"fmt"
	"math/rand"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func cluster(fleet, name string, o ...func(*v1alpha1.Cluster)) v1alpha1.Cluster {
	c := v1alpha1.Cluster{}
	c.SetNamespace("platform")
	c.SetName(label(fleet, name))
	c.Spec.ForProvider = v1alpha1.ClusterParameters{
		Fleet: fleet, Name: name,
		Labels:  map[string]v1alpha1.LabelValue{},
		Tenants: []v1alpha1.Tenant{{Namespace: "team-a", TargetNamespaces: []string{"team-a", "shop"}}},
	}
	for _, fn := range o {
		fn(&c)
	}
	return c
}

func labelled(k, v string) func(*v1alpha1.Cluster) {
	return func(c *v1alpha1.Cluster) { c.Spec.ForProvider.Labels[k] = v1alpha1.LabelValue(v) }
}

func tenants(t ...v1alpha1.Tenant) func(*v1alpha1.Cluster) {
	return func(c *v1alpha1.Cluster) { c.Spec.ForProvider.Tenants = t }
}

func in(namespace string) func(*v1alpha1.Cluster) {
	return func(c *v1alpha1.Cluster) { c.SetNamespace(namespace) }
}

func deleting(c *v1alpha1.Cluster) { c.SetDeletionTimestamp(&metav1.Time{}) }

func target(fleet, name, namespace string, overrides ...string) Target {
	return Target{
		Cluster:   v1alpha1.ClusterReference{Namespace: "platform", Name: label(fleet, name)},
		Fleet:     fleet,
		Name:      name,
		Namespace: namespace,
		Overrides: overrides,
	}
}

func TestResolve(t *testing.T) {
	type want struct {
		targets []Target
		err     error
	}
	blocked := func(problems ...string) want { return want{err: &BlockedError{Problems: problems}} }

	cases := map[string]struct {
		reason    string
		placement v1alpha1.Placement
		clusters  []v1alpha1.Cluster
		want      want
	}{
		"WithoutTopologies": {
			reason: "Every cluster that lists the tenant is placed, those that are not ready included, ordered by name.",
			clusters: []v1alpha1.Cluster{
				cluster("prod", "us-1"),
				cluster("prod", "eu-1"),
				cluster("prod", "ap-1", tenants(v1alpha1.Tenant{Namespace: "team-b"})),
			},
			want: want{targets: []Target{target("prod", "eu-1", "team-a"), target("prod", "us-1", "team-a")}},
		},
		"NoTenantAnywhere": {
			reason:   "No cluster at all is never a reason to remove everything.",
			clusters: []v1alpha1.Cluster{cluster("prod", "ap-1", tenants())},
			want:     blocked(`no cluster lists namespace "team-a" as a tenant: ask the owner of a fleet to add it to spec.tenants`),
		},
		"EmptyInventory": {
			reason: "An empty inventory is unknown, not empty.",
			want:   blocked(`no cluster lists namespace "team-a" as a tenant: ask the owner of a fleet to add it to spec.tenants`),
		},
		"NamesBareAndQualified": {
			reason:    "Both forms of a name select, and the same cluster by both forms is placed once.",
			placement: v1alpha1.Placement{Topologies: []v1alpha1.Topology{{Name: "t", Clusters: []string{"eu-1", "prod.us-1", "prod.eu-1"}}}},
			clusters:  []v1alpha1.Cluster{cluster("prod", "eu-1"), cluster("prod", "us-1"), cluster("prod", "ap-1")},
			want:      want{targets: []Target{target("prod", "eu-1", "team-a"), target("prod", "us-1", "team-a")}},
		},
		"AmbiguousName": {
			reason:    "A bare name that two fleets have is refused with both.",
			placement: v1alpha1.Placement{Topologies: []v1alpha1.Topology{{Name: "t", Clusters: []string{"eu-1"}}}},
			clusters:  []v1alpha1.Cluster{cluster("prod", "eu-1"), cluster("dev", "eu-1")},
			want:      blocked(`topology "t": cluster name "eu-1" is ambiguous: write "dev.eu-1" or "prod.eu-1"`),
		},
		"AmbiguousAcrossNamespaces": {
			reason:    "Two fleets of one name, in two namespaces, cannot be told apart by name.",
			placement: v1alpha1.Placement{Topologies: []v1alpha1.Topology{{Name: "t", Clusters: []string{"prod.eu-1"}}}},
			clusters:  []v1alpha1.Cluster{cluster("prod", "eu-1"), cluster("prod", "eu-1", in("other"))},
			want:      blocked(`topology "t": cluster name "prod.eu-1" is ambiguous: there are such clusters in namespaces "other" and "platform", select by label instead`),
		},
		"ForeignNeverAmbiguous": {
			reason:    "A cluster that the tenant may not use does not get in the way of one that it may.",
			placement: v1alpha1.Placement{Topologies: []v1alpha1.Topology{{Name: "t", Clusters: []string{"eu-1"}}}},
			clusters:  []v1alpha1.Cluster{cluster("prod", "eu-1"), cluster("dev", "eu-1", tenants())},
			want:      want{targets: []Target{target("prod", "eu-1", "team-a")}},
		},
		"NamedButNotAllowed": {
			reason:    "The refusal says whom to ask, and names no other tenant.",
			placement: v1alpha1.Placement{Topologies: []v1alpha1.Topology{{Name: "t", Clusters: []string{"eu-1"}}}},
			clusters:  []v1alpha1.Cluster{cluster("prod", "eu-1", tenants(v1alpha1.Tenant{Namespace: "secret-team"}))},
			want:      blocked(`topology "t": namespace "team-a" is not a tenant of cluster "eu-1": ask the owner of fleet "prod" in namespace "platform" to add it to spec.tenants`),
		},
		"NamedButMissing": {
			reason:    "Each name must be that of a cluster; all that are not are listed.",
			placement: v1alpha1.Placement{Topologies: []v1alpha1.Topology{{Name: "t", Clusters: []string{"eu-1", "eu-8", "eu-9"}}}},
			clusters:  []v1alpha1.Cluster{cluster("prod", "eu-1")},
			want: blocked(`topology "t": cluster "eu-8" does not exist in any fleet: correct the name or remove it`,
				`topology "t": cluster "eu-9" does not exist in any fleet: correct the name or remove it`),
		},
		"NamesAndSelector": {
			reason:    "A cluster must match both.",
			placement: v1alpha1.Placement{Topologies: []v1alpha1.Topology{{Name: "t", Clusters: []string{"eu-1", "us-1"}, ClusterLabelSelector: map[string]string{"region": "eu"}}}},
			clusters:  []v1alpha1.Cluster{cluster("prod", "eu-1", labelled("region", "eu")), cluster("prod", "us-1", labelled("region", "us"))},
			want:      want{targets: []Target{target("prod", "eu-1", "team-a")}},
		},
		"SelectorSelectsNothing": {
			reason:    "A topology that selects no cluster is a mistake.",
			placement: v1alpha1.Placement{Topologies: []v1alpha1.Topology{{Name: "t", ClusterLabelSelector: map[string]string{"tier": "gold", "region": "mars"}}}},
			clusters:  []v1alpha1.Cluster{cluster("prod", "eu-1")},
			want:      blocked(`topology "t": no cluster that lists namespace "team-a" as a tenant has the labels region=mars,tier=gold: correct clusterLabelSelector, or set allowEmpty`),
		},
		"SelectorMayBeEmpty": {
			reason:    "Unless it says that it is none.",
			placement: v1alpha1.Placement{Topologies: []v1alpha1.Topology{{Name: "t", AllowEmpty: true, ClusterLabelSelector: map[string]string{"region": "mars"}}}},
			clusters:  []v1alpha1.Cluster{cluster("prod", "eu-1")},
			want:      want{targets: []Target{}},
		},
		"TargetNamespaceNotAllowed": {
			reason:    "A namespace that the tenant may not use is refused with those that it may.",
			placement: v1alpha1.Placement{Topologies: []v1alpha1.Topology{{Name: "t", Namespace: "kube-system"}}},
			clusters:  []v1alpha1.Cluster{cluster("prod", "eu-1")},
			want:      blocked(`topology "t": tenant "team-a" may not deploy into namespace "kube-system" of cluster "eu-1", only into team-a, shop: ask the owner of fleet "prod" in namespace "platform" to add it to spec.tenants[].targetNamespaces`),
		},
		"TwoTopologiesOneNamespace": {
			reason: "A cluster that two topologies select for one namespace is placed once.",
			placement: v1alpha1.Placement{Topologies: []v1alpha1.Topology{
				{Name: "a", Clusters: []string{"eu-1"}}, {Name: "b"},
			}},
			clusters: []v1alpha1.Cluster{cluster("prod", "eu-1"), cluster("prod", "us-1")},
			want:     want{targets: []Target{target("prod", "eu-1", "team-a"), target("prod", "us-1", "team-a")}},
		},
		"TwoTopologiesTwoNamespaces": {
			reason: "For two namespaces it is a mistake, and both topologies are named.",
			placement: v1alpha1.Placement{Topologies: []v1alpha1.Topology{
				{Name: "a", Clusters: []string{"eu-1"}, Namespace: "shop"}, {Name: "b"},
			}},
			clusters: []v1alpha1.Cluster{cluster("prod", "eu-1")},
			want:     blocked(`topologies "a" and "b" both select cluster "prod.eu-1", for namespaces "shop" and "team-a": let only one of them select it`),
		},
		"DeletingClusterDrains": {
			reason:    "A cluster that is being deleted is not placed, and naming it blocks nothing.",
			placement: v1alpha1.Placement{Topologies: []v1alpha1.Topology{{Name: "t", Clusters: []string{"eu-1", "us-1"}}}},
			clusters:  []v1alpha1.Cluster{cluster("prod", "eu-1", deleting), cluster("prod", "us-1")},
			want:      want{targets: []Target{target("prod", "us-1", "team-a")}},
		},
		"OnlyDeletingClusters": {
			reason:   "Where all are being deleted, that is said.",
			clusters: []v1alpha1.Cluster{cluster("prod", "eu-1", deleting)},
			want:     blocked(`every cluster that is selected is being deleted`),
		},
		"Overrides": {
			reason: "Overrides apply by name, by label, or everywhere, in the order of the placement.",
			placement: v1alpha1.Placement{Overrides: []v1alpha1.OverrideScope{
				{Name: "z-all"},
				{Name: "eu", ClusterLabelSelector: map[string]string{"region": "eu"}},
				{Name: "big", Clusters: []string{"us-1"}},
				{Name: "both", Clusters: []string{"eu-1", "us-1"}, ClusterLabelSelector: map[string]string{"region": "eu"}},
			}},
			clusters: []v1alpha1.Cluster{cluster("prod", "eu-1", labelled("region", "eu")), cluster("prod", "us-1")},
			want: want{targets: []Target{
				target("prod", "eu-1", "team-a", "z-all", "eu", "both"),
				target("prod", "us-1", "team-a", "z-all", "big"),
			}},
		},
		"OverridesOfTopologies": {
			reason: "An override for a topology applies to the clusters that this topology was the first to select.",
			placement: v1alpha1.Placement{
				Topologies: []v1alpha1.Topology{{Name: "canary", Clusters: []string{"eu-1"}}, {Name: "rest"}},
				Overrides: []v1alpha1.OverrideScope{
					{Name: "loud", Topologies: []string{"canary"}},
					{Name: "quiet", Topologies: []string{"rest"}},
					{Name: "both", Topologies: []string{"canary", "rest"}, ClusterLabelSelector: map[string]string{"region": "us"}},
				},
			},
			clusters: []v1alpha1.Cluster{cluster("prod", "eu-1"), cluster("prod", "eu-2"), cluster("prod", "us-1", labelled("region", "us"))},
			want: want{targets: []Target{
				target("prod", "eu-1", "team-a", "loud"),
				target("prod", "eu-2", "team-a", "quiet"),
				target("prod", "us-1", "team-a", "quiet", "both"),
			}},
		},
		"OverrideForMissingCluster": {
			reason:    "A misspelt name would silently apply nowhere.",
			placement: v1alpha1.Placement{Overrides: []v1alpha1.OverrideScope{{Name: "big", Clusters: []string{"us-l"}}}},
			clusters:  []v1alpha1.Cluster{cluster("prod", "us-1")},
			want:      blocked(`override "big": cluster "us-l" does not exist in any fleet: correct the name or remove it`),
		},
		"ClusterWithoutFleet": {
			reason:   "A cluster outside of any fleet goes by its own name.",
			clusters: []v1alpha1.Cluster{cluster("", "lone")},
			want:     want{targets: []Target{target("", "lone", "team-a")}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			targets, err := Resolve("team-a", tc.placement, tc.clusters)
			// What else is known of a target has a test of its own.
			known := cmpopts.IgnoreFields(Target{}, "Topologies", "Labels")
			if diff := cmp.Diff(tc.want, want{targets: targets, err: err}, cmp.AllowUnexported(want{}), known); diff != "" {
				t.Errorf("\n%s\nResolve(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestTargetKnowsWhy(t *testing.T) {
	p := v1alpha1.Placement{Topologies: []v1alpha1.Topology{
		{Name: "europe", ClusterLabelSelector: map[string]string{"region": "eu"}},
		{Name: "some", Clusters: []string{"eu-1", "us-1"}},
	}}
	got, err := Resolve("team-a", p, []v1alpha1.Cluster{cluster("prod", "eu-1", labelled("region", "eu")), cluster("prod", "us-1")})
	if err != nil {
		t.Fatal(err)
	}
	eu, us := target("prod", "eu-1", "team-a"), target("prod", "us-1", "team-a")
	eu.Topologies, eu.Labels = []string{"europe", "some"}, map[string]v1alpha1.LabelValue{"region": "eu"}
	us.Topologies, us.Labels = []string{"some"}, map[string]v1alpha1.LabelValue{}
	if diff := cmp.Diff([]Target{eu, us}, got); diff != "" {
		t.Errorf("\nWaves and steps go by what selects a cluster, and by its labels.\nResolve(...): -want, +got:\n%s", diff)
	}
}

func TestResolveInAnyOrder(t *testing.T) {
	clusters := make([]v1alpha1.Cluster, 0, 40)
	for i := range 40 {
		clusters = append(clusters, cluster(fmt.Sprintf("f%d", i%3), fmt.Sprintf("c-%d", i), labelled("odd", fmt.Sprint(i%2))))
	}
	p := v1alpha1.Placement{
		Topologies: []v1alpha1.Topology{{Name: "odd", ClusterLabelSelector: map[string]string{"odd": "1"}}, {Name: "some", Clusters: []string{"c-2", "f1.c-4"}}},
		Overrides:  []v1alpha1.OverrideScope{{Name: "o", Clusters: []string{"c-2", "c-3"}}},
	}
	want, err := Resolve("team-a", p, clusters)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewSource(1))
	for range 50 {
		rnd.Shuffle(len(clusters), func(i, j int) { clusters[i], clusters[j] = clusters[j], clusters[i] })
		got, err := Resolve("team-a", p, clusters)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("\nThe order of the inventory must not matter.\nResolve(...): -want, +got:\n%s", diff)
		}
	}
}

func TestBlockedError(t *testing.T) {
	e := &BlockedError{}
	for i := range 7 {
		e.Problems = append(e.Problems, fmt.Sprint(i))
	}
	if diff := cmp.Diff("0; 1; 2; 3; 4; and 2 more", e.Error()); diff != "" {
		t.Errorf("\nA message stays short.\nError(): -want, +got:\n%s", diff)
	}
	if !IsBlocked(fmt.Errorf("cannot place: %w", e)) || IsBlocked(errors.New("boom")) {
		t.Errorf("IsBlocked tells a BlockedError from others, wrapped or not")
	}
	if got := target("f", "c", "n").Label(); got != "f.c" {
		t.Errorf("Label(): want f.c, got %s", got)
	}
}
