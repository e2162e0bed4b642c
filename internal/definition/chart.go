package definition

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	helmchart "helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/expr"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

// Limits of a chart.
const (
	// MaxArchiveBytes is the most that a packaged chart may be.
	MaxArchiveBytes = 512 << 10
	// MaxChartBytes is the most that its files may come to.
	MaxChartBytes = 8 << 20
)

// defaultKubernetesVersion is what a chart is told where nobody says otherwise.
const defaultKubernetesVersion = "v1.30.0"

// A chart that was found to be right.
type chart struct {
	// load a fresh copy. Helm changes a chart while it renders it.
	load func() (*helmchart.Chart, error)
	// values for the chart. Without a template they are the parameters.
	values       *expr.Template
	capabilities *chartutil.Capabilities
	// kinds that the chart brings definitions for. They are the cluster's, so what was
	// meant to be installed is needed.
	kinds []string
}

func (s *scope) chart(in *v1alpha1.Chart, at string, ps *problems) *chart {
	c := &chart{load: loadFiles(in.Files)}
	switch {
	case len(in.Archive) > 0:
		sum := sha256.Sum256(in.Archive)
		if got := hex.EncodeToString(sum[:]); got != in.SHA256 {
			ps.addf(at+".sha256", "is %q, but the archive's is %s", in.SHA256, got)
			return nil
		}
		c.load = func() (*helmchart.Chart, error) { return loadArchive(in.Archive) }
	case len(in.Files) == 0:
		ps.addf(at, "has no archive and no files")
		return nil
	}
	loaded, err := c.load()
	if err != nil {
		ps.addf(at, "cannot be loaded: %v", err)
		return nil
	}
	version := in.KubernetesVersion
	if version == "" {
		version = defaultKubernetesVersion
	}
	kube, err := chartutil.ParseKubeVersion(version)
	if err != nil {
		ps.addf(at+".kubernetesVersion", "%q is no version of Kubernetes", version)
		return nil
	}
	c.capabilities = &chartutil.Capabilities{
		KubeVersion: *kube,
		APIVersions: append(slices.Clone(chartutil.DefaultVersionSet), in.APIVersions...),
		HelmVersion: chartutil.DefaultCapabilities.HelmVersion,
	}
	if in.Values != nil && len(in.Values.Raw) > 0 {
		if m := readObject(in.Values.Raw, at+".values", ps); m != nil {
			c.values = s.compile(m, at+".values", ps)
		}
	}
	c.kinds = c.check(loaded, s.parameters, at, ps)
	return c
}

// check a chart for what can be known before it is rendered. It returns the kinds that
// the chart brings definitions for.
func (c *chart) check(loaded *helmchart.Chart, p *parameters, at string, ps *problems) []string {
	if loaded.Metadata.Type == "library" {
		ps.addf(at, "chart %q is a library: it renders nothing by itself", loaded.Name())
	}
	if want := loaded.Metadata.KubeVersion; want != "" && !chartutil.IsCompatibleRange(want, c.capabilities.KubeVersion.Version) {
		ps.addf(at+".kubernetesVersion", "chart %q asks for Kubernetes %s: %s is not", loaded.Name(), want, c.capabilities.KubeVersion.Version)
	}
	for _, d := range loaded.Metadata.Dependencies {
		there := slices.ContainsFunc(loaded.Dependencies(), func(sub *helmchart.Chart) bool { return sub.Name() == d.Name || sub.Name() == d.Alias })
		if !there {
			ps.addf(at, "chart %q depends on %q, which is not in it: package it with its dependencies", loaded.Name(), d.Name)
		}
	}
	checkTemplates(loaded, p, at, ps)
	return definedKinds(loaded, at, ps)
}

func loadFiles(files map[string]string) func() (*helmchart.Chart, error) {
	return func() (*helmchart.Chart, error) {
		var all []*loader.BufferedFile
		size := 0
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if name != path.Clean(name) || path.IsAbs(name) || strings.HasPrefix(name, "..") {
				return nil, fmt.Errorf("file %q: must be a path within the chart", name)
			}
			if size += len(files[name]); size > MaxChartBytes {
				return nil, fmt.Errorf("its files are larger than %d bytes", MaxChartBytes)
			}
			all = append(all, &loader.BufferedFile{Name: name, Data: []byte(files[name])})
		}
		return loader.LoadFiles(all)
	}
}

// loadArchive unpacks at most so many bytes: a few can claim to be gigabytes.
func loadArchive(archive []byte) (*helmchart.Chart, error) {
	if len(archive) > MaxArchiveBytes {
		return nil, fmt.Errorf("archive has %d bytes: at most %d are possible", len(archive), MaxArchiveBytes)
	}
	r, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("cannot decompress: %w", err)
	}
	defer r.Close() //nolint:errcheck // Reading from memory.
	n, err := io.Copy(io.Discard, io.LimitReader(r, MaxChartBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot decompress: %w", err)
	}
	if n > MaxChartBytes {
		return nil, fmt.Errorf("its files are larger than %d bytes", MaxChartBytes)
	}
	return loader.LoadArchive(bytes.NewReader(archive))
}

// render the chart, twice: one that makes something up is refused, because each time
// would be another revision.
func (c *chart) render(in oam.Instance, vars map[string]any, left *budget) ([]unstructured.Unstructured, []string, error) {
	first, err := c.once(in, vars)
	if err != nil {
		return nil, nil, err
	}
	again, err := c.once(in, vars)
	if err != nil {
		return nil, nil, err
	}
	if !maps.Equal(first, again) {
		return nil, nil, errors.New("the chart gives another result each time it is rendered: give it the passwords or certificates that it makes up as values")
	}
	objects, err := decodeManifests(first)
	if err != nil {
		return nil, nil, err
	}
	for i := range objects {
		if err := left.spend(objects[i].Object); err != nil {
			return nil, nil, err
		}
	}
	return objects, c.kinds, nil
}

func (c *chart) once(in oam.Instance, vars map[string]any) (map[string]string, error) {
	values, _ := vars[parameterVariable].(map[string]any)
	if c.values != nil {
		var err error
		if values, err = renderObject(c.values, vars, "spec.chart.values"); err != nil {
			return nil, err
		}
	}
	loaded, err := c.load()
	if err != nil {
		return nil, fmt.Errorf("cannot load chart: %w", err)
	}
	copied := runtime.DeepCopyJSON(values)
	if err := chartutil.ProcessDependenciesWithMerge(loaded, copied); err != nil {
		return nil, fmt.Errorf("cannot resolve the chart's dependencies: %w", err)
	}
	given, err := chartutil.ToRenderValues(loaded, copied, chartutil.ReleaseOptions{
		Name: in.Component, Namespace: namespace, Revision: 1, IsInstall: true,
	}, c.capabilities)
	if err != nil {
		return nil, fmt.Errorf("values do not fit the chart: %s", firstLines(err))
	}
	// Without a client, lookups find nothing and names are not resolved.
	out, err := engine.Engine{}.Render(loaded, given)
	if err != nil {
		return nil, fmt.Errorf("the chart does not render: %s", firstLines(err))
	}
	size := 0
	for name, text := range out {
		if size += len(text); size > MaxRenderedBytes {
			return nil, fmt.Errorf("the chart renders more than %d bytes", MaxRenderedBytes)
		}
		if base := path.Base(name); strings.HasPrefix(base, "_") || base == "NOTES.txt" || strings.TrimSpace(text) == "" {
			delete(out, name)
		}
	}
	return out, nil
}

// firstLines of an error, on one line. Helm's can have pages.
func firstLines(err error) string {
	const most = 400
	s := strings.Join(strings.Fields(err.Error()), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
