package change

import "testing"

func TestMark(t *testing.T) {
	cases := map[string]struct {
		annotation string
		name       string
		epoch      int64
	}{
		"Ours":     {annotation: Mark("ops/claims-41", 7), name: "ops/claims-41", epoch: 7},
		"Dots":     {annotation: Mark("ops/claims.v2-41", 12), name: "ops/claims.v2-41", epoch: 12},
		"Nothing":  {},
		"NoEpoch":  {annotation: "ops/claims-41"},
		"NoNumber": {annotation: "ops/claims-41.x"},
		"Zero":     {annotation: "ops/claims-41.0"},
		"NoName":   {annotation: "claims-41.3"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if n, e := ReadMark(tc.annotation); n != tc.name || e != tc.epoch || Writer(tc.annotation) != tc.name {
				t.Errorf("%q: got %q, %d", tc.annotation, n, e)
			}
		})
	}
}
