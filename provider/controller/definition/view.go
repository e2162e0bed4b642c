package definition

import (
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/definition"
)

// newDefinition returns an empty definition of a kind.
func newDefinition(kind string) client.Object {
	if kind == v1alpha1.TraitDefinitionKind {
		return &v1alpha1.TraitDefinition{}
	}
	return &v1alpha1.ComponentDefinition{}
}

// A view is what definitions of both kinds have.
type view struct {
	// status of the definition, to be changed.
	status *v1alpha1.DefinitionStatus
	// version that is to be published.
	version string
	// chart that has to be fetched, or nothing.
	chart string
	// seal the definition with the chart that was fetched, once it is found to be right.
	seal func(chart []byte) (*v1alpha1.DefinitionRevision, error)
}

func viewOf(o client.Object) view {
	if d, ok := o.(*v1alpha1.TraitDefinition); ok {
		spec := d.Spec.DeepCopy()
		return view{status: &d.Status, version: spec.Version, seal: func([]byte) (*v1alpha1.DefinitionRevision, error) {
			if _, err := definition.CompileTrait(d.GetName(), spec); err != nil {
				return nil, err
			}
			return definition.Seal(d.GetName(), spec)
		}}
	}
	d, ok := o.(*v1alpha1.ComponentDefinition)
	if !ok {
		return view{status: &v1alpha1.DefinitionStatus{}}
	}
	spec := d.Spec.DeepCopy()
	v := view{status: &d.Status, version: spec.Version}
	if spec.Chart != nil {
		v.chart = spec.Chart.OCI
	}
	v.seal = func(chart []byte) (*v1alpha1.DefinitionRevision, error) {
		whole := spec
		if len(chart) > 0 {
			whole = definition.WithArchive(spec, chart)
		}
		if _, err := definition.CompileComponent(d.GetName(), whole); err != nil {
			return nil, err
		}
		return definition.Seal(d.GetName(), whole)
	}
	return v
}

// within runs something that must end by itself, and gives up on it where it does not: a
// chart can be written so that it takes for ever.
func within(patience time.Duration, seal func() (*v1alpha1.DefinitionRevision, error)) (*v1alpha1.DefinitionRevision, error) {
	type result struct {
		revision *v1alpha1.DefinitionRevision
		err      error
	}
	done := make(chan result, 1)
	go func() {
		r, err := seal()
		done <- result{r, err}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case out := <-done:
		return out.revision, out.err
	case <-timer.C:
		return nil, fmt.Errorf("its examples take longer than %s to render: make them, or the template, smaller", patience)
	}
}
