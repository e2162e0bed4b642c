package pipeline

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/utils/ptr"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"github.com/crossplane/function-sdk-go/resource"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
)

func composite(json string) *fnv1.RunFunctionRequest {
	return &fnv1.RunFunctionRequest{Observed: &fnv1.State{Composite: &fnv1.Resource{Resource: resource.MustStructJSON(json)}}}
}

func TestClaimOf(t *testing.T) {
	// As it is of the claim, which has none of the composite's machinery.
	digest, err := grant.Digest("C", "a", "b", map[string]any{"size": int64(3)})
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason string
		req    *fnv1.RunFunctionRequest
		want   Claim
		err    error
	}{
		"Claimed": {
			reason: "The composite names its claim.",
			req:    composite(`{"spec": {"claimRef": {"namespace": "a", "name": "b", "kind": "C"}, "resourceRefs": [], "size": 3}}`),
			want:   Claim{Kind: "C", Namespace: "a", Name: "b", Digest: digest},
		},
		"Direct": {reason: "Nobody claimed it.", req: composite(`{"spec": {}}`), err: ErrNoClaim},
		"Empty":  {reason: "There is nothing at all.", req: &fnv1.RunFunctionRequest{}, err: ErrNoClaim},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ClaimOf(tc.req)
			if !errors.Is(err, tc.err) {
				t.Fatalf("%s\nwant error %v, got %v", tc.reason, tc.err, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
	if _, err := ClaimOf(composite(`{"spec": {"claimRef": 3}}`)); err == nil || !strings.HasPrefix(err.Error(), "cannot load composite") {
		t.Errorf("a claimRef that is none: got %v", err)
	}
}

func TestObserved(t *testing.T) {
	req := &fnv1.RunFunctionRequest{Observed: &fnv1.State{Resources: map[string]*fnv1.Resource{
		"a": {Resource: resource.MustStructJSON(`{"apiVersion": "m.mainstay.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": "x"}}`)},
		"b": {Resource: resource.MustStructJSON(`{"apiVersion": "m.mainstay.dev/v1alpha1", "kind": "NodePool"}`)},
		"c": {Resource: resource.MustStructJSON(`{"apiVersion": "other/v1", "kind": "Cluster"}`)},
	}}}
	got, err := Observed[mv1alpha1.Cluster](req, "m.mainstay.dev/v1alpha1", "Cluster")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got["a"].GetName() != "x" {
		t.Errorf("want the Cluster a, got %v", got)
	}
	req.Observed.Resources["a"].Resource = resource.MustStructJSON(`{"apiVersion": "m.mainstay.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": 3}}`)
	if _, err := Observed[mv1alpha1.Cluster](req, "m.mainstay.dev/v1alpha1", "Cluster"); err == nil || !strings.HasPrefix(err.Error(), `cannot load composed resource "a"`) {
		t.Errorf("a resource that cannot be read: got %v", err)
	}
}

func TestRequire(t *testing.T) {
	sel := Selector{APIVersion: "v1", Kind: "Secret", Namespace: "ns", Name: "s"}
	items := func(json ...string) map[string]*fnv1.Resources {
		out := &fnv1.Resources{}
		for _, j := range json {
			out.Items = append(out.Items, &fnv1.Resource{Resource: resource.MustStructJSON(j)})
		}
		return map[string]*fnv1.Resources{"k": out}
	}
	cases := map[string]struct {
		reason   string
		resolved map[string]*fnv1.Resources
		want     Lookup
		err      string
	}{
		"Unresolved": {reason: "Nobody has looked.", want: Unresolved},
		"Absent":     {reason: "Somebody looked and found none.", resolved: items(), want: Absent},
		"Found":      {reason: "There it is.", resolved: items(`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "spec": {"backend": "local"}}`), want: Found},
		"OtherName":  {reason: "The answer is to an older question.", resolved: items(`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "old"}}`), want: Unresolved},
		"OtherKind":  {reason: "The answer is to an older question.", resolved: items(`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}}`), want: Unresolved},
		"Unreadable": {
			reason:   "It is not what it says.",
			resolved: items(`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "spec": 3}`),
			err:      `cannot load required resource Secret "s"`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			into := &mv1alpha1.ProviderConfig{}
			rsp := &fnv1.RunFunctionResponse{}
			got, err := Require(&fnv1.RunFunctionRequest{RequiredResources: tc.resolved}, rsp, "k", sel, into)
			if (err == nil) != (tc.err == "") || err != nil && !strings.HasPrefix(err.Error(), tc.err) {
				t.Fatalf("%s\nwant error %q, got %v", tc.reason, tc.err, err)
			}
			if got != tc.want {
				t.Errorf("%s\nwant %v, got %v", tc.reason, tc.want, got)
			}
			if tc.want == Found && into.Spec.Backend != mv1alpha1.BackendLocal {
				t.Errorf("%s\nit is not loaded: %v", tc.reason, into)
			}
			want := &fnv1.ResourceSelector{ApiVersion: "v1", Kind: "Secret", Namespace: ptr.To("ns"), Match: &fnv1.ResourceSelector_MatchName{MatchName: "s"}}
			if diff := cmp.Diff(want, rsp.GetRequirements().GetResources()["k"], protocmp.Transform()); diff != "" {
				t.Errorf("%s\nselector: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestStateOf(t *testing.T) {
	cases := map[string]struct {
		reason string
		json   string
		ready  bool
		exists bool
	}{
		"Absent":     {reason: "There is none."},
		"Silent":     {reason: "It says nothing yet.", json: `{}`, exists: true},
		"Ready":      {reason: "It is ready.", json: `{"metadata": {"generation": 2}, "status": {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 2}]}}`, exists: true, ready: true},
		"NotReady":   {reason: "It is not.", json: `{"status": {"conditions": [{"type": "Ready", "status": "False"}]}}`, exists: true},
		"Stale":      {reason: "It was.", json: `{"metadata": {"generation": 2}, "status": {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}]}}`, exists: true},
		"StaleSync":  {reason: "It was.", json: `{"metadata": {"generation": 2}, "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Synced", "status": "True", "observedGeneration": 1}]}}`, exists: true},
		"NoObserved": {reason: "It does not say about what.", json: `{"metadata": {"generation": 2}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}`, exists: true, ready: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			req := &fnv1.RunFunctionRequest{Observed: &fnv1.State{Resources: map[string]*fnv1.Resource{}}}
			if tc.json != "" {
				req.Observed.Resources["r"] = &fnv1.Resource{Resource: resource.MustStructJSON(tc.json)}
			}
			got, err := StateOf(req, "r")
			if err != nil {
				t.Fatal(err)
			}
			if got.Exists != tc.exists || got.Ready() != tc.ready {
				t.Errorf("%s\nwant exists %v, ready %v, got %+v", tc.reason, tc.exists, tc.ready, got)
			}
		})
	}
	bad := &fnv1.RunFunctionRequest{Observed: &fnv1.State{Resources: map[string]*fnv1.Resource{"r": {Resource: resource.MustStructJSON(`{"status": 1}`)}}}}
	if _, err := StateOf(bad, "r"); err == nil {
		t.Error("a status that is none: want an error")
	}
}

func TestWasReached(t *testing.T) {
	cases := map[string]struct {
		reason string
		json   string
		want   bool
	}{
		"New":      {reason: "Nothing was said.", json: `{}`},
		"Reached":  {reason: "It was.", json: `{"metadata": {"generation": 1}, "status": {"conditions": [{"type": "Reached", "status": "True", "observedGeneration": 1}]}}`, want: true},
		"Degraded": {reason: "It was, and was lost since.", json: `{"status": {"conditions": [{"type": "Reached", "status": "False", "reason": "Degraded"}]}}`, want: true},
		"Changed":  {reason: "Something else was.", json: `{"metadata": {"generation": 2}, "status": {"conditions": [{"type": "Reached", "status": "True", "observedGeneration": 1}]}}`},
		"Not":      {reason: "It was not.", json: `{"status": {"conditions": [{"type": "Reached", "status": "False", "reason": "Progressing"}]}}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := WasReached(composite(tc.json))
			if err != nil || got != tc.want {
				t.Errorf("%s\nwant %v, got %v, %v", tc.reason, tc.want, got, err)
			}
		})
	}
	if _, err := WasReached(composite(`{"status": 1}`)); err == nil {
		t.Error("a status that is none: want an error")
	}
}

func TestReport(t *testing.T) {
	cases := map[string]struct {
		reason string
		state  string
		ttl    time.Duration
		status fnv1.Status
	}{
		"Reached":     {reason: "What is reached is looked at now and then.", state: v1alpha1.ReasonReached, ttl: ReachedTTL, status: fnv1.Status_STATUS_CONDITION_TRUE},
		"Progressing": {reason: "What is not is looked at soon.", state: v1alpha1.ReasonProgressing, ttl: WaitingTTL, status: fnv1.Status_STATUS_CONDITION_FALSE},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			rsp := Respond(&fnv1.RunFunctionRequest{Meta: &fnv1.RequestMeta{Tag: "t"}})
			Report(rsp, tc.state, "line\n\n\tone\x07")
			want := &fnv1.RunFunctionResponse{
				Meta: &fnv1.ResponseMeta{Tag: "t", Ttl: durationpb.New(tc.ttl)},
				Conditions: []*fnv1.Condition{{
					Type: v1alpha1.ConditionReached, Status: tc.status, Reason: tc.state,
					Message: ptr.To("line one"), Target: fnv1.Target_TARGET_COMPOSITE_AND_CLAIM.Enum(),
				}},
			}
			if diff := cmp.Diff(want, rsp, protocmp.Transform()); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
	rsp := Respond(&fnv1.RunFunctionRequest{})
	Report(rsp, v1alpha1.ReasonBlocked, strings.Repeat("ä", 600))
	if m := rsp.GetConditions()[0].GetMessage(); len(m) > maxMessageBytes || !strings.HasSuffix(m, "ä…") {
		t.Errorf("a long message is not cut where a character ends: %d bytes, %q", len(m), m[len(m)-8:])
	}
}

func TestRefuse(t *testing.T) {
	rsp := Respond(&fnv1.RunFunctionRequest{})
	Refuse(rsp, errors.New("spec.x: no"))
	if c := rsp.GetConditions()[0]; c.GetReason() != v1alpha1.ReasonInvalidSpec || c.GetMessage() != "spec.x: no" {
		t.Errorf("condition: got %v", c)
	}
	if r := rsp.GetResults()[0]; r.GetSeverity() != fnv1.Severity_SEVERITY_FATAL {
		t.Errorf("result: got %v", r)
	}
}

func TestWrite(t *testing.T) {
	req := composite(`{"apiVersion": "a/v1", "kind": "K"}`)
	req.Desired = &fnv1.State{
		Composite: &fnv1.Resource{Resource: resource.MustStructJSON(`{"metadata": {"labels": {"a": "b"}}}`)},
		Resources: map[string]*fnv1.Resource{"other": {}},
	}
	rsp := Respond(req)
	if err := SetStatus(req, rsp, map[string]any{"n": 1}, true); err != nil {
		t.Fatal(err)
	}
	if err := Compose(rsp, "mine", map[string]any{"kind": "K", "status": map[string]any{"x": 1}}, false); err != nil {
		t.Fatal(err)
	}
	want := &fnv1.State{
		Composite: &fnv1.Resource{
			Resource: resource.MustStructJSON(`{"apiVersion": "a/v1", "kind": "K", "metadata": {"labels": {"a": "b"}}, "status": {"n": 1}}`),
			Ready:    fnv1.Ready_READY_TRUE,
		},
		Resources: map[string]*fnv1.Resource{
			"other": {},
			"mine":  {Resource: resource.MustStructJSON(`{"kind": "K"}`), Ready: fnv1.Ready_READY_FALSE},
		},
	}
	if diff := cmp.Diff(want, rsp.GetDesired(), protocmp.Transform()); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func TestWriteFromNothing(t *testing.T) {
	req := composite(`{"apiVersion": "a/v1", "kind": "K"}`)
	rsp := Respond(req)
	if err := Compose(rsp, "mine", map[string]any{}, true); err != nil {
		t.Fatal(err)
	}
	rsp.Desired = nil
	if err := SetStatus(req, rsp, map[string]any{}, false); err != nil {
		t.Fatal(err)
	}
	want := &fnv1.Resource{Resource: &structpb.Struct{Fields: map[string]*structpb.Value{
		"apiVersion": structpb.NewStringValue("a/v1"), "kind": structpb.NewStringValue("K"), "status": structpb.NewStructValue(&structpb.Struct{}),
	}}, Ready: fnv1.Ready_READY_FALSE}
	if diff := cmp.Diff(want, rsp.GetDesired().GetComposite(), protocmp.Transform()); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	for what, err := range map[string]error{
		"status":   SetStatus(req, rsp, func() {}, true),
		"resource": Compose(rsp, "x", func() {}, true),
	} {
		if err == nil {
			t.Errorf("a %s that is not data: want an error", what)
		}
	}
}
