package xpkg

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/spf13/afero"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	rxpkg "github.com/crossplane/crossplane-runtime/v2/pkg/xpkg"
)

// Names in a staged folder. The Crossplane command expects the same.
const (
	stagedMeta     = rxpkg.MetaFile
	stagedExamples = "examples"
)

// Stage copies the files of a package from the source tree into an empty
// filesystem, and nothing else: a tree that holds more YAML than the package
// cannot be built. References to other packages of Mainstay are rewritten to the
// registry and version.
func Stage(source, staged afero.Fs, p Package, registry, version string) error {
	for dir, pick := range contents(p) {
		if err := copyMatching(source, staged, dir, pick); err != nil {
			return fmt.Errorf("cannot stage %s: %w", p.Name, err)
		}
	}

	meta, err := afero.ReadFile(source, p.Meta)
	if err != nil {
		return fmt.Errorf("cannot read metadata of %s: %w", p.Name, err)
	}
	if err := afero.WriteFile(staged, stagedMeta, meta, 0o644); err != nil {
		return fmt.Errorf("cannot stage metadata of %s: %w", p.Name, err)
	}

	if p.Kind != KindConfiguration {
		return nil
	}
	return rewrite(staged, registry, version)
}

// contents are the folders of a package with what to pick from them. The
// metadata is not among them.
func contents(p Package) map[string]func(path string) bool {
	switch p.Kind {
	case KindConfiguration:
		return map[string]func(string) bool{
			"apis": func(file string) bool {
				return slices.Contains([]string{"definition.yaml", "composition.yaml", "activation.yaml"}, path.Base(file))
			},
			stagedExamples: isYAML,
		}
	case KindProvider:
		return map[string]func(string) bool{path.Join(path.Dir(p.Meta), "crds"): isYAML}
	default:
		return nil
	}
}

func isYAML(file string) bool { return path.Ext(file) == ".yaml" }

// copyMatching copies the files below a folder that are picked. That there is no
// such folder is no error: packages may do without examples.
func copyMatching(source, staged afero.Fs, dir string, pick func(path string) bool) error {
	if ok, err := afero.DirExists(source, dir); err != nil || !ok {
		return err
	}
	return afero.Walk(source, dir, func(file string, info fs.FileInfo, err error) error {
		if err != nil {
			return err
		}
		if info.IsDir() || !pick(file) {
			return nil
		}
		content, err := afero.ReadFile(source, file)
		if err != nil {
			return err
		}
		if err := staged.MkdirAll(path.Dir(file), 0o755); err != nil {
			return err
		}
		return afero.WriteFile(staged, file, content, 0o644)
	})
}

// rewrite points a staged Configuration at a registry and version: its
// dependencies, and where the registry's path is another one, the functions
// that its Compositions name.
func rewrite(staged afero.Fs, registry, version string) error {
	functions := map[string]string{}
	for _, p := range Packages() {
		functions[p.InstalledName(DefaultRegistry)] = p.InstalledName(registry)
	}

	return afero.Walk(staged, ".", func(file string, info fs.FileInfo, err error) error {
		if err != nil {
			return err
		}
		change := func(*unstructured.Unstructured) bool { return false }
		switch {
		case info.IsDir():
			return nil
		case file == stagedMeta:
			change = func(u *unstructured.Unstructured) bool { return rewriteDependencies(u, registry, version) }
		case path.Base(file) == "composition.yaml":
			change = func(u *unstructured.Unstructured) bool { return rewriteFunctions(u, functions) }
		}
		if err := edit(staged, file, change); err != nil {
			return fmt.Errorf("cannot rewrite %s: %w", file, err)
		}
		return nil
	})
}

// edit changes every object in a file. The file is left as it is, comments and
// all, where no object is changed.
func edit(staged afero.Fs, file string, change func(*unstructured.Unstructured) bool) error {
	content, err := afero.ReadFile(staged, file)
	if err != nil {
		return err
	}
	changed := false
	documents := bytes.Split(content, []byte("\n---\n"))
	for i, document := range documents {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(document, u); err != nil {
			return err
		}
		if !change(u) {
			continue
		}
		changed = true
		if documents[i], err = yaml.Marshal(u); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	return afero.WriteFile(staged, file, bytes.Join(documents, []byte("\n---\n")), 0o644)
}

// rewriteDependencies replaces registry and version of the dependencies that
// are packages of Mainstay. It returns whether it changed anything.
func rewriteDependencies(u *unstructured.Unstructured, registry, version string) bool {
	dependencies, _, _ := unstructured.NestedSlice(u.Object, "spec", "dependsOn")
	changed := false
	for _, d := range dependencies {
		dependency, ok := d.(map[string]any)
		if !ok {
			continue
		}
		image, _ := dependency["package"].(string)
		repository, ours := strings.CutPrefix(image, DefaultRegistry+"/")
		if !ours {
			continue
		}
		wanted := registry + "/" + repository
		if image == wanted && dependency["version"] == version {
			continue
		}
		dependency["package"], dependency["version"] = wanted, version
		changed = true
	}
	if changed {
		_ = unstructured.SetNestedSlice(u.Object, dependencies, "spec", "dependsOn")
	}
	return changed
}

// rewriteFunctions renames the functions that a Composition calls. It returns
// whether it changed anything.
func rewriteFunctions(u *unstructured.Unstructured, names map[string]string) bool {
	pipeline, _, _ := unstructured.NestedSlice(u.Object, "spec", "pipeline")
	changed := false
	for _, s := range pipeline {
		step, ok := s.(map[string]any)
		if !ok {
			continue
		}
		called, _, _ := unstructured.NestedString(step, "functionRef", "name")
		wanted, known := names[called]
		if !known || wanted == called {
			continue
		}
		_ = unstructured.SetNestedField(step, wanted, "functionRef", "name")
		changed = true
	}
	if changed {
		_ = unstructured.SetNestedSlice(u.Object, pipeline, "spec", "pipeline")
	}
	return changed
}
