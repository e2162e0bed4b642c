package oam

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
)

type exposeParameters struct {
	Port        []int32           `json:"port"`
	Ports       []exposedPort     `json:"ports"`
	Annotations map[string]string `json:"annotations"`
	MatchLabels map[string]string `json:"matchLabels"`
	Type        string            `json:"type"`
	Ingress     *struct {
		Host        string            `json:"host"`
		Path        string            `json:"path"`
		PathType    string            `json:"pathType"`
		Port        int32             `json:"port"`
		Class       string            `json:"class"`
		TLSSecret   string            `json:"tlsSecret"`
		Annotations map[string]string `json:"annotations"`
	} `json:"ingress"`
	HTTPRoute *struct {
		Gateway map[string]any `json:"gateway"`
		Hosts   []any          `json:"hosts"`
		Path    string         `json:"path"`
		Port    int32          `json:"port"`
	} `json:"httpRoute"`
}

type exposedPort struct {
	Port       int32           `json:"port"`
	TargetPort int32           `json:"targetPort"`
	Name       string          `json:"name"`
	Protocol   corev1.Protocol `json:"protocol"`
	NodePort   int32           `json:"nodePort"`
}

// servicePort returns the port as a Service has it.
func (p exposedPort) servicePort() map[string]any {
	target := p.TargetPort
	if target == 0 {
		target = p.Port
	}
	name := p.Name
	if name == "" {
		name = port{Port: p.Port, Protocol: p.Protocol}.name()
	}
	out := map[string]any{"name": name, "port": int64(p.Port), "targetPort": int64(target), "protocol": string(p.Protocol)}
	if p.NodePort != 0 {
		out["nodePort"] = int64(p.NodePort)
	}
	return out
}

// expose makes a Service for the pods, or adds to the one that the component has,
// and leads to it from outside.
func expose(t *target, p exposeParameters, fs *findings) {
	if len(p.Port) > 0 && len(p.Ports) > 0 {
		fs.addf(path{"port"}, "cannot be used together with ports: put it there")
		return
	}
	at, key := path{"ports"}, "ports"
	if len(p.Port) > 0 {
		at, key = path{"port"}, "port"
	}
	for _, n := range p.Port {
		p.Ports = append(p.Ports, exposedPort{Port: n, Protocol: corev1.ProtocolTCP})
	}
	s := t.service(t.in.component, p.MatchLabels, fs)
	if s == nil {
		return
	}
	if p.Type != "" {
		object(s, "spec")["type"] = p.Type
	}
	for i, e := range p.Ports {
		if e.NodePort != 0 && object(s, "spec")["type"] != string(corev1.ServiceTypeNodePort) {
			fs.addf(path{key, i, "nodePort"}, "needs type: NodePort")
		}
		addServicePort(s, e.servicePort(), at.index(i), fs)
	}
	annotate(s, p.Annotations, path{"annotations"}, fs)
	ports := entries(object(s, "spec"), "ports")
	if len(ports) == 0 {
		fs.addf(path{"ports"}, "is required: the component has no Service yet")
		return
	}
	if r := p.Ingress; r != nil {
		at := path{"ingress"}
		checkHTTPPath(r.Path, at.field("path"), fs)
		i := ingress{name: t.in.component, host: r.Host, class: r.Class, classInSpec: true, tlsSecret: r.TLSSecret, annotations: r.Annotations}
		i.paths = []ingressPath{{path: r.Path, pathType: r.PathType, service: t.in.component, port: backendPort(ports, r.Port, at.field("port"), fs)}}
		i.add(t, at, fs)
	}
	if r := p.HTTPRoute; r != nil {
		at := path{"httpRoute"}
		n := backendPort(ports, r.Port, at.field("port"), fs)
		checkHTTPPath(r.Path, at.field("path"), fs)
		spec := map[string]any{
			"parentRefs": []any{r.Gateway},
			"rules": []any{map[string]any{
				"matches":     []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": r.Path}}},
				"backendRefs": []any{map[string]any{"name": t.in.component, "port": int64(n)}},
			}},
		}
		for i, h := range r.Hosts {
			checkHost(fmt.Sprint(h), at.field("hosts").index(i), fs)
		}
		if len(r.Hosts) > 0 {
			spec["hostnames"] = r.Hosts
		}
		t.objects = append(t.objects, unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": map[string]any{"name": t.in.component}, "spec": spec,
		}})
	}
}

// service returns one of the component's Services, and makes it where there is none.
func (t *target) service(name string, labels map[string]string, fs *findings) map[string]any {
	if s := t.find("Service", name); s != nil {
		if len(labels) > 0 {
			fs.addf(path{"matchLabels"}, "would be ignored, because the component has the Service %q already: remove it", name)
		}
		return s.Object
	}
	selector := map[string]any{}
	for k, v := range labels {
		selector[k] = v
	}
	if len(labels) == 0 {
		selector = t.selector(nil, fs)
	}
	t.objects = append(t.objects, unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"type": string(corev1.ServiceTypeClusterIP), "selector": selector},
	}})
	return t.objects[len(t.objects)-1].Object
}

// addServicePort adds a port to a Service. One that it has already must be the same.
func addServicePort(service, port map[string]any, at path, fs *findings) {
	if msgs := validation.IsDNS1123Label(fmt.Sprint(port["name"])); len(msgs) > 0 {
		fs.addf(at.field("name"), "is not a valid name of a port: %s", strings.Join(msgs, ", "))
	}
	for _, there := range entries(object(service, "spec"), "ports") {
		protocol := there["protocol"]
		if protocol == nil {
			protocol = string(corev1.ProtocolTCP)
		}
		switch {
		case there["port"] == port["port"] && protocol == port["protocol"]:
			if there["targetPort"] != port["targetPort"] && there["targetPort"] != nil {
				fs.addf(at, "port %d of the Service leads to %v already", port["port"], there["targetPort"])
			}
			if port["nodePort"] != nil {
				there["nodePort"] = port["nodePort"]
			}
			return
		case there["name"] == port["name"]:
			fs.addf(at, "has the name %q like another port of the Service: give it a name of its own", port["name"])
			return
		}
	}
	appendTo(object(service, "spec"), "ports", port)
}

// backendPort returns the port of a Service that is wanted, or else the first.
func backendPort(ports []map[string]any, want int32, at path, fs *findings) int32 {
	has := make([]string, 0, len(ports))
	for _, p := range ports {
		n, _ := p["port"].(int64)
		if want == 0 || int64(want) == n {
			return int32(n) //nolint:gosec // A port is small.
		}
		has = append(has, fmt.Sprint(n))
	}
	fs.addf(at, "is no port of the Service: there are %s", enumerate(has))
	return want
}

type gatewayParameters struct {
	Domain              string            `json:"domain"`
	HTTP                map[string]int32  `json:"http"`
	Class               string            `json:"class"`
	ClassInSpec         bool              `json:"classInSpec"`
	SecretName          string            `json:"secretName"`
	GatewayHost         string            `json:"gatewayHost"`
	Name                string            `json:"name"`
	PathType            string            `json:"pathType"`
	Annotations         map[string]string `json:"annotations"`
	Labels              map[string]string `json:"labels"`
	ExistingServiceName string            `json:"existingServiceName"`
}

// gateway makes an Ingress to the pods, as KubeVela does.
func gateway(t *target, p gatewayParameters, fs *findings) {
	name := t.in.component
	if p.Name != "" {
		name += "-" + p.Name
	}
	if len(validation.IsDNS1035Label(name)) > 0 {
		fs.addf(path{"name"}, "must make a name of a Service of at most 63 characters, got %s", describe(name))
	}
	i := ingress{
		name: name, host: p.Domain, class: p.Class, classInSpec: p.ClassInSpec, tlsSecret: p.SecretName, hostAt: "domain",
		annotations: maps.Clone(p.Annotations), labels: p.Labels,
	}
	if p.GatewayHost != "" {
		if i.annotations == nil {
			i.annotations = map[string]string{}
		}
		i.annotations["ingress.controller/host"] = p.GatewayHost
	}
	service := p.ExistingServiceName
	var s map[string]any
	if service == "" {
		service = name
		s = t.service(service, nil, fs)
	}
	for _, k := range slices.Sorted(maps.Keys(p.HTTP)) {
		n := p.HTTP[k]
		i.paths = append(i.paths, ingressPath{path: k, pathType: p.PathType, service: service, port: n})
		checkHTTPPath(k, path{"http", k}, fs)
		if s != nil {
			addServicePort(s, exposedPort{Port: n, Protocol: corev1.ProtocolTCP}.servicePort(), path{"http", k}, fs)
		}
	}
	i.add(t, nil, fs)
}

// An ingress is what the two traits that make one have in common.
type ingress struct {
	name, host, class, tlsSecret string
	classInSpec                  bool
	annotations, labels          map[string]string
	paths                        []ingressPath
	// hostAt is the property that the host is in. Defaults to host.
	hostAt string
}

type ingressPath struct {
	path, pathType, service string
	port                    int32
}

func (i *ingress) add(t *target, at path, fs *findings) {
	if i.hostAt == "" {
		i.hostAt = "host"
	}
	if i.host != "" {
		checkHost(i.host, at.field(i.hostAt), fs)
	}
	for _, k := range slices.Sorted(maps.Keys(i.labels)) {
		checkLabel(k, i.labels[k], at.field("labels", k), fs)
	}
	rule := networkingv1.IngressRule{Host: i.host}
	rule.HTTP = &networkingv1.HTTPIngressRuleValue{}
	for _, p := range i.paths {
		kind := networkingv1.PathType(p.pathType)
		rule.HTTP.Paths = append(rule.HTTP.Paths, networkingv1.HTTPIngressPath{Path: p.path, PathType: &kind, Backend: networkingv1.IngressBackend{
			Service: &networkingv1.IngressServiceBackend{Name: p.service, Port: networkingv1.ServiceBackendPort{Number: p.port}},
		}})
	}
	out := &networkingv1.Ingress{ObjectMeta: named(i.name), Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{rule}}}
	out.Labels = i.labels
	if i.classInSpec && i.class != "" {
		out.Spec.IngressClassName = &i.class
	}
	if i.tlsSecret != "" {
		tls := networkingv1.IngressTLS{SecretName: i.tlsSecret}
		if i.host != "" {
			tls.Hosts = []string{i.host}
		}
		out.Spec.TLS = []networkingv1.IngressTLS{tls}
	}
	out.SetGroupVersionKind(networkingv1.SchemeGroupVersion.WithKind("Ingress"))
	t.add(out, fs)
	last := t.objects[len(t.objects)-1].Object
	annotate(last, i.annotations, at.field("annotations"), fs)
	if !i.classInSpec && i.class != "" {
		object(last, "metadata", "annotations")["kubernetes.io/ingress.class"] = i.class
	}
}

func checkHTTPPath(p string, at path, fs *findings) {
	if !strings.HasPrefix(p, "/") {
		fs.addf(at, "must be a path that begins with /, got %s", describe(p))
	}
}

func checkHost(host string, at path, fs *findings) {
	if len(validation.IsDNS1123Subdomain(host)) > 0 && len(validation.IsWildcardDNS1123Subdomain(host)) > 0 {
		fs.addf(at, "must be a host name, or one that begins with *., got %s", describe(host))
	}
}

// annotate adds annotations to an object.
func annotate(o map[string]any, annotations map[string]string, at path, fs *findings) {
	for _, k := range slices.Sorted(maps.Keys(annotations)) {
		if len(validation.IsQualifiedName(k)) > 0 {
			fs.addf(at.field(k), "is not a valid annotation key")
		}
		object(o, "metadata", "annotations")[k] = annotations[k]
	}
}
