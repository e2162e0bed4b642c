package oam

import (
	"maps"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

type placementParameters struct {
	Class  string `json:"class"`
	Spot   bool   `json:"spot"`
	Spread struct {
		Zones string `json:"zones"`
		Nodes string `json:"nodes"`
	} `json:"spread"`
	Tolerations  []any             `json:"tolerations"`
	NodeSelector map[string]string `json:"nodeSelector"`
}

// placement says on which nodes the pods run, in this project's words.
func placement(t *target, p placementParameters, fs *findings) {
	if p.Class != "" {
		t.selectNode(mv1alpha1.LabelNodeClass, p.Class, path{"class"}, fs)
	}
	for _, k := range slices.Sorted(maps.Keys(p.NodeSelector)) {
		t.selectNode(k, p.NodeSelector[k], path{"nodeSelector", k}, fs)
	}
	if p.Spot {
		t.tolerate([]any{map[string]any{"key": mv1alpha1.LabelSpot, "operator": string(corev1.TolerationOpExists)}}, path{"spot"}, fs)
		spot := map[string]any{"key": mv1alpha1.LabelSpot, "operator": string(corev1.NodeSelectorOpIn), "values": []any{"true"}}
		appendTo(object(t.podSpec(), "affinity", "nodeAffinity"), preferred, map[string]any{
			"weight": int64(100), "preference": map[string]any{"matchExpressions": []any{spot}},
		})
	}
	for _, s := range []struct{ name, how, topology string }{
		{"zones", p.Spread.Zones, corev1.LabelTopologyZone},
		{"nodes", p.Spread.Nodes, corev1.LabelHostname},
	} {
		if s.how == "" {
			continue
		}
		otherwise := corev1.ScheduleAnyway
		if s.how == "Required" {
			otherwise = corev1.DoNotSchedule
		}
		at := path{"spread", s.name}
		t.spread(map[string]any{
			"maxSkew": int64(1), "topologyKey": s.topology, "whenUnsatisfiable": string(otherwise),
			"labelSelector": map[string]any{"matchLabels": t.selector(at, fs)},
		}, at, fs)
	}
	t.tolerate(p.Tolerations, path{"tolerations"}, fs)
}

// selectNode asks for a label of the node.
func (t *target) selectNode(key, value string, at path, fs *findings) {
	if len(validation.IsQualifiedName(key)) > 0 {
		fs.addf(at, "is not a valid label key")
	}
	if len(validation.IsValidLabelValue(value)) > 0 {
		fs.addf(at, "must be the value of a label, got %s", describe(value))
	}
	labels := object(t.podSpec(), "nodeSelector")
	if there, ok := labels[key]; ok && there != value {
		fs.addf(at, "label %q of the node is asked to be %q already", key, there)
	}
	labels[key] = value
}

// tolerate adds tolerations that are not there yet.
func (t *target) tolerate(tolerations []any, at path, fs *findings) {
	for i, v := range tolerations {
		m, ok := v.(map[string]any)
		if !ok {
			continue
		}
		at := at.index(i)
		exists := m["operator"] == string(corev1.TolerationOpExists)
		value, _ := m["value"].(string)
		switch {
		case exists && value != "":
			fs.addf(at.field("value"), "would be ignored, because operator is Exists: remove it")
		case !exists && (m["key"] == nil || m["key"] == ""):
			fs.addf(at.field("key"), "is required where operator is Equal")
		case m["tolerationSeconds"] != nil && m["effect"] != string(corev1.TaintEffectNoExecute):
			fs.addf(at.field("tolerationSeconds"), "is only for effect NoExecute")
		}
		if !slices.ContainsFunc(entries(t.podSpec(), "tolerations"), func(there map[string]any) bool { return reflect.DeepEqual(there, m) }) {
			appendTo(t.podSpec(), "tolerations", m)
		}
	}
}

// spread adds a constraint. There can be one for a topology and what becomes of pods
// that cannot keep to it.
func (t *target) spread(constraint map[string]any, at path, fs *findings) {
	for _, there := range entries(t.podSpec(), "topologySpreadConstraints") {
		if there["topologyKey"] == constraint["topologyKey"] && there["whenUnsatisfiable"] == constraint["whenUnsatisfiable"] {
			fs.addf(at, "there is a constraint for %q and %s already", constraint["topologyKey"], constraint["whenUnsatisfiable"])
			return
		}
	}
	appendTo(t.podSpec(), "topologySpreadConstraints", constraint)
}

// What Kubernetes calls requirements and preferences.
const (
	required  = "requiredDuringSchedulingIgnoredDuringExecution"
	preferred = "preferredDuringSchedulingIgnoredDuringExecution"
)

type affinityParameters struct {
	PodAffinity     podAffinity `json:"podAffinity"`
	PodAntiAffinity podAffinity `json:"podAntiAffinity"`
	NodeAffinity    struct {
		Required  map[string]any `json:"required"`
		Preferred []any          `json:"preferred"`
	} `json:"nodeAffinity"`
	Tolerations []any `json:"tolerations"`
}

type podAffinity struct {
	Required  []any `json:"required"`
	Preferred []any `json:"preferred"`
}

// affinity says on which nodes the pods run, in Kubernetes' words.
func affinity(t *target, p affinityParameters, fs *findings) {
	for _, a := range []struct {
		name                string
		required, preferred []any
	}{
		{"podAffinity", p.PodAffinity.Required, p.PodAffinity.Preferred},
		{"podAntiAffinity", p.PodAntiAffinity.Required, p.PodAntiAffinity.Preferred},
		{"nodeAffinity", nil, p.NodeAffinity.Preferred},
	} {
		if len(a.required) > 0 {
			appendTo(object(t.podSpec(), "affinity", a.name), required, a.required...)
		}
		if len(a.preferred) > 0 {
			appendTo(object(t.podSpec(), "affinity", a.name), preferred, a.preferred...)
		}
	}
	if p.NodeAffinity.Required != nil {
		nodes := object(t.podSpec(), "affinity", "nodeAffinity")
		if nodes[required] != nil {
			fs.addf(path{"nodeAffinity", "required"}, "the manifest requires nodes already, and one of either would do: put them together")
		}
		nodes[required] = p.NodeAffinity.Required
	}
	t.tolerate(p.Tolerations, path{"tolerations"}, fs)
}

type spreadParameters struct {
	Constraints []map[string]any `json:"constraints"`
}

// topologySpread adds constraints in Kubernetes' words. Without a label selector
// they are about the component's pods.
func topologySpread(t *target, p spreadParameters, fs *findings) {
	for i, c := range p.Constraints {
		at := path{"constraints", i}
		if c["labelSelector"] == nil {
			c["labelSelector"] = map[string]any{"matchLabels": t.selector(at, fs)}
		}
		if c["minDomains"] != nil && c["whenUnsatisfiable"] != string(corev1.DoNotSchedule) {
			fs.addf(at.field("minDomains"), "is only for whenUnsatisfiable: DoNotSchedule")
		}
		t.spread(c, at, fs)
	}
}
