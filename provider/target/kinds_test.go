package target

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery/fake"
	clienttesting "k8s.io/client-go/testing"
)

func widgets() *metav1.APIResourceList {
	return &metav1.APIResourceList{GroupVersion: "example.org/v1", APIResources: []metav1.APIResource{{Name: "widgets", SingularName: "widget", Kind: "Widget", Namespaced: true}}}
}

// saying is a cluster that serves some kinds besides Pods.
func saying(lists ...*metav1.APIResourceList) *fake.FakeDiscovery {
	pods := &metav1.APIResourceList{GroupVersion: "v1", APIResources: []metav1.APIResource{{Name: "pods", Kind: "Pod", Namespaced: true}}}
	return &fake.FakeDiscovery{Fake: &clienttesting.Fake{Resources: append([]*metav1.APIResourceList{pods}, lists...)}}
}

var widget = schema.GroupKind{Group: "example.org", Kind: "Widget"}

// TestAsking asks clusters which kinds they serve, and no more often than it has to.
func TestAsking(t *testing.T) {
	says := saying()
	a := &asking{discovery: says}
	asked := func() int { return len(says.Actions()) }
	if _, err := a.RESTMapping(widget, "v1"); !meta.IsNoMatchError(err) {
		t.Fatalf("what is not served is not known, got %v", err)
	}
	before := asked()
	if m, err := a.RESTMapping(schema.GroupKind{Kind: "Pod"}, "v1"); err != nil || m.Scope.Name() != meta.RESTScopeNameNamespace || asked() != before {
		t.Errorf("what is known is not asked again: %v, %v, asked %d times", m, err, asked()-before)
	}

	says.Resources = append(says.Resources, widgets())
	if m, err := a.RESTMapping(widget, "v1"); err != nil || m.Resource.Resource != "widgets" {
		t.Errorf("what was not served may be by now: %v, %v", m, err)
	}
	if all, err := a.ResourcesFor(schema.GroupVersionResource{Group: "example.org", Resource: "widgets"}); err != nil || len(all) != 1 {
		t.Errorf("resources are found, too: %v, %v", all, err)
	}
	if _, err := a.RESTMapping(widget, "v2"); !meta.IsNoMatchError(err) {
		t.Errorf("another version is not served, got %v", err)
	}
}

// TestAskingFails tells what is not served from what nobody knows.
func TestAskingFails(t *testing.T) {
	gadget := schema.GroupKind{Group: "broken.example.org", Kind: "Gadget"}
	says := saying(widgets(), &metav1.APIResourceList{GroupVersion: "broken.example.org/v1", APIResources: []metav1.APIResource{{Name: "gadgets", Kind: "Gadget"}}})
	away := true
	says.PrependReactor("get", "resource", func(clienttesting.Action) (bool, kruntime.Object, error) {
		if away {
			return true, nil, errors.New("the server is currently unable to handle the request")
		}
		return false, nil, nil
	})
	a := &asking{discovery: says}
	_, err := a.RESTMapping(gadget, "v1")
	if err == nil || meta.IsNoMatchError(err) || !strings.Contains(err.Error(), "unable to handle the request") {
		t.Errorf("a group that cannot be asked is not one that is not served, got %v", err)
	}
	away = false
	if m, err := a.RESTMapping(gadget, "v1"); err != nil || m.Scope.Name() != meta.RESTScopeNameRoot {
		t.Errorf("once it answers it is known: %v, %v", m, err)
	}
}

// TestAskingTogether shares a failure with whoever waited for it, and with nobody later.
func TestAskingTogether(t *testing.T) {
	says := saying()
	away := true
	says.PrependReactor("get", "group", func(clienttesting.Action) (bool, kruntime.Object, error) {
		return away, nil, errors.New("connection refused")
	})
	a := &asking{discovery: says}
	waiting := a.failures.Load()
	if _, err := a.RESTMapping(widget, "v1"); err == nil || meta.IsNoMatchError(err) {
		t.Fatalf("a cluster that does not answer serves nobody knows what, got %v", err)
	}
	asked := len(says.Actions())
	if _, err := a.ask(nil, waiting); err == nil || len(says.Actions()) != asked {
		t.Errorf("who waited while it failed is told so: %v, and asked %d times", err, len(says.Actions())-asked)
	}
	away = false
	if m, err := a.RESTMapping(schema.GroupKind{Kind: "Pod"}, "v1"); err != nil || m == nil {
		t.Errorf("who comes later asks: %v", err)
	}
}

// TestShared keeps what many clusters say once, as long as one of them says it.
func TestShared(t *testing.T) {
	held := func() int {
		known.mu.Lock()
		defer known.mu.Unlock()
		n := 0
		for _, w := range known.by {
			if w.Value() != nil {
				n++
			}
		}
		return n
	}
	var all []*asking
	unique := &metav1.APIResourceList{GroupVersion: "shared.example.org/v1", APIResources: []metav1.APIResource{{Name: "things", Kind: "Thing"}}}
	thing := schema.GroupKind{Group: "shared.example.org", Kind: "Thing"}
	for range 3 {
		a := &asking{discovery: saying(unique)}
		if _, err := a.RESTMapping(thing, "v1"); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	other := &asking{discovery: saying(unique, widgets())}
	if _, err := other.RESTMapping(widget, "v1"); err != nil {
		t.Fatal(err)
	}
	if one := all[0].now.Load().kinds; all[1].now.Load().kinds != one || all[2].now.Load().kinds != one {
		t.Error("clusters that say the same share it")
	}
	if other.now.Load().kinds == all[0].now.Load().kinds {
		t.Error("one that says more has its own")
	}
	runtime.GC() // Of what other tests had.
	before := held()
	runtime.KeepAlive(all)
	clear(all)
	runtime.GC()
	if now := held(); now != before-1 {
		t.Errorf("what nobody says any more is let go: %d before, %d now", before, now)
	}
	runtime.KeepAlive(other)
}
