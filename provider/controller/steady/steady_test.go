package steady

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	"github.com/crossplane/crossplane-runtime/v2/pkg/test"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func TestPoll(t *testing.T) {
	cases := map[string]struct {
		reason   string
		jitter   string
		random   float64
		ready    bool
		interval time.Duration
		want     time.Duration
	}{
		"OnItsWay":    {reason: "What is not ready is looked at soon.", jitter: "0.5", random: 0.9, interval: time.Minute, want: 2 * time.Second},
		"ShortPoll":   {reason: "It is not looked at less often than what is ready.", jitter: "0", interval: time.Second, want: time.Second},
		"NoJitter":    {reason: "Without jitter the interval is kept.", jitter: "0", random: 0.9, ready: true, interval: time.Minute, want: time.Minute},
		"Earliest":    {reason: "A fraction is of the interval.", jitter: "0.1", random: 0, ready: true, interval: time.Minute, want: 54 * time.Second},
		"Late":        {reason: "It goes both ways.", jitter: "0.1", random: 0.75, ready: true, interval: time.Minute, want: 63 * time.Second},
		"Duration":    {reason: "A duration is as it is.", jitter: "10s", random: 0, ready: true, interval: time.Minute, want: 50 * time.Second},
		"GreatJitter": {reason: "A duration longer than the interval does not make time run backwards.", jitter: "1h", random: 0, ready: true, interval: time.Minute, want: 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			j := Jitter{}
			if err := j.UnmarshalText([]byte(tc.jitter)); err != nil {
				t.Fatal(err)
			}
			mg := &v1alpha1.Cluster{}
			if tc.ready {
				mg.SetConditions(xpv2.Available())
			}
			got := Poll(j, func() float64 { return tc.random })(mg, tc.interval)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nPoll(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestJitter(t *testing.T) {
	cases := map[string]string{
		"NotANumber": "often",
		"TooMuch":    "1.5",
		"Negative":   "-0.1",
		"Backwards":  "-5s",
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			if err := (&Jitter{}).UnmarshalText([]byte(text)); err == nil {
				t.Errorf("UnmarshalText(%q): want an error", text)
			}
		})
	}
}

func TestInitialize(t *testing.T) {
	now := metav1.Now()
	done := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "eu-1", Finalizers: []string{managed.FinalizerName}, Labels: map[string]string{"set": "yes"}}}
	meta.SetExternalName(done, "eu-1")

	cases := map[string]struct {
		reason string
		mg     *v1alpha1.Cluster
		want   int
	}{
		"New":     {reason: "All is written at once.", mg: &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "eu-1"}}, want: 1},
		"Done":    {reason: "What is there is not written again.", mg: done},
		"Deleted": {reason: "What goes gets no finalizer.", mg: &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "eu-1", DeletionTimestamp: &now}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var written []client.Object
			c := &test.MockClient{MockUpdate: test.NewMockUpdateFn(nil, func(o client.Object) error {
				written = append(written, o)
				return nil
			})}
			i := NewInitializer(c, func(mg resource.Managed) { meta.AddLabels(mg, map[string]string{"set": "yes"}) })
			if err := i.Initialize(context.Background(), tc.mg); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, len(written)); diff != "" {
				t.Errorf("\n%s\nwrites: -want, +got:\n%s", tc.reason, diff)
			}
			for _, o := range written {
				if diff := cmp.Diff(done.ObjectMeta, o.(*v1alpha1.Cluster).ObjectMeta); diff != "" {
					t.Errorf("\n%s\nInitialize(...): -want, +got:\n%s", tc.reason, diff)
				}
			}
		})
	}
}

func TestEnsureByUpdate(t *testing.T) {
	cases := map[string]struct {
		reason   string
		policies xpv2.ManagementPolicies
		want     bool
	}{
		"Default":    {reason: "Without policies all is allowed.", want: true},
		"All":        {reason: "All is all.", policies: xpv2.ManagementPolicies{xpv2.ManagementActionAll}, want: true},
		"Update":     {reason: "Update is what it takes.", policies: xpv2.ManagementPolicies{xpv2.ManagementActionObserve, xpv2.ManagementActionUpdate}, want: true},
		"CreateOnly": {reason: "What may only be created is created.", policies: xpv2.ManagementPolicies{xpv2.ManagementActionObserve, xpv2.ManagementActionCreate}},
		"Observe":    {reason: "What may only be observed is not made.", policies: xpv2.ManagementPolicies{xpv2.ManagementActionObserve}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			mg := &v1alpha1.Cluster{}
			mg.SetManagementPolicies(tc.policies)
			if diff := cmp.Diff(tc.want, EnsureByUpdate(mg)); diff != "" {
				t.Errorf("\n%s\nEnsureByUpdate(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRecorder(t *testing.T) {
	var got []string
	r := Recorder{Recorder: sink{&got}, Drop: func(_ runtime.Object, e event.Event) bool { return e.Reason == "Noise" }}
	r.Event(nil, event.Normal("Noise", ""))
	r.WithAnnotations("a", "b").Event(nil, event.Normal("Noise", ""))
	r.WithAnnotations("a", "b").Event(nil, event.Normal("News", ""))
	if diff := cmp.Diff([]string{"News"}, got); diff != "" {
		t.Errorf("Event(...): what is dropped is dropped with annotations too: -want, +got:\n%s", diff)
	}
}

type sink struct{ got *[]string }

func (s sink) Event(_ runtime.Object, e event.Event)      { *s.got = append(*s.got, string(e.Reason)) }
func (s sink) WithAnnotations(_ ...string) event.Recorder { return s }
