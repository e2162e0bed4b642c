package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// A block of a page is a fenced piece of it: commands to run, or a file to write.
type block struct {
	language, file, text string
}

var fence = regexp.MustCompile("(?ms)^```(\\w+)([^\n]*)\n(.*?)^```$")

func blocksOf(page string) []block {
	out := []block{}
	for _, m := range fence.FindAllStringSubmatch(page, -1) {
		b := block{language: m[1], text: m[3]}
		if _, file, ok := strings.Cut(m[2], "file="); ok {
			b.file = strings.TrimSpace(file)
		}
		out = append(out, b)
	}
	return out
}

// elsewhere are the commands that are proven by what runs this suite, and would
// start it again.
var elsewhere = map[string]string{
	"make demo":        "TestMain starts the demo with the command behind it",
	"make demo-change": "TestDemoChange runs the command behind it",
	"make test":        "this suite is a part of it",
}

// Every command in a page runs, in order, as a reader would type it, and every
// manifest is applied as it stands.
func TestPages(t *testing.T) {
	pages := []string{
		"README.md", "docs/first-fleet.md", "docs/first-application.md", "docs/upgrade-fleet.md", "docs/operate.md", "docs/definitions.md", "docs/troubleshooting.md", "docs/changes/sre.md",
		"examples/demo/README.md", "examples/adopt-cluster/README.md", "examples/generated-fleet/README.md", "examples/kubevela-paste/README.md", "examples/rollout/README.md",
		"examples/definitions/README.md",
	}
	existing := cluster(t, "platform", demoClusters(t)[2])
	for _, page := range pages {
		t.Run(page, func(t *testing.T) {
			runPage(t, page, hub.kubeconfig, map[string]string{
				"_output/demo/kubeconfig": relative(t, hub.kubeconfig),
				"-f examples/":            "-f " + root + "/examples/",
				"existing.kubeconfig":     existing.kubeconfig,
			})
		})
	}
}

func relative(t *testing.T, path string) string {
	t.Helper()
	rel, err := filepath.Rel(root, path)
	if err != nil {
		t.Fatal(err)
	}
	return rel
}

// runPage runs a page's blocks in one shell. Replacements stand for what only the
// reader knows.
func runPage(t *testing.T, page, kubeconfig string, replace map[string]string) {
	t.Helper()
	script := &strings.Builder{}
	script.WriteString("set -euo pipefail\nmainstay() { if [ \"$1\" = demo ]; then command mainstay \"$@\" --state " + state + "; else command mainstay \"$@\"; fi; }\n")
	dir := t.TempDir()
	for _, b := range blocksOf(readFile(t, filepath.Join(root, page))) {
		switch {
		case b.language == "yaml" && b.file != "":
			script.WriteString("cat > " + b.file + " <<'END_OF_FILE'\n" + b.text + "END_OF_FILE\n")
		case b.language == "sh":
			for line := range strings.SplitSeq(b.text, "\n") {
				command, _, _ := strings.Cut(line, " #")
				if _, ok := elsewhere[strings.TrimSpace(command)]; !ok {
					script.WriteString(line + "\n")
				}
			}
		}
	}
	text := script.String()
	for from, to := range replace {
		text = strings.ReplaceAll(text, from, to)
	}
	text = strings.ReplaceAll(text, "$PWD", root)

	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-x", "-c", text)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "PATH="+binaries+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("cannot follow %s: %v\n%s", page, err, out)
	}
	if len(blocksOf(readFile(t, filepath.Join(root, page)))) == 0 {
		t.Errorf("%s has no block to run", page)
	}
}

// The installation page is followed on a hub that has Crossplane and nothing else.
func TestInstallPage(t *testing.T) {
	dir, err := os.MkdirTemp(filepath.Join(root, "_output"), "e2e-install-")
	if err != nil {
		t.Fatal(err)
	}
	mainstayHere := func(ctx context.Context, args ...string) error {
		cmd := exec.CommandContext(ctx, filepath.Join(binaries, "mainstay"), append(append([]string{"demo"}, args...), "--state", dir)...)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	t.Cleanup(func() {
		// Not the test's context, which is done by now.
		if err := mainstayHere(context.Background(), "down"); err != nil {
			t.Error(err)
		}
	})
	if err := mainstayHere(t.Context(), "up", "--crossplane-only"); err != nil {
		t.Fatal(err)
	}
	numbers := map[string]int{}
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(dir, "ports.json"))), &numbers); err != nil {
		t.Fatal(err)
	}

	// What a kubelet does on a real hub: it runs what Crossplane installs.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	adopted := make(chan error, 1)
	go func() {
		bare := kubectl{kubeconfig: filepath.Join(dir, "kubeconfig")}
		err := wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
			_, err := bare.run(ctx, "", "get", "configuration", "mainstay")
			return err == nil, nil
		})
		if err == nil {
			err = mainstayHere(ctx, "up", "--adopt-packages")
		}
		adopted <- err
	}()
	runPage(t, "docs/install.md", filepath.Join(dir, "kubeconfig"), map[string]string{
		"registry.example.org": fmt.Sprintf("127.0.0.1:%d", numbers["registry"]),
		"make package":         "make -C " + root + " package",
	})
	if t.Failed() {
		cancel()
	}
	if err := <-adopted; err != nil {
		t.Error(err)
	}
}
