package preflight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	checks "github.com/mainstay-dev/mainstay/internal/preflight"
	"github.com/mainstay-dev/mainstay/internal/rollout"
	"github.com/mainstay-dev/mainstay/provider/target"
)

const team = "team-a"

// web needs a Secret, and uses a fact of its cluster.
const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: "${cluster.registry}/web:1.0"
        envFrom: [{secretRef: {name: db}}]
`

// A fleet is clusters that are fakes: what is missing on them, which do not answer, what
// they refuse, and what they were asked.
type fleet struct {
	mu      sync.Mutex
	missing map[string]bool
	silent  map[string]bool
	// started clusters have no nodes yet.
	started map[string]bool
	refuses error

	looked, tried []string
	// images that were asked for, by cluster.
	images map[string][]string
}

func (f *fleet) Snapshot(_ context.Context, c *v1alpha1.Cluster, growing bool, n checks.Needs) (*checks.Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looked = append(f.looked, c.GetName())
	if f.images == nil {
		f.images = map[string][]string{}
	}
	f.images[c.GetName()] = n.Images
	if f.silent[c.GetName()] {
		return nil, &target.UnreachableError{Err: errors.New("no route")}
	}
	s := &checks.Snapshot{Secrets: map[types.NamespacedName]*checks.Secret{}}
	if f.started[c.GetName()] {
		s.Capacity = &checks.Capacity{Elastic: growing}
	}
	for _, k := range n.Secrets {
		s.Secrets[k] = &checks.Secret{}
		if f.missing[c.GetName()] {
			s.Secrets[k] = nil
		}
	}
	return s, nil
}

func (f *fleet) Admin(context.Context, *v1alpha1.Cluster) (target.Target, error) {
	return nil, errors.New("the administrator is not needed")
}

func (f *fleet) Tenant(_ context.Context, c *v1alpha1.Cluster, _ string) (target.Target, error) {
	return &far{fleet: f, name: c.GetName()}, nil
}

type far struct {
	*fleet

	name string
}

func (f *far) Mapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	m.Add(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, meta.RESTScopeNamespace)
	return m
}

func (f *far) Client() client.Client {
	return interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme.Scheme).Build(), interceptor.Funcs{
		Apply: func(_ context.Context, _ client.WithWatch, _ runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			o := &client.ApplyOptions{}
			o.ApplyOptions(opts)
			if !slices.Equal(o.DryRun, []string{metav1.DryRunAll}) {
				panic("something is written")
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.tried = append(f.tried, f.name)
			return f.refuses
		},
	})
}

// A world is a hub with clusters one to four, in two regions, and a Rollout.
type world struct {
	t      *testing.T
	fleet  *fleet
	clock  *testingclock.FakePassiveClock
	hub    client.Client
	runner *Runner
	ro     *v1alpha1.Rollout
	placed []rollout.Placed
}

func newWorld(t *testing.T, f *fleet) *world {
	t.Helper()
	s := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	u := unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(web), &u.Object); err != nil {
		t.Fatal(err)
	}
	bundles, err := bundle.New("shop", bundle.Content{Components: []bundle.Component{{Name: "web", Type: "webservice", Objects: []unstructured.Unstructured{u}}}})
	if err != nil {
		t.Fatal(err)
	}
	b := bundles[0]
	b.SetNamespace(team)
	b.SetUID("bundle")
	hub := []client.Object{b}
	w := &world{t: t, fleet: f, clock: testingclock.NewFakePassiveClock(time.Unix(1000, 0)), ro: &v1alpha1.Rollout{}}
	w.ro.SetNamespace(team)
	w.ro.SetName("shop")
	w.ro.SetUID("rollout")
	w.ro.Spec.ForProvider.Application = "shop"
	for i := range 4 {
		name := fmt.Sprintf("c%d", i)
		region := v1alpha1.LabelValue(fmt.Sprintf("r%d", i/2))
		cr := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "fleets", Name: "eu." + name}}
		cr.Spec.ForProvider.Name, cr.Spec.ForProvider.Fleet = name, "eu"
		cr.Spec.ForProvider.Facts = map[string]string{"registry": "registry.example.com"}
		cr.Spec.ForProvider.Tenants = []v1alpha1.Tenant{{Namespace: team}}
		hub = append(hub, cr)
		p := rollout.Placed{Name: "shop." + name, Payload: rollout.Payload{Bundle: b.GetName(), Namespace: team}}
		p.Target.Cluster = v1alpha1.ClusterReference{Namespace: "fleets", Name: "eu." + name}
		p.Target.Fleet, p.Target.Name = "eu", name
		p.Target.Labels = map[string]v1alpha1.LabelValue{v1alpha1.ClusterLabelRegion: region}
		w.placed = append(w.placed, p)
	}
	reader := fake.NewClientBuilder().WithScheme(s).WithObjects(hub...).Build()
	w.hub = reader
	w.runner = New(reader, f, f, w.clock, func() float64 { return 0 }, nil, logging.NewNopLogger())
	return w
}

// check and return the state of each cluster, and what is in the status.
func (w *world) check(digest string) (map[string]rollout.CheckState, []string) {
	w.t.Helper()
	got, err := w.runner.Check(w.t.Context(), w.ro, digest, w.placed)
	if err != nil {
		w.t.Fatal(err)
	}
	states := map[string]rollout.CheckState{}
	for ref, s := range got.Clusters {
		states[ref.Name] = s
	}
	var found []string
	for _, f := range got.Status.Findings {
		found = append(found, fmt.Sprintf("%s %s %s %d %v %s", f.Cause, f.Severity, f.Object, f.Clusters, f.Examples, f.Waived))
	}
	slices.Sort(w.fleet.looked)
	slices.Sort(w.fleet.tried)
	return states, found
}

func TestCheck(t *testing.T) {
	const ok, no = rollout.Clean, rollout.Blocking
	invalid := kerrors.NewInvalid(schema.GroupKind{Group: "apps", Kind: "Deployment"}, "web", nil)
	invalid.ErrStatus.Details.Causes = []metav1.StatusCause{{Field: "spec.replicas", Message: "too many"}}
	cases := map[string]struct {
		reason  string
		fleet   *fleet
		waivers []v1alpha1.Waiver
		want    map[string]rollout.CheckState
		found   []string
		tried   []string
	}{
		"Clean": {
			fleet:  &fleet{},
			reason: "Nothing is missing, and one API server of each region was asked.",
			want:   map[string]rollout.CheckState{"eu.c0": ok, "eu.c1": ok, "eu.c2": ok, "eu.c3": ok},
			tried:  []string{"eu.c0", "eu.c2"},
		},
		"Missing": {
			reason: "What is missing on two clusters is one finding. A server that would not get far is not asked.",
			fleet:  &fleet{missing: map[string]bool{"eu.c0": true, "eu.c3": true}},
			want:   map[string]rollout.CheckState{"eu.c0": no, "eu.c1": ok, "eu.c2": ok, "eu.c3": no},
			found:  []string{"C1 Blocking Deployment/web 2 [eu.c0 eu.c3] "},
			tried:  []string{"eu.c2"},
		},
		"Waived": {
			reason:  "A finding that is accepted does not block.",
			fleet:   &fleet{missing: map[string]bool{"eu.c3": true}},
			waivers: []v1alpha1.Waiver{{Cause: "C1", Reason: "soon", Until: metav1.NewTime(time.Unix(2000, 0))}},
			want:    map[string]rollout.CheckState{"eu.c0": ok, "eu.c1": ok, "eu.c2": ok, "eu.c3": ok},
			found:   []string{"C1 Blocking Deployment/web 1 [eu.c3] soon (until 1970-01-01T00:33:20Z)"},
			tried:   []string{"eu.c0", "eu.c2"},
		},
		"Silent": {
			reason: "What cannot be seen is not answered for.",
			fleet:  &fleet{silent: map[string]bool{"eu.c1": true}},
			want:   map[string]rollout.CheckState{"eu.c0": ok, "eu.c2": ok, "eu.c3": ok},
			tried:  []string{"eu.c0", "eu.c2"},
		},
		"Refused": {
			reason: "What a server refuses blocks where it does.",
			fleet:  &fleet{refuses: invalid},
			want:   map[string]rollout.CheckState{"eu.c0": no, "eu.c1": ok, "eu.c2": no, "eu.c3": ok},
			found:  []string{"A3 Blocking Deployment/web 2 [eu.c0 eu.c2] "},
			tried:  []string{"eu.c0", "eu.c2"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.fleet)
			w.ro.Spec.ForProvider.Strategy.Waivers = tc.waivers
			states, found := w.check("d1")
			if diff := cmp.Diff(tc.want, states); diff != "" {
				t.Errorf("\n%s\nCheck(...): -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.found, found, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("\n%s\nCheck(...): findings: -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.tried, tc.fleet.tried, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("\n%s\nCheck(...): dry runs: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestMemory mends what blocks, and lets time pass.
func TestMemory(t *testing.T) {
	f := &fleet{missing: map[string]bool{"eu.c1": true}}
	w := newWorld(t, f)
	w.check("d1")
	f.looked, f.missing = nil, nil
	if w.check("d1"); len(f.looked) > 0 {
		t.Errorf("Check(...): what was found just now is looked for again on %v", f.looked)
	}
	w.clock.SetTime(w.clock.Now().Add(blockedFor))
	states, found := w.check("d1")
	if diff := cmp.Diff([]string{"eu.c1"}, f.looked); diff != "" || states["eu.c1"] != rollout.Clean || len(found) > 0 {
		t.Errorf("Check(...): only what blocked is looked at again, and it is mended: %s %v %v", diff, states, found)
	}
	f.looked = nil
	w.clock.SetTime(w.clock.Now().Add(cleanFor))
	if w.check("d1"); len(f.looked) != 4 {
		t.Errorf("Check(...): what was clean long ago is to be looked at again, got %v", f.looked)
	}
	f.looked = nil
	if w.check("d2"); len(f.looked) != 4 {
		t.Errorf("Check(...): another revision is to be looked at anew, got %v", f.looked)
	}
}

// TestPinned looks at the very images that are going to run, and again where they are others.
func TestPinned(t *testing.T) {
	f := &fleet{}
	w := newWorld(t, f)
	digest := "sha256:" + strings.Repeat("1", 64)
	w.placed[0].Images = []v1alpha1.ImageDigest{{Image: "registry.example.com/web:1.0", Digest: digest}}
	w.placed[0].Payload.Images = "one"
	w.check("d1")
	want := map[string][]string{"eu.c0": {"registry.example.com/web:1.0@" + digest}}
	for _, c := range []string{"eu.c1", "eu.c2", "eu.c3"} {
		want[c] = []string{"registry.example.com/web:1.0"}
	}
	if diff := cmp.Diff(want, f.images); diff != "" {
		t.Errorf("Check(...): -want, +got:\n%s", diff)
	}
	f.looked = nil
	w.placed[0].Payload.Images = "two"
	if w.check("d1"); !slices.Equal(f.looked, []string{"eu.c0"}) {
		t.Errorf("Check(...): who gets another image is looked at again: got %v", f.looked)
	}
}

// TestUnbound is an application that uses a fact that one cluster lacks.
func TestUnbound(t *testing.T) {
	w := newWorld(t, &fleet{})
	content, err := w.runner.contents.open(t.Context(), team, w.placed[0].Payload.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := content.subject(&v1alpha1.Cluster{}, rollout.Placed{Payload: rollout.Payload{Namespace: team}}, nil); err == nil {
		t.Fatal("subject(...): want an error")
	} else if f := unbound(err); f.Severity != v1alpha1.Blocking || f.Cause != "A3" {
		t.Errorf("unbound(...): got %+v", f)
	}
	w.placed[0].Payload.Bundle = "shop.gone"
	if _, err := w.runner.Check(t.Context(), w.ro, "d", w.placed); err == nil {
		t.Error("Check(...): a Bundle that is not there starts nothing: want an error")
	}
}
