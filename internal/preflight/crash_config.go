package preflight

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var (
	maxHeap      = regexp.MustCompile(`-Xmx(\d{1,15})([kKmMgGtT]?)\b`)
	flinkProcess = regexp.MustCompile(`(?m)^\s*(taskmanager|jobmanager)\.memory\.process\.size\s*:\s*["']?(\d{1,15})\s*([a-zA-Z]*)["']?\s*$`)
)

// checkHeap is D3.
func checkHeap(r *run) {
	for _, w := range r.workloads {
		for c, at := range w.containers() {
			limit, ok := c.Resources.Limits[corev1.ResourceMemory]
			if !ok {
				continue
			}
			for field, text := range r.heapTexts(w, c) {
				if m := maxHeap.FindStringSubmatch(text); m != nil && byteCount(m[1], m[2]) > limit.Value() {
					r.find(w.object, at+field, "lower the heap, or raise the limit", "the heap may grow to %s%s, and the memory limit of container %q is %s", m[1], m[2], c.Name, limit.String())
				}
				for _, m := range flinkProcess.FindAllStringSubmatch(text, -1) {
					if r.flinkRole(w, c, m[1]) && byteCount(m[2], m[3]) > limit.Value() {
						r.find(w.object, at+field, "lower the process size, or raise the limit", "%s.memory.process.size is %s%s, and the memory limit of container %q is %s", m[1], m[2], m[3], c.Name, limit.String())
					}
				}
			}
		}
	}
}

// heapTexts are the texts of a container that may set a heap, by field: its variables,
// its command, and ConfigMaps of the application that its variables come from.
func (r *run) heapTexts(w *workload, c *corev1.Container) map[string]string {
	out := map[string]string{}
	for _, e := range c.Env {
		if e.Value != "" {
			out[".env["+e.Name+"]"] = e.Value
		}
		if e.ValueFrom != nil && e.ValueFrom.ConfigMapKeyRef != nil {
			k := e.ValueFrom.ConfigMapKeyRef
			if o := r.brings("", "ConfigMap", w.namespace, k.Name); o != nil {
				v, _, _ := unstructured.NestedString(o.Object, "data", k.Key)
				out[".env["+e.Name+"]"] = v
			}
		}
	}
	if a := strings.Join(slices.Concat(c.Command, c.Args), " "); a != "" {
		out[".args"] = a
	}
	return out
}

// flinkRole is true where a container plays a role of Flink's, as it says itself.
func (r *run) flinkRole(w *workload, c *corev1.Container, role string) bool {
	said := strings.ToLower(strings.Join(slices.Concat([]string{w.GetName(), c.Name}, c.Command, c.Args), " "))
	return strings.Contains(said, role)
}

func byteCount(number, unit string) int64 {
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0
	}
	shift := 0
	if unit != "" {
		shift = map[byte]int{'k': 10, 'm': 20, 'g': 30, 't': 40}[strings.ToLower(unit)[0]]
	}
	if n > 1<<(62-shift) {
		return 1 << 62
	}
	return n << shift
}

// checkRestarts is D13. It compares with what is on the cluster: a ConfigMap that
// changes, and a template that does not.
func checkRestarts(r *run) {
	for _, w := range r.workloads {
		live := r.snap.Objects[w.key()]
		if live == nil || w.gvk.Kind == "Job" || w.gvk.Kind == "CronJob" || w.late {
			continue
		}
		want, _, _ := unstructured.NestedFieldNoCopy(w.Object, "spec", "template")
		have, _, _ := unstructured.NestedFieldNoCopy(live.Object, "spec", "template")
		if want == nil || have == nil || differs(want, have, true) {
			continue
		}
		changed := map[string]bool{}
		for _, ref := range r.refs {
			if ref.from != w || ref.kind != "ConfigMap" {
				continue
			}
			o := r.brings("", "ConfigMap", w.namespace, ref.name)
			if o == nil || o.late || r.snap.Objects[o.key()] == nil {
				continue
			}
			for _, f := range []string{"data", "binaryData"} {
				if differs(o.Object[f], r.snap.Objects[o.key()].Object[f], false) {
					changed[ref.name] = true
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(changed)) {
			r.find(w.object, strings.TrimSuffix(w.path, ".spec")+".metadata.annotations", "put a checksum of the ConfigMap into an annotation of the template, or give the ConfigMap a new name with each change",
				"ConfigMap %q changes and the pods that use it do not, so they are not restarted and may go on with the old configuration", name)
		}
	}
}

// checkEnvironment is D2.
func checkEnvironment(r *run) {
	for name, c := range r.contracts() {
		ws := r.workloadsOf(name)
		if len(ws) == 0 {
			continue
		}
		for _, need := range c.Env {
			r.envNeed(name, ws, need.Name, need.Container, need.Forbidden)
		}
		for _, port := range c.Ports {
			if !slices.ContainsFunc(ws, func(w *workload) bool { return hasPort(w, port) }) {
				r.find(ws[0].object, ws[0].path+".containers.ports["+port+"]", "declare the port", "component %q must offer port %q, and none of its containers does", name, port)
			}
		}
	}
}

func (r *run) envNeed(component string, ws []*workload, variable, container string, forbidden bool) {
	for _, w := range ws {
		for c, at := range w.containers() {
			if container != "" && c.Name != container {
				continue
			}
			set, known := r.hasEnv(w, c, variable)
			switch {
			case set && forbidden:
				r.find(w.object, at+".env["+variable+"]", "remove the variable, or use the one that replaces it", "variable %q is set, which this version of component %q does not have any more", variable, component)
			case set || !known:
				return
			}
		}
	}
	if forbidden {
		return
	}
	at := ws[0].path + ".containers"
	if container != "" {
		at += "[name=" + container + "]"
	}
	r.find(ws[0].object, at+".env["+variable+"]", "set the variable", "variable %q is not set, and component %q needs it", variable, component)
}

// hasEnv says whether a container has a variable. It is not known where it takes all
// keys of something whose keys are not known.
func (r *run) hasEnv(w *workload, c *corev1.Container, variable string) (set, known bool) {
	if slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == variable }) {
		return true, true
	}
	known = true
	for _, from := range c.EnvFrom {
		kind, name := "", ""
		switch {
		case from.ConfigMapRef != nil:
			kind, name = "ConfigMap", from.ConfigMapRef.Name
		case from.SecretRef != nil:
			kind, name = "Secret", from.SecretRef.Name
		}
		keys, ok := r.keys(kind, r.key(ref{from: w, name: name}))
		known = known && ok
		if k, has := strings.CutPrefix(variable, from.Prefix); has && slices.Contains(keys, k) {
			return true, true
		}
	}
	return false, known
}

func hasPort(w *workload, port string) bool {
	for c := range w.containers() {
		for _, p := range c.Ports {
			if p.Name == port || fmt.Sprint(p.ContainerPort) == port {
				return true
			}
		}
	}
	return false
}
