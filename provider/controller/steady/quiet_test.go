package steady_test

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/controller/steady"
)

// A withClient is as much of a manager as is asked for.
type withClient struct {
	manager.Manager

	client client.Client
}

// GetClient returns the client.
func (m withClient) GetClient() client.Client { return m.client }

func TestQuiet(t *testing.T) {
	s := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	cr := &v1alpha1.Release{}
	cr.SetNamespace("shop")
	cr.SetName("web")
	writes := 0
	c := fake.NewClientBuilder().WithScheme(s).WithObjects(cr).WithStatusSubresource(cr).WithInterceptorFuncs(interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			writes++
			return c.SubResource(sub).Update(ctx, o, opts...)
		},
	}).Build()
	quiet := steady.Quiet(withClient{client: c}, func(o client.Object) bool { return o.GetAnnotations()["wait"] != "" }).GetClient()

	got := &v1alpha1.Release{}
	get := func() {
		t.Helper()
		if err := quiet.Get(t.Context(), client.ObjectKeyFromObject(cr), got); err != nil {
			t.Fatal(err)
		}
	}
	update := func(want int, reason string) {
		t.Helper()
		if err := quiet.Status().Update(t.Context(), got); err != nil {
			t.Fatalf("Update(...): %v", err)
		}
		if writes != want {
			t.Errorf("%s\nwant %d writes, got %d", reason, want, writes)
		}
	}
	get()
	update(0, "A status that says nothing new is not written.")
	got.Status.AtProvider.Message = "news"
	update(1, "One that does is.")
	get()
	if got.Status.AtProvider.Message != "news" {
		t.Errorf("The status was not written: %q", got.Status.AtProvider.Message)
	}
	update(1, "And only once.")
	got.Status.AtProvider.Message = "more news"
	got.SetAnnotations(map[string]string{"wait": "yes"})
	update(1, "What can wait is not written.")
	got.SetAnnotations(nil)
	update(2, "It is when it cannot any more.")
}
