package preflight

import (
	"fmt"
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

var onePod = resource.MustParse("1")

// checkPacking is B2. It says only what holds in whatever order pods are placed: one
// workload alone has more replicas than nodes have room for, or all of them together ask for
// more of something than there is.
func checkPacking(r *run) {
	total := demand{ask: corev1.ResourceList{}, nodes: map[*Node]bool{}}
	r.schedule(func(w *workload, c *candidates) {
		if w.daemon || len(c.fitting) == 0 {
			return
		}
		total.add(w, c)
		if w.replicas < 2 {
			return
		}
		if n := places(c.request, c.fitting, func(n *Node) corev1.ResourceList { return n.Allocatable }); n < w.replicas {
			r.findIf(r.certain(), w.object, "spec.replicas", "run fewer replicas, ask for less, or add nodes", "%d replicas of %s do not fit: all nodes that they may run on, empty, take %d", w.replicas, amounts(c.request), n)
			return
		}
		if n := places(c.request, c.fitting, r.free); n < w.replicas {
			r.warn(w.object, "spec.replicas", "run fewer replicas, ask for less, or add nodes", "%d replicas of %s do not fit into what is free now: it takes %d", w.replicas, amounts(c.request), n)
		}
	})
	if total.workloads < 2 {
		return
	}
	for _, name := range names(total.ask) {
		all, free := resource.Quantity{}, resource.Quantity{}
		known := true
		for n := range total.nodes {
			q, ok := n.Allocatable[name]
			known = known && ok
			all.Add(q)
			free.Add(r.free(n)[name])
		}
		need := total.ask[name]
		fix := "run fewer replicas, ask for less, or add nodes"
		switch {
		case !known && !extended(name):
		case need.Cmp(all) > 0:
			r.findIf(r.certain(), nil, string(name), fix, "all components together ask for %s of %s, and all nodes that they may run on have %s", text(need), name, text(all))
		case need.Cmp(free) > 0:
			r.warn(nil, string(name), fix, "all components together ask for %s of %s, and not so much is free now", text(need), name)
		}
	}
}

// A demand of all workloads together, and the nodes that any of them may run on.
type demand struct {
	ask       corev1.ResourceList
	nodes     map[*Node]bool
	workloads int
}

func (d *demand) add(w *workload, c *candidates) {
	d.workloads++
	addTimes(d.ask, c.request, w.replicas)
	addTimes(d.ask, corev1.ResourceList{corev1.ResourcePods: onePod}, w.replicas)
	for _, n := range c.fitting {
		d.nodes[n] = true
	}
}

// free room of a node, counting what the application has there already as free: it is
// replaced.
func (r *run) free(n *Node) corev1.ResourceList {
	if r.frees == nil {
		r.frees = map[string]corev1.ResourceList{}
	}
	room, ok := r.frees[n.Name]
	if !ok {
		room = r.room(n, func(p *Pod) bool { return !r.own(p) })
		r.frees[n.Name] = room
	}
	return room
}

// places that nodes have for pods of one kind.
func places(request corev1.ResourceList, nodes []*Node, room func(*Node) corev1.ResourceList) int {
	out := 0
	for _, n := range nodes {
		most := math.MaxInt32
		has := room(n)
		if q, ok := has[corev1.ResourcePods]; ok {
			most = int(max(q.Value(), 0))
		}
		for name, q := range request {
			if h, ok := has[name]; (ok || extended(name)) && !q.IsZero() {
				most = min(most, int(math.Floor(max(h.AsApproximateFloat64(), 0)/q.AsApproximateFloat64()+1e-9)))
			}
		}
		if most == math.MaxInt32 {
			return most // Nothing bounds it.
		}
		out += most
	}
	return out
}

// daemons is how many pods a DaemonSet will have.
func (r *run) daemons(w *workload) int {
	if c := r.candidatesOf(w); c != nil {
		return len(c.tolerable)
	}
	return 0
}

// checkHostPorts is B10.
func checkHostPorts(r *run) {
	r.schedule(func(w *workload, c *candidates) {
		ports := hostPorts(w.pod)
		if len(ports) == 0 || len(c.tolerable) == 0 {
			return
		}
		at := w.path + ".containers.ports"
		if !w.daemon && w.replicas > len(c.tolerable) {
			r.findIf(r.certain(), w.object, at, "run fewer replicas, or do without the host port", "%d replicas need host port %s each, and there are only %d nodes that they may run on", w.replicas, portText(ports), len(c.tolerable))
			return
		}
		free := 0
		for _, n := range c.tolerable {
			if !r.portTaken(n, ports) {
				free++
			}
		}
		want := w.replicas
		if w.daemon {
			want = len(c.tolerable)
		}
		switch {
		case free == 0:
			r.findIf(r.certain(), w.object, at, "use another port, or do without the host port", "host port %s is taken on every node that the pod may run on", portText(ports))
		case free < want:
			r.warn(w.object, at, "use another port, or do without the host port", "host port %s is taken on so many nodes that not all replicas find one", portText(ports))
		}
	})
	r.hostPortsWithin()
}

// hostPortsWithin the application: two workloads that need the same port of the only
// nodes they have.
func (r *run) hostPortsWithin() {
	for i, a := range r.workloads {
		for _, b := range r.workloads[:i] {
			if !clash(hostPorts(a.pod), hostPorts(b.pod)) {
				continue
			}
			ca, cb := r.candidatesOf(a), r.candidatesOf(b)
			if ca == nil || cb == nil {
				continue
			}
			nodes := map[*Node]bool{}
			for _, n := range slices.Concat(ca.tolerable, cb.tolerable) {
				nodes[n] = true
			}
			need := a.replicas + b.replicas
			if a.daemon {
				need += len(ca.tolerable)
			}
			if b.daemon {
				need += len(cb.tolerable)
			}
			if need > len(nodes) {
				r.findIf(r.certain(), a.object, a.path+".containers.ports", "give one of them another port", "it and %s need the same host port %s of %d nodes", b.title(), portText(hostPorts(a.pod)), len(nodes))
			}
		}
	}
}

func hostPorts(pod *corev1.Pod) []HostPort {
	var out []HostPort
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, p := range c.Ports {
			if p.HostPort > 0 {
				out = append(out, HostPort{Protocol: p.Protocol, Port: p.HostPort, IP: anyAddress(p.HostIP)})
			}
		}
	}
	return out
}

func anyAddress(ip string) string {
	if ip == "0.0.0.0" || ip == "::" {
		return ""
	}
	return ip
}

func (r *run) portTaken(n *Node, ports []HostPort) bool {
	return slices.ContainsFunc(r.podsOn(n), func(p *Pod) bool {
		return len(p.Ports) > 0 && !r.own(p) && clash(ports, p.Ports)
	})
}

func clash(a, b []HostPort) bool {
	for _, x := range a {
		for _, y := range b {
			if x.Port == y.Port && x.Protocol == y.Protocol && (x.IP == y.IP || x.IP == "" || y.IP == "") {
				return true
			}
		}
	}
	return false
}

func portText(ports []HostPort) string {
	return fmt.Sprintf("%d/%s", ports[0].Port, ports[0].Protocol)
}
