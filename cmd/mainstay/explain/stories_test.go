package explain

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/screen"
	"github.com/mainstay-dev/mainstay/internal/control/controltest"
	"github.com/mainstay-dev/mainstay/internal/explain"
)

var update = flag.Bool("update", false, "write the explanations to the golden files")

func claim(kind, reached, reason, message string) *explain.Resource {
	return &explain.Resource{Kind: kind, Name: "shop", Conditions: []explain.Condition{
		{Type: "Synced", Status: "True"}, {Type: "Reached", Status: reached, Reason: reason, Message: message},
	}}
}

func composite(conditions ...explain.Condition) *explain.Resource {
	return &explain.Resource{Kind: "XProductApplication", Name: "shop-7tq2x", Conditions: conditions}
}

// application shop that says something, with its Rollout.
func application(reached, reason string, ro *v1alpha1.Rollout, releases ...v1alpha1.Release) explain.Input {
	in := explain.Input{
		Kind: explain.Application, Namespace: "team-a", Name: "shop", Now: controltest.Now,
		Claim: claim("ProductApplication", reached, reason, ""), Composite: composite(), Rollout: ro, Releases: releases,
	}
	if ro != nil {
		in.Claim.Conditions[1].Message = ro.Status.AtProvider.Message
	}
	for _, r := range releases {
		in.Clusters = append(in.Clusters, cluster(r.Spec.ForProvider.ClusterRef.Name))
	}
	return in
}

func cluster(name string, change ...func(*v1alpha1.Cluster)) v1alpha1.Cluster {
	c := v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "platform", Name: name}}
	c.SetConditions(xpv2.Available(), xpv2.ReconcileSuccess())
	for _, f := range change {
		f(&c)
	}
	return c
}

// release on a cluster. Without health it is healthy.
func release(cluster string, health v1alpha1.Health, message string, components ...v1alpha1.ComponentHealth) v1alpha1.Release {
	r := v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "shop.platform." + cluster}}
	r.Spec.ForProvider = v1alpha1.ReleaseParameters{ClusterRef: v1alpha1.ClusterReference{Namespace: "platform", Name: cluster}, Application: "shop", Bundle: "shop.1"}
	r.Status.AtProvider = v1alpha1.ReleaseObservation{Bundle: "shop.1", Health: health, Message: message, Components: components}
	return r
}

func releases(prefix string, n int, health v1alpha1.Health, message string, components ...v1alpha1.ComponentHealth) []v1alpha1.Release {
	var out []v1alpha1.Release
	for i := range n {
		out = append(out, release(fmt.Sprintf("%s-%03d", prefix, i+1), health, message, components...))
	}
	return out
}

func pulls(name, component string) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.LabelComponent: component}},
		Status: corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{
			Name: "web", Image: "registry.example/shop:2.0", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: `Back-off pulling image "registry.example/shop:2.0"`}},
		}}},
	}
}

func completed(ro *v1alpha1.Rollout) {
	controltest.Phase(v1alpha1.RolloutCompleted, "healthy on 1000 clusters")(ro)
	for i := range ro.Status.AtProvider.Waves {
		w := &ro.Status.AtProvider.Waves[i]
		w.Phase, w.Gates = v1alpha1.WaveOver, nil
		w.Clusters.Updated, w.Clusters.Ready = w.Clusters.Total, w.Clusters.Total
	}
}

// stories are what there is to explain, by the name of the file that explains it.
func stories() map[string]explain.Input {
	notAvailable := v1alpha1.ComponentHealth{Name: "web", Health: v1alpha1.Degraded, Message: "Deployment web: 0 of 3 replicas available"}
	fine := v1alpha1.ComponentHealth{Name: "cache", Health: v1alpha1.Healthy}
	out := map[string]explain.Input{}

	out["healthy"] = application("True", "Reached", controltest.Rollout(completed), releases("prod.eu", 1000, v1alpha1.Healthy, "")...)

	in := application("False", "InvalidSpec", controltest.Rollout(completed), releases("prod.eu", 3, v1alpha1.Healthy, "")...)
	in.Claim.Conditions[1].Message = `spec.components[0].properties.image: is required`
	in.Composite = composite(explain.Condition{Type: "Synced", Status: "False", Message: "pipeline step \"render\" returned a fatal result"})
	out["spec-invalid"] = in

	in = application("", "", nil)
	in.Composite = composite(explain.Condition{Type: "Synced", Status: "False", Message: `cannot run pipeline step "render": no healthy revision of the Function`})
	in.Packages = []explain.Resource{{Kind: "Function", Name: "mainstay-product-application", Conditions: []explain.Condition{
		{Type: "Installed", Status: "True"}, {Type: "Healthy", Status: "False", Message: "cannot pull image: connection refused"},
	}}}
	out["function-not-healthy"] = in

	in = application("", "", nil)
	in.Claim.Conditions, in.Composite = nil, nil
	out["not-taken-up"] = in

	blocked := func(message string) *v1alpha1.Rollout {
		return controltest.Rollout(controltest.Phase(v1alpha1.RolloutBlocked, message), func(ro *v1alpha1.Rollout) {
			ro.Status.AtProvider.Waves, ro.Status.AtProvider.Clusters = nil, v1alpha1.RolloutCount{}
		})
	}
	out["no-cluster-selected"] = application("False", "Blocked", blocked(`topology "europe": no cluster that lists namespace "team-a" as a tenant has the labels region=eu-9: correct clusterLabelSelector, or set allowEmpty`))
	out["tenant-not-allowed"] = application("False", "Blocked", blocked(`no cluster lists namespace "team-a" as a tenant: ask the owner of a fleet to add it to spec.tenants`))

	out["preflight-blocks"] = application("False", "Blocked", controltest.Rollout(controltest.Phase(v1alpha1.RolloutPreflight, "would not start on 3 of 1000 clusters"), func(ro *v1alpha1.Rollout) {
		at := &ro.Status.AtProvider
		at.Waves = nil
		at.Preflight = &v1alpha1.PreflightStatus{Digest: at.Digest, Checked: 1000, Blocking: 3, Findings: []v1alpha1.Finding{
			{Cause: "C2", Severity: v1alpha1.Blocking, Object: "ConfigMap/settings", Message: "key mode is missing", Fix: "Add the key mode to ConfigMap settings, or correct the component.", Clusters: 3, Examples: []string{"prod.eu-001", "prod.eu-002", "prod.us-001"}},
			{Cause: "B5", Severity: v1alpha1.Warning, Object: "Deployment/web", Message: "fits on one node only", Clusters: 4},
			{Cause: "A1", Severity: v1alpha1.Blocking, Object: "Flink/job", Message: "the cluster does not serve it", Clusters: 1, Waived: "until the operator is there"},
		}}
	}))

	in = application("False", "Blocked", blocked("4 clusters wait for image \"registry.internal/proxy:1\" to be resolved, which the strategy requires: the registry wants credentials, and is asked without"))
	in.Rollout.Spec.ForProvider.Strategy.Images, in.Rollout.Status.AtProvider.Images = v1alpha1.ImagesRequire, controltest.Images()
	out["images-required"] = in

	out["gate-waits"] = application("False", "Progressing", controltest.Rollout(), releases("prod.eu", 44, v1alpha1.Healthy, "", fine)...)

	held := func(h v1alpha1.RolloutHold) explain.Input {
		return application("False", "Blocked", controltest.Rollout(controltest.Phase(v1alpha1.RolloutBlocked, h.Message), func(ro *v1alpha1.Rollout) {
			ro.Status.AtProvider.Waves, ro.Status.AtProvider.Held = nil, &h
		}), releases("prod.eu", 20, v1alpha1.Healthy, "", fine)...)
	}
	out["edited-by-hand"] = held(v1alpha1.RolloutHold{
		Message:     "held back: the claim was edited since change ops/claims-41: open a merge request with what it says now, or set it back",
		ClaimDigest: strings.Repeat("e1", 32), Granted: strings.Repeat("a0", 32), Change: "ops/claims-41",
	})
	out["no-change-carries-it"] = held(v1alpha1.RolloutHold{
		Message: "held back: no approved change carries this claim: open a merge request with it", ClaimDigest: strings.Repeat("e1", 32),
	})
	out["grant-unknown"] = held(v1alpha1.RolloutHold{
		Message: `held back: cannot tell whether a change has to carry it: cannot get Namespace "team-a": namespaces "team-a" is forbidden`, ClaimDigest: strings.Repeat("e1", 32),
	})

	since := controltest.Before(4 * time.Minute)
	out["soaking"] = application("False", "Progressing", controltest.Rollout(controltest.Phase(v1alpha1.RolloutWaiting, "wave europe soaks"), func(ro *v1alpha1.Rollout) {
		w := &ro.Status.AtProvider.Waves[1]
		w.Phase, w.Gates, w.HealthySince = v1alpha1.WaveSoaking, nil, &since
	}), releases("prod.eu", 44, v1alpha1.Healthy, "", fine)...)

	all := append(releases("prod.eu", 17, v1alpha1.Healthy, "", fine, notAvailable),
		release("prod.eu-018", v1alpha1.Degraded, "component web: Deployment web: 0 of 3 replicas available", fine, notAvailable),
		release("prod.eu-019", v1alpha1.Degraded, "component web: Deployment web: 0 of 3 replicas available", fine, notAvailable),
		release("prod.eu-020", v1alpha1.Degraded, "component web: Deployment web: 1 of 3 replicas available", fine, v1alpha1.ComponentHealth{Name: "web", Health: v1alpha1.Degraded, Message: "Deployment web: 1 of 3 replicas available"}))
	in = application("False", "Blocked", controltest.Rollout(controltest.Halted, func(ro *v1alpha1.Rollout) { ro.Status.AtProvider.Problems = nil }), all...)
	in.Evidence = map[string]explain.Evidence{}
	for _, c := range []string{"prod.eu-018", "prod.eu-019"} {
		in.Evidence["shop.platform."+c] = explain.Evidence{
			Objects: []explain.Object{{Component: "web", Kind: "Deployment", Name: "web", Message: "Deployment web: 0 of 3 replicas available"}},
			Pods:    []corev1.Pod{pulls("web-5d9f-aaaaa", "web"), pulls("web-5d9f-bbbbb", "web"), pulls("web-5d9f-ccccc", "web")},
		}
	}
	in.Notes = []string{"Pods were looked at on 2 clusters only, and not on 1 more that are not as wanted."}
	out["halted"] = in

	in = application("False", "Progressing", controltest.Rollout(controltest.Phase(v1alpha1.RolloutProgressing, "updated on 998 of 1000 clusters"), func(ro *v1alpha1.Rollout) {
		ro.Status.AtProvider.Waves = nil
	}), append(releases("prod.eu", 7, v1alpha1.Healthy, ""),
		release("prod.us-001", v1alpha1.Unknown, `cluster "prod.us-001" is unreachable: connection refused`),
		release("prod.us-002", v1alpha1.Unknown, `cluster "prod.us-002" is unreachable: connection refused`),
		release("prod.us-003", v1alpha1.Progressing, "component web: Deployment web: 2 of 3 replicas available"))...)
	out["clusters-unreachable"] = in

	notReady := func(c *v1alpha1.Cluster) {
		c.SetConditions(xpv2.Unavailable().WithMessage("waits for its control plane"))
		c.Status.AtProvider.Message = "waits for its control plane"
	}
	out["release-waits-for-cluster"] = explain.Input{
		Kind: explain.Release, Namespace: "team-a", Name: "shop.platform.prod.eu-001", Now: controltest.Now,
		Releases: []v1alpha1.Release{release("prod.eu-001", v1alpha1.Unknown, `cluster "prod.eu-001" is not ready: waits for its kubeconfig`)},
		Clusters: []v1alpha1.Cluster{cluster("prod.eu-001", notReady)},
	}

	in = explain.Input{
		Kind: explain.Fleet, Namespace: "platform", Name: "prod", Now: controltest.Now,
		Claim:     claim("ClusterFleet", "False", "Progressing", "17/20 clusters ready"),
		Composite: &explain.Resource{Kind: "XClusterFleet", Name: "prod-x2x4k"},
	}
	for i := range 17 {
		in.Clusters = append(in.Clusters, cluster(fmt.Sprintf("prod.eu-%d", i)))
	}
	in.Clusters = append(in.Clusters, cluster("prod.us-1", notReady), cluster("prod.us-2", notReady),
		cluster("prod.us-3", func(c *v1alpha1.Cluster) { c.SetConditions(xpv2.Unavailable()) }))
	in.NodePools = []v1alpha1.NodePool{{ObjectMeta: metav1.ObjectMeta{Namespace: "platform", Name: "prod.us-3.gpu"}}}
	in.NodePools[0].Spec.ForProvider = v1alpha1.NodePoolParameters{Cluster: "prod.us-3", Name: "gpu", Size: 4}
	in.NodePools[0].SetConditions(xpv2.Unavailable(), xpv2.ReconcileError(fmt.Errorf("class %q is not known", "gpu.huge"))) //nolint:err113 // Only printed.
	out["cluster-not-ready"] = in

	fleetHeld := func(h v1alpha1.RolloutHold) explain.Input {
		in := explain.Input{
			Kind: explain.Fleet, Namespace: "platform", Name: "prod", Now: controltest.Now, Held: &h,
			Claim:     claim("ClusterFleet", "False", "Blocked", h.Message+"; 2/2 clusters ready"),
			Composite: &explain.Resource{Kind: "XClusterFleet", Name: "prod-x2x4k"},
		}
		for i := range 2 {
			in.Clusters = append(in.Clusters, cluster(fmt.Sprintf("prod.eu-%d", i)))
		}
		return in
	}
	out["fleet-edited-by-hand"] = fleetHeld(v1alpha1.RolloutHold{
		Message:     "held back: the claim was edited since change ops/claims-41: open a merge request with what it says now, or set it back",
		ClaimDigest: strings.Repeat("e1", 32), Granted: strings.Repeat("a0", 32), Change: "ops/claims-41",
	})
	out["fleet-no-change-carries-it"] = fleetHeld(v1alpha1.RolloutHold{
		Message: "held back: no approved change carries this claim: open a merge request with it", ClaimDigest: strings.Repeat("e1", 32),
	})

	out["absent"] = explain.Input{Kind: explain.Application, Namespace: "team-a", Name: "shop", Now: controltest.Now}
	return out
}

// TestStories explains what can go wrong. Read the files in testdata to learn how.
func TestStories(t *testing.T) {
	for name, in := range stories() {
		t.Run(name, func(t *testing.T) {
			got := screen.Screen{}.Render(Lines(explain.Explain(in)), false)
			file := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", file, diff)
			}
		})
	}
}
