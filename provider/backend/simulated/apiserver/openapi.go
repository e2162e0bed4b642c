package apiserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/openapi/openapitest"
	"k8s.io/kube-openapi/pkg/handler3"
	"k8s.io/kube-openapi/pkg/spec3"
)

const openAPIPath = "/openapi/v3"

// serveOpenAPI answers what is asked about schemas. It returns false for other paths.
// Clients need them to work out which fields of an object are theirs, or to explain a
// kind.
func (c *Cluster) serveOpenAPI(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case r.URL.Path == openAPIPath:
		c.machinery.openAPI().HandleDiscovery(w, r)
	case strings.HasPrefix(r.URL.Path, openAPIPath+"/"):
		c.machinery.openAPI().HandleGroupVersion(w, r)
	default:
		return false
	}
	return true
}

// describe the kinds that are served. The documents are those that client-go brings:
// of the groups whose kinds nearly every application has (core, apps, batch), not of
// all. A client that looks for another finds nothing, as it does of a kind that has no
// schema.
//
// They are megabytes, and take a second to prepare: this is done for the first who asks.
func describe(kinds []*kind) *handler3.OpenAPIService {
	served := map[string]bool{}
	for _, k := range kinds {
		served[openAPIOf(k.gvk.GroupVersion())] = true
	}
	paths, err := openapitest.NewEmbeddedFileClient().Paths()
	if err != nil {
		panic(err) // It is part of this program.
	}
	out := handler3.NewOpenAPIService()
	for path, gv := range paths {
		if !served[path] {
			continue
		}
		document := &spec3.OpenAPI{}
		raw, err := gv.Schema("application/json")
		if err == nil {
			err = json.Unmarshal(raw, document)
		}
		if err != nil {
			panic(fmt.Errorf("cannot read the schema of %s: %w", path, err)) // It is part of this program.
		}
		out.UpdateGroupVersion(path, document)
	}
	return out
}

// openAPIOf is how the document of a group's version is named.
func openAPIOf(gv schema.GroupVersion) string {
	if gv.Group == "" {
		return "api/" + gv.Version
	}
	return "apis/" + gv.String()
}
