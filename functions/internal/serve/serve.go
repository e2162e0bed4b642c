// Package serve runs a composition function as a program: flags, logging,
// certificates, health and metrics. A function itself is plain data in, data out;
// everything that touches the world is in here, and nothing that decides.
package serve

import (
	"context"
	"fmt"

	"github.com/alecthomas/kong"
	"google.golang.org/grpc/health"

	"github.com/crossplane/function-sdk-go"
	"github.com/crossplane/function-sdk-go/logging"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

// A Run is the logic of a composition function. An error is a fault of the function
// or of Crossplane, which tries again; a claim that cannot be had is no error but a
// fatal result in the response.
type Run func(req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error)

// A flags struct is what every function can be told on its command line.
type flags struct {
	Debug              bool   `help:"Log every request." short:"d"`
	Network            string `default:"tcp" help:"Network to listen on."`
	Address            string `default:":9443" help:"Address to listen on."`
	TLSCertsDir        string `env:"TLS_SERVER_CERTS_DIR" help:"Directory with tls.key and tls.crt of the server and ca.crt of its clients."`
	Insecure           bool   `help:"Serve without TLS. Only for tests and development: Crossplane itself always uses TLS."`
	MaxRecvMessageSize int    `default:"4" help:"Largest request, in MB."`
	MetricsAddress     string `default:":8080" help:"Address to serve metrics on. Empty for no metrics."`
}

// Main serves a function until the process is stopped. It exits the process with
// status 1 and a message where it cannot serve.
func Main(name, description string, run Run) {
	f := &flags{}
	k := kong.Parse(f, kong.Name(name), kong.Description(description))
	k.FatalIfErrorf(f.serve(name, run))
}

func (f *flags) serve(name string, run Run) error {
	log, err := function.NewLogger(f.Debug)
	if err != nil {
		return fmt.Errorf("cannot make logger: %w", err)
	}
	log.Info("Serving", "function", name, "address", f.Address)
	return function.Serve(New(run, log),
		function.Listen(f.Network, f.Address),
		function.MTLSCertificates(f.TLSCertsDir),
		function.Insecure(f.Insecure),
		function.MaxRecvMessageSize(f.MaxRecvMessageSize<<20),
		function.WithMetricsServer(f.MetricsAddress),
		function.WithHealthServer(health.NewServer()))
}

// New returns the gRPC server of a function. It turns a crash of the function into
// an error, so that one odd request does not take the server down for all others.
func New(run Run, log logging.Logger) fnv1.FunctionRunnerServiceServer {
	return &server{run: run, log: log}
}

type server struct {
	fnv1.UnimplementedFunctionRunnerServiceServer

	run Run
	log logging.Logger
}

// RunFunction runs the function once.
func (s *server) RunFunction(_ context.Context, req *fnv1.RunFunctionRequest) (rsp *fnv1.RunFunctionResponse, err error) {
	log := s.log.WithValues("tag", req.GetMeta().GetTag(), "composite", compositeName(req))
	defer func() {
		if r := recover(); r != nil {
			log.Info("Function crashed", "reason", r)
			rsp, err = nil, fmt.Errorf("cannot run function: it crashed: %v", r)
		}
	}()

	rsp, err = s.run(req)
	if err != nil {
		log.Info("Cannot run function", "error", err)
		return nil, err
	}
	log.Debug("Ran function", "resources", len(rsp.GetDesired().GetResources()), "results", rsp.GetResults())
	return rsp, nil
}

func compositeName(req *fnv1.RunFunctionRequest) string {
	meta := req.GetObserved().GetComposite().GetResource().GetFields()["metadata"].GetStructValue().GetFields()
	return meta["name"].GetStringValue()
}
