package functions_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/mainstay-dev/mainstay/functions/builtin"
	"github.com/mainstay-dev/mainstay/internal/plan/pipeline"
	"github.com/mainstay-dev/mainstay/internal/plan/render"
	"github.com/mainstay-dev/mainstay/provider/planner/functions"
)

// A server has a function that says who it is.
type server struct {
	fnv1.UnimplementedFunctionRunnerServiceServer

	who string
}

func (s server) RunFunction(_ context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
	return says(s.who)(context.Background(), req)
}

// says who a function is, in a resource that it composes, on top of what others did.
func says(who string) pipeline.Run {
	return func(_ context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
		d := req.GetDesired()
		if d == nil {
			d = &fnv1.State{}
		}
		if d.Resources == nil {
			d.Resources = map[string]*fnv1.Resource{}
		}
		d.Resources[who+"-"+req.GetInput().GetFields()["kind"].GetStringValue()] = &fnv1.Resource{}
		return &fnv1.RunFunctionResponse{Desired: d}, nil
	}
}

// serve a function, and ask everybody for a certificate of the authority.
func serve(t *testing.T, dir, who string) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(ca)
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.Creds(credentials.NewTLS(c)))
	fnv1.RegisterFunctionRunnerServiceServer(s, server{who: who})
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return "dns:///localhost:" + port
}

const application = builtin.ProductApplication

// compose with what a hub has, and say who composed.
func compose(t *testing.T, c functions.Config) (string, string, error) {
	t.Helper()
	pool := functions.New(c)
	t.Cleanup(func() { _ = pool.Close() })
	return composeWith(t, pool)
}

func composeWith(t *testing.T, pool *functions.Pool) (string, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	s := pool.Open()
	rsp, err := s.Functions()[render.ProductApplication](ctx, render.Request{Composite: map[string]any{"kind": "x"}})
	var who []string
	for name := range rsp.Composed {
		who = append(who, name)
	}
	return strings.Join(who, " "), s.Note(), err
}

// TestReached: the function is asked that Crossplane would ask, and no other.
func TestReached(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	endpoint := serve(t, a.folder(a.files(x509.ExtKeyUsageServerAuth)), "theirs")
	client509 := a.files(x509.ExtKeyUsageClientAuth)
	own := map[string]pipeline.Run{application: says("own")}
	at := map[string]string{application: endpoint}
	cases := map[string]struct {
		reason string
		config func() functions.Config
		who    string
		note   string
		err    string
	}{
		"Secret": {
			reason: "With Crossplane's certificate the function of the hub is asked.",
			config: func() functions.Config {
				return functions.Config{Hub: hubOf(t, at, secretOf(client509)), Certificates: functions.Certificates{Secret: secret}, Own: own, Version: version}
			},
			who: "theirs-",
		},
		"Folder": {
			reason: "It may be in files as well.",
			config: func() functions.Config {
				return functions.Config{Hub: hubOf(t, at), Certificates: functions.Certificates{Dir: a.folder(client509)}}
			},
			who: "theirs-",
		},
		"Stranger": {
			reason: "Who has another's certificate is refused, and nobody takes the function's place.",
			config: func() functions.Config {
				return functions.Config{Hub: hubOf(t, at), Certificates: functions.Certificates{Dir: a.folder(other.files(x509.ExtKeyUsageClientAuth))}, Own: own, Version: version}
			},
			err: "cannot ask function " + application,
		},
		"Down": {
			reason: "Nor where it does not answer.",
			config: func() functions.Config {
				return functions.Config{Hub: hubOf(t, map[string]string{application: "dns:///localhost:1"}), Certificates: functions.Certificates{Dir: a.folder(client509)}, Own: own, Version: version}
			},
			err: "cannot ask function " + application,
		},
		"NoCertificate": {
			reason: "Without a certificate the provider's own function of the same version does it, and that is said.",
			config: func() functions.Config {
				return functions.Config{Hub: hubOf(t, at), Certificates: functions.Certificates{Secret: secret}, Own: own, Version: version}
			},
			who: "own-", note: "rendered by the provider itself in place of " + application + ", of the same version " + version,
		},
		"NoEndpoint": {
			reason: "So it is where the function has no endpoint.",
			config: func() functions.Config {
				return functions.Config{Hub: hubOf(t, map[string]string{application: ""}), Own: own, Version: version}
			},
			who: "own-", note: "rendered by the provider itself in place of " + application + ", of the same version " + version,
		},
		"OtherVersion": {
			reason: "One of another version may compose something else.",
			config: func() functions.Config {
				return functions.Config{Hub: hubOf(t, at), Certificates: functions.Certificates{Secret: secret}, Own: own, Version: "v1.2.4"}
			},
			err: "the one that is part of the provider is of version v1.2.4, and not v1.2.3",
		},
		"NotOurs": {
			reason: "A function that is not ours can only be asked.",
			config: func() functions.Config { return functions.Config{Hub: hubOf(t, at), Version: version} },
			err:    "function " + application + " cannot be asked: the provider was not told which certificate to show",
		},
		"NotInstalled": {
			reason: "A function that there is not.",
			config: func() functions.Config { return functions.Config{Hub: hubOf(t, nil), Own: own, Version: version} },
			err:    "function " + application + " has no active revision: is it installed?",
		},
		"Builtin": {
			reason: "The provider's own function is taken where that is asked for, whatever the hub has.",
			config: func() functions.Config {
				return functions.Config{Mode: functions.Builtin, Own: own, Shipped: builtin.Shipped(), Version: version}
			},
			who: "own-", note: "rendered by the functions of the provider, v1.2.3, because it is told to",
		},
		"HubDown": {
			reason: "A hub that does not answer is not one without Compositions.",
			config: func() functions.Config {
				hub := interceptor.NewClient(hubOf(t, at).(client.WithWatch), interceptor.Funcs{List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
					return errors.New("connection refused")
				}})
				return functions.Config{Hub: hub, Own: own, Version: version}
			},
			err: "cannot list kind CompositeResourceDefinition: connection refused",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			who, note, err := compose(t, tc.config())
			if (tc.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("\n%s\nwant error %q, got %v", tc.reason, tc.err, err)
			}
			if who != tc.who || note != tc.note {
				t.Errorf("\n%s\ncomposed by %q, with note %q", tc.reason, who, note)
			}
		})
	}
}

// TestCompositions: which pipeline a kind has.
func TestCompositions(t *testing.T) {
	own := map[string]pipeline.Run{application: says("own"), "function-labels": says("labels")}
	named := func(name string) *unstructured.Unstructured {
		c := &unstructured.Unstructured{Object: read(t, render.ProductApplication, "composition.yaml")}
		c.SetName(name)
		return c
	}
	step := func(c *unstructured.Unstructured, s map[string]any) *unstructured.Unstructured {
		steps, _, _ := unstructured.NestedSlice(c.Object, "spec", "pipeline")
		_ = unstructured.SetNestedSlice(c.Object, append(steps, s), "spec", "pipeline")
		return c
	}
	labels := map[string]any{"step": "labels", "functionRef": map[string]any{"name": "function-labels"}, "input": map[string]any{"apiVersion": "x/v1", "kind": "Input"}}
	shipped := "productapplications.mainstay.dev"
	cases := map[string]struct {
		reason  string
		change  func(t *testing.T, hub client.Client)
		objects []client.Object
		who     []string
		err     string
	}{
		"Shipped": {reason: "The only one.", who: []string{"own-"}},
		"Steps":   {reason: "The newest revision counts, with all of its steps and their input.", objects: []client.Object{revision(step(named(shipped), labels), 2)}, who: []string{"own-", "labels-Input"}},
		"Several": {reason: "Which of two is meant nobody knows.", objects: []client.Object{named("other")}, err: "it has several Compositions (other, productapplications.mainstay.dev): name one in spec.defaultCompositionRef"},
		"Default": {
			reason: "Unless the definition says.", objects: []client.Object{named("other"), revision(step(named("other"), labels), 1)}, who: []string{"own-", "labels-Input"},
			change: func(t *testing.T, hub client.Client) {
				d := &unstructured.Unstructured{}
				d.SetAPIVersion("apiextensions.crossplane.io/v2")
				d.SetKind("CompositeResourceDefinition")
				name, _ := metadataOf(read(t, render.ProductApplication, "definition.yaml"))["name"].(string)
				if err := hub.Get(t.Context(), client.ObjectKey{Name: name}, d); err != nil {
					t.Fatal(err)
				}
				_ = unstructured.SetNestedField(d.Object, "other", "spec", "defaultCompositionRef", "name")
				if err := hub.Update(t.Context(), d); err != nil {
					t.Fatal(err)
				}
			},
		},
		"Credentials": {
			reason: "A step that needs credentials is not asked without them.",
			objects: []client.Object{revision(step(named(shipped), map[string]any{
				"step": "cloud", "functionRef": map[string]any{"name": "function-labels"}, "credentials": []any{map[string]any{"name": "c", "source": "Secret"}},
			}), 2)},
			err: `step "cloud" of Composition productapplications.mainstay.dev: its function needs credentials`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			hub := hubOf(t, map[string]string{application: "", "function-labels": ""}, tc.objects...)
			if tc.change != nil {
				tc.change(t, hub)
			}
			who, _, err := compose(t, functions.Config{Hub: hub, Own: own, Version: version})
			if (tc.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("\n%s\nwant error %q, got %v", tc.reason, tc.err, err)
			}
			for _, w := range tc.who {
				if !strings.Contains(who, w) || len(strings.Fields(who)) != len(tc.who) {
					t.Errorf("\n%s\ncomposed by %q", tc.reason, who)
				}
			}
		})
	}
}

// TestMoved: a function that is elsewhere after an upgrade is asked there.
func TestMoved(t *testing.T) {
	a := newAuthority(t)
	dir := a.folder(a.files(x509.ExtKeyUsageServerAuth))
	hub := hubOf(t, map[string]string{application: serve(t, dir, "old")})
	pool := functions.New(functions.Config{Hub: hub, Certificates: functions.Certificates{Dir: a.folder(a.files(x509.ExtKeyUsageClientAuth))}})
	t.Cleanup(func() { _ = pool.Close() })
	for range 2 {
		if who, _, err := composeWith(t, pool); err != nil || who != "old-" {
			t.Fatalf("composed by %q, %v", who, err)
		}
	}
	r := functionRevision(application, "")
	if err := hub.Get(t.Context(), client.ObjectKeyFromObject(r), r); err != nil {
		t.Fatal(err)
	}
	_ = unstructured.SetNestedField(r.Object, serve(t, dir, "new"), "status", "endpoint")
	if err := hub.Update(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if who, _, err := composeWith(t, pool); err != nil || who != "new-" {
		t.Errorf("composed by %q, %v", who, err)
	}
}
