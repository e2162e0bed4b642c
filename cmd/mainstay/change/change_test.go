package change

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/screen"
	"github.com/mainstay-dev/mainstay/internal/control"
	"github.com/mainstay-dev/mainstay/internal/control/changes"
	ct "github.com/mainstay-dev/mainstay/internal/control/changes/changestest"
)

var (
	update  = flag.Bool("update", false, "write what is shown to the golden files")
	errBoom = errors.New("boom")
)

func hub(t *testing.T, f interceptor.Funcs, objects ...client.Object) client.WithWatch {
	t.Helper()
	s := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(s).WithObjects(objects...).WithInterceptorFuncs(f).Build()
}

func TestTell(t *testing.T) {
	type want struct {
		said, err string
		commands  int
		asked     int
	}
	cases := map[string]struct {
		reason string
		name   string
		// meanwhile is what somebody else does before the first write.
		meanwhile func(*v1alpha1.Change)
		confirm   error
		want      want
	}{
		"Written":  {reason: "It is asked for once, and written.", want: want{said: "Told to go back. The merge request stays open.", commands: 1, asked: 1}},
		"ByNumber": {reason: "People know the merge request by its number.", name: "!41", want: want{said: "Told to go back. The merge request stays open.", commands: 1, asked: 1}},
		"Refused":  {reason: "Who does not mean it writes nothing.", confirm: errBoom, want: want{err: "boom", asked: 1}},
		"Conflict": {
			reason: "Where somebody else wrote, it is looked at again, and not asked again.", meanwhile: func(c *v1alpha1.Change) { c.SetLabels(map[string]string{"a": "b"}) },
			want: want{said: "Told to go back. The merge request stays open.", commands: 1, asked: 1},
		},
		"AnotherPlan": {
			reason: "What was confirmed of one plan is not said of the next.", meanwhile: func(c *v1alpha1.Change) { c.Status.AtProvider.Plan.Digest = ct.Other },
			want: want{err: `cannot rollback change "claims-41": the plan is 91bc2d3e91bc now, and not 3f2a1b9c3f2a: look at it again before you say this`, asked: 1},
		},
		"Absent":   {reason: "Who is told nothing learns where to look.", name: "claims-7", want: want{err: `there is no Change "claims-7" in namespace "ops": mainstay change list -n ops lists them`}},
		"NoNumber": {reason: "Nor has another number.", name: "7", want: want{err: `there is no Change of merge request 7 in namespace "ops": mainstay change list -n ops lists them`}},
		"Several":  {reason: "Two repositories may have the same number.", name: "9", want: want{err: "several repositories have a merge request 9: say which is meant: apps-9, claims-9"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.name == "" {
				tc.name = "claims-41"
			}
			named := func(name string) *v1alpha1.Change {
				return ct.Change(func(c *v1alpha1.Change) { c.SetName(name); c.Spec.ForProvider.Number = 9 })
			}
			first := true
			c := hub(t, interceptor.Funcs{Patch: func(ctx context.Context, w client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
				if first && tc.meanwhile != nil {
					first = false
					ch := &v1alpha1.Change{}
					if err := w.Get(ctx, client.ObjectKeyFromObject(o), ch); err != nil {
						return err
					}
					tc.meanwhile(ch)
					if err := w.Update(ctx, ch); err != nil {
						return err
					}
					return kerrors.NewConflict(schema.GroupResource{Resource: "changes"}, "claims-41", errBoom)
				}
				raw, err := p.Data(o)
				if err != nil || !strings.Contains(string(raw), `"resourceVersion"`) {
					t.Errorf("A write is locked to what was read: got %s, %v", raw, err)
				}
				return w.Patch(ctx, o, p, opts...)
			}}, ct.Change(), named("claims-9"), named("apps-9"))
			got := want{}
			said, err := (&Client{Hub: c, Namespace: "ops"}).Tell(t.Context(), tc.name, changes.Saying{Verb: v1alpha1.VerbRollback, ID: "x", By: "ann", At: metav1.NewTime(ct.Now)},
				func(string) error { got.asked++; return tc.confirm })
			got.said = said
			if err != nil {
				got.err = err.Error()
			}
			ch := &v1alpha1.Change{}
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(ct.Change()), ch); err == nil && ch.Spec.ForProvider.Control != nil {
				got.commands = len(ch.Spec.ForProvider.Control.Commands)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\nTell(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestWatch until a Change is merged, through a hub that is down for a moment.
func TestWatch(t *testing.T) {
	looks, lost := 0, 0
	c := hub(t, interceptor.Funcs{Get: func(_ context.Context, _ client.WithWatch, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
		looks++
		ch := ct.Change()
		switch looks {
		case 2:
			return errBoom
		case 3:
			ch.Status.AtProvider.Phase = v1alpha1.ChangeCompleted
		}
		ch.DeepCopyInto(o.(*v1alpha1.Change))
		return nil
	}})
	clk := clocktesting.NewFakeClock(ct.Now)
	out := &bytes.Buffer{}
	canvas := &Canvas{Canvas: screen.Canvas{Out: out}}
	w := &Watcher{Client: &Client{Hub: c, Namespace: "ops"}, Show: func(v changes.View) {
		canvas.Draw(v)
		clk.Step(2 * time.Second)
	}, Looker: screen.Looker{Clock: clk, Every: time.Second, Lost: func(err error) {
		lost++
		canvas.Lost(err)
		clk.Step(2 * time.Second)
	}}}
	end, err := w.Watch(t.Context(), "claims-41")
	if err != nil || end != control.Arrived || lost != 1 {
		t.Errorf("want it to arrive, got %d, lost %d, %v", end, lost, err)
	}
	want := "Executing 44/1001: 44 of 1001 clusters; step 2 of 2\ncannot get Change claims-41: boom\nCompleted 44/1001: 44 of 1001 clusters; step 2 of 2\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("in a log there is a line for what is new: -want, +got:\n%s", diff)
	}
}

// TestWatchEnds where the Change does, and nowhere before: between a halt and what is said to it on the merge
// request the hub shows nothing of that.
func TestWatchEnds(t *testing.T) {
	halted := ct.Halted(v1alpha1.HaltFailed, "1 cluster failed")
	in := func(p v1alpha1.ChangePhase) func(*v1alpha1.Change) {
		return func(c *v1alpha1.Change) { c.Status.AtProvider.Phase = p }
	}
	abandons := []func(*v1alpha1.Change){halted, halted, in(v1alpha1.ChangeAbandoning), in(v1alpha1.ChangeAbandoned)}
	cases := map[string]struct {
		reason string
		course []func(*v1alpha1.Change)
		halts  bool
		looks  int
		want   control.End
		gone   bool
	}{
		"Abandoned":   {reason: "It is watched until it is back.", course: abandons, looks: 4, want: control.Arrived},
		"UntilHalted": {reason: "A script need not wait for somebody.", course: abandons, halts: true, looks: 1, want: control.Failed},
		"Resumed":     {reason: "It went on.", course: []func(*v1alpha1.Change){halted, in(v1alpha1.ChangeExecuting), in(v1alpha1.ChangeCompleted)}, looks: 3, want: control.Arrived},
		"Refused":     {reason: "It has no plan.", course: []func(*v1alpha1.Change){in(v1alpha1.ChangeRefused)}, looks: 1, want: control.Failed},
		"Gone":        {reason: "Somebody deleted it.", course: []func(*v1alpha1.Change){halted}, looks: 2, gone: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			looks := 0
			c := hub(t, interceptor.Funcs{Get: func(_ context.Context, _ client.WithWatch, k client.ObjectKey, o client.Object, _ ...client.GetOption) error {
				if looks++; looks > len(tc.course) {
					return kerrors.NewNotFound(schema.GroupResource{Resource: "changes"}, k.Name)
				}
				ct.Change(tc.course[looks-1]).DeepCopyInto(o.(*v1alpha1.Change))
				return nil
			}})
			clk := clocktesting.NewFakeClock(ct.Now)
			w := &Watcher{
				Client: &Client{Hub: c, Namespace: "ops"}, Halts: tc.halts, Show: func(changes.View) { clk.Step(2 * time.Second) },
				Looker: screen.Looker{Clock: clk, Every: time.Second, Lost: func(err error) { t.Error(err) }},
			}
			end, err := w.Watch(t.Context(), "claims-41")
			if end != tc.want || looks != tc.looks || tc.gone != (err != nil) {
				t.Errorf("%s\nwant %d after %d looks, got %d after %d, %v", tc.reason, tc.want, tc.looks, end, looks, err)
			}
		})
	}
}

func TestShow(t *testing.T) {
	wide := screen.Screen{Terminal: true, Width: 120}
	cases := map[string]struct {
		change *v1alpha1.Change
		screen screen.Screen
	}{
		"executing-in-a-terminal": {change: ct.Change(), screen: wide},
		"executing-in-a-log":      {change: ct.Change()},
		"planned": {change: ct.Change(ct.Planned, ct.Said(v1alpha1.ChangeCommand{ID: "1", Verb: v1alpha1.VerbHalt, By: "ann"}), func(c *v1alpha1.Change) {
			at := &c.Status.AtProvider
			at.Plan.Irreversible = "the volume of shop/db"
			at.Findings = []v1alpha1.ChangeFinding{{Cause: "C2", Blocking: true, Message: "ConfigMap settings has no key mode", Clusters: 3}, {Cause: "B5", Message: "fits on one node only"}}
			at.Notices = []string{"/retry of bob was refused: it did not halt"}
		})},
		"halted": {change: ct.Change(ct.Halted(v1alpha1.HaltFailed, "ProductApplication shop/checkout: 1 cluster failed: prod.eu-1"), func(c *v1alpha1.Change) {
			c.Status.AtProvider.Claims[1].Phase, c.Status.AtProvider.Claims[1].Failed = v1alpha1.ClaimFailed, 1
		}), screen: wide},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			golden(t, name, tc.screen.Render(Lines(changes.See(tc.change, ct.Now), tc.screen), false))
		})
	}
	t.Run("list", func(t *testing.T) {
		views := []changes.View{changes.See(ct.Change(), ct.Now), changes.See(ct.Change(ct.Planned, func(c *v1alpha1.Change) { c.SetName("claims-42") }), ct.Now)}
		golden(t, "list", screen.Screen{}.Render(append(ListLines(views, true), ListLines(nil, false)...), false))
	})
	t.Run("queue", func(t *testing.T) {
		key := func(n int) v1alpha1.LockKey {
			return v1alpha1.LockKey{Namespace: "shop", Claim: "ProductApplication/checkout", Clusters: make([]string, n)}
		}
		places := []changes.Place{
			{Change: "ops/claims-41", Label: "!41", Ticket: 12, Epoch: 7, Has: []v1alpha1.LockKey{key(40), {Namespace: "shop"}, key(1)}, Held: true, Left: 720},
			{Change: "ops/claims-43", Label: "!43", Ticket: 14, Wants: []v1alpha1.LockKey{key(2)}, Position: 2, Behind: []string{"!41", "!42"}, Wait: 1800, Urgent: true},
		}
		golden(t, "queue", screen.Screen{}.Render(append(QueueLines(places), QueueLines(nil)...), false))
	})
	t.Run("audit", func(t *testing.T) {
		tampered := ct.Change(func(c *v1alpha1.Change) {
			c.Status.AtProvider.Audit = v1alpha1.ChangeAudit{Length: 1, Head: "ff", Entries: []v1alpha1.AuditEntry{{At: ct.Before(time.Minute), By: "ann", Did: "said /halt", HeadSHA: ct.Head, Digest: ct.Digest, Epoch: 7, Hash: "ff"}}}
		})
		got := ""
		for _, t := range []Trail{Audit(ct.Change(), ""), Audit(ct.Change(), "Merge !41\n\nMainstay-Audit: 0:\n"), Audit(ct.Change(), "Merge !41"), Audit(tampered, "")} {
			got += screen.Screen{}.Render(AuditLines(t), false) + "---\n"
		}
		golden(t, "audit", got)
	})
}

func golden(t *testing.T, name, got string) {
	t.Helper()
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
}
