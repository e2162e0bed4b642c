package plan

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/internal/bundle"
)

func object(t testing.TB, text string) unstructured.Unstructured {
	t.Helper()
	u := unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func content(objects ...unstructured.Unstructured) bundle.Content {
	return bundle.Content{Components: []bundle.Component{{Name: "web", Type: "webservice", Objects: objects}}}
}

// TestSecrets: whatever is tried, neither the old nor the new value is in any form of a plan.
func TestSecrets(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	deployment := func(env string) string {
		return `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"template":{"spec":{"containers":[{"name":"web",` + env + `}]}}}}`
	}
	cases := map[string]struct {
		reason        string
		before, after []string
		hidden        []string
		shown         []string
	}{
		"Data": {
			reason: "Values of a Secret, in both ways to write them. Names of keys are shown.",
			before: []string{`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"pin":"` + b64("hunter2old") + `"}}`},
			after:  []string{`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"stringData":{"pin":"hunter2new"}}`},
			hidden: []string{"hunter2old", "hunter2new", b64("hunter2old"), b64("hunter2new")},
			shown:  []string{"data.pin"},
		},
		"Annotation": {
			reason: "What kubectl writes has the whole object in it.",
			before: []string{`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"s","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"swordfish-1"}}}`},
			after:  []string{`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"s","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"swordfish-2"}}}`},
			hidden: []string{"swordfish"},
		},
		"SecretAnnotation": {
			reason: "Annotations of a Secret are no better place.",
			before: []string{`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","annotations":{"was":"swordfish-1"}}}`},
			after:  []string{`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","annotations":{"was":"swordfish-2"}}}`},
			hidden: []string{"swordfish"},
		},
		"Env": {
			reason: "A variable is as secret as its name says.",
			before: []string{deployment(`"env":[{"name":"DB_PASSWORD","value":"swordfish-1"},{"name":"MODE","value":"slow"}]`)},
			after:  []string{deployment(`"env":[{"name":"DB_PASSWORD","value":"swordfish-2"},{"name":"MODE","value":"fast"}]`)},
			hidden: []string{"swordfish"},
			shown:  []string{"env[DB_PASSWORD].value", "fast"},
		},
		"EnvToReference": {
			reason: "A password that becomes a reference was a password.",
			before: []string{deployment(`"env":[{"name":"DB_PASSWORD","value":"swordfish-1"}]`)},
			after:  []string{deployment(`"env":[{"name":"DB_PASSWORD","valueFrom":{"secretKeyRef":{"name":"db-credentials","key":"pw"}}}]`)},
			hidden: []string{"swordfish"},
			shown:  []string{"secretKeyRef"},
		},
		"Twice": {
			reason: "A value that is in a Secret is not shown where it was written a second time.",
			before: []string{`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"k":"` + b64("tuna-sandwich") + `"}}`, deployment(`"env":[{"name":"LUNCH","value":"x"}]`)},
			after:  []string{`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"k":"` + b64("tuna-sandwich") + `"}}`, deployment(`"env":[{"name":"LUNCH","value":"I had a tuna-sandwich"}]`)},
			hidden: []string{"tuna-sandwich"},
			shown:  []string{"env[LUNCH].value"},
		},
		"Flag": {
			reason: "The word after --password is one, and so is what stands behind the sign.",
			before: []string{deployment(`"args":["--password","swordfish-1","--token=abcdef-1"]`)},
			after:  []string{deployment(`"args":["--password","swordfish-2","--token=abcdef-2"]`)},
			hidden: []string{"swordfish", "abcdef"},
		},
		"File": {
			reason: "Files in ConfigMaps have keys, addresses with passwords, and tokens.",
			before: []string{`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"a":"x","b":"x","c":"x","d":"x","e":"x"}}`},
			after: []string{`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{` +
				`"a":"-----BEGIN PRIVATE KEY-----\nMIIabc123\n","b":"postgres://app:swordfish@db/app","c":"password = swordfish","d":"eyJhbGciOiJI.eyJzdWIiOiIx.c2ln","e":"{\"apiKey\": \"swordfish\"}"}}`},
			hidden: []string{"MIIabc123", "swordfish", "eyJhbGciOiJI"},
			shown:  []string{"data.a", "data.b"},
		},
		"Marked": {
			reason: "An object can be marked.",
			before: []string{`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","annotations":{"mainstay.dev/sensitive":"true"}},"data":{"recipe":"salt"}}`},
			after:  []string{`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","annotations":{"mainstay.dev/sensitive":"true"}},"data":{"recipe":"pepper"}}`},
			hidden: []string{"salt", "pepper"},
			shown:  []string{"data.recipe"},
		},
		"MarkedBefore": {
			reason: "To take the mark away does not show what was behind it.",
			before: []string{`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","annotations":{"mainstay.dev/sensitive":"true"}},"data":{"recipe":"salt"}}`},
			after:  []string{`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"recipe":"pepper"}}`},
			hidden: []string{"salt", "pepper"},
		},
		"Number": {
			reason: "A PIN is a number.",
			before: []string{`{"apiVersion":"example.org/v1","kind":"Vault","metadata":{"name":"v"},"spec":{"rootPassword":1234567}}`},
			after:  []string{`{"apiVersion":"example.org/v1","kind":"Vault","metadata":{"name":"v"},"spec":{"rootPassword":7654321}}`},
			hidden: []string{"1234567", "7654321"},
			shown:  []string{"rootPassword"},
		},
		"Key": {
			reason: "Somebody wrote it as a key.",
			before: []string{`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"a":"x"}}`},
			after:  []string{`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"ghp_abcdefghijklmnopqrstuv":"x"}}`},
			hidden: []string{"ghp_abc"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			sides := [2]bundle.Content{}
			for i, list := range [][]string{tc.before, tc.after} {
				var objects []unstructured.Unstructured
				for _, o := range list {
					objects = append(objects, object(t, o))
				}
				sides[i] = content(objects...)
			}
			p := planOf(t, sides[0], sides[1])
			raw, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			for form, text := range map[string]string{"JSON": string(raw), "text": p.Text(), "Markdown": p.Markdown()} {
				for _, h := range tc.hidden {
					if strings.Contains(text, h) {
						t.Errorf("\n%s\n%s has %q:\n%s", tc.reason, form, h, text)
					}
				}
			}
			for _, s := range tc.shown {
				if !strings.Contains(p.Text(), s) {
					t.Errorf("\n%s\ntext does not have %q:\n%s", tc.reason, s, p.Text())
				}
			}
		})
	}
}
