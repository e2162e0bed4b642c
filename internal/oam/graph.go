package oam

import (
	"slices"
	"strings"
)

// checkGraph checks that components depend on others that there are, and not on
// themselves, however far around.
func checkGraph(components []component, ps *problems) {
	names := make([]string, 0, len(components))
	for _, c := range components {
		names = append(names, c.name)
	}
	for _, c := range components {
		known := map[string]bool{}
		for i, d := range c.dependsOn {
			at := c.at.field("dependsOn").index(i)
			switch {
			case d == c.name:
				ps.addf(at, "component %q depends on itself", c.name)
			case !slices.Contains(names, d):
				ps.addf(at, "component %q depends on %q, which is no component of this application%s", c.name, d, didYouMean(d, names))
			case known[d]:
				ps.addf(at, "component %q lists %q twice", c.name, d)
			}
			known[d] = true
		}
	}
	for _, cycle := range cycles(components) {
		i := slices.Index(names, cycle[0])
		ps.addf(components[i].at.field("dependsOn"), "components depend on each other in a circle: %s", strings.Join(append(cycle, cycle[0]), " → "))
	}
}

// cycles returns circles of dependencies, each once, beginning with the component
// that is written first. Every component that is in a circle is in one of them, or
// can reach one.
func cycles(components []component) [][]string {
	edges := map[string][]string{}
	for _, c := range components {
		edges[c.name] = c.dependsOn
	}
	var out [][]string
	done := map[string]bool{}
	var visit func(name string, trail []string)
	visit = func(name string, trail []string) {
		if i := slices.Index(trail, name); i >= 0 {
			out = append(out, slices.Clone(trail[i:]))
			return
		}
		if done[name] {
			return
		}
		for _, d := range edges[name] {
			if d != name {
				visit(d, append(slices.Clone(trail), name))
			}
		}
		done[name] = true
	}
	for _, c := range components {
		visit(c.name, nil)
	}
	return out
}

// selected returns the components that a selector names, in their order. What
// depends on one that is left out depends on what that one depends on instead.
func selected(components []component, selector []string) []component {
	edges := map[string][]string{}
	for _, c := range components {
		edges[c.name] = c.dependsOn
	}
	out := make([]component, 0, len(selector))
	for _, c := range components {
		if slices.Contains(selector, c.name) {
			c.dependsOn = reach(c.name, edges, selector)
			out = append(out, c)
		}
	}
	return out
}

// reach returns the nearest selected components that one depends on.
func reach(name string, edges map[string][]string, selector []string) []string {
	var out []string
	seen := map[string]bool{name: true}
	var visit func(name string)
	visit = func(name string) {
		for _, d := range edges[name] {
			if seen[d] {
				continue
			}
			seen[d] = true
			if slices.Contains(selector, d) {
				out = append(out, d)
				continue
			}
			visit(d)
		}
	}
	visit(name)
	return out
}
