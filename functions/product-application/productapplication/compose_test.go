package productapplication

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"
	"sigs.k8s.io/yaml"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
)

const minimal = `
apiVersion: mainstay.dev/v1alpha1
kind: ProductApplication
metadata: {name: app, namespace: shop}
spec:
  components:
  - {name: web, type: worker, properties: {image: "web:1"}}
`

const varied = minimal + `
  policies:
  - {name: eu, type: override, properties: {clusterLabelSelector: {region: eu}, components: [{name: web, properties: {image: "web:eu"}}]}}
  - {name: always, type: override, properties: {components: [{name: web, properties: {cpu: 100m}}]}}
  - {name: big, type: override, properties: {clusters: [a], components: [{name: web, properties: {memory: 1Gi}}]}}
`

func claim(t *testing.T, text string) map[string]any {
	t.Helper()
	c := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRefused sends what admission would not let through, or cannot judge. The whole
// response is the refusal: nothing is composed, and so nothing is removed.
func TestRefused(t *testing.T) {
	cases := map[string]struct {
		reason string
		req    func(t *testing.T) *fnv1.RunFunctionRequest
		want   string
	}{
		"NoClaim": {
			reason: "A composite that somebody wrote directly has no namespace to compose in.",
			req: func(t *testing.T) *fnv1.RunFunctionRequest {
				req := request(t, claim(t, minimal))
				delete(req.GetObserved().GetComposite().GetResource().GetFields()["spec"].GetStructValue().GetFields(), "claimRef")
				return req
			},
			want: "spec.claimRef: this composite belongs to no claim: delete it and write a claim in a namespace instead",
		},
		"NoApplication": {
			reason: "Whatever is in the composite, there is an answer.",
			req: func(t *testing.T) *fnv1.RunFunctionRequest {
				req := request(t, claim(t, minimal))
				req.GetObserved().GetComposite().GetResource().GetFields()["spec"].GetStructValue().GetFields()["components"] = structpb.NewNumberValue(1)
				return req
			},
			want: "cannot load composite: json: cannot unmarshal number into Go struct field ProductApplicationSpec.spec.components of type []v1alpha1.Component",
		},
		"WrongProperty": {
			reason: "A property of the wrong type is named.",
			req: func(t *testing.T) *fnv1.RunFunctionRequest {
				return request(t, claim(t, strings.ReplaceAll(minimal, `"web:1"`, "80")))
			},
			want: `spec.components[0].properties.image: must be a string, got number 80: put it in quotes`,
		},
		"WhileRunning": {
			reason: "What runs goes on: the response composes nothing, and being fatal removes nothing.",
			req: func(t *testing.T) *fnv1.RunFunctionRequest {
				req := request(t, claim(t, minimal))
				req = advance(t, req, run(t, req), nil)
				req.Observed.Composite = request(t, claim(t, minimal+"  - {name: job, type: tsk}")).GetObserved().GetComposite()
				return req
			},
			want: `spec.components[1].type: component type "tsk" is not known: there are cron-task, k8s-objects, statefulservice, task, webservice and worker: did you mean "task"?`,
		},
		"OverridesThatDoNotFit": {
			reason: "Overrides that are right alone can be wrong for a cluster that needs several.",
			req: func(t *testing.T) *fnv1.RunFunctionRequest {
				req := request(t, claim(t, minimal+`
  policies:
  - {name: one, type: override, properties: {clusters: [a], components: [{name: web, properties: {cpu: "2", limit: {cpu: "4"}}}]}}
  - {name: two, type: override, properties: {clusters: [a], components: [{name: web, properties: {limit: {cpu: "1"}}}]}}
  - {name: three, type: override, properties: {clusters: [a], components: [{name: web, properties: {limit: {cpu: "3"}}}]}}
`))
				return advance(t, req, run(t, req), map[string]any{"atProvider": map[string]any{
					"variants": []any{map[string]any{"overrides": []any{"one", "two"}, "clusters": 1}},
				}})
			},
			want: `spec.policies[1].properties.components[0].properties.limit.cpu: must not be less than cpu, which is "2" (override "two", component "web")`,
		},
		"TooMuchTogether": {
			reason: "Crossplane takes no message that holds several large variants.",
			req:    tooMuch,
			want:   `spec.policies: the 2 variants of this application come to`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := run(t, tc.req(t))
			if msg := got.GetResults()[0].GetMessage(); !strings.HasPrefix(msg, tc.want) {
				t.Errorf("\n%s\nRun(...): want message %q, got %q", tc.reason, tc.want, msg)
			}
			want := &fnv1.RunFunctionResponse{
				Meta:    &fnv1.ResponseMeta{Tag: "test", Ttl: got.GetMeta().GetTtl()},
				Desired: nil,
				Conditions: []*fnv1.Condition{{
					Type: v1alpha1.ConditionReached, Status: fnv1.Status_STATUS_CONDITION_FALSE, Reason: v1alpha1.ReasonInvalidSpec,
					Message: ptrTo(got.GetResults()[0].GetMessage()), Target: fnv1.Target_TARGET_COMPOSITE_AND_CLAIM.Enum(),
				}},
				// Somebody may have published the type that is not known.
				Requirements: got.GetRequirements(),
				Results:      []*fnv1.Result{{Severity: fnv1.Severity_SEVERITY_FATAL, Message: got.GetResults()[0].GetMessage(), Target: fnv1.Target_TARGET_COMPOSITE.Enum()}},
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("\n%s\nRun(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func ptrTo(s string) *string { return &s }

// tooMuch has two variants that hardly compress and fit only one at a time.
func tooMuch(t *testing.T) *fnv1.RunFunctionRequest {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 950_000)
	for i := range noise {
		noise[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[r.IntN(64)]
	}
	req := request(t, claim(t, minimal+`
  - {name: data, type: k8s-objects, properties: {objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: d}, data: {a: '`+string(noise)+`'}}]}}
  policies:
  - {name: eu, type: override, properties: {clusters: [a], components: [{name: web, properties: {image: "web:2"}}]}}
`))
	return advance(t, req, run(t, req), map[string]any{"atProvider": map[string]any{
		"variants": []any{map[string]any{"clusters": 1}, map[string]any{"overrides": []any{"eu"}, "clusters": 1}},
	}})
}

// TestReached asks how an application is doing, by what its Rollout says.
func TestReached(t *testing.T) {
	three := func(ready int) map[string]any { return map[string]any{"total": 3, "updated": 3, "ready": ready} }
	problem := map[string]any{"cluster": "analytics.eu-2", "message": "Deployment web: 0 of 1 available"}
	type want struct {
		reason, message string
		ttl             time.Duration
	}
	cases := map[string]struct {
		reason string
		says   map[string]any
		// was is the reason of Reached before.
		was        string
		generation int
		want       want
	}{
		"NothingSaid": {
			reason: "A Rollout that nobody has looked at says nothing.",
			want:   want{v1alpha1.ReasonProgressing, "waits for the Rollout to take up the change", 25 * time.Second},
		},
		"Reached": {
			reason: "All clusters are ready.",
			says:   map[string]any{"conditions": conditionsOf("True", "True", ""), "atProvider": map[string]any{"clusters": three(3), "message": "all well"}},
			want:   want{v1alpha1.ReasonReached, "3/3 clusters ready", 10 * time.Minute},
		},
		"Stale": {
			reason:     "What was observed of an earlier generation says nothing about this one.",
			says:       map[string]any{"conditions": conditionsOf("True", "True", ""), "atProvider": map[string]any{"clusters": three(3)}},
			generation: 2,
			want:       want{v1alpha1.ReasonProgressing, "waits for the Rollout to take up the change", 25 * time.Second},
		},
		"Progressing": {
			reason: "The first problem is spelled out.",
			says:   map[string]any{"conditions": conditionsOf("True", "False", ""), "atProvider": map[string]any{"clusters": three(1), "problems": []any{problem}}},
			want:   want{v1alpha1.ReasonProgressing, "1/3 clusters ready: analytics.eu-2: Deployment web: 0 of 1 available", 25 * time.Second},
		},
		"MoreProblems": {
			reason: "The others are counted.",
			says:   map[string]any{"conditions": conditionsOf("True", "False", ""), "atProvider": map[string]any{"clusters": three(1), "problems": []any{problem, problem, problem}}},
			want:   want{v1alpha1.ReasonProgressing, "1/3 clusters ready: analytics.eu-2: Deployment web: 0 of 1 available; and 2 more", 25 * time.Second},
		},
		"NoProblemYet": {
			reason: "Without problems it is said what is awaited.",
			says:   map[string]any{"conditions": conditionsOf("True", "False", ""), "atProvider": map[string]any{"clusters": three(0), "message": "3 in motion"}},
			want:   want{v1alpha1.ReasonProgressing, "0/3 clusters ready: 3 in motion", 25 * time.Second},
		},
		"Leaving": {
			reason: "All that is wanted is ready, and something is left to do.",
			says:   map[string]any{"conditions": conditionsOf("True", "False", ""), "atProvider": map[string]any{"clusters": three(3), "message": "1 to be removed"}},
			want:   want{v1alpha1.ReasonProgressing, "3/3 clusters ready: 1 to be removed", 25 * time.Second},
		},
		"Silent": {
			reason: "Or nothing, where nothing is known.",
			says:   map[string]any{"conditions": conditionsOf("True", "False", ""), "atProvider": map[string]any{"clusters": three(0)}},
			want:   want{v1alpha1.ReasonProgressing, "0/3 clusters ready", 25 * time.Second},
		},
		"Degraded": {
			reason: "What was reached is not so any more.",
			says:   map[string]any{"conditions": conditionsOf("True", "False", ""), "atProvider": map[string]any{"clusters": three(2), "problems": []any{problem}}},
			was:    v1alpha1.ReasonReached,
			want:   want{v1alpha1.ReasonDegraded, "2/3 clusters ready: analytics.eu-2: Deployment web: 0 of 1 available", 25 * time.Second},
		},
		"StillDegraded": {
			reason: "It stays degraded until it is reached again.",
			says:   map[string]any{"conditions": conditionsOf("True", "False", ""), "atProvider": map[string]any{"clusters": three(2), "problems": []any{problem}}},
			was:    v1alpha1.ReasonDegraded,
			want:   want{v1alpha1.ReasonDegraded, "2/3 clusters ready: analytics.eu-2: Deployment web: 0 of 1 available", 25 * time.Second},
		},
		"GrewFromReached": {
			reason: "A cluster that joined does not have it yet: that is progress, not decay.",
			says:   map[string]any{"conditions": conditionsOf("True", "False", ""), "atProvider": map[string]any{"clusters": map[string]any{"total": 4, "updated": 3, "ready": 3}}},
			was:    v1alpha1.ReasonReached,
			want:   want{v1alpha1.ReasonProgressing, "3/4 clusters ready", 25 * time.Second},
		},
		"Blocked": {
			reason: "What the Rollout cannot do is said in its words, without the runtime's.",
			says:   map[string]any{"conditions": conditionsOf("False", "False", `observe failed: topology "eu" selects no cluster`), "atProvider": map[string]any{}},
			want:   want{v1alpha1.ReasonBlocked, `topology "eu" selects no cluster`, 25 * time.Second},
		},
		"OlderRevision": {
			reason: "A revision that is not the one that is wanted may be reached; this one is not.",
			says:   map[string]any{"conditions": conditionsOf("True", "True", ""), "atProvider": map[string]any{"clusters": three(3), "digest": "another", "phase": "Completed"}},
			want:   want{v1alpha1.ReasonProgressing, "waits for the Rollout to take up the change", 25 * time.Second},
		},
		"HeldBack": {
			reason: "What no approved change carries is taken up, and is not the Rollout's revision.",
			says: map[string]any{"conditions": conditionsOf("True", "False", ""), "atProvider": map[string]any{
				"clusters": three(3), "digest": "another", "phase": "Blocked", "message": "held back: the claim was edited", "held": map[string]any{"message": "held back: the claim was edited"}}},
			want: want{v1alpha1.ReasonBlocked, "held back: the claim was edited", 25 * time.Second},
		},
		"Waiting": {
			reason: "What a Rollout waits for is said in its words.",
			says: map[string]any{"conditions": conditionsOf("True", "False", ""), "atProvider": map[string]any{
				"clusters": three(1), "phase": "Waiting", "message": `updated on 1 of 3 clusters; wave "canary" soaks for 4m`, "problems": []any{problem}}},
			want: want{v1alpha1.ReasonProgressing, `updated on 1 of 3 clusters; wave "canary" soaks for 4m`, 25 * time.Second},
		},
		"Halted": {
			reason: "What halted does not go on by itself.",
			says: map[string]any{"conditions": conditionsOf("True", "False", ""), "atProvider": map[string]any{
				"clusters": three(1), "phase": "Halted", "message": "halted: 1 cluster failed", "problems": []any{problem}}},
			want: want{v1alpha1.ReasonBlocked, "halted: 1 cluster failed", 25 * time.Second},
		},
		"RolledBack": {
			reason: "Nor does what went back, although all clusters may be healthy.",
			says: map[string]any{"conditions": conditionsOf("True", "True", ""), "atProvider": map[string]any{
				"clusters": map[string]any{"total": 3, "updated": 0, "ready": 0}, "phase": "RolledBack", "message": "rolled back to revision abc: no"}},
			want: want{v1alpha1.ReasonBlocked, "rolled back to revision abc: no", 25 * time.Second},
		},
		"RollingBack": {
			reason: "While it goes back it is worse than it was.",
			says:   map[string]any{"conditions": conditionsOf("True", "False", ""), "atProvider": map[string]any{"clusters": three(2), "phase": "RollingBack", "message": "rolling back"}},
			want:   want{v1alpha1.ReasonDegraded, "rolling back", 25 * time.Second},
		},
		"Preflight": {
			reason: "The worst of what the preflight found is spelled out, with what to do.",
			says: map[string]any{"conditions": conditionsOf("True", "False", ""), "atProvider": map[string]any{
				"clusters": three(0), "phase": "Preflight", "message": "held", "preflight": map[string]any{"digest": "", "checked": 3, "blocking": 2, "findings": []any{
					map[string]any{"cause": "C2", "severity": "Blocking", "object": "Deployment/web", "message": `Secret "db" has no key "user"`, "fix": "add it", "clusters": 2},
					map[string]any{"cause": "A1", "severity": "Blocking", "message": "waived", "clusters": 1, "waived": "until tomorrow"},
					map[string]any{"cause": "B2", "severity": "Warning", "message": "may not fit", "clusters": 3},
					map[string]any{"cause": "C5", "severity": "Blocking", "message": "no such image", "clusters": 1},
				}}}},
			want: want{v1alpha1.ReasonBlocked, `0/3 clusters ready: preflight blocks 2 clusters: Deployment/web: Secret "db" has no key "user": add it (C2); 1 cluster: no such image (C5)`, 25 * time.Second},
		},
		"Checking": {
			reason: "While clusters are checked nothing is wrong.",
			says:   map[string]any{"conditions": conditionsOf("True", "False", ""), "atProvider": map[string]any{"clusters": three(0), "phase": "Preflight", "message": "2 clusters to be checked"}},
			want:   want{v1alpha1.ReasonProgressing, "2 clusters to be checked", 25 * time.Second},
		},
		"Nowhere": {
			reason: "A topology may allow that no cluster is selected.",
			says:   map[string]any{"conditions": conditionsOf("True", "True", ""), "atProvider": map[string]any{}},
			want:   want{v1alpha1.ReasonReached, "placed on no cluster, which a topology policy allows", 10 * time.Minute},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			req := request(t, claim(t, minimal))
			rsp := run(t, req)
			if diff := cmp.Diff("waits for the Rollout to be made", rsp.GetConditions()[0].GetMessage()); diff != "" {
				t.Errorf("at first: -want, +got:\n%s", diff)
			}
			if tc.was != "" {
				rsp.Conditions[0].Reason = tc.was
				if tc.was == v1alpha1.ReasonReached {
					rsp.Conditions[0].Status = fnv1.Status_STATUS_CONDITION_TRUE
				}
			}
			req = advance(t, req, rsp, tc.says)
			if tc.generation != 0 {
				meta := req.GetObserved().GetResources()[rolloutResource].GetResource().GetFields()["metadata"].GetStructValue()
				meta.Fields["generation"] = structpb.NewNumberValue(float64(tc.generation))
			}
			rsp = run(t, req)
			c := rsp.GetConditions()[0]
			got := want{c.GetReason(), c.GetMessage(), rsp.GetMeta().GetTtl().AsDuration()}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\nRun(...): -want, +got:\n%s", tc.reason, diff)
			}
			ready := fnv1.Ready_READY_FALSE
			if tc.want.reason == v1alpha1.ReasonReached {
				ready = fnv1.Ready_READY_TRUE
			}
			for what, r := range map[string]*fnv1.Resource{"composite": rsp.GetDesired().GetComposite(), "Rollout": rsp.GetDesired().GetResources()[rolloutResource]} {
				if r.GetReady() != ready {
					t.Errorf("\n%s\nRun(...): %s is %s, want %s", tc.reason, what, r.GetReady(), ready)
				}
			}
			for n, r := range rsp.GetDesired().GetResources() {
				if n != rolloutResource && r.GetReady() != fnv1.Ready_READY_TRUE {
					t.Errorf("\n%s\nRun(...): %s exists, so it is ready", tc.reason, n)
				}
			}
		})
	}
}

// TestStatus carries what the Rollout says to the claim.
func TestStatus(t *testing.T) {
	req := request(t, claim(t, minimal))
	rsp := run(t, req)
	req = advance(t, req, rsp, map[string]any{"conditions": conditionsOf("True", "False", ""), "atProvider": map[string]any{
		"clusters":   map[string]any{"total": 3, "updated": 2, "ready": 1},
		"components": []any{map[string]any{"name": "web", "healthy": 1, "total": 3, "message": "f.a: 0 of 1 available"}},
		"problems":   []any{map[string]any{"cluster": "f.a", "message": "0 of 1 available"}},
		"phase":      "Waiting", "message": "soaks",
		"waves": []any{
			map[string]any{"name": "a", "phase": "Over", "clusters": map[string]any{}}, map[string]any{"name": "b", "phase": "Soaking", "clusters": map[string]any{}},
			map[string]any{"name": "c", "phase": "Pending", "clusters": map[string]any{}},
		},
		"steps": []any{
			map[string]any{"name": "one", "phase": "Succeeded"}, map[string]any{"name": "two", "phase": "Skipped"},
			map[string]any{"name": "three", "phase": "Running", "message": "soaks"}, map[string]any{"name": "four", "phase": "Pending"},
		},
		"preflight": map[string]any{"digest": "d", "checked": 3, "blocking": 0, "findings": []any{
			map[string]any{"cause": "B2", "severity": "Warning", "object": "Deployment/web", "message": "may not fit", "fix": "ask for less", "clusters": 3},
		}},
	}})
	got := run(t, req).GetDesired().GetComposite().GetResource().AsMap()["status"]
	want := map[string]any{
		"summary":  "1/3",
		"clusters": map[string]any{"total": 3.0, "updated": 2.0, "ready": 1.0},
		"bundles":  []any{"app." + strings.TrimPrefix(bundleResources(rsp)[0], bundlePrefix)},
		"services": []any{map[string]any{"name": "web", "healthy": 1.0, "total": 3.0, "message": "f.a: 0 of 1 available"}},
		"problems": []any{map[string]any{"cluster": "f.a", "message": "0 of 1 available"}},
		"rollout":  map[string]any{"phase": "Waiting", "wave": "b", "waves": "1/3", "message": "soaks"},
		"workflow": map[string]any{"done": "2/4", "steps": []any{map[string]any{"name": "three", "phase": "Running", "message": "soaks"}}},
		"preflight": map[string]any{"checked": 3.0, "blocking": 0.0, "findings": []any{
			map[string]any{"cause": "B2", "severity": "Warning", "object": "Deployment/web", "message": "may not fit: ask for less", "clusters": 3.0},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status: -want, +got:\n%s", diff)
	}
}

func bundleResources(rsp *fnv1.RunFunctionResponse) []string {
	out := []string{}
	for name := range rsp.GetDesired().GetResources() {
		if strings.HasPrefix(name, bundlePrefix) {
			out = append(out, name)
		}
	}
	return out
}

func rolloutOf(t *testing.T, rsp *fnv1.RunFunctionResponse) map[string]any {
	t.Helper()
	m := rsp.GetDesired().GetResources()[rolloutResource].GetResource().AsMap()
	spec, _ := m["spec"].(map[string]any)
	p, _ := spec["forProvider"].(map[string]any)
	return p
}

// TestHandshake goes through what a change means: rendering for what clusters need,
// and keeping what they have.
func TestHandshake(t *testing.T) {
	req := request(t, claim(t, varied))
	first := run(t, req)
	variants := func(rsp *fnv1.RunFunctionResponse) [][]any {
		out := [][]any{}
		list, _ := rolloutOf(t, rsp)["variants"].([]any)
		for _, v := range list {
			m, _ := v.(map[string]any)
			o, _ := m["overrides"].([]any)
			out = append(out, o)
		}
		return out
	}
	if diff := cmp.Diff([][]any{{"always"}}, variants(first)); diff != "" {
		t.Errorf("At first there is what applies everywhere: -want, +got:\n%s", diff)
	}

	needs := map[string]any{"atProvider": map[string]any{"variants": []any{
		map[string]any{"overrides": []any{"always"}, "clusters": 2},
		map[string]any{"overrides": []any{"eu", "always", "big"}, "clusters": 1},
	}}}
	req = advance(t, req, first, needs)
	second := run(t, req)
	if diff := cmp.Diff([][]any{{"always"}, {"eu", "always", "big"}}, variants(second)); diff != "" {
		t.Errorf("Then what clusters need is added: -want, +got:\n%s", diff)
	}
	if got := second.GetConditions()[0].GetReason(); got != v1alpha1.ReasonProgressing {
		t.Errorf("A Rollout that does not have all variants is not done: got %s", got)
	}

	// The placement cannot be resolved for a while: what was needed is not taken away.
	req = advance(t, req, second, map[string]any{"conditions": conditionsOf("False", "False", "observe failed: no")})
	blocked := run(t, req)
	if diff := cmp.Diff(variants(second), variants(blocked)); diff != "" {
		t.Errorf("While needs are unknown they stay: -want, +got:\n%s", diff)
	}

	// A change: the Bundles that clusters still have stay, byte for byte, others go.
	list, _ := rolloutOf(t, second)["variants"].([]any)
	always, _ := list[0].(map[string]any)
	inUse, _ := always["bundle"].(string)
	old := bundlePrefix + digestOf(inUse)
	req = advance(t, req, second, map[string]any{"atProvider": map[string]any{"bundlesInUse": []any{inUse, "app.unknown"}}})
	changed := request(t, claim(t, strings.ReplaceAll(varied, "web:1", "web:2")))
	req.Observed.Composite = changed.GetObserved().GetComposite()
	spec := req.GetObserved().GetResources()[old].GetResource().GetFields()["spec"].GetStructValue()
	spec.Fields["later"] = structpb.NewStringValue("a field of a later version")
	third := run(t, req)
	kept := third.GetDesired().GetResources()[old]
	if diff := cmp.Diff(spec, kept.GetResource().GetFields()["spec"].GetStructValue(), protocmp.Transform()); diff != "" {
		t.Errorf("A Bundle that exists is desired as it is: -want, +got:\n%s", diff)
	}
	if kept.GetReady() != fnv1.Ready_READY_TRUE {
		t.Errorf("A Bundle that exists is ready")
	}
	if got, want := len(bundleResources(third)), 3; got != want {
		// "eu" sets the image, so that variant is what it was.
		t.Errorf("want %d Bundles, got %d: %v", want, got, bundleResources(third))
	}
	for _, name := range bundleResources(third) {
		b := bundleOf(t, third, name)
		if b.GetNamespace() != "shop" || b.GetName() != "app."+strings.TrimPrefix(name, bundlePrefix) {
			t.Errorf("Bundle %s is %s/%s", name, b.GetNamespace(), b.GetName())
		}
	}
}

// TestChangeOfBundle proves that a Bundle of an existing name is not rendered again:
// another compressor would write other bytes, and a Bundle is immutable.
func TestChangeOfBundle(t *testing.T) {
	req := request(t, claim(t, minimal))
	rsp := run(t, req)
	req = advance(t, req, rsp, nil)
	name := bundleResources(rsp)[0]
	spec := req.GetObserved().GetResources()[name].GetResource().GetFields()["spec"].GetStructValue()
	spec.Fields["data"] = structpb.NewStringValue("b3RoZXIgYnl0ZXM=")
	got := bundleOf(t, run(t, req), name)
	if diff := cmp.Diff("other bytes", string(got.Spec.Data)); diff != "" {
		t.Errorf("data: -want, +got:\n%s", diff)
	}
}

// TestManyVariants asks for more combinations than a Rollout can have.
func TestManyVariants(t *testing.T) {
	text := minimal + "\n  policies:\n"
	for i := range 7 {
		text += fmt.Sprintf("  - {name: o%d, type: override, properties: {clusters: [a], components: [{name: web, properties: {labels: {l%d: x}}}]}}\n", i, i)
	}
	needs := []any{}
	for n := range 1 << 7 {
		names := []any{}
		for i := range 7 {
			if n&(1<<i) != 0 {
				names = append(names, fmt.Sprintf("o%d", i))
			}
		}
		needs = append(needs, map[string]any{"overrides": names, "clusters": 1})
	}
	req := request(t, claim(t, text))
	req = advance(t, req, run(t, req), map[string]any{"atProvider": map[string]any{"variants": needs}})
	rsp := run(t, req)
	c := rsp.GetConditions()[0]
	if diff := cmp.Diff("Blocked: clusters need 128 combinations of override policies and at most 64 are possible: let fewer overrides differ by cluster", c.GetReason()+": "+c.GetMessage()); diff != "" {
		t.Errorf("Reached: -want, +got:\n%s", diff)
	}
	if list, _ := rolloutOf(t, rsp)["variants"].([]any); len(list) != maxVariants {
		t.Errorf("want %d variants, got %d", maxVariants, len(list))
	}
}

// TestErrors sends what only Crossplane could have got wrong.
func TestErrors(t *testing.T) {
	cases := map[string]struct {
		reason string
		kind   string
		name   string
		body   map[string]any
	}{
		"Rollout":    {reason: "A Rollout that cannot be read.", kind: mv1alpha1.RolloutGVK.Kind, name: rolloutResource, body: map[string]any{"spec": 1}},
		"Conditions": {reason: "Conditions that cannot be read.", kind: "Other", name: rolloutResource, body: map[string]any{"status": 1}},
		"Bundle":     {reason: "A Bundle that cannot be read is as good as none.", kind: mv1alpha1.BundleGVK.Kind, name: "bundle-x", body: map[string]any{"metadata": 1}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			req := request(t, claim(t, minimal))
			body := map[string]any{"apiVersion": mv1alpha1.GroupVersion.String(), "kind": tc.kind}
			for k, v := range tc.body {
				body[k] = v
			}
			req.Observed.Resources[tc.name] = &fnv1.Resource{Resource: toStruct(t, body)}
			_, err := Run(req)
			if wantErr := name != "Bundle"; (err != nil) != wantErr {
				t.Errorf("\n%s\nRun(...): want error %t, got %v", tc.reason, wantErr, err)
			}
		})
	}
}

// TestEarlierSteps passes on what an earlier step of the pipeline desired.
func TestEarlierSteps(t *testing.T) {
	req := request(t, claim(t, minimal))
	earlier := &fnv1.Resource{Resource: toStruct(t, map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "earlier"}})}
	req.Desired = &fnv1.State{Resources: map[string]*fnv1.Resource{"earlier": earlier}}
	got := run(t, req).GetDesired().GetResources()["earlier"]
	if diff := cmp.Diff(earlier, got, protocmp.Transform()); diff != "" {
		t.Errorf("earlier: -want, +got:\n%s", diff)
	}
}

// TestControl leaves alone what people tell a Rollout on its way.
func TestControl(t *testing.T) {
	req := request(t, claim(t, minimal))
	rsp := run(t, req)
	req = advance(t, req, rsp, map[string]any{"conditions": conditionsOf("True", "True", ""), "atProvider": map[string]any{"clusters": map[string]any{"total": 1, "updated": 1, "ready": 1}}})
	spec := req.GetObserved().GetResources()[rolloutResource].GetResource().GetFields()["spec"].GetStructValue().GetFields()["forProvider"].GetStructValue()
	spec.Fields["control"] = structpb.NewStructValue(toStruct(t, map[string]any{"retry": 2, "paused": false}))
	got := run(t, req)
	if _, set := rolloutOf(t, got)["control"]; set {
		t.Error("control is people's: the function must not set it")
	}
	if got := got.GetConditions()[0].GetReason(); got != v1alpha1.ReasonReached {
		t.Errorf("control is not what an application wants, and makes no difference: got %s", got)
	}
}

// TestWorkflow composes what a workflow and a rollout policy come to.
func TestWorkflow(t *testing.T) {
	c := claim(t, minimal+`
  policies:
  - {name: eu, type: topology, properties: {clusterLabelSelector: {region: eu}}}
  - {name: us, type: topology, properties: {clusterLabelSelector: {region: us}}}
  - {name: big, type: override, properties: {components: [{name: web, properties: {cpu: "1"}}]}}
  - {name: slow, type: rollout, properties: {maxConcurrent: 1, waves: [{name: one, canary: 1, soak: 10m}, {name: rest}]}}
  workflow:
    steps:
    - {name: go-us, type: deploy, properties: {policies: [us, big], auto: false}}
    - {name: go-eu, type: deploy, properties: {policies: [eu]}}
`)
	rsp := run(t, request(t, c))
	got := rolloutOf(t, rsp)
	delete(got, "variants")
	spec, _ := c["spec"].(map[string]any)
	// Whoever grants a claim takes the digest of the claim, and not of its composite.
	digest, err := grant.Digest("ProductApplication", "shop", "app", spec)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"application": "app",
		"claimDigest": digest,
		"placement": map[string]any{
			"topologies": []any{
				map[string]any{"name": "us", "clusterLabelSelector": map[string]any{"region": "us"}},
				map[string]any{"name": "eu", "clusterLabelSelector": map[string]any{"region": "eu"}},
			},
			"overrides": []any{map[string]any{"name": "big", "topologies": []any{"us"}}},
		},
		"steps": []any{
			map[string]any{"name": "go-us", "type": "Deploy", "topologies": []any{"us"}, "approval": true},
			map[string]any{"name": "go-eu", "type": "Deploy", "topologies": []any{"eu"}, "dependsOn": []any{"go-us"}},
		},
		"strategy": map[string]any{"maxConcurrent": 1.0, "waves": []any{map[string]any{"name": "one", "canary": 1.0, "soak": "10m0s"}, map[string]any{"name": "rest"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Rollout: -want, +got:\n%s", diff)
	}
	if n := len(bundleResources(rsp)); n != 2 {
		t.Errorf("want a Bundle for each step, got %d", n)
	}
}
