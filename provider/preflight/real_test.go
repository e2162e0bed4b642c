package preflight_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/names"
	checks "github.com/mainstay-dev/mainstay/internal/preflight"
	"github.com/mainstay-dev/mainstay/internal/tenancy"
	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/backend/local/controlplane"
	"github.com/mainstay-dev/mainstay/provider/snapshot"
	"github.com/mainstay-dev/mainstay/provider/target"
)

const tenant = "team-a"

// setting is what the cluster of the corpus has.
const setting = `
apiVersion: v1
kind: ResourceQuota
metadata: {name: pods, namespace: small}
spec: {hard: {pods: "0"}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: most, namespace: small}
spec: {limits: [{type: Container, max: {memory: 1Gi}}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: there, namespace: team-a}
spec:
  replicas: 0
  selector: {matchLabels: {app: there}}
  template:
    metadata: {labels: {app: there, more: "yes"}}
    spec: {containers: [{name: main, image: "busybox:1.36"}]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            x-kubernetes-validations: [{rule: "self.size % 2 == 0", message: "sizes are even"}]
            properties: {size: {type: integer}}
`

// broken objects, by the cause for which a real API server refuses them. Those that begin
// with ok are nearly so, and it takes them.
var broken = map[string]string{
	"A1 kind":        "apiVersion: nowhere.io/v1\nkind: Thing\nmetadata: {name: a}",
	"A2 version":     "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: a}\nspec: {minAvailable: 1}",
	"A3 field":       "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {restartpolicy: Never, containers: [{name: main, image: a}]}",
	"A3 type":        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: main, image: a, tty: maybe}]}",
	"A3 required":    "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\nspec: {}",
	"A3 unknown":     "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\nspec: {size: 2, colour: red}",
	"A3 rule":        "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\nspec: {size: 3}",
	"ok rule":        "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\nspec: {size: 4}",
	"A4 selector":    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: there}\nspec: {selector: {matchLabels: {app: there, more: \"yes\"}}, template: {metadata: {labels: {app: there, more: \"yes\"}}, spec: {containers: [{name: main, image: \"busybox:1.36\"}]}}}",
	"ok selector":    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: there}\nspec: {selector: {matchLabels: {app: there}}, template: {metadata: {labels: {app: there}}, spec: {containers: [{name: main, image: \"busybox:2\"}]}}}",
	"A5 namespace":   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: nowhere}",
	"A6 quota":       "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: small}\nspec: {containers: [{name: main, image: a, resources: {limits: {memory: 1Gi}}}]}",
	"A7 most":        "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: small}\nspec: {containers: [{name: main, image: a, resources: {limits: {memory: 2Gi}}}]}",
	"A8 host":        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {hostNetwork: true, containers: [{name: main, image: a}]}",
	"ok root":        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {securityContext: {runAsUser: 0}, containers: [{name: main, image: a}]}",
	"A9 priority":    "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {priorityClassName: urgent, containers: [{name: main, image: a}]}",
	"A10 runtime":    "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {runtimeClassName: kata, containers: [{name: main, image: a}]}",
	"A13 name":       "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Upper}",
	"A13 set":        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: " + strings.Repeat("a", 53) + "}\nspec: {schedule: \"* * * * *\", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: a}]}}}}}",
	"ok set":         "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: " + strings.Repeat("a", 52) + "}\nspec: {schedule: \"* * * * *\", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: a}]}}}}}",
	"A14 selector":   "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: b}}, spec: {containers: [{name: main, image: a}]}}}",
	"A15 variable":   "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: main, image: a, env: [{name: A, value: a}, {name: A, value: b}]}]}",
	"A15 port":       "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: main, image: a, ports: [{name: a, containerPort: 80, protocol: TCP}, {name: b, containerPort: 80, protocol: TCP}]}]}",
	"A15 path":       "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {volumes: [{name: d, emptyDir: {}}], containers: [{name: main, image: a, volumeMounts: [{name: d, mountPath: /d}, {name: d, mountPath: /d}]}]}",
	"A15 mount":      "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: main, image: a, volumeMounts: [{name: d, mountPath: /d}]}]}",
	"ok protocols":   "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: main, image: a, ports: [{containerPort: 53, protocol: UDP}, {containerPort: 53, protocol: TCP}]}]}",
	"C3 certificate": "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ntype: kubernetes.io/tls\nstringData: {tls.crt: \"\"}",
	"D11 both":       "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}, selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: main, image: a}]}}}",
	"ok rounded":     "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 10%}}, selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: main, image: a}]}}}",
}

// TestRealServerAgrees asks a real API server whether it refuses what preflight refuses,
// and nothing else.
func TestRealServerAgrees(t *testing.T) {
	far, admin, cr := realCluster(t)
	cache := snapshot.New(far, clock.RealClock{}, func() float64 { return 0 }, nil)
	for name, manifest := range broken {
		t.Run(name, func(t *testing.T) {
			cause, _, _ := strings.Cut(name, " ")
			o := parse(t, manifest)
			s := checks.Prepare(bundle.Content{Components: []bundle.Component{{Name: "main", Objects: []unstructured.Unstructured{*o.DeepCopy()}}}}, tenant, nil)
			snap, err := cache.Snapshot(t.Context(), cr, false, s.Needs())
			if err != nil {
				t.Fatal(err)
			}
			found := s.Check(snap)
			if o.GetNamespace() == "" {
				o.SetNamespace(tenant)
			}
			err = admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(o.DeepCopy()), client.FieldOwner("test"), client.ForceOwnership, client.DryRunAll)
			if refuses := cause != "ok"; (err != nil) != refuses {
				t.Errorf("the API server should refuse it: %t, and says: %v", refuses, err)
			}
			causes := map[string]bool{}
			for _, f := range found {
				if f.Severity == v1alpha1.Blocking {
					causes[f.Cause] = true
				}
			}
			if cause == "ok" && len(causes) > 0 || cause != "ok" && !causes[cause] {
				t.Errorf("Check(...): want %s, got %+v", cause, found)
			}
			// What the server says is told as the same cause, where it says anything of it.
			if status := kerrors.APIStatus(nil); errors.As(err, &status) {
				for _, f := range checks.Refused(o, "main", status.Status()) {
					if same := map[string]string{"A13": "A3", "A14": "A3", "A15": "A3", "C3": "A3", "D11": "A3", "A10": ""}; f.Cause != cause && same[cause] != f.Cause {
						t.Errorf("Refused(...): want %s, got %+v", cause, f)
					}
				}
			}
		})
	}
}

// realCluster is a real control plane, in use by a tenant.
func realCluster(t *testing.T) (target.Connector, client.Client, *v1alpha1.Cluster) {
	t.Helper()
	bin, dir := backendtest.Binaries(t), t.TempDir()
	etcd := controlplane.NewEtcd(filepath.Join(dir, "etcd"), bin)
	far := controlplane.New(controlplane.Config{Name: "far", Dir: filepath.Join(dir, "far"), Binaries: bin, Etcd: etcd, Prefix: "/far", Controllers: []string{"resourcequota-controller", "clusterrole-aggregation-controller", "namespace-controller"}})
	t.Cleanup(func() {
		if err := errors.Join(far.Destroy(context.Background()), etcd.Destroy(context.Background())); err != nil {
			t.Errorf("cannot clean up: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(far.WaitReady(ctx))
	cfg, err := far.RESTConfig()
	must(err)
	admin, err := client.New(cfg, client.Options{Scheme: scheme.Scheme})
	must(err)
	for _, o := range tenancy.Reconcile(tenancy.Grants([]v1alpha1.Tenant{{Namespace: tenant}}), tenancy.State{}).Apply {
		must(admin.Create(ctx, o.(client.Object)))
	}
	must(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "small"}}))
	for _, doc := range strings.Split(setting, "\n---\n") {
		must(admin.Create(ctx, parse(t, doc)))
	}
	must(wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		q := &corev1.ResourceQuota{}
		err := admin.Get(ctx, types.NamespacedName{Namespace: "small", Name: "pods"}, q)
		widgets := &unstructured.UnstructuredList{}
		widgets.SetAPIVersion("example.com/v1")
		widgets.SetKind("WidgetList")
		lerr := admin.List(ctx, widgets)
		return err == nil && len(q.Status.Hard) > 0 && lerr == nil, nil
	}))

	kubeconfig, err := far.Kubeconfig()
	must(err)
	cr := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "fleets", Name: "eu.one", UID: "1"}}
	cr.Status.AtProvider.Version = "v1.35.3"
	hub := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "fleets", Name: names.Kubeconfig("eu.one")}, Data: map[string][]byte{target.KubeconfigKey: kubeconfig},
	}).Build()
	return target.NewClients(hub, clock.RealClock{}), admin, cr
}

func parse(t *testing.T, doc string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(doc), &u.Object); err != nil {
		t.Fatalf("%v in:\n%s", err, doc)
	}
	return u
}
