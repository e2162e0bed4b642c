package hooks

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
)

// A Listener serves a Handler for as long as a manager runs. Every replica listens, so that
// a forge never finds one that does not; what one hears that is not the leader is lost, and
// polling finds it.
type Listener struct {
	Handler http.Handler
	// Address to listen on.
	Address string
	// Certificate and Key are files, in PEM. Without them it is plain HTTP, for a proxy that
	// ends HTTPS. They are read again when they change.
	Certificate, Key string
}

// NeedLeaderElection is false: every replica listens.
func (l *Listener) NeedLeaderElection() bool { return false }

// closing is how long deliveries that have begun may take to end.
const closing = 5 * time.Second

// Start listening, until the context ends.
func (l *Listener) Start(ctx context.Context) error {
	at, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.Address)
	if err != nil {
		return fmt.Errorf("cannot listen for webhooks: %w", err)
	}
	return l.Serve(ctx, at)
}

// Serve what comes to a listener, until the context ends.
func (l *Listener) Serve(ctx context.Context, at net.Listener) error {
	s := &http.Server{
		Handler:           l.Handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       patience,
		WriteTimeout:      patience + closing,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	if l.Certificate != "" {
		w, err := certwatcher.New(l.Certificate, l.Key)
		if err != nil {
			return errors.Join(fmt.Errorf("cannot read the certificate of webhooks: %w", err), at.Close())
		}
		go func() { _ = w.Start(ctx) }() // What it cannot watch it has read once.
		at = tls.NewListener(at, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: w.GetCertificate, NextProtos: []string{"h2", "http/1.1"}})
	}
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
		defer cancel()
		ended <- s.Shutdown(ctx)
	}()
	if err := s.Serve(at); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot take webhooks: %w", err)
	}
	return <-ended
}
