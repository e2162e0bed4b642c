// Package grant says what a claim says, in one digest, and whether it may.
//
// The digest is over what people write in a claim, after defaulting, and over which claim
// it is. What Crossplane adds to a claim and to its composite is left out, so that the
// digest of a claim, of its composite, and of a trial run of the claim are one.
//
// Deliberately absent: labels and annotations, on which nothing that is rendered depends, and
// which Composition renders: there is one, and the platform installs it.
package grant

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// machinery are the fields of a claim's or a composite's spec that are Crossplane's.
var machinery = []string{
	"claimRef", "compositeDeletePolicy", "compositionRef", "compositionRevisionRef", "compositionRevisionSelector", "compositionSelector",
	"compositionUpdatePolicy", "crossplane", "environmentConfigRefs", "publishConnectionDetailsTo", "resourceRef", "resourceRefs", "writeConnectionSecretToRef",
}

// Digest of what a claim says in its spec. It fails where the spec is not JSON.
func Digest(kind, namespace, name string, spec map[string]any) (string, error) {
	spec = Said(spec)
	// Numbers of one value are written in one way, whichever type they were read as.
	raw, err := json.Marshal(spec)
	if err != nil {
		return "", fmt.Errorf("cannot read the spec of %s %s/%s: %w", kind, namespace, name, err)
	}
	var plain any
	if err := json.Unmarshal(raw, &plain); err != nil {
		return "", fmt.Errorf("cannot read the spec of %s %s/%s: %w", kind, namespace, name, err)
	}
	raw, err = json.Marshal([]any{kind, namespace, name, pruned(plain)})
	if err != nil {
		return "", fmt.Errorf("cannot read the spec of %s %s/%s: %w", kind, namespace, name, err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// Said is what people write in a claim's or a composite's spec: all but the fields that are
// Crossplane's. What it is called with stays as it is.
func Said(spec map[string]any) map[string]any {
	out := maps.Clone(spec)
	for _, f := range machinery {
		delete(out, f)
	}
	return out
}

// Machinery is what Said leaves out.
func Machinery(spec map[string]any) map[string]any {
	out := map[string]any{}
	for _, f := range machinery {
		if v, ok := spec[f]; ok {
			out[f] = v
		}
	}
	return out
}

// pruned of nulls, which the API server drops.
func pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if e != nil {
				out[k] = pruned(e)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = pruned(e)
		}
		return out
	}
	return v
}

// Name of the ClaimGrant of a claim, in the claim's namespace.
func Name(kind, name string) string { return strings.ToLower(kind) + "." + name }

// Required is true where a claim may only say what an approved change carries: because its
// namespace asks for it, or because the change that wrote it last did.
func Required(namespaceLabels map[string]string, g *v1alpha1.ClaimGrantSpec) bool {
	return namespaceLabels[v1alpha1.LabelRequireChange] == "true" || g != nil && g.Required
}

// Agreed is true where a namespace, by its annotations, takes the claims of a Repository of
// another namespace. The Repository is named <namespace>/<name>.
func Agreed(annotations map[string]string, repository string) bool {
	for r := range strings.SplitSeq(annotations[v1alpha1.AnnotationRepositories], ",") {
		if strings.TrimSpace(r) == repository {
			return true
		}
	}
	return false
}

// Hold back a Rollout that was rendered from a claim with this digest. Nil where it
// may go on.
func Hold(namespaceLabels map[string]string, g *v1alpha1.ClaimGrantSpec, digest string) *v1alpha1.RolloutHold {
	if !Required(namespaceLabels, g) {
		return nil
	}
	why := Held(g, digest)
	if why == "" {
		return nil
	}
	h := &v1alpha1.RolloutHold{Message: why, ClaimDigest: digest}
	if g != nil {
		h.Granted, h.Change = g.Digest, g.Change
	}
	return h
}

// Spent is true where a grant of a claim that is gone has nothing left to say: a change deleted the
// claim, or nobody is asked what it may say.
func Spent(namespaceLabels map[string]string, g *v1alpha1.ClaimGrantSpec) bool {
	return g.Digest == "" || !Required(namespaceLabels, g)
}

// heldBack begins all that Held says.
const heldBack = "held back: "

// IsHeld is true of a message that begins with what Held says.
func IsHeld(message string) bool { return strings.HasPrefix(message, heldBack) }

// Held says why what a claim says must not be rolled out. Empty where it may. It is
// asked where a grant is required. Without a grant nothing may.
func Held(g *v1alpha1.ClaimGrantSpec, digest string) string {
	switch {
	case g == nil:
		return heldBack + "no approved change carries this claim: open a merge request with it"
	case digest == "":
		return heldBack + "what it was rendered from is not known: the composition function is too old"
	case slices.Contains([]string{g.Digest, g.Before}, digest):
		return ""
	}
	return fmt.Sprintf(heldBack+"the claim was edited since change %s: open a merge request with what it says now, or set it back", g.Change)
}
