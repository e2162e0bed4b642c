package controlplane_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/backend/local/controlplane"
)

func TestWaitReady(t *testing.T) {
	bin := backendtest.Binaries(t)
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e := controlplane.NewEtcd(filepath.Join(dir, "etcd"), bin)
	c := controlplane.New(controlplane.Config{Name: "x", Dir: filepath.Join(dir, "x"), Binaries: bin, Etcd: e, Prefix: "/x"})
	if err := c.WaitReady(ctx); err != nil {
		t.Errorf("c.WaitReady(...): %v", err)
	}
	if err := c.Destroy(ctx); err != nil {
		t.Errorf("c.Destroy(...): %v", err)
	}
	if err := e.Destroy(ctx); err != nil {
		t.Errorf("e.Destroy(...): %v", err)
	}
}
