// Package backendtest holds the conformance suite of backends: what package backend
// promises beyond its signatures. A backend conforms when it passes on real
// clusters; there is nothing here to pretend with.
//
// One run is one story of two clusters, told in steps, because clusters take
// seconds to make. A step that fails ends it.
package backendtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mainstay-dev/mainstay/provider/backend"
)

const (
	// patience is how long anything may take that is waited for.
	patience = 90 * time.Second
	poll     = 100 * time.Millisecond
	// quick is how long a call may take, as a controller waits for it.
	quick = 20 * time.Second
)

// A Harness connects the suite to a backend.
type Harness struct {
	// New returns a backend, each time on the same world, as after a restart of the
	// provider.
	New func(t *testing.T) backend.Backend
	// Cluster returns how cluster 0 or 1 is asked for, without a version.
	Cluster func(t *testing.T, i int) backend.Cluster
	// Kill makes a cluster stop answering, without the backend being asked.
	Kill func(t *testing.T, i int)
	// Revive makes it answer again. Nil where EnsureCluster does.
	Revive func(t *testing.T, i int)
	// Makes is true where the backend makes clusters and nodes, and false where it
	// adopts clusters with nodes of their own.
	Makes bool
	// OtherVersion of Kubernetes is one that the clusters cannot be of.
	OtherVersion string
}

// Run the suite.
func Run(t *testing.T, h Harness) {
	s := &suite{h: h, b: h.New(t)}
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"Absent", s.absent},
		{"VersionThatIsNotThere", s.versionThatIsNotThere},
		{"Ensure", s.ensure},
		{"EnsureAgain", s.ensureAgain},
		{"EnsureAtOnce", s.ensureAtOnce},
		{"Version", s.version},
		{"Apart", s.apart},
		{"NodePools", s.nodePools},
		{"Restart", s.restart},
		{"Unreachable", s.unreachable},
		{"Repair", s.repair},
		{"DeleteUnreachable", s.deleteUnreachable},
		{"MakeAgain", s.makeAgain},
		{"Delete", s.delete},
	} {
		if !t.Run(step.name, step.run) {
			return
		}
	}
}

type suite struct {
	h Harness
	b backend.Backend
	// ready is the state of cluster 0 once it is.
	ready backend.ClusterState
}

// absent: deleting what is not there is no error, and it stays so.
func (s *suite) absent(t *testing.T) {
	if !s.h.Makes {
		return
	}
	c := s.h.Cluster(t, 0)
	s.remove(t, 0)
	if diff := cmp.Diff(backend.ClusterState{}, s.observe(t, c)); diff != "" {
		t.Errorf("ObserveCluster(...) of no cluster: -want, +got:\n%s", diff)
	}
	p := pool(c, 1)
	st, err := s.b.ObserveNodePool(t.Context(), p)
	if diff := cmp.Diff(backend.NodePoolState{}, st); diff != "" || err != nil {
		t.Errorf("ObserveNodePool(...) of no cluster: %v, -want, +got:\n%s", err, diff)
	}
	if err := s.b.DeleteNodePool(t.Context(), p); err != nil {
		t.Errorf("DeleteNodePool(...) of no cluster: %v", err)
	}
	if err := s.b.EnsureNodePool(t.Context(), p); err == nil || backend.IsInvalid(err) {
		t.Errorf("EnsureNodePool(...) of no cluster: want an error that may pass, got %v", err)
	}
}

// versionThatIsNotThere: it is refused for good, and nothing is begun.
func (s *suite) versionThatIsNotThere(t *testing.T) {
	c := s.h.Cluster(t, 0)
	c.Version = s.h.OtherVersion
	if err := s.b.EnsureCluster(t.Context(), c); !backend.IsInvalid(err) {
		t.Errorf("EnsureCluster(...) of version %s: want an InvalidError, got %v", c.Version, err)
	}
	if s.h.Makes && s.observe(t, c).Exists {
		t.Errorf("ObserveCluster(...) after version %s was refused: the cluster exists", c.Version)
	}
}

// ensure: both clusters get ready, and say what they are.
func (s *suite) ensure(t *testing.T) {
	for i := range 2 {
		s.ensureCluster(t, s.h.Cluster(t, i))
	}
	for i := range 2 {
		st := s.await(t, i, "ready", isReady)
		if !st.Exists || !st.UpToDate || st.Version == "" || st.Endpoint == "" || st.Message != "" {
			st.Kubeconfig = nil
			t.Errorf("ObserveCluster(...) of a ready cluster: got %+v", st)
		}
		v, err := s.client(t, st).Discovery().ServerVersion()
		if err != nil || v.GitVersion != st.Version {
			t.Errorf("Version of cluster %d: want %s, got %v, %v", i, st.Version, v, err)
		}
	}
	s.ready = s.observe(t, s.h.Cluster(t, 0))
}

// ensureAgain: what is there stays as it is.
func (s *suite) ensureAgain(t *testing.T) {
	for range 3 {
		s.ensureCluster(t, s.h.Cluster(t, 0))
	}
	s.same(t)
}

// ensureAtOnce: a cluster and its node pools have controllers of their own, which may ask
// for things at the same time.
func (s *suite) ensureAtOnce(t *testing.T) {
	c := s.h.Cluster(t, 0)
	errs, wg := make([]error, 4), sync.WaitGroup{}
	for i := range errs {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), quick)
			defer cancel()
			if errs[i] = s.b.EnsureCluster(ctx, c); errs[i] == nil {
				_, errs[i] = s.b.ObserveCluster(ctx, c)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Errorf("EnsureCluster(...), at the same time as others: %v", err)
		}
	}
	s.same(t)
}

// version: a ready cluster is not touched because another version is asked for.
func (s *suite) version(t *testing.T) {
	c := s.h.Cluster(t, 0)
	c.Version = s.ready.Version
	s.ensureCluster(t, c)
	if st := s.observe(t, c); !st.UpToDate || !st.Ready {
		t.Errorf("ObserveCluster(...) of its own version: up to date %t, ready %t", st.UpToDate, st.Ready)
	}
	c.Version = s.h.OtherVersion
	if err := s.b.EnsureCluster(t.Context(), c); !backend.IsInvalid(err) {
		t.Errorf("EnsureCluster(...) of version %s: want an InvalidError, got %v", c.Version, err)
	}
	if st := s.observe(t, c); st.UpToDate || !st.Ready {
		t.Errorf("ObserveCluster(...) of version %s: up to date %t, ready %t", c.Version, st.UpToDate, st.Ready)
	}
	s.same(t)
}

// apart: what is on one cluster is not on the other.
func (s *suite) apart(t *testing.T) {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "apart"}}
	if _, err := s.client(t, s.ready).CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatalf("Cannot create namespace with the kubeconfig: %v", err)
	}
	if s.has(t, 1, ns.Name) {
		t.Errorf("Namespace of cluster 0 is on cluster 1")
	}
}

// restart: a backend that knows nothing finds the same.
func (s *suite) restart(t *testing.T) {
	s.b = s.h.New(t)
	s.same(t)
	s.ensureCluster(t, s.h.Cluster(t, 0))
	s.same(t)
}

// unreachable is a state that says why, in words that stay the same.
func (s *suite) unreachable(t *testing.T) {
	s.h.Kill(t, 0)
	before, now := backend.ClusterState{}, s.ready
	err := wait.PollUntilContextTimeout(t.Context(), poll, patience, true, func(context.Context) (bool, error) {
		before, now = now, s.observe(t, s.h.Cluster(t, 0))
		return !now.Ready && cmp.Equal(before, now), nil
	})
	if err != nil {
		t.Fatalf("Cluster that was killed does not settle: %v: -before, +now:\n%s", err, cmp.Diff(before, now))
	}
	if !now.Exists || now.Message == "" {
		t.Errorf("ObserveCluster(...) of an unreachable cluster: exists %t, message %q", now.Exists, now.Message)
	}
	if st := s.observe(t, s.h.Cluster(t, 1)); !st.Ready {
		t.Errorf("ObserveCluster(...) of the other cluster: not ready: %s", st.Message)
	}
	if !s.h.Makes {
		return
	}
	// Nodes of it can be had again, later.
	ctx, cancel := context.WithTimeout(t.Context(), quick)
	defer cancel()
	if err := s.b.EnsureNodePool(ctx, pool(s.h.Cluster(t, 0), 1)); err == nil || backend.IsInvalid(err) {
		t.Errorf("EnsureNodePool(...) of an unreachable cluster: want an error that may pass, got %v", err)
	}
}

// repair: the same cluster comes back, with what was on it.
func (s *suite) repair(t *testing.T) {
	if s.h.Revive != nil {
		s.h.Revive(t, 0)
	}
	s.ensureCluster(t, s.h.Cluster(t, 0))
	s.await(t, 0, "ready", isReady)
	s.same(t)
	if !s.has(t, 0, "apart") {
		t.Errorf("Namespace is gone from the cluster that was unreachable")
	}
}

// deleteUnreachable: a cluster goes whether it answers or not, alone, and a second
// time without complaint.
func (s *suite) deleteUnreachable(t *testing.T) {
	s.h.Kill(t, 0)
	s.remove(t, 0)
	s.remove(t, 0)
	if st := s.observe(t, s.h.Cluster(t, 1)); !st.Ready {
		t.Errorf("ObserveCluster(...) of the other cluster: not ready: %s", st.Message)
	}
}

// makeAgain: a cluster that was deleted and is made again is a new one, and one
// that was let go of and is adopted again is the old one.
func (s *suite) makeAgain(t *testing.T) {
	if s.h.Revive != nil {
		s.h.Revive(t, 0)
	}
	s.ensureCluster(t, s.h.Cluster(t, 0))
	s.await(t, 0, "ready", isReady)
	if got := s.has(t, 0, "apart"); got == s.h.Makes {
		t.Errorf("Namespace of the cluster that was deleted: want it there: %t, got %t", !s.h.Makes, got)
	}
}

func (s *suite) delete(t *testing.T) {
	for i := range 2 {
		s.remove(t, i)
	}
}

func (s *suite) ensureCluster(t *testing.T, c backend.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), quick)
	defer cancel()
	if err := s.b.EnsureCluster(ctx, c); err != nil {
		t.Fatalf("EnsureCluster(...): %v", err)
	}
}

// remove deletes a cluster as a controller does: until it is not there.
func (s *suite) remove(t *testing.T, i int) {
	t.Helper()
	c := s.h.Cluster(t, i)
	err := wait.PollUntilContextTimeout(t.Context(), poll, patience, true, func(ctx context.Context) (bool, error) {
		if err := s.b.DeleteCluster(ctx, c); err != nil {
			return false, err
		}
		st, err := s.b.ObserveCluster(ctx, c)
		return !st.Exists, err
	})
	if err != nil {
		t.Fatalf("Cluster %d does not go: %v", i, err)
	}
}

func (s *suite) observe(t *testing.T, c backend.Cluster) backend.ClusterState {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), quick)
	defer cancel()
	st, err := s.b.ObserveCluster(ctx, c)
	if err != nil {
		t.Fatalf("ObserveCluster(...): %v", err)
	}
	return st
}

// await ensures what is not up to date, as a controller does.
func (s *suite) await(t *testing.T, i int, what string, ok func(backend.ClusterState) bool) backend.ClusterState {
	t.Helper()
	c := s.h.Cluster(t, i)
	last := backend.ClusterState{}
	err := wait.PollUntilContextTimeout(t.Context(), poll, patience, true, func(context.Context) (bool, error) {
		last = s.observe(t, c)
		if ok(last) {
			return true, nil
		}
		if !last.UpToDate {
			s.ensureCluster(t, c)
		}
		return false, nil
	})
	if err != nil {
		t.Fatalf("Cluster %d is not %s: %s: %v", i, what, last.Message, err)
	}
	return last
}

// same fails where cluster 0 is not what it was when it was first ready.
func (s *suite) same(t *testing.T) {
	t.Helper()
	if diff := cmp.Diff(s.ready, s.observe(t, s.h.Cluster(t, 0))); diff != "" {
		t.Errorf("ObserveCluster(...): -as it was, +got:\n%s", diff)
	}
}

func (s *suite) has(t *testing.T, i int, namespace string) bool {
	t.Helper()
	_, err := s.client(t, s.observe(t, s.h.Cluster(t, i))).CoreV1().Namespaces().Get(t.Context(), namespace, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatalf("Cannot get namespace of cluster %d: %v", i, err)
	}
	return err == nil
}

func (s *suite) client(t *testing.T, st backend.ClusterState) kubernetes.Interface {
	t.Helper()
	cfg, err := clientcmd.RESTConfigFromKubeConfig(st.Kubeconfig)
	if err != nil {
		t.Fatalf("Kubeconfig cannot be used: %v", err)
	}
	c, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatalf("Cannot make client: %v", err)
	}
	return c
}

func isReady(s backend.ClusterState) bool { return s.Ready }
