package release

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// content of a Bundle, put on the hub.
func (h *harness) content(c bundle.Content) string {
	h.t.Helper()
	sealed, err := bundle.New(application, c)
	h.must(err)
	for _, b := range sealed {
		b.SetNamespace(tenant)
		b.SetUID(types.UID(b.Spec.Digest))
		h.must(client.IgnoreAlreadyExists(h.hub.Create(h.ctx, b)))
	}
	return sealed[0].GetName()
}

// wants makes the Release want a content, in an epoch.
func (h *harness) wants(epoch int64, c bundle.Content) {
	h.t.Helper()
	name := h.content(c)
	h.update(func(r *v1alpha1.Release) { r.Spec.ForProvider.Bundle, r.Spec.ForProvider.Epoch = name, epoch })
}

// with returns a harness with a Release that wants a content.
func with(t *testing.T, c bundle.Content) *harness {
	t.Helper()
	h := newHarness(t, newCluster())
	h.must(h.hub.Create(h.ctx, newRelease(h.content(c))))
	return h
}

func data(u *unstructured.Unstructured, key string) any {
	if u == nil {
		return nil
	}
	v, _, _ := unstructured.NestedFieldNoCopy(u.Object, "data", key)
	return v
}

func TestBindsFacts(t *testing.T) {
	h := started(t, component(t, "web", nil, configMap("a", `"${cluster.registry}/web"`), configMap("b", `"$${HOME}"`)))
	r := h.settle()
	if _, m := condition(r, "Synced"); !strings.Contains(m, `cannot bind what is known of cluster "prod.eu-1": component "web": ConfigMap "a": data.key: cannot evaluate "cluster.registry": no such key: registry; there are cluster.fleet, cluster.name, cluster.namespace`) || h.farWrites != 0 {
		t.Errorf("what is not known is named, and nothing is applied: got %q, %d writes", m, h.farWrites)
	}
	registry := func(name string) {
		h.updateCluster(func(c *v1alpha1.Cluster) { c.Spec.ForProvider.Facts = map[string]string{"registry": name} })
	}
	registry("one.example")
	r = h.settle()
	if got := []any{data(h.live(configMapRef("a")), "key"), data(h.live(configMapRef("b")), "key")}; !cmp.Equal(got, []any{"one.example/web", "${HOME}"}) {
		t.Errorf("facts are bound, and the escape comes off: got %v", got)
	}
	applied, writes := r.Status.AtProvider.Applied, h.farWrites
	registry("two.example")
	r = h.settle()
	if got := data(h.live(configMapRef("a")), "key"); got != "two.example/web" || h.farWrites != writes+1 || r.Status.AtProvider.Applied == applied {
		t.Errorf("a fact that changes is applied, and only what has it: got %v, %d writes", got, h.farWrites-writes)
	}
}

func TestGivesOutputs(t *testing.T) {
	db := component(t, "db", nil, deployment("db", "pg"), configMap("db", "x"))
	db.Outputs = []bundle.Output{{Name: "replicas", ValueFrom: "object.status.readyReplicas"}}
	h := started(t, db, component(t, "web", []string{"db"}, configMap("web", `"${outputs.replicas} ready"`)))
	h.settle()
	if h.live(configMapRef("web")) != nil {
		t.Fatal("what needs an output waits for it")
	}
	h.run("db")
	r := h.settle()
	if got := data(h.live(configMapRef("web")), "key"); got != "1 ready" || r.Status.AtProvider.Health != v1alpha1.Healthy {
		t.Fatalf("once the component is healthy its output is bound: got %v, %+v", got, r.Status.AtProvider)
	}
	writes := h.farWrites
	h.restart(h.hub.Scheme())
	h.settle()
	if h.farWrites != writes {
		t.Errorf("a restart reads it again, and applies nothing: got %d writes", h.farWrites-writes)
	}
}

func TestHealthRule(t *testing.T) {
	web := component(t, "web", nil, configMap("a", "x"))
	web.Health = &bundle.Health{Healthy: `object.data.?state.orValue("") == "up"`, Degraded: `object.data.?state.orValue("") == "broken"`, Message: `"state is " + object.data.?state.orValue("unknown")`}
	h := started(t, web)
	for _, step := range []struct {
		state string
		want  v1alpha1.ComponentHealth
	}{
		{"", v1alpha1.ComponentHealth{Name: "web", Health: v1alpha1.Progressing, Message: "ConfigMap a: state is unknown"}},
		{"broken", v1alpha1.ComponentHealth{Name: "web", Health: v1alpha1.Degraded, Message: "ConfigMap a: state is broken"}},
		{"up", v1alpha1.ComponentHealth{Name: "web", Health: v1alpha1.Healthy}},
	} {
		h.settle()
		if step.state != "" {
			h.edit(configMapRef("a"), func(u *unstructured.Unstructured) { u.Object["data"].(map[string]any)["state"] = step.state })
		}
		h.clock.SetTime(h.clock.Now().Add(quiet))
		if diff := cmp.Diff([]v1alpha1.ComponentHealth{step.want}, h.settle().Status.AtProvider.Components); diff != "" {
			t.Errorf("the definition's rule decides: -want, +got:\n%s", diff)
		}
	}
}

func TestPolicies(t *testing.T) {
	put := func(h *harness, name, value string) {
		u := parse(h.t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: `+name+`, namespace: team-a}, data: {key: `+value+`}}`)
		h.must(h.far.Create(h.ctx, &u))
	}
	edit := func(h *harness, name string) {
		h.edit(configMapRef(name), func(u *unstructured.Unstructured) { u.Object["data"].(map[string]any)["key"] = "edited" })
	}
	all := []bundle.ObjectSelector{{}}
	two := func(h *harness, value string) []bundle.Component {
		return []bundle.Component{component(h.t, "web", nil, configMap("a", value), configMap("b", value))}
	}
	cases := map[string]struct {
		reason   string
		policies *bundle.Policies
		before   func(h *harness)
		// dropped is true where the next revision has no b.
		dropped bool
		// want of a and b: after the first revision, after edits, after the second
		// revision, and after the end.
		want [4][2]any
		says string
	}{
		"None": {
			reason: "What is edited is repaired, what is dropped goes, and in the end all does.",
			want:   [4][2]any{{"one", "one"}, {"one", "one"}, {"two", nil}, {nil, nil}}, dropped: true,
		},
		"Foreign": {
			reason: "What was there before is not taken over silently.",
			before: func(h *harness) { put(h, "a", "theirs") },
			want:   [4][2]any{{"theirs", nil}, {"edited", nil}, {"edited", nil}, {"edited", nil}},
			says:   `ConfigMap "a" in namespace "team-a" of cluster "prod.eu-1" is there already and is no application's: give it another name, remove it there, or select it with a take-over policy to make it this application's`,
		},
		"TakeOver": {
			reason: "It is where a policy says so.", policies: &bundle.Policies{TakeOver: all},
			before: func(h *harness) { put(h, "a", "theirs") },
			want:   [4][2]any{{"one", "one"}, {"one", "one"}, {"two", "two"}, {nil, nil}},
		},
		"ReadOnly": {
			reason: "What may only be looked at is never written, nor removed.", policies: &bundle.Policies{ReadOnly: []bundle.ObjectSelector{{Names: []string{"a"}}}},
			before: func(h *harness) { put(h, "a", "theirs") },
			want:   [4][2]any{{"theirs", "one"}, {"edited", "one"}, {"edited", "two"}, {"edited", nil}},
		},
		"ApplyOnce": {
			reason: "What is applied once is left alone then.", policies: &bundle.Policies{ApplyOnce: []bundle.ApplyOnce{{Selector: bundle.ObjectSelector{Names: []string{"a"}}}}},
			want: [4][2]any{{"one", "one"}, {"edited", "one"}, {"edited", "two"}, {nil, nil}},
		},
		"ApplyOncePath": {
			reason: "A field alone is too.", policies: &bundle.Policies{ApplyOnce: []bundle.ApplyOnce{{Selector: bundle.ObjectSelector{Names: []string{"a"}}, Paths: []string{"data.key"}}}},
			want: [4][2]any{{"one", "one"}, {"edited", "one"}, {"edited", "two"}, {nil, nil}},
		},
		"KeepLegacy": {
			reason: "What is dropped may stay, and goes in the end.", policies: &bundle.Policies{GarbageCollect: &bundle.GarbageCollect{KeepLegacy: true}}, dropped: true,
			want: [4][2]any{{"one", "one"}, {"one", "one"}, {"two", "one"}, {nil, nil}},
		},
		"OnAppDelete": {
			reason: "So may some of it.", policies: &bundle.Policies{GarbageCollect: &bundle.GarbageCollect{Rules: []bundle.GarbageCollectRule{{Selector: bundle.ObjectSelector{Names: []string{"b"}}, Strategy: "onAppDelete"}}}}, dropped: true,
			want: [4][2]any{{"one", "one"}, {"one", "one"}, {"two", "one"}, {nil, nil}},
		},
		"Never": {
			reason: "Or for ever.", policies: &bundle.Policies{GarbageCollect: &bundle.GarbageCollect{Rules: []bundle.GarbageCollectRule{{Strategy: "never"}}}}, dropped: true,
			want: [4][2]any{{"one", "one"}, {"one", "one"}, {"two", "one"}, {"two", "one"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, newCluster())
			if tc.before != nil {
				tc.before(h)
			}
			is := func(when int) {
				t.Helper()
				got := [2]any{data(h.live(configMapRef("a")), "key"), data(h.live(configMapRef("b")), "key")}
				if diff := cmp.Diff(tc.want[when], got); diff != "" {
					t.Errorf("\n%s\nturn %d: -want, +got:\n%s", tc.reason, when, diff)
				}
			}
			h.must(h.hub.Create(h.ctx, newRelease(h.content(bundle.Content{Components: two(h, "one"), Policies: tc.policies}))))
			r := h.settle()
			is(0)
			if _, m := condition(r, "Synced"); tc.says != "" && !strings.Contains(m, tc.says) {
				t.Errorf("\n%s\nwant %q\ngot %q", tc.reason, tc.says, m)
			}
			edit(h, "a")
			if tc.says == "" {
				edit(h, "b")
			}
			h.settle()
			is(1)
			next := two(h, "two")
			if tc.dropped {
				next[0].Objects = next[0].Objects[:1]
			}
			h.wants(0, bundle.Content{Components: next, Policies: tc.policies})
			h.settle()
			is(2)
			h.must(h.hub.Delete(h.ctx, newRelease("")))
			for range 4 {
				if r = h.reconcile(); r == nil {
					break
				}
			}
			is(3)
		})
	}
}

func TestUpgrades(t *testing.T) {
	const savepoint = `{apiVersion: batch/v1, kind: Job, metadata: {name: savepoint}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: s}]}}}}`
	const savepointRef = `{apiVersion: batch/v1, kind: Job, metadata: {name: savepoint, namespace: team-a}}`
	flink := func(version, value string) bundle.Content {
		c := component(t, "job", nil, configMap("a", value))
		c.Version = version
		c.Procedure = []bundle.ProcedureStep{
			{Name: "pause", Patches: []bundle.ObjectPatch{{Kind: "ConfigMap", Name: "a", Patch: map[string]any{"data": map[string]any{"paused": "yes"}}}}},
			{Name: "only-1", When: `from.startsWith("1.")`, Until: "false", Timeout: &metav1.Duration{Duration: time.Minute}},
			{Name: "save", Apply: []unstructured.Unstructured{parse(t, savepoint)}, Until: "applied.all(j, j.status.succeeded == 1)", Timeout: &metav1.Duration{Duration: time.Hour}},
		}
		return bundle.Content{Components: []bundle.Component{c}}
	}
	finish := func(h *harness) {
		u := h.live(savepointRef)
		u.Object["status"] = map[string]any{"succeeded": int64(1), "conditions": []any{map[string]any{"type": "Complete", "status": "True"}}}
		h.must(h.far.Status().Update(h.ctx, u))
	}
	h := with(t, flink("2.0.0", "one"))
	r := h.settle()
	if r.Status.AtProvider.Health != v1alpha1.Healthy || r.Status.AtProvider.Components[0].Version != "2.0.0" || h.live(savepointRef) != nil || h.farWrites != 1 {
		t.Fatalf("what is new is applied without further ado: got %+v, %d writes", r.Status.AtProvider, h.farWrites)
	}
	h.edit(configMapRef("a"), func(u *unstructured.Unstructured) { u.Object["data"].(map[string]any)["key"] = "edited" })
	if h.settle(); h.live(savepointRef) != nil {
		t.Fatal("what somebody changed is repaired without further ado")
	}

	h.wants(1, flink("2.1.0", "two"))
	r = h.settle()
	live := h.live(configMapRef("a"))
	if data(live, "paused") != "yes" || data(live, "key") != "one" || h.live(savepointRef) == nil {
		t.Fatalf("first the steps are taken: got %v", live)
	}
	if p := r.Status.AtProvider.Procedures; len(p) != 1 || p[0].Step != "save" || p[0].From != "2.0.0" || p[0].To != "2.1.0" {
		t.Errorf("which step it is is on record: got %+v", p)
	}
	h.clock.SetTime(h.clock.Now().Add(quiet))
	if r = h.settle(); r.Status.AtProvider.Components[0].Message != `step "save" of its upgrade procedure waits until applied.all(j, j.status.succeeded == 1)` && !strings.Contains(r.Status.AtProvider.Message, "cannot tell yet") {
		t.Errorf("and what it waits for: got %+v", r.Status.AtProvider.Components)
	}
	writes, job := h.farWrites, h.live(savepointRef).GetUID()
	h.restart(h.hub.Scheme())
	h.settle()
	if h.farWrites != writes || h.live(savepointRef).GetUID() != job {
		t.Errorf("a restart goes on with it, and does nothing twice: got %d writes", h.farWrites-writes)
	}
	finish(h)
	r = h.settle()
	at := r.Status.AtProvider
	if data(h.live(configMapRef("a")), "key") != "two" || at.Health != v1alpha1.Healthy || at.Components[0].Version != "2.1.0" || len(at.Procedures) != 0 || h.live(savepointRef) != nil {
		t.Fatalf("then the objects are applied, and what the steps brought goes: got %+v, %v", at, h.live(savepointRef))
	}

	h.wants(2, flink("2.2.0", "three"))
	h.settle()
	h.clock.SetTime(h.clock.Now().Add(time.Hour))
	r = h.settle()
	if _, m := condition(r, "Synced"); r.Status.AtProvider.Health != v1alpha1.Degraded || !strings.Contains(m, `step "save" of its upgrade procedure has failed: it took more than 1h0m0s`) || data(h.live(configMapRef("a")), "key") != "two" {
		t.Errorf("a step that takes too long fails, by name: got %s, %q", r.Status.AtProvider.Health, m)
	}
	stale := h.live(savepointRef).GetAnnotations()[v1alpha1.AnnotationProcedure]
	h.wants(3, flink("2.2.1", "four"))
	h.settle()
	if now := h.live(savepointRef); now == nil || now.GetAnnotations()[v1alpha1.AnnotationProcedure] == stale {
		t.Errorf("the next revision begins anew, with objects of its own: got %v", now)
	}
	h.wants(4, flink("2.1.0", "two"))
	if r = h.settle(); r.Status.AtProvider.Health != v1alpha1.Healthy || data(h.live(configMapRef("a")), "key") != "two" || h.live(savepointRef) != nil || len(r.Status.AtProvider.Procedures) != 0 {
		t.Errorf("the way back to what is still there needs no step: got %+v", r.Status.AtProvider)
	}
}

func TestOpensParts(t *testing.T) {
	web := component(t, "web", nil)
	for _, n := range []string{"a", "b", "c"} {
		web.Objects = append(web.Objects, parse(t, configMap(n, strings.Repeat(n, 500<<10))))
	}
	h := with(t, bundle.Content{Components: []bundle.Component{web}})
	r := h.settle()
	if r.Status.AtProvider.Health != v1alpha1.Healthy || h.live(configMapRef("c")) == nil || !strings.HasPrefix(r.Spec.ForProvider.Bundle, "shop.") {
		t.Errorf("a Bundle in parts is one Bundle: got %+v", r.Status.AtProvider)
	}
}
