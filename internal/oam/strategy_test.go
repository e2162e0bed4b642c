package oam

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func TestStrategyProblems(t *testing.T) {
	const at = "spec.policies[0].properties"
	cases := map[string]struct {
		reason     string
		properties string
		want       []string
	}{
		"Right": {
			reason: "What is right is accepted.",
			properties: `{maxConcurrent: 25%, maxUnavailable: 3, failureBudget: 0, onFailure: RollbackAll, progressDeadline: 15m, strata: [region, tier],
				waves: [
				  {name: canary, canary: 1, soak: 10m, gates: [{name: ok, approval: {count: 2}}, {name: cel, when: Before, cel: {expression: "wave.failed == 0 && rollout.ready > 1"}}]},
				  {name: some, size: 20%, maxConcurrent: 5, gates: [{name: errors, timeout: 1h, prometheus: {url: "http://prometheus:9090", query: "up", condition: "value < 5 && values.all(v, v >= 0.5)"}}]},
				  {name: eu, clusterLabelSelector: {region: eu}}, {name: us, clusterLabelSelector: {region: us}}, {name: rest, gates: [{name: hook, webhook: {url: "https://a.example/b"}}]}],
				rollback: {maxConcurrent: 50%}, maxDeletions: 0, preflight: Skip, images: Require, paused: false,
				freezes: [{name: weekend, days: [Fri], start: "18:00", end: "08:00", timeZone: Asia/Shanghai}, {name: xmas, from: "2026-12-24T00:00:00Z", until: "2026-12-27T00:00:00Z"}],
				waivers: [{cause: B2, object: Deployment/web, until: "2027-01-01T00:00:00Z", reason: spot nodes come}]}`,
		},
		"Unknown": {
			reason:     "What a strategy does not have is named, with what was probably meant.",
			properties: `{maxConcurent: 1, waves: [{name: a, canry: 1}], onFailure: Rollback}`,
			want: []string{
				at + `.maxConcurent: is not a known property: did you mean "maxConcurrent"?`,
				at + `.onFailure: must be one of "Halt", "RollbackWave" and "RollbackAll", got string "Rollback"`,
				at + `.waves[0].canry: is not a known property: did you mean "canary"?`,
			},
		},
		"Images": {
			reason:     "Images are treated in one of three ways.",
			properties: `{images: Sometimes}`,
			want:       []string{at + `.images: must be one of "Resolve", "Require" and "AsWritten", got string "Sometimes"`},
		},
		"Budgets": {
			reason:     "A budget that lets nothing move is refused, however it is written.",
			properties: `{maxConcurrent: 0, maxUnavailable: 0%, failureBudget: -1, rollback: {maxConcurrent: -5}, waves: [{name: a, size: 0}]}`,
			want: []string{
				at + `.maxConcurrent: 0 lets no cluster be moved: write at least 1`,
				at + `.maxUnavailable: 0% lets no cluster be moved, because one that is moved is not available meanwhile: write at least 1`,
				at + `.failureBudget: must be between 0 and 99999, or a percentage, got -1`,
				at + `.rollback.maxConcurrent: must be between 1 and 99999, or a percentage, got -5`,
				at + `.waves[0].size: 0 takes no cluster: write at least 1`,
			},
		},
		"Percentage": {
			reason:     "No more than all.",
			properties: `{maxConcurrent: 150%}`,
			want:       []string{at + `.maxConcurrent: must match '^([1-9][0-9]{0,4}|[1-9][0-9]?%|100%)$', got string "150%"`},
		},
		"Waves": {
			reason: "Waves that cannot hold what they say.",
			properties: `{waves: [{name: a, canary: 1, size: 2}, {name: a}, {name: eu, clusterLabelSelector: {region: eu}},
				{name: gold, clusterLabelSelector: {region: eu, tier: gold}}, {name: bad, clusterLabelSelector: {region: "not ok"}}]}`,
			want: []string{
				at + `.waves[0]: a wave has canary or size, not both: remove one`,
				at + `.waves[1].name: wave name "a" is already taken by waves[0]: names must be unique`,
				at + `.waves[1]: wave "a" has no clusterLabelSelector, canary or size, so it takes every cluster that is left: move it to the end`,
				at + `.waves[3].clusterLabelSelector: every cluster of wave "gold" is in wave "eu" already: let each cluster be in one`,
				at + `.waves[4].clusterLabelSelector.region: must be the value of a label, got string "not ok"`,
			},
		},
		"Durations": {
			reason:     "A duration has a unit.",
			properties: `{progressDeadline: "10", waves: [{name: a, soak: soon, gates: [{name: g, timeout: 0s, approval: {}}]}]}`,
			want: []string{
				at + `.progressDeadline: must be a duration such as 90s, 10m or 2h, got string "10"`,
				at + `.waves[0].gates[0].timeout: must be longer than nothing, got string "0s"`,
				at + `.waves[0].soak: must be a duration such as 90s, 10m or 2h, got string "soon"`,
			},
		},
		"Gates": {
			reason: "A gate that can never be asked would stay closed.",
			properties: `{waves: [{name: a, gates: [{name: a}, {name: a, approval: {}, cel: {expression: "wave.ready"}}, {name: c, cel: {expression: "wav.ready == 1"}},
				{name: d, cel: {expression: "1"}}, {name: e, prometheus: {url: "http://u:p@x", query: q, condition: "val > 1"}}, {name: f, webhook: {url: "http://"}}]}]}`,
			want: []string{
				at + `.waves[0].gates[4].prometheus.url: must match '^https?://[^\s@]+$', got string "http://u:p@x"`,
				at + `.waves[0].gates[5].webhook.url: must match '^https?://[^\s@]+$', got string "http://"`,
			},
		},
		"GatesFormed": {
			reason: "A gate that can never be asked would stay closed.",
			properties: `{waves: [{name: a, gates: [{name: a}, {name: a, approval: {}, cel: {expression: "wave.ready"}}, {name: c, cel: {expression: "wav.ready == 1"}},
				{name: d, cel: {expression: "1"}}, {name: e, prometheus: {url: "http://x", query: q, condition: "val > 1"}}, {name: f, webhook: {url: "http:///a"}}]}]}`,
			want: []string{
				at + `.waves[0].gates[0]: a gate is one of approval, cel, prometheus and webhook, got 0 of them`,
				at + `.waves[0].gates[1].name: gate name "a" is already taken by gates[0] of this wave: names must be unique`,
				at + `.waves[0].gates[1]: a gate is one of approval, cel, prometheus and webhook, got 2 of them`,
				at + `.waves[0].gates[2].cel.expression: expression "wav.ready == 1" is not valid: 1:1: undeclared reference to 'wav'`,
				at + `.waves[0].gates[3].cel.expression: expression "1" gives int: it must give bool`,
				at + `.waves[0].gates[4].prometheus.condition: expression "val > 1" is not valid: 1:1: undeclared reference to 'val'`,
				at + `.waves[0].gates[5].webhook.url: must be an address such as https://example.org/hook, got string "http:///a"`,
			},
		},
		"Freezes": {
			reason: "A freeze that nobody can tell when it is.",
			properties: `{freezes: [{name: a, start: "10:00"}, {name: a, start: "10:00", end: "11:00", timeZone: Mars/Olympus},
				{name: b, from: "2026-12-27T00:00:00Z", until: "2026-12-24T00:00:00Z"}, {name: c}]}`,
			want: []string{
				at + `.freezes[0]: a freeze has from and until (instants), or start and end (times of day)`,
				at + `.freezes[1].name: freeze name "a" is already taken by freezes[0]: names must be unique`,
				at + `.freezes[1].timeZone: must be the name of a time zone such as Asia/Shanghai, got string "Mars/Olympus"`,
				at + `.freezes[2].until: must be after from`,
				at + `.freezes[3]: a freeze has from and until (instants), or start and end (times of day)`,
			},
		},
		"Waivers": {
			reason:     "A waiver says for what, until when and why.",
			properties: `{waivers: [{cause: X1}, {cause: B2, until: tomorrow, reason: r}]}`,
			want: []string{
				at + `.waivers[0].cause: must match '^[A-D][0-9]{1,2}$', got string "X1"`,
				at + `.waivers[0].reason: is required`,
				at + `.waivers[0].until: is required`,
				at + `.waivers[1].until: must be a time such as 2026-12-31T18:00:00Z, got string "tomorrow"`,
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := spec(t, one("worker", `{image: a}`)+"\npolicies: [{name: r, type: rollout, properties: "+tc.properties+"}]")
			if diff := cmp.Diff(tc.want, problemsOf(t, "app", s)); diff != "" {
				t.Errorf("\n%s\nCompile(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestStrategy has what was written and nothing else: defaults are the Rollout's.
func TestStrategy(t *testing.T) {
	a, err := Compile("app", spec(t, one("worker", `{image: a}`)+`
policies: [{name: r, type: rollout, properties: {maxUnavailable: 10%, waves: [{name: canary, canary: 1, soak: 90s}, {name: rest, gates: [{name: ok, approval: {}}]}]}}]`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := yaml.Marshal(a.Strategy())
	if err != nil {
		t.Fatal(err)
	}
	want := `maxUnavailable: 10%
waves:
- canary: 1
  name: canary
  soak: 1m30s
- gates:
  - approval: {}
    name: ok
  name: rest
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}
