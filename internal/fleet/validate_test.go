package fleet

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

type labels = map[string]mv1alpha1.LabelValue

func TestValidate(t *testing.T) {
	cases := map[string]struct {
		reason string
		name   string
		change func(s *v1alpha1.ClusterFleetSpec)
		want   []string
	}{
		"Fine": {reason: "Nothing is wrong."},
		"LongName": {
			reason: "Names of resources are made of the fleet's name.",
			name:   strings.Repeat("a", 41),
			want:   []string{`metadata.name: "` + strings.Repeat("a", 41) + `" has 41 characters, and at most 40 are possible`},
		},
		"DottedName": {
			reason: "Dots join the parts of names.",
			name:   "a.b",
			want:   []string{`metadata.name: "a.b" is not a DNS label: use lower-case letters, digits and '-'`},
		},
		"ClusterName": {
			reason: "The schema says it too; a function does not rely on it.",
			change: func(s *v1alpha1.ClusterFleetSpec) { s.Clusters[0].Name = "Eu_1" },
			want:   []string{`spec.clusters[0].name: "Eu_1" is not a DNS label: use lower-case letters, digits and '-'`},
		},
		"ControlCharacter": {
			reason: "Control characters are refused wherever the schema lets them through.",
			change: func(s *v1alpha1.ClusterFleetSpec) {
				s.ProviderConfigRef.Name = "a\x07"
				s.Clusters[0].Labels = labels{"a\nb": "x"}
				s.Clusters[0].KubeconfigSecretRef = &mv1alpha1.SecretKeySelector{Name: "a\tb", Key: "\x7f"}
				s.NodePools[0].Taints = []mv1alpha1.Taint{{Key: "k\x00", Effect: corev1.TaintEffectNoSchedule}}
			},
			want: []string{
				`spec.providerConfigRef.name: has a control character at position 1: remove it`,
				`spec.clusters[0].labels["a\nb"]: has a control character at position 1: remove it`,
				`spec.clusters[0].kubeconfigSecretRef.name: has a control character at position 1: remove it`,
				`spec.clusters[0].kubeconfigSecretRef.key: has a control character at position 0: remove it`,
				`spec.nodePools[0].taints[0].key: has a control character at position 1: remove it`,
			},
		},
		"Expression": {
			reason: "Expressions have no meaning in a fleet.",
			change: func(s *v1alpha1.ClusterFleetSpec) {
				s.ProviderConfigRef.Name = "${cluster.region}"
				s.Clusters[0].Labels = labels{"a": "${b}"}
				s.Tenants[0].Quota = map[string]resource.Quantity{"${c}": resource.MustParse("1")}
			},
			want: []string{
				`spec.providerConfigRef.name: has ${ at position 0: expressions are not supported in a fleet`,
				`spec.clusters[0].labels["a"]: has ${ at position 0: expressions are not supported in a fleet`,
				`spec.tenants[0].quota["${c}"]: has ${ at position 0: expressions are not supported in a fleet`,
			},
		},
		"References": {
			reason: "Names of other resources must be names.",
			change: func(s *v1alpha1.ClusterFleetSpec) {
				s.ProviderConfigRef.Name = "A B"
				s.Clusters[0].KubeconfigSecretRef = &mv1alpha1.SecretKeySelector{Name: "x/y", Key: "a/b"}
			},
			want: []string{
				`spec.providerConfigRef.name: "A B" is not the name of a resource: use lower-case letters, digits, '-' and '.'`,
				`spec.clusters[0].kubeconfigSecretRef.name: "x/y" is not the name of a resource: use lower-case letters, digits, '-' and '.'`,
				`spec.clusters[0].kubeconfigSecretRef.key: "a/b" is not the key of a Secret: use letters, digits, '-', '_' and '.'`,
			},
		},
		"Region": {
			reason: "The label region is the region's.",
			change: func(s *v1alpha1.ClusterFleetSpec) {
				s.Clusters[0].Region = "eu"
				s.Clusters[0].Labels = labels{"region": "us"}
				s.Generate[0].Labels = labels{"region": "eu"}
			},
			want: []string{
				`spec.clusters[0].labels["region"]: is "us", and region is "eu": this label is always the region, so remove it`,
				`spec.generate[0].labels["region"]: each cluster has this label from spec.generate[].regions: remove it`,
			},
		},
		"Facts": {
			reason: "Facts become variables of expressions, beside those that every cluster has.",
			change: func(s *v1alpha1.ClusterFleetSpec) {
				s.Clusters[0].Facts = map[string]string{"registry": "registry.eu.example/x", "region": "eu", "a-b": "x", "long": strings.Repeat("x", 513), "nested": "${cluster.name}"}
				s.Generate[0].Facts = map[string]string{"name": "x"}
			},
			want: []string{
				`spec.clusters[0].facts["a-b"]: "a-b" is not a name of a fact: it begins with a letter and has letters, digits and _ only, and at most 40 of them`,
				`spec.clusters[0].facts["long"]: has 513 bytes: a fact has at most 512`,
				`spec.clusters[0].facts["nested"]: has ${ at position 0: expressions are not supported in a fleet`,
				`spec.clusters[0].facts["region"]: every cluster has the fact "region" already: choose another name`,
				`spec.generate[0].facts["name"]: every cluster has the fact "name" already: choose another name`,
			},
		},
		"LongGeneratedName": {
			reason: "The last name of a generator is the longest.",
			change: func(s *v1alpha1.ClusterFleetSpec) {
				s.Generate[0].Prefix, s.Generate[0].Regions = strings.Repeat("p", 20), []string{strings.Repeat("r", 24)}
			},
			want: []string{`spec.generate[0].regions[0]: "` + strings.Repeat("p", 20) + "-" + strings.Repeat("r", 24) + `-2" has 47 characters, and at most 45 are possible`},
		},
		"Reserved": {
			reason: "Our own labels and taints are written by us.",
			change: func(s *v1alpha1.ClusterFleetSpec) {
				s.NodePools[0].Labels = labels{"mainstay.dev/node-pool": "x"}
			},
			want: []string{`spec.nodePools[0].labels["mainstay.dev/node-pool"]: keys that begin with mainstay.dev/ are Mainstay's own: choose another`},
		},
		"Taints": {
			reason: "A taint is its key and its effect.",
			change: func(s *v1alpha1.ClusterFleetSpec) {
				s.NodePools[0].Taints = []mv1alpha1.Taint{
					{Key: "a", Value: "1", Effect: corev1.TaintEffectNoSchedule},
					{Key: "a", Value: "2", Effect: corev1.TaintEffectNoSchedule},
					{Key: "a", Effect: corev1.TaintEffectNoExecute},
				}
			},
			want: []string{`spec.nodePools[0].taints[1]: key "a" comes twice with effect NoSchedule: remove one`},
		},
		"Tenants": {
			reason: "Nobody deploys into the namespaces of Kubernetes, not even by default.",
			change: func(s *v1alpha1.ClusterFleetSpec) {
				s.Tenants = []mv1alpha1.Tenant{{Namespace: "default"}, {Namespace: "a", TargetNamespaces: []string{"kube-system"}}}
			},
			want: []string{
				`spec.tenants[0].targetNamespaces: tenant "default" would deploy into namespace "default", which no tenant may: name other target namespaces`,
				`spec.tenants[1].targetNamespaces: tenant "a" would deploy into namespace "kube-system", which no tenant may: name other target namespaces`,
			},
		},
		"NegativeQuota": {
			reason: "A quota is an upper bound.",
			change: func(s *v1alpha1.ClusterFleetSpec) {
				s.Tenants[0].Quota = map[string]resource.Quantity{"cpu": resource.MustParse("-1")}
			},
			want: []string{`spec.tenants[0].quota["cpu"]: is -1: a quota cannot be negative`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := fine()
			if tc.change != nil {
				tc.change(s)
			}
			if tc.name == "" {
				tc.name = "eu"
			}
			if diff := cmp.Diff(tc.want, listed(Validate(tc.name, s))); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestInvalidNames(t *testing.T) {
	s := fine()
	s.Clusters[0].Labels = labels{"a b": "x", "ok": "-no"}
	s.Tenants[0].Quota = map[string]resource.Quantity{"a b": resource.MustParse("1")}
	s.NodePools[0].Taints = []mv1alpha1.Taint{{Key: "-", Effect: corev1.TaintEffectNoSchedule}}
	got := listed(Validate("eu", s))
	want := []string{
		`spec.clusters[0].labels["a b"]: "a b" is not a valid key: `,
		`spec.clusters[0].labels["ok"]: "-no" is not a label value: `,
		`spec.nodePools[0].taints[0].key: "-" is not a valid key: `,
		`spec.tenants[0].quota["a b"]: is not the name of a resource: `,
	}
	if len(got) != len(want) {
		t.Fatalf("want %d problems, got %q", len(want), got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("want prefix %q, got %q", want[i], got[i])
		}
	}
}

func TestInvalidError(t *testing.T) {
	err := &InvalidError{Problems: []string{"a", "b", "c", "d", "e", "f"}}
	if got, want := err.Error(), "a; b; c; d; and 2 more problems"; got != want {
		t.Errorf("want %q, got %q", want, got)
	}
}

func TestValidateFor(t *testing.T) {
	cases := map[string]struct {
		reason string
		config mv1alpha1.ProviderConfigSpec
		change func(s *v1alpha1.ClusterFleetSpec)
		want   []string
	}{
		"Local": {
			reason: "What the backend makes.",
			config: mv1alpha1.ProviderConfigSpec{Backend: mv1alpha1.BackendLocal},
		},
		"LocalAdopts": {
			reason: "A backend that makes clusters adopts none.",
			config: mv1alpha1.ProviderConfigSpec{Backend: mv1alpha1.BackendLocal},
			change: func(s *v1alpha1.ClusterFleetSpec) {
				s.Clusters[0].KubeconfigSecretRef = &mv1alpha1.SecretKeySelector{Name: "a"}
			},
			want: []string{`spec.clusters[0].kubeconfigSecretRef: the local backend makes its clusters and adopts none: remove it, or use a provider configuration with backend kubeconfig`},
		},
		"UnknownClass": {
			reason: "A class must be known to somebody.",
			config: mv1alpha1.ProviderConfigSpec{Backend: mv1alpha1.BackendLocal, NodeClasses: []mv1alpha1.NodeClass{{Name: "tiny"}}},
			change: func(s *v1alpha1.ClusterFleetSpec) { s.NodePools[0].Class = "huge" },
			want:   []string{`spec.nodePools[0].class: there is no node class "huge": use one of compute, general, gpu, memory, tiny, or add it to spec.nodeClasses of the provider configuration`},
		},
		"Kubeconfig": {
			reason: "A backend that adopts makes neither clusters nor nodes.",
			config: mv1alpha1.ProviderConfigSpec{Backend: mv1alpha1.BackendKubeconfig},
			want: []string{
				`spec.clusters[0].kubeconfigSecretRef: the kubeconfig backend adopts existing clusters: name the Secret with the kubeconfig of "a"`,
				`spec.generate[0]: the kubeconfig backend makes no clusters: list existing ones in spec.clusters`,
				`spec.nodePools[0]: the kubeconfig backend makes no nodes: an adopted cluster brings its own, so remove the pool`,
			},
		},
		"KubeconfigAdopts": {
			reason: "What it can do.",
			config: mv1alpha1.ProviderConfigSpec{Backend: mv1alpha1.BackendKubeconfig},
			change: func(s *v1alpha1.ClusterFleetSpec) {
				s.Clusters[0].KubeconfigSecretRef = &mv1alpha1.SecretKeySelector{Name: "a"}
				s.Generate, s.NodePools = nil, nil
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := fine()
			if tc.change != nil {
				tc.change(s)
			}
			if diff := cmp.Diff(tc.want, listed(ValidateFor(s, &tc.config))); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestBlocked(t *testing.T) {
	ref := v1alpha1.ProviderConfigReference{Kind: "ClusterProviderConfig", Name: "x"}
	cases := map[string]struct {
		reason string
		config *mv1alpha1.ClusterProviderConfigSpec
		want   string
	}{
		"Absent":  {reason: "It does not exist.", want: `ClusterProviderConfig "x" does not exist: create it or change spec.providerConfigRef`},
		"ForAll":  {reason: "Everybody may use it.", config: &mv1alpha1.ClusterProviderConfigSpec{}},
		"Allowed": {reason: "We may use it.", config: &mv1alpha1.ClusterProviderConfigSpec{AllowedNamespaces: []string{"b", "a"}}},
		"Others": {
			reason: "Others may use it.",
			config: &mv1alpha1.ClusterProviderConfigSpec{AllowedNamespaces: []string{"b"}},
			want:   `ClusterProviderConfig "x" may not be used from namespace "a": ask its owner to add it to spec.allowedNamespaces, or change spec.providerConfigRef`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Blocked("a", ref, tc.config)); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestExpand(t *testing.T) {
	cases := map[string]struct {
		reason string
		spec   v1alpha1.ClusterFleetSpec
		want   []v1alpha1.FleetCluster
		err    string
	}{
		"Both": {
			reason: "Clusters by name and by number, in one order.",
			spec: v1alpha1.ClusterFleetSpec{
				Clusters: []v1alpha1.FleetCluster{{Name: "z"}, {Name: "b", Region: "x"}},
				Generate: []v1alpha1.ClusterGenerator{{Prefix: "c", Regions: []string{"r"}, Count: 2, Labels: labels{"k": "v"}}},
			},
			want: []v1alpha1.FleetCluster{
				{Name: "b", Region: "x"},
				{Name: "c-r-1", Region: "r", Labels: labels{"k": "v"}},
				{Name: "c-r-2", Region: "r", Labels: labels{"k": "v"}},
				{Name: "z"},
			},
		},
		"Duplicate": {
			reason: "The error names both fields.",
			spec: v1alpha1.ClusterFleetSpec{
				Clusters: []v1alpha1.FleetCluster{{Name: "a-b-c-1"}},
				Generate: []v1alpha1.ClusterGenerator{
					{Prefix: "a-b", Regions: []string{"c"}, Count: 2},
					{Prefix: "a", Regions: []string{"b-c"}, Count: 2},
				},
			},
			err: `spec.generate[0]: cluster "a-b-c-1" is also made by spec.clusters[0]: names must be unique in a fleet; ` +
				`spec.generate[1]: cluster "a-b-c-1" is also made by spec.clusters[0]: names must be unique in a fleet; ` +
				`spec.generate[1]: cluster "a-b-c-2" is also made by spec.generate[0]: names must be unique in a fleet`,
		},
		"TooMany": {
			reason: "It is counted before it is made.",
			spec:   v1alpha1.ClusterFleetSpec{Generate: []v1alpha1.ClusterGenerator{{Prefix: "a", Regions: []string{"b"}, Count: 1 << 30}}},
			err:    "spec.generate: with spec.clusters it asks for 1073741824 clusters, and a fleet can have 2000: split them over several fleets",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Expand(&tc.spec)
			if diff := cmp.Diff(tc.err, message(err)); diff != "" {
				t.Fatalf("%s\nerror: -want, +got:\n%s", tc.reason, diff)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func fine() *v1alpha1.ClusterFleetSpec {
	return &v1alpha1.ClusterFleetSpec{
		ProviderConfigRef: v1alpha1.ProviderConfigReference{Kind: "ClusterProviderConfig", Name: "local"},
		Clusters:          []v1alpha1.FleetCluster{{Name: "a", Labels: labels{"example.org/tier": "x"}}},
		Generate:          []v1alpha1.ClusterGenerator{{Prefix: "g", Regions: []string{"eu"}, Count: 2, Labels: labels{"a": "b"}}},
		NodePools:         []v1alpha1.FleetNodePool{{Name: "general", Class: "general", Size: 1}},
		Tenants:           []mv1alpha1.Tenant{{Namespace: "team-a", Quota: map[string]resource.Quantity{"requests.cpu": resource.MustParse("1")}}},
	}
}

func listed(err error) []string {
	invalid, ok := err.(*InvalidError) //nolint:errorlint // The error itself, not one that wraps it.
	if !ok {
		return nil
	}
	return invalid.Problems
}
