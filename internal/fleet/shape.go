package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// shapeDigits of a digest tell the shapes of a cluster apart.
const shapeDigits = 16

// Shape identifies the version and the node pools that a cluster is to have.
func Shape(version string, pools []v1alpha1.FleetNodePool) string {
	hash := sha256.New()
	encode := json.NewEncoder(hash)
	_ = encode.Encode(version) // Neither the hash nor the types can fail.
	for i := range pools {
		_ = encode.Encode(pools[i])
	}
	return hex.EncodeToString(hash.Sum(nil))[:shapeDigits]
}

// Revision identifies what all clusters of a fleet are to have. Empty where the fleet does
// not roll changes out.
func Revision(s *v1alpha1.ClusterFleetSpec) string {
	if s.Upgrade == nil {
		return ""
	}
	hash := sha256.New()
	_, _ = hash.Write([]byte(Shape(s.KubernetesVersion, s.NodePools)))
	for i := range s.Clusters {
		if c := &s.Clusters[i]; c.KubernetesVersion != "" {
			_, _ = fmt.Fprintf(hash, "%s=%s\n", c.Name, c.KubernetesVersion)
		}
	}
	return hex.EncodeToString(hash.Sum(nil))[:shapeDigits]
}

// Admitted is true where a cluster may take the shape that it is asked to have: where
// its fleet does not roll shapes out, where it is being made, and where the fleet's
// Rollout let it.
func Admitted(c *mv1alpha1.Cluster) bool {
	f, o := &c.Spec.ForProvider, &c.Status.AtProvider
	return f.Shape == "" || f.Shape == o.Shape || unborn(c) || (f.Admitted != nil && f.Admitted.Shape == f.Shape)
}

// unborn is true where a cluster never ran.
func unborn(c *mv1alpha1.Cluster) bool { return c.Status.AtProvider.Version == "" }

// VersionToAsk for. A cluster that is not admitted, or that cannot get there at once,
// stays at the version it has: what is broken of it can be mended meanwhile.
func VersionToAsk(c *mv1alpha1.Cluster) string {
	if Admitted(c) && VersionProblem(c) == "" {
		return c.Spec.ForProvider.KubernetesVersion
	}
	return c.Status.AtProvider.Version
}

// VersionProblem says why a cluster whose fleet rolls shapes out cannot take the version
// that it is asked for: a control plane goes up one minor version at a time, and
// never down. Empty where it can.
func VersionProblem(c *mv1alpha1.Cluster) string {
	has, known := minor(c.Status.AtProvider.Version)
	wants, asked := minor(c.Spec.ForProvider.KubernetesVersion)
	switch {
	case c.Spec.ForProvider.Shape == "" || !known || !asked:
		return ""
	case wants > has+1:
		return fmt.Sprintf("cannot go from %s to %s at once: set kubernetesVersion to a v1.%d first",
			c.Status.AtProvider.Version, c.Spec.ForProvider.KubernetesVersion, has+1)
	case wants < has:
		return fmt.Sprintf("cannot go back from %s to %s: set kubernetesVersion to a v1.%d",
			c.Status.AtProvider.Version, c.Spec.ForProvider.KubernetesVersion, has)
	}
	return ""
}

func minor(version string) (int, bool) {
	major, n := 0, 0
	if _, err := fmt.Sscanf(strings.TrimPrefix(version, "v"), "%d.%d.", &major, &n); err != nil {
		return 0, false
	}
	return n, true
}

// PoolWaits says what a node pool waits for before it may be changed or removed. Empty
// where it may be.
func PoolWaits(c *mv1alpha1.Cluster, p *mv1alpha1.NodePool) string {
	f := &c.Spec.ForProvider
	switch {
	case p.Spec.ForProvider.Shape == "" || f.Shape == "":
		return ""
	case !Admitted(c):
		return "waits for its turn in the rollout of the fleet"
	case p.GetDeletionTimestamp() == nil && p.Spec.ForProvider.Shape != f.Shape:
		return "waits for its cluster to be told of the same change"
	case f.KubernetesVersion != "" && c.Status.AtProvider.Version != "" && c.Status.AtProvider.Version != f.KubernetesVersion:
		return "waits for the control plane to run " + f.KubernetesVersion
	}
	return ""
}

// ShapeReached returns the shape that a cluster has: what it is asked for once all of it
// is there and ready, else what it had. One that is being made has the shape that it is
// made with. Pools are nil where they are not known.
func ShapeReached(c *mv1alpha1.Cluster, pools []mv1alpha1.NodePool) string {
	f, o := &c.Spec.ForProvider, &c.Status.AtProvider
	if unborn(c) {
		return f.Shape
	}
	if pools == nil || !Admitted(c) || f.Shape == "" || (f.KubernetesVersion != "" && o.Version != f.KubernetesVersion) {
		return o.Shape
	}
	if c.Status.GetCondition(xpv2.TypeReady).Status != corev1.ConditionTrue {
		return o.Shape
	}
	for i := range pools {
		p := &pools[i]
		if p.GetDeletionTimestamp() != nil || p.Spec.ForProvider.Shape != f.Shape || !ready(p.Status.ConditionedStatus, p.Generation) {
			return o.Shape
		}
	}
	return f.Shape
}
