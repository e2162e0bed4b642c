package gate

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

const secretToken = "s3cr3t-token"

// asker whose patience is short.
func asker(t *testing.T) *Asker {
	t.Helper()
	s := runtime.NewScheme()
	if err := scheme.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{Data: map[string][]byte{"token": []byte(secretToken + "\n"), "bad": []byte("two lines\nof it")}}
	secret.SetNamespace("team-a")
	secret.SetName("gate")
	return newAsker(fake.NewClientBuilder().WithScheme(s).WithObjects(secret).Build(), 2*time.Second)
}

func shop() *v1alpha1.Rollout {
	ro := &v1alpha1.Rollout{}
	ro.SetNamespace("team-a")
	ro.SetName("shop")
	ro.Spec.ForProvider.Application = "shop"
	return ro
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// hangs until whoever asks has had enough.
func hangs(_ http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-time.After(5 * time.Second):
	}
}

func vector(values ...string) http.HandlerFunc {
	out := make([]string, 0, len(values))
	for _, v := range values {
		out = append(out, fmt.Sprintf(`{"metric":{},"value":[1,%q]}`, v))
	}
	return says(200, `{"status":"success","data":{"resultType":"vector","result":[`+strings.Join(out, ",")+`]}}`)
}

func TestPrometheus(t *testing.T) {
	cases := map[string]struct {
		reason    string
		server    http.HandlerFunc
		condition string
		token     *v1alpha1.SecretKeyReference
		want      rollout.Answer
	}{
		"Open": {
			reason: "A value that is as it should be opens the gate.",
			server: vector("0.001"),
			want:   rollout.Answer{Yes: true, Message: `"value < 0.01" is true for 0.001`},
		},
		"Scalar": {
			reason: "A scalar is a value.",
			server: says(200, `{"status":"success","data":{"resultType":"scalar","result":[1,"0.001"]}}`),
			want:   rollout.Answer{Yes: true, Message: `"value < 0.01" is true for 0.001`},
		},
		"Several": {
			reason: "Several series are values.", server: vector("1", "2"), condition: "values.all(v, v > 0)",
			want: rollout.Answer{Yes: true, Message: `"values.all(v, v > 0)" is true for 2 values`},
		},
		"Closed": {
			reason: "One that is not keeps it closed, and is named.",
			server: vector("0.2"),
			want:   rollout.Answer{Message: `"value < 0.01" is false for 0.2`},
		},
		"OneOfMany": {
			reason: "The only value there is does not exist where there are several.",
			server: vector("0.001", "0.002"),
			want:   rollout.Answer{Message: `cannot evaluate "value < 0.01": no such overload: _<_`},
		},
		"Nothing": {
			reason: "Nothing measured is nothing known.", server: vector(), condition: "values.all(v, v < 1)",
			want: rollout.Answer{Message: "the query gives nothing"},
		},
		"NaN": {
			reason: "A value that is no number is not known either, whatever the condition makes of it.",
			server: vector("NaN"), condition: "!(value > 1)",
			want: rollout.Answer{Message: "the query gives a value that is no number"},
		},
		"Failed": {
			reason: "A query may fail.", server: says(200, `{"status":"error","error":"parse error"}`),
			want: rollout.Answer{Message: "the query failed"},
		},
		"Matrix": {
			reason: "A range is no value.", server: says(200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`),
			want: rollout.Answer{Message: "the query gives a matrix: it must give a scalar or series"},
		},
		"WrongJSON": {
			reason: "What is no answer keeps it closed.", server: says(200, `<html>hello</html>`),
			want: rollout.Answer{Message: "the answer is not that of a Prometheus API"},
		},
		"WrongSample": {
			reason: "So does half of one.", server: says(200, `{"status":"success","data":{"resultType":"vector","result":[{"value":[1]}]}}`),
			want: rollout.Answer{Message: "the answer is not that of a Prometheus API"},
		},
		"TooLarge": {
			reason: "And what never ends.", server: says(200, strings.Repeat(" ", sizeLimit+1)),
			want: rollout.Answer{Message: "the answer is too large"},
		},
		"Refused": {
			reason: "A status that is no success closes.", server: says(503, `{"status":"success"}`),
			want: rollout.Answer{Message: "it answers 503 Service Unavailable"},
		},
		"Timeout": {
			reason: "Who does not answer in time has not answered.", server: hangs,
			want: rollout.Answer{Message: "it did not answer in time"},
		},
		"Condition": {
			reason: "A condition that is none is asked of nobody.", server: vector("1"), condition: "value +",
			want: rollout.Answer{Message: `expression "value +" is not valid: 1:8: Syntax error: mismatched input '<EOF>'`},
		},
		"TokenMissing": {
			reason: "Without the token that it needs nobody is asked.", server: vector("0.001"), token: &v1alpha1.SecretKeyReference{Name: "gate", Key: "none"},
			want: rollout.Answer{Message: `key "none" of Secret "gate" holds no token`},
		},
		"TokenBroken": {
			reason: "Nor with one that could smuggle in a header.", server: vector("0.001"), token: &v1alpha1.SecretKeyReference{Name: "gate", Key: "bad"},
			want: rollout.Answer{Message: `key "bad" of Secret "gate" holds no token`},
		},
		"SecretMissing": {
			reason: "Nor where there is no such Secret.", server: vector("0.001"), token: &v1alpha1.SecretKeyReference{Name: "other", Key: "token"},
			want: rollout.Answer{Message: `cannot get Secret "other" with its token: secrets "other" not found`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(tc.server)
			defer s.Close()
			p := &v1alpha1.PrometheusGate{URL: s.URL + "/", Query: "errors", Condition: tc.condition, TokenSecretRef: tc.token}
			if p.Condition == "" {
				p.Condition = "value < 0.01"
			}
			got := asker(t).Ask(t.Context(), shop(), rollout.Question{Gate: &v1alpha1.Gate{Prometheus: p}})
			if i := strings.Index(got.Message, " expecting"); i > 0 {
				got.Message = got.Message[:i]
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nAsk(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestWebhook(t *testing.T) {
	elsewhere := httptest.NewServer(says(200, `{"allowed":true}`))
	defer elsewhere.Close()
	cases := map[string]struct {
		reason string
		server http.HandlerFunc
		want   rollout.Answer
	}{
		"Empty":    {"A success without a word is a yes.", says(204, ""), rollout.Answer{Yes: true, Message: "it answers with success"}},
		"Allowed":  {"So is one that says so.", says(200, `{"allowed":true}`), rollout.Answer{Yes: true, Message: "it allows it"}},
		"Denied":   {"A no is a no, with its reason.", says(200, `{"allowed":false,"message":"not\ntoday"}`), rollout.Answer{Message: "it does not allow it: not today"}},
		"Silent":   {"Whoever does not say allows nothing.", says(200, `{}`), rollout.Answer{Message: "the answer has no field allowed"}},
		"Wrong":    {"A word is not an answer.", says(200, `yes`), rollout.Answer{Message: "the answer is no JSON object"}},
		"NotABool": {"Neither is yes.", says(200, `{"allowed":"yes"}`), rollout.Answer{Message: "the answer is no JSON object"}},
		"Error":    {"An error is a no.", says(500, `{"allowed":true}`), rollout.Answer{Message: "it answers 500 Internal Server Error"}},
		"Timeout":  {"So is silence.", hangs, rollout.Answer{Message: "it did not answer in time"}},
		"Redirect": {
			"Who sends somewhere else might send anywhere.", func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
			}, rollout.Answer{Message: "it redirects to another host, which is not followed"},
		},
		"RedirectAtHome": {
			"Within a host it may.", func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/there" {
					http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
				}
			}, rollout.Answer{Yes: true, Message: "it answers with success"},
		},
		"RedirectForEver": {
			"But not for ever.", func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/again", http.StatusTemporaryRedirect)
			}, rollout.Answer{Message: "it redirects to another host, which is not followed"},
		},
		"LongReason": {
			"A reason is passed on in part.", says(200, `{"allowed":false,"message":"`+strings.Repeat("x", 999)+`"}`),
			rollout.Answer{Message: "it does not allow it: " + strings.Repeat("x", maxReason) + "…"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(tc.server)
			defer s.Close()
			got := asker(t).Ask(t.Context(), shop(), rollout.Question{Gate: &v1alpha1.Gate{Webhook: &v1alpha1.WebhookGate{URL: s.URL}}})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nAsk(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	for address, want := range map[string]string{
		gone.URL:                        "it cannot be reached: connect: connection refused",
		"http://169.254.169.254/latest": "link-local addresses are not asked",
		"http://[fe80::1]/":             "link-local addresses are not asked",
		"http://0.0.0.0:1/":             "link-local addresses are not asked",
		"http://no such host/":          "its url is not valid",
		"http://gate.invalid/":          "its name cannot be resolved",
	} {
		got := asker(t).Ask(t.Context(), shop(), rollout.Question{Gate: &v1alpha1.Gate{Webhook: &v1alpha1.WebhookGate{URL: address}}})
		if got.Yes || got.Message != want {
			t.Errorf("%s: want a no with %q, got %+v", address, want, got)
		}
	}
	if got := asker(t).Ask(t.Context(), shop(), rollout.Question{}); got.Yes {
		t.Errorf("a question of no kind has no answer: got %+v", got)
	}
}

func TestWhatIsSent(t *testing.T) {
	var header, query string
	var body map[string]any
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header.Get("Authorization")
		body = nil
		if r.URL.Path == "/api/v1/query" {
			query = r.FormValue("query")
			vector("0.5")(w, r)
			return
		}
		_ = json.NewDecoder(r.Body).Decode(&body)
	}))
	defer s.Close()
	ref := &v1alpha1.SecretKeyReference{Name: "gate", Key: "token"}

	a := asker(t)
	got := a.Ask(t.Context(), shop(), rollout.Question{Gate: &v1alpha1.Gate{Prometheus: &v1alpha1.PrometheusGate{URL: s.URL, Query: "rate(x[5m]) & y", Condition: "value > 0.1", TokenSecretRef: ref}}})
	if !got.Yes || query != "rate(x[5m]) & y" || header != "Bearer "+secretToken {
		t.Errorf("a query goes out as it is, with its token: got %+v, %q, %q", got, query, header)
	}

	a.Ask(t.Context(), shop(), rollout.Question{Digest: "d1", Wave: "canary", Gate: &v1alpha1.Gate{Name: "go", Webhook: &v1alpha1.WebhookGate{URL: s.URL, TokenSecretRef: ref}}})
	want := map[string]any{"namespace": "team-a", "application": "shop", "digest": "d1", "wave": "canary", "gate": "go"}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("a webhook is told what it is asked about: -want, +got:\n%s", diff)
	}

	got = a.Ask(t.Context(), shop(), rollout.Question{Digest: "d1", Notice: &rollout.Notice{ID: "d1/tell", Message: "Europe is done.", Webhook: v1alpha1.WebhookGate{URL: s.URL}}})
	want = map[string]any{"namespace": "team-a", "application": "shop", "digest": "d1", "id": "d1/tell", "text": "Europe is done."}
	if diff := cmp.Diff(want, body); diff != "" || !got.Yes || header != "" {
		t.Errorf("a notice is delivered, with what tells it from another: got %+v: -want, +got:\n%s", got, diff)
	}
	const chat = `{"msg_type":"text","content":{"text":"done"}}`
	got = a.Ask(t.Context(), shop(), rollout.Question{Digest: "d1", Notice: &rollout.Notice{ID: "d1/chat", Message: chat, Webhook: v1alpha1.WebhookGate{URL: s.URL}}})
	want = map[string]any{"msg_type": "text", "content": map[string]any{"text": "done"}}
	if diff := cmp.Diff(want, body); diff != "" || !got.Yes {
		t.Errorf("what a chat wants goes out as it is: got %+v: -want, +got:\n%s", got, diff)
	}
}

func TestNothingSecretIsSaid(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, server := range []string{gone.URL, "http://169.254.169.254"} {
		got := asker(t).Ask(t.Context(), shop(), rollout.Question{Gate: &v1alpha1.Gate{Webhook: &v1alpha1.WebhookGate{
			URL: server + "/hooks/" + secretToken, TokenSecretRef: &v1alpha1.SecretKeyReference{Name: "gate", Key: "token"},
		}}})
		if strings.Contains(got.Message, secretToken) {
			t.Errorf("an address can be secret, and a token is: got %q", got.Message)
		}
	}
}
