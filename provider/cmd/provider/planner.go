package main

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"

	"github.com/mainstay-dev/mainstay/functions/builtin"
	"github.com/mainstay-dev/mainstay/internal/version"
	"github.com/mainstay-dev/mainstay/provider/planner"
	"github.com/mainstay-dev/mainstay/provider/planner/functions"
)

// functionsOf the hub, that plans are rendered with. Where they cannot be reached, those of the
// same version that are part of this program take their place.
func functionsOf(mgr ctrl.Manager, f flags) *functions.Pool {
	return functions.New(functions.Config{
		Mode: functions.Mode(f.PlanFunctions), Hub: mgr.GetAPIReader(),
		Certificates: functions.Certificates{Dir: f.FunctionTLSDir, Secret: secretOf(f.FunctionTLSSecret)},
		Own:          builtin.Functions(), Shipped: builtin.Shipped(), Version: version.String(),
	})
}

// plannerOf merge requests.
func plannerOf(mgr ctrl.Manager, f flags, trees planner.Viewer, looks planner.Preflight, log logging.Logger) *planner.Planner {
	return planner.New(planner.Config{
		Hub: mgr.GetClient(), Live: mgr.GetAPIReader(), Functions: functionsOf(mgr, f), Trees: trees, Preflight: looks, Now: time.Now, Log: log,
	})
}

// secretOf a flag. It was looked at before.
func secretOf(flag string) types.NamespacedName {
	namespace, name, _ := strings.Cut(flag, "/")
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// checkSecret of a flag.
func checkSecret(flag string) error {
	if namespace, name, ok := strings.Cut(flag, "/"); flag != "" && (!ok || namespace == "" || name == "" || strings.Contains(name, "/")) {
		return fmt.Errorf("--function-tls-secret: %q is not <namespace>/<name>", flag)
	}
	return nil
}
