package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/test/fleet"
)

// peerGroup is the group of the peer's kinds: the namespaced ones, which its version 1
// recommends for Crossplane 2.
const peerGroup = "kubernetes.m.crossplane.io"

// procPeer is the part of the peer.
const procPeer = "provider-kubernetes"

// A peer is provider-kubernetes, which delivers the same objects to some of the same
// clusters: an Object on the hub for each manifest and cluster, applied there as
// Crossplane core applies what it composes. All of its flags are as it ships.
//
// It is given what favours it: its first contact with each cluster, when it reads all
// their schemas, is not measured, and where one object of ten changes it is only told
// of that one.
type peer struct {
	*bench

	clusters int
	seen     client.Reader
}

// peer runs the scenarios in which a peer can be compared. It must be the last: what it
// needs alone it stops Mainstay's provider for.
func (b *bench) peer(ctx context.Context) error {
	if !b.Peer {
		return nil
	}
	if _, err := os.Stat(filepath.Join(b.Binaries, procPeer)); err != nil {
		b.notes = append(b.notes, "No peer was measured: `make peer` has not built it.")
		return nil
	}
	if err := b.connect(ctx); err != nil {
		return err
	}
	b.notes = append(b.notes, b.memory())
	if err := b.StopProvider(ctx); err != nil {
		return fmt.Errorf("cannot stop provider: %w", err)
	}
	p := &peer{bench: b, clusters: min(b.PeerClusters, b.Clusters)}
	b.connections = b.connections[:p.clusters]
	if err := p.start(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := p.look(ctx); err != nil {
		return err
	}
	if _, err := p.change(ctx, "warm", 0, 0, 10); err != nil {
		return err
	}
	for _, measure := range []func(context.Context) error{p.create, p.update, p.idle, p.remove} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	b.notes = append(b.notes, fmt.Sprintf("Peak memory of provider-kubernetes: %d MiB, with %d Objects.", b.peak(procPeer), p.objects()))
	if err := p.clear(ctx); err != nil {
		return err
	}
	return p.stop(ctx)
}

// objects that there are on the hub before any is removed.
func (p *peer) objects() int { return (p.Rounds + 1) * 10 * p.clusters }

func (p *peer) create(ctx context.Context) error {
	return p.turns("S1 create 10 objects", 10, func(i int) (f, u use, err error) {
		if f, err = p.floor(ctx, fleet.Payload("peerfloor"+strconv.Itoa(i), 0, 0)); err != nil {
			return
		}
		u, err = p.change(ctx, "peer"+strconv.Itoa(i), 0, 0, 10)
		return
	})
}

func (p *peer) update(ctx context.Context) error {
	for _, of := range []int{10, 1} {
		if _, err := p.floor(ctx, fleet.Payload("peerfloor0", 10*of, of)); err != nil {
			return err
		}
		if _, err := p.change(ctx, "peer0", 10*of, of, 10); err != nil {
			return err
		}
		err := p.turns(fmt.Sprintf("S2 change %d of 10", of), of, func(i int) (f, u use, err error) {
			version := 10*of + i + 1
			if f, err = p.floor(ctx, fleet.Payload("peerfloor0", version, of)[:of]); err != nil {
				return
			}
			u, err = p.change(ctx, "peer0", version, of, of)
			return
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *peer) idle(ctx context.Context) error {
	u, err := p.measured(ctx, func() error { return nil }, "a minute to pass", passed(time.Minute))
	if err != nil {
		return err
	}
	p.row(row{title: fmt.Sprintf("S5 one minute, %d Objects, nothing to do", p.objects()), idle: true, rollout: []use{u}})
	return nil
}

func (p *peer) remove(ctx context.Context) error {
	u, err := p.measured(ctx, func() error { return p.delete(ctx, client.MatchingLabels{appLabel: "peer0"}) },
		"the Objects to be gone", p.gone(client.MatchingLabels{appLabel: "peer0"}))
	if err != nil {
		return err
	}
	p.row(row{title: "S8 remove 10 objects", objects: 10, rollout: []use{u}})
	return nil
}

// clear what is left.
func (p *peer) clear(ctx context.Context) error {
	if err := p.delete(ctx); err != nil {
		return err
	}
	return p.Await(ctx, "all Objects to be gone", p.gone())
}

// turns of the floor and of the peer.
func (p *peer) turns(title string, objects int, fn func(round int) (floor, peer use, err error)) error {
	r := row{title: title, objects: objects}
	for i := range p.Rounds {
		f, u, err := fn(i)
		if err != nil {
			return err
		}
		r.floor, r.rollout = append(r.floor, f), append(r.rollout, u)
	}
	p.row(r)
	return nil
}

func (p *peer) row(r row) {
	r.title = fmt.Sprintf("provider-kubernetes, %d clusters: %s", p.clusters, r.title)
	r.peer, r.clusters = true, p.clusters
	p.rows = append(p.rows, r)
}

// configure the peer with the kubeconfigs of the clusters, acting as the tenant does.
func (p *peer) configure(ctx context.Context) error {
	for i := range p.clusters {
		s := &corev1.Secret{}
		if err := p.Hub.Get(ctx, client.ObjectKey{Namespace: fleet.Platform, Name: fleet.ClusterName(i) + ".kubeconfig"}, s); err != nil {
			return fmt.Errorf("cannot get kubeconfig: %w", err)
		}
		raw, err := asTenant(s.Data)
		if err != nil {
			return err
		}
		name := peerConfig(i)
		if err := p.Hub.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: fleet.Platform, Name: name}, Data: raw}); err != nil {
			return fmt.Errorf("cannot create kubeconfig: %w", err)
		}
		pc := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": peerGroup + "/v1alpha1", "kind": "ClusterProviderConfig", "metadata": map[string]any{"name": name},
			"spec": map[string]any{"credentials": map[string]any{
				"source": "Secret", "secretRef": map[string]any{"namespace": fleet.Platform, "name": name, "key": "kubeconfig"},
			}},
		}}
		if err := p.Hub.Create(ctx, pc); err != nil {
			return fmt.Errorf("cannot create configuration: %w", err)
		}
	}
	return nil
}

func peerConfig(i int) string { return "peer-c" + strconv.Itoa(i) }

// peerWrites on the hub, of the peer's own kinds: those of whoever composes are among
// them, as those to Rollouts are in Mainstay's.
func (r row) peerWrites(u use) string {
	n := u.hubWrites[peerGroup]
	if r.idle {
		return fmt.Sprintf("%d in all", n)
	}
	each := float64(n) / float64(r.clusters)
	return fmt.Sprintf("%.2f (%.1f per object)", each, each/float64(r.objects))
}
