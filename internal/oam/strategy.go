package oam

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // Freezes name time zones, and a function's image has none.

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

// readStrategy reads the rollout policy. What is not written is left out, so that its
// defaults stand in one place: the Rollout's definition.
func (a *Application) readStrategy(written, properties map[string]any, at path, ps *problems) {
	if a.strategyAt != nil {
		ps.addf(at, "there is a rollout policy already, %s: write one", a.strategyAt)
		return
	}
	a.strategyAt = at
	c := strategyCheck{fs: &findings{}}
	c.durations(properties)
	s := mv1alpha1.RolloutStrategy{}
	if len(*c.fs) == 0 {
		if err := fromMap(properties, &s); err != nil {
			c.fs.addf(nil, "cannot be read: %v", err)
		}
		c.strategy(&s)
	}
	for _, f := range *c.fs {
		ps.addf(at.join(f.path), "%s", f.message)
	}
	if err := fromMap(written, &a.strategy); len(*c.fs) == 0 && err != nil {
		ps.addf(at, "cannot be read: %v", err)
	}
}

// A strategyCheck finds what is wrong with a strategy whose form is right, as far as
// it can be known without clusters.
type strategyCheck struct{ fs *findings }

// durationFields of a strategy, at any depth.
var durationFields = []string{"progressDeadline", "soak", "timeout"}

func (c strategyCheck) durations(properties map[string]any) {
	eachText(properties, nil, func(s string, at path) {
		if slices.Contains(durationFields, at.last()) {
			checkDuration(s, at, c.fs)
		}
	})
}

// checkDuration checks that a text is a time span that something can take.
func checkDuration(s string, at path, fs *findings) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		fs.addf(at, "must be a duration such as 90s, 10m or 2h, got %s", describe(s))
	case d <= 0:
		fs.addf(at, "must be longer than nothing, got %s", describe(s))
	}
}

func (c strategyCheck) strategy(s *mv1alpha1.RolloutStrategy) {
	c.amount(s.MaxConcurrent, 1, path{"maxConcurrent"}, "lets no cluster be moved")
	c.amount(s.MaxUnavailable, 1, path{"maxUnavailable"}, "lets no cluster be moved, because one that is moved is not available meanwhile")
	c.amount(s.FailureBudget, 0, path{"failureBudget"}, "")
	c.amount(s.MaxDeletions, 0, path{"maxDeletions"}, "")
	if s.Rollback != nil {
		c.amount(s.Rollback.MaxConcurrent, 1, path{"rollback", "maxConcurrent"}, "lets no cluster go back")
	}
	for i, l := range s.Strata {
		switch {
		case slices.Contains(s.Strata[:i], l):
			c.fs.addf(path{"strata", i}, "lists label %q twice", l)
		case len(validation.IsQualifiedName(l)) > 0:
			c.fs.addf(path{"strata", i}, "must be the key of a label, got %s", describe(l))
		}
	}
	c.waves(s.Waves)
	c.freezes(s.Freezes)
}

// amount checks a number or a percentage of clusters. Admission's pattern is for texts
// only.
func (c strategyCheck) amount(v *intstr.IntOrString, least int, at path, why string) {
	if v == nil {
		return
	}
	n := v.IntValue()
	if v.Type == intstr.String {
		n, _ = strconv.Atoi(strings.TrimSuffix(v.StrVal, "%"))
	}
	switch {
	case n < 0 || n > 99999:
		c.fs.addf(at, "must be between %d and 99999, or a percentage, got %s", least, v.String())
	case n < least:
		c.fs.addf(at, "%s %s: write at least %d", v.String(), why, least)
	}
}

func (c strategyCheck) waves(waves []mv1alpha1.Wave) {
	first := map[string]int{}
	for i := range waves {
		w, at := &waves[i], path{"waves", i}
		if j, taken := first[w.Name]; taken {
			c.fs.addf(at.field("name"), "wave name %q is already taken by waves[%d]: names must be unique", w.Name, j)
		} else {
			first[w.Name] = i
		}
		if w.Canary != nil && w.Size != nil {
			c.fs.addf(at, "a wave has canary or size, not both: remove one")
		}
		if isRest(w) && i < len(waves)-1 {
			c.fs.addf(at, "wave %q has no clusterLabelSelector, canary or size, so it takes every cluster that is left: move it to the end", w.Name)
		}
		for j := range i {
			if onlySelects(w) && onlySelects(&waves[j]) && within(waves[j].ClusterLabelSelector, w.ClusterLabelSelector) {
				c.fs.addf(at.field("clusterLabelSelector"), "every cluster of wave %q is in wave %q already: let each cluster be in one", w.Name, waves[j].Name)
			}
		}
		c.amount(w.Size, 1, at.field("size"), "takes no cluster")
		c.amount(w.MaxConcurrent, 1, at.field("maxConcurrent"), "lets no cluster be moved")
		c.selector(w.ClusterLabelSelector, at)
		c.gates(w.Gates, at.field("gates"))
	}
}

// isRest is true for a wave that takes all clusters that are left.
func isRest(w *mv1alpha1.Wave) bool { return len(w.ClusterLabelSelector) == 0 && onlySelects(w) }

// onlySelects is true for a wave that takes all that its selector matches.
func onlySelects(w *mv1alpha1.Wave) bool { return w.Canary == nil && w.Size == nil }

// within is true where whatever matches inner matches outer too, and outer is not
// everything.
func within(outer, inner map[string]string) bool {
	for k, v := range outer {
		if got, ok := inner[k]; !ok || got != v {
			return false
		}
	}
	return len(outer) > 0
}

func (c strategyCheck) selector(labels map[string]string, at path) {
	checkSelector(labels, at, c.fs.addf)
}

func (c strategyCheck) gates(gates []mv1alpha1.Gate, at path) {
	first := map[string]int{}
	for i := range gates {
		g, at := &gates[i], at.index(i)
		if j, taken := first[g.Name]; taken {
			c.fs.addf(at.field("name"), "gate name %q is already taken by gates[%d] of this wave: names must be unique", g.Name, j)
		} else {
			first[g.Name] = i
		}
		kinds := 0
		for _, has := range []bool{g.Approval != nil, g.CEL != nil, g.Prometheus != nil, g.Webhook != nil} {
			if has {
				kinds++
			}
		}
		if kinds != 1 {
			c.fs.addf(at, "a gate is one of approval, cel, prometheus and webhook, got %d of them", kinds)
		}
		if err := rollout.CheckGate(*g); err != nil {
			field := path{"cel", "expression"}
			if g.Prometheus != nil {
				field = path{"prometheus", "condition"}
			}
			c.fs.addf(at.join(field), "%v", err)
		}
		if g.Prometheus != nil {
			c.address(g.Prometheus.URL, at.field("prometheus", "url"))
		}
		if g.Webhook != nil {
			c.address(g.Webhook.URL, at.field("webhook", "url"))
		}
	}
}

// address checks that something can be asked there.
func (c strategyCheck) address(s string, at path) {
	if msg := addressProblem(s); msg != "" {
		c.fs.addf(at, "%s", msg)
	}
}

func addressProblem(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Sprintf("must be an address such as https://example.org/hook, got %s", describe(s))
	case u.User != nil:
		return "must not have a user or a password: put a token into a Secret"
	}
	return ""
}

func (c strategyCheck) freezes(freezes []mv1alpha1.Freeze) {
	first := map[string]int{}
	for i := range freezes {
		f, at := &freezes[i], path{"freezes", i}
		if j, taken := first[f.Name]; taken {
			c.fs.addf(at.field("name"), "freeze name %q is already taken by freezes[%d]: names must be unique", f.Name, j)
		} else {
			first[f.Name] = i
		}
		once, weekly := f.From != nil || f.Until != nil, f.Start != "" || f.End != ""
		switch {
		case once == weekly, (f.From == nil) != (f.Until == nil), (f.Start == "") != (f.End == ""):
			c.fs.addf(at, "a freeze has from and until (instants), or start and end (times of day)")
		case once && !f.From.Before(f.Until):
			c.fs.addf(at.field("until"), "must be after from")
		}
		if _, err := time.LoadLocation(f.TimeZone); err != nil || f.TimeZone == "Local" {
			c.fs.addf(at.field("timeZone"), "must be the name of a time zone such as Asia/Shanghai, got %s", describe(f.TimeZone))
		}
	}
}
