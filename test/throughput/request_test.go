package throughput

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	sdk "code.gitea.io/sdk/gitea"
	appsv1 "k8s.io/api/apps/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/apiserver"
	"github.com/mainstay-dev/mainstay/test/gitea"
)

// A request is one merge request, and all that became of it.
type request struct {
	wish
	number int64

	opened time.Time
	lead   time.Duration
	// met another one at the same claim, and was rebased so often by its author.
	met     bool
	rebased int

	ended, merged bool
	epoch         int64
	content       string
	timeline      []v1alpha1.ChangeMoment
	// wrong is what is not as it should be.
	wrong []string
}

// A team opens merge requests, approves them, and gives up those that fail.
type team struct {
	*world

	mu sync.Mutex
	// open merge requests by claim, and those that may have written and were not looked at yet.
	open, moving map[string]int
	done         []*request
}

func (m *team) count(in map[string]int, claim string, by int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	in[claim] += by
	return in[claim]
}

func (m *team) as(ctx context.Context, who string) (*sdk.Client, error) {
	return m.gitea.Client(ctx, m.tokens[who])
}

// see one merge request from its first commit to its end.
func (m *team) see(ctx context.Context, wish wish) (r *request, err error) {
	r = &request{wish: wish, opened: time.Now()}
	r.met = m.count(m.open, r.name, 1) > 1
	defer m.count(m.open, r.name, -1)
	ada, err := m.as(ctx, author)
	if err != nil {
		return r, err
	}
	bob, err := m.as(ctx, reviewer)
	if err != nil {
		return r, err
	}
	if err := m.push(ada, r); err != nil {
		return r, err
	}
	pr, _, err := ada.CreatePullRequest(organization, name, sdk.CreatePullRequestOption{Head: r.tag, Base: "main", Title: r.name + " " + r.tag, Body: "A release."})
	if err != nil {
		return r, fmt.Errorf("cannot open merge request: %w", err)
	}
	r.number = pr.Index
	return r, m.follow(ctx, r, bob, ada)
}

// push the commit of a merge request, onto what main is now.
func (m *team) push(ada *sdk.Client, r *request) error {
	return gitea.Commit(ada, organization, name, gitea.Change{
		Branch: r.tag, From: "main", Message: r.name + " " + r.tag, Files: map[string]string{r.file(): r.manifest(r.tag)}, Over: true, Force: true,
	})
}

// follow its Change: approve each plan, rebase where another one was merged first, give up
// where it halts.
func (m *team) follow(ctx context.Context, r *request, bob, ada *sdk.Client) error {
	moves, approved, gaveUp, rebasedOf := false, "", false, ""
	defer func() {
		if moves {
			m.count(m.moving, r.name, -1)
		}
	}()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		c := &v1alpha1.Change{}
		err := m.cache.Get(ctx, client.ObjectKey{Namespace: shop, Name: fmt.Sprintf("%s-%d", name, r.number)}, c)
		if kerrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		is := c.Status.AtProvider
		r.epoch, r.timeline = max(r.epoch, is.Epoch), is.Timeline
		if is.Epoch > 0 && !moves {
			moves = true
			m.count(m.moving, r.name, 1)
		}
		switch is.Phase {
		case v1alpha1.ChangePlanned:
			p := is.Plan
			if p == nil || p.Shown == nil || approved == p.HeadSHA+p.Digest {
				continue
			}
			if _, _, err := bob.CreatePullReview(organization, name, r.number, sdk.CreatePullReviewOptions{State: sdk.ReviewStateApproved, Body: "Read.", CommitID: p.HeadSHA}); err != nil {
				r.problem("cannot approve: %v", err)
				continue
			}
			approved = p.HeadSHA + p.Digest
		case v1alpha1.ChangeRefused:
			// Another one of this claim was merged. It is looked at before this one goes on.
			if rebasedOf == is.Request.HeadSHA || m.count(m.moving, r.name, 0) > 0 {
				continue
			}
			rebasedOf = is.Request.HeadSHA
			r.rebased++
			if err := m.push(ada, r); err != nil {
				return err
			}
		case v1alpha1.ChangeHalted:
			if gaveUp {
				continue
			}
			if r.fails == "" {
				r.problem("it halted: %s", is.Message)
			}
			if _, _, err := bob.CreateIssueComment(organization, name, r.number, sdk.CreateIssueCommentOption{Body: "/abandon"}); err != nil {
				return fmt.Errorf("cannot comment: %w", err)
			}
			gaveUp = true
		case v1alpha1.ChangeAbandoned:
			r.ended, r.lead = true, time.Since(r.opened)
			if r.fails == "" && len(r.wrong) == 0 {
				r.problem("it was given up: %s", is.Message)
			}
			return nil
		case v1alpha1.ChangeCompleted:
			r.ended, r.merged, r.lead = true, true, time.Since(r.opened)
			if r.fails != "" {
				r.problem("it fails on every cluster, and was merged")
			}
			if is.Merged == nil || is.Merged.Untrue != "" || is.Merged.By != "" {
				r.problem("it was not merged as it should be: %+v", is.Merged)
			}
			return m.look(ctx, r)
		}
	}
}

func (r *request) problem(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// look at every cluster of a merge request that has just been merged: it runs what was merged.
func (m *team) look(ctx context.Context, r *request) error {
	var wrong []string
	for i := r.first; i < r.first+r.clusters; i++ {
		content, err := m.runs(ctx, i, r.wish)
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: %v", clusterName(i), err))
			continue
		}
		if r.content == "" {
			r.content = content
		}
		if content != r.content {
			wrong = append(wrong, clusterName(i)+" runs something else than the others")
		}
	}
	if len(wrong) > 0 {
		r.problem("merged, and not true on %d of %d clusters: %s", len(wrong), r.clusters, wrong[0])
	}
	return nil
}

// runs is what a cluster has, as long as it is a release, and healthy.
func (m *team) runs(ctx context.Context, i int, w wish) (content string, err error) {
	u, err := m.deployment(ctx, i, w.name)
	if err != nil {
		return "", err
	}
	containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
	image := ""
	if len(containers) > 0 {
		if c, ok := containers[0].(map[string]any); ok {
			image, _ = c["image"].(string)
		}
	}
	if want := "registry.example.org/shop/" + w.name + ":" + w.tag; image != want {
		return "", fmt.Errorf("it runs %q, want %q", image, want)
	}
	wanted, _, _ := unstructured.NestedInt64(u.Object, "spec", "replicas")
	ready, _, _ := unstructured.NestedInt64(u.Object, "status", "readyReplicas")
	updated, _, _ := unstructured.NestedInt64(u.Object, "status", "updatedReplicas")
	seen, _, _ := unstructured.NestedInt64(u.Object, "status", "observedGeneration")
	if ready < wanted || updated < wanted || seen < u.GetGeneration() {
		return "", errors.New("it is not healthy")
	}
	return apiserver.ContentOf(u), nil
}

// deployment of an application on a cluster, as the cluster itself says.
func (w *world) deployment(ctx context.Context, i int, app string) (*unstructured.Unstructured, error) {
	cl, err := w.simulator.Get(ctx, platform, clusterName(i))
	if err != nil {
		return nil, err
	}
	if cl == nil {
		return nil, errors.New("there is no such cluster")
	}
	gvk := appsv1.SchemeGroupVersion.WithKind("Deployment")
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(gvk, meta.RESTScopeNamespace)
	c, err := client.New(w.simulator.Config(cl), client.Options{Mapper: mapper})
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	return u, c.Get(ctx, client.ObjectKey{Namespace: shop, Name: app}, u)
}
