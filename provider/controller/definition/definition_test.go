package definition

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// charts answers as a registry does.
type charts struct {
	content []byte
	err     error
	pulled  int
}

func (c *charts) Pull(context.Context, string) ([]byte, error) {
	c.pulled++
	return c.content, c.err
}

// A hub with definitions, and their Reconciler.
type hub struct {
	t *testing.T
	client.Client
	*Reconciler
	charts *charts
}

func newHub(t *testing.T, kind string, objects ...client.Object) *hub {
	t.Helper()
	s := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(s), mv1alpha1.AddToScheme(s)); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(s).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.ComponentDefinition{}, &v1alpha1.TraitDefinition{}).Build()
	h := &hub{t: t, Client: c, charts: &charts{}}
	h.Reconciler = NewReconciler(c, h.charts, kind)
	return h
}

func (h *hub) reconcile(name string) reconcile.Result {
	h.t.Helper()
	out, err := h.Reconcile(h.t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Name: name}})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// component returns the definition as it is.
func (h *hub) component(name string) *v1alpha1.ComponentDefinition {
	h.t.Helper()
	d := &v1alpha1.ComponentDefinition{}
	if err := h.Get(h.t.Context(), types.NamespacedName{Name: name}, d); err != nil {
		h.t.Fatal(err)
	}
	return d
}

func (h *hub) edit(d client.Object, change func()) {
	h.t.Helper()
	change()
	// As the API server counts changes.
	d.SetGeneration(d.GetGeneration() + 1)
	if err := h.Update(h.t.Context(), d); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hub) delete(o client.Object) {
	h.t.Helper()
	if err := h.Delete(h.t.Context(), o); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hub) gone(o client.Object) bool {
	h.t.Helper()
	return kerrors.IsNotFound(h.Get(h.t.Context(), client.ObjectKeyFromObject(o), o))
}

func published(d *v1alpha1.ComponentDefinition) (reason, message string) {
	c := meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ConditionPublished)
	if c == nil {
		return "", ""
	}
	return c.Reason, c.Message
}

func thing(version, text string) *v1alpha1.ComponentDefinition {
	d := &v1alpha1.ComponentDefinition{ObjectMeta: metav1.ObjectMeta{Name: "thing", Generation: 1}}
	d.Spec = v1alpha1.ComponentDefinitionSpec{Version: version, Objects: []v1alpha1.ObjectTemplate{{Object: runtime.RawExtension{
		Raw: []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${context.name}"},"data":{"text":"` + text + `"}}`),
	}}}}
	return d
}

func usedBy(application, version string) *mv1alpha1.Bundle {
	return &mv1alpha1.Bundle{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: application + ".0"},
		Spec: mv1alpha1.BundleSpec{Application: application, Components: []mv1alpha1.BundleComponent{
			{Name: "a", Type: "thing", Version: version, Traits: []string{"shipper@1.0.0"}}, {Name: "b", Type: "worker"},
		}},
	}
}

func TestPublish(t *testing.T) {
	h := newHub(t, v1alpha1.ComponentDefinitionKind, thing("1.0.0", "one"))
	h.reconcile("thing")
	d := h.component("thing")
	if reason, _ := published(d); reason != v1alpha1.ReasonPublished {
		t.Fatalf("what is right is published: got %q", reason)
	}
	rev := &v1alpha1.DefinitionRevision{}
	if err := h.Get(t.Context(), types.NamespacedName{Name: "component.thing-v1.0.0"}, rev); err != nil {
		t.Fatal(err)
	}
	before := d.GetResourceVersion()
	h.reconcile("thing")
	if got := h.component("thing").GetResourceVersion(); got != before {
		t.Error("what is published is not written again")
	}

	h.edit(d, func() { d.Spec.Objects = thing("", "two").Spec.Objects })
	h.reconcile("thing")
	d = h.component("thing")
	if reason, message := published(d); reason != v1alpha1.ReasonVersionTaken || !strings.Contains(message, "raise the version") {
		t.Errorf("a version that was published does not change: got %q, %q", reason, message)
	}
	again := &v1alpha1.DefinitionRevision{}
	if err := h.Get(t.Context(), client.ObjectKeyFromObject(rev), again); err != nil || again.Spec.Digest != rev.Spec.Digest {
		t.Errorf("the revision stays as it was: %v", err)
	}

	h.edit(d, func() { d.Spec.Version = "1.1.0" })
	h.reconcile("thing")
	d = h.component("thing")
	want := []v1alpha1.PublishedVersion{{Version: "1.1.0", Revision: "component.thing-v1.1.0"}, {Version: "1.0.0", Revision: "component.thing-v1.0.0"}}
	if diff := cmp.Diff(want, d.Status.Versions); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}

	h.edit(d, func() {
		d.Spec.Version = "1.2.0"
		d.Spec.Objects = thing("", "${parameter.nothing}").Spec.Objects
	})
	h.reconcile("thing")
	h.reconcile("thing")
	d = h.component("thing")
	if reason, message := published(d); reason != v1alpha1.ReasonInvalid || !strings.Contains(message, "spec.objects[0].object.data.text") {
		t.Errorf("what is wrong is refused by its path: got %q, %q", reason, message)
	}
	if diff := cmp.Diff(want, d.Status.Versions); diff != "" {
		t.Errorf("what was published stays (-want +got):\n%s", diff)
	}
}

func TestInUse(t *testing.T) {
	h := newHub(t, v1alpha1.ComponentDefinitionKind, thing("1.0.0", "one"), usedBy("shop", "1.0.0"))
	h.reconcile("thing")
	d := h.component("thing")
	if diff := cmp.Diff([]v1alpha1.DefinitionUser{{Namespace: "team", Application: "shop", Version: "1.0.0"}}, d.Status.UsedBy); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}

	h.delete(d)
	h.reconcile("thing")
	d = h.component("thing")
	c := meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ConditionInUse)
	if c == nil || c.Message != "cannot be removed: used by team/shop; take its components out of them first" {
		t.Errorf("a definition in use is not removed, and says who has it: got %v", c)
	}
	if !d.Status.Versions[0].Withdrawn {
		t.Error("nobody else gets it any more")
	}

	h.delete(usedBy("shop", "1.0.0"))
	h.reconcile("thing")
	if !h.gone(d) {
		t.Fatal("once nobody has it, it goes")
	}
	// The garbage collector deletes revisions after their definition.
	rev := &v1alpha1.DefinitionRevision{ObjectMeta: metav1.ObjectMeta{Name: "component.thing-v1.0.0"}}
	h.delete(rev)
	if h.gone(rev) {
		t.Fatal("a revision is held until it was looked at")
	}
	h.reconcile("thing")
	if !h.gone(rev) {
		t.Error("so do its revisions")
	}
}

func TestWithdrawRevision(t *testing.T) {
	h := newHub(t, v1alpha1.ComponentDefinitionKind, thing("1.0.0", "one"), usedBy("shop", "1.0.0"))
	h.reconcile("thing")
	d := h.component("thing")
	h.edit(d, func() { d.Spec.Version = "1.1.0" })
	h.reconcile("thing")
	rev := &v1alpha1.DefinitionRevision{ObjectMeta: metav1.ObjectMeta{Name: "component.thing-v1.0.0"}}
	h.delete(rev)
	h.reconcile("thing")
	want := []v1alpha1.PublishedVersion{
		{Version: "1.1.0", Revision: "component.thing-v1.1.0"},
		{Version: "1.0.0", Revision: "component.thing-v1.0.0", Withdrawn: true, Users: 1},
	}
	if diff := cmp.Diff(want, h.component("thing").Status.Versions); diff != "" {
		t.Errorf("a revision in use is withdrawn and kept (-want +got):\n%s", diff)
	}
	h.delete(usedBy("shop", "1.0.0"))
	h.reconcile("thing")
	if diff := cmp.Diff(want[:1], h.component("thing").Status.Versions); diff != "" {
		t.Errorf("once nobody has it, it goes (-want +got):\n%s", diff)
	}
}

func TestChart(t *testing.T) {
	d := thing("1.0.0", "")
	d.Spec.Objects = nil
	d.Spec.Chart = &v1alpha1.Chart{OCI: "registry.example.org/charts/thing@sha256:" + strings.Repeat("0", 64)}
	h := newHub(t, v1alpha1.ComponentDefinitionKind, d)
	h.charts.err = errors.New("the registry is down")
	if out := h.reconcile("thing"); out.RequeueAfter == 0 {
		t.Error("a registry that is down is asked again")
	}
	if reason, message := published(h.component("thing")); reason != v1alpha1.ReasonChartUnavailable || !strings.Contains(message, "registry is down") {
		t.Errorf("it says so: got %q, %q", reason, message)
	}

	h.charts.err, h.charts.content = nil, []byte("no chart")
	h.reconcile("thing")
	if reason, message := published(h.component("thing")); reason != v1alpha1.ReasonInvalid || !strings.Contains(message, "cannot be loaded") {
		t.Errorf("what is no chart is refused: got %q, %q", reason, message)
	}

	var err error
	if h.charts.content, err = base64.StdEncoding.DecodeString(packaged); err != nil {
		t.Fatal(err)
	}
	d = h.component("thing")
	h.edit(d, func() { d.Spec.Description = "again" })
	h.reconcile("thing")
	if reason, message := published(h.component("thing")); reason != v1alpha1.ReasonPublished {
		t.Errorf("a chart is published: got %q, %q", reason, message)
	}
	pulled := h.charts.pulled
	h.reconcile("thing")
	if h.charts.pulled != pulled {
		t.Error("what is published is not fetched again")
	}
}

func TestTraits(t *testing.T) {
	d := &v1alpha1.TraitDefinition{ObjectMeta: metav1.ObjectMeta{Name: "shipper", Generation: 1}}
	d.Spec = v1alpha1.TraitDefinitionSpec{Version: "1.0.0", Patches: []v1alpha1.TraitPatch{{Patch: runtime.RawExtension{Raw: []byte(`{"metadata":{"annotations":{"a":"b"}}}`)}}}}
	h := newHub(t, v1alpha1.TraitDefinitionKind, d, usedBy("shop", "1.0.0"), usedBy("mall", "1.0.0"))
	h.reconcile("shipper")
	got := &v1alpha1.TraitDefinition{}
	if err := h.Get(t.Context(), types.NamespacedName{Name: "shipper"}, got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]v1alpha1.PublishedVersion{{Version: "1.0.0", Revision: "trait.shipper-v1.0.0", Users: 2}}, got.Status.Versions); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if requests := definitionsOf(v1alpha1.TraitDefinitionKind)(t.Context(), usedBy("shop", "1.0.0")); len(requests) != 1 || requests[0].Name != "shipper" {
		t.Errorf("a Bundle wakes the definitions that it has something of: got %v", requests)
	}
	h.reconcile("nothing")
}

// packaged is a chart with one ConfigMap, as Helm packages it.
const packaged = "H4sIAAAAAAACA+3UsYrCQBSF4annKQYfYDIjIUJa691iC/tLnF3DJjEkoyAh725UZMFmKxX0/5o7nGaqc4pkuZEu2oPUlboTN8nS9Hwnt9e5NPt7n3LvvE+VceoBdn2UbvpevSdpy1Xo+nLb5GY/143UITeF3l8zZ711WuFFFUkMdVtJDH0id1qB//rv3eKm/36eLej/w/vv9W/ZrHOz3Dbf5c+HtLoOUdYSJTfDZRpmw2DsV6iC9MF+TpEZx9nIQAAAAAAAAAAAAAAAADzLEY0d94kAKAAA"
