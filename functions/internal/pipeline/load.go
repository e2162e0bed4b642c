package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"

	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/mainstay-dev/mainstay/internal/change/grant"
)

// A Claim is the claim that a composite stands for.
type Claim struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`

	// Digest of what the claim says, by which the changes that may say it are known.
	Digest string `json:"-"`
}

// ErrNoClaim says that a composite was written directly.
var ErrNoClaim = errors.New("spec.claimRef: this composite belongs to no claim: delete it and write a claim in a namespace instead")

// ClaimOf returns the claim of the observed composite. It returns ErrNoClaim where
// there is none.
func ClaimOf(req *fnv1.RunFunctionRequest) (Claim, error) {
	xr := struct {
		Spec struct {
			ClaimRef Claim `json:"claimRef"`
		} `json:"spec"`
	}{}
	if err := Composite(req, &xr); err != nil {
		return Claim{}, err
	}
	c := xr.Spec.ClaimRef
	if c.Name == "" || c.Namespace == "" {
		return Claim{}, ErrNoClaim
	}
	whole := struct {
		Spec map[string]any `json:"spec"`
	}{}
	if err := Composite(req, &whole); err != nil {
		return Claim{}, err
	}
	digest, err := grant.Digest(c.Kind, c.Namespace, c.Name, whole.Spec)
	c.Digest = digest
	return c, err
}

// Composite loads the observed composite. Fields that the value does not have, such
// as those of Crossplane's own machinery, are left out.
func Composite(req *fnv1.RunFunctionRequest, into any) error {
	if err := decode(req.GetObserved().GetComposite().GetResource(), into); err != nil {
		return fmt.Errorf("cannot load composite: %w", err)
	}
	return nil
}

// Observed loads the observed composed resources of one kind, by their name in the
// pipeline.
func Observed[T any](req *fnv1.RunFunctionRequest, apiVersion, kind string) (map[string]*T, error) {
	out := map[string]*T{}
	for name, r := range req.GetObserved().GetResources() {
		if !isKind(r.GetResource(), apiVersion, kind) {
			continue
		}
		v := new(T)
		if err := decode(r.GetResource(), v); err != nil {
			return nil, fmt.Errorf("cannot load composed resource %q: %w", name, err)
		}
		out[name] = v
	}
	return out, nil
}

func isKind(s *structpb.Struct, apiVersion, kind string) bool {
	f := s.GetFields()
	return f["apiVersion"].GetStringValue() == apiVersion && f["kind"].GetStringValue() == kind
}

func decode(s *structpb.Struct, into any) error {
	b, err := s.MarshalJSON()
	if err != nil {
		return fmt.Errorf("cannot encode as JSON: %w", err)
	}
	return json.Unmarshal(b, into)
}
