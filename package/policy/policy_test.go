package policy

import (
	"cmp"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	xr "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/backend/local/controlplane"
)

const patience = 90 * time.Second

var digest = strings.Repeat("a", 64)

// A house is a hub, and who comes to it.
type house struct {
	admin client.Client
	// ann and bob see changes through, carl edits them as Crossplane's editors do.
	ann, bob, carl client.Client
	// provider is the program, engine one that may delete claims only, and janitor what cleans up in Kubernetes.
	provider, engine, janitor client.Client
}

// TestPolicies has people do things on a real API server.
func TestPolicies(t *testing.T) {
	h := open(t)
	t.Run("ChangeCommands", h.changeCommands)
	t.Run("ClaimDeletions", h.claimDeletions)
	t.Run("GrantedClaimDeletions", h.grantedClaimDeletions)
}

// changeCommands that people give.
func (h house) changeCommands(t *testing.T) {
	said := command("ann-1", "ann")
	cases := []struct {
		name   string
		reason string
		as     client.Client
		change func(*v1alpha1.Change)
		want   string
	}{
		{name: "Said", reason: "Who gives a command gives it in their own name.", as: h.ann, change: add(said)},
		{name: "AsAnother", reason: "Nobody speaks in another's name.", as: h.bob, change: add(command("bob-1", "ann")), want: "set by to bob"},
		{name: "AsAnotherByAdmin", reason: "Not even an administrator.", as: h.carl, change: add(command("carl-1", "ann")), want: "set by to carl"},
		{name: "Altered", reason: "What was said stays said.", as: h.bob, change: func(c *v1alpha1.Change) { of(c, "ann-1").Verb = v1alpha1.VerbAbandon }, want: "cannot be altered"},
		{name: "AlteredByItsAuthor", reason: "Also by who said it.", as: h.ann, change: func(c *v1alpha1.Change) { of(c, "ann-1").Verb = v1alpha1.VerbAbandon }, want: "cannot be altered"},
		{name: "TakenOver", reason: "A command does not become another's by its name.", as: h.bob, change: func(c *v1alpha1.Change) { of(c, "ann-1").By = "bob" }, want: "cannot be altered"},
		{name: "TakenAway", reason: "What was not heard yet is not silenced.", as: h.bob, change: drop("ann-1"), want: "taken back by who gave it only"},
		{name: "AllTakenAway", reason: "Nor all at once.", as: h.bob, change: func(c *v1alpha1.Change) { c.Spec.ForProvider.Control = nil }, want: "taken back by who gave it only"},
		{name: "Tidied", reason: "What was heard may go: it is on the audit trail.", as: h.bob, change: drop("ann-0")},
		{name: "OfAnotherToo", reason: "Others add theirs.", as: h.bob, change: add(command("bob-2", "bob"))},
		{name: "TakenBack", reason: "Who gave it takes it back.", as: h.ann, change: drop("ann-1")},
		{name: "Paused", reason: "Who sees changes through may not switch them off.", as: h.ann, change: func(c *v1alpha1.Change) { c.SetAnnotations(map[string]string{"crossplane.io/paused": "true"}) }, want: "and nothing else"},
		{name: "Policies", reason: "Nor have the provider do less.", as: h.ann, change: func(c *v1alpha1.Change) {
			c.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionObserve}
		}, want: "and nothing else"},
		{name: "Finalizers", reason: "Nor let it go before its time.", as: h.ann, change: func(c *v1alpha1.Change) { c.SetFinalizers(nil) }, want: "and nothing else"},
		{name: "PausedByEditor", reason: "Who may write its status may.", as: h.carl, change: func(c *v1alpha1.Change) { c.SetAnnotations(map[string]string{"crossplane.io/paused": "true"}) }},
	}
	ch := newChange("claims-41")
	must(t, h.admin.Create(t.Context(), ch))
	before := ch.DeepCopy()
	add(command("ann-0", "ann"))(ch)
	must(t, h.ann.Patch(t.Context(), ch, client.MergeFrom(before)))
	ch.Status.AtProvider.Obeyed = []string{"ann-0"}
	must(t, h.admin.Status().Update(t.Context(), ch))
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := &v1alpha1.Change{}
			must(t, h.admin.Get(t.Context(), client.ObjectKeyFromObject(ch), c))
			before := c.DeepCopy()
			tc.change(c)
			err := tc.as.Patch(t.Context(), c, client.MergeFrom(before))
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("%s\ngot: %v", tc.reason, err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("%s\nwant %q in the refusal, got: %v", tc.reason, tc.want, err)
			}
		})
	}
	if err := h.carl.Create(t.Context(), newChange("claims-42", *command("x", "zoe"))); err == nil || !strings.Contains(err.Error(), "set by to carl") {
		t.Errorf("a Change is not made with what others are to have said, got: %v", err)
	}
}

// claimDeletions by people and programs.
func (h house) claimDeletions(t *testing.T) {
	means := map[string]string{v1alpha1.AnnotationAllowDeletion: "web"}
	cases := []struct {
		name      string
		reason    string
		as        client.Client
		kind      string
		namespace string
		says      map[string]string
		refused   bool
	}{
		{name: "Person", reason: "What runs goes with it.", as: h.carl, namespace: "guarded", refused: true},
		{name: "Fleet", reason: "So it does with a fleet.", as: h.carl, kind: xr.ClusterFleetKind, namespace: "guarded", refused: true},
		{name: "Administrator", reason: "Administrators type the wrong name, too.", as: h.admin, namespace: "guarded", refused: true},
		{name: "Meant", reason: "Who means it can.", as: h.carl, namespace: "guarded", says: means},
		{name: "MeantAnother", reason: "A word for another claim that was copied is none for this one.", as: h.carl, namespace: "guarded", says: map[string]string{v1alpha1.AnnotationAllowDeletion: "true"}, refused: true},
		{name: "Provider", reason: "The provider does what a change says.", as: h.provider, namespace: "guarded"},
		{name: "Engine", reason: "A program that may not say what is approved is one like any other.", as: h.engine, namespace: "guarded", refused: true},
		{name: "Janitor", reason: "A namespace that goes takes all with it.", as: h.janitor, namespace: "guarded"},
		{name: "Elsewhere", reason: "Where nobody asked for it, rights on claims have to do.", as: h.carl, namespace: "open"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			u := claim(tc.kind, tc.namespace)
			u.SetAnnotations(tc.says)
			must(t, h.admin.Create(t.Context(), u))
			err := tc.as.Delete(t.Context(), u)
			if refused := err != nil && strings.Contains(err.Error(), "mainstay.dev/allow-deletion=web"); refused != tc.refused || err != nil && !refused {
				t.Errorf("%s\ngot: %v", tc.reason, err)
			}
			must(t, client.IgnoreNotFound(h.provider.Delete(t.Context(), claim(tc.kind, tc.namespace))))
		})
	}

	// All at once is one after the other.
	u := claim("", "guarded")
	must(t, h.admin.Create(t.Context(), u))
	if err := h.carl.DeleteAllOf(t.Context(), claim("", ""), client.InNamespace("guarded")); err == nil {
		t.Error("all claims of a namespace are deleted at once")
	}
	// What goes already goes.
	u.SetFinalizers([]string{"mainstay.dev/test"})
	must(t, h.admin.Update(t.Context(), u))
	must(t, h.provider.Delete(t.Context(), u))
	if err := h.carl.Delete(t.Context(), claim("", "guarded")); err != nil {
		t.Errorf("a claim that is being deleted is deleted again, got: %v", err)
	}
}

// grantedClaimDeletions are of claims whose grants say that only changes may say what they are.
func (h house) grantedClaimDeletions(t *testing.T) {
	required := func(*v1alpha1.ClaimGrantSpec) {}
	cases := []struct {
		name    string
		reason  string
		as      client.Client
		kind    string
		grant   func(*v1alpha1.ClaimGrantSpec)
		says    map[string]string
		refused bool
	}{
		{name: "Person", reason: "A Repository asked for changes, and the claim is one of its.", as: h.carl, grant: required, refused: true},
		{name: "Fleet", reason: "So it is with a fleet.", as: h.carl, kind: xr.ClusterFleetKind, grant: func(g *v1alpha1.ClaimGrantSpec) { g.Claim.Kind = xr.ClusterFleetKind }, refused: true},
		{name: "Administrator", reason: "Administrators type the wrong name, too.", as: h.admin, grant: required, refused: true},
		{name: "Meant", reason: "Who means it can.", as: h.carl, grant: required, says: map[string]string{v1alpha1.AnnotationAllowDeletion: "web"}},
		{name: "Provider", reason: "The provider does what a change says.", as: h.provider, grant: required},
		{name: "Engine", reason: "An engine that prunes what no change took away does what people do.", as: h.engine, grant: required, refused: true},
		{name: "EngineToldTo", reason: "What a change took away it prunes.", as: h.engine, grant: func(g *v1alpha1.ClaimGrantSpec) { g.Digest = "" }},
		{name: "Janitor", reason: "A namespace that goes takes all with it.", as: h.janitor, grant: required},
		{name: "NotRequired", reason: "A Repository that did not ask for it leaves claims to who has rights on them.", as: h.carl, grant: func(g *v1alpha1.ClaimGrantSpec) { g.Required = false }},
		{name: "Another", reason: "A grant says nothing of other claims.", as: h.carl, grant: func(g *v1alpha1.ClaimGrantSpec) { g.Claim.Name = "api" }},
		{name: "AnotherKind", reason: "Nor of one of another kind.", as: h.carl, grant: func(g *v1alpha1.ClaimGrantSpec) { g.Claim.Kind = xr.ClusterFleetKind }},
		{name: "None", reason: "Where no change ever wrote the claim, rights have to do.", as: h.carl},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			u := claim(tc.kind, "open")
			u.SetAnnotations(tc.says)
			must(t, h.admin.Create(t.Context(), u))
			if tc.grant != nil {
				g := granted("web")
				tc.grant(&g.Spec)
				must(t, h.admin.Create(t.Context(), g))
				h.awaitGrants(t, true)
				defer h.awaitGrants(t, false)
				defer func() { must(t, h.admin.Delete(t.Context(), g)) }()
			}
			err := tc.as.Delete(t.Context(), u)
			if refused := err != nil && strings.Contains(err.Error(), "mainstay.dev/allow-deletion=web"); refused != tc.refused || err != nil && !refused {
				t.Errorf("%s\ngot: %v", tc.reason, err)
			}
			must(t, client.IgnoreNotFound(h.provider.Delete(t.Context(), claim(tc.kind, "open"))))
		})
	}
}

// granted says that only changes may say what a claim is.
func granted(name string) *v1alpha1.ClaimGrant {
	g := &v1alpha1.ClaimGrant{ObjectMeta: metav1.ObjectMeta{Namespace: "open", Name: "productapplication." + name}}
	g.Spec = v1alpha1.ClaimGrantSpec{
		Claim:  v1alpha1.ClaimReference{APIVersion: xr.GroupVersion.String(), Kind: xr.ProductApplicationKind, Namespace: "open", Name: name},
		Digest: digest, Required: true, Change: "ops/claims-41", Epoch: 1,
	}
	return g
}

// awaitGrants until the API server has seen all that were made, or taken away, before: it sees one more.
func (h house) awaitGrants(t *testing.T, there bool) {
	t.Helper()
	probe := claim("", "open")
	probe.SetName("probe")
	if there {
		must(t, h.admin.Create(t.Context(), probe))
		must(t, h.admin.Create(t.Context(), granted("probe")))
	} else {
		must(t, h.admin.Delete(t.Context(), granted("probe")))
	}
	must(t, wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		return (h.admin.Delete(ctx, probe, client.DryRunAll) != nil) == there, nil
	}))
	if !there {
		must(t, h.admin.Delete(t.Context(), probe))
	}
}

// claim of a kind, by default an application.
func claim(kind, namespace string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(xr.GroupVersion.WithKind(cmp.Or(kind, xr.ProductApplicationKind)))
	u.SetNamespace(namespace)
	u.SetName("web")
	return u
}

func command(id, by string) *v1alpha1.ChangeCommand {
	return &v1alpha1.ChangeCommand{ID: id, Verb: v1alpha1.VerbHalt, HeadSHA: digest[:40], Digest: digest, By: by, At: metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))}
}

func add(c *v1alpha1.ChangeCommand) func(*v1alpha1.Change) {
	return func(ch *v1alpha1.Change) {
		ch.Spec.ForProvider.Control.Commands = append(ch.Spec.ForProvider.Control.Commands, *c)
	}
}

func drop(id string) func(*v1alpha1.Change) {
	return func(ch *v1alpha1.Change) {
		kept := []v1alpha1.ChangeCommand{}
		for _, c := range ch.Spec.ForProvider.Control.Commands {
			if c.ID != id {
				kept = append(kept, c)
			}
		}
		ch.Spec.ForProvider.Control.Commands = kept
	}
}

func of(ch *v1alpha1.Change, id string) *v1alpha1.ChangeCommand {
	for i := range ch.Spec.ForProvider.Control.Commands {
		if c := &ch.Spec.ForProvider.Control.Commands[i]; c.ID == id {
			return c
		}
	}
	return &v1alpha1.ChangeCommand{}
}

func newChange(name string, said ...v1alpha1.ChangeCommand) *v1alpha1.Change {
	c := &v1alpha1.Change{ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: name, Finalizers: []string{"mainstay.dev/test"}}}
	c.Spec.ForProvider = v1alpha1.ChangeParameters{RepositoryRef: v1alpha1.RepositoryReference{Name: "claims"}, Number: 41, Control: &v1alpha1.ChangeControl{Commands: said}}
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open a house: a hub with the policy in force.
func open(t *testing.T) house {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir, bin := t.TempDir(), backendtest.Binaries(t)
	e := controlplane.NewEtcd(filepath.Join(dir, "etcd"), bin)
	c := controlplane.New(controlplane.Config{Name: "hub", Dir: filepath.Join(dir, "hub"), Binaries: bin, Etcd: e, Prefix: "/hub"})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for _, err := range []error{c.Discard(ctx), e.Destroy(ctx)} {
			if err != nil {
				t.Error(err)
			}
		}
	})
	must(t, c.WaitReady(ctx))
	cfg, err := c.RESTConfig()
	must(t, err)
	// Policies may come before the packages with the kinds that they are about: they are in force half a minute after these.
	objects, err := Objects()
	must(t, err)
	admin := as(t, cfg, "")
	for _, o := range objects {
		must(t, admin.Create(ctx, o))
	}
	_, err = envtest.InstallCRDs(cfg, envtest.CRDInstallOptions{Paths: []string{"../provider/crds"}, CRDs: claims()})
	must(t, err)

	account := func(namespace, name string) client.Client {
		return as(t, cfg, "system:serviceaccount:"+namespace+":"+name, "system:serviceaccounts", "system:serviceaccounts:"+namespace)
	}
	h := house{
		admin: admin, ann: as(t, cfg, "ann"), bob: as(t, cfg, "bob"), carl: as(t, cfg, "carl"),
		provider: account("crossplane-system", "mainstay-provider"), engine: account("argocd", "controller"), janitor: account("kube-system", "namespace-controller"),
	}
	for name, required := range map[string]string{"ops": "", "guarded": "true", "open": "false"} {
		must(t, h.admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.LabelRequireChange: required}}}))
	}
	for name, rule := range map[string]rbacv1.PolicyRule{
		"editor":  {APIGroups: []string{"m.mainstay.dev"}, Resources: []string{"changes", "changes/status"}, Verbs: []string{"*"}},
		"deleter": {APIGroups: []string{xr.GroupVersion.Group}, Resources: []string{"*"}, Verbs: []string{"delete", "deletecollection"}},
		"granter": {APIGroups: []string{"m.mainstay.dev"}, Resources: []string{"claimgrants"}, Verbs: []string{"create", "update"}},
	} {
		must(t, h.admin.Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{rule}}))
	}
	const provider = "system:serviceaccount:crossplane-system:mainstay-provider"
	for role, users := range map[string][]string{
		"mainstay-change-operator": {"ann", "bob"}, "editor": {"carl"}, "granter": {"carl", provider},
		"deleter": {"carl", provider, "system:serviceaccount:argocd:controller", "system:serviceaccount:kube-system:namespace-controller"},
	} {
		for _, namespace := range []string{"ops", "guarded", "open"} {
			b := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}}
			for _, u := range users {
				b.Subjects = append(b.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: u})
			}
			must(t, h.admin.Create(ctx, b))
		}
	}
	h.awaitPolicy(ctx, t)
	return h
}

// awaitPolicy that is made to be in force.
func (h house) awaitPolicy(ctx context.Context, t *testing.T) {
	t.Helper()
	must(t, wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		probe := newChange("probe", *command("x", "nobody"))
		err := h.admin.Create(ctx, probe, client.DryRunAll)
		return err != nil && strings.Contains(err.Error(), "in the name of who gives it"), nil
	}))
	must(t, h.admin.Create(ctx, claim("", "guarded")))
	must(t, wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		return h.admin.Delete(ctx, claim("", "guarded"), client.DryRunAll) != nil, nil
	}))
	must(t, h.provider.Delete(ctx, claim("", "guarded")))
	h.awaitGrants(t, true)
	h.awaitGrants(t, false)
}

// claims are their kinds, with whatever in them.
func claims() []*extv1.CustomResourceDefinition {
	var out []*extv1.CustomResourceDefinition
	for _, kind := range []string{xr.ProductApplicationKind, xr.ClusterFleetKind} {
		names := extv1.CustomResourceDefinitionNames{Kind: kind, ListKind: kind + "List", Singular: strings.ToLower(kind), Plural: strings.ToLower(kind) + "s"}
		c := &extv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: names.Plural + "." + xr.GroupVersion.Group}}
		c.Spec = extv1.CustomResourceDefinitionSpec{Group: xr.GroupVersion.Group, Names: names, Scope: extv1.NamespaceScoped, Versions: []extv1.CustomResourceDefinitionVersion{{
			Name: xr.GroupVersion.Version, Served: true, Storage: true,
			Schema: &extv1.CustomResourceValidation{OpenAPIV3Schema: &extv1.JSONSchemaProps{Type: "object"}},
		}}}
		out = append(out, c)
	}
	return out
}

// as a user of some groups, or as the administrator.
func as(t *testing.T, cfg *rest.Config, user string, groups ...string) client.Client {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		must(t, add(s))
	}
	cfg = rest.CopyConfig(cfg)
	cfg.Impersonate.UserName, cfg.Impersonate.Groups = user, groups
	c, err := client.New(cfg, client.Options{Scheme: s})
	must(t, err)
	return c
}
