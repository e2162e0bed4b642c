package rollout

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/screen"
	"github.com/mainstay-dev/mainstay/internal/control"
	"github.com/mainstay-dev/mainstay/internal/control/controltest"
)

var errBoom = errors.New("boom")

func hub(t *testing.T, f interceptor.Funcs, objects ...client.Object) client.WithWatch {
	t.Helper()
	s := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(s).WithObjects(objects...).WithInterceptorFuncs(f).Build()
}

func TestTell(t *testing.T) {
	conflict := kerrors.NewConflict(schema.GroupResource{Resource: "rollouts"}, "shop", errBoom)
	type want struct {
		said, err, rollback string
		asked               int
	}
	cases := map[string]struct {
		reason string
		// meanwhile is what somebody else does before the first write.
		meanwhile func(*v1alpha1.Rollout)
		absent    bool
		confirm   error
		want      want
	}{
		"Written": {
			reason: "It is asked for once, and written.",
			want:   want{said: "Clusters go back to revision 91bc2d3e4f5a. The claim still asks for 3f2a1b9c8d7e: change it too, or retry brings it back.", rollback: controltest.Present, asked: 1},
		},
		"Refused": {
			reason:  "Who does not mean it writes nothing.",
			confirm: errBoom,
			want:    want{err: "boom", asked: 1},
		},
		"Conflict": {
			reason:    "Where somebody else wrote, it is looked at again. What was confirmed is not asked again.",
			meanwhile: func(ro *v1alpha1.Rollout) { ro.SetLabels(map[string]string{"a": "b"}) },
			want:      want{said: "Clusters go back to revision 91bc2d3e4f5a. The claim still asks for 3f2a1b9c8d7e: change it too, or retry brings it back.", rollback: controltest.Present, asked: 1},
		},
		"AnotherRevision": {
			reason:    "What was confirmed for one revision is not said to the next.",
			meanwhile: func(ro *v1alpha1.Rollout) { ro.Status.AtProvider.Digest = controltest.Oldest },
			want:      want{err: `cannot rollback rollout of "shop": the revision is 0042aabbccdd now, and not 3f2a1b9c8d7e: look at its status again before you say this`, asked: 1},
		},
		"Absent": {
			reason: "An application without Rollout is told where to look.",
			absent: true,
			want:   want{err: `application "shop" has no Rollout in namespace "team-a": mainstay explain app/shop -n team-a says why`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var objects []client.Object
			if !tc.absent {
				objects = append(objects, controltest.Rollout())
			}
			first := true
			c := hub(t, interceptor.Funcs{Patch: func(ctx context.Context, w client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
				if first && tc.meanwhile != nil {
					first = false
					ro := &v1alpha1.Rollout{}
					if err := w.Get(ctx, client.ObjectKeyFromObject(o), ro); err != nil {
						return err
					}
					tc.meanwhile(ro)
					if err := w.Update(ctx, ro); err != nil {
						return err
					}
					return conflict
				}
				raw, err := p.Data(o)
				if err != nil || !strings.Contains(string(raw), `"resourceVersion"`) {
					t.Errorf("A write is locked to what was read: got %s, %v", raw, err)
				}
				return w.Patch(ctx, o, p, opts...)
			}}, objects...)
			got := want{}
			said, err := (&Client{Hub: c, Namespace: "team-a"}).Tell(t.Context(), "shop", control.Saying{Word: control.Rollback}, func(string) error { got.asked++; return tc.confirm })
			got.said = said
			if err != nil {
				got.err = err.Error()
			}
			ro := &v1alpha1.Rollout{}
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(controltest.Rollout()), ro); err == nil && ro.Spec.ForProvider.Control != nil {
				got.rollback = ro.Spec.ForProvider.Control.Rollback
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\nTell(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestWatch(t *testing.T) {
	// What the hub answers, one look after another.
	looks := []func(*v1alpha1.Rollout) error{
		func(*v1alpha1.Rollout) error { return nil },
		func(*v1alpha1.Rollout) error { return errBoom },
		func(*v1alpha1.Rollout) error { return errBoom },
		func(ro *v1alpha1.Rollout) error {
			controltest.Halted(ro)
			ro.SetGeneration(5)
			return nil
		},
		func(ro *v1alpha1.Rollout) error { controltest.Halted(ro); return nil },
	}
	cases := map[string]struct {
		reason string
		screen screen.Screen
		want   string
	}{
		"Log": {
			reason: "A log gets what is new.",
			want: "Waiting 44/1000: wave europe waits for its gates\ncannot get Rollout \"shop\": boom\n" +
				"Halted 17/1000: halted in wave europe: 3 clusters failed, 2 may\n",
		},
		"Terminal": {
			reason: "A terminal is drawn over again, within its bounds.",
			screen: screen.Screen{Terminal: true, Width: 30, Height: 3},
			want: "shop in team-a  Waiting\nwave europe waits for its gat…\n" +
				"cannot get Rollout \"shop\": bo…\ncannot get Rollout \"shop\": bo…\n" +
				"\x1b[4A\x1b[Jshop in team-a  Halted\nhalted in wave europe: 3 clus…\n" +
				"\x1b[2A\x1b[Jshop in team-a  Halted\nhalted in wave europe: 3 clus…\n",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			clk := clocktesting.NewFakeClock(controltest.Now)
			n := 0
			c := hub(t, interceptor.Funcs{Get: func(_ context.Context, _ client.WithWatch, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
				controltest.Rollout().DeepCopyInto(o.(*v1alpha1.Rollout))
				n++
				return looks[n-1](o.(*v1alpha1.Rollout))
			}})
			out := &bytes.Buffer{}
			canvas := &Canvas{Canvas: screen.Canvas{Out: out, Screen: tc.screen}}
			done := make(chan struct{})
			go func() {
				for {
					select {
					case <-done:
						return
					default:
						if clk.HasWaiters() {
							clk.Step(time.Second)
						}
					}
				}
			}()
			defer close(done)
			w := &Watcher{Looker: screen.Looker{Clock: clk, Every: time.Second, Lost: canvas.Lost}, Client: &Client{Hub: c, Namespace: "team-a"}, Show: canvas.Draw}
			end, err := w.Watch(t.Context(), "shop")
			if err != nil || end != control.Failed {
				t.Errorf("Watch(...): want it to have failed, got %v, %v", end, err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("\n%s\nWatch(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
