package apiserver_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/openapi"
	"k8s.io/client-go/openapi3"
)

func TestSchemas(t *testing.T) {
	w := newWorld(t)
	c := w.typed.Discovery().OpenAPIV3()
	doc, err := openapi3.NewRoot(c).GVSpec(schema.GroupVersion{Group: "apps", Version: "v1"})
	if err != nil {
		t.Fatalf("Schema of apps/v1: %v", err)
	}
	if _, ok := doc.Components.Schemas["io.k8s.api.apps.v1.Deployment"]; !ok {
		t.Errorf("The schema of apps/v1 says nothing of Deployments")
	}

	paths, err := c.Paths()
	if err != nil {
		t.Fatal(err)
	}
	for path, gv := range paths {
		// What kubectl asks for.
		if b, err := gv.Schema(openapi.ContentTypeOpenAPIV3PB); err != nil || len(b) == 0 {
			t.Errorf("Schema of %s as protobuf: %d bytes, %v", path, len(b), err)
		}
		if path == "apis/networking.k8s.io/v1alpha1" {
			t.Errorf("There is a schema of %s, which is not served", path)
		}
	}
}
