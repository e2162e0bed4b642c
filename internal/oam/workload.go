package oam

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// webservice renders a Deployment, and a Service where a port is exposed.
func webservice(in instance, p serviceParameters, fs *findings) []runtime.Object {
	p.check(fs)
	pod := p.pod(in, p.containerPorts(), fs)
	return append([]runtime.Object{deployment(in, pod)}, p.services(in)...)
}

// worker renders a Deployment.
func worker(in instance, p workerParameters, fs *findings) []runtime.Object {
	return []runtime.Object{deployment(in, p.pod(in, nil, fs))}
}

// deployment leaves the number of replicas open, so that it is nobody's drift when a
// scaler decides about it.
func deployment(in instance, pod corev1.PodTemplateSpec) *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: named(in.component),
		Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: in.selector()}, Template: pod},
	}
	d.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	return d
}

// headlessSuffix ends the name of the Service that gives the pods of a
// statefulservice their names in DNS.
const headlessSuffix = "-headless"

// statefulService renders a StatefulSet with its headless Service, and another
// Service where a port is exposed.
func statefulService(in instance, p serviceParameters, fs *findings) []runtime.Object {
	p.check(fs)
	set := &appsv1.StatefulSet{
		ObjectMeta: named(in.component),
		Spec: appsv1.StatefulSetSpec{
			ServiceName: in.component + headlessSuffix,
			Selector:    &metav1.LabelSelector{MatchLabels: in.selector()},
			Template:    p.pod(in, p.containerPorts(), fs),
		},
	}
	set.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("StatefulSet"))

	headless := &corev1.Service{
		ObjectMeta: named(in.component + headlessSuffix),
		Spec: corev1.ServiceSpec{
			ClusterIP:                corev1.ClusterIPNone,
			Selector:                 in.selector(),
			PublishNotReadyAddresses: true,
		},
	}
	headless.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Service"))
	return append([]runtime.Object{headless, set}, p.services(in)...)
}
