package rollout

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	pins "github.com/mainstay-dev/mainstay/internal/images"
	"github.com/mainstay-dev/mainstay/provider/images"
	"github.com/mainstay-dev/mainstay/provider/snapshot"
)

// A registered harness has a real registry, whose tags can be moved.
type registered struct {
	*harness

	server *httptest.Server
	down   bool
	// digests by what was pushed, such as web:1=good.
	digests map[string]string
}

// newRegistered returns three clusters in two regions, with a mirror each, and two Bundles.
func newRegistered(t *testing.T, strategy v1alpha1.RolloutStrategy) *registered {
	t.Helper()
	g := &registered{digests: map[string]string{}}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.down {
			w.WriteHeader(http.StatusBadRequest) // Nothing that is tried again at once.
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(g.server.Close)

	objects := []client.Object{}
	for i, region := range []string{"eu", "eu", "us"} {
		objects = append(objects, newCluster(fmt.Sprintf("c-%d", i+1), func(c *v1alpha1.Cluster) {
			c.SetUID(types.UID(fmt.Sprint(i)))
			c.Spec.ForProvider.Facts = map[string]string{"registry": g.at() + "/" + region}
		}))
	}
	names := map[string]string{}
	for _, tag := range []string{"1", "2"} {
		u := unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web"},
			"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "web", "image": "${cluster.registry}/web:" + tag}}}}},
		}}
		sealed, err := bundle.New("shop", bundle.Content{Components: []bundle.Component{{Name: "web", Objects: []unstructured.Unstructured{u}}}})
		if err != nil {
			t.Fatal(err)
		}
		sealed[0].SetNamespace(tenant)
		sealed[0].SetUID(types.UID("bundle-" + tag))
		names[tag] = sealed[0].GetName()
		objects = append(objects, sealed[0])
		for _, region := range []string{"eu", "us"} {
			g.push(t, region+"/web:"+tag, "good")
		}
	}
	g.harness = newHarness(t, append(objects, newRollout(func(ro *v1alpha1.Rollout) {
		ro.Spec.ForProvider.Strategy = strategy
		ro.Spec.ForProvider.Variants[0].Bundle = names["1"]
		ro.SetAnnotations(names)
	}))...)
	g.restart()
	return g
}

func (g *registered) at() string { return strings.TrimPrefix(g.server.URL, "http://") }

// restart the provider: it forgets all that it has not written.
func (g *registered) restart() {
	started := g.r.client
	g.r = NewReconciler(started, g.hub, g.clock, nil)
	g.r.images = images.New(g.hub, snapshot.NewImages(g.clock, http.DefaultTransport))
}

// push an image under a tag, wherever that was before.
func (g *registered) push(t *testing.T, image, author string) {
	t.Helper()
	ref, err := name.ParseReference(g.at() + "/" + image)
	if err != nil {
		t.Fatal(err)
	}
	i, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{Author: author + image})
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, i); err != nil {
		t.Fatal(err)
	}
	d, err := i.Digest()
	if err != nil {
		t.Fatal(err)
	}
	g.digests[d.String()] = author
}

// running says what each Release is to run.
func (g *registered) running() []string {
	g.t.Helper()
	l := &v1alpha1.ReleaseList{}
	g.must(g.hub.List(g.t.Context(), l, client.InNamespace(tenant)))
	var out []string
	for _, r := range l.Items {
		said := strings.TrimPrefix(r.GetName(), "shop.platform.prod.")
		for _, i := range r.Spec.ForProvider.Images {
			said += " " + strings.TrimPrefix(i.Image, g.at()+"/") + "=" + g.digests[i.Digest]
		}
		out = append(out, said)
	}
	slices.Sort(out)
	return out
}

// finish what Releases have to do.
func (g *registered) finish() {
	g.t.Helper()
	l := &v1alpha1.ReleaseList{}
	g.must(g.hub.List(g.t.Context(), l, client.InNamespace(tenant)))
	for i := range l.Items {
		r := &l.Items[i]
		r.Status.AtProvider = v1alpha1.ReleaseObservation{
			Bundle: r.Spec.ForProvider.Bundle, Namespace: r.Spec.ForProvider.Namespace, Images: pins.Identity(r.Spec.ForProvider.Images), Health: v1alpha1.Healthy,
		}
		r.SetConditions(xpv2.Available().WithObservedGeneration(r.GetGeneration()), xpv2.ReconcileSuccess().WithObservedGeneration(r.GetGeneration()))
		g.must(g.hub.Status().Update(g.t.Context(), r))
	}
}

func (g *registered) untilDone() *v1alpha1.Rollout {
	g.t.Helper()
	for range 10 {
		ro := g.reconcile()
		if ro.Status.AtProvider.Phase == v1alpha1.RolloutCompleted || ro.Status.AtProvider.Phase == v1alpha1.RolloutRolledBack {
			return ro
		}
		g.finish()
	}
	g.t.Fatalf("it does not end: %s", g.rollout().Status.AtProvider.Message)
	return nil
}

func (g *registered) wants(tag string) {
	g.update(func(ro *v1alpha1.Rollout) {
		ro.Spec.ForProvider.Variants = []v1alpha1.Variant{{Bundle: ro.GetAnnotations()[tag]}}
	})
}

func (g *registered) expect(reason string, want ...string) {
	g.t.Helper()
	if diff := cmp.Diff(want, g.running()); diff != "" {
		g.t.Errorf("\n%s\n-want, +got:\n%s", reason, diff)
	}
}

func oneByOne(images v1alpha1.ImageMode) v1alpha1.RolloutStrategy {
	s := newRollout().Spec.ForProvider.Strategy
	s.MaxConcurrent.IntVal, s.Images = 1, images
	return s
}

// TestTagMoves moves tags while a rollout is on its way, kills the provider, and goes back.
func TestTagMoves(t *testing.T) {
	g := newRegistered(t, oneByOne(""))
	g.reconcile()
	g.expect("The first cluster gets what the tag means.", "c-1 eu/web:1=good")
	writes := g.writes

	g.push(t, "eu/web:1", "moved")
	g.clock.SetTime(g.clock.Now().Add(time.Hour))
	g.restart()
	g.untilDone()
	g.expect("So do the others, although it means something else now and the provider was killed.",
		"c-1 eu/web:1=good", "c-2 eu/web:1=good", "c-3 us/web:1=good")
	if writes != 1 {
		t.Errorf("what images are is written with what is written anyway: want 1 status, got %d", writes)
	}

	g.wants("2")
	g.untilDone()
	g.expect("Another revision has other images.", "c-1 eu/web:2=good", "c-2 eu/web:2=good", "c-3 us/web:2=good")

	g.restart()
	g.update(func(ro *v1alpha1.Rollout) {
		ro.Spec.ForProvider.Control = &v1alpha1.RolloutControl{Rollback: ro.Status.AtProvider.Digest}
	})
	if ro := g.untilDone(); ro.Status.AtProvider.Phase != v1alpha1.RolloutRolledBack {
		t.Fatalf("want it to be rolled back, got %s", ro.Status.AtProvider.Message)
	}
	g.expect("A rollback brings back what ran, whatever the tag means now.",
		"c-1 eu/web:1=good", "c-2 eu/web:1=good", "c-3 us/web:1=good")

	before := g.writes
	for range 3 {
		g.reconcile()
	}
	if g.writes != before {
		t.Errorf("what is there is not written again: got %d writes", g.writes-before)
	}
}

// TestRegistryDown rolls out while nobody can be asked.
func TestRegistryDown(t *testing.T) {
	g := newRegistered(t, oneByOne(v1alpha1.ImagesResolve))
	g.down = true
	ro := g.reconcile()
	g.expect("Who does not insist gets what is written.", "c-1")
	want := []v1alpha1.ResolvedImage{
		{Image: g.at() + "/eu/web:1", Message: "the registry cannot be asked now"}, {Image: g.at() + "/us/web:1", Message: "the registry cannot be asked now"},
	}
	if diff := cmp.Diff(want, ro.Status.AtProvider.Images.Images); diff != "" {
		t.Errorf("and is told: -want, +got:\n%s", diff)
	}
	g.down = false
	g.finish()
	g.untilDone()
	g.expect("All clusters get the same, also those whose turn comes when the registry is back.", "c-1", "c-2", "c-3")

	g = newRegistered(t, oneByOne(v1alpha1.ImagesRequire))
	g.down = true
	ro = g.reconcile()
	if len(g.running()) > 0 || ro.Status.AtProvider.Phase != v1alpha1.RolloutBlocked {
		t.Errorf("who insists waits: got %s, %v", ro.Status.AtProvider.Phase, g.running())
	}
	if said := `for image "` + g.at() + `/eu/web:1" to be resolved, which the strategy requires: the registry cannot be asked now`; !strings.Contains(ro.Status.AtProvider.Message, said) {
		t.Errorf("and is told why: got %q", ro.Status.AtProvider.Message)
	}
	g.down = false
	g.clock.SetTime(g.clock.Now().Add(time.Minute))
	g.untilDone()
	g.expect("Once it answers all get digests.", "c-1 eu/web:1=good", "c-2 eu/web:1=good", "c-3 us/web:1=good")
}

// TestImageOfLateCluster is a cluster that joins with a registry of its own, and one whose
// registry nobody knows.
func TestImageOfLateCluster(t *testing.T) {
	g := newRegistered(t, oneByOne(""))
	g.untilDone()
	g.push(t, "ap/web:1", "late")
	late := newCluster("c-4", func(c *v1alpha1.Cluster) { c.Spec.ForProvider.Facts = map[string]string{"registry": g.at() + "/ap"} })
	late.SetUID("4")
	blind := newCluster("c-5")
	blind.SetUID("5")
	for _, c := range []*v1alpha1.Cluster{late, blind} {
		g.must(g.hub.Create(t.Context(), c))
	}
	g.untilDone()
	g.expect("What it brings is asked for when it comes, and what cannot be told is left to its Release.",
		"c-1 eu/web:1=good", "c-2 eu/web:1=good", "c-3 us/web:1=good", "c-4 ap/web:1=late", "c-5")
	if got := len(g.rollout().Status.AtProvider.Reached.Images); got != 3 {
		t.Errorf("it can be gone back to, too: got %d images", got)
	}
}
