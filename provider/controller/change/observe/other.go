package observe

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
	"github.com/mainstay-dev/mainstay/provider/forge"
)

// maxManager is how long the name of a field manager is told.
const maxManager = 128

// other says who changed a claim that an engine writes, where that is being rolled out. The engine itself takes its
// time, and may be at an older commit still: that is no edit. Of an engine that is not known it cannot be told apart.
// What we write ourselves needs none of this: it carries our mark.
func (o *Observer) other(ctx context.Context, d v1alpha1.Delivery, ref v1alpha1.ClaimReference, g *v1alpha1.ClaimGrant, c change.Claim) (string, error) {
	if d.Mode != v1alpha1.DeliverBranch || !c.TakenIn || g == nil || !c.GrantedUs || carried(g, c.Digest) {
		return "", nil
	}
	// Who wrote what is not kept in the cache, which may be behind besides.
	live, err := objectFrom(ctx, o.Live, ref.APIVersion, ref.Kind, ref.Namespace, ref.Name)
	if err != nil || live == nil {
		return "", err
	}
	spec, _, _ := unstructured.NestedMap(live.Object, "spec")
	digest, err := grant.Digest(ref.Kind, ref.Namespace, ref.Name, spec)
	if err != nil || carried(g, digest) {
		return "", err
	}
	who := writer(live)
	if d.Branch == nil || who == "" || isEngine(d.Branch.Engine, who) {
		return "", nil
	}
	return forge.Cut(who, maxManager) + " changed the claim on the hub: put it back there, or open a merge request with it", nil
}

// carried is true where a change may have a claim say what it says.
func carried(g *v1alpha1.ClaimGrant, digest string) bool {
	return digest == g.Spec.Digest || digest == g.Spec.Before
}

// writer of what people say in a claim: the field manager that wrote any of it last.
func writer(u *unstructured.Unstructured) string {
	var who string
	var last time.Time
	for _, m := range u.GetManagedFields() {
		if m.Subresource != "" || m.FieldsV1 == nil || m.Time == nil || m.Time.Time.Before(last) || !ofPeople(m.FieldsV1.Raw) {
			continue
		}
		who, last = m.Manager, m.Time.Time
	}
	return who
}

// ofPeople is true where fields are among them that are not Crossplane's own.
func ofPeople(raw []byte) bool {
	var fields struct {
		Spec map[string]any `json:"f:spec"`
	}
	if json.Unmarshal(raw, &fields) != nil {
		return false
	}
	names := map[string]any{}
	for f := range fields.Spec {
		if name, ok := strings.CutPrefix(f, "f:"); ok {
			names[name] = nil
		}
	}
	return len(grant.Said(names)) > 0
}

// isEngine is true of the field managers that an engine writes as. An edit in the pages of Argo CD is an edit.
func isEngine(engine, manager string) bool {
	switch engine {
	case "argocd":
		return strings.HasPrefix(manager, "argocd-") && manager != "argocd-server"
	case "flux":
		return manager == "kustomize-controller" || manager == "helm-controller" || manager == "flux"
	}
	return true
}
