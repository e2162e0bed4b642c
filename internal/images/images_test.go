package images

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

var (
	one = "sha256:" + strings.Repeat("1", 64)
	two = "sha256:" + strings.Repeat("2", 64)
)

// pods with containers that run these images, the first of them an init container.
func pods(images ...string) map[string]any {
	spec := map[string]any{}
	for i, image := range images {
		list := "containers"
		if i == 0 && len(images) > 1 {
			list = "initContainers"
		}
		all, _ := spec[list].([]any)
		spec[list] = append(all, map[string]any{"name": "c", "image": image})
	}
	return spec
}

func object(apiVersion, kind string, spec map[string]any) unstructured.Unstructured {
	return unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": "web"}, "spec": spec}}
}

func template(spec map[string]any) map[string]any {
	return map[string]any{"template": map[string]any{"spec": spec}}
}

func content(objects ...unstructured.Unstructured) bundle.Content {
	return bundle.Content{Components: []bundle.Component{{Name: "web", Objects: objects}}}
}

func TestPin(t *testing.T) {
	pins := []v1alpha1.ImageDigest{{Image: "web:1", Digest: one}, {Image: "example.org:5000/init", Digest: two}}
	cases := map[string]struct {
		reason string
		in     bundle.Content
		names  []string
		want   []string
	}{
		"Deployment": {
			reason: "Containers and init containers are pinned, and the tag stays.",
			in:     content(object("apps/v1", "Deployment", template(pods("example.org:5000/init", "web:1", "other:1")))),
			names:  []string{"example.org:5000/init", "other:1", "web:1"},
			want:   []string{"example.org:5000/init@" + two, "web:1@" + one, "other:1"},
		},
		"CronJob": {
			reason: "Pods of a CronJob are further in.",
			in:     content(object("batch/v1", "CronJob", map[string]any{"jobTemplate": map[string]any{"spec": template(pods("web:1"))}})),
			names:  []string{"web:1"}, want: []string{"web:1@" + one},
		},
		"Pod": {
			reason: "A pod is its own.",
			in:     content(object("v1", "Pod", pods("web:1"))),
			names:  []string{"web:1"}, want: []string{"web:1@" + one},
		},
		"Digest": {
			reason: "What has a digest is left alone.",
			in:     content(object("v1", "Pod", pods("web:1@"+two))),
			want:   []string{"web:1@" + two},
		},
		"Late": {
			reason: "So is what waits for the output of another component.",
			in:     content(object("v1", "Pod", pods("${outputs.image}"))),
			want:   []string{"${outputs.image}"},
		},
		"NoPods": {
			reason: "What makes no pods, or says so in another form, is passed on.",
			in: content(
				object("v1", "ConfigMap", nil), object("x/v1", "Odd", map[string]any{"template": "web:1", "containers": "web:1"}),
				object("x/v1", "Flat", map[string]any{"image": "web:1", "containers": []any{map[string]any{"image": "web:1"}}}),
				object("apps/v1", "Deployment", template(map[string]any{"containers": []any{"web:1", map[string]any{"image": 1}, map[string]any{}}})),
			),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := tc.in.Components[0].Objects[0].DeepCopy()
			if diff := cmp.Diff(tc.names, Names(tc.in)); diff != "" {
				t.Errorf("\n%s\nNames(...): -want, +got:\n%s", tc.reason, diff)
			}
			var got []string
			out := Pin(tc.in, pins)
			for i := range out.Components[0].Objects {
				got = append(got, imagesOf(&out.Components[0].Objects[i])...)
			}
			if name != "NoPods" {
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("\n%s\nPin(...): -want, +got:\n%s", tc.reason, diff)
				}
			} else if diff := cmp.Diff(tc.in, out); diff != "" {
				t.Errorf("\n%s\nPin(...): -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(before, &tc.in.Components[0].Objects[0]); diff != "" {
				t.Errorf("\n%s\nthe source is not touched: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestPinProcedure(t *testing.T) {
	c := content(object("v1", "ConfigMap", nil))
	c.Components[0].Procedure = []bundle.ProcedureStep{{Name: "save", Apply: []unstructured.Unstructured{object("batch/v1", "Job", template(pods("save:1")))}}}
	if diff := cmp.Diff([]string{"save:1"}, Names(c)); diff != "" {
		t.Errorf("what a step applies runs too: -want, +got:\n%s", diff)
	}
	out := Pin(c, []v1alpha1.ImageDigest{{Image: "save:1", Digest: one}})
	if diff := cmp.Diff([]string{"save:1@" + one}, imagesOf(&out.Components[0].Procedure[0].Apply[0])); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"save:1"}, Names(c)); diff != "" {
		t.Errorf("the source is not touched: -want, +got:\n%s", diff)
	}
}

func TestIdentity(t *testing.T) {
	a, b := v1alpha1.ImageDigest{Image: "a:1", Digest: one}, v1alpha1.ImageDigest{Image: "b:1", Digest: two}
	if Identity(nil) != "" {
		t.Error("nothing pinned is nothing to tell apart")
	}
	if Identity([]v1alpha1.ImageDigest{a, b}) != Identity([]v1alpha1.ImageDigest{b, a}) {
		t.Error("the order does not matter")
	}
	moved := a
	moved.Digest = two
	if Identity([]v1alpha1.ImageDigest{a}) == Identity([]v1alpha1.ImageDigest{moved}) {
		t.Error("another digest is another identity")
	}
}
