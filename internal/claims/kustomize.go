package claims

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/mainstay-dev/mainstay/internal/tree"
)

// Bounds of one build.
const (
	maxBuildFiles = 2000
	maxBuildBytes = 16 << 20
)

// fields of a kustomization that are built. The others reach out of the repository, start
// processes, or make what is no claim.
var fields = []string{
	"apiVersion", "kind", "metadata", "resources", "bases", "components", "namespace", "namePrefix", "nameSuffix", "labels", "commonLabels",
	"commonAnnotations", "patches", "patchesStrategicMerge", "patchesJson6902", "replacements", "images", "replicas", "sortOptions",
}

// names are the files that make a folder one that is built.
var names = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// kustomization of a folder, "" where it has none.
func kustomization(files tree.Files, folder string) string {
	for _, n := range names {
		if _, ok := files[path.Join(folder, n)]; ok {
			return path.Join(folder, n)
		}
	}
	return ""
}

// one build at a time: Kustomize keeps schemas in a global.
var one sync.Mutex

// build a folder with Kustomize, as documents.
func build(files tree.Files, blobs tree.Blobs, folder string) ([]document, error) {
	raw, err := built(files, blobs, folder)
	if err != nil {
		return nil, err
	}
	docs, err := documents(folder, raw)
	for i := range docs {
		docs[i].Line = 0
	}
	return docs, err
}

// built is what Kustomize makes of a folder, from the files that it names and no others.
func built(files tree.Files, blobs tree.Blobs, folder string) ([]byte, error) {
	g := gathering{files: files, blobs: blobs, fs: filesys.MakeFsInMemory(), have: map[string]bool{}}
	if err := g.folder(folder); err != nil {
		return nil, err
	}
	one.Lock()
	defer one.Unlock()
	opts := krusty.MakeDefaultOptions()
	opts.LoadRestrictions = types.LoadRestrictionsRootOnly
	opts.PluginConfig = types.DisabledPluginConfig()
	out, err := krusty.MakeKustomizer(opts).Run(g.fs, path.Join("/", folder))
	if err != nil {
		return nil, fmt.Errorf("cannot build it with Kustomize: %s", cut(strings.Join(strings.Fields(err.Error()), " ")))
	}
	raw, err := out.AsYaml()
	if err != nil {
		return nil, fmt.Errorf("cannot write what Kustomize built: %s", cut(err.Error()))
	}
	if len(raw) > maxBuildBytes {
		return nil, fmt.Errorf("its build has more than %d MiB: split it", maxBuildBytes>>20)
	}
	return raw, nil
}

// A gathering of the files that a build reads. Every reference is checked before Kustomize sees
// it, because that would look for one that it does not find on the network.
type gathering struct {
	files tree.Files
	blobs tree.Blobs
	fs    filesys.FileSystem
	have  map[string]bool
	bytes int64
}

// folder with a kustomization, and all that it names.
func (g *gathering) folder(folder string) error {
	if g.have[folder+"/"] {
		return nil
	}
	g.have[folder+"/"] = true
	name := kustomization(g.files, folder)
	if name == "" {
		return fmt.Errorf("folder %s has no kustomization.yaml: add one, or take it out of spec.forProvider.claims.kustomize", folder)
	}
	raw, err := g.file(name)
	if err != nil {
		return err
	}
	parts := split(raw)
	if len(parts) != 1 {
		return Problems{{File: name, Message: "must be one YAML document"}}
	}
	object, line, err := parse(parts[0].raw)
	if err != nil {
		return Problems{{File: name, Document: 1, Line: parts[0].line + max(line-1, 0), Message: err.Error()}}
	}
	for _, ref := range references(object) {
		if err := g.follow(folder, ref); err != nil {
			if !isProblem(err) {
				return err
			}
			if _, ok := errors.AsType[Problems](err); ok {
				return err
			}
			return Problems{{File: name, Message: err.Error()}}
		}
	}
	return nil
}

// A reference of a kustomization to a file, or also to a folder. Or why it is none.
type reference struct {
	field, path string
	folder      bool
	problem     string
}

// references of a kustomization. What is not as it should be is one with a problem.
func references(object map[string]any) []reference {
	var out []reference
	bad := func(field, problem string) {
		out = append(out, reference{field: field, problem: problem})
	}
	for _, field := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(fields, field) {
			bad(cut(field), "is not built here: write out what it makes")
			continue
		}
		list, isList := object[field].([]any)
		switch field {
		case "resources", "bases", "components", "patchesStrategicMerge":
			for i, e := range list {
				p, ok := e.(string)
				if !ok {
					bad(fmt.Sprintf("%s[%d]", field, i), "is not a path")
					continue
				}
				out = append(out, reference{field: fmt.Sprintf("%s[%d]", field, i), path: p, folder: field != "patchesStrategicMerge"})
			}
		case "patches", "patchesJson6902", "replacements":
			for i, e := range list {
				at := fmt.Sprintf("%s[%d]", field, i)
				m, ok := e.(map[string]any)
				if !ok {
					bad(at, "is no object")
				}
				for _, k := range slices.Sorted(maps.Keys(m)) {
					p, isString := m[k].(string)
					switch {
					case k == "path" && isString:
						out = append(out, reference{field: at + ".path", path: p})
					case k == "path" || !slices.Contains([]string{"patch", "target", "options", "source", "targets"}, k):
						bad(at+"."+cut(k), "is not understood")
					}
				}
			}
		default:
			isList = true
		}
		if !isList && object[field] != nil {
			bad(field, "is not a list")
		}
	}
	return out
}

// local is a path that nothing takes for an address.
var local = regexp.MustCompile(`^[A-Za-z0-9._/ +-]+$`)

// follow a reference, and take what it names.
func (g *gathering) follow(folder string, r reference) error {
	if r.problem != "" {
		return fmt.Errorf("%s %s", r.field, r.problem)
	}
	lower := strings.ToLower(r.path)
	if !local.MatchString(r.path) || strings.Contains(r.path, "//") || strings.Contains(lower, ".git") || strings.HasPrefix(lower, "github.com") {
		return fmt.Errorf("%s: %q is not a path inside the repository: copy what it names into it", r.field, cut(r.path))
	}
	p := path.Join(folder, r.path)
	if path.IsAbs(r.path) || p == ".." || strings.HasPrefix(p, "../") {
		return fmt.Errorf("%s: %q leads out of the repository", r.field, r.path)
	}
	if _, ok := g.files[p]; ok {
		if _, err := g.file(p); err != nil {
			return err
		}
		return nil
	}
	if r.folder && g.files.HasFolder(p) {
		return g.folder(p)
	}
	return fmt.Errorf("%s: %q is not in the repository", r.field, r.path)
}

// file that is taken, with its content. Symlinks are refused: a build would follow them by rules
// of its own.
func (g *gathering) file(p string) ([]byte, error) {
	f := g.files[p]
	if !f.Mode.Plain() {
		return nil, fmt.Errorf("%s is a %s, which a build does not read: put the file itself there", p, f.Mode)
	}
	raw, size, err := content(g.blobs, f.ID, p, false)
	if err != nil {
		if isProblem(err) {
			return nil, Problems{{File: p, Message: err.Error()}}
		}
		return nil, err
	}
	if !g.have[p] {
		g.have[p] = true
		if g.bytes += size; len(g.have) > maxBuildFiles || g.bytes > maxBuildBytes {
			return nil, fmt.Errorf("build reads more than %d files or %d MiB: split it", maxBuildFiles, maxBuildBytes>>20)
		}
	}
	for _, part := range split(raw) {
		if err := checkAliases(part.raw); err != nil {
			return nil, Problems{{File: p, Line: part.line, Message: "cannot parse YAML: " + cut(err.Error())}}
		}
	}
	if err := g.fs.WriteFile(path.Join("/", p), raw); err != nil {
		return nil, fmt.Errorf("cannot take %s into the build: %w", p, err)
	}
	return raw, nil
}
