package definition

import (
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// What the page shows can be published, and renders.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/definitions.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "```yaml file=cache.yaml\n")
	text, _, _ := strings.Cut(after, "```")
	d := &v1alpha1.ComponentDefinition{}
	if err := yaml.UnmarshalStrict([]byte(text), d); err != nil {
		t.Fatal(err)
	}
	c, err := CompileComponent(d.GetName(), &d.Spec)
	if err != nil {
		t.Fatal(err)
	}
	r, err := render(t, c.Type(), "{image: x, shards: 3}")
	if err != nil || len(r.Objects) != 3 || r.Objects[2].GetName() != "jobs-2" {
		t.Errorf("want three Deployments, got %v, %v", r.Objects, err)
	}
}
