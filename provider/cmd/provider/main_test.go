package main

import (
	"path/filepath"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func TestFlags(t *testing.T) {
	dir := t.TempDir()
	type want struct {
		backends []v1alpha1.BackendName
		err      string
	}
	cases := map[string]struct {
		reason string
		args   []string
		want   want
	}{
		"None": {
			reason: "Without flags clusters can be adopted and simulated, since that needs no other program.",
			want:   want{backends: []v1alpha1.BackendName{"kubeconfig", "simulated"}},
		},
		"Local": {
			reason: "Where the programs of control planes are, clusters can be made.",
			args:   []string{"--local-binaries=" + dir, "--local-state=" + filepath.Join(dir, "state")},
			want:   want{backends: []v1alpha1.BackendName{"kubeconfig", "local", "simulated"}},
		},
		"HalfLocal": {
			reason: "Half of what it takes is a mistake.",
			args:   []string{"--local-state=" + dir},
			want:   want{err: "--local-binaries and --local-state belong together"},
		},
		"TwoSimulators": {
			reason: "Simulated clusters are in one place.",
			args:   []string{"--simulated-state=" + dir, "--simulator=" + dir},
			want:   want{err: "--simulated-state and --simulator exclude each other"},
		},
		"NoSecret": {
			reason: "A Secret is in a namespace.",
			args:   []string{"--function-tls-secret=crossplane-tls-client"},
			want:   want{err: `--function-tls-secret: "crossplane-tls-client" is not <namespace>/<name>`},
		},
		"HalfCertificate": {
			reason: "A certificate without its key is no use.",
			args:   []string{"--webhook-address=:9443", "--webhook-certificate=" + dir},
			want:   want{err: "--webhook-certificate and --webhook-key belong together"},
		},
		"NoPoll": {
			reason: "Drift must be looked for.",
			args:   []string{"--poll=0s"},
			want:   want{err: "--poll, --sync-interval and --poll-state-metric-interval must be more than 0"},
		},
		"NoWorkers": {
			reason: "Somebody has to do the work.",
			args:   []string{"--release-workers=0"},
			want:   want{err: "--max-reconcile-rate and the numbers of workers must be more than 0"},
		},
		"Jitter": {
			reason: "A jitter that is none is refused by name.",
			args:   []string{"--poll-jitter=often"},
			want:   want{err: `--poll-jitter: cannot use "often" as jitter: write a fraction such as 0.1 or a duration such as 5s`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f, got := flags{}, want{}
			p, err := kong.New(&f, kong.Vars{"version": "v0.0.0"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Parse(tc.args); err != nil {
				got.err = err.Error()
			} else {
				b, err := backends(f)
				if err != nil {
					t.Fatal(err)
				}
				got.backends = b.Names()
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\nParse(%q): -want, +got:\n%s", tc.reason, tc.args, diff)
			}
		})
	}
}
