package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/internal/tenancy"
	"github.com/mainstay-dev/mainstay/provider/target"
	"github.com/mainstay-dev/mainstay/test/fleet"
)

// floorWorkers is how many requests the floor has under way.
const floorWorkers = 16

// floor is the least that anybody has to do: one server-side apply of each object on
// each cluster, over connections that are open, without reading anything.
func (b *bench) floor(ctx context.Context, objects []unstructured.Unstructured) (use, error) {
	if err := b.connect(ctx); err != nil {
		return use{}, err
	}
	var err error
	bodies := make([][]byte, len(objects))
	for i := range objects {
		if bodies[i], err = json.Marshal(objects[i].Object); err != nil {
			return use{}, fmt.Errorf("cannot encode object: %w", err)
		}
	}
	var own time.Duration
	u, err := b.metered(ctx, func() error {
		before, err := cpuOf(os.Getpid())
		if err != nil {
			return err
		}
		if err := b.sendAll(ctx, objects, bodies); err != nil {
			return err
		}
		own, err = cpuOf(os.Getpid())
		own -= before
		return err
	})
	if err != nil {
		return use{}, err
	}
	u.cpu[procFloor] = own // Not what it takes to wait afterwards.
	return u, nil
}

// sendAll objects to all clusters.
func (b *bench) sendAll(ctx context.Context, objects []unstructured.Unstructured, bodies [][]byte) error {
	queue := make(chan connection)
	errs := make(chan error, floorWorkers)
	var wg sync.WaitGroup
	for range floorWorkers {
		wg.Go(func() {
			for j := range queue {
				for i := range objects {
					if err := send(ctx, j.client, j.host, &objects[i], bodies[i]); err != nil {
						select {
						case errs <- err:
						default:
						}
					}
				}
			}
		})
	}
	for _, j := range b.connections {
		queue <- j
	}
	close(queue)
	wg.Wait()
	close(errs)
	return <-errs
}

// A connection to a cluster, as the tenant.
type connection struct {
	client *http.Client
	host   string
}

// connect to all clusters, once.
func (b *bench) connect(ctx context.Context) error {
	if len(b.connections) > 0 {
		return nil
	}
	for i := range b.Clusters {
		s := &corev1.Secret{}
		if err := b.Hub.Get(ctx, client.ObjectKey{Namespace: fleet.Platform, Name: fleet.ClusterName(i) + ".kubeconfig"}, s); err != nil {
			return fmt.Errorf("cannot get kubeconfig: %w", err)
		}
		cfg, err := target.ParseKubeconfig(s.Data[target.KubeconfigKey])
		if err != nil {
			return err
		}
		cfg.Impersonate = rest.ImpersonationConfig{UserName: tenancy.User(fleet.Tenant), Groups: []string{tenancy.Group}}
		h, err := rest.HTTPClientFor(cfg)
		if err != nil {
			return fmt.Errorf("cannot make client: %w", err)
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, cfg.Host+"/readyz", nil)
		if err != nil {
			return fmt.Errorf("cannot make request: %w", err)
		}
		rsp, err := h.Do(r)
		if err != nil {
			return fmt.Errorf("cannot reach cluster: %w", err)
		}
		_ = rsp.Body.Close()
		b.connections = append(b.connections, connection{h, cfg.Host})
	}
	return nil
}

func send(ctx context.Context, c *http.Client, host string, o *unstructured.Unstructured, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPatch, host+pathOf(o)+"?fieldManager=floor&force=true", strings.NewReader(string(body)))
	if err != nil {
		return fmt.Errorf("cannot make request: %w", err)
	}
	r.Header.Set("Content-Type", "application/apply-patch+yaml")
	rsp, err := c.Do(r)
	if err != nil {
		return fmt.Errorf("cannot apply: %w", err)
	}
	defer rsp.Body.Close() //nolint:errcheck // It was only read.
	// A client that goes on reads the answer.
	if err := json.NewDecoder(rsp.Body).Decode(&map[string]any{}); err != nil || rsp.StatusCode > 299 {
		return fmt.Errorf("cannot apply %s: %s: %w", o.GetName(), rsp.Status, err)
	}
	return nil
}

func pathOf(o *unstructured.Unstructured) string {
	prefix := "/apis/" + o.GetAPIVersion()
	if o.GetAPIVersion() == "v1" {
		prefix = "/api/v1"
	}
	return prefix + "/namespaces/" + fleet.Tenant + "/" + strings.ToLower(o.GetKind()) + "s/" + o.GetName()
}
