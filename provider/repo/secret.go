package repo

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/forge"
)

// secretsFresh is how long a Secret that was read is taken for what it is. A hundred
// Changes of one Repository then read it once, and who replaces a token waits no longer.
const secretsFresh = 5 * time.Second

// Fields that name Secrets.
const (
	fieldCredentials = "spec.forProvider.credentialsSecretRef"
	fieldCA          = "spec.forProvider.caSecretRef"
	fieldWebhook     = "spec.forProvider.webhook.secretRef"
)

// WebhookSecret is what deliveries to a Repository are signed with.
func (p *Pool) WebhookSecret(ctx context.Context, r *v1alpha1.Repository) (forge.Secret, error) {
	w := r.Spec.ForProvider.Webhook
	if w == nil {
		return "", problemf(NoSecret, "spec.forProvider.webhook is not set")
	}
	b, err := p.secret(ctx, r.GetNamespace(), w.SecretRef, fieldWebhook)
	return forge.Secret(strings.TrimSpace(string(b))), err
}

// An answer of the API server about one key of a Secret.
type answer struct {
	value   []byte
	problem *OpenError
	at      time.Time
}

// secret is the value of a key of a Secret in a namespace. Who asks again soon gets the
// same answer, also where it is that there is none.
func (p *Pool) secret(ctx context.Context, namespace string, ref v1alpha1.SecretKeyReference, field string) ([]byte, error) {
	key := strings.Join([]string{namespace, ref.Name, ref.Key, field}, "/")
	p.mu.Lock()
	a, ok := p.answers[key]
	p.mu.Unlock()
	if now := p.now(); !ok || now.Sub(a.at) > secretsFresh || now.Before(a.at) {
		var err error
		if a, err = p.read(ctx, namespace, ref, field); err != nil {
			return nil, err
		}
		p.keep(key, a)
	}
	if a.problem != nil {
		return nil, a.problem
	}
	return a.value, nil
}

// keep an answer for a while. Those that are too old go.
func (p *Pool) keep(key string, a answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, old := range p.answers {
		if a.at.Sub(old.at) > secretsFresh {
			delete(p.answers, k)
		}
	}
	p.answers[key] = a
}

func (p *Pool) read(ctx context.Context, namespace string, ref v1alpha1.SecretKeyReference, field string) (answer, error) {
	out := answer{at: p.now()}
	s := &corev1.Secret{}
	err := p.secrets.Get(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, s)
	switch {
	case kerrors.IsNotFound(err):
		out.problem = problemf(NoSecret, "%s: there is no Secret %q in namespace %q: create it, or correct the name", field, ref.Name, namespace)
	case err != nil:
		return answer{}, fmt.Errorf("cannot get Secret %q in namespace %q: %w", ref.Name, namespace, err)
	case len(strings.TrimSpace(string(s.Data[ref.Key]))) == 0:
		out.problem = problemf(NoSecret, "%s: Secret %q has no key %q, or it is empty: add it, or correct the key", field, ref.Name, ref.Key)
	default:
		out.value = s.Data[ref.Key]
	}
	return out, nil
}
