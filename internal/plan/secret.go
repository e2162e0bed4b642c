package plan

import (
	"encoding/base64"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// Secret stands for every value that is not shown.
const Secret = "(secret)"

// minSecret is how long a value of a Secret is before it is looked for elsewhere.
const minSecret = 5

// AnnotationSensitive marks an object all of whose values are secret.
const AnnotationSensitive = "mainstay.dev/sensitive"

var (
	// secretNames are names of fields and variables whose values are secret.
	secretNames = regexp.MustCompile(`(?i)pass(word|wd|phrase)?$|passw|secret|token|credential|api[-_.]?key|access[-_.]?key|private[-_.]?key|encryption[-_.]?key|conn(ection)?[-_.]?str|^dsn$|[-_.]dsn$|bearer|cookie`)
	// harmlessNames end such names that only say where a secret is.
	harmlessNames = regexp.MustCompile(`(?i)(ref|refs|name|names|path|file|class|mode|enabled|url|issuer|kind|seconds|mount\w*|provider)$|^imagePullSecrets$|^automount`)
	// secretValues are values that are secret wherever they are.
	secretValues = regexp.MustCompile(`-----BEGIN|://[^/\s:@]*:[^/\s@]+@|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.|\b(AKIA|ASIA)[0-9A-Z]{12,}|\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w-]{16,}|\bxox[abprs]-[\w-]{8,}|\bsk-[A-Za-z0-9_-]{16,}|(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._-]{8,}|(?i)(pass(word|wd|phrase)?|secret|token|api[-_]?key|credentials?)["']?\s*[=:]\s*\S`)
)

// secrets are values that must not be shown, wherever they are.
type secrets map[string]bool

// secretsOf contents: what their Secrets hold, so that it is not shown where somebody has
// written it twice.
func secretsOf(contents ...bundle.Content) secrets {
	s := secrets{}
	for _, c := range contents {
		for _, comp := range c.Components {
			for i := range comp.Objects {
				s.add(&comp.Objects[i])
			}
		}
	}
	return s
}

func (s secrets) add(o *unstructured.Unstructured) {
	if !hidden(o) {
		return
	}
	for _, field := range []string{"data", "stringData"} {
		values, _, _ := unstructured.NestedMap(o.Object, field)
		for _, v := range values {
			text, _ := v.(string)
			if field == "data" {
				if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
					s.value(string(raw))
				}
			}
			s.value(text)
		}
	}
}

func (s secrets) value(v string) {
	for _, line := range append(strings.Split(v, "\n"), v) {
		if line = strings.TrimSpace(line); len(line) >= minSecret {
			s[line] = true
		}
	}
}

// hidden is true for an object none of whose content is shown.
func hidden(o *unstructured.Unstructured) bool {
	if o.GetKind() == "Secret" || o.GetKind() == "SealedSecret" || o.GetAnnotations()[AnnotationSensitive] == "true" {
		return true
	}
	return false
}

// named is true where a field or a variable of this name holds something secret.
func named(name string) bool {
	return secretNames.MatchString(name) && !harmlessNames.MatchString(name)
}

// has is true where a text is secret, or has something secret in it.
func (s secrets) has(text string) bool {
	if secretValues.MatchString(text) {
		return true
	}
	if s[text] {
		return true
	}
	for v := range s {
		if strings.Contains(text, v) {
			return true
		}
	}
	return false
}

// clean a message of what is secret.
func clean(message string) string {
	if secretValues.MatchString(message) {
		return "(a message that has something secret in it)"
	}
	return cut(message, 512)
}
