package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
)

// A kubectl is the command line against one API server. The suite works through
// it because users do: what it prints is what they see.
type kubectl struct {
	// kubeconfig is a path.
	kubeconfig string
	// as is the user to impersonate, if any.
	as string
}

// run kubectl and return what it printed.
func (k kubectl) run(ctx context.Context, stdin string, args ...string) (string, error) {
	if k.as != "" {
		args = append([]string{"--as", k.as}, args...)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(binaries, "kubectl"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+k.kubeconfig)
	cmd.Stdin = strings.NewReader(stdin)
	out := &bytes.Buffer{}
	errs := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// must run kubectl, or end the test.
func (k kubectl) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := k.run(t.Context(), "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// apply a manifest, or end the test.
func (k kubectl) apply(t *testing.T, manifest string) {
	t.Helper()
	if _, err := k.run(t.Context(), manifest, "apply", "--server-side", "--force-conflicts", "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// get an object, such as "-n", "shop", "deployment", "web". It is nil where there
// is none.
func (k kubectl) get(t *testing.T, args ...string) *unstructured.Unstructured {
	t.Helper()
	out, err := k.run(t.Context(), "", append([]string{"get", "--ignore-not-found", "-o", "json"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(out) == "" {
		return nil
	}
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(out), &u.Object); err != nil {
		t.Fatalf("cannot decode %q: %v", out, err)
	}
	return u
}

// eventually calls until it returns no error, and ends the test with its last
// error where it never does.
func eventually(t *testing.T, within time.Duration, what string, f func() error) {
	t.Helper()
	started := time.Now()
	last := fmt.Errorf("not tried")
	err := wait.PollUntilContextTimeout(t.Context(), 500*time.Millisecond, within, true, func(context.Context) (bool, error) {
		last = f()
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("%s: not within %s: %v", what, within, last)
	}
	t.Logf("%s: %s", what, time.Since(started).Round(100*time.Millisecond))
}

// condition returns status, reason and message of an object's condition.
func condition(u *unstructured.Unstructured, kind string) (status, reason, message string) {
	if u == nil {
		return "", "", ""
	}
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		m, _ := c.(map[string]any)
		if m["type"] == kind {
			status, _ = m["status"].(string)
			reason, _ = m["reason"].(string)
			message, _ = m["message"].(string)
		}
	}
	return status, reason, message
}

// reached returns nil where a claim is Ready and Reached.
func reached(u *unstructured.Unstructured) error {
	if u == nil {
		return fmt.Errorf("does not exist")
	}
	ready, _, _ := condition(u, "Ready")
	status, reason, message := condition(u, "Reached")
	if ready != "True" || status != "True" {
		return fmt.Errorf("%s %s: Ready=%s Reached=%s (%s): %s", u.GetKind(), u.GetName(), ready, status, reason, message)
	}
	return nil
}
