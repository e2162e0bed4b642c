package contract

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

const ghAPI = "/api/v3/repos/" + FullName

// NewGitHub returns a World that speaks GitHub's REST API of 2022-11-28, as GitHub
// Enterprise serves it.
func NewGitHub(t *testing.T, driver forge.Driver) *World {
	t.Helper()
	s := newServer(t)
	s.who = func(r *http.Request) string {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			t.Errorf("contract: %s: no bearer token", r.URL.Path)
		}
		return token
	}
	s.headers = func(r *http.Request) error {
		// The mux cannot tell issues/comments/{id} from issues/{number}/comments.
		r.URL.Path = strings.Replace(r.URL.Path, "/issues/comments/", "/comments-of-issues/", 1)
		switch {
		case !strings.HasPrefix(r.Header.Get("Accept"), "application/vnd.github."):
			return errors.New("it does not accept GitHub's media type")
		case r.Header.Get("X-Github-Api-Version") != "2022-11-28":
			return errors.New("it names no version of the API")
		case r.Header.Get("User-Agent") == "":
			return errors.New("it has no user agent, which GitHub refuses")
		}
		return nil
	}
	s.message = func(code int, text string) any {
		return map[string]any{"message": text, "status": fmt.Sprint(code), "documentation_url": "https://docs.github.com/rest"}
	}
	s.on("GET /api/v3/user", noRights, "", func(c *call) { c.give(http.StatusOK, ghUser(c.person)) })
	s.on("GET "+ghAPI, mayRead, "", func(c *call) { c.give(http.StatusOK, map[string]any{"full_name": FullName}) })
	s.on("GET "+ghAPI+"/collaborators/{user}/permission", mayWrite, "", ghPermission)
	ghRequests(s)
	ghComments(s)
	ghStatuses(s)
	ghSettings(s)
	s.repo.deliver = func(h hook, number int64, kind string) { ghDeliver(t, s, h, number, kind) }
	return &World{s: s, driver: driver}
}

func ghUser(name string) map[string]any { return map[string]any{"login": name, "type": "User"} }

func ghTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func ghPermission(c *call) {
	right, ok := c.repo.people[c.r.PathValue("user")]
	if !ok {
		c.refuse(http.StatusNotFound, "Not Found")
		return
	}
	c.give(http.StatusOK, map[string]any{"permission": []string{"none", "read", "write", "admin"}[right], "user": ghUser(c.r.PathValue("user"))})
}

// ghPull is a pull request; whole tells what lists leave out.
func ghPull(r *Repository, q *request, whole bool) map[string]any {
	name, head := FullName, strings.TrimPrefix(q.head, "fork:")
	if q.fork {
		name = q.author + "/claims"
	}
	state := "open"
	if q.state != "open" {
		state = "closed"
	}
	out := map[string]any{
		"number": q.number, "title": q.title, "body": q.body, "user": ghUser(q.author), "state": state, "draft": q.draft,
		"head":     map[string]any{"ref": head, "sha": q.headSHA, "repo": map[string]any{"full_name": name}},
		"base":     map[string]any{"ref": q.base, "repo": map[string]any{"full_name": FullName}},
		"html_url": fmt.Sprintf("https://github.example/%s/pull/%d", FullName, q.number),
		"labels":   []any{}, "created_at": ghTime(q.created), "updated_at": ghTime(q.updated),
		"merged_at": nil,
		// Of a trial, until it is merged.
		"merge_commit_sha": strings.Repeat("f", 40),
	}
	if q.state == "merged" {
		out["merged_at"], out["merge_commit_sha"] = ghTime(q.updated), q.merged
	}
	if whole {
		out["merged"], out["mergeable"] = q.state == "merged", nil
		if q.state == "open" {
			out["mergeable"] = !r.conflicts(q)
		}
		if q.mergedBy != "" {
			out["merged_by"] = ghUser(q.mergedBy)
		}
	}
	return out
}

func ghRequests(s *server) {
	s.on("GET "+ghAPI+"/pulls", mayRead, "state base sort direction page per_page", func(c *call) {
		q := c.r.URL.Query()
		if q.Get("state") != "open" || q.Get("sort") != "created" || q.Get("direction") != "asc" {
			c.t.Errorf("contract: pulls are asked for by %v", q)
		}
		out := []map[string]any{}
		for _, one := range c.repo.requests {
			if one.state == "open" && (q.Get("base") == "" || q.Get("base") == one.base) {
				out = append(out, ghPull(c.repo, one, false))
			}
		}
		paged(c, out)
	})
	s.on("GET "+ghAPI+"/pulls/{number}", mayRead, "", func(c *call) { c.give(http.StatusOK, ghPull(c.repo, c.q, true)) })
	s.on("PATCH "+ghAPI+"/pulls/{number}", mayWrite, "", ghEdit)
	s.on("PUT "+ghAPI+"/pulls/{number}/merge", mayRead, "", ghMerge)
	s.on("GET "+ghAPI+"/pulls/{number}/files", mayRead, "page per_page", func(c *call) {
		diff := c.repo.diff(c.repo.branches[c.q.base], c.q.headSHA)
		out := []map[string]any{}
		for _, p := range slices.Sorted(maps.Keys(diff)) {
			out = append(out, map[string]any{"filename": p, "status": diff[p], "patch": "@@"})
		}
		// GitHub lists no more.
		paged(c, out[:min(len(out), 3000)])
	})
	s.on("GET "+ghAPI+"/pulls/{number}/reviews", mayRead, "page per_page", func(c *call) {
		out := []map[string]any{}
		for _, v := range c.q.reviews {
			state := map[string]string{"approved": "APPROVED", "changes-requested": "CHANGES_REQUESTED", "dismissed": "DISMISSED"}[v.verdict]
			out = append(out, map[string]any{"id": v.id, "user": ghUser(v.author), "state": state, "commit_id": v.sha, "submitted_at": ghTime(v.at)})
		}
		paged(c, out)
	})
}

func ghEdit(c *call) {
	var body struct {
		State string `json:"state"`
	}
	c.take(&body)
	_, there := c.repo.branches[c.q.head]
	switch {
	case c.q.state == "merged" && body.State == "open", body.State == "open" && !there:
		c.refuse(http.StatusUnprocessableEntity, "Validation Failed: state cannot be changed")
		return
	case body.State != "open" && body.State != "closed":
		c.t.Errorf("contract: state %q", body.State)
	}
	if c.q.state != "merged" {
		c.q.state, c.q.updated = body.State, c.repo.tick()
	}
	c.give(http.StatusOK, ghPull(c.repo, c.q, true))
	c.after = func() { c.repo.notify(c.q.number, "request") }
}

func ghMerge(c *call) {
	var body struct {
		Message string `json:"commit_message"`
		Title   string `json:"commit_title"`
		Method  string `json:"merge_method"`
		SHA     string `json:"sha"`
	}
	c.take(&body)
	if !slices.Contains([]string{"merge", "squash", "rebase"}, body.Method) || body.SHA == "" {
		c.t.Errorf("contract: merge of %q by %q", body.SHA, body.Method)
	}
	switch {
	case c.repo.people[c.person] < mayWrite:
		c.refuse(http.StatusForbidden, "Resource not accessible by personal access token")
	case c.q.state != "open":
		c.refuse(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	case body.SHA != c.q.headSHA:
		c.refuse(http.StatusConflict, "Head branch was modified. Review and try the merge again.")
	case c.q.draft:
		c.refuse(http.StatusMethodNotAllowed, "Pull Request is still a draft")
	case c.repo.conflicts(c.q):
		c.refuse(http.StatusMethodNotAllowed, "Pull Request has merge conflicts")
	case len(c.repo.failing(c.q)) > 0:
		c.refuse(http.StatusMethodNotAllowed, "Required status checks are expected.")
	default:
		c.repo.accept(c.q, c.person, body.Method == "squash")
		c.give(http.StatusOK, map[string]any{"sha": c.q.merged, "merged": true, "message": "Pull Request successfully merged"})
		c.after = func() { c.repo.notify(c.q.number, "request") }
	}
}

func ghComment(v *comment) map[string]any {
	return map[string]any{"id": v.id, "user": ghUser(v.author), "body": v.body, "created_at": ghTime(v.created), "updated_at": ghTime(v.updated)}
}

func ghComments(s *server) {
	s.on("GET "+ghAPI+"/issues/{number}/comments", mayRead, "since page per_page", func(c *call) {
		since := time.Time{}
		if v := c.r.URL.Query().Get("since"); v != "" {
			var err error
			if since, err = time.Parse(time.RFC3339, v); err != nil {
				c.t.Errorf("contract: since: %v", err)
			}
		}
		out := []map[string]any{}
		for _, v := range c.q.comments {
			if !v.system && !v.updated.Before(since) {
				out = append(out, ghComment(v))
			}
		}
		paged(c, out)
	})
	s.on("POST "+ghAPI+"/issues/{number}/comments", mayRead, "", func(c *call) {
		var body struct {
			Body string `json:"body"`
		}
		c.take(&body)
		c.give(http.StatusCreated, ghComment(c.repo.say(c.q, c.person, body.Body)))
		c.after = func() { c.repo.notify(c.q.number, "comment") }
	})
	s.on("GET "+ghAPI+"/comments-of-issues/{id}", mayRead, "", func(c *call) {
		if v := c.comment(); v != nil {
			c.give(http.StatusOK, ghComment(v))
		}
	})
	s.on("PATCH "+ghAPI+"/comments-of-issues/{id}", mayRead, "", func(c *call) {
		var body struct {
			Body string `json:"body"`
		}
		c.take(&body)
		if v := c.comment(); v != nil {
			if v.author != c.person {
				c.t.Errorf("contract: %s edits a comment of %s", c.person, v.author)
			}
			v.body, v.updated = body.Body, c.repo.tick()
			c.give(http.StatusOK, ghComment(v))
		}
	})
}

// comment that the path names, or nil once that is refused.
func (c *call) comment() *comment {
	for _, q := range c.repo.requests {
		if c.q != nil && c.q != q {
			continue
		}
		for _, v := range q.comments {
			if fmt.Sprint(v.id) == c.r.PathValue("id") {
				return v
			}
		}
	}
	c.refuse(http.StatusNotFound, "Not Found")
	return nil
}

func ghStatuses(s *server) {
	s.on("GET "+ghAPI+"/commits/{sha}/statuses", mayRead, "page per_page", func(c *call) {
		out := []map[string]any{}
		for _, v := range c.repo.statuses[c.r.PathValue("sha")] {
			out = append(out, map[string]any{"id": v.id, "context": v.context, "state": v.state, "description": v.description, "target_url": v.to})
		}
		// Newest first.
		slices.Reverse(out)
		paged(c, out)
	})
	s.on("POST "+ghAPI+"/statuses/{sha}", mayWrite, "", func(c *call) {
		var body struct {
			State       string `json:"state"`
			Context     string `json:"context"`
			Description string `json:"description"`
			TargetURL   string `json:"target_url"`
		}
		c.take(&body)
		sha := c.r.PathValue("sha")
		switch {
		case c.repo.commits[sha].files == nil:
			c.refuse(http.StatusUnprocessableEntity, "No commit found for SHA: "+sha)
			return
		case !slices.Contains([]string{"pending", "success", "failure", "error"}, body.State) || len([]rune(body.Description)) > 140:
			c.t.Errorf("contract: status %q of %d characters", body.State, len(body.Description))
		}
		c.repo.statuses[sha] = append(c.repo.statuses[sha], status{c.repo.id(), body.Context, body.State, body.Description, body.TargetURL})
		c.give(http.StatusCreated, map[string]any{"state": body.State, "context": body.Context})
	})
}
