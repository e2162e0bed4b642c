package forge

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
)

// MaxWebhook is how many bytes of a webhook's request are read.
const MaxWebhook = 2 << 20

// ErrWebhook is the answer to every request that is not from the forge: a wrong
// signature or token, no delivery, a body that is too long or does not parse.
var ErrWebhook = errors.New("request is not a webhook of the forge: check that the secret is the same on both sides")

// An Event is what a webhook hints at. It carries no facts: read them again.
type Event struct {
	// Delivery is the id that the forge gave to it.
	Delivery string
	// Digest of the body. The id of a delivery is not signed, so whoever replays a
	// request can change it, but not this.
	Digest string
	// Repository is the full name of the repository it is about.
	Repository string
	// Number of the merge request, or zero where it is about the whole repository.
	Number int64
	// By whom it was done, where the forge says so.
	By string
}

// Body reads a webhook's request, bounded.
func Body(r *http.Request) ([]byte, error) {
	if r.Method != http.MethodPost || r.ContentLength > MaxWebhook {
		return nil, ErrWebhook
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, MaxWebhook+1))
	if err != nil || len(b) == 0 || len(b) > MaxWebhook {
		return nil, ErrWebhook
	}
	return b, nil
}

// Signed says, in constant time, whether a body is signed with a secret: HMAC-SHA256
// in hexadecimal digits, with or without "sha256=" before it. No secret signs nothing.
func Signed(body []byte, signature string, secret Secret) bool {
	got, err := hex.DecodeString(strings.TrimPrefix(signature, "sha256="))
	if err != nil || secret == "" {
		return false
	}
	m := hmac.New(sha256.New, []byte(secret))
	m.Write(body)
	return hmac.Equal(got, m.Sum(nil))
}

// SameSecret says, in constant time, whether a token is the secret.
func SameSecret(token string, secret Secret) bool {
	a, b := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(secret))
	return secret != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// Digest of a body, for an Event.
func Digest(body []byte) string {
	d := sha256.Sum256(body)
	return hex.EncodeToString(d[:])
}

// HubPayload is what webhooks of GitHub and Gitea have in common.
type HubPayload struct {
	Number      int64 `json:"number"`
	PullRequest *struct {
		Number int64 `json:"number"`
	} `json:"pull_request"`
	Issue *struct {
		Number      int64 `json:"number"`
		PullRequest any   `json:"pull_request"`
	} `json:"issue"`
	Repository struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
	Sender struct {
		Login string `json:"login"`
	} `json:"sender"`
}

// Event that a payload hints at.
func (p HubPayload) Event(delivery string, body []byte) (Event, error) {
	e := Event{Delivery: delivery, Digest: Digest(body), Repository: p.Repository.FullName, By: p.Sender.Login}
	switch {
	case p.PullRequest != nil:
		e.Number = max(p.PullRequest.Number, p.Number)
	case p.Issue != nil && p.Issue.PullRequest != nil:
		e.Number = p.Issue.Number
	}
	return e.Check()
}

// Check refuses an event that nobody could tell from another, or whose.
func (e Event) Check() (Event, error) {
	if e.Delivery == "" || len(e.Delivery) > 200 || e.Repository == "" {
		return Event{}, ErrWebhook
	}
	return e, nil
}

// Check refuses a webhook that would tell the secret to the network.
func (w Webhook) Check() error {
	if _, err := checkURL("webhook url", w.URL); err != nil {
		return err
	}
	if len(w.Secret) < 16 {
		return Refusef(Invalid, "webhook secret: it needs 16 characters or more")
	}
	return nil
}
