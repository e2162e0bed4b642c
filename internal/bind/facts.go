package bind

import (
	"regexp"
	"slices"
	"sync"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/expr"
)

// Names of the variables that expressions see.
const (
	VariableCluster = "cluster"
	VariableOutputs = "outputs"
)

// MaxName is the most characters that the name of a fact has.
const MaxName = 40

// own facts are those that every cluster has, or can have, without being told.
var own = []string{"fleet", "labels", "name", "namespace", "region", "version"} //nolint:gochecknoglobals // A table.

var factName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,39}$`)

// IsOwn is true of a fact that every cluster has by itself.
func IsOwn(name string) bool { return slices.Contains(own, name) }

// IsName is true of what can be the name of a fact.
func IsName(name string) bool { return factName.MatchString(name) }

// Env compiles expressions over what is known of a cluster. Whoever checks texts that
// are to be bound compiles them here too, so that the two cannot disagree.
var Env = sync.OnceValues(func() (*expr.Env, error) { //nolint:gochecknoglobals // A constant that has to be made.
	return expr.NewEnv(expr.Variables{VariableCluster: expr.Object, VariableOutputs: expr.Object})
})

// Facts are what expressions can use of a cluster: its name, fleet, region, version and
// labels, the namespace there that the objects go to, and what its owner says of it in
// spec.facts. What is not known is not there, so that whoever asks for it is told.
func Facts(c *v1alpha1.Cluster, namespace string) map[string]any {
	p := &c.Spec.ForProvider
	labels := make(map[string]any, len(p.Labels))
	for k, v := range p.Labels {
		labels[k] = string(v)
	}
	out := map[string]any{"labels": labels}
	for k, v := range p.Facts {
		if IsName(k) && !IsOwn(k) {
			out[k] = v
		}
	}
	for k, v := range map[string]string{
		"name": p.Name, "fleet": p.Fleet, "region": p.Region, "version": c.Status.AtProvider.Version, "namespace": namespace,
	} {
		if v != "" {
			out[k] = v
		}
	}
	return out
}
