package demo

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/step"
)

// repositoryNamespace is where the demo's Repository and its Changes are.
const repositoryNamespace = "platform"

// Change shows how merge requests become true, on a demo that it starts where there is
// none: one that is good, one that cannot work, and one that fails on its way. It returns
// an error where one of them goes another way.
func (d *Demo) Change(ctx context.Context) error {
	began := time.Now()
	if err := d.start(ctx); err != nil {
		return err
	}
	if err := d.cfg.Log.Do(ctx, "Application cart is reached", d.applyCart); err != nil {
		return err
	}
	f, err := d.upForge(ctx)
	if err != nil {
		return err
	}
	if err := d.cfg.Log.Do(ctx, "Mainstay watches "+f.url(), func(ctx context.Context, waiting step.Waiting) error { return d.watch(ctx, f, waiting) }); err != nil {
		return err
	}
	s := &story{Demo: d, forge: f}
	if err := s.tell(ctx); err != nil {
		return err
	}
	return s.whatNext(ctx, time.Since(began))
}

// applyCart, the application that merge requests are going to change. One that is there
// has been changed by them already, and is left as it is.
func (d *Demo) applyCart(ctx context.Context, waiting step.Waiting) error {
	out, err := d.kubectl(ctx, "-n", cartNamespace, "get", "productapplications", cart, "--ignore-not-found", "-o", "name")
	if err != nil {
		return err
	}
	if strings.TrimSpace(out) == "" {
		if _, err := d.kubectl(ctx, "apply", "--server-side", "--field-manager=demo", "-f", filepath.Join(d.cfg.Examples, "..", "change", "cart.yaml")); err != nil {
			return err
		}
	}
	return d.awaitFor(ctx, scenePatience, waiting, func(ctx context.Context) error { return d.isReached(ctx, "productapplications", cartNamespace, cart) })
}

// isReached is nil where a claim is.
func (d *Demo) isReached(ctx context.Context, kind, namespace, name string) error {
	out, err := d.kubectl(ctx, "-n", namespace, "get", kind, name, "-o", "jsonpath="+conditions)
	if err != nil {
		return err
	}
	return unreached(out)
}

// watch the repository of claims: who we are there, which namespaces agree, and the
// Repository itself.
func (d *Demo) watch(ctx context.Context, f *forge, waiting step.Waiting) error {
	for _, namespace := range []string{"shop", "insight"} {
		if _, err := d.kubectl(ctx, "annotate", "namespace", namespace, "--overwrite",
			v1alpha1.AnnotationRepositories+"="+repositoryNamespace+"/"+forgeRepository); err != nil {
			return err
		}
	}
	manifests, err := d.repository(ctx, f)
	if err != nil {
		return err
	}
	if _, err := d.feed(ctx, manifests, "apply", "--server-side", "--force-conflicts", "--field-manager=demo", "-f", "-"); err != nil {
		return err
	}
	return d.awaitFor(ctx, scenePatience, waiting, func(ctx context.Context) error {
		out, err := d.kubectl(ctx, "-n", repositoryNamespace, "get", "repositories.m.mainstay.dev", forgeRepository, "-o",
			`jsonpath={.status.conditions[?(@.type=="Ready")].status}{"\t"}{.status.conditions[?(@.type=="Synced")].message}{"\t"}{.status.atProvider.message}`)
		if err != nil {
			return err
		}
		parts := append(strings.SplitN(out, "\t", 3), "", "")
		if parts[0] == "True" {
			return nil
		}
		return fmt.Errorf("Repository %s/%s: %s", repositoryNamespace, forgeRepository, strings.TrimSpace(parts[2]+" "+parts[1])) //nolint:staticcheck // It is the name of a kind.
	})
}

// repository and its Secret, as examples/change has them, with what is true of this forge.
func (d *Demo) repository(ctx context.Context, f *forge) (string, error) {
	b, err := os.ReadFile(filepath.Join(d.cfg.Examples, "..", "change", "repository.yaml"))
	if err != nil {
		return "", fmt.Errorf("cannot read Repository: %w", err)
	}
	r := map[string]any{}
	if err := yaml.Unmarshal(b, &r); err != nil {
		return "", fmt.Errorf("cannot read Repository: %w", err)
	}
	hooks, err := d.cfg.Hub.Webhooks(ctx)
	if err != nil {
		return "", err
	}
	if err := point(r, f.url(), hooks+"/"+repositoryNamespace+"/"+forgeRepository); err != nil {
		return "", err
	}
	if b, err = yaml.Marshal(r); err != nil {
		return "", fmt.Errorf("cannot encode Repository: %w", err)
	}
	secret := fmt.Sprintf(`apiVersion: v1
kind: Secret
metadata:
  name: claims-forge
  namespace: %s
data:
  token: %s
  webhook: %s
`, repositoryNamespace, encoded(f.people[robot].Token), encoded(f.webhook))
	return secret + "---\n" + string(b), nil
}

// point a Repository to where it is, and to where its webhooks go.
func point(repository map[string]any, url, webhook string) error {
	spec, _ := repository["spec"].(map[string]any)
	forProvider, ok := spec["forProvider"].(map[string]any)
	hook, hasHook := forProvider["webhook"].(map[string]any)
	if !ok || !hasHook {
		return fmt.Errorf("cannot use Repository: it has no spec.forProvider.webhook")
	}
	forProvider["url"], hook["url"] = url, webhook
	return nil
}

func encoded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// feed kubectl with manifests: those with secrets are in no file, and on no command line.
func (d *Demo) feed(ctx context.Context, manifests string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(d.cfg.Binaries, "kubectl"), append([]string{"--kubeconfig=" + d.cfg.Hub.Kubeconfig()}, args...)...)
	cmd.Stdin = strings.NewReader(manifests)
	return output(cmd)
}
