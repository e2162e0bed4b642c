package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	sdk "code.gitea.io/sdk/gitea"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/screen"
	"github.com/mainstay-dev/mainstay/test/gitea"
)

const (
	// scenePatience is how long each turn of a merge request may take.
	scenePatience = 2 * time.Minute
	// barWidth in characters, and maxSaid of a message. Why something halted is said in full.
	barWidth = 12
	maxSaid  = 120
)

// A scene is one merge request.
type scene struct {
	*story
	number int64
	head   string
	url    string
	suffix string
	// outcome in words, once there is one.
	outcome string
	// said last of its Change.
	said string
}

// tag of the image that it releases.
func (c *scene) tag() string { return version(c.number) + c.suffix }

// name of its Change.
func (c *scene) name() string { return fmt.Sprintf("%s-%d", forgeRepository, c.number) }

// open a merge request with what an edit makes of the application.
func (s *story) open(ctx context.Context, suffix string, edit func(claim, tag string) (string, error), why string) (*scene, error) {
	author, err := s.forge.as(ctx, developer)
	if err != nil {
		return nil, err
	}
	last, err := lastRequest(author)
	if err != nil {
		return nil, err
	}
	c := &scene{story: s, number: last + 1, suffix: suffix}
	was, _, err := author.GetFile(forgeOrg, forgeRepository, "main", cartFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", cartFile, err)
	}
	becomes, err := edit(string(was), c.tag())
	if err != nil {
		return nil, err
	}
	title, branch := "cart "+c.tag(), branchPrefix+c.tag()
	if err := gitea.Commit(author, forgeOrg, forgeRepository, gitea.Change{
		Branch: branch, From: "main", Message: title, Files: map[string]string{cartFile: becomes}, Over: true, Force: true,
	}); err != nil {
		return nil, err
	}
	pr, _, err := author.CreatePullRequest(forgeOrg, forgeRepository, sdk.CreatePullRequestOption{Head: branch, Base: "main", Title: title, Body: why})
	if err != nil {
		return nil, fmt.Errorf("cannot open merge request: %w", err)
	}
	c.number, c.url, c.head = pr.Index, pr.HTMLURL, pr.Head.Sha
	s.scenes = append(s.scenes, c)
	s.cfg.Log.Print("  %s opens !%d: %s", developer, c.number, c.url)
	return c, nil
}

// lastRequest is the number of the newest merge request, or 0.
func lastRequest(client *sdk.Client) (int64, error) {
	all, _, err := client.ListRepoPullRequests(forgeOrg, forgeRepository, sdk.ListPullRequestsOptions{State: sdk.StateAll, ListOptions: sdk.ListOptions{PageSize: 50}})
	if err != nil {
		return 0, fmt.Errorf("cannot list merge requests: %w", err)
	}
	last := int64(0)
	for _, pr := range all {
		last = max(last, pr.Index)
	}
	return last, nil
}

// leftOpen by a run that did not end.
func (s *story) leftOpen(ctx context.Context) ([]*scene, error) {
	author, err := s.forge.as(ctx, developer)
	if err != nil {
		return nil, err
	}
	open, _, err := author.ListRepoPullRequests(forgeOrg, forgeRepository, sdk.ListPullRequestsOptions{State: sdk.StateOpen, ListOptions: sdk.ListOptions{PageSize: 50}})
	if err != nil {
		return nil, fmt.Errorf("cannot list merge requests: %w", err)
	}
	var out []*scene
	for _, pr := range open {
		if pr.Poster != nil && pr.Poster.UserName == developer && pr.Head != nil && strings.HasPrefix(pr.Head.Ref, branchPrefix) {
			out = append(out, &scene{story: s, number: pr.Index, url: pr.HTMLURL, head: pr.Head.Sha})
		}
	}
	return out, nil
}

// planned waits until the plan can be read in the merge request. Where blocked is not
// empty, the plan must say that it cannot be executed because of that.
func (c *scene) planned(ctx context.Context, blocked string) error {
	is, err := c.until(ctx, "planned, with its plan in a comment", func(is v1alpha1.ChangeObservation) (bool, error) {
		return is.Phase == v1alpha1.ChangePlanned && is.Plan != nil && is.Plan.Shown != nil && is.Plan.HeadSHA == c.head,
			errors.Join(astray(is, v1alpha1.ChangeRefused), began(is))
	})
	if err != nil {
		return err
	}
	if blocked == "" && is.Plan.Blocked != "" || !strings.Contains(is.Plan.Blocked, blocked) {
		return fmt.Errorf("merge request !%d was to be blocked by %q, and is by %q", c.number, blocked, is.Plan.Blocked)
	}
	client, err := c.forge.as(ctx, developer)
	if err != nil {
		return err
	}
	comments, _, err := client.ListIssueComments(forgeOrg, forgeRepository, c.number, sdk.ListIssueCommentOptions{})
	if err != nil {
		return fmt.Errorf("cannot list comments: %w", err)
	}
	for _, comment := range comments {
		if comment.Poster != nil && comment.Poster.UserName == robot && strings.Contains(comment.Body, is.Plan.Digest[:12]) {
			c.cfg.Log.Print("  the plan is in a comment: %s; risk %s", is.Plan.Summary, strings.ToLower(string(is.Plan.Risk)))
			for _, f := range is.Findings {
				weight := "a warning"
				if f.Blocking {
					weight = "must be mended"
				}
				c.cfg.Log.Print("  found before anything was written, %s: %s %s", weight, f.Cause, screen.Safe(f.Message))
			}
			return nil
		}
	}
	return fmt.Errorf("merge request !%d has no comment with plan %s: see %s", c.number, is.Plan.Digest[:12], c.url)
}

func (c *scene) approve(ctx context.Context, who string) error {
	client, err := c.forge.as(ctx, who)
	if err != nil {
		return err
	}
	if _, _, err := client.CreatePullReview(forgeOrg, forgeRepository, c.number, sdk.CreatePullReviewOptions{
		State: sdk.ReviewStateApproved, Body: "Read the plan.", CommitID: c.head,
	}); err != nil {
		return fmt.Errorf("cannot approve merge request !%d as %s: %w", c.number, who, err)
	}
	c.cfg.Log.Print("  %s approves", who)
	return nil
}

func (c *scene) comment(ctx context.Context, who, text string) error {
	client, err := c.forge.as(ctx, who)
	if err != nil {
		return err
	}
	if _, _, err := client.CreateIssueComment(forgeOrg, forgeRepository, c.number, sdk.CreateIssueCommentOption{Body: text}); err != nil {
		return fmt.Errorf("cannot comment on merge request !%d as %s: %w", c.number, who, err)
	}
	c.cfg.Log.Print("  %s comments on !%d: %s", who, c.number, text)
	return nil
}

// close it, as its author.
func (c *scene) close(ctx context.Context) error {
	client, err := c.forge.as(ctx, developer)
	if err != nil {
		return err
	}
	closed := sdk.StateClosed
	if _, _, err := client.EditPullRequest(forgeOrg, forgeRepository, c.number, sdk.EditPullRequestOption{State: &closed}); err != nil {
		return fmt.Errorf("cannot close merge request !%d: %w", c.number, err)
	}
	return nil
}

// abandoned waits until everything is as it was, and the merge request is closed.
func (c *scene) abandoned(ctx context.Context) error {
	if _, err := c.until(ctx, "abandoned", func(is v1alpha1.ChangeObservation) (bool, error) {
		return is.Phase == v1alpha1.ChangeAbandoned, astray(is, v1alpha1.ChangeCompleted)
	}); err != nil {
		return err
	}
	client, err := c.forge.as(ctx, developer)
	if err != nil {
		return err
	}
	pr, _, err := client.GetPullRequest(forgeOrg, forgeRepository, c.number)
	if err != nil {
		return fmt.Errorf("cannot read merge request !%d: %w", c.number, err)
	}
	if pr.State != sdk.StateClosed || pr.HasMerged {
		return fmt.Errorf("merge request !%d was to be closed and not merged, and is %s: see %s", c.number, pr.State, c.url)
	}
	return nil
}

// onMain is nil where the merge request is merged, and main says what it said.
func (c *scene) onMain(ctx context.Context) error {
	client, err := c.forge.as(ctx, developer)
	if err != nil {
		return err
	}
	pr, _, err := client.GetPullRequest(forgeOrg, forgeRepository, c.number)
	if err != nil {
		return fmt.Errorf("cannot read merge request !%d: %w", c.number, err)
	}
	main, _, err := client.GetFile(forgeOrg, forgeRepository, "main", cartFile)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", cartFile, err)
	}
	if !pr.HasMerged || !strings.Contains(string(main), ":"+c.tag()+"\n") {
		return fmt.Errorf("main was to say cart:%s by now: see %s", c.tag(), c.url)
	}
	return nil
}

// told are the commands that can be given now.
func (c *scene) told(next []string) {
	if len(next) > 0 {
		c.cfg.Log.Print("  what can be said to it: %s", strings.Join(next, ", "))
	}
}

// until its Change is where it should be. What it says on the way is printed. It ends with
// an error where the Change goes astray, or takes too long.
func (c *scene) until(ctx context.Context, what string, done func(v1alpha1.ChangeObservation) (bool, error)) (v1alpha1.ChangeObservation, error) {
	is, last := v1alpha1.ChangeObservation{}, error(nil)
	err := wait.PollUntilContextTimeout(ctx, poll, scenePatience, true, func(ctx context.Context) (bool, error) {
		out, err := c.kubectl(ctx, "-n", repositoryNamespace, "get", "changes.m.mainstay.dev", c.name(), "-o", "json")
		if err != nil {
			last = err
			return false, nil
		}
		got := v1alpha1.Change{}
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			return false, fmt.Errorf("cannot read Change: %w", err)
		}
		is, last = got.Status.AtProvider, nil
		if says := line(c.number, is); says != c.said {
			c.cfg.Log.Print("  %s", says)
			c.said = says
		}
		return done(is)
	})
	switch {
	case err == nil:
		return is, nil
	case ctx.Err() != nil:
		return is, ctx.Err()
	case wait.Interrupted(err):
		err = fmt.Errorf("after %s it is %s: %s", scenePatience, is.Phase, is.Message)
	}
	return is, fmt.Errorf("merge request !%d was to be %s: %w; see %s, and: mainstay change show %s -n %s", c.number, what, errors.Join(err, last), c.url, c.name(), repositoryNamespace)
}

// line that shows how a Change is.
func line(number int64, is v1alpha1.ChangeObservation) string {
	phase := string(is.Phase)
	if phase == "" {
		phase = "Seen"
	}
	out := fmt.Sprintf("!%d %s", number, screen.Pad(phase, 10))
	switch is.Phase {
	case v1alpha1.ChangeExecuting, v1alpha1.ChangeSuperseded, v1alpha1.ChangeVerifying, v1alpha1.ChangeMerging, v1alpha1.ChangeCompleted, v1alpha1.ChangeHalted:
		p := is.Progress
		bar := screen.Bar(barWidth, int(p.Clusters),
			screen.Part{Count: int(p.Reached), Mark: "█"}, screen.Part{Count: int(p.Owed), Mark: "?"}, screen.Part{Count: int(p.Failed), Mark: "x"})
		out += " " + strings.TrimRight(screen.Screen{}.Render([]screen.Line{bar}, false), "\n")
	}
	says := []rune(screen.Safe(is.Message))
	if len(says) > maxSaid && is.Phase != v1alpha1.ChangeHalted {
		says = append(says[:maxSaid], '…')
	}
	return strings.TrimRight(out+" "+string(says), " ")
}
