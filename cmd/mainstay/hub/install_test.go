package hub

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/xpkg"
)

func TestContentVersion(t *testing.T) {
	h := newHub(t)
	file := func(path, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	version := func() string {
		t.Helper()
		v, err := h.contentVersion()
		if err != nil {
			t.Fatalf("contentVersion(): %v", err)
		}
		return v
	}

	if _, err := h.contentVersion(); err == nil {
		t.Error("contentVersion() without programs: want an error")
	}
	for _, p := range xpkg.Packages() {
		if p.Binary != "" {
			file(h.binary(p.Binary), "a program")
		}
		file(filepath.Join(h.cfg.Source, p.Meta), "a package")
	}
	file(filepath.Join(h.cfg.Source, "apis", "things", "definition.yaml"), "a definition")
	file(filepath.Join(h.cfg.Source, "examples", "one", "claim.yaml"), "a claim")

	first := version()
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+-dev\.h[0-9a-f]{12}$`).MatchString(first) {
		t.Errorf("contentVersion(): want a version that registries and Crossplane take, got %q", first)
	}
	file(filepath.Join(h.cfg.Source, "apis", "v1alpha1", "types.go"), "not in any package")
	if got := version(); got != first {
		t.Errorf("What is in no package changes no version: was %s, is %s", first, got)
	}
	file(filepath.Join(h.cfg.Source, "apis", "things", "definition.yaml"), "another definition")
	second := version()
	file(h.binary("provider"), "another program")
	if third := version(); second == first || third == second {
		t.Errorf("What is in a package changes the version: %s, %s, %s", first, second, third)
	}
}

// The provider must not be able to do more than Crossplane lets any provider do,
// but for what docs/install.md lists.
func TestProviderRights(t *testing.T) {
	deletes, anything := []string{}, []string{}
	for _, o := range providerRights() {
		role, ok := o.(*rbacv1.ClusterRole)
		if !ok {
			continue
		}
		for _, rule := range role.Rules {
			for _, verb := range rule.Verbs {
				switch verb {
				case "delete":
					deletes = append(deletes, rule.Resources...)
				case rbacv1.VerbAll:
					anything = append(anything, rule.Resources...)
				case "impersonate", "bind", "escalate":
					t.Errorf("the provider may %s %v", verb, rule.Resources)
				}
			}
			for _, r := range append(rule.Resources, rule.APIGroups...) {
				if strings.Contains(r, "*") {
					t.Errorf("the provider's rights have a wildcard: %v", rule)
				}
			}
		}
	}
	if diff := cmp.Diff([]string{"releases", "changes", "plans", "claimgrants", "clusterfleets", "fleetcells", "productapplications"}, deletes); diff != "" {
		t.Errorf("what the provider may delete: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"secrets", "configmaps", "events", "leases"}, anything); diff != "" {
		t.Errorf("what the provider may do anything with: -want, +got:\n%s", diff)
	}
}

func TestCheck(t *testing.T) {
	h := newHub(t)
	if err := h.check(); err == nil || !strings.Contains(err.Error(), `cannot find program "etcd": build it with: make binaries`) {
		t.Errorf("check() without programs: want what builds them, got %v", err)
	}
	relative := New(Config{State: "state", Binaries: "bin"})
	if err := relative.check(); err == nil || !strings.Contains(err.Error(), "must be absolute") {
		t.Errorf("check() of relative folders: want a refusal, got %v", err)
	}
}
