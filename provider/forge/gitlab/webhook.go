package gitlab

import (
	"cmp"
	"encoding/json"
	"net/http"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

type payload struct {
	Kind    string `json:"object_kind"`
	Project struct {
		Path string `json:"path_with_namespace"`
	} `json:"project"`
	Object struct {
		IID int64 `json:"iid"`
	} `json:"object_attributes"`
	User struct {
		Name string `json:"username"`
	} `json:"user"`
	// MergeRequest of a note.
	MergeRequest *struct {
		IID int64 `json:"iid"`
	} `json:"merge_request"`
}

// ParseWebhook verifies a request by its X-Gitlab-Token, which is the secret itself.
func ParseWebhook(r *http.Request, secret forge.Secret) (forge.Event, error) {
	body, err := forge.Body(r)
	if err != nil || !forge.SameSecret(r.Header.Get("X-Gitlab-Token"), secret) {
		return forge.Event{}, forge.ErrWebhook
	}
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return forge.Event{}, forge.ErrWebhook
	}
	e := forge.Event{
		// Older ones have no key that is the same when they are delivered again.
		Delivery:   cmp.Or(r.Header.Get("Idempotency-Key"), r.Header.Get("X-Gitlab-Event-UUID")),
		Digest:     forge.Digest(body),
		Repository: p.Project.Path,
		By:         p.User.Name,
	}
	switch {
	case p.Kind == "merge_request":
		e.Number = p.Object.IID
	case p.MergeRequest != nil:
		e.Number = p.MergeRequest.IID
	}
	return e.Check()
}
