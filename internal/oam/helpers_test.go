package oam

import (
	"errors"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// spec reads a specification from YAML, as admission would hand it on.
func spec(t *testing.T, text string) *v1alpha1.ProductApplicationSpec {
	t.Helper()
	s := &v1alpha1.ProductApplicationSpec{}
	if err := yaml.UnmarshalStrict([]byte(text), s); err != nil {
		t.Fatalf("cannot read specification: %v\n%s", err, text)
	}
	return s
}

// problemsOf returns what Compile finds wrong, one string a problem.
func problemsOf(t *testing.T, name string, s *v1alpha1.ProductApplicationSpec, options ...Option) []string {
	t.Helper()
	_, err := Compile(name, s, options...)
	if err == nil {
		return nil
	}
	var invalid *InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("Compile(...): want an InvalidError, got %T: %v", err, err)
	}
	out := make([]string, 0, len(invalid.Problems))
	for _, p := range invalid.Problems {
		out = append(out, p.String())
	}
	return out
}
