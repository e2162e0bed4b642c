package oam

import (
	_ "embed" // For the schemas.
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

//go:embed schema/steps.yaml
var stepSchemas []byte

var stepTypeSchemas = sync.OnceValues(func() (map[string]*propertySchema, error) { return loadSchemas(stepSchemas) })

// StepTypes returns the names of the step types, sorted.
func StepTypes() []string {
	schemas, err := stepTypeSchemas()
	if err != nil {
		return nil
	}
	return slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(schemas)), StepGroup)))
}

// refusedStepProperties are what KubeVela's steps have and ours do not.
var refusedStepProperties = map[string]map[string]string{
	StepNotification: {
		"email":     "is not supported: post to a webhook that sends mail",
		"secretRef": "is not supported: write the address as url.value, and a secret token with webhook.tokenSecretRef",
	},
	StepApplyComponent: {
		"cluster":   "is not supported: components go where topology policies say",
		"namespace": "is not supported: components go where topology policies say",
	},
}

// maxMessage is how long a message of a Rollout's step can be.
const maxMessage = 4096

// readStep checks a step and turns it into a Rollout's.
func (a *Application) readStep(s *step, ps *problems) {
	schemas, err := stepTypeSchemas()
	if err != nil {
		ps.addf(s.at, "%v", err)
		return
	}
	schema, known := schemas[s.kind]
	if !known {
		types := StepTypes()
		ps.addf(s.at.field("type"), "step type %q is not supported: there are %s%s", s.kind, enumerate(types), didYouMean(s.kind, types))
		return
	}
	refuseStepData(s.written, s.at, ps)
	fs := findings{}
	if s.written.Timeout != "" {
		checkDuration(s.written.Timeout, path{"timeout"}, &fs)
		s.out.Timeout = durationOf(s.written.Timeout)
	}
	at := s.at.field("properties")
	properties, found := schema.complete(decodeProperties(s.written.Properties, at, checkLiterals, ps))
	for _, f := range found {
		if why, refused := refusedStepProperties[s.kind][f.path.last()]; refused {
			f.message = why
		}
		ps.addf(at.join(f.path), "%s", f.message)
	}
	if len(found) == 0 {
		typed := findings{}
		a.readStepProperties(s, properties, &typed)
		for _, f := range typed {
			fs.addf(path{"properties"}.join(f.path), "%s", f.message)
		}
	}
	for _, f := range fs {
		ps.addf(s.at.join(f.path), "%s", f.message)
	}
}

func (a *Application) readStepProperties(s *step, properties map[string]any, fs *findings) {
	p := struct {
		Auto        bool     `json:"auto"`
		Policies    []string `json:"policies"`
		Parallelism *int32   `json:"parallelism"`
		Duration    string   `json:"duration"`
		Message     string   `json:"message"`
		Name        string   `json:"name"`
		Namespace   string   `json:"namespace"`
		Component   string   `json:"component"`
	}{}
	if s.kind == StepNotification {
		s.out.Type = mv1alpha1.StepNotify
		s.out.Webhook, s.out.Message = notification(properties, fs)
		return
	}
	if err := fromMap(properties, &p); err != nil {
		fs.addf(nil, "cannot be read: %v", err)
		return
	}
	switch s.kind {
	case StepDeploy:
		s.out.Type, s.out.Approval, s.out.MaxConcurrent = mv1alpha1.StepDeploy, !p.Auto, p.Parallelism
		a.sortPolicies(s, p.Policies, fs)
	case StepSuspend:
		s.out.Type, s.out.Message, s.out.Approval = mv1alpha1.StepSuspend, p.Message, p.Duration == ""
		if p.Duration != "" {
			checkDuration(p.Duration, path{"duration"}, fs)
			s.out.Duration = durationOf(p.Duration)
		}
	case StepDependsOnApp:
		s.out.Type, s.out.Application = mv1alpha1.StepDependsOnApp, &mv1alpha1.ApplicationReference{Name: p.Name}
		switch {
		case p.Namespace != "" && p.Namespace != a.namespace:
			fs.addf(path{"namespace"}, "must be the application's own, because a tenant sees no others: remove it")
		case p.Name == a.name:
			fs.addf(path{"name"}, "an application cannot wait for itself")
		}
	case StepApplyComponent:
		s.component = p.Component
		if names := componentNames(a.components); !slices.Contains(names, p.Component) {
			fs.addf(path{"component"}, "%q is no component of this application%s", p.Component, didYouMean(p.Component, names))
		}
	}
}

// sortPolicies tells the topologies that a deploy step lists from its overrides.
func (a *Application) sortPolicies(s *step, names []string, fs *findings) {
	topologies, overrides := []string{}, []string{}
	for _, t := range a.placement.Topologies {
		topologies = append(topologies, t.Name)
	}
	for _, o := range a.overrides {
		overrides = append(overrides, o.name)
	}
	last := -1
	for i, n := range names {
		at := path{"policies", i}
		order := slices.Index(overrides, n)
		switch {
		case slices.Contains(names[:i], n):
			fs.addf(at, "lists policy %q twice", n)
		case slices.Contains(topologies, n):
			s.topologies = append(s.topologies, n)
		case order < 0:
			fs.addf(at, "%q is no topology or override policy of this application%s", n, didYouMean(n, slices.Concat(topologies, overrides)))
		case order < last:
			fs.addf(at, "override %q comes before %q in spec.policies, which is the order in which they apply: list them in that order", n, overrides[last])
		default:
			last = order
			s.overrides = append(s.overrides, n)
		}
	}
	if len(s.topologies) == 0 && len(topologies) > 0 && len(*fs) == 0 {
		fs.addf(path{"policies"}, "lists no topology policy, so nothing would be deployed: there are %s", enumerate(topologies))
	}
}

// notification returns where a message is posted, and the message. Chats get what is
// written as it is.
func notification(properties map[string]any, fs *findings) (*mv1alpha1.WebhookGate, string) {
	names := slices.Sorted(maps.Keys(properties))
	if len(names) != 1 {
		fs.addf(nil, "must have one of dingding, lark, slack and webhook: write a step for each")
		return nil, ""
	}
	p := struct {
		URL struct {
			Value string `json:"value"`
		} `json:"url"`
		Message        json.RawMessage               `json:"message"`
		TokenSecretRef *mv1alpha1.SecretKeyReference `json:"tokenSecretRef"`
	}{}
	kind := names[0]
	written, _ := properties[kind].(map[string]any)
	if err := fromMap(written, &p); err != nil {
		fs.addf(path{kind}, "cannot be read: %v", err)
		return nil, ""
	}
	if msg := addressProblem(p.URL.Value); msg != "" {
		fs.addf(path{kind, "url", "value"}, "%s", msg)
	}
	message := string(p.Message)
	if text, isText := written["message"].(string); isText {
		message = text
	}
	if kind == "webhook" && strings.HasPrefix(strings.TrimSpace(message), "{") {
		fs.addf(path{kind, "message"}, "must be a text for people, not JSON")
	}
	if len(message) > maxMessage {
		fs.addf(path{kind, "message"}, "has %d bytes: at most %d are possible", len(message), maxMessage)
	}
	return &mv1alpha1.WebhookGate{URL: p.URL.Value, TokenSecretRef: p.TokenSecretRef}, message
}

// refuseStepData refuses by name what is not supported of any step.
func refuseStepData(w *v1alpha1.WorkflowSubStep, at path, ps *problems) {
	if len(w.Inputs) > 0 {
		ps.addf(at.field("inputs"), "inputs of a step are not supported: give them to a component")
	}
	if len(w.Outputs) > 0 {
		ps.addf(at.field("outputs"), "outputs of a step are not supported: give them to a component")
	}
}

// durationOf returns a duration that was checked.
func durationOf(s string) *metav1.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		return nil
	}
	return &metav1.Duration{Duration: d}
}
