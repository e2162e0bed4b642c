package oam

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/internal/bundle"
)

func TestObjectPolicyProblems(t *testing.T) {
	cases := map[string]struct {
		reason   string
		policies string
		want     []string
	}{
		"Selectors": {
			reason:   "What selects nothing was probably meant otherwise.",
			policies: `[{name: t, type: take-over, properties: {rules: [{selector: {componentNames: [dbb], componentTypes: [task]}}]}}]`,
			want: []string{
				`spec.policies[0].properties.rules[0].selector.componentNames[0]: "dbb" is no component of this application: did you mean "db"?`,
				`spec.policies[0].properties.rules[0].selector.componentTypes[0]: no component of this application is of type "task"`,
			},
		},
		"Unsupported": {
			reason: "What KubeVela has and we do not is refused with what to do instead.",
			policies: `[{name: o, type: apply-once, properties: {enable: true, rules: [{selector: {oamTypes: [x]}, strategy: {path: ["*"], affect: onUpdate}}]}},
				{name: g, type: garbage-collect, properties: {order: dependency, applicationRevisionLimit: 3, rules: [{selector: {traitTypes: [x]}, strategy: never, propagation: orphan}]}},
				{name: s, type: shared-resource}, {name: r, type: replication}, {name: u, type: resource-update}]`,
			want: []string{
				`spec.policies[0].properties.rules[0].selector.oamTypes: is not supported: select by componentNames, componentTypes, resourceTypes or resourceNames`,
				`spec.policies[0].properties.rules[0].strategy.affect: is not supported: remove it; what is left alone is so always`,
				`spec.policies[1].properties.applicationRevisionLimit: is not supported: remove it; the last revisions are kept for rollback`,
				`spec.policies[1].properties.order: is not supported: remove it; what depends on others is always deleted first`,
				`spec.policies[1].properties.rules[0].propagation: is not supported: remove it`,
				`spec.policies[1].properties.rules[0].selector.traitTypes: is not supported: select by componentNames, componentTypes, resourceTypes or resourceNames`,
				`spec.policies[2].type: policy type "shared-resource" is not supported: there are apply-once, garbage-collect, override, read-only, rollout, take-over and topology`,
				`spec.policies[3].type: policy type "replication" is not supported: there are apply-once, garbage-collect, override, read-only, rollout, take-over and topology`,
				`spec.policies[4].type: policy type "resource-update" is not supported: there are apply-once, garbage-collect, override, read-only, rollout, take-over and topology`,
			},
		},
		"NoEffect": {
			reason:   "A policy that does nothing is not what somebody wanted.",
			policies: `[{name: o, type: apply-once}, {name: r, type: read-only}]`,
			want: []string{
				`spec.policies[0].properties.enable: must be true: otherwise the policy does nothing; remove it if that is meant`,
				`spec.policies[1].properties.rules: is required`,
			},
		},
		"Twice": {
			reason:   "Of some policies there is one.",
			policies: `[{name: a, type: rollout}, {name: b, type: rollout}, {name: c, type: garbage-collect}, {name: d, type: garbage-collect}]`,
			want: []string{
				`spec.policies[1].properties: there is a rollout policy already, spec.policies[0].properties: write one`,
				`spec.policies[3].properties: there is a garbage-collect policy already, spec.policies[2].properties: write all rules in one`,
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, problemsOf(t, "app", spec(t, shop+"  "+tc.policies))); diff != "" {
				t.Errorf("\n%s\nCompile(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestObjectPolicies go with the objects, in the Bundle.
func TestObjectPolicies(t *testing.T) {
	got := contentOf(t, shop+`
- {name: once, type: apply-once, properties: {enable: true, rules: [
    {selector: {componentNames: [web], resourceTypes: [Deployment]}, strategy: {path: [spec.replicas]}}, {strategy: {path: ["*"]}}]}}
- {name: gc, type: garbage-collect, properties: {keepLegacyResource: true, rules: [{selector: {componentTypes: [statefulservice]}, strategy: never}]}}
- {name: mine, type: take-over, properties: {rules: [{selector: {resourceNames: [db]}}]}}
- {name: look, type: read-only, properties: {rules: [{selector: {componentNames: [api]}}]}}
`).Policies
	want := &bundle.Policies{
		ApplyOnce: []bundle.ApplyOnce{
			{Selector: bundle.ObjectSelector{Components: []string{"web"}, Kinds: []string{"Deployment"}}, Paths: []string{"spec.replicas"}},
			{},
		},
		GarbageCollect: &bundle.GarbageCollect{KeepLegacy: true, Rules: []bundle.GarbageCollectRule{
			{Selector: bundle.ObjectSelector{ComponentTypes: []string{"statefulservice"}}, Strategy: "never"},
		}},
		TakeOver: []bundle.ObjectSelector{{Names: []string{"db"}}},
		ReadOnly: []bundle.ObjectSelector{{Components: []string{"api"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}
