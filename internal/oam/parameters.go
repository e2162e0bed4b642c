package oam

import (
	corev1 "k8s.io/api/core/v1"
)

// The parameters of component types. What they mean is said in
// schema/components.yaml, which also checks their form and fills in defaults.

type container struct {
	Image            string             `json:"image"`
	ImagePullPolicy  corev1.PullPolicy  `json:"imagePullPolicy"`
	ImagePullSecrets []string           `json:"imagePullSecrets"`
	Labels           map[string]string  `json:"labels"`
	Annotations      map[string]string  `json:"annotations"`
	Cmd              []string           `json:"cmd"`
	Args             []string           `json:"args"`
	Env              []corev1.EnvVar    `json:"env"`
	CPU              string             `json:"cpu"`
	Memory           string             `json:"memory"`
	Limit            limit              `json:"limit"`
	VolumeMounts     *volumeMounts      `json:"volumeMounts"`
	Volumes          []volume           `json:"volumes"`
	LivenessProbe    *corev1.Probe      `json:"livenessProbe"`
	ReadinessProbe   *corev1.Probe      `json:"readinessProbe"`
	HostAliases      []corev1.HostAlias `json:"hostAliases"`
}

type limit struct {
	CPU    string `json:"cpu"`
	Memory string `json:"memory"`
}

type volumeMounts struct {
	PVC       []volume `json:"pvc"`
	ConfigMap []volume `json:"configMap"`
	Secret    []volume `json:"secret"`
	EmptyDir  []volume `json:"emptyDir"`
	HostPath  []volume `json:"hostPath"`
}

// A volume is one entry of volumeMounts or of volumes. Type is set in the latter.
type volume struct {
	Name        string             `json:"name"`
	Type        string             `json:"type"`
	MountPath   string             `json:"mountPath"`
	SubPath     string             `json:"subPath"`
	ClaimName   string             `json:"claimName"`
	CMName      string             `json:"cmName"`
	SecretName  string             `json:"secretName"`
	DefaultMode *int32             `json:"defaultMode"`
	Items       []corev1.KeyToPath `json:"items"`
	Medium      string             `json:"medium"`
	Path        string             `json:"path"`
}

type port struct {
	Port          int32           `json:"port"`
	ContainerPort int32           `json:"containerPort"`
	Name          string          `json:"name"`
	Protocol      corev1.Protocol `json:"protocol"`
	Expose        bool            `json:"expose"`
	NodePort      int32           `json:"nodePort"`
}

// network is what services have in addition to a container.
type network struct {
	Port             int32              `json:"port"`
	Ports            []port             `json:"ports"`
	ExposeType       corev1.ServiceType `json:"exposeType"`
	AddRevisionLabel bool               `json:"addRevisionLabel"`
}

type serviceParameters struct {
	container
	network
}

type workerParameters struct {
	container
}

// run is what tasks have in addition to a container.
type run struct {
	Count   int32                `json:"count"`
	Restart corev1.RestartPolicy `json:"restart"`
}

type taskParameters struct {
	container
	run
}

type cronTaskParameters struct {
	container
	run

	Schedule                   string `json:"schedule"`
	Suspend                    bool   `json:"suspend"`
	ConcurrencyPolicy          string `json:"concurrencyPolicy"`
	SuccessfulJobsHistoryLimit int32  `json:"successfulJobsHistoryLimit"`
	FailedJobsHistoryLimit     int32  `json:"failedJobsHistoryLimit"`
	StartingDeadlineSeconds    *int64 `json:"startingDeadlineSeconds"`
	TTLSecondsAfterFinished    *int32 `json:"ttlSecondsAfterFinished"`
	ActiveDeadlineSeconds      *int64 `json:"activeDeadlineSeconds"`
	BackoffLimit               int32  `json:"backoffLimit"`
}
