package oam

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/internal/rollout"
)

// fleet is what the workflows of these tests deploy.
const fleet = `
components:
- {name: db, type: statefulservice, properties: {image: "db:1"}}
- {name: web, type: webservice, properties: {image: "web:1"}}
policies:
- {name: canary, type: topology, properties: {clusterLabelSelector: {tier: canary}}}
- {name: eu, type: topology, properties: {clusterLabelSelector: {region: eu}}}
- {name: us, type: topology, properties: {clusterLabelSelector: {region: us}}}
- {name: small, type: override, properties: {components: [{name: web, properties: {cpu: 100m}}]}}
- {name: all, type: override, properties: {components: [{name: web, properties: {memory: 64Mi}}]}}
workflow:
`

// plain is the same without policies.
const plain = `
components:
- {name: db, type: statefulservice, properties: {image: "db:1"}}
- {name: web, type: webservice, properties: {image: "web:1"}}
workflow:
`

// everything is deployed by these two steps.
const canaryAndRest = `
  - {name: first, type: deploy, properties: {policies: [canary, small, all]}}
  - {name: rest, type: deploy, properties: {policies: [us, eu, all]}}
`

func TestWorkflow(t *testing.T) {
	cases := map[string]struct {
		reason string
		spec   string
		want   string
	}{
		"StepByStep": {
			reason: "Steps come one after another, and overrides of some steps are for their topologies.",
			spec: fleet + `
  steps:` + canaryAndRest,
			want: `
placement:
  overrides:
  - name: small
    topologies:
    - canary
  - name: all
  topologies:
  - clusterLabelSelector:
      tier: canary
    name: canary
  - clusterLabelSelector:
      region: us
    name: us
  - clusterLabelSelector:
      region: eu
    name: eu
steps:
- name: first
  topologies:
  - canary
  type: Deploy
- dependsOn:
  - first
  name: rest
  topologies:
  - us
  - eu
  type: Deploy
variants:
- - small
  - all
- - all
`,
		},
		"Everything": {
			reason: "Each type of step becomes one that the Rollout knows.",
			spec: plain + `
  steps:
  - {name: wait-for, type: depends-on-app, properties: {name: other, namespace: shop}, timeout: 1h}
  - {name: hold, type: suspend, properties: {message: 'is the other one well?'}}
  - {name: nap, type: suspend, properties: {duration: 90s}, meta: {alias: have a rest}}
  - {name: go, type: deploy, properties: {auto: false, parallelism: 3}}
  - {name: hook, type: notification, if: status.go.failed, properties: {webhook: {url: {value: "https://a.example/b"}, message: it failed, tokenSecretRef: {name: s, key: k}}}}
  - {name: chat, type: notification, if: always, properties: {slack: {url: {value: "https://hooks.slack.example/x"}, message: {text: done}}}}
`,
			want: `
placement: {}
steps:
- application:
    name: other
  name: wait-for
  timeout: 1h0m0s
  type: DependsOnApp
- approval: true
  dependsOn:
  - wait-for
  message: is the other one well?
  name: hold
  type: Suspend
- dependsOn:
  - hold
  duration: 1m30s
  name: nap
  type: Suspend
- approval: true
  dependsOn:
  - nap
  maxConcurrent: 3
  name: go
  type: Deploy
- dependsOn:
  - go
  if: status["go"].failed
  message: it failed
  name: hook
  type: Notify
  webhook:
    tokenSecretRef:
      key: k
      name: s
    url: https://a.example/b
- dependsOn:
  - hook
  if: "true"
  message: '{"text":"done"}'
  name: chat
  type: Notify
  webhook:
    url: https://hooks.slack.example/x
variants:
- []
`,
		},
		"Groups": {
			reason: "Steps of a group run together, and what comes after the group comes after all of them.",
			spec: fleet + `
  steps:
  - {name: first, type: deploy, properties: {policies: [canary, small, all]}}
  - name: both
    type: step-group
    if: status.first.succeeded
    subSteps:
    - {name: do-eu, type: deploy, properties: {policies: [eu, all]}}
    - {name: do-us, type: deploy, properties: {policies: [us, all]}, dependsOn: [pause], if: status.pause.phase == "Succeeded"}
    - {name: pause, type: suspend, properties: {duration: 1m}}
  - {name: end, type: suspend, dependsOn: [both]}
`,
			want: `
placement:
  overrides:
  - name: small
    topologies:
    - canary
  - name: all
  topologies:
  - clusterLabelSelector:
      tier: canary
    name: canary
  - clusterLabelSelector:
      region: eu
    name: eu
  - clusterLabelSelector:
      region: us
    name: us
steps:
- name: first
  topologies:
  - canary
  type: Deploy
- dependsOn:
  - first
  if: status["first"].succeeded
  name: do-eu
  topologies:
  - eu
  type: Deploy
- dependsOn:
  - first
  - pause
  if: (status["first"].succeeded) && (status["pause"].phase == "Succeeded")
  name: do-us
  topologies:
  - us
  type: Deploy
- dependsOn:
  - first
  duration: 1m0s
  if: status["first"].succeeded
  name: pause
  type: Suspend
- approval: true
  dependsOn:
  - do-eu
  - do-us
  - pause
  name: end
  type: Suspend
variants:
- - small
  - all
- - all
`,
		},
		"Modes": {
			reason: "The modes turn it round.",
			spec: plain + `
  mode: {steps: DAG, subSteps: StepByStep}
  steps:
  - {name: go, type: deploy, dependsOn: [group]}
  - {name: free, type: suspend}
  - name: group
    type: step-group
    subSteps: [{name: a, type: suspend}, {name: b, type: suspend}]
`,
			want: `
placement: {}
steps:
- dependsOn:
  - a
  - b
  name: go
  type: Deploy
- approval: true
  name: free
  type: Suspend
- approval: true
  name: a
  type: Suspend
- approval: true
  dependsOn:
  - a
  name: b
  type: Suspend
variants:
- []
`,
		},
		"ApplyComponent": {
			reason: "What applies components is one deployment, and orders the components.",
			spec: plain + `
  steps:
  - {name: hold, type: suspend}
  - {name: do-db, type: apply-component, properties: {component: db}}
  - {name: do-web, type: apply-component, properties: {component: web}}
  - {name: end, type: suspend}
`,
			want: `
order:
  web:
  - db
placement: {}
steps:
- approval: true
  name: hold
  type: Suspend
- dependsOn:
  - hold
  name: do-db
  type: Deploy
- approval: true
  dependsOn:
  - do-db
  name: end
  type: Suspend
variants:
- []
`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a, err := Compile("app", spec(t, tc.spec), WithNamespace("shop"))
			if err != nil {
				t.Fatalf("Compile(...): %v", err)
			}
			order := map[string][]string{}
			for _, c := range a.components {
				if len(c.dependsOn) > 0 {
					order[c.name] = c.dependsOn
				}
			}
			got, err := yaml.Marshal(struct {
				Placement any                 `json:"placement"`
				Steps     any                 `json:"steps"`
				Variants  [][]string          `json:"variants"`
				Order     map[string][]string `json:"order,omitempty"`
			}{a.Placement(), a.Steps(), a.Variants(nil), order})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want[1:], string(got)); diff != "" {
				t.Errorf("\n%s\nCompile(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestWorkflowProblems(t *testing.T) {
	const steps = "spec.workflow.steps"
	cases := map[string]struct {
		reason string
		spec   string
		want   []string
	}{
		"Types": {
			reason: "A type that is not known is refused by its name, KubeVela's included.",
			spec:   plain + `  steps: [{name: a, type: deplyo}, {name: b, type: deploy2env}, {name: c, type: request}]`,
			want: []string{
				steps + `[0].type: step type "deplyo" is not supported: there are apply-component, depends-on-app, deploy, notification, step-group and suspend: did you mean "deploy"?`,
				steps + `[1].type: step type "deploy2env" is not supported: there are apply-component, depends-on-app, deploy, notification, step-group and suspend`,
				steps + `[2].type: step type "request" is not supported: there are apply-component, depends-on-app, deploy, notification, step-group and suspend`,
			},
		},
		"Properties": {
			reason: "Properties are checked like a component's.",
			spec: plain + `  steps:
  - {name: a, type: deploy, properties: {auto: "no", parallelism: 0, policie: [x]}, timeout: soon}
  - {name: b, type: suspend, properties: {duration: "10"}}
  - {name: c, type: depends-on-app}
  - {name: d, type: depends-on-app, properties: {name: app, namespace: shop}}
  - {name: e, type: depends-on-app, properties: {name: x, namespace: other}}
  - {name: f, type: notification, properties: {email: {}}}
  - {name: g, type: notification, properties: {slack: {url: {secretRef: {name: a, key: b}}, message: {text: x}}}}
  - {name: h, type: notification, properties: {webhook: {url: {value: "mailto:x"}}}}
  - {name: i, type: notification}
  - {name: j, type: suspend, properties: {message: "${cluster.name}"}}
`,
			want: []string{
				steps + `[0].properties.auto: must be true or false, got string "no"`,
				steps + `[0].properties.parallelism: must be greater than or equal to 1, got number 0`,
				steps + `[0].properties.policie: is not a known property: did you mean "policies"?`,
				steps + `[0].timeout: must be a duration such as 90s, 10m or 2h, got string "soon"`,
				steps + `[1].properties.duration: must be a duration such as 90s, 10m or 2h, got string "10"`,
				steps + `[2].properties.name: is required`,
				steps + `[3].properties.name: an application cannot wait for itself`,
				steps + `[4].properties.namespace: must be the application's own, because a tenant sees no others: remove it`,
				steps + `[5].properties.email: is not supported: post to a webhook that sends mail`,
				steps + `[6].properties.slack.url.secretRef: is not supported: write the address as url.value, and a secret token with webhook.tokenSecretRef`,
				steps + `[6].properties.slack.url.value: is required`,
				steps + `[7].properties.webhook.url.value: must be an address such as https://example.org/hook, got string "mailto:x"`,
				steps + `[8].properties: must have one of dingding, lark, slack and webhook: write a step for each`,
				steps + `[9].properties.message: has an expression, ${cluster.name}, at position 0: only properties of components and traits can have one; write $${ for a literal ${`,
			},
		},
		"Names": {
			reason: "Names are names, once, those in groups included.",
			spec: plain + `  steps:
  - {name: A, type: deploy}
  - {name: b, type: suspend}
  - {name: c, type: step-group, subSteps: [{name: b, type: suspend}]}
`,
			want: []string{
				steps + `[0].name: step name "A" must be a DNS label: lower-case letters, digits and '-', at most 63`,
				steps + `[2].subSteps[0].name: step name "b" is already taken by spec.workflow.steps[1]: names must be unique, those in groups included`,
			},
		},
		"Groups": {
			reason: "A group is its steps and nothing else.",
			spec: plain + `  mode: {subSteps: StepByStep}
  steps:
  - {name: a, type: deploy, subSteps: [{name: b, type: suspend}]}
  - {name: c, type: step-group, timeout: 1h, properties: {x: y}}
  - {name: d, type: step-group, if: always, subSteps: [{name: e, type: step-group}, {name: f, type: suspend}]}
`,
			want: []string{
				steps + `[0].subSteps: only a step of type "step-group" has sub-steps`,
				steps + `[1].properties: a step group has none: remove them`,
				steps + `[1].timeout: is not supported on a step group: write it on the steps in it`,
				steps + `[1].subSteps: must not be empty`,
				steps + `[2].if: is not supported on a group whose steps run one after another: write it on the steps in it`,
				steps + `[2].subSteps[0].type: a step group cannot be in another`,
			},
		},
		"DependsOn": {
			reason: "What is waited for must be there, and not wait as well.",
			spec:   plain + `  steps: [{name: a, type: deploy, dependsOn: [a, bb]}, {name: b, type: suspend}]`,
			want: []string{
				steps + `[0].dependsOn[0]: step "a" depends on itself`,
				steps + `[0].dependsOn[1]: step "a" depends on "bb", which is no step of this workflow: did you mean "b"?`,
			},
		},
		"Circle": {
			reason: "Steps go one after another, so the first cannot wait for the last.",
			spec:   plain + `  steps: [{name: a, type: deploy, dependsOn: [b]}, {name: b, type: suspend}]`,
			want:   []string{steps + `: steps wait for each other in a circle: a → b → a`},
		},
		"NothingDeployed": {
			reason: "A workflow deploys.",
			spec:   plain + `  steps: [{name: a, type: suspend}]`,
			want:   []string{steps + `: has no step of type "deploy", so nothing would be deployed: add one`},
		},
		"Empty": {
			reason: "And is not empty.",
			spec:   plain + `  mode: {steps: Parallel}`,
			want: []string{
				`spec.workflow.mode.steps: must be one of "StepByStep" and "DAG", got string "Parallel"`,
				steps + `: must not be empty`,
				steps + `: has no step of type "deploy", so nothing would be deployed: add one`,
			},
		},
		"Policies": {
			reason: "A deploy step lists policies that there are, in their order.",
			spec: fleet + `  steps:
  - {name: a, type: deploy, properties: {policies: [cannary, eu, eu]}}
  - {name: b, type: deploy, properties: {policies: [us, all, small]}}
  - {name: c, type: deploy, properties: {policies: [small]}}
`,
			want: []string{
				steps + `[0].properties.policies[0]: "cannary" is no topology or override policy of this application: did you mean "canary"?`,
				steps + `[0].properties.policies[2]: lists policy "eu" twice`,
				steps + `[1].properties.policies[2]: override "small" comes before "all" in spec.policies, which is the order in which they apply: list them in that order`,
				steps + `[2].properties.policies: lists no topology policy, so nothing would be deployed: there are canary, eu and us`,
			},
		},
		"LeftOut": {
			reason: "Nothing that is written is ignored: neither a topology nor an override.",
			spec:   fleet + `  steps: [{name: a, type: deploy, properties: {policies: [eu, all]}}, {name: b, type: deploy, properties: {policies: [eu]}}]`,
			want: []string{
				steps + `[1].properties.policies: topology "eu" is deployed by step "a" already: a cluster is deployed by one step`,
				`spec.policies[0]: topology "canary" is in no deploy step, so nothing would be deployed there: add it to one, or remove it`,
				`spec.policies[2]: topology "us" is in no deploy step, so nothing would be deployed there: add it to one, or remove it`,
				`spec.policies[3]: override "small" is in no deploy step, so it would apply nowhere: add it to one, or remove it`,
			},
		},
		"Twice": {
			reason: "Without a topology a step deploys everywhere.",
			spec:   plain + `  steps: [{name: a, type: deploy}, {name: b, type: deploy}]`,
			want:   []string{steps + `[1]: step "a" deploys everywhere already, because there is no topology policy`},
		},
		"ApplyComponent": {
			reason: "What applies components cannot do what only whole clusters can.",
			spec: plain + `  steps:
  - {name: a, type: apply-component, properties: {component: webb, cluster: x}}
  - {name: b, type: apply-component, properties: {component: webb}}
`,
			want: []string{
				steps + `[0].properties.cluster: is not supported: components go where topology policies say`,
				steps + `[1].properties.component: "webb" is no component of this application: did you mean "web"?`,
			},
		},
		"ApplyComponentOrder": {
			reason: "Nothing can stand between components, because their order is each cluster's own.",
			spec: plain + `  steps:
  - {name: a, type: apply-component, properties: {component: web}, if: always, timeout: 1m}
  - {name: b, type: suspend}
  - {name: c, type: apply-component, properties: {component: web}}
`,
			want: []string{
				steps + `[0].if: is not supported on an apply-component step`,
				steps + `[0].timeout: is not supported on an apply-component step: a rollout policy has progressDeadline`,
				steps + `[2].properties.component: component "web" is applied by step "a" already`,
				`spec.components[0]: component "db" is in no apply-component step, so it would not be deployed: add one, or use a deploy step`,
				steps + `: another step stands between two apply-component steps: components are applied in order on each cluster, and nothing can stand in between; use deploy steps for that`,
			},
		},
		"ApplyComponentMixed": {
			reason: "A deploy step deploys all components.",
			spec:   plain + `  steps: [{name: a, type: apply-component, properties: {component: web}}, {name: b, type: deploy}]`,
			want:   []string{steps + `[0].type: apply-component and deploy cannot be mixed, because step "b" deploys all components: give components dependsOn instead`},
		},
		"ApplyComponentAgainst": {
			reason: "The workflow cannot turn round what components need.",
			spec: `
components:
- {name: db, type: worker, properties: {image: a}}
- {name: web, type: worker, properties: {image: a}, dependsOn: [db]}
workflow: {steps: [{name: a, type: apply-component, properties: {component: web}}, {name: b, type: apply-component, properties: {component: db}}]}`,
			want: []string{steps + `: the order of the apply-component steps contradicts the components' dependsOn: db → web → db`},
		},
		"If": {
			reason: "A condition is CEL over what is known when the step begins.",
			spec: plain + `  mode: {steps: DAG}
  steps:
  - {name: a-b, type: deploy}
  - {name: b, type: suspend, dependsOn: [a-b], if: status.a-b.failed && status.a-b.message != ""}
  - {name: c, type: suspend, dependsOn: [a-b], if: status.ab.failed}
  - {name: d, type: suspend, if: 'status["a-b"].failed'}
  - {name: e, type: suspend, dependsOn: [a-b], if: status.a-b.failedAfterRetries}
  - {name: f, type: suspend, dependsOn: [a-b], if: 'status.a-b.phase == "failed"'}
  - {name: g, type: suspend, dependsOn: [a-b], if: 'context.name == "x"'}
  - {name: h, type: suspend, dependsOn: [a-b], if: 'status.exists(s, status[s].failed)'}
`,
			want: []string{
				steps + `[2].if: "ab" is no step of this workflow, or a group: did you mean "a-b"?`,
				steps + `[3].if: step "a-b" need not be done when "d" begins: add it to dependsOn`,
				steps + `[4].if: step "a-b" has no "failedAfterRetries": there are phase, message, succeeded, failed and skipped`,
				steps + `[5].if: a step is never "failed": phases are Pending, Running, Succeeded, Failed and Skipped`,
				steps + `[6].if: expression "context.name == \"x\"" is not valid: 1:1: undeclared reference to 'context': write always, or CEL over status, such as status["a-b"].failed`,
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, problemsOf(t, "app", spec(t, tc.spec), WithNamespace("shop"))); diff != "" {
				t.Errorf("\n%s\nCompile(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestAnyWorkflow compiles random workflows. Those that compile are such as the engine
// takes, deploy every topology once, and are the same each time.
func TestAnyWorkflow(t *testing.T) {
	valid := 0
	for seed := range uint64(600) {
		text := anyWorkflow(rand.New(rand.NewPCG(seed, 2)))
		s := spec(t, text)
		a, err := Compile("app", s)
		if err != nil {
			var invalid *InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("Compile(...): want an InvalidError, got %v\n%s", err, text)
			}
			continue
		}
		valid++
		if flaws := rollout.Check(a.Strategy(), a.Steps()); len(flaws) > 0 {
			t.Errorf("The engine refuses what was compiled: %v\n%s", flaws, text)
		}
		deployed := map[string]int{}
		for _, st := range a.Steps() {
			for _, topology := range st.Topologies {
				deployed[topology]++
			}
		}
		if diff := cmp.Diff(map[string]int{"eu": 1, "us": 1}, deployed); diff != "" {
			t.Errorf("Every topology is deployed once: -want, +got:\n%s\n%s", diff, text)
		}
		again, err := Compile("app", s)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a.Steps(), again.Steps()); diff != "" {
			t.Errorf("Compiled again it is different: %s", diff)
		}
	}
	if valid < 40 {
		t.Errorf("only %d of the random workflows were valid: they prove little", valid)
	}
}

func anyWorkflow(r *rand.Rand) string {
	b := &strings.Builder{}
	b.WriteString("components: [{name: db, type: worker, properties: {image: a}}]\npolicies:\n")
	b.WriteString("- {name: eu, type: topology, properties: {clusters: [eu]}}\n- {name: us, type: topology, properties: {clusters: [us]}}\n")
	fmt.Fprintf(b, "workflow:\n  mode: {steps: %s, subSteps: %s}\n  steps:\n", pick(r, "StepByStep", "DAG"), pick(r, "StepByStep", "DAG"))
	names := []string{"s0"}
	step := func(indent string, lists string) {
		name := fmt.Sprintf("s%d", len(names))
		kind := pick(r, "type: suspend", "type: suspend, properties: {duration: 1m}", "type: depends-on-app, properties: {name: other}")
		if lists != "" {
			kind = "type: deploy, properties: {policies: [" + lists + "]}"
		}
		fmt.Fprintf(b, "%s- {name: %s, %s", indent, name, kind)
		if r.IntN(3) == 0 {
			fmt.Fprintf(b, ", dependsOn: [%s]", names[r.IntN(len(names))])
		}
		if r.IntN(4) == 0 {
			fmt.Fprintf(b, ", if: %s", pick(r, "always", "status."+names[r.IntN(len(names))]+".failed"))
		}
		b.WriteString("}\n")
		names = append(names, name)
	}
	b.WriteString("  - {name: s0, type: suspend}\n")
	step("  ", pick(r, "eu", "eu, us", ""))
	if r.IntN(2) == 0 {
		b.WriteString("  - name: group\n    type: step-group\n    subSteps:\n")
		step("    ", pick(r, "us", ""))
		step("    ", "")
		names = append(names, "group")
	} else {
		step("  ", pick(r, "us", ""))
	}
	step("  ", "")
	return b.String()
}

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

func TestApprovalNames(t *testing.T) {
	long := strings.Repeat("x", 50)
	s := spec(t, `
components: [{name: db, type: worker, properties: {image: a}}]
policies: [{name: r, type: rollout, properties: {waves: [{name: `+long+`, gates: [{name: `+long+`, approval: {}}]}]}}]
workflow: {steps: [{name: `+long+`, type: deploy}]}`)
	name := long + "/" + long + "/" + long
	want := []string{`spec.workflow.steps[0].name: an approval would be for "` + name + `", which has 152 characters: at most 127 are possible, so shorten the name of the step, the wave or the gate`}
	if diff := cmp.Diff(want, problemsOf(t, "app", s)); diff != "" {
		t.Errorf("What cannot be approved would wait for ever: -want, +got:\n%s", diff)
	}
}
