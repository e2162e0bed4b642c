package scale

import (
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/test/fleet"
)

// app is the application that is rolled out.
const app = "steady"

// A release is a version of each of some objects, which are numbered as the payload's
// are: those before 3 are Deployments, from 5 on they are ConfigMaps.
type release struct {
	versions map[int]int
	// overtaken is true where the next release begins before this one is everywhere.
	overtaken bool
}

// releases in order. The third changes one object, drops one and adds one.
var releases = []release{
	{versions: map[int]int{0: 1, 1: 1, 2: 1, 5: 1}},
	{versions: map[int]int{0: 2, 1: 2, 2: 2, 5: 2}},
	{versions: map[int]int{0: 3, 1: 2, 2: 2, 6: 3}, overtaken: true},
	{versions: map[int]int{0: 4, 1: 4, 2: 2, 6: 3}},
}

// objects of a release.
func (r release) objects() []unstructured.Unstructured {
	var out []unstructured.Unstructured
	for _, i := range slices.Sorted(maps.Keys(r.versions)) {
		out = append(out, fleet.Payload(app, r.versions[i], 10)[i])
	}
	return out
}

// name of an object, as the payload has it.
func name(i int) string { return app + "-" + strconv.Itoa(i) }
