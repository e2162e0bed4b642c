package plan

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/placement"
)

// an application that is placed on some clusters.
func placed(name, digest string, c bundle.Content, clusters ...string) Rendered {
	r := Rendered{Rollout: &v1alpha1.Rollout{}, Contents: map[string]bundle.Content{name + "." + digest: c}}
	r.ClaimReference = v1alpha1.ClaimReference{APIVersion: "mainstay.dev/v1alpha1", Kind: "ProductApplication", Namespace: "team", Name: name}
	r.Digest, r.File = digest, name+".yaml"
	r.Rollout.Spec.ForProvider = v1alpha1.RolloutParameters{Application: name, Variants: []v1alpha1.Variant{{Bundle: name + "." + digest}}}
	for _, c := range clusters {
		r.Targets = append(r.Targets, placement.Target{
			Cluster: v1alpha1.ClusterReference{Namespace: "platform", Name: "f." + c}, Fleet: "f", Name: c, Namespace: "team",
		})
	}
	return r
}

func side(claims ...Rendered) Side { return Side{Claims: claims} }

func planOf(t testing.TB, before, after bundle.Content) Plan {
	t.Helper()
	p, err := Build(side(placed("shop", "1", before, "a")), side(placed("shop", "2", after, "a")), Observed{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func web(t testing.TB, image string, replicas int) bundle.Content {
	t.Helper()
	return content(object(t, fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":%d,"template":{"spec":{"containers":[{"name":"web","image":%q}]}}}}`, replicas, image)))
}

// TestVerbs of single objects, with how they are taken back.
func TestVerbs(t *testing.T) {
	const meta = `"metadata":{"name":"x"}`
	cases := map[string]struct {
		reason        string
		before, after string
		verb          Verb
		class         Class
		risk          v1alpha1.RiskLevel
	}{
		"Create":          {"What is made is deleted again.", ``, `{"apiVersion":"v1","kind":"ConfigMap",` + meta + `}`, Create, Auto, v1alpha1.RiskLow},
		"Job":             {"What a Job did stays done.", ``, `{"apiVersion":"batch/v1","kind":"Job",` + meta + `}`, Create, ForwardOnly, v1alpha1.RiskHigh},
		"Delete":          {"What is in Git is made again.", `{"apiVersion":"v1","kind":"ConfigMap",` + meta + `}`, ``, Delete, Auto, v1alpha1.RiskMedium},
		"DeleteVolume":    {"Data is not.", `{"apiVersion":"v1","kind":"PersistentVolumeClaim",` + meta + `}`, ``, Delete, Irreversible, v1alpha1.RiskCritical},
		"DeleteNamespace": {"Nor is what else was in a namespace.", `{"apiVersion":"v1","kind":"Namespace",` + meta + `}`, ``, Delete, Irreversible, v1alpha1.RiskCritical},
		"DeleteKind":      {"All objects of the kind go with it.", `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",` + meta + `}`, ``, Delete, Irreversible, v1alpha1.RiskCritical},
		"DeleteCustom":    {"Nobody here knows what its operator does.", `{"apiVersion":"flink.apache.org/v1beta1","kind":"FlinkDeployment",` + meta + `}`, ``, Delete, Manual, v1alpha1.RiskMedium},
		"DeleteStateful":  {"Its volumes stay.", `{"apiVersion":"apps/v1","kind":"StatefulSet",` + meta + `,"spec":{"volumeClaimTemplates":[{}]}}`, ``, Delete, Manual, v1alpha1.RiskMedium},
		"DeleteWithData":  {"Unless it says that they do not.", `{"apiVersion":"apps/v1","kind":"StatefulSet",` + meta + `,"spec":{"persistentVolumeClaimRetentionPolicy":{"whenDeleted":"Delete"},"volumeClaimTemplates":[{}]}}`, ``, Delete, Irreversible, v1alpha1.RiskCritical},
		"Scale":           {"Only the number changes.", `{"apiVersion":"apps/v1","kind":"Deployment",` + meta + `,"spec":{"replicas":1}}`, `{"apiVersion":"apps/v1","kind":"Deployment",` + meta + `,"spec":{"replicas":3}}`, Scale, Auto, v1alpha1.RiskLow},
		"Restart":         {"Only an annotation of the pods changes.", `{"apiVersion":"apps/v1","kind":"Deployment",` + meta + `,"spec":{"template":{"metadata":{"annotations":{"at":"1"}}}}}`, `{"apiVersion":"apps/v1","kind":"Deployment",` + meta + `,"spec":{"template":{"metadata":{"annotations":{"at":"2"}}}}}`, Restart, Auto, v1alpha1.RiskLow},
		"Replace":         {"A selector cannot change in place.", `{"apiVersion":"apps/v1","kind":"Deployment",` + meta + `,"spec":{"selector":{"a":"1"}}}`, `{"apiVersion":"apps/v1","kind":"Deployment",` + meta + `,"spec":{"selector":{"a":"2"}}}`, Replace, Manual, v1alpha1.RiskHigh},
		"Grow":            {"A volume does not shrink again.", `{"apiVersion":"v1","kind":"PersistentVolumeClaim",` + meta + `,"spec":{"resources":{"requests":{"storage":"1Gi"}}}}`, `{"apiVersion":"v1","kind":"PersistentVolumeClaim",` + meta + `,"spec":{"resources":{"requests":{"storage":"2Gi"}}}}`, Update, ForwardOnly, v1alpha1.RiskHigh},
		"Rights":          {"Rights are never small.", ``, `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole",` + meta + `}`, Create, Auto, v1alpha1.RiskHigh},
		"Version":         {"Another version of the same group is the same object.", `{"apiVersion":"example.org/v1","kind":"Thing",` + meta + `}`, `{"apiVersion":"example.org/v2","kind":"Thing",` + meta + `}`, Update, Auto, v1alpha1.RiskLow},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			sides := [2]bundle.Content{}
			for i, text := range []string{tc.before, tc.after} {
				sides[i] = content()
				if text != "" {
					sides[i] = content(object(t, text))
				}
			}
			p := planOf(t, sides[0], sides[1])
			if len(p.Actions) != 1 {
				t.Fatalf("\n%s\n%d actions", tc.reason, len(p.Actions))
			}
			a := p.Actions[0]
			got := []any{a.Verb, a.Reverse.Class, p.Risk.Level, p.Risk.TwoPersons}
			if diff := cmp.Diff([]any{tc.verb, tc.class, tc.risk, tc.class == Irreversible}, got); diff != "" {
				t.Errorf("\n%s\nBuild(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestObserved: what clusters run counts, and not what Git says that they run.
func TestObserved(t *testing.T) {
	old, now, next := web(t, "web:1", 2), web(t, "web:2", 2), web(t, "web:3", 2)
	release := func(cluster, bundle string) v1alpha1.Release {
		r := v1alpha1.Release{}
		r.SetNamespace("team")
		r.Spec.ForProvider = v1alpha1.ReleaseParameters{ClusterRef: v1alpha1.ClusterReference{Namespace: "platform", Name: "f." + cluster}, Application: "shop", Bundle: bundle, Namespace: "team"}
		r.Status.AtProvider = v1alpha1.ReleaseObservation{Bundle: bundle, Namespace: "team"}
		return r
	}
	o := Observed{
		Known:    true,
		Releases: []v1alpha1.Release{release("a", "shop.2"), release("b", "shop.1"), release("c", "shop.0"), release("gone", "shop.2")},
		Contents: map[string]bundle.Content{"team/shop.1": old},
	}
	p, err := Build(side(placed("shop", "2", now, "a", "b", "c", "d")), side(placed("shop", "3", next, "a", "b", "c", "d")), o, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range p.Actions {
		line := string(a.Verb) + on(p, a.Set, a.Clusters)
		for _, f := range a.Fields {
			line += " " + fieldText(f)
		}
		got = append(got, line+" "+a.Reason)
	}
	image := "spec.template.spec.containers[web].image: "
	want := []string{
		"create on 1 cluster: f.d ",
		"update on 1 cluster: f.c what clusters have now is not known: bundle shop.0",
		"update on 1 cluster: f.b " + image + "web:1 becomes web:3 ",
		"delete on 1 cluster: f.gone ",
		"update on 1 cluster: f.a " + image + "web:2 becomes web:3 ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Build(...): -want, +got:\n%s", diff)
	}
	if p.Blast.Unknown != 1 || p.Claims[0].Removes != 1 || !p.TokenNeeded() {
		t.Errorf("unknown %d, removes %d", p.Blast.Unknown, p.Claims[0].Removes)
	}
}

// TestDigest is of what a plan does, and of nothing else.
func TestDigest(t *testing.T) {
	a, b := web(t, "web:1", 2), web(t, "web:2", 2)
	build := func(after Rendered, o Options) string {
		p, err := Build(side(placed("shop", "1", a, "a", "b")), side(after), Observed{}, o)
		if err != nil {
			t.Fatal(err)
		}
		return p.Digest
	}
	first := build(placed("shop", "2", b, "a", "b"), Options{})
	if got := build(placed("shop", "2", b, "b", "a"), Options{Source: Source{Title: "x", Head: "y"}}); got != first {
		t.Error("title, head and the order of clusters make another plan")
	}
	for what, other := range map[string]Rendered{
		"content":  placed("shop", "2", web(t, "web:3", 2), "a", "b"),
		"clusters": placed("shop", "2", b, "a"),
		"claim":    placed("shop", "3", b, "a", "b"),
	} {
		if build(other, Options{}) == first {
			t.Errorf("another %s makes the same plan", what)
		}
	}
	waves := placed("shop", "2", b, "a", "b")
	one := int32(1)
	waves.Rollout.Spec.ForProvider.Strategy.Waves = []v1alpha1.Wave{{Name: "first", Canary: &one}, {Name: "rest"}}
	if build(waves, Options{}) == first {
		t.Error("another order makes the same plan")
	}
}

// TestSeal: what is sealed is opened again, unless somebody touched it.
func TestSeal(t *testing.T) {
	p := planOf(t, web(t, "web:1", 1), web(t, "web:2", 1))
	o, err := Seal(p, "claims-7", "platform")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("Open(Seal(...)): -want, +got:\n%s", diff)
	}
	p.Actions[0].Verb = Delete
	forged, err := Seal(p, "claims-7", "platform")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(forged); err == nil {
		t.Error("a plan that was tampered with opens")
	}
}

// TestBroken claims block a plan: they never count as claims that ask for nothing.
func TestBroken(t *testing.T) {
	ok := placed("shop", "1", web(t, "web:1", 1), "a")
	broken := ok
	broken.Digest, broken.Problem = "2", "spec.components[0].type: there is no type websrvice"
	empty := placed("shop", "3", web(t, "web:1", 1))
	blocked := placed("shop", "4", web(t, "web:1", 1))
	blocked.Blocked = "no cluster lists namespace team"
	cases := map[string]struct {
		reason  string
		after   Side
		blocked string
		actions int
		guards  int
	}{
		"Refused":    {"A claim that cannot be rendered takes nothing away.", side(broken), "there is no type websrvice", 0, 0},
		"Placement":  {"One that cannot be placed neither.", side(blocked), "no cluster lists namespace team", 0, 0},
		"Definition": {"A definition that does not compile blocks all.", Side{Claims: []Rendered{ok}, Problems: []string{"trait x: broken"}}, "trait x: broken", 0, 0},
		"Empty":      {"One that is placed nowhere on purpose needs the token.", side(empty), "", 1, 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p, err := Build(side(ok), tc.after, Observed{}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if (tc.blocked == "") != (p.Blocked == "") || !strings.Contains(p.Blocked, tc.blocked) || len(p.Actions) != tc.actions || len(p.Guards) != tc.guards {
				t.Errorf("\n%s\nblocked %q, %d actions, %d guards", tc.reason, p.Blocked, len(p.Actions), len(p.Guards))
			}
			if tc.guards > 0 && !p.TokenNeeded() {
				t.Errorf("\n%s\nno token is needed", tc.reason)
			}
		})
	}
}

// TestMoved: a claim in another namespace is another one, and the first is taken away.
func TestMoved(t *testing.T) {
	was, is := placed("shop", "1", web(t, "web:1", 1), "a"), placed("shop", "2", web(t, "web:1", 1), "a")
	is.Namespace, is.Targets[0].Namespace = "other", "other"
	p, err := Build(side(was), side(is), Observed{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Claims) != 2 || p.Claims[0].From != "team" || p.Claims[1].Verb != Delete || !p.TokenNeeded() || p.Risk.Level != v1alpha1.RiskHigh {
		t.Errorf("plan is %s", p.Text())
	}
}

// TestCarry: what was written already stays in the plan.
func TestCarry(t *testing.T) {
	same := placed("shop", "1", web(t, "web:1", 1), "a")
	p, err := Build(side(same), side(same), Observed{}, Options{Carry: []v1alpha1.ClaimReference{same.ClaimReference}})
	if err != nil {
		t.Fatal(err)
	}
	if r := p.Record("claims-7"); len(r.Claims) != 1 {
		t.Errorf("Record(...) has %d claims", len(r.Claims))
	}
	// So does what an earlier head had, and neither side has: it stays away.
	if p, err = Build(Side{}, Side{}, Observed{Known: true}, Options{Carry: []v1alpha1.ClaimReference{same.ClaimReference}}); err != nil {
		t.Fatal(err)
	}
	if r := p.Record("claims-7"); len(r.Claims) != 1 || r.Claims[0].Digest != "" || len(r.Plan.Locks) != 1 {
		t.Errorf("Record(...): %+v", r)
	}
}

// TestFindingsOnce: what is found without looking at clusters, and on them as well, is one.
func TestFindingsOnce(t *testing.T) {
	bad := placed("shop", "1", web(t, "web:1", 1), "a")
	bad.Problem = "no"
	first, err := Build(Side{}, side(bad), Observed{}, Options{})
	if err != nil || len(first.Findings) != 1 {
		t.Fatalf("%v, findings %v", err, first.Findings)
	}
	other := v1alpha1.ChangeFinding{Cause: "C1", Message: "a Secret is missing"}
	p, err := Build(Side{}, side(bad), Observed{Findings: []v1alpha1.ChangeFinding{first.Findings[0], other}}, Options{})
	if err != nil || len(p.Findings) != 2 {
		t.Errorf("%v, findings %v", err, p.Findings)
	}
}

// thousand clusters with an application in four versions by now.
func thousand(t testing.TB, n int) (Side, Side, Observed) {
	t.Helper()
	var names []string
	o := Observed{Known: true, Contents: map[string]bundle.Content{}}
	for i := range n {
		name := fmt.Sprintf("eu-central-%04d", i)
		names = append(names, name)
		v := fmt.Sprintf("shop.v%d", i%4)
		o.Contents["team/"+v] = web(t, "web:"+v, 3)
		r := v1alpha1.Release{}
		r.SetNamespace("team")
		r.Spec.ForProvider = v1alpha1.ReleaseParameters{ClusterRef: v1alpha1.ClusterReference{Namespace: "platform", Name: "f." + name}, Application: "shop", Bundle: v, Namespace: "team"}
		r.Status.AtProvider = v1alpha1.ReleaseObservation{Bundle: v, Namespace: "team"}
		o.Releases = append(o.Releases, r)
		c := v1alpha1.Cluster{}
		c.SetNamespace("platform")
		c.SetName("f." + name)
		c.Spec.ForProvider = v1alpha1.ClusterParameters{Fleet: "f", Name: name, Region: fmt.Sprintf("r%d", i%9)}
		o.Clusters = append(o.Clusters, c)
	}
	after := placed("shop", "9", web(t, "web:9", 3), names...)
	one := int32(1)
	after.Rollout.Spec.ForProvider.Strategy.Waves = []v1alpha1.Wave{{Name: "canary", Canary: &one}, {Name: "rest"}}
	return side(placed("shop", "1", web(t, "web:1", 3), names...)), side(after), o
}

// TestThousand: a plan for a thousand clusters is small.
func TestThousand(t *testing.T) {
	before, after, o := thousand(t, 1000)
	p, err := Build(before, after, o, Options{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes, %d bytes of Markdown", len(raw), len(p.Markdown()))
	if len(raw) > v1alpha1.MaxPlanContentBytes || p.Left > 0 {
		t.Errorf("%d bytes, and %d details are left out", len(raw), p.Left)
	}
	if len(p.Markdown()) > MaxMarkdownBytes {
		t.Errorf("%d bytes of Markdown", len(p.Markdown()))
	}
	if len(p.Locks) != 1 || p.Locks[0].Clusters != nil {
		t.Errorf("locks are %v", p.Locks)
	}
}

// TestHuge: whatever the change is, the plan is bounded, and still named by its content.
func TestHuge(t *testing.T) {
	var before, after []Rendered
	for i := range MaxClaims {
		var objects, changed []string
		for j := range 20 {
			objects = append(objects, fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c-%d-%d"},"data":{"k":"%s"}}`, i, j, strings.Repeat("a", 300)))
			changed = append(changed, fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c-%d-%d"},"data":{"k":"%s"}}`, i, j, strings.Repeat("|@`<b", 60)))
		}
		contents := [2]bundle.Content{}
		for k, list := range [][]string{objects, changed} {
			c := content()
			for _, o := range list {
				c.Components[0].Objects = append(c.Components[0].Objects, object(t, o))
			}
			contents[k] = c
		}
		before = append(before, placed(fmt.Sprintf("app-%d", i), "1", contents[0], fmt.Sprintf("c%d", i)))
		after = append(after, placed(fmt.Sprintf("app-%d", i), "2", contents[1], fmt.Sprintf("c%d", i)))
	}
	p, err := Build(side(before...), side(after...), Observed{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > v1alpha1.MaxPlanContentBytes || p.Left == 0 || len(p.Markdown()) > MaxMarkdownBytes {
		t.Errorf("%d bytes, %d left out, %d bytes of Markdown", len(raw), p.Left, len(p.Markdown()))
	}
	if p.digest() != p.Digest {
		t.Error("digest is not of what is left")
	}
	if _, err := Build(Side{}, side(append(after, placed("one-more", "1", content(), "a"))...), Observed{}, Options{}); err == nil || !strings.Contains(err.Error(), "split it") {
		t.Errorf("Build(201 claims): %v", err)
	}
}

func BenchmarkBuild(b *testing.B) {
	before, after, o := thousand(b, 1000)
	for b.Loop() {
		if _, err := Build(before, after, o, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
