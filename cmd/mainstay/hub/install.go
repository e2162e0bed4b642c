package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/afero"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pkgv1 "github.com/crossplane/crossplane/apis/v2/pkg/v1"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/step"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/xpkg"
	"github.com/mainstay-dev/mainstay/internal/version"
	"github.com/mainstay-dev/mainstay/package/policy"
)

// installPatience is how long Crossplane may take to install the packages.
const installPatience = 3 * time.Minute

// Install pushes the packages and has Crossplane install them.
func (h *Hub) Install(ctx context.Context) error {
	v, err := h.contentVersion()
	if err != nil {
		return err
	}
	registry, err := h.Registry(ctx)
	if err != nil {
		return err
	}
	installed, err := h.installed(ctx, xpkg.Configuration().Reference(registry, v))
	if err != nil {
		return err
	}
	if !installed {
		err := h.cfg.Log.Do(ctx, "Packages are built and pushed", func(ctx context.Context, _ step.Waiting) error { return h.push(ctx, registry, v) })
		if err != nil {
			return err
		}
	}
	if err := h.cfg.Log.Do(ctx, "Functions and provider run", h.startRuntimes); err != nil {
		return err
	}
	return h.cfg.Log.Do(ctx, "Crossplane has installed the packages", func(ctx context.Context, waiting step.Waiting) error {
		return h.installPackages(ctx, registry, v, waiting)
	})
}

// Registry that packages are pulled from, with its path.
func (h *Hub) Registry(ctx context.Context) (string, error) {
	port, err := h.port(ctx, portRegistry)
	if err != nil {
		return "", err
	}
	return address(port) + "/" + RegistryPath, nil
}

// Adopt starts the runtimes of packages that somebody installed, and tells
// Crossplane that they run. It returns once all packages are healthy.
func (h *Hub) Adopt(ctx context.Context) error {
	if err := h.cfg.Log.Do(ctx, "Functions and provider run", h.startRuntimes); err != nil {
		return err
	}
	return h.cfg.Log.Do(ctx, "Packages are healthy", h.awaitPackages)
}

func (h *Hub) startRuntimes(ctx context.Context, waiting step.Waiting) error {
	if err := h.startFunctions(ctx, waiting); err != nil {
		return err
	}
	return h.startProvider(ctx, waiting)
}

// contentVersion is a version that follows from what is in the packages, so that
// what has changed since is installed, and what has not is not.
func (h *Hub) contentVersion() (string, error) {
	sum := sha256.New()
	add := func(path string) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // Opened for reading.
		_, err = io.Copy(sum, f)
		return err
	}
	for _, p := range xpkg.Packages() {
		if p.Binary != "" {
			if err := add(h.binary(p.Binary)); err != nil {
				return "", fmt.Errorf("cannot read program of package %s: %w", p.Name, err)
			}
		}
	}
	for _, dir := range []string{"crossplane.yaml", "apis", "package", "examples"} {
		err := filepath.WalkDir(filepath.Join(h.cfg.Source, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
				return err
			}
			return add(path)
		})
		if err != nil {
			return "", fmt.Errorf("cannot read package sources: %w", err)
		}
	}
	return version.String() + "-dev.h" + hex.EncodeToString(sum.Sum(nil))[:12], nil
}

// push builds the packages around the programs that are there, and pushes them.
func (h *Hub) push(ctx context.Context, registry, v string) error {
	b := xpkg.Builder{
		Source: afero.NewBasePathFs(afero.NewOsFs(), h.cfg.Source), Registry: registry, Version: v,
		Runtime: func(_ context.Context, p xpkg.Package, _ string) (string, error) { return h.binary(p.Binary), nil },
	}
	built, err := b.BuildAll(ctx, []string{runtime.GOARCH})
	if err != nil {
		return err
	}
	_, err = xpkg.Push(ctx, registry, built)
	return err
}

func (h *Hub) installed(ctx context.Context, reference string) (bool, error) {
	c, err := h.client()
	if err != nil {
		return false, err
	}
	cfg := &pkgv1.Configuration{}
	err = c.Get(ctx, types.NamespacedName{Name: xpkg.Configuration().Name}, cfg)
	if kerrors.IsNotFound(err) {
		return false, nil
	}
	return cfg.Spec.Package == reference, err
}

// installPackages has Crossplane install the Configuration. What it depends on is
// Crossplane's to find; but it does not replace a dependency that is there already
// by one of another version, so that is done here.
func (h *Hub) installPackages(ctx context.Context, registry, v string, waiting step.Waiting) error {
	c, err := h.client()
	if err != nil {
		return err
	}
	for _, p := range xpkg.Packages() {
		if p.Kind == xpkg.KindConfiguration {
			continue
		}
		u := packageObject(p.Kind, p.InstalledName(registry))
		err := c.Get(ctx, client.ObjectKeyFromObject(u), u)
		if kerrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot get package %s: %w", p.Name, err)
		}
		if got, _, _ := unstructured.NestedString(u.Object, "spec", "package"); got == p.Reference(registry, v) {
			continue
		}
		patch := fmt.Appendf(nil, `{"spec":{"package":%q}}`, p.Reference(registry, v))
		if err := c.Patch(ctx, u, client.RawPatch(types.MergePatchType, patch)); err != nil {
			return fmt.Errorf("cannot update package %s: %w", p.Name, err)
		}
	}
	policies, err := policy.Objects()
	if err != nil {
		return err
	}
	for _, o := range policies {
		if err := apply(ctx, c, o); err != nil {
			return err
		}
	}
	cfg := packageObject(xpkg.KindConfiguration, xpkg.Configuration().Name)
	cfg.Object["spec"] = map[string]any{"package": xpkg.Configuration().Reference(registry, v)}
	if err := apply(ctx, c, cfg); err != nil {
		return err
	}
	return h.awaitPackages(ctx, waiting)
}

// awaitPackages until all are healthy and their kinds are served.
func (h *Hub) awaitPackages(ctx context.Context, waiting step.Waiting) error {
	c, err := h.client()
	if err != nil {
		return err
	}
	last := errors.New("nothing was looked at")
	err = wait.PollUntilContextTimeout(ctx, poll, installPatience, true, func(ctx context.Context) (bool, error) {
		reported, err := h.reportRuntimes(ctx, c)
		if err != nil {
			waiting(err.Error())
			return false, nil //nolint:nilerr // It is tried again.
		}
		if reported {
			return false, nil
		}
		if last = h.packagesReady(ctx, c); last != nil {
			waiting(last.Error())
		}
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("cannot install packages: %w: still waiting for %w", err, last)
	}
	return nil
}

// packagesReady returns what is still missing.
func (h *Hub) packagesReady(ctx context.Context, c client.Client) error {
	for _, p := range xpkg.Packages() {
		name := p.InstalledName(RegistryPath + "/" + RegistryPath)
		if p.Kind == xpkg.KindConfiguration {
			name = p.Name
		}
		u := packageObject(p.Kind, name)
		if err := c.Get(ctx, client.ObjectKeyFromObject(u), u); err != nil {
			return fmt.Errorf("%s %s to be installed", p.Kind, name)
		}
		if err := packageReady(u); err != nil {
			return err
		}
	}
	served := &unstructured.UnstructuredList{}
	served.SetAPIVersion("apiextensions.k8s.io/v1")
	served.SetKind("CustomResourceDefinitionList")
	if err := c.List(ctx, served); err != nil {
		return fmt.Errorf("kinds to be listed: %w", err)
	}
	established := map[string]bool{}
	for i := range served.Items {
		established[served.Items[i].GetName()], _ = conditionTrue(&served.Items[i], "Established")
	}
	for _, k := range []string{
		"clusterfleets.mainstay.dev", "productapplications.mainstay.dev", "fleetcells.mainstay.dev",
		"clusters.m.mainstay.dev", "nodepools.m.mainstay.dev", "bundles.m.mainstay.dev", "rollouts.m.mainstay.dev", "releases.m.mainstay.dev",
		"providerconfigs.m.mainstay.dev", "clusterproviderconfigs.m.mainstay.dev",
		"componentdefinitions.mainstay.dev", "traitdefinitions.mainstay.dev", "definitionrevisions.mainstay.dev",
	} {
		if !established[k] {
			return fmt.Errorf("kind %s to be served", k)
		}
	}
	return nil
}
