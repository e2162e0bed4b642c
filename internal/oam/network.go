package oam

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// target returns the port the container listens on.
func (p port) target() int32 {
	if p.ContainerPort != 0 {
		return p.ContainerPort
	}
	return p.Port
}

// name returns the name of the port. Where none was written it is made of number
// and protocol, as KubeVela does.
func (p port) name() string {
	switch {
	case p.Name != "":
		return p.Name
	case p.Protocol != corev1.ProtocolTCP:
		return fmt.Sprintf("port-%d-%s", p.target(), strings.ToLower(string(p.Protocol)))
	}
	return fmt.Sprintf("port-%d", p.target())
}

// check what the schema cannot.
func (n *network) check(fs *findings) {
	if n.AddRevisionLabel {
		fs.addf(path{"addRevisionLabel"}, "is not supported: remove it; which revision runs is in the status of the application")
	}
	known := map[string]bool{}
	exposed := map[string]bool{}
	for i, p := range n.Ports {
		at := path{"ports", i}
		number := fmt.Sprintf("%d/%s", p.Port, p.Protocol)
		if p.Expose && exposed[number] {
			fs.addf(at.field("port"), "port %s is exposed twice", number)
		}
		exposed[number] = exposed[number] || p.Expose
		if msgs := validation.IsValidPortName(p.name()); len(msgs) > 0 {
			fs.addf(at.field("name"), "is not a valid name of a port: %s", strings.Join(msgs, ", "))
		}
		if known[p.name()] {
			fs.addf(at, "has the name %q like another port: give it a name of its own", p.name())
		}
		known[p.name()] = true
		if p.NodePort != 0 && (!p.Expose || n.ExposeType != corev1.ServiceTypeNodePort) {
			fs.addf(at.field("nodePort"), "needs expose: true and exposeType: NodePort")
		}
	}
}

// containerPorts returns the ports of the container, each once. The deprecated
// single port counts only where there are no others.
func (n *network) containerPorts() []corev1.ContainerPort {
	if len(n.Ports) == 0 && n.Port != 0 {
		return []corev1.ContainerPort{{ContainerPort: n.Port, Protocol: corev1.ProtocolTCP}}
	}
	out := make([]corev1.ContainerPort, 0, len(n.Ports))
	for _, p := range n.Ports {
		same := func(c corev1.ContainerPort) bool { return c.ContainerPort == p.target() && c.Protocol == p.Protocol }
		if !slices.ContainsFunc(out, same) {
			out = append(out, corev1.ContainerPort{Name: p.name(), ContainerPort: p.target(), Protocol: p.Protocol})
		}
	}
	return out
}

// services returns the Service for the exposed ports, where there are any.
func (n *network) services(in instance) []runtime.Object {
	ports := []corev1.ServicePort{}
	for _, p := range n.Ports {
		if !p.Expose {
			continue
		}
		ports = append(ports, corev1.ServicePort{
			Name: p.name(), Port: p.Port, TargetPort: intstr.FromInt32(p.target()), Protocol: p.Protocol, NodePort: p.NodePort,
		})
	}
	if len(ports) == 0 {
		return nil
	}
	s := &corev1.Service{
		ObjectMeta: named(in.component),
		Spec:       corev1.ServiceSpec{Type: n.ExposeType, Selector: in.selector(), Ports: ports},
	}
	s.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Service"))
	return []runtime.Object{s}
}
