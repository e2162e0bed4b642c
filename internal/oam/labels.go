package oam

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// Labels by which other tools know what an object belongs to.
const (
	labelName      = "app.kubernetes.io/name"
	labelPartOf    = "app.kubernetes.io/part-of"
	labelManagedBy = "app.kubernetes.io/managed-by"

	labelVelaApplication = "app.oam.dev/name"
	labelVelaComponent   = "app.oam.dev/component"

	managedBy = "mainstay"
)

// reservedLabels are ours to set: what is found by them must be what we made.
var reservedLabels = []string{
	mv1alpha1.LabelApplication, mv1alpha1.LabelComponent, mv1alpha1.LabelTenant,
	labelVelaApplication, labelVelaComponent,
}

// setLabels adds to labels what every object has. The common labels that a user
// wrote are kept: charts and dashboards may count on them.
func setLabels(labels map[string]string, in instance) {
	for k, v := range map[string]string{labelName: in.component, labelPartOf: in.application, labelManagedBy: managedBy} {
		if _, ok := labels[k]; !ok {
			labels[k] = v
		}
	}
	labels[mv1alpha1.LabelApplication] = in.application
	labels[mv1alpha1.LabelComponent] = in.component
	labels[labelVelaApplication] = in.application
	labels[labelVelaComponent] = in.component
}

func checkLabel(key, value string, at path, fs *findings) {
	switch {
	case slices.Contains(reservedLabels, key):
		fs.addf(at, "is a label that Mainstay sets: remove it")
	case len(validation.IsQualifiedName(key)) > 0:
		fs.addf(at, "is not a valid label key")
	case len(validation.IsValidLabelValue(value)) > 0:
		fs.addf(at, "must have at most 63 letters, digits, '-', '_' and '.', got %s", describe(value))
	}
}
