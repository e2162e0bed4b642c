package productapplication

import (
	"fmt"
	"slices"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// maxSteps is how many steps of a workflow a claim shows.
const maxSteps = 10

// status carries to the claim what the Rollout says, folded: the Rollout has it in full.
func status(want wanted, seen observed) v1alpha1.ProductApplicationStatus {
	s := v1alpha1.ProductApplicationStatus{}
	for _, v := range want.rollout.Spec.ForProvider.Variants {
		if !slices.Contains(s.Bundles, v.Bundle) {
			s.Bundles = append(s.Bundles, v.Bundle)
		}
	}
	if seen.rollout == nil {
		return s
	}
	is := seen.rollout.Status.AtProvider
	s.Summary = summary(is.Clusters)
	s.Clusters = v1alpha1.ApplicationClusters{Total: is.Clusters.Total, Updated: is.Clusters.Updated, Ready: is.Clusters.Ready}
	for _, c := range is.Components {
		s.Services = append(s.Services, v1alpha1.ServiceStatus{Name: c.Name, Healthy: c.Healthy, Total: c.Total, Message: c.Message})
	}
	for _, p := range is.Problems {
		s.Problems = append(s.Problems, v1alpha1.ClusterProblem{Cluster: p.Cluster, Message: p.Message})
	}
	s.Rollout = rolloutStatus(is)
	s.Workflow = workflowStatus(is.Steps)
	s.Preflight = preflightStatus(is.Preflight)
	return s
}

func rolloutStatus(is mv1alpha1.RolloutObservation) *v1alpha1.ApplicationRollout {
	if is.Phase == "" {
		return nil
	}
	out := &v1alpha1.ApplicationRollout{Phase: string(is.Phase), Digest: is.Digest, Message: is.Message}
	over := 0
	for _, w := range is.Waves {
		switch {
		case w.Phase == mv1alpha1.WaveOver:
			over++
		case w.Phase != mv1alpha1.WavePending && out.Wave == "":
			out.Wave = w.Name
		}
	}
	if len(is.Waves) > 0 {
		out.Waves = fmt.Sprintf("%d/%d", over, len(is.Waves))
	}
	return out
}

func workflowStatus(steps []mv1alpha1.StepStatus) *v1alpha1.WorkflowStatus {
	if len(steps) == 0 {
		return nil
	}
	out, done := &v1alpha1.WorkflowStatus{}, 0
	for _, s := range steps {
		switch s.Phase {
		case mv1alpha1.StepSucceeded, mv1alpha1.StepSkipped:
			done++
		case mv1alpha1.StepRunning, mv1alpha1.StepFailed:
			if len(out.Steps) < maxSteps {
				out.Steps = append(out.Steps, v1alpha1.WorkflowStepStatus{Name: s.Name, Phase: string(s.Phase), Message: s.Message})
			}
		}
	}
	out.Done = fmt.Sprintf("%d/%d", done, len(steps))
	return out
}

func preflightStatus(p *mv1alpha1.PreflightStatus) *v1alpha1.ApplicationPreflight {
	if p == nil {
		return nil
	}
	out := &v1alpha1.ApplicationPreflight{Checked: p.Checked, Blocking: p.Blocking}
	for i := range p.Findings {
		f := &p.Findings[i]
		if f.Waived == "" && len(out.Findings) < maxFindings {
			plain := *f
			plain.Object = ""
			out.Findings = append(out.Findings, v1alpha1.PreflightFinding{
				Cause: f.Cause, Severity: string(f.Severity), Object: f.Object, Message: finding(&plain), Clusters: f.Clusters,
			})
		}
	}
	return out
}
