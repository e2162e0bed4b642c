package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// Expand returns all clusters that a fleet asks for, those by name and those by
// number, sorted by name. The error is an InvalidError that names both fields where
// two of them would make a cluster of the same name.
func Expand(s *v1alpha1.ClusterFleetSpec) ([]v1alpha1.FleetCluster, error) {
	if n := wanted(s); n > v1alpha1.MaxFleetClusters {
		return nil, problems{fmt.Sprintf("spec.generate: with spec.clusters it asks for %d clusters, and a fleet can have %d: split them over several fleets",
			n, v1alpha1.MaxFleetClusters)}.err()
	}
	e := expansion{from: map[string]string{}}
	for i, c := range s.Clusters {
		e.add(c, fmt.Sprintf("spec.clusters[%d]", i))
	}
	for i, g := range s.Generate {
		e.generate(g, fmt.Sprintf("spec.generate[%d]", i))
	}
	slices.SortFunc(e.clusters, func(a, b v1alpha1.FleetCluster) int { return strings.Compare(a.Name, b.Name) })
	return e.clusters, e.problems.err()
}

// wanted is the number of clusters that a fleet asks for, names that come twice
// counted twice.
func wanted(s *v1alpha1.ClusterFleetSpec) int64 {
	n := int64(len(s.Clusters))
	for _, g := range s.Generate {
		n += int64(g.Count) * int64(len(g.Regions))
	}
	return n
}

type expansion struct {
	clusters []v1alpha1.FleetCluster
	problems problems
	// from is the field that a name comes from.
	from map[string]string
}

func (e *expansion) generate(g v1alpha1.ClusterGenerator, field string) {
	for _, region := range g.Regions {
		for n := int32(1); n <= g.Count; n++ {
			e.add(v1alpha1.FleetCluster{
				Name:   fmt.Sprintf("%s-%s-%d", g.Prefix, region, n),
				Region: region,
				Labels: maps.Clone(g.Labels),
				Facts:  maps.Clone(g.Facts),
			}, field)
		}
	}
}

func (e *expansion) add(c v1alpha1.FleetCluster, field string) {
	if other, ok := e.from[c.Name]; ok {
		e.problems.addf(field, "cluster %q is also made by %s: names must be unique in a fleet", c.Name, other)
		return
	}
	e.from[c.Name] = field
	e.clusters = append(e.clusters, c)
}

// Labels are what policies can select a cluster by: its own, and its region.
func Labels(c *v1alpha1.FleetCluster) map[string]mv1alpha1.LabelValue {
	out := maps.Clone(c.Labels)
	if c.Region == "" {
		return out
	}
	if out == nil {
		out = map[string]mv1alpha1.LabelValue{}
	}
	out[mv1alpha1.ClusterLabelRegion] = mv1alpha1.LabelValue(c.Region)
	return out
}
