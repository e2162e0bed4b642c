package github

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// ParseWebhook verifies a request by its X-Hub-Signature-256.
func ParseWebhook(r *http.Request, secret forge.Secret) (forge.Event, error) {
	signature, sha256 := strings.CutPrefix(r.Header.Get("X-Hub-Signature-256"), "sha256=")
	body, err := forge.Body(r)
	if err != nil || !sha256 || !forge.Signed(body, signature, secret) {
		return forge.Event{}, forge.ErrWebhook
	}
	var p forge.HubPayload
	if err := json.Unmarshal(body, &p); err != nil {
		return forge.Event{}, forge.ErrWebhook
	}
	return p.Event(r.Header.Get("X-GitHub-Delivery"), body)
}
