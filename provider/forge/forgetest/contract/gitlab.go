package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/forge/forgetest"
)

const (
	glProject = "/api/v4/projects/{project}"
	glRequest = glProject + "/merge_requests/{number}"
	// Ids of the project and of the author's fork.
	glHome, glFork = 1, 2
)

// NewGitLab returns a World that speaks GitLab's REST API, version 4.
func NewGitLab(t *testing.T, driver forge.Driver) *World {
	t.Helper()
	s := newServer(t)
	s.who = func(r *http.Request) string { return r.Header.Get("Private-Token") }
	s.headers = func(r *http.Request) error {
		if r.Header.Get("Private-Token") == "" {
			return fmt.Errorf("it has no token")
		}
		return nil
	}
	s.message = func(code int, text string) any {
		if code == http.StatusUnauthorized {
			return map[string]any{"message": "401 Unauthorized"}
		}
		return map[string]any{"message": fmt.Sprintf("%d %s", code, text)}
	}
	s.on("GET /api/v4/user", noRights, "", func(c *call) { c.give(http.StatusOK, glUser(c.person)) })
	glRequests(s)
	glNotes(s)
	glApprovals(s)
	glGroups(s)
	glStatuses(s)
	glSettings(s)
	s.repo.deliver = func(h hook, number int64, kind string) { glDeliver(t, s, h, number, kind) }
	return &World{s: s, driver: driver}
}

// onProject is an operation on the project, which paths name by its full name; on any
// other there is nothing.
func (s *server) onProject(operation string, rights int, query string, answer func(*call)) {
	s.on(operation, rights, query, func(c *call) {
		switch p := c.r.PathValue("project"); p {
		case FullName, fmt.Sprint(glHome), fmt.Sprint(glFork):
			answer(c)
		default:
			if !strings.HasSuffix(p, "-that-is-not-there") {
				c.t.Errorf("contract: project %q", p)
			}
			c.refuse(http.StatusNotFound, "Project Not Found")
		}
	})
}

func glUser(name string) map[string]any { return map[string]any{"username": name, "state": "active"} }

func glTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

func glMerge(r *Repository, q *request) map[string]any {
	source := glHome
	if q.fork {
		source = glFork
	}
	state := map[string]string{"open": "opened", "closed": "closed", "merged": "merged"}[q.state]
	detail := "mergeable"
	switch {
	case q.draft:
		detail = "draft_status"
	case r.conflicts(q):
		detail = "conflict"
	case len(r.failing(q)) > 0:
		detail = "ci_must_pass"
	}
	out := map[string]any{
		"iid": q.number, "title": q.title, "description": q.body, "author": glUser(q.author), "state": state, "draft": q.draft,
		"source_branch": strings.TrimPrefix(q.head, "fork:"), "target_branch": q.base, "sha": q.headSHA,
		"source_project_id": source, "target_project_id": glHome, "labels": []string{},
		"web_url":    fmt.Sprintf("https://gitlab.example/%s/-/merge_requests/%d", FullName, q.number),
		"created_at": glTime(q.created), "updated_at": glTime(q.updated), "merge_commit_sha": nil, "merge_user": nil,
		"detailed_merge_status": detail, "has_conflicts": q.state == "open" && r.conflicts(q),
	}
	if q.state == "merged" {
		out["merge_commit_sha"], out["merge_user"], out["merged_at"] = q.merged, glUser(q.mergedBy), glTime(q.updated)
	}
	return out
}

func glRequests(s *server) {
	s.onProject("GET "+glProject+"/merge_requests", mayRead, "state target_branch order_by sort page per_page", func(c *call) {
		q := c.r.URL.Query()
		if q.Get("state") != "opened" || q.Get("order_by") != "created_at" || q.Get("sort") != "asc" {
			c.t.Errorf("contract: merge requests are asked for by %v", q)
		}
		out := []map[string]any{}
		for _, one := range c.repo.requests {
			if one.state == "open" && (q.Get("target_branch") == "" || q.Get("target_branch") == one.base) {
				out = append(out, glMerge(c.repo, one))
			}
		}
		paged(c, out)
	})
	s.onProject("GET "+glRequest, mayRead, "", func(c *call) { c.give(http.StatusOK, glMerge(c.repo, c.q)) })
	s.onProject("PUT "+glRequest, mayWrite, "", func(c *call) {
		var body struct {
			Event string `json:"state_event"`
		}
		c.take(&body)
		_, there := c.repo.branches[c.q.head]
		// What cannot happen does not, and is no error.
		switch {
		case body.Event == "close" && c.q.state == "open":
			c.q.state = "closed"
		case body.Event == "reopen" && c.q.state == "closed" && there:
			c.q.state = "open"
		}
		c.q.updated = c.repo.tick()
		c.give(http.StatusOK, glMerge(c.repo, c.q))
		c.after = func() { c.repo.notify(c.q.number, "request") }
	})
	s.onProject("PUT "+glRequest+"/merge", mayRead, "", glAccept)
	s.onProject("GET "+glRequest+"/diffs", mayRead, "page per_page", func(c *call) {
		diff := c.repo.diff(c.repo.branches[c.q.base], c.q.headSHA)
		out := []map[string]any{}
		for _, p := range slices.Sorted(maps.Keys(diff)) {
			out = append(out, map[string]any{
				"old_path": p, "new_path": p, "diff": "@@", "renamed_file": false,
				"new_file": diff[p] == "added", "deleted_file": diff[p] == "removed",
			})
		}
		paged(c, out)
	})
}

func glAccept(c *call) {
	var body struct {
		SHA     string `json:"sha"`
		Squash  bool   `json:"squash"`
		Message string `json:"merge_commit_message"`
		Squashd string `json:"squash_commit_message"`
	}
	c.take(&body)
	if body.SHA == "" {
		c.t.Errorf("contract: a merge of any head")
	}
	switch {
	case c.repo.people[c.person] < mayWrite:
		// As for a wrong token.
		c.refuse(http.StatusUnauthorized, "Unauthorized")
	case c.q.state != "open" || c.q.draft || len(c.repo.failing(c.q)) > 0:
		c.refuse(http.StatusMethodNotAllowed, "Method Not Allowed")
	case body.SHA != c.q.headSHA:
		c.refuse(http.StatusConflict, "SHA does not match HEAD of source branch: "+c.q.headSHA)
	case c.repo.conflicts(c.q):
		c.refuse(http.StatusUnprocessableEntity, "Branch cannot be merged")
	default:
		c.repo.accept(c.q, c.person, body.Squash)
		c.give(http.StatusOK, glMerge(c.repo, c.q))
		c.after = func() { c.repo.notify(c.q.number, "request") }
	}
}

func glNote(v *comment) map[string]any {
	return map[string]any{"id": v.id, "body": v.body, "author": glUser(v.author), "system": v.system, "created_at": glTime(v.created), "updated_at": glTime(v.updated)}
}

func glNotes(s *server) {
	s.onProject("GET "+glRequest+"/notes", mayRead, "order_by sort page per_page", func(c *call) {
		if q := c.r.URL.Query(); q.Get("order_by") != "created_at" || q.Get("sort") != "desc" {
			c.t.Errorf("contract: notes are asked for by %v", q)
		}
		out := []map[string]any{}
		for _, v := range c.q.comments {
			out = append(out, glNote(v))
		}
		slices.Reverse(out)
		paged(c, out)
	})
	text := func(c *call) string {
		var body struct {
			Body string `json:"body"`
		}
		c.take(&body)
		return body.Body
	}
	s.onProject("POST "+glRequest+"/notes", mayRead, "", func(c *call) {
		c.give(http.StatusCreated, glNote(c.repo.say(c.q, c.person, text(c))))
		c.after = func() { c.repo.notify(c.q.number, "comment") }
	})
	s.onProject("GET "+glRequest+"/notes/{id}", mayRead, "", func(c *call) {
		if v := c.comment(); v != nil {
			c.give(http.StatusOK, glNote(v))
		}
	})
	s.onProject("PUT "+glRequest+"/notes/{id}", mayRead, "", func(c *call) {
		if v := c.comment(); v != nil {
			if v.author != c.person {
				c.t.Errorf("contract: %s edits a note of %s", c.person, v.author)
			}
			v.body, v.updated = text(c), c.repo.tick()
			c.give(http.StatusOK, glNote(v))
		}
	})
}

func glApprovals(s *server) {
	s.onProject("GET "+glRequest+"/approvals", mayRead, "", func(c *call) {
		out := []map[string]any{}
		for _, v := range c.q.lastReviews() {
			if v.verdict == "approved" {
				out = append(out, map[string]any{"user": glUser(v.author)})
			}
		}
		c.give(http.StatusOK, map[string]any{"approved": len(out) > 0, "approved_by": out})
	})
	s.onProject("GET "+glRequest+"/reviewers", mayRead, "", func(c *call) {
		out := []map[string]any{}
		for _, v := range c.q.lastReviews() {
			state := map[string]string{"approved": "approved", "changes-requested": "requested_changes", "dismissed": "unapproved"}[v.verdict]
			out = append(out, map[string]any{"user": glUser(v.author), "state": state, "created_at": glTime(c.q.created)})
		}
		c.give(http.StatusOK, out)
	})
	s.onProject("GET "+glRequest+"/versions", mayRead, "page per_page", func(c *call) {
		out := []map[string]any{}
		for i, v := range c.q.versions {
			out = append(out, map[string]any{"id": 100 + i, "head_commit_sha": v.sha, "created_at": glTime(v.at), "state": "collected"})
		}
		slices.Reverse(out)
		paged(c, out)
	})
	s.onProject("GET "+glProject+"/members/all", mayRead, "query page per_page", func(c *call) {
		out := []map[string]any{}
		for _, p := range slices.Sorted(maps.Keys(c.repo.people)) {
			level := []int{0, 20, 30, 40}[c.repo.people[p]]
			// All whose name is like it.
			if level > 0 && strings.Contains(p, c.r.URL.Query().Get("query")[:1]) {
				out = append(out, map[string]any{"username": p, "state": "active", "access_level": level})
			}
		}
		paged(c, out)
	})
}

// glGroups: their own members, whom an administrator may have blocked, and who may have next to no rights.
func glGroups(s *server) {
	s.on("GET /api/v4/groups/{group}/members", noRights, "page per_page", func(c *call) {
		owner, team, _ := strings.Cut(c.r.PathValue("group"), "/")
		all := c.members(owner, team)
		out := []map[string]any{
			{"username": "blocked", "state": "blocked", "access_level": 30},
			{"username": "minimal", "state": "active", "access_level": 5},
		}
		for _, p := range all {
			out = append(out, map[string]any{"username": p, "state": "active", "access_level": 20})
		}
		if all != nil {
			paged(c, out)
		}
	})
}

func glStatuses(s *server) {
	s.onProject("GET "+glProject+"/repository/commits/{sha}/statuses", mayRead, "page per_page", func(c *call) {
		last := map[string]status{}
		for _, v := range c.repo.statuses[c.r.PathValue("sha")] {
			last[v.context] = v
		}
		out := []map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(last)) {
			v := last[name]
			state := map[string]string{"failure": "failed"}[v.state]
			if state == "" {
				state = v.state
			}
			out = append(out, map[string]any{"id": v.id, "name": v.context, "status": state, "description": v.description, "target_url": v.to})
		}
		paged(c, out)
	})
	s.onProject("POST "+glProject+"/statuses/{sha}", mayWrite, "", func(c *call) {
		var body struct {
			State       string `json:"state"`
			Name        string `json:"name"`
			Description string `json:"description"`
			TargetURL   string `json:"target_url"`
		}
		c.take(&body)
		sha := c.r.PathValue("sha")
		state := map[string]string{"pending": "pending", "success": "success", "failed": "failure"}[body.State]
		if c.repo.commits[sha].files == nil {
			c.refuse(http.StatusNotFound, "Commit Not Found")
			return
		}
		for _, v := range slices.Backward(c.repo.statuses[sha]) {
			if v.context == body.Name {
				if v.state == state {
					c.refuse(http.StatusBadRequest, fmt.Sprintf("Bad request - Cannot transition status via :enqueue from :%s", body.State))
					return
				}
				break
			}
		}
		if state == "" {
			c.t.Errorf("contract: status %q", body.State)
		}
		c.repo.statuses[sha] = append(c.repo.statuses[sha], status{c.repo.id(), body.Name, state, body.Description, body.TargetURL})
		c.give(http.StatusCreated, map[string]any{"status": body.State, "name": body.Name})
	})
}

func glSettings(s *server) {
	s.onProject("GET "+glProject, mayRead, "", func(c *call) {
		name := FullName
		if c.r.PathValue("project") == fmt.Sprint(glFork) {
			name = forgetest.Author + "/claims"
		}
		c.give(http.StatusOK, map[string]any{"path_with_namespace": name, "only_allow_merge_if_pipeline_succeeds": c.repo.mustPass})
	})
	s.onProject("PUT "+glProject, mayAdmin, "", func(c *call) {
		var body struct {
			MustPass bool `json:"only_allow_merge_if_pipeline_succeeds"`
		}
		c.take(&body)
		c.repo.mustPass = body.MustPass
		c.give(http.StatusOK, map[string]any{"path_with_namespace": FullName})
	})
	s.onProject("GET "+glProject+"/repository/branches/{branch}", mayRead, "", func(c *call) {
		b := c.r.PathValue("branch")
		if _, ok := c.repo.branches[b]; !ok {
			c.refuse(http.StatusNotFound, "Branch Not Found")
			return
		}
		c.give(http.StatusOK, map[string]any{"name": b, "protected": c.repo.guarded[b]})
	})
	s.onProject("POST "+glProject+"/protected_branches", mayAdmin, "", func(c *call) {
		var body struct {
			Name  string `json:"name"`
			Push  int    `json:"push_access_level"`
			Merge int    `json:"merge_access_level"`
		}
		c.take(&body)
		if c.repo.guarded[body.Name] {
			c.refuse(http.StatusConflict, "Protected branch '"+body.Name+"' already exists")
			return
		}
		c.repo.guarded[body.Name] = true
		c.give(http.StatusCreated, map[string]any{"name": body.Name})
	})
	s.onProject("GET "+glProject+"/hooks", mayAdmin, "page per_page", func(c *call) {
		out := []map[string]any{}
		for _, h := range c.repo.hooks {
			out = append(out, map[string]any{"id": h.id, "url": h.url})
		}
		paged(c, out)
	})
	s.onProject("POST "+glProject+"/hooks", mayAdmin, "", func(c *call) {
		h := &hook{id: c.repo.id()}
		c.repo.hooks = append(c.repo.hooks, h)
		c.glHook(h, http.StatusCreated)
	})
	s.onProject("PUT "+glProject+"/hooks/{id}", mayAdmin, "", func(c *call) {
		for _, h := range c.repo.hooks {
			if fmt.Sprint(h.id) == c.r.PathValue("id") {
				c.glHook(h, http.StatusOK)
				return
			}
		}
		c.refuse(http.StatusNotFound, "Not Found")
	})
}

// glHook takes what a webhook is to be.
func (c *call) glHook(h *hook, code int) {
	var body struct {
		URL    string `json:"url"`
		Token  string `json:"token"`
		Push   bool   `json:"push_events"`
		Merge  bool   `json:"merge_requests_events"`
		Note   bool   `json:"note_events"`
		Verify bool   `json:"enable_ssl_verification"`
	}
	c.take(&body)
	if body.Token == "" || !body.Verify {
		c.t.Errorf("contract: a webhook without a token, or that does not verify")
	}
	h.url, h.secret = body.URL, body.Token
	h.events = map[string]bool{"push": body.Push, "request": body.Merge, "review": body.Merge, "comment": body.Note}
	c.give(code, map[string]any{"id": h.id, "url": h.url})
}

// glDeliver a webhook.
func glDeliver(t *testing.T, s *server, h hook, number int64, kind string) {
	s.repo.mu.Lock()
	delivery := fmt.Sprintf("13792a34-cac6-4fda-95a8-%012d", s.repo.id())
	s.repo.mu.Unlock()
	payload := map[string]any{"project": map[string]any{"path_with_namespace": FullName}, "delivered": delivery}
	event := "Merge Request Hook"
	switch {
	case kind == "comment":
		event = "Note Hook"
		payload["object_kind"], payload["merge_request"] = "note", map[string]any{"iid": number}
	case number == 0:
		event = "Push Hook"
		payload["object_kind"] = "push"
	default:
		payload["object_kind"], payload["object_attributes"] = "merge_request", map[string]any{"iid": number}
	}
	body, err := json.Marshal(payload)
	if err != nil {
		t.Error(err)
	}
	post(t, h.url, body, map[string]string{
		"X-Gitlab-Event": event, "X-Gitlab-Token": h.secret, "X-Gitlab-Event-UUID": delivery,
		"X-Gitlab-Webhook-UUID": "6205e138-b296-4fb1-b643-000000000001", "Idempotency-Key": delivery,
	})
}
