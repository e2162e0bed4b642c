package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/tenancy"
)

// An inventory is the clusters there are, the way one tenant sees them.
type inventory struct {
	namespace string
	// allowed clusters list the namespace as a tenant. The foreign ones do not:
	// they are known only in order to say so to whoever names one.
	allowed, foreign []*v1alpha1.Cluster
	// The same by either form of their names.
	allowedByName, foreignByName map[string][]*v1alpha1.Cluster
}

func newInventory(namespace string, clusters []v1alpha1.Cluster) inventory {
	in := inventory{namespace: namespace}
	for i := range clusters {
		c := &clusters[i]
		isTenant := slices.ContainsFunc(c.Spec.ForProvider.Tenants, func(t v1alpha1.Tenant) bool { return t.Namespace == namespace })
		if isTenant {
			in.allowed = append(in.allowed, c)
			continue
		}
		in.foreign = append(in.foreign, c)
	}
	byName := func(a, b *v1alpha1.Cluster) int {
		return cmp.Or(cmp.Compare(a.GetName(), b.GetName()), cmp.Compare(a.GetNamespace(), b.GetNamespace()))
	}
	slices.SortFunc(in.allowed, byName)
	slices.SortFunc(in.foreign, byName)
	in.allowedByName, in.foreignByName = named(in.allowed), named(in.foreign)
	return in
}

// find clusters by name. Each name must be that of exactly one cluster. Clusters
// that do not list the tenant never make a name ambiguous, lest one tenant's fleet
// break another's placement.
func (in inventory) find(names []string) ([]*v1alpha1.Cluster, []string) {
	var found []*v1alpha1.Cluster
	var problems []string
	for _, name := range names {
		hits := in.allowedByName[name]
		switch len(hits) {
		case 1:
			if !slices.Contains(found, hits[0]) {
				found = append(found, hits[0])
			}
		case 0:
			problems = append(problems, in.missing(name))
		default:
			problems = append(problems, ambiguous(name, hits))
		}
	}
	return found, problems
}

// missing says why there is no cluster of a name.
func (in inventory) missing(name string) string {
	if hits := in.foreignByName[name]; len(hits) > 0 {
		return tenancy.Check(hits[0], in.namespace, in.namespace).Error()
	}
	return fmt.Sprintf("cluster %q does not exist in any fleet: correct the name or remove it", name)
}

// ambiguous says which clusters share a name, and how to tell them apart.
func ambiguous(name string, hits []*v1alpha1.Cluster) string {
	labels, places := make([]string, 0, len(hits)), make([]string, 0, len(hits))
	for _, c := range hits {
		labels = append(labels, fmt.Sprintf("%q", clusterLabel(c)))
		places = append(places, fmt.Sprintf("%q", c.GetNamespace()))
	}
	if distinct := slices.Compact(slices.Clone(labels)); len(distinct) == len(labels) {
		return fmt.Sprintf("cluster name %q is ambiguous: write %s", name, strings.Join(labels, " or "))
	}
	return fmt.Sprintf("cluster name %q is ambiguous: there are such clusters in namespaces %s, select by label instead", name, strings.Join(places, " and "))
}

// named returns clusters by the names that can mean them.
func named(clusters []*v1alpha1.Cluster) map[string][]*v1alpha1.Cluster {
	out := make(map[string][]*v1alpha1.Cluster, 2*len(clusters))
	for _, c := range clusters {
		name, full := c.Spec.ForProvider.Name, clusterLabel(c)
		out[name] = append(out[name], c)
		if full != name {
			out[full] = append(out[full], c)
		}
	}
	return out
}

func clusterLabel(c *v1alpha1.Cluster) string {
	return label(c.Spec.ForProvider.Fleet, c.Spec.ForProvider.Name)
}

func label(fleet, name string) string {
	if fleet == "" {
		return name
	}
	return fleet + "." + name
}
