// Command fleet-cell is the composition function that composes the clusters of a
// FleetCell.
package main

import (
	"github.com/mainstay-dev/mainstay/functions/fleet-cell/fleetcell"
	"github.com/mainstay-dev/mainstay/functions/internal/serve"
)

func main() {
	serve.Main("fleet-cell", "Composes the Clusters and NodePools of a FleetCell.", fleetcell.Run)
}
