package oam

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

type sidecarParameters struct {
	Name           string           `json:"name"`
	Image          string           `json:"image"`
	Cmd            []any            `json:"cmd"`
	Args           []any            `json:"args"`
	Env            []map[string]any `json:"env"`
	LivenessProbe  map[string]any   `json:"livenessProbe"`
	ReadinessProbe map[string]any   `json:"readinessProbe"`
	Volumes        []struct {
		Name string `json:"name"`
		Path string `json:"path"`
	} `json:"volumes"`
}

// sidecar adds a container.
func sidecar(t *target, p sidecarParameters, fs *findings) {
	c := newContainer(t, p.Name, p.Image, p.Cmd, p.Args, p.Env, fs)
	for _, probe := range []struct {
		name string
		v    map[string]any
	}{{"livenessProbe", p.LivenessProbe}, {"readinessProbe", p.ReadinessProbe}} {
		if probe.v != nil {
			checkHandler(probe.v, []string{"exec", "httpGet", "tcpSocket"}, path{probe.name}, fs)
			if n, ok := probe.v["successThreshold"].(int64); ok && n > 1 && probe.name == "livenessProbe" {
				fs.addf(path{probe.name, "successThreshold"}, "must be 1: a container is alive or it is not")
			}
			c[probe.name] = probe.v
		}
	}
	for i, v := range p.Volumes {
		addMount(c, mountOf(v.Name, v.Path, "", false), path{"volumes", i, "path"}, fs)
		t.needVolume(v.Name, path{"volumes", i, "name"})
	}
	appendTo(t.podSpec(), "containers", c)
}

type initContainerParameters struct {
	Name              string           `json:"name"`
	Image             string           `json:"image"`
	ImagePullPolicy   string           `json:"imagePullPolicy"`
	Cmd               []any            `json:"cmd"`
	Args              []any            `json:"args"`
	Env               []map[string]any `json:"env"`
	MountName         string           `json:"mountName"`
	AppMountPath      string           `json:"appMountPath"`
	InitMountPath     string           `json:"initMountPath"`
	ExtraVolumeMounts []struct {
		Name      string `json:"name"`
		MountPath string `json:"mountPath"`
	} `json:"extraVolumeMounts"`
}

// initContainer adds a container that runs first, and a volume that it shares with
// the component's.
func initContainer(t *target, p initContainerParameters, fs *findings) {
	c := newContainer(t, p.Name, p.Image, p.Cmd, p.Args, p.Env, fs)
	c["imagePullPolicy"] = p.ImagePullPolicy
	app, _ := t.container("", nil, fs)
	t.addVolume(p.MountName, map[string]any{"emptyDir": map[string]any{}}, path{"mountName"}, fs)
	addMount(app, mountOf(p.MountName, p.AppMountPath, "", false), path{"appMountPath"}, fs)
	addMount(c, mountOf(p.MountName, p.InitMountPath, "", false), path{"initMountPath"}, fs)
	for i, v := range p.ExtraVolumeMounts {
		addMount(c, mountOf(v.Name, v.MountPath, "", false), path{"extraVolumeMounts", i, "mountPath"}, fs)
		t.needVolume(v.Name, path{"extraVolumeMounts", i, "name"})
	}
	appendTo(t.podSpec(), "initContainers", c)
}

// newContainer returns a container, whose name must be new in the pods.
func newContainer(t *target, name, image string, cmd, args []any, env []map[string]any, fs *findings) map[string]any {
	switch {
	case len(validation.IsDNS1123Label(name)) > 0:
		fs.addf(path{"name"}, "must be a DNS label: lower-case letters, digits and '-', got %s", describe(name))
	case slices.ContainsFunc(t.allContainers(), func(c map[string]any) bool { return c["name"] == name }):
		fs.addf(path{"name"}, "the pods have a container %q already: choose another name", name)
	}
	c := map[string]any{"name": name, "image": image}
	if len(cmd) > 0 {
		c["command"] = cmd
	}
	if len(args) > 0 {
		c["args"] = args
	}
	known := map[any]bool{}
	for i, e := range env {
		at := path{"env", i}
		variable, _ := e["name"].(string)
		checkEnvName(variable, at.field("name"), fs)
		if known[variable] {
			fs.addf(at.field("name"), "%q is set twice", variable)
		}
		known[variable] = true
		if from, ok := e["valueFrom"].(map[string]any); ok {
			if e["value"] != nil && e["value"] != "" {
				fs.addf(at, "has both value and valueFrom: keep one")
			}
			if len(from) != 1 {
				fs.addf(at.field("valueFrom"), "must have exactly one of secretKeyRef, configMapKeyRef and fieldRef")
			}
		}
		appendTo(c, "env", e)
	}
	return c
}

// needVolume checks, once all traits are applied, that the pods have a volume.
func (t *target) needVolume(name string, at path) {
	t.checks = append(t.checks, func() findings {
		fs := findings{}
		names := []string{}
		for _, v := range entries(t.podSpec(), "volumes") {
			names = append(names, text(v["name"]))
		}
		for _, c := range entries(t.spec(), "volumeClaimTemplates") {
			names = append(names, text(object(c, "metadata")["name"]))
		}
		switch {
		case slices.Contains(names, name):
		case len(names) == 0:
			fs.addf(at, "the pods have no volume %q, nor any other: add it by the trait storage", name)
		default:
			fs.addf(at, "the pods have no volume %q: there are %s%s", name, enumerate(names), didYouMean(name, names))
		}
		return fs
	})
}

type lifecycleParameters struct {
	PostStart map[string]any `json:"postStart"`
	PreStop   map[string]any `json:"preStop"`
}

// lifecycle says what every container does after its start and before its stop.
func lifecycle(t *target, p lifecycleParameters, fs *findings) {
	hooks := map[string]any{}
	for _, h := range []struct {
		name string
		v    map[string]any
	}{{"postStart", p.PostStart}, {"preStop", p.PreStop}} {
		if h.v != nil {
			checkHandler(h.v, []string{"exec", "httpGet", "tcpSocket"}, path{h.name}, fs)
			hooks[h.name] = h.v
		}
	}
	if len(hooks) == 0 {
		fs.addf(nil, "must have postStart or preStop")
	}
	for _, c := range t.containers() {
		maps.Copy(object(c, "lifecycle"), hooks)
	}
}

type hostAliasParameters struct {
	HostAliases []struct {
		IP        string `json:"ip"`
		Hostnames []any  `json:"hostnames"`
	} `json:"hostAliases"`
}

// hostAlias adds lines to the pods' hosts file. Names of an address that is there
// are added to its line.
func hostAlias(t *target, p hostAliasParameters, fs *findings) {
	seen := map[string]bool{}
	for i, a := range p.HostAliases {
		if seen[a.IP] {
			fs.addf(path{"hostAliases", i, "ip"}, "%q is listed twice: put its names together", a.IP)
		}
		seen[a.IP] = true
		there := entries(t.podSpec(), "hostAliases")
		j := slices.IndexFunc(there, func(e map[string]any) bool { return e["ip"] == a.IP })
		if j < 0 {
			appendTo(t.podSpec(), "hostAliases", map[string]any{"ip": a.IP, "hostnames": a.Hostnames})
			continue
		}
		for _, h := range a.Hostnames {
			if names, _ := there[j]["hostnames"].([]any); !slices.Contains(names, h) {
				appendTo(there[j], "hostnames", h)
			}
		}
	}
}

// podSecurity says what all containers may do on their node.
func podSecurity(t *target, p map[string]any, fs *findings) {
	for _, k := range []string{"appArmorProfile", "seccompProfile"} {
		profile, ok := p[k].(map[string]any)
		if !ok {
			continue
		}
		local := profile["type"] == string(corev1.SeccompProfileTypeLocalhost)
		if named := profile["localhostProfile"] != nil; local != named {
			fs.addf(path{k, "localhostProfile"}, "is for type Localhost, and required there")
		}
	}
	if user, ok := p["runAsUser"].(int64); ok && user == 0 && p["runAsNonRoot"] == true {
		fs.addf(path{"runAsUser"}, "must not be 0, which is root, unless runAsNonRoot is false")
	}
	maps.Copy(object(t.podSpec(), "securityContext"), p)
}
