package hub

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pkgv1 "github.com/crossplane/crossplane/apis/v2/pkg/v1"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/xpkg"
)

// reportRuntimes tells Crossplane about each package revision that its runtime runs,
// where, and which Secret has its certificate. With external runtimes nobody else
// does, and Crossplane waits for all three. It returns whether there was anything
// that Crossplane had not been told.
func (h *Hub) reportRuntimes(ctx context.Context, c client.Client) (reported bool, err error) {
	functions := &pkgv1.FunctionRevisionList{}
	if err := c.List(ctx, functions); err != nil {
		return false, fmt.Errorf("cannot list function revisions: %w", err)
	}
	for i := range functions.Items {
		r := &functions.Items[i]
		name := strings.TrimPrefix(r.GetLabels()[pkgv1.LabelParentPackage], "mainstay-function-")
		port, err := h.port(ctx, name)
		if err != nil {
			return reported, err
		}
		endpoint := fmt.Sprintf("dns:///%s", address(port))
		if r.Status.Endpoint == endpoint && running(r) {
			continue
		}
		if err := report(ctx, c, r, func() { r.Status.Endpoint = endpoint }); err != nil {
			return reported, err
		}
		reported = true
	}
	providers := &pkgv1.ProviderRevisionList{}
	if err := c.List(ctx, providers); err != nil {
		return reported, fmt.Errorf("cannot list provider revisions: %w", err)
	}
	for i := range providers.Items {
		r := &providers.Items[i]
		if running(r) {
			continue
		}
		if err := report(ctx, c, r, func() {}); err != nil {
			return reported, err
		}
		reported = true
	}
	return reported, nil
}

func running(r pkgv1.PackageRevisionWithRuntime) bool {
	return ptr.Deref(r.GetObservedTLSServerSecretName(), "") == secretServer &&
		r.GetCondition(pkgv1.TypeRuntimeHealthy).Equal(pkgv1.RuntimeHealthy()) &&
		r.GetCondition(pkgv1.TypeRuntimeActive).Equal(pkgv1.RuntimeActive())
}

// report that the runtime of a revision runs, whatever Crossplane writes meanwhile.
func report(ctx context.Context, c client.Client, r pkgv1.PackageRevisionWithRuntime, more func()) error {
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(r), r); err != nil {
			return client.IgnoreNotFound(err)
		}
		r.SetObservedTLSServerSecretName(ptr.To(secretServer))
		r.SetConditions(pkgv1.RuntimeHealthy(), pkgv1.RuntimeActive())
		more()
		return client.IgnoreNotFound(c.Status().Update(ctx, r))
	})
	if err != nil {
		return fmt.Errorf("cannot report runtime of %s: %w", r.GetName(), err)
	}
	return nil
}

func packageObject(kind xpkg.Kind, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(pkgv1.SchemeGroupVersion.String())
	u.SetKind(string(kind))
	u.SetName(name)
	return u
}

// packageReady returns what is still missing until a package is installed as it is
// wanted now: what Crossplane says may still be about what was wanted before.
func packageReady(u *unstructured.Unstructured) error {
	wanted, _, _ := unstructured.NestedString(u.Object, "spec", "package")
	current, _, _ := unstructured.NestedString(u.Object, "status", "currentIdentifier")
	if wanted != current {
		return fmt.Errorf("%s %s to be unpacked", u.GetKind(), u.GetName())
	}
	for _, t := range []string{"Installed", "Healthy"} {
		if ok, message := conditionTrue(u, t); !ok {
			return fmt.Errorf("%s %s to be %s: %s", u.GetKind(), u.GetName(), strings.ToLower(t), message)
		}
	}
	return nil
}

// conditionTrue says whether a condition is true of an object as it is now, and
// what it says if not.
func conditionTrue(u *unstructured.Unstructured, kind string) (ok bool, message string) {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		m, isMap := c.(map[string]any)
		if !isMap || m["type"] != kind {
			continue
		}
		if of, ok := m["observedGeneration"].(int64); ok && of < u.GetGeneration() {
			return false, "the last change was not looked at yet"
		}
		message, _ = m["message"].(string)
		return m["status"] == "True", message
	}
	return false, "no condition " + kind
}

func unstructuredFrom(o map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: o}
}
