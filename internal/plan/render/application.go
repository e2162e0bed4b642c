package render

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	appsv1alpha1 "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/definition"
	"github.com/mainstay-dev/mainstay/internal/placement"
	"github.com/mainstay-dev/mainstay/internal/plan"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
)

// application renders the Bundles and the Rollout of an application. The function is asked
// twice where clusters need variants, as it is on a hub: once its Rollout says which.
func (p *Pipeline) application(ctx context.Context, in Input, c claims.Claim, types map[Selector]map[string]any, inventory []v1alpha1.Cluster) (plan.Rendered, error) {
	out := plan.Rendered{Claim: c}
	find := func(s Selector) ([]map[string]any, error) {
		if found, ok := types[s]; ok {
			return []map[string]any{found}, nil
		}
		return in.find(s)
	}
	req := Request{Composite: composite(ProductApplication, c, in.Statuses[c.ClaimReference]), Find: find}
	rsp, err := p.run(ctx, ProductApplication, req)
	if err != nil || rsp.Refused != "" {
		out.Problem = rsp.Refused
		return out, err
	}
	if err := take(&out, rsp); err != nil {
		return out, err
	}
	if len(inventory) == 0 && !in.Complete {
		out.Unknown = true
		return out, nil
	}
	targets, err := placement.Resolve(c.Namespace, out.Rollout.Spec.ForProvider.Placement, inventory)
	if err != nil {
		out.Blocked = err.Error()
		return out, nil
	}
	out.Targets = targets
	if !slices.ContainsFunc(targets, func(t placement.Target) bool { return len(t.Overrides) > 0 }) {
		return out, nil
	}
	name, rollout := rolloutOf(rsp)
	rollout["status"] = map[string]any{"atProvider": map[string]any{"variants": variants(targets)}}
	req.Composed = map[string]map[string]any{name: rollout}
	if rsp, err = p.run(ctx, ProductApplication, req); err != nil || rsp.Refused != "" {
		out.Problem = rsp.Refused
		return out, err
	}
	return out, take(&out, rsp)
}

// variants that clusters need, the simplest first, as a Rollout's status has them.
func variants(targets []placement.Target) []any {
	seen := map[string][]string{}
	for _, t := range targets {
		seen[strings.Join(t.Overrides, "\x00")] = t.Overrides
	}
	all := make([][]string, 0, len(seen))
	for _, o := range seen {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b []string) int { return cmp.Or(cmp.Compare(len(a), len(b)), slices.Compare(a, b)) })
	out := make([]any, 0, len(all))
	for _, o := range all {
		need := map[string]any{}
		if len(o) > 0 {
			need["overrides"] = o
		}
		out = append(out, need)
	}
	return out
}

func rolloutOf(rsp Response) (string, map[string]any) {
	for name, r := range rsp.Composed {
		if r["kind"] == v1alpha1.RolloutGVK.Kind {
			return name, r
		}
	}
	return "", nil
}

// take what the function desires.
func take(out *plan.Rendered, rsp Response) error {
	out.Rollout, out.Contents = nil, map[string]bundle.Content{}
	all := map[string]*v1alpha1.Bundle{}
	for _, r := range rsp.Composed {
		switch r["kind"] {
		case v1alpha1.RolloutGVK.Kind:
			out.Rollout = &v1alpha1.Rollout{}
			if err := decode(r, out.Rollout); err != nil {
				return err
			}
		case v1alpha1.BundleGVK.Kind:
			b := &v1alpha1.Bundle{}
			if err := decode(r, b); err != nil {
				return err
			}
			all[b.GetName()] = b
		}
	}
	if out.Rollout == nil {
		return fmt.Errorf("function for %s composes no Rollout", ProductApplication)
	}
	for _, v := range out.Rollout.Spec.ForProvider.Variants {
		b := all[v.Bundle]
		if b == nil {
			return fmt.Errorf("function for %s composes no Bundle %q", ProductApplication, v.Bundle)
		}
		content, err := bundle.Open(b, func(name string) (*v1alpha1.Bundle, error) {
			if part := all[name]; part != nil {
				return part, nil
			}
			return nil, fmt.Errorf("there is no Bundle %q", name)
		})
		if err != nil {
			return err
		}
		out.Contents[v.Bundle] = content
	}
	return nil
}

// published definitions, as they are on a hub once they are. It returns what is wrong with
// them, too.
func published(definitions []unstructured.Unstructured, hub Find) (map[Selector]map[string]any, []string, error) {
	out := map[Selector]map[string]any{}
	var problems []string
	for i := range definitions {
		d := &definitions[i]
		rev, err := sealed(d)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s %q: %v", d.GetKind(), d.GetName(), err))
			continue
		}
		raw := map[string]any{}
		encoded, err := json.Marshal(rev)
		if err == nil {
			err = json.Unmarshal(encoded, &raw)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("cannot encode %s %q: %w", d.GetKind(), d.GetName(), err)
		}
		apiVersion := appsv1alpha1.GroupVersion.String()
		out[Selector{APIVersion: apiVersion, Kind: appsv1alpha1.DefinitionRevisionKind, Name: rev.GetName()}] = raw
		self := Selector{APIVersion: apiVersion, Kind: d.GetKind(), Name: d.GetName()}
		versions := []any{map[string]any{"version": rev.Spec.Version, "revision": rev.GetName()}}
		there, err := hub(self)
		if err != nil {
			return nil, nil, err
		}
		if len(there) > 0 {
			// What was published before stays.
			had, _, _ := unstructured.NestedSlice(there[0], "status", "versions")
			for _, v := range had {
				if m, _ := v.(map[string]any); m["version"] != rev.Spec.Version {
					versions = append(versions, v)
				}
			}
		}
		whole := d.DeepCopy().Object
		whole["status"] = map[string]any{"versions": versions}
		out[self] = whole
	}
	return out, problems, nil
}

func sealed(d *unstructured.Unstructured) (*appsv1alpha1.DefinitionRevision, error) {
	if d.GetKind() == appsv1alpha1.TraitDefinitionKind {
		t := &appsv1alpha1.TraitDefinition{}
		if err := decode(d.Object, t); err != nil {
			return nil, err
		}
		if _, err := definition.CompileTrait(t.GetName(), &t.Spec); err != nil {
			return nil, err
		}
		return definition.Seal(t.GetName(), &t.Spec)
	}
	c := &appsv1alpha1.ComponentDefinition{}
	if err := decode(d.Object, c); err != nil {
		return nil, err
	}
	if c.Spec.Chart != nil && len(c.Spec.Chart.Archive) == 0 {
		return nil, fmt.Errorf("spec.chart.oci: a chart is not fetched to plan: publish the definition first, and leave it out of the folder")
	}
	if _, err := definition.CompileComponent(c.GetName(), &c.Spec); err != nil {
		return nil, err
	}
	return definition.Seal(c.GetName(), &c.Spec)
}

// fingerprint of what applications are rendered among.
func fingerprint(inventory []v1alpha1.Cluster, definitions []unstructured.Unstructured, complete bool) (string, error) {
	sum := sha256.New()
	encode := json.NewEncoder(sum)
	_ = encode.Encode(complete) // A hash takes everything.
	for i := range inventory {
		c := &inventory[i]
		p := c.Spec.ForProvider
		if err := encode.Encode([]any{c.GetNamespace(), c.GetName(), p.Fleet, p.Name, p.Labels, p.Tenants, c.GetDeletionTimestamp() != nil}); err != nil {
			return "", fmt.Errorf("cannot read cluster %q: %w", c.GetName(), err)
		}
	}
	for i := range definitions {
		if err := encode.Encode(definitions[i].Object); err != nil {
			return "", fmt.Errorf("cannot read %s %q: %w", definitions[i].GetKind(), definitions[i].GetName(), err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
