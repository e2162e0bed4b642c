package oam

import (
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// TestDocumentedTraits compiles everything that the page about traits shows, and finds types that
// it does not show.
func TestDocumentedTraits(t *testing.T) {
	page, err := os.ReadFile("../../docs/traits.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, block := range yamlBlock.FindAllStringSubmatch(string(page), -1) {
		app := v1alpha1.ProductApplication{}
		into, text := any(&app), block[1]
		if strings.HasPrefix(text, "- type:") {
			app.Spec.Components = []v1alpha1.Component{{Name: "web", Type: "webservice", Properties: encoded(map[string]any{"image": "a"})}}
			into = &app.Spec.Components[0].Traits
		}
		if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
			t.Errorf("cannot read:\n%s\n%v", text, err)
			continue
		}
		for _, c := range app.Spec.Components {
			for _, trait := range c.Traits {
				shown[trait.Type] = true
			}
		}
		if _, err := Compile("shop", &app.Spec); err != nil {
			t.Errorf("cannot compile:\n%s\n%v", text, err)
		}
	}
	for _, kind := range TraitTypes() {
		if !shown[kind] {
			t.Errorf("docs/traits.md does not show trait %q", kind)
		}
	}
}
