// Package policy has the admission policies of the hub, and the roles that they are made
// for. Crossplane's packages cannot carry them.
package policy

import (
	"bytes"
	_ "embed" // The policies are files, so that they can be applied without the command.
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

var (
	//go:embed change-commands.yaml
	changeCommands []byte
	//go:embed claim-deletions.yaml
	claimDeletions []byte
)

// Objects to apply to a hub.
func Objects() ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for _, file := range [][]byte{changeCommands, claimDeletions} {
		objects, err := read(file)
		if err != nil {
			return nil, err
		}
		out = append(out, objects...)
	}
	return out, nil
}

func read(file []byte) ([]*unstructured.Unstructured, error) {
	d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(file), 4096)
	var out []*unstructured.Unstructured
	for {
		o := &unstructured.Unstructured{}
		err := d.Decode(o)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read policies: %w", err)
		}
		if len(o.Object) > 0 {
			out = append(out, o)
		}
	}
}
