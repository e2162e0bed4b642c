package oam

import (
	"os"
	"regexp"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestDocumented compiles every application in the documentation of workflows.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/workflow.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlock.FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 3 {
		t.Fatalf("found only %d examples", len(blocks))
	}
	for _, b := range blocks {
		app := struct {
			metav1.TypeMeta   `json:",inline"`
			metav1.ObjectMeta `json:"metadata"`

			Spec v1alpha1.ProductApplicationSpec `json:"spec"`
		}{}
		if err := yaml.UnmarshalStrict([]byte(b[1]), &app); err != nil {
			t.Errorf("cannot read example: %v\n%s", err, b[1])
			continue
		}
		if _, err := Compile(app.Name, &app.Spec, WithNamespace(app.Namespace)); err != nil {
			t.Errorf("Compile(...): %v\n%s", err, b[1])
		}
	}
}
