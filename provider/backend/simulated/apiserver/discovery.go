package apiserver

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const aggregatedType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

// A discovery is what a server says of the kinds it serves, by path, as it is sent.
type discovery struct {
	plain, aggregated map[string][]byte
}

// serveDiscovery answers what is asked about kinds. It returns false for other paths.
func (c *Cluster) serveDiscovery(w http.ResponseWriter, r *http.Request, path string) bool {
	d := c.discovered()
	path = strings.TrimSuffix(path, "/")
	accept := r.Header.Get("Accept")
	if b, ok := d.aggregated[path]; ok && strings.Contains(accept, "as=APIGroupDiscoveryList") && strings.Contains(accept, "v=v2;") {
		w.Header().Set("Content-Type", aggregatedType)
		_, _ = w.Write(b)
		return true
	}
	b, ok := d.plain[path]
	if ok {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(b)
	}
	return ok
}

// discovered kinds: those that all clusters share, unless this one defines its own.
func (c *Cluster) discovered() *discovery {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.custom) == 0 {
		return &c.machinery.discovery
	}
	if c.discovery == nil {
		own := slices.Collect(maps.Values(c.custom))
		slices.SortFunc(own, func(a, b *kind) int { return strings.Compare(a.gvk.String(), b.gvk.String()) })
		d := discover(slices.Concat(c.machinery.kinds, own))
		c.discovery = &d
	}
	return c.discovery
}

func discover(kinds []*kind) discovery {
	groups := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: []metav1.APIGroup{}}
	lists := map[schema.GroupVersion]*metav1.APIResourceList{}
	core := apidiscoveryv2.APIGroupDiscoveryList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupDiscoveryList", APIVersion: "apidiscovery.k8s.io/v2"}}
	named := *core.DeepCopy()
	for _, k := range kinds {
		gv := k.gvk.GroupVersion()
		if lists[gv] == nil {
			lists[gv] = &metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: gv.String()}
			groups.Groups = withVersion(groups.Groups, gv)
		}
		lists[gv].APIResources = append(lists[gv].APIResources, resourcesOf(k)...)
		into := &named
		if gv.Group == "" {
			into = &core
		}
		into.Items = withResource(into.Items, k)
	}
	d := discovery{plain: map[string][]byte{}, aggregated: map[string][]byte{}}
	for gv, l := range lists {
		if gv.Group == "" {
			d.plain["/api/"+gv.Version] = encode(l)
			continue
		}
		d.plain["/apis/"+gv.String()] = encode(l)
	}
	for _, g := range groups.Groups {
		d.plain["/apis/"+g.Name] = encode(g)
	}
	d.plain["/api"] = encode(metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}})
	d.plain["/apis"] = encode(groups)
	d.aggregated["/api"], d.aggregated["/apis"] = encode(core), encode(named)
	return d
}

func withVersion(groups []metav1.APIGroup, gv schema.GroupVersion) []metav1.APIGroup {
	if gv.Group == "" {
		return groups
	}
	v := metav1.GroupVersionForDiscovery{GroupVersion: gv.String(), Version: gv.Version}
	for i := range groups {
		if groups[i].Name == gv.Group {
			groups[i].Versions = append(groups[i].Versions, v)
			return groups
		}
	}
	return append(groups, metav1.APIGroup{
		TypeMeta: metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"},
		Name:     gv.Group, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v,
	})
}

func resourcesOf(k *kind) []metav1.APIResource {
	r := metav1.APIResource{
		Name: k.resource, SingularName: strings.ToLower(k.gvk.Kind), Namespaced: k.namespaced,
		Kind: k.gvk.Kind, Verbs: k.verbs(), ShortNames: k.short,
	}
	out := []metav1.APIResource{r}
	if k.status {
		out = append(out, metav1.APIResource{Name: k.resource + "/status", Namespaced: k.namespaced, Kind: k.gvk.Kind, Verbs: []string{"get", "patch", "update"}})
	}
	if k.scale {
		out = append(out, metav1.APIResource{Name: k.resource + "/scale", Namespaced: k.namespaced, Group: "autoscaling", Version: "v1", Kind: "Scale", Verbs: []string{"get", "patch", "update"}})
	}
	return out
}

func withResource(items []apidiscoveryv2.APIGroupDiscovery, k *kind) []apidiscoveryv2.APIGroupDiscovery {
	i := slices.IndexFunc(items, func(g apidiscoveryv2.APIGroupDiscovery) bool { return g.Name == k.gvk.Group })
	if i < 0 {
		i = len(items)
		items = append(items, apidiscoveryv2.APIGroupDiscovery{ObjectMeta: metav1.ObjectMeta{Name: k.gvk.Group}})
	}
	g := &items[i]
	j := slices.IndexFunc(g.Versions, func(v apidiscoveryv2.APIVersionDiscovery) bool { return v.Version == k.gvk.Version })
	if j < 0 {
		j = len(g.Versions)
		g.Versions = append(g.Versions, apidiscoveryv2.APIVersionDiscovery{Version: k.gvk.Version, Freshness: apidiscoveryv2.DiscoveryFreshnessCurrent})
	}
	scope := apidiscoveryv2.ScopeCluster
	if k.namespaced {
		scope = apidiscoveryv2.ScopeNamespace
	}
	as := func(gvk schema.GroupVersionKind) *metav1.GroupVersionKind {
		return &metav1.GroupVersionKind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind}
	}
	r := apidiscoveryv2.APIResourceDiscovery{
		Resource: k.resource, ResponseKind: as(k.gvk), Scope: scope, SingularResource: strings.ToLower(k.gvk.Kind), Verbs: k.verbs(), ShortNames: k.short,
	}
	if k.status {
		r.Subresources = append(r.Subresources, apidiscoveryv2.APISubresourceDiscovery{Subresource: "status", ResponseKind: as(k.gvk), Verbs: []string{"get", "patch", "update"}})
	}
	if k.scale {
		r.Subresources = append(r.Subresources, apidiscoveryv2.APISubresourceDiscovery{Subresource: "scale", ResponseKind: &metav1.GroupVersionKind{Group: "autoscaling", Version: "v1", Kind: "Scale"}, Verbs: []string{"get", "patch", "update"}})
	}
	g.Versions[j].Resources = append(g.Versions[j].Resources, r)
	return items
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // It is made of our own types.
	}
	return b
}
