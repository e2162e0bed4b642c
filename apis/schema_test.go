package apis

import (
	"testing"

	"github.com/mainstay-dev/mainstay/test/schema"
)

func TestRulesCompile(t *testing.T) {
	s, err := schema.Load("..")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(s.Kinds()), 13; got != want {
		t.Errorf("len(Kinds()): want %d, got %d: %v", want, got, s.Kinds())
	}
	if err := s.Compile(); err != nil {
		t.Error(err)
	}
}
