package definition

import (
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

// checkVersion finds versions that are none, or that no name could hold.
func checkVersion(version string, ps *problems) {
	v, err := semver.StrictNewVersion(version)
	switch {
	case err != nil:
		ps.addf("spec.version", "%q is no semantic version: write one such as 1.4.0", version)
	case v.Metadata() != "":
		ps.addf("spec.version", "%q has build metadata, by which versions are not told apart: leave out +%s", version, v.Metadata())
	}
}

// Resolve a reference to a type, such as flink, flink@^1, flink@1.2.x or flink@1.2.3,
// to the newest published version that fits. A release candidate is taken only where the
// reference asks for one. A version that was withdrawn is taken only where the
// application has it already: pinned are those that it has.
func Resolve(reference string, published []v1alpha1.PublishedVersion, pinned []string) (v1alpha1.PublishedVersion, error) {
	name, want, _ := strings.Cut(reference, "@")
	fits, err := fitting(name, want, reference)
	if err != nil {
		return v1alpha1.PublishedVersion{}, err
	}
	var best *semver.Version
	var found v1alpha1.PublishedVersion
	withdrawn := ""
	for _, p := range published {
		v, err := semver.StrictNewVersion(p.Version)
		if err != nil || !fits(v) {
			continue
		}
		if p.Withdrawn && !slices.Contains(pinned, p.Version) {
			withdrawn = p.Version
			continue
		}
		if best == nil || v.GreaterThan(best) {
			best, found = v, p
		}
	}
	switch {
	case best != nil:
		return found, nil
	case withdrawn != "":
		return found, fmt.Errorf("version %s of definition %q is withdrawn: there are %s", withdrawn, name, offered(published))
	case len(published) == 0:
		return found, fmt.Errorf("definition %q has no published version: see its condition %s", name, v1alpha1.ConditionPublished)
	case want == "":
		return found, fmt.Errorf("definition %q has no released version: name one of %s", name, offered(published))
	}
	return found, fmt.Errorf("definition %q has no version %s: there are %s", name, want, offered(published))
}

// fitting returns what a reference asks of a version.
func fitting(name, want, reference string) (func(*semver.Version) bool, error) {
	if exact, err := semver.StrictNewVersion(strings.TrimPrefix(want, "v")); err == nil {
		return exact.Equal, nil
	}
	if want == "" && strings.Contains(reference, "@") {
		return nil, fmt.Errorf("%q names no version: write %s, %s@1.2.3 or %s@^1", reference, name, name, name)
	}
	if want == "" {
		want = "*"
	}
	c, err := semver.NewConstraint(want)
	if err != nil {
		return nil, fmt.Errorf("%q is no version and no range of versions: write %s@1.2.3, %s@1.2.x or %s@^1", want, name, name, name)
	}
	return c.Check, nil
}

// offered versions, the newest first.
func offered(published []v1alpha1.PublishedVersion) string {
	const most = 10
	var versions []*semver.Version
	for _, p := range published {
		if v, err := semver.StrictNewVersion(p.Version); err == nil && !p.Withdrawn {
			versions = append(versions, v)
		}
	}
	slices.SortFunc(versions, func(a, b *semver.Version) int { return b.Compare(a) })
	out := make([]string, 0, most)
	for _, v := range versions[:min(most, len(versions))] {
		out = append(out, v.String())
	}
	if len(out) == 0 {
		return "none"
	}
	if more := len(versions) - most; more > 0 {
		out = append(out, fmt.Sprintf("%d older ones", more))
	}
	return strings.Join(out, ", ")
}

// Newer is true where version a comes after b.
func Newer(a, b string) bool {
	x, errX := semver.StrictNewVersion(a)
	y, errY := semver.StrictNewVersion(b)
	return errX == nil && errY == nil && x.GreaterThan(y)
}

// RevisionName of a version of a definition. Component and trait types have names of
// their own, and so do their revisions.
func RevisionName(kind, name, version string) string {
	prefix := "component"
	if kind == v1alpha1.TraitDefinitionKind {
		prefix = "trait"
	}
	return prefix + "." + name + "-v" + version
}

// typeName is the definition in a reference.
func typeName(reference string) string { return oam.TypeName(reference) }
