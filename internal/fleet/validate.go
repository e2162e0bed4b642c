package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bind"
)

// reserved is the prefix of the labels and taints that Mainstay writes itself.
const reserved = "mainstay.dev/"

// Validate what the schema of a ClusterFleet cannot express. The error is an
// InvalidError.
func Validate(name string, s *v1alpha1.ClusterFleetSpec) error {
	var ps problems
	ps.dnsLabel("metadata.name", name, v1alpha1.MaxFleetNameLength)
	ps.resourceName("spec.providerConfigRef.name", s.ProviderConfigRef.Name)
	for i := range s.Clusters {
		ps.cluster(fmt.Sprintf("spec.clusters[%d]", i), &s.Clusters[i])
	}
	for i := range s.Generate {
		ps.generator(fmt.Sprintf("spec.generate[%d]", i), &s.Generate[i])
	}
	for i := range s.NodePools {
		ps.nodePool(fmt.Sprintf("spec.nodePools[%d]", i), &s.NodePools[i])
	}
	for i := range s.Tenants {
		ps.tenant(fmt.Sprintf("spec.tenants[%d]", i), &s.Tenants[i])
	}
	return ps.err()
}

// maxClusterName is what is left of a name of 63 characters for the labels and
// objects that a cluster's name becomes a part of. The schema says it too.
const maxClusterName = 45

func (ps *problems) cluster(field string, c *v1alpha1.FleetCluster) {
	ps.dnsLabel(field+".name", c.Name, maxClusterName)
	if region, ok := c.Labels[mv1alpha1.ClusterLabelRegion]; ok && string(region) != c.Region {
		ps.addf(field+`.labels["region"]`, "is %q, and region is %q: this label is always the region, so remove it", region, c.Region)
	}
	ps.labels(field+".labels", c.Labels)
	ps.facts(field+".facts", c.Facts)
	if r := c.KubeconfigSecretRef; r != nil {
		ps.resourceName(field+".kubeconfigSecretRef.name", r.Name)
		ps.secretKey(field+".kubeconfigSecretRef.key", r.Key)
	}
}

func (ps *problems) generator(field string, g *v1alpha1.ClusterGenerator) {
	for j, region := range g.Regions {
		longest := fmt.Sprintf("%s-%s-%d", g.Prefix, region, g.Count)
		ps.dnsLabel(fmt.Sprintf("%s.regions[%d]", field, j), longest, maxClusterName)
	}
	if _, ok := g.Labels[mv1alpha1.ClusterLabelRegion]; ok {
		ps.addf(field+`.labels["region"]`, "each cluster has this label from spec.generate[].regions: remove it")
	}
	ps.labels(field+".labels", g.Labels)
	ps.facts(field+".facts", g.Facts)
}

func (ps *problems) nodePool(field string, p *v1alpha1.FleetNodePool) {
	ps.labels(field+".labels", p.Labels)
	seen := map[string]bool{}
	for i, t := range p.Taints {
		at := fmt.Sprintf("%s.taints[%d]", field, i)
		ps.labelKey(at+".key", t.Key)
		if k := t.Key + ":" + string(t.Effect); seen[k] {
			ps.addf(at, "key %q comes twice with effect %s: remove one", t.Key, t.Effect)
		} else {
			seen[k] = true
		}
	}
}

func (ps *problems) tenant(field string, t *mv1alpha1.Tenant) {
	for _, n := range t.Namespaces() {
		if n == "default" || strings.HasPrefix(n, "kube-") {
			ps.addf(field+".targetNamespaces", "tenant %q would deploy into namespace %q, which no tenant may: name other target namespaces", t.Namespace, n)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(t.Quota)) {
		at := fmt.Sprintf("%s.quota[%q]", field, k)
		if !ps.plain(at, k) {
			continue
		}
		if errs := validation.IsQualifiedName(k); len(errs) > 0 {
			ps.addf(at, "is not the name of a resource: %s", errs[0])
		}
		if q := t.Quota[k]; q.Sign() < 0 {
			ps.addf(at, "is %s: a quota cannot be negative", q.String())
		}
	}
}

func (ps *problems) labels(field string, labels map[string]mv1alpha1.LabelValue) {
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		at := fmt.Sprintf("%s[%q]", field, k)
		ps.labelKey(at, k)
		if v := string(labels[k]); ps.plain(at, v) {
			if errs := validation.IsValidLabelValue(v); len(errs) > 0 {
				ps.addf(at, "%q is not a label value: %s", v, errs[0])
			}
		}
	}
}

// maxFact is the most bytes that a fact has.
const maxFact = 512

// facts become variables of expressions, and their values parts of manifests.
func (ps *problems) facts(field string, facts map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(facts)) {
		at := fmt.Sprintf("%s[%q]", field, k)
		switch {
		case bind.IsOwn(k):
			ps.addf(at, "every cluster has the fact %q already: choose another name", k)
		case !bind.IsName(k):
			ps.addf(at, "%q is not a name of a fact: it begins with a letter and has letters, digits and _ only, and at most %d of them", k, bind.MaxName)
		}
		if v := facts[k]; ps.plain(at, v) && len(v) > maxFact {
			ps.addf(at, "has %d bytes: a fact has at most %d", len(v), maxFact)
		}
	}
}

func (ps *problems) labelKey(field, key string) {
	if !ps.plain(field, key) {
		return
	}
	if errs := validation.IsQualifiedName(key); len(errs) > 0 {
		ps.addf(field, "%q is not a valid key: %s", key, errs[0])
	}
	// Whether its nodes can be taken away is for the owner of a pool to say.
	if strings.HasPrefix(key, reserved) && key != mv1alpha1.LabelSpot {
		ps.addf(field, "keys that begin with %s are Mainstay's own: choose another", reserved)
	}
}

func (ps *problems) dnsLabel(field, name string, longest int) {
	if !ps.plain(field, name) {
		return
	}
	if len(name) > longest {
		ps.addf(field, "%q has %d characters, and at most %d are possible", name, len(name), longest)
		return
	}
	if errs := validation.IsDNS1123Label(name); len(errs) > 0 {
		ps.addf(field, "%q is not a DNS label: use lower-case letters, digits and '-'", name)
	}
}

func (ps *problems) resourceName(field, name string) {
	if !ps.plain(field, name) {
		return
	}
	if errs := validation.IsDNS1123Subdomain(name); len(errs) > 0 {
		ps.addf(field, "%q is not the name of a resource: use lower-case letters, digits, '-' and '.'", name)
	}
}

func (ps *problems) secretKey(field, key string) {
	if !ps.plain(field, key) {
		return
	}
	if errs := validation.IsConfigMapKey(key); len(errs) > 0 {
		ps.addf(field, "%q is not the key of a Secret: use letters, digits, '-', '_' and '.'", key)
	}
}

// plain returns true where a string has no control character and no expression.
func (ps *problems) plain(field, s string) bool {
	if i := strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
		ps.addf(field, "has a control character at position %d: remove it", i)
		return false
	}
	if i := strings.Index(s, "${"); i >= 0 {
		ps.addf(field, "has ${ at position %d: expressions are not supported in a fleet", i)
		return false
	}
	return true
}
