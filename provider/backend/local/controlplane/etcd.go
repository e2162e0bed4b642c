package controlplane

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

const nameEtcd = "etcd"

// etcdQuota is how much etcd holds, in bytes, before it takes no more.
const etcdQuota = "8589934592"

// etcdTimeout bounds one request to etcd.
const etcdTimeout = 10 * time.Second

// An Etcd keeps the objects of many control planes. It holds no state: two values
// with one directory are the same etcd, also in two programs. It does not wait for
// the disk: what it was told last may be lost if the machine loses power, not if
// etcd is killed.
type Etcd struct {
	dir      string
	binaries string
}

// NewEtcd returns an etcd that may or may not exist yet. Its directory must be
// absolute, and nobody else's. The other one is where the program etcd is.
func NewEtcd(dir, binaries string) *Etcd { return &Etcd{dir: dir, binaries: binaries} }

// EnsureRunning starts etcd where it does not run. It does not wait for it.
func (e *Etcd) EnsureRunning(ctx context.Context) error {
	unlock, err := statedir.Lock(ctx, e.dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := e.pki().ensure(); err != nil {
		return err
	}
	if err := e.ports().ensure(ctx, e.Running(), portEtcdClient, portEtcdPeer); err != nil {
		return err
	}
	return process.Ensure(ctx, e.spec())
}

// Running returns true where the process is there.
func (e *Etcd) Running() bool { return process.Observe(e.spec()).Running }

// DeletePrefix deletes all keys that begin with a prefix, once etcd answers.
func (e *Etcd) DeletePrefix(ctx context.Context, prefix string) error {
	// The end of the range is the key after the last that has the prefix.
	end := []byte(prefix)
	end[len(end)-1]++
	in := map[string][]byte{"key": []byte(prefix), "range_end": end}
	if err := e.waitAnswer(ctx, "/v3/kv/deleterange", in); err != nil {
		return fmt.Errorf("cannot delete objects of control plane: %w", err)
	}
	return nil
}

// Stop ends the process and keeps the data.
func (e *Etcd) Stop(ctx context.Context) error {
	unlock, err := statedir.LockExisting(ctx, e.dir)
	if errors.Is(err, statedir.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	return process.Stop(ctx, e.dir, nameEtcd)
}

// Destroy removes all there is: the process, the data of all control planes, the
// files. That there is nothing is no error.
func (e *Etcd) Destroy(ctx context.Context) error {
	unlock, err := statedir.LockExisting(ctx, e.dir)
	if errors.Is(err, statedir.ErrGone) {
		return statedir.Remove(e.dir)
	}
	if err != nil {
		return err
	}
	defer unlock()
	if err := process.Stop(ctx, e.dir, nameEtcd); err != nil {
		return err
	}
	return statedir.Remove(e.dir)
}

func (e *Etcd) spec() process.Spec {
	client, peer := e.endpoint(), endpoint(e.ports().get(portEtcdPeer))
	pki := e.pki()
	return process.Spec{
		Dir:  e.dir,
		Name: nameEtcd,
		Path: filepath.Join(e.binaries, nameEtcd),
		Args: []string{
			"--name=mainstay",
			"--data-dir=" + filepath.Join(e.dir, "data"),
			"--listen-client-urls=" + client,
			"--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer,
			"--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=mainstay=" + peer,
			"--client-cert-auth=true",
			"--trusted-ca-file=" + pki.ca(),
			"--cert-file=" + pki.serverCert(),
			"--key-file=" + pki.serverKey(),
			"--peer-client-cert-auth=true",
			"--peer-trusted-ca-file=" + pki.ca(),
			"--peer-cert-file=" + pki.serverCert(),
			"--peer-key-file=" + pki.serverKey(),
			"--quota-backend-bytes=" + etcdQuota,
			"--unsafe-no-fsync",
			"--log-level=warn",
		},
		Env:   []string{eagerGC},
		Files: []string{pki.ca(), pki.serverCert(), pki.serverKey()},
	}
}

// waitAnswer posts a request until it is answered: etcd may have just been started.
func (e *Etcd) waitAnswer(ctx context.Context, path string, in any) error {
	ctx, cancel := context.WithTimeout(ctx, etcdTimeout)
	defer cancel()
	t := time.NewTicker(readyPoll)
	defer t.Stop()
	for {
		err := e.post(ctx, path, in)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-t.C:
		}
	}
}

func (e *Etcd) post(ctx context.Context, path string, in any) error {
	cfg, err := e.pki().clientTLS()
	if err != nil {
		return err
	}
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("cannot encode request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.endpoint()+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("cannot make request: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}}
	rsp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach etcd: %w", err)
	}
	defer rsp.Body.Close() //nolint:errcheck // It was only read.
	if _, err := io.Copy(io.Discard, rsp.Body); err != nil {
		return fmt.Errorf("cannot read answer of etcd: %w", err)
	}
	if rsp.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd answered %s", rsp.Status)
	}
	return nil
}

func (e *Etcd) endpoint() string { return endpoint(e.ports().get(portEtcdClient)) }

func (e *Etcd) ports() ports { return ports{file: filepath.Join(e.dir, filePorts)} }

func (e *Etcd) pki() pki { return pki{dir: filepath.Join(e.dir, "pki"), client: true} }
