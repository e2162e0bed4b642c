package probe_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/mainstay-dev/mainstay/provider/backend/probe"
)

func TestVersion(t *testing.T) {
	type answer struct {
		code int
		body string
	}
	type want struct{ version, err string }
	ok := answer{code: http.StatusOK, body: "ok"}
	cases := map[string]struct {
		reason  string
		readyz  answer
		version answer
		// stranger is true where the server has a certificate that is not trusted.
		stranger bool
		want     want
	}{
		"Ready": {
			reason:  "A server that is ready says its version.",
			readyz:  ok,
			version: answer{code: http.StatusOK, body: `{"gitVersion":"v1.35.3"}`},
			want:    want{version: "v1.35.3"},
		},
		"CheckFails": {
			reason: "Whoever waits is told for what.",
			readyz: answer{code: http.StatusInternalServerError, body: "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed"},
			want:   want{err: "the API server is not ready: waiting for etcd"},
		},
		"ManyChecksFail": {
			reason: "While a server starts most checks fail, others from one moment to the next.",
			readyz: answer{code: http.StatusInternalServerError, body: "[-]a failed\n[-]b failed\n[-]c failed\n[-]d failed\n"},
			want:   want{err: "the API server is not ready"},
		},
		"OddCheck": {
			reason: "What a server says is not shown if it is not the name of a check.",
			readyz: answer{code: http.StatusInternalServerError, body: "[-]<script> failed\n"},
			want:   want{err: "the API server is not ready"},
		},
		"Unauthorized": {
			reason: "Credentials that are refused are the user's to replace.",
			readyz: answer{code: http.StatusUnauthorized},
			want:   want{err: "the API server refuses the kubeconfig's credentials"},
		},
		"Forbidden": {
			reason: "So are those that may not ask.",
			readyz: answer{code: http.StatusForbidden},
			want:   want{err: "the API server does not let the kubeconfig's user ask whether it is ready"},
		},
		"NotKubernetes": {
			reason:  "Any web server may say ok.",
			readyz:  ok,
			version: answer{code: http.StatusOK, body: "<html>"},
			want:    want{err: "what answers does not seem to be a Kubernetes API server"},
		},
		"OddVersion": {
			reason:  "A version ends up in status, so it is one.",
			readyz:  ok,
			version: answer{code: http.StatusOK, body: `{"gitVersion":"` + strings.Repeat("9", 100) + `"}`},
			want:    want{err: "what answers does not seem to be a Kubernetes API server"},
		},
		"Stranger": {
			reason:   "Credentials go to nobody else.",
			readyz:   ok,
			stranger: true,
			want:     want{err: "the API server's certificate is not the one that the kubeconfig trusts"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				a := map[string]answer{"/readyz": tc.readyz, "/version": tc.version}[r.URL.Path]
				w.WriteHeader(a.code)
				_, _ = w.Write([]byte(a.body))
			}))
			defer s.Close()
			cfg := &rest.Config{Host: s.URL, BearerToken: "t"}
			if !tc.stranger {
				cfg.CAData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
			}
			got := want{}
			v, err := probe.Version(t.Context(), cfg)
			if got.version = v; err != nil {
				got.err = err.Error()
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\nVersion(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
