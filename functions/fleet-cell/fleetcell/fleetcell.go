// Package fleetcell composes the Clusters of a FleetCell, and their NodePools.
//
// A cluster that leaves the cell is not composed any more, and Crossplane deletes it.
// That takes as long as it takes to drain it, and Crossplane forgets it at once; so the
// cell remembers in its status which clusters are on their way out, and looks for each
// until it is gone.
package fleetcell

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/functions/internal/pipeline"
	"github.com/mainstay-dev/mainstay/internal/names"
)

// Run the function: load, decide, write.
func Run(req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
	rsp := pipeline.Respond(req)
	in := &v1alpha1.FleetCell{}
	if err := pipeline.Composite(req, in); err != nil {
		pipeline.Refuse(rsp, err)
		return rsp, nil
	}
	if err := validate(&in.Spec); err != nil {
		pipeline.Refuse(rsp, err)
		return rsp, nil
	}
	seen, err := observe(req, rsp, in)
	if err != nil {
		return nil, err
	}

	return rsp, write(req, rsp, decide(in, seen))
}

// validate that no composite gets too many children. The fleet takes care of that;
// this is for a cell that somebody else wrote.
func validate(s *v1alpha1.FleetCellSpec) error {
	if n := len(s.Clusters) * (1 + len(s.NodePools)); n > v1alpha1.MaxChildren {
		return fmt.Errorf("spec.clusters: with their node pools they make %d resources, and a cell can have %d: write a ClusterFleet, which cuts itself into cells", n, v1alpha1.MaxChildren)
	}
	return nil
}

// observed is what there is already.
type observed struct {
	// clusters and pools by their name in the pipeline.
	clusters map[string]*mv1alpha1.Cluster
	pools    map[string]*mv1alpha1.NodePool
	// retiring are the clusters that have left the cell and are not gone yet.
	retiring []v1alpha1.ClusterProblem
	// wasReached is true where the cell as it is specified now was reached before.
	wasReached bool
}

func observe(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse, in *v1alpha1.FleetCell) (observed, error) {
	var o observed
	var err error
	group := mv1alpha1.GroupVersion.String()
	if o.clusters, err = pipeline.Observed[mv1alpha1.Cluster](req, group, mv1alpha1.ClusterGVK.Kind); err != nil {
		return o, err
	}
	if o.pools, err = pipeline.Observed[mv1alpha1.NodePool](req, group, mv1alpha1.NodePoolGVK.Kind); err != nil {
		return o, err
	}
	for _, name := range o.leaving(in) {
		r, gone, err := look(req, rsp, in, name)
		if err != nil {
			return o, err
		}
		if !gone {
			o.retiring = append(o.retiring, r)
		}
	}
	o.wasReached, err = pipeline.WasReached(req)
	return o, err
}

// leaving are the names of clusters that are not wanted, and that are there or were
// there when the cell looked last.
func (o observed) leaving(in *v1alpha1.FleetCell) []string {
	var out []string
	for name := range o.clusters {
		out = append(out, name)
	}
	for _, r := range in.Status.Retiring {
		out = append(out, r.Cluster)
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(name string) bool {
		return slices.ContainsFunc(in.Spec.Clusters, func(c v1alpha1.FleetCluster) bool { return c.Name == name })
	})
}

// look for a cluster that leaves. It is gone where there is none, or where the one that
// has its name belongs to somebody else.
func look(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse, in *v1alpha1.FleetCell, name string) (r v1alpha1.ClusterProblem, gone bool, err error) {
	c := &mv1alpha1.Cluster{}
	found, err := pipeline.Require(req, rsp, "retiring-"+name, pipeline.Selector{
		APIVersion: mv1alpha1.GroupVersion.String(),
		Kind:       mv1alpha1.ClusterGVK.Kind,
		Namespace:  in.Namespace,
		Name:       names.Cluster(in.Spec.Fleet, name),
	}, c)
	if err != nil {
		return r, false, err
	}
	gone = found == pipeline.Absent || found == pipeline.Found && !metav1.IsControlledBy(c, in)
	return v1alpha1.ClusterProblem{Cluster: name, Message: c.Status.AtProvider.Message}, gone, nil
}

func write(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse, out outcome) error {
	for _, r := range out.resources {
		if err := pipeline.Compose(rsp, r.name, r.resource, r.ready); err != nil {
			return err
		}
	}
	if err := pipeline.SetStatus(req, rsp, out.status, out.progress.Ready()); err != nil {
		return err
	}
	reason, message := out.progress.Outcome()
	pipeline.Report(rsp, reason, message)
	return nil
}
