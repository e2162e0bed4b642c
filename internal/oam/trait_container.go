package oam

import (
	"encoding/json"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"
)

// perContainer makes the function of a trait type that changes one container, by the
// properties themselves, or several, which the named list then has properties of.
func perContainer[P any](list string, apply func(container map[string]any, p P, at path, fs *findings)) func(*target, map[string]any) findings {
	return func(t *target, properties map[string]any) findings {
		fs := findings{}
		several, ok := properties[list].([]any)
		if !ok {
			changeContainer(t, properties, path{}, apply, &fs)
			return fs
		}
		for _, k := range slices.Sorted(maps.Keys(properties)) {
			if k != list {
				fs.addf(path{k}, "cannot be used together with %s: put it there", list)
			}
		}
		known := map[any]bool{}
		for i, e := range several {
			m, _ := e.(map[string]any)
			if known[m["containerName"]] {
				fs.addf(path{list, i, "containerName"}, "%q is listed twice", m["containerName"])
			}
			known[m["containerName"]] = true
			changeContainer(t, m, path{list, i}, apply, &fs)
		}
		return fs
	}
}

func changeContainer[P any](t *target, properties map[string]any, at path, apply func(map[string]any, P, path, *findings), fs *findings) {
	var p P
	if err := fromMap(properties, &p); err != nil {
		fs.addf(at, "cannot be read: %v", err)
		return
	}
	name, _ := properties["containerName"].(string)
	if c, ok := t.container(name, at.field("containerName"), fs); ok {
		apply(c, p, at, fs)
	}
}

type resourceParameters struct {
	CPU      any            `json:"cpu"`
	Memory   any            `json:"memory"`
	Requests map[string]any `json:"requests"`
	Limits   map[string]any `json:"limits"`
}

// resources sets what a container gets and may use.
func resources(container map[string]any, p resourceParameters, at path, fs *findings) {
	requests, limits := p.Requests, p.Limits
	for _, short := range []struct {
		name  string
		value any
	}{{"cpu", p.CPU}, {"memory", p.Memory}} {
		switch {
		case short.value == nil:
		case p.Requests != nil || p.Limits != nil:
			fs.addf(at.field(short.name), "cannot be used together with requests and limits: put it there")
		default:
			requests, limits = withEntry(requests, short.name, short.value), withEntry(limits, short.name, short.value)
		}
	}
	for _, side := range []struct {
		name   string
		values map[string]any
	}{{"requests", requests}, {"limits", limits}} {
		for _, k := range slices.Sorted(maps.Keys(side.values)) {
			// What is written short is there in both.
			where := at.field(side.name, k)
			if p.Requests == nil && p.Limits == nil {
				where = at.field(k)
			}
			if q, ok := quantityOf(side.values[k], where, fs); ok {
				object(container, "resources", side.name)[k] = q.String()
			}
		}
	}
	checkResources(container, at, fs)
}

func withEntry(m map[string]any, key string, value any) map[string]any {
	out := maps.Clone(m)
	if out == nil {
		out = map[string]any{}
	}
	out[key] = value
	return out
}

// checkResources finds limits that are less than what is requested.
func checkResources(container map[string]any, at path, fs *findings) {
	limits := object(container, "resources", "limits")
	requests := object(container, "resources", "requests")
	for _, k := range slices.Sorted(maps.Keys(requests)) {
		r, err1 := resource.ParseQuantity(text(requests[k]))
		l, err2 := resource.ParseQuantity(text(limits[k]))
		if err1 == nil && err2 == nil && l.Cmp(r) < 0 {
			fs.addf(at, "the limit of %s, %q, is less than what is requested, %q: set both", k, l.String(), r.String())
		}
	}
	for _, side := range []string{"limits", "requests"} {
		if len(object(container, "resources", side)) == 0 {
			delete(object(container, "resources"), side)
		}
	}
	if len(object(container, "resources")) == 0 {
		delete(container, "resources")
	}
}

// quantityOf reads what is written as a number or as a text.
func quantityOf(v any, at path, fs *findings) (resource.Quantity, bool) {
	switch v.(type) {
	case string, int64, float64:
		if s := text(v); s != "" {
			return parseQuantity(s, at, fs)
		}
	}
	fs.addf(at, `must be a quantity such as 2, "500m" or "2Gi", got %s`, describe(v))
	return resource.Quantity{}, false
}

// text returns a text, or a number as one.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64, float64:
		if b, err := json.Marshal(v); err == nil {
			return string(b)
		}
	}
	return ""
}

type envParameters struct {
	Replace   bool              `json:"replace"`
	Env       map[string]string `json:"env"`
	ValueFrom map[string]any    `json:"valueFrom"`
	Unset     []string          `json:"unset"`
}

// environment sets and takes away variables of a container. Those it has keep their
// place, others come last, sorted.
func environment(container map[string]any, p envParameters, at path, fs *findings) {
	there := entries(container, "env")
	for i, name := range p.Unset {
		known := slices.ContainsFunc(there, func(e map[string]any) bool { return e["name"] == name })
		_, set := p.Env[name]
		switch {
		case set || p.ValueFrom[name] != nil:
			fs.addf(at.field("unset").index(i), "%q is set here, too: keep one", name)
		case !known || p.Replace:
			fs.addf(at.field("unset").index(i), "container %q has no variable %q", container["name"], name)
		}
	}
	want := map[string]map[string]any{}
	for _, k := range slices.Sorted(maps.Keys(p.Env)) {
		checkEnvName(k, at.field("env", k), fs)
		want[k] = map[string]any{"name": k, "value": p.Env[k]}
	}
	for _, k := range slices.Sorted(maps.Keys(p.ValueFrom)) {
		checkEnvName(k, at.field("valueFrom", k), fs)
		from, _ := p.ValueFrom[k].(map[string]any)
		if len(from) != 1 {
			fs.addf(at.field("valueFrom", k), "must have exactly one of secretKeyRef, configMapKeyRef and fieldRef")
		}
		if want[k] != nil {
			fs.addf(at.field("valueFrom", k), "is set in env, too: keep one")
		}
		want[k] = map[string]any{"name": k, "valueFrom": p.ValueFrom[k]}
	}
	var out []any
	for _, e := range there {
		name, _ := e["name"].(string)
		switch v, again := want[name]; {
		case again:
			out = append(out, v)
			delete(want, name)
		case !p.Replace && !slices.Contains(p.Unset, name):
			out = append(out, e)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		out = append(out, want[k])
	}
	if delete(container, "env"); len(out) > 0 {
		container["env"] = out
	}
}

func checkEnvName(name string, at path, fs *findings) {
	if len(validation.IsEnvVarName(name)) > 0 {
		fs.addf(at, "is not a valid name of an environment variable: %q", name)
	}
}

// setEnv sets one variable that must not be there yet.
func setEnv(container map[string]any, name string, from map[string]any, at path, fs *findings) {
	checkEnvName(name, at, fs)
	if slices.ContainsFunc(entries(container, "env"), func(e map[string]any) bool { return e["name"] == name }) {
		fs.addf(at, "container %q has a variable %q already", container["name"], name)
		return
	}
	appendTo(container, "env", map[string]any{"name": name, "valueFrom": from})
}

type commandParameters struct {
	Command []any `json:"command"`
	Args    []any `json:"args"`
	AddArgs []any `json:"addArgs"`
	DelArgs []any `json:"delArgs"`
}

// command sets what a container runs.
func command(container map[string]any, p commandParameters, at path, fs *findings) {
	if p.Args != nil && (p.AddArgs != nil || p.DelArgs != nil) {
		fs.addf(at.field("args"), "cannot be used together with addArgs and delArgs: keep either")
	}
	if p.Command != nil {
		container["command"] = p.Command
	}
	there, _ := container["args"].([]any)
	if p.Args != nil {
		there = p.Args
	}
	args := []any{}
	for i, a := range p.DelArgs {
		if !slices.Contains(there, a) {
			fs.addf(at.field("delArgs").index(i), "container %q has no argument %q", container["name"], a)
		}
	}
	for _, a := range there {
		if !slices.Contains(p.DelArgs, a) {
			args = append(args, a)
		}
	}
	for i, a := range p.AddArgs {
		if slices.Contains(there, a) || slices.Contains(p.DelArgs, a) {
			fs.addf(at.field("addArgs").index(i), "container %q has the argument %q already, or it is taken away", container["name"], a)
		}
		args = append(args, a)
	}
	if delete(container, "args"); len(args) > 0 {
		container["args"] = args
	}
}

type imageParameters struct {
	Image           string `json:"image"`
	ImagePullPolicy string `json:"imagePullPolicy"`
}

// containerImage sets the image of a container.
func containerImage(container map[string]any, p imageParameters, at path, fs *findings) {
	if p.Image == "" {
		fs.addf(at.field("image"), "is required")
	}
	container["image"] = p.Image
	if p.ImagePullPolicy != "" {
		container["imagePullPolicy"] = p.ImagePullPolicy
	}
}

type portsParameters struct {
	Ports []map[string]any `json:"ports"`
}

// containerPorts adds ports to those that a container has, and ports of the node to
// those that it has already.
func containerPorts(container map[string]any, p portsParameters, at path, fs *findings) {
	seen := map[[2]any]bool{}
	for i, want := range p.Ports {
		at := at.field("ports").index(i)
		k := [2]any{want["containerPort"], want["protocol"]}
		if seen[k] {
			fs.addf(at, "port %d/%s is listed twice", k[0], k[1])
		}
		seen[k] = true
		if want["hostIP"] != nil && want["hostPort"] == nil {
			fs.addf(at.field("hostIP"), "would be ignored without hostPort")
		}
		there := entries(container, "ports")
		j := slices.IndexFunc(there, func(e map[string]any) bool {
			protocol := e["protocol"]
			if protocol == nil {
				protocol = string(corev1.ProtocolTCP)
			}
			return e["containerPort"] == k[0] && protocol == k[1]
		})
		if j < 0 {
			appendTo(container, "ports", want)
			continue
		}
		for _, f := range []string{"hostPort", "hostIP"} {
			if want[f] != nil {
				there[j][f] = want[f]
			}
		}
	}
}

type securityParameters struct {
	AddCapabilities          []any  `json:"addCapabilities"`
	DropCapabilities         []any  `json:"dropCapabilities"`
	AllowPrivilegeEscalation *bool  `json:"allowPrivilegeEscalation"`
	Privileged               *bool  `json:"privileged"`
	ReadOnlyRootFilesystem   *bool  `json:"readOnlyRootFilesystem"`
	RunAsNonRoot             *bool  `json:"runAsNonRoot"`
	RunAsUser                *int64 `json:"runAsUser"`
	RunAsGroup               *int64 `json:"runAsGroup"`
}

// containerSecurity says what a container may do on its node.
func containerSecurity(container map[string]any, p securityParameters, at path, fs *findings) {
	if ptr.Deref(p.Privileged, false) && !ptr.Deref(p.AllowPrivilegeEscalation, true) {
		fs.addf(at.field("allowPrivilegeEscalation"), "must not be false for a privileged container")
	}
	if ptr.Deref(p.RunAsUser, 1) == 0 && ptr.Deref(p.RunAsNonRoot, true) {
		fs.addf(at.field("runAsUser"), "must not be 0, which is root, unless runAsNonRoot is false")
	}
	c := object(container, "securityContext")
	c["allowPrivilegeEscalation"] = ptr.Deref(p.AllowPrivilegeEscalation, ptr.Deref(p.Privileged, false))
	c["privileged"] = ptr.Deref(p.Privileged, false)
	c["readOnlyRootFilesystem"] = ptr.Deref(p.ReadOnlyRootFilesystem, false)
	c["runAsNonRoot"] = ptr.Deref(p.RunAsNonRoot, true)
	for _, n := range []struct {
		name string
		id   *int64
	}{{"runAsUser", p.RunAsUser}, {"runAsGroup", p.RunAsGroup}} {
		if n.id != nil {
			c[n.name] = *n.id
		}
	}
	if p.AddCapabilities != nil {
		object(c, "capabilities")["add"] = p.AddCapabilities
	}
	if p.DropCapabilities != nil {
		object(c, "capabilities")["drop"] = p.DropCapabilities
	}
}

// startupProbe says how to find out that a container has started.
func startupProbe(container, p map[string]any, at path, fs *findings) {
	probe := maps.Clone(p)
	delete(probe, "containerName")
	checkHandler(probe, []string{"exec", "httpGet", "grpc", "tcpSocket"}, at, fs)
	container["startupProbe"] = probe
}

func checkHandler(m map[string]any, handlers []string, at path, fs *findings) {
	n := 0
	for _, h := range handlers {
		if m[h] != nil {
			n++
		}
	}
	if n != 1 {
		fs.addf(at, "must have exactly one of %s", enumerate(handlers))
	}
}
