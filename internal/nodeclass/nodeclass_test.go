package nodeclass

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func TestCapacity(t *testing.T) {
	type args struct {
		custom []v1alpha1.NodeClass
		class  string
	}
	type want struct {
		capacity map[string]string
		err      string
	}
	cases := map[string]struct {
		reason string
		args   args
		want   want
	}{
		"BuiltIn": {
			reason: "A built-in class needs no configuration.",
			args:   args{class: "gpu"},
			want:   want{capacity: map[string]string{"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": "1", "pods": "110"}},
		},
		"Custom": {
			reason: "A configuration's own class is known, and keeps the number of pods it says.",
			args: args{
				custom: []v1alpha1.NodeClass{{Name: "tiny", Capacity: corev1.ResourceList{"cpu": resource.MustParse("1"), "pods": resource.MustParse("8")}}},
				class:  "tiny",
			},
			want: want{capacity: map[string]string{"cpu": "1", "pods": "8"}},
		},
		"Redefined": {
			reason: "A configuration may say what a built-in class is.",
			args: args{
				custom: []v1alpha1.NodeClass{{Name: "general", Capacity: corev1.ResourceList{"cpu": resource.MustParse("2")}}},
				class:  "general",
			},
			want: want{capacity: map[string]string{"cpu": "2", "pods": "110"}},
		},
		"WithoutCapacity": {
			reason: "A class that says nothing has pods only.",
			args:   args{custom: []v1alpha1.NodeClass{{Name: "empty"}}, class: "empty"},
			want:   want{capacity: map[string]string{"pods": "110"}},
		},
		"Unknown": {
			reason: "An unknown class is refused with the classes that there are.",
			args:   args{custom: []v1alpha1.NodeClass{{Name: "tiny"}}, class: "huge"},
			want:   want{err: `there is no node class "huge": use one of compute, general, gpu, memory, tiny, or add it to spec.nodeClasses of the provider configuration`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Capacity(tc.args.custom, tc.args.class)
			w := want{}
			for k, v := range got {
				if w.capacity == nil {
					w.capacity = map[string]string{}
				}
				w.capacity[string(k)] = v.String()
			}
			if err != nil {
				w.err = err.Error()
			}
			if diff := cmp.Diff(tc.want, w, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\nCapacity(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
