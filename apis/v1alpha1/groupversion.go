package v1alpha1

import "k8s.io/apimachinery/pkg/runtime/schema"

// GroupVersion is the group and version of what users write.
var GroupVersion = schema.GroupVersion{Group: "mainstay.dev", Version: "v1alpha1"}

// Kinds of the claims, and of the composites that stand behind them.
const (
	ClusterFleetKind        = "ClusterFleet"
	ProductApplicationKind  = "ProductApplication"
	FleetCellKind           = "FleetCell"
	XClusterFleetKind       = "XClusterFleet"
	XProductApplicationKind = "XProductApplication"
)
