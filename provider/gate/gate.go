// Package gate asks what Rollouts want to know of the world outside: Prometheus and
// webhooks, whose answers open gates. It also delivers their notices.
//
// It fails closed: whatever goes wrong is a no, with a message that says what did.
// Addresses are a tenant's, so they are trusted with little: an answer has a limit in
// time and size, a redirect to another host is not followed, link-local addresses,
// where clouds keep the credentials of machines, are not dialled, and messages hold
// neither addresses, which may be secret, nor what was answered beyond a number or a
// short reason. Tokens come from Secrets in the Rollout's own namespace.
//
// Deliberately absent: when to ask, and how often. The controller knows that. Also
// proxies: an address is asked directly or not at all.
package gate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

const (
	// timeLimit of one question, from dialling to the last byte.
	timeLimit = 10 * time.Second
	// sizeLimit of an answer.
	sizeLimit = 1 << 20
	// maxRedirects within one host.
	maxRedirects = 3
	// maxReason is how many characters of a webhook's own reason are passed on.
	maxReason = 200
)

// An Asker asks gates and delivers notices.
type Asker struct {
	secrets client.Reader
	http    *http.Client
}

// New returns an Asker that reads tokens with a reader. It should not be one that
// caches, lest all Secrets be kept.
func New(secrets client.Reader) *Asker { return newAsker(secrets, timeLimit) }

func newAsker(secrets client.Reader, limit time.Duration) *Asker {
	dialer := &net.Dialer{Timeout: limit, Control: mayDial}
	return &Asker{secrets: secrets, http: &http.Client{
		Timeout: limit,
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    limit,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: sizeLimit,
		},
		CheckRedirect: mayFollow,
	}}
}

// errors that a message can quote.
var (
	errLinkLocal = errors.New("link-local addresses are not asked")
	errRedirect  = errors.New("it redirects to another host, which is not followed")
	errTooLarge  = errors.New("the answer is too large")
)

func mayDial(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("cannot read address: %w", err)
	}
	if ip := at.Addr().Unmap(); ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() {
		return errLinkLocal
	}
	return nil
}

func mayFollow(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	if req.URL.Host != first.Host || req.URL.Scheme != first.Scheme || len(via) > maxRedirects {
		return errRedirect
	}
	return nil
}

// Ask a question on behalf of a Rollout.
func (a *Asker) Ask(ctx context.Context, ro *v1alpha1.Rollout, q rollout.Question) rollout.Answer {
	var answer rollout.Answer
	var err error
	switch {
	case q.Notice != nil:
		answer, err = a.deliver(ctx, ro, q)
	case q.Gate != nil && q.Gate.Prometheus != nil:
		answer, err = a.prometheus(ctx, ro, q.Gate.Prometheus)
	case q.Gate != nil && q.Gate.Webhook != nil:
		answer, err = a.webhook(ctx, ro, q)
	default:
		return rollout.Answer{Message: "this provider does not know how to ask it"}
	}
	if err != nil {
		return rollout.Answer{Message: plain(err)}
	}
	return answer
}

// A subject is what a question is about, for whoever is asked.
type subject struct {
	Namespace   string `json:"namespace"`
	Application string `json:"application"`
	Digest      string `json:"digest"`
	Wave        string `json:"wave,omitempty"`
	Gate        string `json:"gate,omitempty"`
	ID          string `json:"id,omitempty"`
	Text        string `json:"text,omitempty"`
}

func about(ro *v1alpha1.Rollout, q rollout.Question) subject {
	s := subject{Namespace: ro.GetNamespace(), Application: ro.Spec.ForProvider.Application, Digest: q.Digest, Wave: q.Wave}
	if q.Gate != nil {
		s.Gate = q.Gate.Name
	}
	if q.Notice != nil {
		s.ID, s.Text = q.Notice.ID, q.Notice.Message
	}
	return s
}

// deliver a notice. Any success will do. A message that is a JSON object is for a chat,
// which wants it in a form of its own.
func (a *Asker) deliver(ctx context.Context, ro *v1alpha1.Rollout, q rollout.Question) (rollout.Answer, error) {
	body := any(about(ro, q))
	if m := q.Notice.Message; strings.HasPrefix(m, "{") && json.Valid([]byte(m)) {
		body = json.RawMessage(m)
	}
	if _, err := a.post(ctx, ro, q.Notice.Webhook, body); err != nil {
		return rollout.Answer{}, err
	}
	return rollout.Answer{Yes: true, Message: "delivered"}, nil
}

// webhook that says whether to go on.
func (a *Asker) webhook(ctx context.Context, ro *v1alpha1.Rollout, q rollout.Question) (rollout.Answer, error) {
	body, err := a.post(ctx, ro, *q.Gate.Webhook, about(ro, q))
	if err != nil {
		return rollout.Answer{}, err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return rollout.Answer{Yes: true, Message: "it answers with success"}, nil
	}
	said := struct {
		Allowed *bool  `json:"allowed"`
		Message string `json:"message"`
	}{}
	if err := json.Unmarshal(body, &said); err != nil {
		return rollout.Answer{Message: "the answer is no JSON object"}, nil
	}
	reason := ""
	if r := readable(said.Message); r != "" {
		reason = ": " + r
	}
	switch {
	case said.Allowed == nil:
		return rollout.Answer{Message: "the answer has no field allowed" + reason}, nil
	case !*said.Allowed:
		return rollout.Answer{Message: "it does not allow it" + reason}, nil
	}
	return rollout.Answer{Yes: true, Message: "it allows it" + reason}, nil
}

func (a *Asker) post(ctx context.Context, ro *v1alpha1.Rollout, w v1alpha1.WebhookGate, body any) ([]byte, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("cannot write question: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(raw))
	if err != nil {
		return nil, errors.New("its url is not valid")
	}
	req.Header.Set("Content-Type", "application/json")
	return a.do(ctx, ro, req, w.TokenSecretRef)
}

// do a request, and return the body of an answer that is a success.
func (a *Asker) do(ctx context.Context, ro *v1alpha1.Rollout, req *http.Request, ref *v1alpha1.SecretKeyReference) ([]byte, error) {
	if ref != nil {
		token, err := a.token(ctx, ro.GetNamespace(), ref)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("User-Agent", "mainstay")
	rsp, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer rsp.Body.Close() //nolint:errcheck // It was only read.
	if rsp.StatusCode < 200 || rsp.StatusCode > 299 {
		return nil, fmt.Errorf("it answers %d %s", rsp.StatusCode, http.StatusText(rsp.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(rsp.Body, sizeLimit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the answer: %w", err)
	}
	if len(body) > sizeLimit {
		return nil, errTooLarge
	}
	return body, nil
}

func (a *Asker) token(ctx context.Context, namespace string, ref *v1alpha1.SecretKeyReference) (string, error) {
	s := &corev1.Secret{}
	if err := a.secrets.Get(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, s); err != nil {
		return "", fmt.Errorf("cannot get Secret %q with its token: %w", ref.Name, err)
	}
	token := strings.TrimSpace(string(s.Data[ref.Key]))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("key %q of Secret %q holds no token", ref.Key, ref.Name)
	}
	return token, nil
}

// plain words for an error, without the address that was asked.
func plain(err error) string {
	if asked := (*url.Error)(nil); errors.As(err, &asked) {
		if asked.Timeout() {
			return "it did not answer in time"
		}
		err = asked.Err
	}
	for _, known := range []error{errLinkLocal, errRedirect, errTooLarge} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if dial := (*net.OpError)(nil); errors.As(err, &dial) && dial.Op == "dial" {
		if dns := (*net.DNSError)(nil); errors.As(err, &dns) {
			return "its name cannot be resolved"
		}
		return "it cannot be reached: " + dial.Err.Error()
	}
	return readable(err.Error())
}

// readable part of a text that comes from elsewhere.
func readable(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }), " ")
	if runes := []rune(text); len(runes) > maxReason {
		return string(runes[:maxReason]) + "…"
	}
	return text
}
