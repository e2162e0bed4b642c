// Command product-application serves the composition function that turns a
// ProductApplication into Bundles and one Rollout.
package main

import (
	"github.com/mainstay-dev/mainstay/functions/internal/serve"
	"github.com/mainstay-dev/mainstay/functions/product-application/productapplication"
)

func main() {
	serve.Main("product-application", "Composes the Bundles and the Rollout of a ProductApplication.", productapplication.Run)
}
