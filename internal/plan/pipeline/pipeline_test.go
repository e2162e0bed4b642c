package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/mainstay-dev/mainstay/internal/plan/render"
)

func named(name string) *fnv1.ResourceSelector {
	return &fnv1.ResourceSelector{ApiVersion: "v1", Kind: "ConfigMap", Match: &fnv1.ResourceSelector_MatchName{MatchName: name}}
}

func labelled(pairs ...string) *fnv1.ResourceSelector {
	l := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		l[pairs[i]] = pairs[i+1]
	}
	return &fnv1.ResourceSelector{ApiVersion: "v1", Kind: "ConfigMap", Match: &fnv1.ResourceSelector_MatchLabels{MatchLabels: &fnv1.MatchLabels{Labels: l}}}
}

// compose a resource on top of what there is.
func compose(req *fnv1.RunFunctionRequest, name string, says any) *fnv1.RunFunctionResponse {
	s, _ := structpb.NewStruct(map[string]any{"says": says})
	d := &fnv1.State{Resources: map[string]*fnv1.Resource{name: {Resource: s}}}
	for n, r := range req.GetDesired().GetResources() {
		d.Resources[n] = r
	}
	return &fnv1.RunFunctionResponse{Desired: d, Context: req.GetContext()}
}

// required resources in short: key and how many.
func required(req *fnv1.RunFunctionRequest) string {
	out := ""
	for _, key := range []string{"a", "b", "c", "given", "older"} {
		if r, ok := req.GetRequiredResources()[key]; ok {
			out += fmt.Sprintf("%s=%d ", key, len(r.GetItems()))
		}
		if r, ok := req.GetExtraResources()[key]; ok { //nolint:staticcheck // That is what is tested.
			out += fmt.Sprintf("%s=%d ", key, len(r.GetItems()))
		}
	}
	return strings.TrimSpace(out)
}

// TestOf runs pipelines as Crossplane does.
func TestOf(t *testing.T) {
	asks := func(rounds ...map[string]*fnv1.ResourceSelector) Run {
		n := -1
		return func(_ context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
			n = min(n+1, len(rounds)-1)
			rsp := compose(req, "x", required(req))
			rsp.Requirements = &fnv1.Requirements{Resources: rounds[n]}
			return rsp, nil
		}
	}
	says := func(name string, says any) Run {
		return func(_ context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
			return compose(req, name, says), nil
		}
	}
	rounds := 0
	type want struct {
		composed map[string]any
		refused  string
		err      string
	}
	cases := map[string]struct {
		reason string
		steps  []Step
		want   want
	}{
		"Steps":  {reason: "Each step adds to what the one before desires.", steps: []Step{{Name: "1", Run: says("a", "A")}, {Name: "2", Run: says("b", "B")}}, want: want{composed: map[string]any{"a": "A", "b": "B"}}},
		"Asks":   {reason: "A function gets what it asks for, and what there is not as nothing.", steps: []Step{{Run: asks(map[string]*fnv1.ResourceSelector{"a": named("one"), "b": named("none")})}}, want: want{composed: map[string]any{"x": "a=1 b=0"}}},
		"Labels": {reason: "It may ask by labels.", steps: []Step{{Run: asks(map[string]*fnv1.ResourceSelector{"a": labelled("k", "v", "j", "w")})}}, want: want{composed: map[string]any{"x": "a=2"}}},
		"Grows": {
			reason: "What it got may lead to more.",
			steps:  []Step{{Run: asks(map[string]*fnv1.ResourceSelector{"a": named("one")}, map[string]*fnv1.ResourceSelector{"a": named("one"), "b": named("one")})}},
			want:   want{composed: map[string]any{"x": "a=1 b=1"}},
		},
		"Given": {
			reason: "What the Composition requires for a step is there from the beginning, and stays.",
			steps:  []Step{{Requires: map[string]render.Selector{"given": {Name: "one"}}, Run: asks(map[string]*fnv1.ResourceSelector{"a": named("one")})}},
			want:   want{composed: map[string]any{"x": "a=1 given=1"}},
		},
		"GivenOnly": {
			reason: "A function that asks for nothing gets it, too.",
			steps:  []Step{{Requires: map[string]render.Selector{"given": {Name: "one"}}, Run: asks(nil)}},
			want:   want{composed: map[string]any{"x": "given=1"}},
		},
		"Older": {
			reason: "Functions that know the older field only get what they ask for there.",
			steps: []Step{{Run: func(_ context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
				rsp := compose(req, "x", required(req))
				rsp.Requirements = &fnv1.Requirements{ExtraResources: map[string]*fnv1.ResourceSelector{"older": named("one")}}
				return rsp, nil
			}}},
			want: want{composed: map[string]any{"x": "older=1"}},
		},
		"Restless": {
			reason: "One that always wants something else is not asked for ever.",
			steps: []Step{{Name: "r", Run: func(_ context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
				rounds++
				rsp := compose(req, "x", "")
				rsp.Requirements = &fnv1.Requirements{Resources: map[string]*fnv1.ResourceSelector{"a": named(fmt.Sprint(rounds))}}
				return rsp, nil
			}}},
			want: want{err: `cannot run step "r": its function requires more after 5 rounds`},
		},
		"Refuses": {
			reason: "A function that refuses ends it, and what was desired until then does not count.",
			steps: []Step{{Run: says("a", "A")}, {Run: func(context.Context, *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
				return &fnv1.RunFunctionResponse{Results: []*fnv1.Result{{Severity: fnv1.Severity_SEVERITY_WARNING, Message: "hm"}, {Severity: fnv1.Severity_SEVERITY_FATAL, Message: "no"}}}, nil
			}}, {Run: says("b", "B")}},
			want: want{refused: "no"},
		},
		"Context": {
			reason: "What one hands on the next one gets, and its input is its own.",
			steps: []Step{{Input: []byte(`{"kind":"In"}`), Run: func(_ context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
				rsp := compose(req, "in", req.GetInput().GetFields()["kind"].GetStringValue())
				rsp.Context, _ = structpb.NewStruct(map[string]any{"k": "v"})
				return rsp, nil
			}}, {Run: func(_ context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
				return compose(req, "on", req.GetContext().GetFields()["k"].GetStringValue()+req.GetInput().GetFields()["kind"].GetStringValue()), nil
			}}},
			want: want{composed: map[string]any{"in": "In", "on": "v"}},
		},
		"Schemas": {
			reason: "What cannot be given is said.",
			steps: []Step{{Name: "s", Run: func(_ context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
				rsp := compose(req, "x", "")
				rsp.Requirements = &fnv1.Requirements{Schemas: map[string]*fnv1.SchemaSelector{"s": {Kind: "X"}}}
				return rsp, nil
			}}},
			want: want{err: `cannot run step "s": its function asks for schemas of kinds, which is not planned with`},
		},
		"Fails": {
			reason: "One that cannot be asked is no empty answer.",
			steps: []Step{{Name: "f", Run: func(context.Context, *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
				return nil, errors.New("gone")
			}}},
			want: want{err: `cannot run step "f": gone`},
		},
		"HubFails":   {reason: "Nor is what it asks for and cannot be read.", steps: []Step{{Name: "h", Run: asks(map[string]*fnv1.ResourceSelector{"a": named("broken")})}}, want: want{err: `cannot run step "h": hub is gone`}},
		"GivenFails": {reason: "Nor what it is to have.", steps: []Step{{Name: "h", Requires: map[string]render.Selector{"a": {Name: "broken"}}}}, want: want{err: `cannot run step "h": hub is gone`}},
		"BadInput":   {reason: "An input that is none.", steps: []Step{{Name: "i", Input: []byte("{")}}, want: want{err: `cannot run step "i": cannot read its input: `}},
	}
	find := func(s render.Selector) ([]map[string]any, error) {
		one := map[string]any{"kind": "ConfigMap"}
		switch {
		case s.Name == "one":
			return []map[string]any{one}, nil
		case s.Labels == "j=w,k=v":
			return []map[string]any{one, one}, nil
		case s.Name == "broken":
			return nil, errors.New("hub is gone")
		}
		return nil, nil
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			rsp, err := Of(tc.steps...)(t.Context(), render.Request{
				Composite: map[string]any{"kind": "X"}, Composed: map[string]map[string]any{"had": {"kind": "Y"}}, Find: find,
			})
			if (tc.want.err == "") != (err == nil) || err != nil && !strings.HasPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), tc.want.err) {
				t.Fatalf("\n%s\nOf(...): %v, want %q", tc.reason, err, tc.want.err)
			}
			got := map[string]any{}
			for name, r := range rsp.Composed {
				got[name] = r["says"]
			}
			if tc.want.composed == nil {
				tc.want.composed = map[string]any{}
			}
			if diff := cmp.Diff(tc.want.composed, got); diff != "" || rsp.Refused != tc.want.refused {
				t.Errorf("\n%s\nOf(...): refused %q, -want, +got:\n%s", tc.reason, rsp.Refused, diff)
			}
		})
	}
}

// TestNoHub: where there is nobody to ask, there is nothing.
func TestNoHub(t *testing.T) {
	rsp, err := Of(Step{Run: func(_ context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
		rsp := compose(req, "x", required(req))
		rsp.Requirements = &fnv1.Requirements{Resources: map[string]*fnv1.ResourceSelector{"a": named("one")}}
		return rsp, nil
	}})(t.Context(), render.Request{Composite: map[string]any{}})
	if err != nil || rsp.Composed["x"]["says"] != "a=0" {
		t.Errorf("Of(...): %v, %v", rsp.Composed, err)
	}
	if _, err := Of()(t.Context(), render.Request{Composite: map[string]any{"x": make(chan int)}}); err == nil {
		t.Error("Of(...): what is no JSON is taken")
	}
}
