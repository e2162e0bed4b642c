package argocd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const settings = "../../examples/argocd/argocd-cm.yaml"

// argocd runs its command on the settings of the example, and returns what it prints.
func argocd(t *testing.T, args ...string) string {
	t.Helper()
	binaries := os.Getenv("MAINSTAY_BINARIES")
	if binaries == "" {
		binaries = "../../_output/bin"
	}
	binary := filepath.Join(binaries, "argocd")
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("cannot find Argo CD: build it with make argocd: %v", err)
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), binary, append(append([]string{"admin", "settings"}, args...), "--argocd-cm-path", settings)...)
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	errs := &strings.Builder{}
	cmd.Stderr = errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("argocd %s: %v: %s", strings.Join(args, " "), err, errs)
	}
	return strings.TrimSpace(string(out))
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "object.yaml")
	if err := os.WriteFile(path, []byte(strings.TrimLeft(content, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestHealth has Argo CD itself say how our kinds are, by the scripts of the example.
func TestHealth(t *testing.T) {
	cases := map[string]struct {
		reason string
		kind   string // With its group and version.
		status string
		want   string
	}{
		"NewClaim": {
			reason: "A claim that nobody has looked at yet is on its way.",
			kind:   "mainstay.dev/v1alpha1 ProductApplication",
			status: `{}`,
			want:   "Progressing: waits to be looked at",
		},
		"ClaimOnItsWay": {
			reason: "Crossplane being done is not being there.",
			kind:   "mainstay.dev/v1alpha1 ClusterFleet",
			status: `{conditions: [{type: Synced, status: "True"}, {type: Ready, status: "False", reason: Waiting}, {type: Reached, status: "False", reason: Progressing, message: 1/3 clusters ready}]}`,
			want:   "Progressing: 1/3 clusters ready",
		},
		"ClaimReached": {
			reason: "Reached everywhere is healthy.",
			kind:   "mainstay.dev/v1alpha1 ClusterFleet",
			status: `{conditions: [{type: Synced, status: "True"}, {type: Ready, status: "True"}, {type: Reached, status: "True", reason: Reached, message: 3/3 clusters ready, observedGeneration: 2}]}`,
			want:   "Healthy: 3/3 clusters ready",
		},
		"ClaimReachedBefore": {
			reason: "What was said of an older claim is not said of this one.",
			kind:   "mainstay.dev/v1alpha1 ProductApplication",
			status: `{conditions: [{type: Ready, status: "True"}, {type: Reached, status: "True", reason: Reached, message: 3/3 clusters ready, observedGeneration: 1}]}`,
			want:   "Progressing: waits for its last change to be looked at",
		},
		"ClaimNotReady": {
			reason: "Ready follows Reached, and is waited for.",
			kind:   "mainstay.dev/v1alpha1 ProductApplication",
			status: `{conditions: [{type: Ready, status: "False"}, {type: Reached, status: "True", reason: Reached, message: 3/3 clusters ready}]}`,
			want:   "Progressing: 3/3 clusters ready",
		},
		"ClaimInvalid": {
			reason: "A claim that is refused needs somebody.",
			kind:   "mainstay.dev/v1alpha1 ProductApplication",
			status: `{conditions: [{type: Reached, status: "False", reason: InvalidSpec, message: "spec.components[0].type: no such type"}]}`,
			want:   "Degraded: spec.components[0].type: no such type",
		},
		"ClaimBlocked": {
			reason: "So does one whose rollout halted.",
			kind:   "mainstay.dev/v1alpha1 ProductApplication",
			status: `{rollout: {phase: Halted}, conditions: [{type: Reached, status: "False", reason: Blocked, message: canary failed}]}`,
			want:   "Degraded: canary failed",
		},
		"ClaimPaused": {
			reason: "Somebody paused it: nothing is wrong.",
			kind:   "mainstay.dev/v1alpha1 ProductApplication",
			status: `{rollout: {phase: Paused}, conditions: [{type: Reached, status: "False", reason: Blocked, message: paused}]}`,
			want:   "Suspended: paused",
		},
		"FleetUpgradePaused": {
			reason: "A fleet says so elsewhere.",
			kind:   "mainstay.dev/v1alpha1 ClusterFleet",
			status: `{upgrade: {phase: Paused}, conditions: [{type: Reached, status: "False", reason: Progressing, message: paused}]}`,
			want:   "Suspended: paused",
		},
		"ClaimNotSynced": {
			reason: "Crossplane cannot compose it.",
			kind:   "mainstay.dev/v1alpha1 ClusterFleet",
			status: `{conditions: [{type: Synced, status: "False", message: cannot select Composition}]}`,
			want:   "Degraded: cannot select Composition",
		},
		"DefinitionPublished": {
			reason: "A definition is there when its version is published.",
			kind:   "mainstay.dev/v1alpha1 ComponentDefinition",
			status: `{conditions: [{type: Published, status: "True", message: version 1.0.0}]}`,
			want:   "Healthy: version 1.0.0",
		},
		"DefinitionInvalid": {
			reason: "One that cannot be published needs somebody.",
			kind:   "mainstay.dev/v1alpha1 TraitDefinition",
			status: `{conditions: [{type: Published, status: "False", reason: VersionTaken, message: "1.0.0 says something else"}]}`,
			want:   "Degraded: 1.0.0 says something else",
		},
		"RepositoryReady": {
			reason: "A Repository that the forge answers for.",
			kind:   "m.mainstay.dev/v1alpha1 Repository",
			status: `{atProvider: {message: 2 open changes}, conditions: [{type: Synced, status: "True"}, {type: Ready, status: "True"}]}`,
			want:   "Healthy: 2 open changes",
		},
		"RepositoryUnreachable": {
			reason: "The forge does not answer.",
			kind:   "m.mainstay.dev/v1alpha1 Repository",
			status: `{atProvider: {message: forge is down}, conditions: [{type: Synced, status: "False", reason: ReconcileError, message: forge is down}, {type: Ready, status: "False", reason: ForgeUnreachable}]}`,
			want:   "Degraded: forge is down",
		},
		"ChangePlanned": {
			reason: "It waits for people, and nothing is wrong.",
			kind:   "m.mainstay.dev/v1alpha1 Change",
			status: `{atProvider: {phase: Planned, message: waits for 1 approval}}`,
			want:   "Suspended: waits for 1 approval",
		},
		"ChangeExecuting": {
			reason: "It is on its way.",
			kind:   "m.mainstay.dev/v1alpha1 Change",
			status: `{atProvider: {phase: Executing, message: 1/3 clusters}}`,
			want:   "Progressing: 1/3 clusters",
		},
		"ChangeHalted": {
			reason: "It needs somebody.",
			kind:   "m.mainstay.dev/v1alpha1 Change",
			status: `{atProvider: {phase: Halted, message: canary failed}}`,
			want:   "Degraded: canary failed",
		},
		"ChangeCompleted": {
			reason: "It is merged.",
			kind:   "m.mainstay.dev/v1alpha1 Change",
			status: `{atProvider: {phase: Completed, message: merged}}`,
			want:   "Healthy: merged",
		},
		"RolloutHalted": {
			reason: "A Rollout says how it is by its phase.",
			kind:   "m.mainstay.dev/v1alpha1 Rollout",
			status: `{atProvider: {phase: Halted, message: budget is spent}, conditions: [{type: Ready, status: "False", reason: Unavailable}]}`,
			want:   "Degraded: budget is spent",
		},
		"RolloutProgressing": {
			reason: "Not ready yet is not wrong.",
			kind:   "m.mainstay.dev/v1alpha1 Rollout",
			status: `{atProvider: {phase: Progressing, message: wave 1}, conditions: [{type: Ready, status: "False", reason: Unavailable}]}`,
			want:   "Progressing: wave 1",
		},
		"ClusterBeingMade": {
			reason: "A cluster that is made.",
			kind:   "m.mainstay.dev/v1alpha1 Cluster",
			status: `{atProvider: {message: waits for nodes}, conditions: [{type: Synced, status: "True"}, {type: Ready, status: "False", reason: Creating}]}`,
			want:   "Progressing: waits for nodes",
		},
		"NodePoolLost": {
			reason: "It was there, and is not any more.",
			kind:   "m.mainstay.dev/v1alpha1 NodePool",
			status: `{conditions: [{type: Synced, status: "True"}, {type: Ready, status: "False", reason: Unavailable, message: 1/2 nodes}]}`,
			want:   "Degraded: 1/2 nodes",
		},
		"ReleaseUnknown": {
			reason: "A cluster that cannot be asked.",
			kind:   "m.mainstay.dev/v1alpha1 Release",
			status: `{atProvider: {health: Unknown, message: unreachable}, conditions: [{type: Synced, status: "True"}, {type: Ready, status: Unknown, reason: Unavailable}]}`,
			want:   "Degraded: unreachable",
		},
		"Bundle": {
			reason: "A Bundle has nothing to become.",
			kind:   "m.mainstay.dev/v1alpha1 Bundle",
			status: `{}`,
			want:   "Healthy:",
		},
		"ApplicationOfApplications": {
			reason: "The parent waits for its children.",
			kind:   "argoproj.io/v1alpha1 Application",
			status: `{health: {status: Degraded, message: one of them}}`,
			want:   "Degraded: one of them",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			version, kind, _ := strings.Cut(tc.kind, " ")
			out := argocd(t, "resource-overrides", "health", file(t, "apiVersion: "+version+"\nkind: "+kind+"\nmetadata: {name: it, namespace: here, generation: 2}\nstatus: "+tc.status+"\n"))
			health, message, _ := strings.Cut(out, "\n")
			got := strings.TrimPrefix(health, "STATUS: ") + ": " + strings.TrimSpace(strings.TrimPrefix(message, "MESSAGE:"))
			if diff := cmp.Diff(tc.want, strings.TrimSpace(got)); diff != "" {
				t.Errorf("%s\n-want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestIgnored has Argo CD drop what Git need not know of a claim.
func TestIgnored(t *testing.T) {
	for _, kind := range []string{"ClusterFleet", "ProductApplication"} {
		t.Run(kind, func(t *testing.T) {
			out := argocd(t, "resource-overrides", "ignore-differences", file(t, `
apiVersion: mainstay.dev/v1alpha1
kind: `+kind+`
metadata:
  name: it
  finalizers: [finalizer.apiextensions.crossplane.io]
  annotations: {crossplane.io/external-name: it, mainstay.dev/change: here/claims-1.4, mine: "yes"}
spec:
  compositeDeletePolicy: Foreground
  compositionRef: {name: mainstay}
  compositionRevisionRef: {name: mainstay-1}
  compositionUpdatePolicy: Automatic
  resourceRef: {name: it-abcde}
  mine: "yes"
`))
			for _, line := range strings.Split(out, "\n") {
				if strings.HasPrefix(line, ">") || strings.HasPrefix(line, "+") {
					t.Errorf("adds %q", line)
				}
			}
			for _, gone := range []string{"finalizers", "external-name", "mainstay.dev/change", "compositeDeletePolicy", "compositionRef", "compositionRevisionRef", "compositionUpdatePolicy", "resourceRef"} {
				if !strings.Contains(out, gone) {
					t.Errorf("does not drop %s:\n%s", gone, out)
				}
			}
		})
	}
}

// TestValid has Argo CD check the settings.
func TestValid(t *testing.T) {
	if out := argocd(t, "validate", "--group", "resource-overrides"); !strings.Contains(out, "5 resource overrides") && !strings.Contains(out, "6 resource overrides") {
		t.Errorf("validate: %s", out)
	}
}
