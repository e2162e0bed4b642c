package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// levels in order.
var levels = []v1alpha1.RiskLevel{v1alpha1.RiskLow, v1alpha1.RiskMedium, v1alpha1.RiskHigh, v1alpha1.RiskCritical}

const (
	// many clusters are more than somebody watches at once.
	many = 10
	// maxFactors of a risk that are listed.
	maxFactors = 12
)

// wide are kinds that reach beyond their application.
var wide = []string{"CustomResourceDefinition", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "APIService", "PriorityClass", "StorageClass", "Namespace"}

// judge how much can go wrong. The risk is that of the worst factor: many small ones
// are no large one.
func (b *builder) judge(p *Plan) {
	for i := range p.Actions {
		b.judgeAction(p, &p.Actions[i])
	}
	b.judgeReach(p)
	r := &p.Risk
	r.Level = v1alpha1.RiskLow
	slices.SortStableFunc(r.Factors, func(x, y Factor) int { return slices.Index(levels, y.Level) - slices.Index(levels, x.Level) })
	if len(r.Factors) > 0 {
		r.Level = r.Factors[0].Level
	}
	r.Factors = r.Factors[:min(len(r.Factors), maxFactors)]
	r.TwoPersons = p.Reverse.Class == Irreversible
}

// factor of the risk. One of a name counts, the first.
func (p *Plan) factor(name string, level v1alpha1.RiskLevel, action, format string, args ...any) {
	if slices.ContainsFunc(p.Risk.Factors, func(f Factor) bool { return f.Name == name && f.Level == level }) {
		return
	}
	p.Risk.Factors = append(p.Risk.Factors, Factor{Name: name, Level: level, Action: action, Message: fmt.Sprintf(format, args...)})
}

func (b *builder) judgeAction(p *Plan, a *Action) {
	if a.Verb == Noop {
		return
	}
	what := strings.TrimSpace(a.Object.Kind + " " + a.Object.Name)
	switch a.Reverse.Class {
	case Irreversible:
		p.factor("Irreversible", v1alpha1.RiskCritical, a.ID, "%s %s cannot be taken back: %s", a.Verb, what, a.Reverse.Why)
	case ForwardOnly:
		level := v1alpha1.RiskHigh
		if p.Claims[a.Claim].Verb == Create {
			level = v1alpha1.RiskMedium // There is nothing yet that it could harm.
		}
		p.factor("ForwardOnly", level, a.ID, "%s %s only goes forward: %s", a.Verb, what, a.Reverse.Why)
	case Manual, Auto:
	}
	switch a.Verb {
	case Replace:
		p.factor("Replaced", v1alpha1.RiskHigh, a.ID, "%s cannot be changed in place: %s", what, a.Reason)
	case Delete:
		p.factor("Deleted", v1alpha1.RiskMedium, a.ID, "%s is deleted on %s", what, count(a.Clusters, "cluster"))
	case Create, Update, Restart, Scale, Noop:
	}
	switch {
	case slices.Contains(wide, a.Object.Kind):
		p.factor("ClusterWide", v1alpha1.RiskHigh, a.ID, "%s reaches beyond its application", what)
	case strings.HasSuffix(a.Object.Kind, "Role") || strings.HasSuffix(a.Object.Kind, "RoleBinding"):
		p.factor("Rights", v1alpha1.RiskHigh, a.ID, "%s gives or takes rights", what)
	case a.Object.Kind == "Cluster" && slices.ContainsFunc(a.Fields, func(f Field) bool { return strings.HasPrefix(f.Path, "tenants") }):
		p.factor("Rights", v1alpha1.RiskHigh, a.ID, "who may use clusters changes")
	case a.Object.Kind == "StatefulSet" && a.Effects.Restarts > 0:
		p.factor("Stateful", v1alpha1.RiskMedium, a.ID, "pods of %s restart, and have data", what)
	case a.Object.Kind == "Secret":
		p.factor("Secret", v1alpha1.RiskMedium, a.ID, "%s changes", what)
	}
}

// judgeReach judges how far a plan reaches.
func (b *builder) judgeReach(p *Plan) {
	for _, d := range b.claims {
		if n := len(d.removes); n > 0 {
			p.factor("Removed", v1alpha1.RiskHigh, "", "%s goes from %s", d, count(n, "cluster"))
		}
		if n := len(d.clusters); !d.wavesAsked && n > many {
			p.factor("NoWaves", v1alpha1.RiskHigh, "", "%s moves %s without waves", d, count(n, "cluster"))
		}
		if why := b.options.Broken[d.ClaimReference]; why != "" && d.Reverse.Class == Irreversible {
			p.factor("NoWayBack", v1alpha1.RiskHigh, "", "%s", why)
		}
		if d.From != "" {
			p.factor("Moved", v1alpha1.RiskHigh, "", "%s comes from namespace %s: it is taken away there", d, d.From)
		}
	}
	blast := p.Blast
	if share := blast.PerWave * 100 / max(blast.Of, 1); blast.PerWave > many && share > b.options.Limits.Share {
		p.factor("WideWave", v1alpha1.RiskHigh, "", "one wave has %d of %d clusters, which is %d %%", blast.PerWave, blast.Of, share)
	}
	if blast.Clusters > many {
		p.factor("Reach", v1alpha1.RiskMedium, "", "%d of %d clusters are touched", blast.Clusters, blast.Of)
	}
	if p.Effects.Restarts > many {
		p.factor("Restarts", v1alpha1.RiskMedium, "", "%d pods restart", p.Effects.Restarts)
	}
	if p.Effects.Moves > 0 {
		p.factor("Moves", v1alpha1.RiskMedium, "", "pods move from %s", count(p.Effects.Moves, "node"))
	}
	if blast.Unknown > 0 {
		p.factor("Unknown", v1alpha1.RiskMedium, "", "%s it is not known what a cluster runs, or which clusters they are", count(blast.Unknown, "time"))
	}
	for _, g := range p.Guards {
		if !g.Passed {
			p.factor("Guard", v1alpha1.RiskHigh, "", "%s", g.Message)
		}
	}
}

// count things in words.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
