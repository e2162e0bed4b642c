// Command cluster-fleet is the composition function that composes the cells of a
// ClusterFleet.
package main

import (
	"github.com/mainstay-dev/mainstay/functions/cluster-fleet/clusterfleet"
	"github.com/mainstay-dev/mainstay/functions/internal/serve"
)

func main() {
	serve.Main("cluster-fleet", "Composes the cells of a ClusterFleet.", clusterfleet.Run)
}
