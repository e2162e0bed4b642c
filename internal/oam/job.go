package oam

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
)

// task renders a Job.
func task(in instance, p taskParameters, fs *findings) []runtime.Object {
	j := &batchv1.Job{ObjectMeta: named(in.component), Spec: p.jobSpec(in, &p.container, fs)}
	j.SetGroupVersionKind(batchv1.SchemeGroupVersion.WithKind("Job"))
	return []runtime.Object{j}
}

// nameTask gives a task's Job its name, once nothing changes it any more. A Job cannot
// change, so its name has a digest of its specification: one that should be different
// is another Job, and runs. The digest is over what will be applied, and not over the
// Go type, which gets new empty fields with every release of Kubernetes.
func nameTask(in instance, objects []unstructured.Unstructured) error {
	for i := range objects {
		if objects[i].GetKind() != "Job" || objects[i].GetName() != in.component {
			continue
		}
		raw, err := json.Marshal(objects[i].Object["spec"])
		if err != nil {
			return fmt.Errorf("cannot name Job of component %q: %w", in.component, err)
		}
		sum := sha256.Sum256(raw)
		objects[i].SetName(in.component + "-" + hex.EncodeToString(sum[:4]))
	}
	return nil
}

// cronTask renders a CronJob.
func cronTask(in instance, p cronTaskParameters, fs *findings) []runtime.Object {
	checkSchedule(p.Schedule, fs)
	spec := p.jobSpec(in, &p.container, fs)
	spec.TTLSecondsAfterFinished = p.TTLSecondsAfterFinished
	spec.ActiveDeadlineSeconds = p.ActiveDeadlineSeconds
	spec.BackoffLimit = ptr.To(p.BackoffLimit)
	c := &batchv1.CronJob{
		ObjectMeta: named(in.component),
		Spec: batchv1.CronJobSpec{
			Schedule:                   p.Schedule,
			Suspend:                    ptr.To(p.Suspend),
			ConcurrencyPolicy:          batchv1.ConcurrencyPolicy(p.ConcurrencyPolicy),
			SuccessfulJobsHistoryLimit: ptr.To(p.SuccessfulJobsHistoryLimit),
			FailedJobsHistoryLimit:     ptr.To(p.FailedJobsHistoryLimit),
			StartingDeadlineSeconds:    p.StartingDeadlineSeconds,
			JobTemplate: batchv1.JobTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: spec.Template.Labels, Annotations: spec.Template.Annotations},
				Spec:       spec,
			},
		},
	}
	c.SetGroupVersionKind(batchv1.SchemeGroupVersion.WithKind("CronJob"))
	return []runtime.Object{c}
}

func (r run) jobSpec(in instance, c *container, fs *findings) batchv1.JobSpec {
	pod := c.pod(in, nil, fs)
	pod.Spec.RestartPolicy = r.Restart
	return batchv1.JobSpec{Parallelism: ptr.To(r.Count), Completions: ptr.To(r.Count), Template: pod}
}

var (
	cronField = regexp.MustCompile(`^[-0-9A-Za-z*?/,]+$`)
	cronMacro = regexp.MustCompile(`^@(yearly|annually|monthly|weekly|daily|midnight|hourly|every [0-9]+(s|m|h)([0-9]+(s|m))*)$`)
)

// checkSchedule finds what is clearly no schedule. The last word is the cluster's.
func checkSchedule(s string, fs *findings) {
	if cronMacro.MatchString(s) {
		return
	}
	fields := strings.Fields(s)
	ok := len(fields) == 5
	for _, f := range fields {
		ok = ok && cronField.MatchString(f)
	}
	if !ok {
		fs.addf(path{"schedule"}, `must be a schedule in cron format with five fields, such as "0 3 * * *", got %s`, describe(s))
	}
}
