package rollout

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/screen"
	"github.com/mainstay-dev/mainstay/internal/control"
	"github.com/mainstay-dev/mainstay/internal/control/controltest"
)

var update = flag.Bool("update", false, "write what is shown to the golden files")

func TestShow(t *testing.T) {
	healthy := controltest.Before(4 * time.Minute)
	cases := map[string]struct {
		rollout *v1alpha1.Rollout
		screen  screen.Screen
	}{
		"gates-in-a-terminal": {rollout: controltest.Rollout(), screen: screen.Screen{Terminal: true, Width: 100}},
		"gates-in-a-log":      {rollout: controltest.Rollout()},
		"halted":              {rollout: controltest.Rollout(controltest.Halted), screen: screen.Screen{Terminal: true, Width: 120}},
		"soaking-on-a-narrow-terminal": {screen: screen.Screen{Terminal: true, Width: 50}, rollout: controltest.Rollout(controltest.Phase(v1alpha1.RolloutWaiting, "wave europe soaks"), func(ro *v1alpha1.Rollout) {
			w := &ro.Status.AtProvider.Waves[1]
			w.Phase, w.HealthySince, w.Gates, w.Message = v1alpha1.WaveSoaking, &healthy, nil, "soaks"
		})},
		"preflight-blocks": {rollout: controltest.Rollout(controltest.Phase(v1alpha1.RolloutPreflight, "would not start on 3 of 1000 clusters"), func(ro *v1alpha1.Rollout) {
			at := &ro.Status.AtProvider
			at.Waves, at.Clusters = nil, v1alpha1.RolloutCount{Total: 1000}
			at.Preflight = &v1alpha1.PreflightStatus{Digest: controltest.Present, Checked: 1000, Blocking: 3, Findings: []v1alpha1.Finding{
				{Cause: "C2", Severity: v1alpha1.Blocking, Object: "ConfigMap/settings", Message: "key mode is missing", Fix: "Add the key mode to ConfigMap settings.", Clusters: 3, Examples: []string{"prod.eu-1", "prod.eu-2"}},
				{Cause: "B5", Severity: v1alpha1.Warning, Object: "Deployment/web", Message: "its pods fit only on one node", Clusters: 1, Examples: []string{"prod.us-1"}, Waived: "until the nodes are there"},
			}}
		})},
		"completed": {rollout: controltest.Rollout(controltest.Phase(v1alpha1.RolloutCompleted, "healthy on 1000 clusters"), func(ro *v1alpha1.Rollout) {
			all := v1alpha1.RolloutCount{Total: 1000, Updated: 1000, Ready: 1000}
			ro.Status.AtProvider.Clusters, ro.Status.AtProvider.Waves = all, nil
			ro.Status.AtProvider.Images = controltest.Images()
		}), screen: screen.Screen{Terminal: true, Width: 100}},
		"steps-behind": {rollout: controltest.Rollout(func(ro *v1alpha1.Rollout) {
			ro.SetGeneration(5)
			ro.Status.AtProvider.Steps = []v1alpha1.StepStatus{{Name: "europe", Phase: v1alpha1.StepSucceeded}, {Name: "look", Phase: v1alpha1.StepRunning, Message: "waits for an approval"}}
		})},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := tc.screen.Render(Lines(control.See(tc.rollout, controltest.Now), tc.screen), false)
			golden(t, name, got)
		})
	}
	t.Run("approvals", func(t *testing.T) {
		ro := controltest.Rollout(controltest.Control(v1alpha1.RolloutControl{Approvals: []v1alpha1.Approval{{Gate: "europe/go", Digest: controltest.Present, By: "ann"}}}))
		golden(t, "approvals", screen.Screen{}.Render(ApprovalLines(control.See(ro, controltest.Now)), false))
	})
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want, +got:\n%s", file, diff)
	}
}
