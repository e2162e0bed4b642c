package target

import (
	"net/url"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// ParseKubeconfig returns the address and credentials that a kubeconfig's current
// context names. Whoever wrote it is not trusted: it is refused, with an
// InvalidKubeconfigError, where it would run a program, read a file, skip verifying
// the server or act as somebody else.
func ParseKubeconfig(data []byte) (*rest.Config, error) {
	// What the parser has to say may quote secrets.
	kc, err := clientcmd.Load(data)
	if err != nil {
		return nil, invalid("it is not a kubeconfig in YAML or JSON")
	}
	kctx, ok := kc.Contexts[kc.CurrentContext]
	if !ok || kctx == nil {
		return nil, invalid("its current-context names no context")
	}
	cluster, ok := kc.Clusters[kctx.Cluster]
	if !ok || cluster == nil {
		return nil, invalid("its current context names no cluster")
	}
	user, ok := kc.AuthInfos[kctx.AuthInfo]
	if !ok || user == nil {
		return nil, invalid("its current context names no user")
	}

	if err := checkCluster(cluster); err != nil {
		return nil, err
	}
	if err := checkUser(user); err != nil {
		return nil, err
	}

	cfg := &rest.Config{
		Host:        cluster.Server,
		BearerToken: user.Token,
		Username:    user.Username,
		Password:    user.Password,
		TLSClientConfig: rest.TLSClientConfig{
			ServerName: cluster.TLSServerName,
			CAData:     cluster.CertificateAuthorityData,
			CertData:   user.ClientCertificateData,
			KeyData:    user.ClientKeyData,
		},
	}
	if _, err := rest.TLSConfigFor(cfg); err != nil {
		return nil, invalid("its certificates or key are not valid PEM, or do not belong together")
	}
	return cfg, nil
}

func checkCluster(c *clientcmdapi.Cluster) error {
	switch u, err := url.Parse(c.Server); {
	case err != nil || u.Host == "":
		return invalid("its cluster's server is not a URL")
	case u.Scheme != "https":
		return invalid("its cluster's server is not an https URL")
	case u.User != nil:
		return invalid("its cluster's server has credentials in its URL: put them in the user")
	case c.CertificateAuthority != "":
		return invalid("its cluster names a file in certificate-authority: use certificate-authority-data")
	case c.InsecureSkipTLSVerify:
		return invalid("its cluster sets insecure-skip-tls-verify: use certificate-authority-data")
	case c.ProxyURL != "":
		return invalid("its cluster sets proxy-url, which is not supported")
	}
	return nil
}

func checkUser(u *clientcmdapi.AuthInfo) error {
	switch {
	case u.Exec != nil:
		return invalid("its user runs a program (exec): use a token or client-certificate-data")
	case u.AuthProvider != nil:
		return invalid("its user names an auth-provider: use a token or client-certificate-data")
	case u.TokenFile != "":
		return invalid("its user names a file in tokenFile: use token")
	case u.ClientCertificate != "":
		return invalid("its user names a file in client-certificate: use client-certificate-data")
	case u.ClientKey != "":
		return invalid("its user names a file in client-key: use client-key-data")
	case u.Impersonate != "" || u.ImpersonateUID != "" || len(u.ImpersonateGroups) > 0 || len(u.ImpersonateUserExtra) > 0:
		return invalid("its user acts as another (as, as-groups): tenants are impersonated by the provider")
	case u.Token == "" && u.Username == "" && len(u.ClientCertificateData) == 0:
		return invalid("its user has no credentials: give it a token or client-certificate-data")
	}
	return nil
}

func invalid(reason string) error { return &InvalidKubeconfigError{Reason: reason} }
