package gitea

import (
	"encoding/json"
	"net/http"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// ParseWebhook verifies a request by its X-Gitea-Signature.
func ParseWebhook(r *http.Request, secret forge.Secret) (forge.Event, error) {
	body, err := forge.Body(r)
	if err != nil || !forge.Signed(body, r.Header.Get("X-Gitea-Signature"), secret) {
		return forge.Event{}, forge.ErrWebhook
	}
	var p forge.HubPayload
	if err := json.Unmarshal(body, &p); err != nil {
		return forge.Event{}, forge.ErrWebhook
	}
	return p.Event(r.Header.Get("X-Gitea-Delivery"), body)
}
