package oam

import (
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

type scalerParameters struct {
	Replicas *int64 `json:"replicas"`
	Min      *int32 `json:"min"`
	Max      *int32 `json:"max"`
	CPU      *int32 `json:"cpu"`
	Memory   *int32 `json:"memory"`
}

// scaler sets the number of pods, or leaves it to an autoscaler.
func scaler(t *target, p scalerParameters, fs *findings) {
	if p.Min == nil && p.Max == nil && p.CPU == nil && p.Memory == nil {
		t.spec()["replicas"] = ptr.Deref(p.Replicas, 1)
		return
	}
	if p.Replicas != nil {
		fs.addf(path{"replicas"}, "cannot be used together with min, max, cpu and memory: keep either")
	}
	if p.Max == nil {
		fs.addf(path{"max"}, "is required where min, cpu or memory is set")
		return
	}
	var metrics []autoscalingv2.MetricSpec
	for _, m := range []struct {
		name   corev1.ResourceName
		target *int32
	}{{corev1.ResourceCPU, p.CPU}, {corev1.ResourceMemory, p.Memory}} {
		if m.target != nil {
			metrics = append(metrics, utilization(m.name, *m.target))
		}
	}
	if len(metrics) == 0 {
		fs.addf(nil, "must have cpu or memory where max is set: they decide between min and max")
	}
	t.autoscale(ptr.Deref(p.Min, 1), *p.Max, metrics, fs)
}

// scaleTarget is what KubeVela has to be told about the workload.
type scaleTarget struct {
	TargetAPIVersion string `json:"targetAPIVersion"`
	TargetKind       string `json:"targetKind"`
}

// check that what was written is the workload.
func (s scaleTarget) check(t *target, fs *findings) {
	w := t.workload()
	if s.TargetAPIVersion != "" && s.TargetAPIVersion != w.GetAPIVersion() {
		fs.addf(path{"targetAPIVersion"}, "must be that of the workload, %s, got %s: it can be left out", w.GetAPIVersion(), describe(s.TargetAPIVersion))
	}
	if s.TargetKind != "" && s.TargetKind != w.GetKind() {
		fs.addf(path{"targetKind"}, "must be that of the workload, %s, got %s: it can be left out", w.GetKind(), describe(s.TargetKind))
	}
}

type cpuScalerParameters struct {
	scaleTarget

	Min     int32 `json:"min"`
	Max     int32 `json:"max"`
	CPUUtil int32 `json:"cpuUtil"`
}

func cpuScaler(t *target, p cpuScalerParameters, fs *findings) {
	p.check(t, fs)
	t.autoscale(p.Min, p.Max, []autoscalingv2.MetricSpec{utilization(corev1.ResourceCPU, p.CPUUtil)}, fs)
}

type hpaParameters struct {
	scaleTarget

	Min              int32         `json:"min"`
	Max              int32         `json:"max"`
	CPU              usage         `json:"cpu"`
	Mem              *usage        `json:"mem"`
	PodCustomMetrics []namedMetric `json:"podCustomMetrics"`
}

type usage struct {
	Type  autoscalingv2.MetricTargetType `json:"type"`
	Value any                            `json:"value"`
}

type namedMetric struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

func hpa(t *target, p hpaParameters, fs *findings) {
	p.check(t, fs)
	metrics := []autoscalingv2.MetricSpec{p.CPU.metric(corev1.ResourceCPU, path{"cpu", "value"}, fs)}
	if p.Mem != nil {
		metrics = append(metrics, p.Mem.metric(corev1.ResourceMemory, path{"mem", "value"}, fs))
	}
	for i, m := range p.PodCustomMetrics {
		q, _ := quantityOf(m.Value, path{"podCustomMetrics", i, "value"}, fs)
		metrics = append(metrics, autoscalingv2.MetricSpec{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{
			Metric: autoscalingv2.MetricIdentifier{Name: m.Name},
			Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: &q},
		}})
	}
	t.autoscale(p.Min, p.Max, metrics, fs)
}

// metric of a resource: a share of what is requested, or an amount.
func (u usage) metric(name corev1.ResourceName, at path, fs *findings) autoscalingv2.MetricSpec {
	if u.Type == autoscalingv2.UtilizationMetricType {
		n, ok := u.Value.(int64)
		if !ok || n < 1 || n > 1000 {
			fs.addf(at, "must be a share in per cent, from 1 to 1000, where type is Utilization, got %s", describe(u.Value))
		}
		return utilization(name, int32(min(max(n, 0), 1000))) //nolint:gosec // It is bounded.
	}
	q, _ := quantityOf(u.Value, at, fs)
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
		Name: name, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: &q},
	}}
}

func utilization(name corev1.ResourceName, percent int32) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
		Name: name, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &percent},
	}}
}

// autoscale adds an autoscaler. The number of pods must then be nobody else's.
func (t *target) autoscale(least, most int32, metrics []autoscalingv2.MetricSpec, fs *findings) {
	if least > most {
		fs.addf(path{"min"}, "must not be more than max, which is %d", most)
	}
	w := t.workload()
	if _, set := t.spec()["replicas"]; set {
		fs.addf(nil, "cannot decide about the number of pods, because %s %q says it: remove spec.replicas there", w.GetKind(), w.GetName())
	}
	h := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: t.named(),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: w.GetAPIVersion(), Kind: w.GetKind(), Name: w.GetName()},
			MinReplicas:    &least,
			MaxReplicas:    most,
			Metrics:        metrics,
		},
	}
	h.SetGroupVersionKind(autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"))
	t.add(h, fs)
}

type pdbParameters struct {
	MinAvailable               *intstr.IntOrString                      `json:"minAvailable"`
	MaxUnavailable             *intstr.IntOrString                      `json:"maxUnavailable"`
	UnhealthyPodEvictionPolicy *policyv1.UnhealthyPodEvictionPolicyType `json:"unhealthyPodEvictionPolicy"`
}

// pdb adds a budget of pods that may be taken away.
func pdb(t *target, p pdbParameters, fs *findings) {
	if (p.MinAvailable == nil) == (p.MaxUnavailable == nil) {
		fs.addf(nil, "must have exactly one of minAvailable and maxUnavailable")
		return
	}
	b := &policyv1.PodDisruptionBudget{
		ObjectMeta: t.named(),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable:               p.MinAvailable,
			MaxUnavailable:             p.MaxUnavailable,
			UnhealthyPodEvictionPolicy: p.UnhealthyPodEvictionPolicy,
			Selector:                   labelSelector(t.selector(nil, fs)),
		},
	}
	b.SetGroupVersionKind(policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"))
	t.add(b, fs)
}

type updateStrategyParameters struct {
	scaleTarget

	Strategy struct {
		Type            string `json:"type"`
		RollingStrategy *struct {
			MaxSurge       *intstr.IntOrString `json:"maxSurge"`
			MaxUnavailable *intstr.IntOrString `json:"maxUnavailable"`
			Partition      *int64              `json:"partition"`
		} `json:"rollingStrategy"`
	} `json:"strategy"`
}

// updateStrategy says how pods are replaced.
func updateStrategy(t *target, p updateStrategyParameters, fs *findings) {
	p.check(t, fs)
	kind := t.workload().GetKind()
	at := path{"strategy"}
	field, never := "updateStrategy", string(appsv1.RecreateDeploymentStrategyType)
	if kind == "Deployment" {
		field, never = "strategy", string(appsv1.OnDeleteStatefulSetStrategyType)
	}
	if p.Strategy.Type == never {
		fs.addf(at.field("type"), "%s is not possible for a %s", never, kind)
	}
	out := map[string]any{"type": p.Strategy.Type}
	if r := p.Strategy.RollingStrategy; r != nil {
		at := at.field("rollingStrategy")
		limits := map[string]any{}
		if p.Strategy.Type != string(appsv1.RollingUpdateDeploymentStrategyType) {
			fs.addf(at, "would be ignored, because type is %s: remove it", p.Strategy.Type)
		}
		for _, l := range []struct {
			name string
			v    *intstr.IntOrString
		}{{"maxSurge", r.MaxSurge}, {"maxUnavailable", r.MaxUnavailable}} {
			switch {
			case l.v == nil:
			case kind == "StatefulSet" && l.name == "maxSurge":
				fs.addf(at.field(l.name), "is not possible for a StatefulSet")
			default:
				limits[l.name] = intOrString(*l.v)
			}
		}
		if r.Partition != nil {
			limits["partition"] = *r.Partition
			if kind != "StatefulSet" {
				fs.addf(at.field("partition"), "is not possible for a %s", kind)
			}
		}
		if len(limits) > 0 {
			out["rollingUpdate"] = limits
		}
	}
	t.spec()[field] = out
}

func intOrString(v intstr.IntOrString) any {
	if v.Type == intstr.Int {
		return int64(v.IntVal)
	}
	return v.StrVal
}

// labelSelector of labels.
func labelSelector(labels map[string]any) *metav1.LabelSelector {
	out := &metav1.LabelSelector{MatchLabels: map[string]string{}}
	for k, v := range labels {
		out.MatchLabels[k], _ = v.(string)
	}
	return out
}

// named returns the metadata of an object that goes with the workload.
func (t *target) named() metav1.ObjectMeta { return named(t.in.component) }
