package contract

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
)

func ghSettings(s *server) {
	s.on("GET /api/v3/orgs/{org}/teams/{team}/members", noRights, "page per_page", func(c *call) {
		all := c.members(c.r.PathValue("org"), c.r.PathValue("team"))
		out := []map[string]any{}
		for _, p := range all {
			out = append(out, map[string]any{"login": p})
		}
		if all != nil {
			paged(c, out)
		}
	})
	s.on("GET "+ghAPI+"/branches/{branch}", mayRead, "", func(c *call) {
		b := c.r.PathValue("branch")
		if _, ok := c.repo.branches[b]; !ok {
			c.refuse(http.StatusNotFound, "Branch not found")
			return
		}
		c.give(http.StatusOK, map[string]any{"name": b, "protected": c.repo.guarded[b]})
	})
	s.on("GET "+ghAPI+"/branches/{branch}/protection", mayAdmin, "", func(c *call) {
		b := c.r.PathValue("branch")
		if !c.repo.guarded[b] {
			c.refuse(http.StatusNotFound, "Branch not protected")
			return
		}
		c.give(http.StatusOK, map[string]any{"required_status_checks": map[string]any{"strict": false, "contexts": c.repo.contexts[b]}})
	})
	s.on("PUT "+ghAPI+"/branches/{branch}/protection", mayAdmin, "", func(c *call) {
		var body struct {
			Checks *struct {
				Strict   bool     `json:"strict"`
				Contexts []string `json:"contexts"`
			} `json:"required_status_checks"`
			Reviews      any  `json:"required_pull_request_reviews"`
			Admins       bool `json:"enforce_admins"`
			Restrictions any  `json:"restrictions"`
		}
		c.take(&body)
		b := c.r.PathValue("branch")
		if c.repo.guarded[b] || body.Checks == nil {
			c.t.Errorf("contract: the protection of %s is replaced", b)
			return
		}
		c.repo.guarded[b], c.repo.contexts[b] = true, body.Checks.Contexts
		c.give(http.StatusOK, map[string]any{})
	})
	s.on("PATCH "+ghAPI+"/branches/{branch}/protection/required_status_checks", mayAdmin, "", func(c *call) {
		var body struct {
			Contexts []string `json:"contexts"`
		}
		c.take(&body)
		b := c.r.PathValue("branch")
		for _, had := range c.repo.contexts[b] {
			if !slices.Contains(body.Contexts, had) {
				c.t.Errorf("contract: context %s is taken away", had)
			}
		}
		c.repo.contexts[b] = body.Contexts
		c.give(http.StatusOK, map[string]any{"strict": false, "contexts": body.Contexts})
	})
	s.on("GET "+ghAPI+"/hooks", mayAdmin, "page per_page", func(c *call) {
		out := []map[string]any{}
		for _, h := range c.repo.hooks {
			out = append(out, map[string]any{"id": h.id, "active": true, "config": map[string]any{"url": h.url, "secret": "********"}})
		}
		paged(c, out)
	})
	s.on("POST "+ghAPI+"/hooks", mayAdmin, "", func(c *call) {
		h := &hook{id: c.repo.id()}
		c.repo.hooks = append(c.repo.hooks, h)
		c.ghHook(h, http.StatusCreated)
	})
	s.on("PATCH "+ghAPI+"/hooks/{id}", mayAdmin, "", func(c *call) {
		for _, h := range c.repo.hooks {
			if fmt.Sprint(h.id) == c.r.PathValue("id") {
				c.ghHook(h, http.StatusOK)
				return
			}
		}
		c.refuse(http.StatusNotFound, "Not Found")
	})
}

// ghHook takes what a webhook is to be.
func (c *call) ghHook(h *hook, code int) {
	var body struct {
		Name   string   `json:"name"`
		Active bool     `json:"active"`
		Events []string `json:"events"`
		Config struct {
			URL    string `json:"url"`
			Type   string `json:"content_type"`
			Secret string `json:"secret"`
		} `json:"config"`
	}
	c.take(&body)
	if body.Config.Type != "json" || body.Config.Secret == "" || !body.Active {
		c.t.Errorf("contract: a webhook without JSON, secret or life")
	}
	kinds := map[string]string{"push": "push", "pull_request": "request", "issue_comment": "comment", "pull_request_review": "review"}
	h.url, h.secret, h.events = body.Config.URL, body.Config.Secret, map[string]bool{}
	for _, e := range body.Events {
		if kinds[e] == "" {
			c.t.Errorf("contract: event %q", e)
		}
		h.events[kinds[e]] = true
	}
	c.give(code, map[string]any{"id": h.id})
}

// ghDeliver a webhook.
func ghDeliver(t *testing.T, s *server, h hook, number int64, kind string) {
	s.repo.mu.Lock()
	delivery := fmt.Sprintf("72d3162e-cc78-11e3-81ab-%012d", s.repo.id())
	s.repo.mu.Unlock()
	repository := map[string]any{"full_name": FullName}
	pull := map[string]any{"number": number}
	event := map[string]string{"push": "push", "request": "pull_request", "comment": "issue_comment", "review": "pull_request_review"}[kind]
	payload := map[string]any{"repository": repository, "delivered": delivery}
	switch kind {
	case "push":
		// A push to a pull request is told as both.
		if number > 0 {
			event = "pull_request"
			payload["action"], payload["number"], payload["pull_request"] = "synchronize", number, pull
		}
	case "comment":
		payload["issue"] = map[string]any{"number": number, "pull_request": map[string]any{"url": "u"}}
	case "review":
		payload["pull_request"] = pull
	default:
		payload["number"], payload["pull_request"] = number, pull
	}
	body, err := json.Marshal(payload)
	if err != nil {
		t.Error(err)
	}
	m := hmac.New(sha256.New, []byte(h.secret))
	m.Write(body)
	post(t, h.url, body, map[string]string{
		"X-GitHub-Event": event, "X-GitHub-Delivery": delivery,
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(m.Sum(nil)),
	})
}

// post what a forge delivers. Whoever listened may be gone.
func post(t *testing.T, url string, body []byte, headers map[string]string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body)) //nolint:noctx // A forge delivers in its own time, also after a test.
	if err != nil {
		t.Error(err)
		return
	}
	r.Header.Set("Content-Type", "application/json")
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	if resp, err := http.DefaultClient.Do(r); err == nil {
		_ = resp.Body.Close()
	}
}
