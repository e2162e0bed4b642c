package target

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func TestParseKubeconfig(t *testing.T) {
	type want struct {
		host, token, reason string
	}
	cases := map[string]struct {
		reason string
		data   []byte
		want   want
	}{
		"Token": {
			reason: "An address and a token are all that is needed.",
			data:   write(t, nil),
			want:   want{host: "https://127.0.0.1:6443", token: "s3cret"},
		},
		"Empty": {
			reason: "Nothing is no kubeconfig.",
			want:   want{reason: "its current-context names no context"},
		},
		"Garbage": {
			reason: "What is not YAML is refused, and none of it is quoted.",
			data:   []byte("token: s3cret\n\t}"),
			want:   want{reason: "it is not a kubeconfig in YAML or JSON"},
		},
		"NoCluster": {
			reason: "A context must name a cluster that is there.",
			data:   write(t, func(c *clientcmdapi.Config) { delete(c.Clusters, "c") }),
			want:   want{reason: "its current context names no cluster"},
		},
		"NoUser": {
			reason: "A context must name a user that is there.",
			data:   write(t, func(c *clientcmdapi.Config) { delete(c.AuthInfos, "u") }),
			want:   want{reason: "its current context names no user"},
		},
		"NotURL": {
			reason: "A server is a URL.",
			data:   write(t, func(c *clientcmdapi.Config) { c.Clusters["c"].Server = "nowhere" }),
			want:   want{reason: "its cluster's server is not a URL"},
		},
		"Plaintext": {
			reason: "Credentials are not sent where anybody could read them.",
			data:   write(t, func(c *clientcmdapi.Config) { c.Clusters["c"].Server = "http://127.0.0.1:8080" }),
			want:   want{reason: "its cluster's server is not an https URL"},
		},
		"CredentialsInURL": {
			reason: "Addresses are shown, so they hold no secrets.",
			data:   write(t, func(c *clientcmdapi.Config) { c.Clusters["c"].Server = "https://me:s3cret@127.0.0.1" }),
			want:   want{reason: "its cluster's server has credentials in its URL: put them in the user"},
		},
		"AuthorityFile": {
			reason: "No file is read.",
			data:   write(t, func(c *clientcmdapi.Config) { c.Clusters["c"].CertificateAuthority = "/etc/passwd" }),
			want:   want{reason: "its cluster names a file in certificate-authority: use certificate-authority-data"},
		},
		"Insecure": {
			reason: "The server is verified.",
			data:   write(t, func(c *clientcmdapi.Config) { c.Clusters["c"].InsecureSkipTLSVerify = true }),
			want:   want{reason: "its cluster sets insecure-skip-tls-verify: use certificate-authority-data"},
		},
		"Proxy": {
			reason: "A kubeconfig does not decide who reads along.",
			data:   write(t, func(c *clientcmdapi.Config) { c.Clusters["c"].ProxyURL = "http://127.0.0.1:3128" }),
			want:   want{reason: "its cluster sets proxy-url, which is not supported"},
		},
		"Exec": {
			reason: "No program is run.",
			data: write(t, func(c *clientcmdapi.Config) {
				c.AuthInfos["u"].Exec = &clientcmdapi.ExecConfig{Command: "sh", APIVersion: "client.authentication.k8s.io/v1"}
			}),
			want: want{reason: "its user runs a program (exec): use a token or client-certificate-data"},
		},
		"AuthProvider": {
			reason: "No plugin is loaded.",
			data: write(t, func(c *clientcmdapi.Config) {
				c.AuthInfos["u"].AuthProvider = &clientcmdapi.AuthProviderConfig{Name: "oidc"}
			}),
			want: want{reason: "its user names an auth-provider: use a token or client-certificate-data"},
		},
		"TokenFile": {
			reason: "No token is read from a file.",
			data:   write(t, func(c *clientcmdapi.Config) { c.AuthInfos["u"].TokenFile = "/var/run/secrets/token" }),
			want:   want{reason: "its user names a file in tokenFile: use token"},
		},
		"CertificateFile": {
			reason: "No certificate is read from a file.",
			data:   write(t, func(c *clientcmdapi.Config) { c.AuthInfos["u"].ClientCertificate = "/tmp/c" }),
			want:   want{reason: "its user names a file in client-certificate: use client-certificate-data"},
		},
		"KeyFile": {
			reason: "No key is read from a file.",
			data:   write(t, func(c *clientcmdapi.Config) { c.AuthInfos["u"].ClientKey = "/tmp/k" }),
			want:   want{reason: "its user names a file in client-key: use client-key-data"},
		},
		"Impersonates": {
			reason: "Whom to act as is not the kubeconfig's to say.",
			data:   write(t, func(c *clientcmdapi.Config) { c.AuthInfos["u"].Impersonate = "admin" }),
			want:   want{reason: "its user acts as another (as, as-groups): tenants are impersonated by the provider"},
		},
		"Nobody": {
			reason: "A user has credentials.",
			data:   write(t, func(c *clientcmdapi.Config) { c.AuthInfos["u"].Token = "" }),
			want:   want{reason: "its user has no credentials: give it a token or client-certificate-data"},
		},
		"BadCertificate": {
			reason: "Certificates are looked at before they are used.",
			data:   write(t, func(c *clientcmdapi.Config) { c.Clusters["c"].CertificateAuthorityData = []byte("s3cret") }),
			want:   want{reason: "its certificates or key are not valid PEM, or do not belong together"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cfg, err := ParseKubeconfig(tc.data)
			got := want{}
			if cfg != nil {
				got.host, got.token = cfg.Host, cfg.BearerToken
			}
			var invalid *InvalidKubeconfigError
			if errors.As(err, &invalid) {
				got.reason = invalid.Reason
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\nParseKubeconfig(...): -want, +got:\n%s", tc.reason, diff)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("\n%s\nParseKubeconfig(...): the error quotes a secret: %v", tc.reason, err)
			}
		})
	}
}

// write a kubeconfig, changed.
func write(t *testing.T, change func(*clientcmdapi.Config)) []byte {
	t.Helper()
	c := clientcmdapi.NewConfig()
	c.Clusters["c"] = &clientcmdapi.Cluster{Server: "https://127.0.0.1:6443"}
	c.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: "s3cret"}
	c.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	c.CurrentContext = "x"
	if change != nil {
		change(c)
	}
	data, err := clientcmd.Write(*c)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
