// Package claims reads what people ask for from files: what stands in a folder, or in the
// tree of a commit.
//
// A set of claims is read whole or not at all. What does not parse, is of a kind that
// nobody knows, has a field that does not exist, or is written twice is said with file and
// document, all of it at once, and nothing is made of the rest: a plan of half a change
// would take away the other half.
//
// Claims are completed as the API server does it, so that their digest is the one of the
// claim on the hub.
//
// Deliberately absent: files, Git, and which files are claims. Whoever calls has read them.
package claims

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	appsv1alpha1 "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
)

// Limits of what is read.
const (
	// MaxFileBytes is how large one file may be.
	MaxFileBytes = 4 << 20
	// MaxBytes is how large all files may be together.
	MaxBytes = 64 << 20
	// MaxDocuments is how many documents there may be.
	MaxDocuments = 10000
	// maxProblems is how many problems are spelled out.
	maxProblems = 20
)

// A Claim is what one document asks for.
type Claim struct {
	v1alpha1.ClaimReference

	// File that it is in.
	File string
	// Spec of it, completed.
	Spec map[string]any
	// Digest of what it says.
	Digest string
}

// A Set is what files ask for.
type Set struct {
	// Claims, sorted by kind, namespace and name.
	Claims []Claim
	// Definitions of component types and traits, by kind and name.
	Definitions []unstructured.Unstructured
	// Left are documents that are no claims and were left out, as <file>: <kind>/<name>.
	Left []string
}

// Options to read with.
type Options struct {
	// Namespace of claims that name none.
	Namespace string
	// Lenient leaves out documents that are no claims, instead of refusing them.
	Lenient bool
}

// An InvalidError says all that is wrong with files.
type InvalidError struct {
	// Problems, each with its file.
	Problems []string
}

// Error returns the problems, one a line.
func (e *InvalidError) Error() string {
	p := e.Problems
	if n := len(p); n > maxProblems {
		p = append(slices.Clone(p[:maxProblems]), fmt.Sprintf("and %d more", n-maxProblems))
	}
	return strings.Join(p, "\n")
}

// Read files, by their names. It returns an InvalidError where anything is wrong.
func Read(files map[string][]byte, o Options) (Set, error) {
	schemas, err := load()
	if err != nil {
		return Set{}, err
	}
	r := &reader{options: o, schemas: schemas, seen: map[string]string{}}
	total := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if total += len(files[name]); total > MaxBytes {
			return Set{}, fmt.Errorf("files come to more than %d MiB: plan a smaller folder", MaxBytes>>20)
		}
		r.file(name, files[name])
	}
	if len(r.problems) > 0 {
		return Set{}, &InvalidError{Problems: r.problems}
	}
	slices.SortFunc(r.set.Claims, func(a, b Claim) int { return Compare(a.ClaimReference, b.ClaimReference) })
	slices.SortFunc(r.set.Definitions, func(a, b unstructured.Unstructured) int {
		return cmp.Or(cmp.Compare(a.GetKind(), b.GetKind()), cmp.Compare(a.GetName(), b.GetName()))
	})
	return r.set, nil
}

// Compare claims: by kind, namespace and name.
func Compare(a, b v1alpha1.ClaimReference) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

type reader struct {
	options   Options
	schemas   *schemas
	set       Set
	documents int
	// seen says in which file something is.
	seen     map[string]string
	problems []string
}

func (r *reader) refuse(file, format string, args ...any) {
	r.problems = append(r.problems, file+": "+fmt.Sprintf(format, args...))
}

func (r *reader) file(name string, data []byte) {
	if len(data) > MaxFileBytes {
		r.refuse(name, "has %d bytes, and %d are the most: keep data out of claims", len(data), MaxFileBytes)
		return
	}
	docs, err := documents(data)
	if err != nil {
		r.refuse(name, "%v", err)
		return
	}
	for _, d := range docs {
		if r.documents++; r.documents > MaxDocuments {
			if r.documents == MaxDocuments+1 {
				r.refuse(name, "there are more than %d documents: plan a smaller folder", MaxDocuments)
			}
			return
		}
		r.document(name, d)
	}
}

// document of a file.
func (r *reader) document(file string, u *unstructured.Unstructured) {
	gvk := u.GroupVersionKind()
	what := u.GetKind() + "/" + u.GetName()
	switch {
	case u.GetKind() == "" || u.GetAPIVersion() == "":
		r.refuse(file, "a document has no apiVersion or no kind")
	case r.schemas.knows(gvk):
		if r.once(file, u) {
			r.claim(file, u)
		}
	case isDefinition(gvk):
		if r.once(file, u) {
			r.set.Definitions = append(r.set.Definitions, *u)
		}
	case r.options.Lenient:
		r.set.Left = append(r.set.Left, file+": "+what)
	case gvk.Group == appsv1alpha1.GroupVersion.Group:
		r.refuse(file, "%s: %s has no kind %s: claims are of %s", what, u.GetAPIVersion(), u.GetKind(), strings.Join(r.schemas.names(), " and "))
	default:
		r.refuse(file, "%s: %s is not an API of Mainstay: only claims are planned, keep other objects out of their folders", what, u.GetAPIVersion())
	}
}

// once is true for what has a name, and has not been read before.
func (r *reader) once(file string, u *unstructured.Unstructured) bool {
	if u.GetName() == "" {
		r.refuse(file, "a %s has no metadata.name", u.GetKind())
		return false
	}
	namespace := cmp.Or(u.GetNamespace(), r.options.Namespace)
	if isDefinition(u.GroupVersionKind()) {
		namespace = ""
	}
	key := u.GetKind() + " " + namespace + "/" + u.GetName()
	if other, known := r.seen[key]; known {
		r.refuse(file, "%s is in %s as well: a claim is written once", key, other)
		return false
	}
	r.seen[key] = file
	return true
}

func (r *reader) claim(file string, u *unstructured.Unstructured) {
	if u.GetNamespace() == "" {
		u.SetNamespace(r.options.Namespace)
	}
	if u.GetNamespace() == "" {
		r.refuse(file, "%s/%s: metadata.namespace: a claim is in a namespace", u.GetKind(), u.GetName())
		return
	}
	c, problems := r.schemas.claim(file, u)
	for _, p := range problems {
		r.refuse(file, "%s/%s: %s", u.GetKind(), u.GetName(), p)
	}
	if len(problems) == 0 {
		r.set.Claims = append(r.set.Claims, c)
	}
}

// claim that a document asks for, or what is wrong with it. The document is completed.
func (s *schemas) claim(file string, u *unstructured.Unstructured) (Claim, []string) {
	if problems := s.complete(u); len(problems) > 0 {
		return Claim{}, problems
	}
	spec, _, _ := unstructured.NestedMap(u.Object, "spec")
	digest, err := grant.Digest(u.GetKind(), u.GetNamespace(), u.GetName(), spec)
	if err != nil {
		return Claim{}, []string{err.Error()}
	}
	return Claim{
		ClaimReference: v1alpha1.ClaimReference{APIVersion: u.GetAPIVersion(), Kind: u.GetKind(), Namespace: u.GetNamespace(), Name: u.GetName()},
		File:           file, Spec: spec, Digest: digest,
	}, nil
}

// Complete one claim that was read by other means, such as from a commit. It has a namespace and a
// name. What the API server would refuse of it is returned, and then there is no claim.
// The object stays as it is.
func Complete(file string, object map[string]any) (Claim, []string, error) {
	schemas, err := load()
	if err != nil {
		return Claim{}, nil, err
	}
	u := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(object)}
	if !schemas.knows(u.GroupVersionKind()) {
		return Claim{}, []string{fmt.Sprintf("%s has no kind %s: claims are of %s", u.GetAPIVersion(), u.GetKind(), strings.Join(schemas.names(), " and "))}, nil
	}
	c, problems := schemas.claim(file, u)
	return c, problems, nil
}

func isDefinition(gvk schema.GroupVersionKind) bool {
	return gvk.GroupVersion() == appsv1alpha1.GroupVersion &&
		(gvk.Kind == appsv1alpha1.ComponentDefinitionKind || gvk.Kind == appsv1alpha1.TraitDefinitionKind)
}
