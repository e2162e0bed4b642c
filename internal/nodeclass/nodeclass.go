// Package nodeclass says what a node of a class has. A class is a name that node pools
// ask for, so that a fleet's shape can be written down without knowing who will make
// the nodes. Some classes are built in; a provider configuration adds its own, and may
// redefine those.
package nodeclass

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// DefaultPods is the number of pods that a node can have where its class does not say.
const DefaultPods = "110"

// GPU is the resource that the built-in class gpu has one of.
const GPU corev1.ResourceName = "nvidia.com/gpu"

// Capacity returns what a node of a class has. The error of a class that is not known
// lists those that are.
func Capacity(custom []v1alpha1.NodeClass, class string) (corev1.ResourceList, error) {
	classes := builtin()
	for _, c := range custom {
		classes[c.Name] = c.Capacity
	}
	found, ok := classes[class]
	if !ok {
		return nil, fmt.Errorf("there is no node class %q: use one of %s, or add it to spec.nodeClasses of the provider configuration",
			class, strings.Join(slices.Sorted(maps.Keys(classes)), ", "))
	}
	capacity := found.DeepCopy()
	if capacity == nil {
		capacity = corev1.ResourceList{}
	}
	if _, ok := capacity[corev1.ResourcePods]; !ok {
		capacity[corev1.ResourcePods] = resource.MustParse(DefaultPods)
	}
	return capacity, nil
}

// builtin classes, as the API's documentation lists them.
func builtin() map[string]corev1.ResourceList {
	gpu := of("16", "64Gi")
	gpu[GPU] = resource.MustParse("1")
	return map[string]corev1.ResourceList{
		"general": of("4", "16Gi"),
		"compute": of("16", "32Gi"),
		"memory":  of("8", "64Gi"),
		"gpu":     gpu,
	}
}

func of(cpu, memory string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
}
