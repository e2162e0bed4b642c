package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

const (
	// maxApplications is the number of applications that a Cluster's status names.
	maxApplications = 10
	// maxNamed is the number of them that a message names.
	maxNamed = 3
)

// residents are the Releases that name a Cluster.
type residents struct {
	count        int
	applications []string // As namespace/name, sorted, each once.
}

// residentsOf a Cluster. A Release counts until it is gone: one that is being deleted
// still has something to remove, or else will give up on its own.
func residentsOf(ctx context.Context, hub client.Reader, cr *v1alpha1.Cluster) (residents, error) {
	l := &v1alpha1.ReleaseList{}
	if err := hub.List(ctx, l, client.MatchingFields{indexCluster: client.ObjectKeyFromObject(cr).String()}, client.UnsafeDisableDeepCopy); err != nil {
		return residents{}, fmt.Errorf("cannot list the Releases of cluster: %w", err)
	}
	return count(l.Items), nil
}

func count(releases []v1alpha1.Release) residents {
	r := residents{count: len(releases)}
	for i := range releases {
		r.applications = append(r.applications, releases[i].GetNamespace()+"/"+releases[i].Spec.ForProvider.Application)
	}
	slices.Sort(r.applications)
	r.applications = slices.Compact(r.applications)
	return r
}

func (r residents) record(cr *v1alpha1.Cluster) {
	cr.Status.AtProvider.Releases = int32(min(r.count, 1<<30)) //nolint:gosec // Bounded.
	cr.Status.AtProvider.Applications = slices.Clone(r.applications[:min(len(r.applications), maxApplications)])
}

// waits says who has to leave, or nothing where nobody has to.
func (r residents) waits() string {
	if r.count == 0 {
		return ""
	}
	noun := "Releases"
	if r.count == 1 {
		noun = "Release"
	}
	named := strings.Join(r.applications[:min(len(r.applications), maxNamed)], ", ")
	if more := len(r.applications) - maxNamed; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("waits for %d %s to leave: %s", r.count, noun, named)
}
