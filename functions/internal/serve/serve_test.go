package serve

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/crossplane/function-sdk-go/logging"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"github.com/crossplane/function-sdk-go/resource"
)

func TestRunFunction(t *testing.T) {
	answer := &fnv1.RunFunctionResponse{Meta: &fnv1.ResponseMeta{Tag: "t"}}
	cases := map[string]struct {
		reason string
		run    Run
		want   string
	}{
		"Answers": {reason: "The answer is passed on.", run: func(*fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) { return answer, nil }},
		"Fails":   {reason: "So is an error.", run: func(*fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) { return nil, errors.New("boom") }, want: "boom"},
		"Crashes": {
			reason: "A crash is an error of one request.",
			run: func(req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
				return nil, []error{}[len(req.GetContext().GetFields())]
			},
			want: "cannot run function: it crashed: ",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			req := &fnv1.RunFunctionRequest{Observed: &fnv1.State{Composite: &fnv1.Resource{Resource: resource.MustStructJSON(`{"metadata": {"name": "x"}}`)}}}
			rsp, err := New(tc.run, logging.NewNopLogger()).RunFunction(context.Background(), req)
			if (err == nil) != (tc.want == "") || err != nil && !strings.HasPrefix(err.Error(), tc.want) {
				t.Fatalf("%s\nwant error %q, got %v", tc.reason, tc.want, err)
			}
			if err == nil && rsp != answer {
				t.Errorf("%s\ngot %v", tc.reason, rsp)
			}
		})
	}
}

func TestServe(t *testing.T) {
	// The port is free a moment later, too: nobody else is told of it.
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f := &flags{Network: "tcp", Address: address, Insecure: true, MaxRecvMessageSize: 4}
	failed := make(chan error, 1)
	go func() {
		failed <- f.serve("test", func(req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
			return &fnv1.RunFunctionResponse{Meta: &fnv1.ResponseMeta{Tag: req.GetMeta().GetTag()}}, nil
		})
	}()

	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	rsp, err := fnv1.NewFunctionRunnerServiceClient(conn).RunFunction(ctx, &fnv1.RunFunctionRequest{Meta: &fnv1.RequestMeta{Tag: "hello"}}, grpc.WaitForReady(true))
	if err != nil {
		select {
		case err := <-failed:
			t.Fatalf("cannot serve: %v", err)
		default:
			t.Fatal(err)
		}
	}
	if got := rsp.GetMeta().GetTag(); got != "hello" {
		t.Errorf("want hello, got %q", got)
	}
}

func TestServeWithoutCredentials(t *testing.T) {
	f := &flags{Network: "tcp", Address: "127.0.0.1:0", MaxRecvMessageSize: 4, Debug: true}
	if err := f.serve("test", nil); err == nil {
		t.Error("want an error: neither certificates nor --insecure")
	}
}
