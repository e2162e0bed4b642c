// Package xpkg builds the Crossplane packages of Mainstay and pushes them to a
// registry, with nothing but the Go toolchain: no container engine, and nothing of
// Crossplane beyond the library that its own command uses.
//
// A package is built in three steps: its files are staged (picked from the
// repository, with references rewritten to the registry and version that are asked
// for), parsed and linted, and laid over a runtime image that holds one static
// binary. The same inputs give the same digests, on every machine.
//
// Deliberately absent: signing, and anything that talks to a cluster.
package xpkg

import (
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	rxpkg "github.com/crossplane/crossplane-runtime/v2/pkg/xpkg"
)

// DefaultRegistry is where released packages live, and what crossplane.yaml says.
const DefaultRegistry = "xpkg.mainstay.dev/mainstay"

// A Kind of package.
type Kind string

// Kinds of package.
const (
	KindConfiguration Kind = "Configuration"
	KindFunction      Kind = "Function"
	KindProvider      Kind = "Provider"
)

// A Package is one Crossplane package of Mainstay.
type Package struct {
	// Name in the package's metadata, and of its files.
	Name string
	// Repository below the registry.
	Repository string
	Kind       Kind
	// Meta is the path of its metadata in the source tree.
	Meta string
	// Main is the Go package of its runtime, and Binary the file that it is built
	// to. Both are empty where a package has no runtime.
	Main   string
	Binary string
}

// Configuration is the package that users install. All others are its dependencies.
func Configuration() Package {
	return Package{Name: "mainstay", Repository: "configuration", Kind: KindConfiguration, Meta: "crossplane.yaml"}
}

// Packages are all packages: the runtimes first, then the Configuration that
// depends on them.
func Packages() []Package {
	return []Package{
		{
			Name: "mainstay-provider", Repository: "provider", Kind: KindProvider,
			Meta: "package/provider/crossplane.yaml", Main: "./provider/cmd/provider", Binary: "provider",
		},
		function("cluster-fleet"),
		function("fleet-cell"),
		function("product-application"),
		Configuration(),
	}
}

func function(short string) Package {
	return Package{
		Name: "mainstay-function-" + short, Repository: "function-" + short, Kind: KindFunction,
		Meta: "package/functions/" + short + "/crossplane.yaml", Main: "./functions/" + short, Binary: "function-" + short,
	}
}

// Reference is the image of the package in a registry.
func (p Package) Reference(registry, version string) string {
	return registry + "/" + p.Repository + ":" + version
}

// InstalledName is the name that Crossplane gives to the package where it installs
// it as a dependency. It comes from the path of the image, whatever the host: a
// registry whose path is mainstay gives the names that the Compositions use.
func (p Package) InstalledName(registry string) string {
	_, path, _ := strings.Cut(registry, "/")
	return rxpkg.ToDNSLabel(path + "/" + p.Repository)
}

// CheckRegistry says whether packages can be pushed to, and installed from, a
// registry. It must be a host and at least one path element; Crossplane asks
// for a dot in the host, which localhost has not and 127.0.0.1 has.
func CheckRegistry(registry string) error {
	host, path, ok := strings.Cut(registry, "/")
	if !ok || host == "" || path == "" {
		return fmt.Errorf("registry %q has no path: give HOST/PATH, such as %s", registry, DefaultRegistry)
	}
	if !strings.Contains(host, ".") {
		return fmt.Errorf("registry host %q has no dot, and Crossplane refuses such packages: use an address such as 127.0.0.1:5000", host)
	}
	if _, err := name.NewTag(Configuration().Reference(registry, "v0.0.0"), name.StrictValidation); err != nil {
		return fmt.Errorf("registry %q cannot be used: %w", registry, err)
	}
	return nil
}
