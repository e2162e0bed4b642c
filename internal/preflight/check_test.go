package preflight

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// A checkCase is an application on a cluster, and all that is found there.
type checkCase struct {
	reason   string
	objects  string
	contract *bundle.Contract
	cluster  []func(*Snapshot)
	// want lines of cause, severity, object and field. Without any, nothing is found.
	want []string
}

const (
	needs    = "resources: {requests: {cpu: 100m, memory: 128Mi}}"
	large    = "resources: {requests: {cpu: 20, memory: 1Gi}}"
	half     = "resources: {requests: {cpu: 2, memory: 1Gi}}"
	gpuOne   = "resources: {limits: {nvidia.com/gpu: 1}}"
	tolerate = "tolerations: [{key: dedicated, operator: Exists}]"
	onlyGPU  = "nodeSelector: {mainstay.dev/node-class: gpu}"
	nodes    = "spec.template.spec.containers"
	main     = "spec.template.spec.containers[name=main]"
)

// cases by cause. Each cause has one that is found and one that is nearly so.
func cases(t *testing.T) map[string]map[string]checkCase { //nolint:maintidx // It is a table.
	t.Helper()
	elastic := func(s *Snapshot) { s.Capacity.Elastic = true }
	return map[string]map[string]checkCase{
		"A1": {
			"Unknown": {reason: "Nobody serves the kind.", objects: "apiVersion: nowhere.io/v1\nkind: Thing\nmetadata: {name: a}", want: []string{"A1 Blocking Thing/a apiVersion"}},
			"Brought": {reason: "The application brings the definition.", objects: widgets + "\n---\napiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\nspec: {size: 1}"},
			"NotKnown": {
				reason: "Where the cluster did not say what it serves, nothing is refused.", objects: "apiVersion: nowhere.io/v1\nkind: Thing\nmetadata: {name: a}",
				cluster: []func(*Snapshot){func(s *Snapshot) { s.Kinds.Incomplete = true }},
			},
			"Contract": {
				reason: "A contract names kinds too.", objects: deployment("1", "", needs), contract: &bundle.Contract{Kinds: []string{"widgets.example.com/v2"}},
				cluster: []func(*Snapshot){withWidgets(t)}, want: []string{"A1 Blocking Deployment/web "},
			},
			"ContractMet": {
				reason: "The cluster serves it.", objects: deployment("1", "", needs), contract: &bundle.Contract{Kinds: []string{"widgets.example.com/v1", "widgets.example.com"}},
				cluster: []func(*Snapshot){withWidgets(t)},
			},
		},
		"A2": {
			"Removed": {reason: "policy/v1beta1 went with 1.25.", objects: "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: a}\nspec: {selector: {matchLabels: {app: a}}}", want: []string{"A2 Blocking PodDisruptionBudget/a apiVersion"}},
			"OtherVersion": {
				reason: "The kind is served in another version.", objects: "apiVersion: example.com/v2\nkind: Widget\nmetadata: {name: a}\nspec: {size: 1}",
				cluster: []func(*Snapshot){withWidgets(t)}, want: []string{"A2 Blocking Widget/a apiVersion"},
			},
			"Kept": {reason: "autoscaling/v1 goes on.", objects: "apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\nspec: {maxReplicas: 3, scaleTargetRef: {kind: Deployment, name: web}}"},
		},
		"A3": {
			"Unknown": {reason: "A field that is written wrong.", objects: deployment("1", "restartpolicy: Always", needs), want: []string{"A3 Blocking Deployment/web spec.template.spec.restartpolicy"}},
			"Type":    {reason: "A text where a number is wanted.", objects: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: many}", want: []string{"A3 Blocking Deployment/a spec.replicas"}},
			"Newer": {
				reason: "A later release may know the field.", objects: deployment("1", "hologram: true", needs),
				cluster: []func(*Snapshot){func(s *Snapshot) { s.Minor = 36 }},
			},
			"Custom": {
				reason: "Custom resources are judged by their definition: required, range and unknown fields.", objects: "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\nspec: {size: 0, colour: red}",
				cluster: []func(*Snapshot){withWidgets(t)}, want: []string{"A3 Blocking Widget/a spec.colour", "A3 Blocking Widget/a spec.size"},
			},
			"Rule": {
				reason: "And by its rules.", objects: "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\nspec: {size: 100}",
				cluster: []func(*Snapshot){withWidgets(t)}, want: []string{"A3 Blocking Widget/a spec"},
			},
			"Defaulted": {
				reason: "A field that is required has a default.", objects: "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\nspec: {size: 99}",
				cluster: []func(*Snapshot){withWidgets(t)},
			},
			"Late": {reason: "What is still to be bound is not judged.", objects: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: \"${cluster.size}\"}"},
		},
		"A4": {
			"Selector": {
				reason: "A selector cannot be changed.", objects: deployment("1", "", needs),
				cluster: []func(*Snapshot){there(t, strings.Replace(strings.ReplaceAll(deployment("1", "", needs), "{app: web}", "{app: web, old: \"yes\"}"), "{name: web}", "{name: web, labels: {mainstay.dev/application: shop}}", 1))},
				want:    []string{"A4 Blocking Deployment/web spec.selector"},
			},
			"Adopted": {
				reason: "What somebody else's selector has more stays as it is.", objects: strings.ReplaceAll(deployment("1", "", needs), "{labels: {app: web}}", "{labels: {app: web, old: \"yes\"}}"),
				cluster: []func(*Snapshot){there(t, strings.ReplaceAll(deployment("1", "", needs), "{app: web}", "{app: web, old: \"yes\"}"))},
			},
			"Job": {
				reason: "A queue adds to a Job's template, and nobody else may change it.", objects: job("1.0"),
				cluster: []func(*Snapshot){there(t, strings.Replace(job("1.0"), "tolerations: []", "tolerations: [{key: queue, operator: Exists}], nodeSelector: {queue: a}", 1))},
			},
			"JobChanged": {
				reason: "A Job cannot have another image.", objects: job("2.0"),
				cluster: []func(*Snapshot){there(t, job("1.0"))},
				want:    []string{"A4 Blocking Job/a spec.template"},
			},
			"Same": {
				reason: "What the server filled in is no difference, nor is another way to write a number.",
				objects: workloadText("StatefulSet", "db", "serviceName: db\n  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1024Mi}}}}]",
					"", "volumeMounts: [{name: data, mountPath: /data}]"),
				cluster: []func(*Snapshot){there(t, workloadText("StatefulSet", "db",
					"serviceName: db\n  podManagementPolicy: OrderedReady\n  volumeClaimTemplates: [{metadata: {name: data, creationTimestamp: null}, spec: {volumeMode: Filesystem, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}, status: {phase: Pending}}]", "", needs))},
			},
			"Claims": {
				reason:  "Nor can claim templates.",
				objects: workloadText("StatefulSet", "db", "volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 2Gi}}}}]", "", needs),
				cluster: []func(*Snapshot){there(t, workloadText("StatefulSet", "db", "volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]", "", needs))},
				want:    []string{"A4 Blocking StatefulSet/db spec.volumeClaimTemplates"},
			},
			"Role": {
				reason:  "A binding's role cannot be changed.",
				objects: "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: a}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: new}",
				cluster: []func(*Snapshot){there(t, "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: a}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: old}")},
				want:    []string{"A4 Blocking RoleBinding/a roleRef"},
			},
			"Address": {
				reason: "A headless Service cannot get an address.", objects: "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {clusterIP: 10.0.0.1}",
				cluster: []func(*Snapshot){there(t, "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {clusterIP: None}")},
				want:    []string{"A4 Blocking Service/a spec.clusterIP"},
			},
			"Shrink": {
				reason: "A claim cannot shrink.", objects: "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}",
				cluster: []func(*Snapshot){there(t, "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {accessModes: [ReadWriteOnce], volumeName: v, storageClassName: disk, resources: {requests: {storage: 2Gi}}}")},
				want:    []string{"A4 Blocking PersistentVolumeClaim/a spec.resources.requests.storage"},
			},
			"Grow": {
				reason: "It can grow.", objects: "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 3Gi}}}",
				cluster: []func(*Snapshot){there(t, "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {accessModes: [ReadWriteOnce], storageClassName: disk, resources: {requests: {storage: 2Gi}}}")},
			},
			"Frozen": {
				reason: "A ConfigMap that is marked so.", objects: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nimmutable: true\ndata: {k: new}",
				cluster: []func(*Snapshot){there(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nimmutable: true\ndata: {k: old}")},
				want:    []string{"A4 Blocking ConfigMap/a data"},
			},
		},
		"A5": {
			"Missing":     {reason: "The namespace is not there.", objects: deployment("1", "", needs), cluster: []func(*Snapshot){func(s *Snapshot) { s.Namespaces[namespace] = nil }}, want: []string{"A5 Blocking Deployment/web metadata.namespace"}},
			"Terminating": {reason: "It is going.", objects: deployment("1", "", needs), cluster: []func(*Snapshot){func(s *Snapshot) { s.Namespaces[namespace] = &Namespace{Terminating: true} }}, want: []string{"A5 Blocking Deployment/web metadata.namespace"}},
			"Brought":     {reason: "The application brings it.", objects: "apiVersion: v1\nkind: Namespace\nmetadata: {name: team-a}\n---\n" + deployment("1", "", needs), cluster: []func(*Snapshot){func(s *Snapshot) { s.Namespaces[namespace] = nil }}},
		},
		"A6": {
			"Exceeded": {reason: "The quota is smaller than all replicas.", objects: deployment("3", "", needs), cluster: []func(*Snapshot){quotaOf(t, "metadata: {name: q}\nspec: {hard: {pods: 2}}")}, want: []string{"A6 Blocking Deployment/web ResourceQuota q pods"}},
			"Full":     {reason: "Others use it now.", objects: deployment("3", "", needs), cluster: []func(*Snapshot){quotaOf(t, "metadata: {name: q}\nspec: {hard: {requests.cpu: 1}}\nstatus: {used: {requests.cpu: 900m}}")}, want: []string{"A6 Warning Deployment/web ResourceQuota q requests.cpu"}},
			"Replaced": {
				reason: "What the application uses itself is replaced.", objects: deployment("3", "", needs),
				cluster: []func(*Snapshot){quotaOf(t, "metadata: {name: q}\nspec: {hard: {requests.cpu: 1}}\nstatus: {used: {requests.cpu: 900m}}"), running("general-0", namespace, "web", "300m")},
			},
			"NoRequests": {reason: "A quota on memory wants requests.", objects: deployment("1", "", "resources: {requests: {cpu: 1}}"), cluster: []func(*Snapshot){quotaOf(t, "metadata: {name: q}\nspec: {hard: {requests.memory: 10Gi}}")}, want: []string{"A6 Blocking Deployment/web " + main + ".resources.requests.memory"}},
			"Defaults": {
				reason: "A limit range gives them.", objects: deployment("1", "", ""),
				cluster: []func(*Snapshot){quotaOf(t, "metadata: {name: q}\nspec: {hard: {requests.memory: 10Gi, limits.memory: 10Gi}}"), limitRange(t, "spec: {limits: [{type: Container, default: {memory: 1Gi}}]}")},
			},
			"Objects": {reason: "Objects are counted too.", objects: "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: LoadBalancer}", cluster: []func(*Snapshot){quotaOf(t, "metadata: {name: q}\nspec: {hard: {services.loadbalancers: 0}}")}, want: []string{"A6 Blocking  ResourceQuota q services.loadbalancers"}},
			"Scope":   {reason: "The quota is for pods that end.", objects: deployment("3", "", needs), cluster: []func(*Snapshot){quotaOf(t, "metadata: {name: q}\nspec: {scopes: [Terminating], hard: {pods: 2}}")}},
		},
		"A7": {
			"Most":  {reason: "More than the most.", objects: deployment("1", "", "resources: {limits: {memory: 2Gi}}"), cluster: []func(*Snapshot){limitRange(t, "spec: {limits: [{type: Container, max: {memory: 1Gi}}]}")}, want: []string{"A7 Blocking Deployment/web " + main + ".resources.limits.memory"}},
			"Ratio": {reason: "Too far apart.", objects: deployment("1", "", "resources: {requests: {cpu: 100m}, limits: {cpu: 1}}"), cluster: []func(*Snapshot){limitRange(t, "spec: {limits: [{type: Container, maxLimitRequestRatio: {cpu: 4}}]}")}, want: []string{"A7 Blocking Deployment/web " + main + ".resources.cpu"}},
			"Just":  {reason: "Exactly what is allowed, by default.", objects: deployment("1", "", ""), cluster: []func(*Snapshot){limitRange(t, "spec: {limits: [{type: Container, min: {memory: 1Gi}, max: {memory: 1Gi}, default: {memory: 1024Mi}, maxLimitRequestRatio: {memory: 1}}]}")}},
			"Claim": {reason: "Claims have limits.", objects: "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 2Gi}}}", cluster: []func(*Snapshot){limitRange(t, "spec: {limits: [{type: PersistentVolumeClaim, max: {storage: 1Gi}}]}")}, want: []string{"A7 Blocking PersistentVolumeClaim/a spec.resources.limits.storage"}},
		},
		"A8": {
			"HostPath":   {reason: "The level baseline has no host paths.", objects: deployment("1", "volumes: [{name: h, hostPath: {path: /}}]", needs), want: []string{"A8 Blocking Deployment/web spec.template.spec"}},
			"Privileged": {reason: "The namespace allows all.", objects: deployment("1", "hostNetwork: true", needs), cluster: []func(*Snapshot){func(s *Snapshot) { s.Namespaces[namespace] = &Namespace{} }}},
			"Baseline":   {reason: "Root is fine with baseline.", objects: deployment("1", "", "securityContext: {runAsUser: 0}")},
		},
		"A9": {
			"Missing": {reason: "It is not there.", objects: deployment("1", "priorityClassName: urgent", needs), want: []string{"A9 Blocking Deployment/web spec.template.spec.priorityClassName"}},
			"Brought": {reason: "The application brings it.", objects: "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: urgent}\nvalue: 1\n---\n" + deployment("1", "priorityClassName: urgent", needs)},
		},
		"A10": {
			"Missing": {reason: "It is not there.", objects: deployment("1", "runtimeClassName: kata", needs), want: []string{"A10 Blocking Deployment/web spec.template.spec.runtimeClassName"}},
			"There":   {reason: "It is there.", objects: deployment("1", "runtimeClassName: gvisor", needs)},
		},
		"A11": {
			"Missing": {reason: "It is not there.", objects: deployment("1", "serviceAccountName: robot", needs), cluster: []func(*Snapshot){absentNames("robot")}, want: []string{"A11 Blocking Deployment/web spec.template.spec.serviceAccountName"}},
			"Operator": {
				reason: "An operator may make it.", objects: "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\nspec: {size: 1}\n---\n" + deployment("1", "serviceAccountName: robot", needs),
				cluster: []func(*Snapshot){absentNames("robot"), withWidgets(t)}, want: []string{"A11 Warning Deployment/web spec.template.spec.serviceAccountName"},
			},
			"Brought": {reason: "The application brings it.", objects: "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot}\n---\n" + deployment("1", "serviceAccountName: robot", needs), cluster: []func(*Snapshot){absentNames("robot")}},
		},
		"A13": {
			"Upper":    {reason: "Names are in lower case.", objects: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Settings}", want: []string{"A13 Blocking ConfigMap/Settings metadata.name"}},
			"Set":      {reason: "Pods of a StatefulSet have a label that is made of its name.", objects: workloadText("StatefulSet", strings.Repeat("a", 53), "replicas: 1", "", needs), want: []string{"A13 Blocking StatefulSet/" + strings.Repeat("a", 53) + " metadata.name"}},
			"SetJust":  {reason: "52 characters are possible.", objects: workloadText("StatefulSet", strings.Repeat("a", 52), "replicas: 1", "", needs)},
			"Label":    {reason: "A label's value has at most 63 characters.", objects: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {l: " + strings.Repeat("a", 64) + "}}", want: []string{"A13 Blocking ConfigMap/a metadata.labels[l]"}},
			"Role":     {reason: "Names of roles may have colons.", objects: "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: \"team:Reader\"}"},
			"PortName": {reason: "Names of ports are short.", objects: deployment("1", "", "ports: [{containerPort: 80, name: a-very-long-port-name}]"), want: []string{"A13 Blocking Deployment/web " + main + ".ports[80].name"}},
		},
		"A14": {
			"Differs": {reason: "The template has not the label.", objects: strings.Replace(deployment("1", "", needs), "matchLabels: {app: web}", "matchLabels: {app: other}", 1), want: []string{"A14 Blocking Deployment/web spec.selector"}},
			"More":    {reason: "The template may have more labels.", objects: strings.Replace(deployment("1", "", needs), "metadata: {labels: {app: web}}", "metadata: {labels: {app: web, tier: front}}", 1)},
		},
		"A15": {
			"Variable": {reason: "A variable is there twice.", objects: deployment("1", "", "env: [{name: A, value: a}, {name: A, value: b}]"), want: []string{"A15 Blocking Deployment/web " + main + ".env[A]"}},
			"Mount":    {reason: "A mount names no volume.", objects: deployment("1", "", "volumeMounts: [{name: data, mountPath: /d}]"), want: []string{"A15 Blocking Deployment/web " + main + ".volumeMounts[data]"}},
			"Template": {reason: "A StatefulSet's claims are volumes.", objects: workloadText("StatefulSet", "db", "volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]", "", "volumeMounts: [{name: data, mountPath: /d}]")},
			"Protocol": {reason: "One port in two protocols is fine.", objects: deployment("1", "", "ports: [{containerPort: 53, protocol: UDP}, {containerPort: 53}]")},
		},
		"B1": {
			"Large":   {reason: "No node is so large, but for one that it may not run on.", objects: deployment("1", "", large), want: []string{"B1 Blocking Deployment/web " + nodes}},
			"Just":    {reason: "A whole node.", objects: deployment("1", "", "resources: {requests: {cpu: 4, memory: 16Gi}}")},
			"Elastic": {reason: "Larger nodes may come.", objects: deployment("1", "", large), cluster: []func(*Snapshot){elastic}, want: []string{"B1 Warning Deployment/web " + nodes}},
			"Empty":   {reason: "There are no nodes.", objects: deployment("1", "", large), cluster: []func(*Snapshot){noneYet}, want: []string{"B1 Warning Deployment/web spec.template.spec"}},
			"Started": {reason: "Nodes are still to come.", objects: deployment("1", "", large), cluster: []func(*Snapshot){noneYet, elastic}, want: []string{"B1 Warning Deployment/web spec.template.spec"}},
			"Daemons": {
				reason: "Daemons take some of every node.", objects: deployment("1", "", "resources: {requests: {cpu: 4}}"),
				cluster: []func(*Snapshot){running("general-0", "kube-system", "log", "1"), running("general-1", "kube-system", "log", "1"), running("general-2", "kube-system", "log", "1"), func(s *Snapshot) {
					for i := range s.Capacity.Pods {
						s.Capacity.Pods[i].Daemon = true
					}
				}},
				want: []string{"B1 Warning Deployment/web " + nodes},
			},
			"None": {reason: "Nobody wants to run it.", objects: deployment("0", "", large)},
		},
		"B2": {
			"Many":  {reason: "Two fit on each of three nodes.", objects: deployment("7", "", half), want: []string{"B2 Blocking Deployment/web spec.replicas"}},
			"Just":  {reason: "Six fit.", objects: deployment("6", "", half)},
			"Taken": {reason: "Others run there now.", objects: deployment("6", "", half), cluster: []func(*Snapshot){running("general-0", "other", "x", "1")}, want: []string{"B2 Warning Deployment/web spec.replicas"}},
			"Own":   {reason: "What it has there already is replaced.", objects: deployment("6", "", half), cluster: []func(*Snapshot){running("general-0", namespace, "web", "4")}},
			"Together": {
				reason: "Each fits alone, and not both.", objects: deployment("4", "", half) + "\n---\n" + workloadText("Deployment", "back", "replicas: 4", "", half),
				want: []string{"B2 Blocking  cpu"},
			},
		},
		"B3": {
			"None":     {reason: "No node has the label.", objects: deployment("1", "nodeSelector: {disk: fast}", needs), want: []string{"B3 Blocking Deployment/web spec.template.spec.nodeSelector"}},
			"Affinity": {reason: "Or matches the affinity.", objects: deployment("1", "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: In, values: [z]}]}]}}}", needs), want: []string{"B3 Blocking Deployment/web spec.template.spec.affinity.nodeAffinity"}},
			"Prefers":  {reason: "To prefer is not to require.", objects: deployment("1", "affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: zone, operator: In, values: [z]}]}}]}}", needs)},
			"Or":       {reason: "One of the terms is enough.", objects: deployment("1", "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: Exists}]}, {matchExpressions: [{key: kubernetes.io/os, operator: In, values: [linux]}]}]}}}", needs)},
			"Contract": {reason: "A contract asks for labels.", objects: deployment("1", "", needs), contract: &bundle.Contract{NodeLabels: map[string]string{"disk": "fast"}}, want: []string{"B3 Blocking Deployment/web "}},
		},
		"B4": {
			"Tainted":   {reason: "The only node that matches keeps others away.", objects: deployment("1", onlyGPU, needs), want: []string{"B4 Blocking Deployment/web spec.template.spec.tolerations"}},
			"Tolerated": {reason: "The pod tolerates it.", objects: deployment("1", onlyGPU+"\n      "+tolerate, needs)},
			"Passing": {
				reason: "A node that is not ready yet will be.", objects: deployment("1", "", needs),
				cluster: []func(*Snapshot){func(s *Snapshot) {
					for i := range s.Capacity.Nodes {
						s.Capacity.Nodes[i].Taints = append(s.Capacity.Nodes[i].Taints, corev1.Taint{Key: "node.kubernetes.io/not-ready", Effect: corev1.TaintEffectNoSchedule})
					}
				}},
			},
		},
		"B5": {
			"Apart":  {reason: "Three replicas, two zones.", objects: deployment("3", "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: topology.kubernetes.io/zone, labelSelector: {matchLabels: {app: web}}}]}}", needs), want: []string{"B5 Blocking Deployment/web spec.template.spec.affinity.podAntiAffinity"}},
			"Hosts":  {reason: "Three replicas, three nodes.", objects: deployment("3", "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}]}}", needs)},
			"Others": {reason: "It keeps away from others, not from itself.", objects: deployment("3", "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: topology.kubernetes.io/zone, labelSelector: {matchLabels: {app: other}}}]}}", needs)},
		},
		"B6": {
			"NoLabel": {reason: "No node has the label.", objects: deployment("2", "topologySpreadConstraints: [{maxSkew: 1, topologyKey: rack, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}]", needs), want: []string{"B6 Blocking Deployment/web spec.template.spec.topologySpreadConstraints[rack]"}},
			"Anyway":  {reason: "It is only wished for.", objects: deployment("2", "topologySpreadConstraints: [{maxSkew: 1, topologyKey: rack, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: web}}}]", needs)},
			"Domains": {reason: "Three zones are wanted, there are two.", objects: deployment("3", "topologySpreadConstraints: [{maxSkew: 1, minDomains: 3, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}]", needs), want: []string{"B6 Blocking Deployment/web spec.template.spec.topologySpreadConstraints[topology.kubernetes.io/zone]"}},
			"Few":     {reason: "Two replicas find a place all the same.", objects: deployment("2", "topologySpreadConstraints: [{maxSkew: 1, minDomains: 3, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}]", needs)},
		},
		"B7": {
			"Absent":   {reason: "The node with the GPU keeps it away, the others have none.", objects: deployment("1", "", gpuOne), want: []string{"B7 Blocking Deployment/web " + nodes}},
			"There":    {reason: "It is let onto the node.", objects: deployment("1", tolerate, gpuOne)},
			"Contract": {reason: "A contract asks for it.", objects: deployment("1", "", needs), contract: &bundle.Contract{NodeResources: []string{"rdma/hca"}}, want: []string{"B7 Blocking Deployment/web "}},
		},
		"B8": {
			"Missing":   {reason: "The claim is not there.", objects: deployment("1", "volumes: [{name: d, persistentVolumeClaim: {claimName: lost}}]", needs), cluster: []func(*Snapshot){absentNames("lost")}, want: []string{"B8 Blocking Deployment/web spec.template.spec.volumes[d].persistentVolumeClaim"}},
			"Brought":   {reason: "The application brings it.", objects: deployment("1", "volumes: [{name: d, persistentVolumeClaim: {claimName: lost}}]", needs) + "\n---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: lost}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}", cluster: []func(*Snapshot){absentNames("lost")}},
			"Class":     {reason: "The class is not there.", objects: "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {accessModes: [ReadWriteOnce], storageClassName: tape, resources: {requests: {storage: 1Gi}}}", want: []string{"B8 Blocking PersistentVolumeClaim/a spec.storageClassName"}},
			"ByHand":    {reason: "A volume was made by hand for a class that need not exist.", objects: "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {accessModes: [ReadWriteOnce], storageClassName: tape, resources: {requests: {storage: 1Gi}}}", cluster: []func(*Snapshot){func(s *Snapshot) { s.Storage.Free["tape"] = true }}},
			"NoDefault": {reason: "There is no default class.", objects: "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}", cluster: []func(*Snapshot){func(s *Snapshot) { s.Storage.Default = false }}, want: []string{"B8 Blocking PersistentVolumeClaim/a spec.storageClassName"}},
			"OfSet":     {reason: "A StatefulSet of the application makes it.", objects: workloadText("StatefulSet", "db", "volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]", "", needs) + "\n---\n" + deployment("1", "volumes: [{name: d, persistentVolumeClaim: {claimName: data-db-0}}]", needs), cluster: []func(*Snapshot){absentNames("data-db-0")}},
		},
		"B10": {
			"Replicas": {reason: "Four replicas, three nodes.", objects: deployment("4", "", "ports: [{containerPort: 80, hostPort: 80}]"), cluster: []func(*Snapshot){func(s *Snapshot) { s.Namespaces[namespace] = &Namespace{} }}, want: []string{"B10 Blocking Deployment/web " + nodes + ".ports"}},
			"Taken": {
				reason: "Others have it everywhere.", objects: deployment("1", onlyGPU+"\n      "+tolerate, "ports: [{containerPort: 80, hostPort: 80}]"),
				cluster: []func(*Snapshot){func(s *Snapshot) { s.Namespaces[namespace] = &Namespace{} }, running("gpu-0", "other", "x", "1", HostPort{Protocol: corev1.ProtocolTCP, Port: 80})},
				want:    []string{"B10 Blocking Deployment/web " + nodes + ".ports"},
			},
			"Apart": {reason: "Each has a node.", objects: deployment("3", "", "ports: [{containerPort: 80, hostPort: 80}]"), cluster: []func(*Snapshot){func(s *Snapshot) { s.Namespaces[namespace] = &Namespace{} }, running("general-0", namespace, "web", "1", HostPort{Protocol: corev1.ProtocolTCP, Port: 80})}},
		},
		"B16": {
			"Selected": {reason: "It asks for another architecture.", objects: deployment("1", "nodeSelector: {kubernetes.io/arch: arm64}", needs), want: []string{"B16 Blocking Deployment/web spec.template.spec.nodeSelector"}},
			"There":    {reason: "There are such nodes.", objects: deployment("1", "nodeSelector: {kubernetes.io/arch: amd64}", needs)},
		},
		"C1": {
			"Missing":  {reason: "A Secret is not there.", objects: deployment("1", "", "envFrom: [{secretRef: {name: gone}}]"), cluster: []func(*Snapshot){absentNames("gone")}, want: []string{"C1 Blocking Deployment/web " + main + ".envFrom[gone]"}},
			"Optional": {reason: "It need not be.", objects: deployment("1", "volumes: [{name: v, configMap: {name: gone, optional: true}}]", "envFrom: [{secretRef: {name: gone, optional: true}}]"), cluster: []func(*Snapshot){absentNames("gone")}},
			"Brought":  {reason: "The application brings it.", objects: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: gone}\ndata: {a: b}\n---\n" + deployment("1", "", "envFrom: [{configMapRef: {name: gone}}]"), cluster: []func(*Snapshot){absentNames("gone")}},
			"Job": {
				reason:  "A Job of the application may make it.",
				objects: "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: maker}\nrules: [{apiGroups: [\"\"], resources: [secrets], verbs: [create]}]\n---\n" + deployment("1", "", "envFrom: [{secretRef: {name: gone}}]"),
				cluster: []func(*Snapshot){absentNames("gone")}, want: []string{"C1 Warning Deployment/web " + main + ".envFrom[gone]"},
			},
			"Late":     {reason: "Its name is bound later.", objects: deployment("1", "", "envFrom: [{secretRef: {name: \"db-${cluster.region}\"}}]")},
			"NotAsked": {reason: "Nobody has looked.", objects: deployment("1", "", "envFrom: [{secretRef: {name: gone}}]")},
		},
		"C2": {
			"Missing":  {reason: "The key is not there.", objects: deployment("1", "", "env: [{name: P, valueFrom: {secretKeyRef: {name: db, key: user}}}]"), want: []string{"C2 Blocking Deployment/web " + main + ".env[P]"}},
			"There":    {reason: "It is.", objects: deployment("1", "", "env: [{name: P, valueFrom: {secretKeyRef: {name: db, key: password}}}]")},
			"Item":     {reason: "Volumes name keys too.", objects: deployment("1", "volumes: [{name: v, configMap: {name: settings, items: [{key: colour, path: c}]}}]", needs), want: []string{"C2 Blocking Deployment/web spec.template.spec.volumes[v].configMap.items[colour]"}},
			"Contract": {reason: "And contracts.", objects: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata: {old: b}\n---\n" + deployment("1", "", needs), contract: &bundle.Contract{Config: []bundle.ConfigNeed{{Kind: "ConfigMap", Name: "conf", Required: []string{"new"}, Forbidden: []string{"old"}}}}, want: []string{"C2 Blocking ConfigMap/conf data[new]", "C2 Blocking ConfigMap/conf data[old]"}},
			"Merged":   {reason: "What others put there stays there.", objects: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {new: b}\n---\n" + deployment("1", "", "env: [{name: P, valueFrom: {configMapKeyRef: {name: settings, key: level}}}]")},
		},
		"C3": {
			"TLS":   {reason: "A TLS Secret without its key is refused.", objects: "apiVersion: v1\nkind: Secret\nmetadata: {name: cert}\ntype: kubernetes.io/tls\ndata: {tls.crt: \"\"}", want: []string{"C3 Blocking Secret/cert data[tls.key]"}},
			"Whole": {reason: "It has both.", objects: "apiVersion: v1\nkind: Secret\nmetadata: {name: cert}\ntype: kubernetes.io/tls\nstringData: {tls.crt: \"\", tls.key: \"\"}"},
			"Pull":  {reason: "A pull secret of another type is not used.", objects: deployment("1", "imagePullSecrets: [{name: db}]", needs), want: []string{"C3 Warning Deployment/web spec.template.spec.imagePullSecrets[db]"}},
		},
		"C4": {
			"Missing": {reason: "The image may be had without.", objects: deployment("1", "imagePullSecrets: [{name: gone}]", needs), cluster: []func(*Snapshot){absentNames("gone")}, want: []string{"C4 Warning Deployment/web spec.template.spec.imagePullSecrets[gone]"}},
			"There":   {reason: "It is there.", objects: deployment("1", "imagePullSecrets: [{name: pull}]", needs)},
		},
		"C5": {
			"Missing": {reason: "The registry says so.", objects: deployment("1", "", needs), cluster: []func(*Snapshot){pulling, image("registry.example.com/web:1.0", Image{Missing: true})}, want: []string{"C5 Blocking Deployment/web " + main + ".image"}},
			"OnNode":  {reason: "Nodes have it.", objects: deployment("1", "", needs), cluster: []func(*Snapshot){pulling, image("registry.example.com/web:1.0", Image{Missing: true}), func(s *Snapshot) { s.Capacity.Nodes[0].Images = []string{"registry.example.com/web:1.0"} }}},
			"Silent":  {reason: "The registry did not answer.", objects: deployment("1", "", needs), cluster: []func(*Snapshot){pulling}},
		},
		"C6": {
			"None":   {reason: "No tag.", objects: strings.Replace(deployment("1", "", needs), "web:1.0", "web", 1), want: []string{"C6 Warning Deployment/web " + main + ".image"}},
			"Latest": {reason: "It is another one tomorrow.", objects: strings.Replace(deployment("1", "", needs), "web:1.0", "web:latest", 1), want: []string{"C6 Warning Deployment/web " + main + ".image"}},
			"Port":   {reason: "A port of the registry is no tag, and a digest is better than one.", objects: strings.Replace(deployment("1", "", needs), "registry.example.com/web:1.0", "registry:5000/web@sha256:00", 1)},
		},
		"C7": {
			"Other": {reason: "No node is made so.", objects: deployment("1", "", needs), cluster: []func(*Snapshot){image("registry.example.com/web:1.0", Image{Platforms: []string{"linux/arm64"}})}, want: []string{"C7 Blocking Deployment/web " + main + ".image"}},
			"Both":  {reason: "It is made for both.", objects: deployment("1", "", needs), cluster: []func(*Snapshot){image("registry.example.com/web:1.0", Image{Platforms: []string{"linux/arm64", "linux/amd64"}})}},
			"Some": {
				reason: "It depends on the node.", objects: deployment("1", "", needs),
				cluster: []func(*Snapshot){image("registry.example.com/web:1.0", Image{Platforms: []string{"linux/amd64"}}), func(s *Snapshot) { s.Capacity.Nodes[0].Arch = "arm64" }},
				want:    []string{"C7 Warning Deployment/web " + main + ".image"},
			},
		},
		"C8": {
			"Never":  {reason: "Nobody pulls it.", objects: deployment("1", "", "imagePullPolicy: Never"), cluster: []func(*Snapshot){pulling}, want: []string{"C8 Warning Deployment/web " + main + ".imagePullPolicy"}},
			"OnNode": {reason: "It is there.", objects: deployment("1", "", "imagePullPolicy: Never"), cluster: []func(*Snapshot){pulling, func(s *Snapshot) { s.Capacity.Nodes[0].Images = []string{"registry.example.com/web:1.0"} }}},
		},
		"D1": {
			"Name":   {reason: "The container has no such port.", objects: deployment("1", "", "ports: [{containerPort: 80, name: http}]\n        readinessProbe: {httpGet: {port: web}}"), want: []string{"D1 Blocking Deployment/web " + main + ".readinessProbe"}},
			"Number": {reason: "It declares others.", objects: deployment("1", "", "ports: [{containerPort: 80}]\n        livenessProbe: {tcpSocket: {port: 81}}"), want: []string{"D1 Warning Deployment/web " + main + ".livenessProbe"}},
			"Bare":   {reason: "Ports need not be declared.", objects: deployment("1", "", "livenessProbe: {httpGet: {port: 81}}")},
		},
		"D2": {
			"Missing":   {reason: "The contract wants it.", objects: deployment("1", "", "env: [{name: A, value: a}]"), contract: &bundle.Contract{Env: []bundle.EnvNeed{{Name: "B"}}}, want: []string{"D2 Blocking Deployment/web spec.template.spec.containers.env[B]"}},
			"Forbidden": {reason: "It was renamed.", objects: deployment("1", "", "env: [{name: A, value: a}]"), contract: &bundle.Contract{Env: []bundle.EnvNeed{{Name: "A", Forbidden: true}}}, want: []string{"D2 Blocking Deployment/web " + main + ".env[A]"}},
			"From":      {reason: "It comes from a ConfigMap.", objects: deployment("1", "", "envFrom: [{configMapRef: {name: settings}, prefix: APP_}]"), contract: &bundle.Contract{Env: []bundle.EnvNeed{{Name: "APP_level"}}}},
			"NotKnown":  {reason: "What the Secret has is not known.", objects: deployment("1", "", "envFrom: [{secretRef: {name: other}}]"), contract: &bundle.Contract{Env: []bundle.EnvNeed{{Name: "B"}}}},
			"Port":      {reason: "A port of the contract.", objects: deployment("1", "", "ports: [{containerPort: 80, name: http}]"), contract: &bundle.Contract{Ports: []string{"http", "80", "metrics"}}, want: []string{"D2 Blocking Deployment/web spec.template.spec.containers.ports[metrics]"}},
		},
		"D3": {
			"Heap":  {reason: "The heap outgrows the limit.", objects: deployment("1", "", "env: [{name: JAVA_OPTS, value: \"-Xms1g -Xmx2g\"}]\n        resources: {limits: {memory: 1Gi}}"), want: []string{"D3 Warning Deployment/web " + main + ".env[JAVA_OPTS]"}},
			"Just":  {reason: "It fits.", objects: deployment("1", "", "args: [-Xmx1024m]\n        resources: {limits: {memory: 1Gi}}")},
			"Flink": {reason: "Flink says it in its own words.", objects: workloadText("Deployment", "taskmanager", "replicas: 1", "", "env: [{name: FLINK_PROPERTIES, value: \"jobmanager.memory.process.size: 9g\\ntaskmanager.memory.process.size: 1728m\\n\"}]\n        resources: {limits: {memory: 1Gi}}"), want: []string{"D3 Warning Deployment/taskmanager " + main + ".env[FLINK_PROPERTIES]"}},
		},
		"D7": {
			"Nothing":  {reason: "No pod has the labels.", objects: deployment("1", "", needs) + "\n---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {app: wbe}, ports: [{port: 80}]}", want: []string{"D7 Warning Service/s spec.selector"}},
			"Port":     {reason: "The port has another name.", objects: deployment("1", "", "ports: [{containerPort: 80, name: http}]") + "\n---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {app: web}, ports: [{port: 80, targetPort: web}]}", want: []string{"D7 Warning Service/s spec.ports[80].targetPort"}},
			"Existing": {reason: "Pods that are there count.", objects: "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {app: old}, ports: [{port: 80}]}", cluster: []func(*Snapshot){running("general-0", namespace, "old", "1")}},
			"Without":  {reason: "A Service without selector is somebody's own.", objects: "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}"},
		},
		"D8": {
			"Lacks": {
				reason: "The cluster says no.", objects: deployment("1", "serviceAccountName: worker", needs), contract: &bundle.Contract{Access: []bundle.AccessNeed{{Resource: "configmaps", Verbs: []string{"get"}}}},
				cluster: []func(*Snapshot){func(s *Snapshot) {
					s.Access[Access{Namespace: namespace, ServiceAccount: "worker", Resource: "configmaps", Verb: "get"}] = false
				}}, want: []string{"D8 Blocking Deployment/web serviceAccountName[get configmaps]"},
			},
			"Brings": {
				reason:   "The application gives it.",
				objects:  "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\nrules: [{apiGroups: [\"\"], resources: [configmaps], verbs: [\"*\"]}]\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: r}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}\nsubjects: [{kind: ServiceAccount, name: worker, namespace: team-a}]\n---\n" + deployment("1", "serviceAccountName: worker", needs),
				contract: &bundle.Contract{Access: []bundle.AccessNeed{{Resource: "configmaps", Verbs: []string{"get"}}}},
				cluster: []func(*Snapshot){func(s *Snapshot) {
					s.Access[Access{Namespace: namespace, ServiceAccount: "worker", Resource: "configmaps", Verb: "get"}] = false
				}},
			},
		},
		"D10": {
			"All":    {reason: "Two of two.", objects: deployment("2", "", needs) + "\n---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b}\nspec: {minAvailable: 2, selector: {matchLabels: {app: web}}}", want: []string{"D10 Warning PodDisruptionBudget/b spec.minAvailable"}},
			"Never":  {reason: "None may go.", objects: "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b}\nspec: {maxUnavailable: 0, selector: {matchLabels: {app: web}}}", want: []string{"D10 Warning PodDisruptionBudget/b spec.maxUnavailable"}},
			"OfTwo":  {reason: "Half of two.", objects: deployment("2", "", needs) + "\n---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b}\nspec: {minAvailable: 50%, selector: {matchLabels: {app: web}}}"},
			"Scaled": {reason: "There may be more.", objects: deployment("2", "", needs) + "\n---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b}\nspec: {minAvailable: 2, selector: {matchLabels: {app: web}}}\n---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {minReplicas: 3, maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}"},
		},
		"D11": {
			"Both":    {reason: "Nothing may move.", objects: workloadText("Deployment", "web", "strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0%}}", "", needs), want: []string{"D11 Blocking Deployment/web spec.strategy.rollingUpdate"}},
			"NoRoom":  {reason: "The surge finds no room.", objects: workloadText("Deployment", "web", "replicas: 6\n  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}", "", half), want: []string{"D11 Warning Deployment/web spec.strategy.rollingUpdate"}},
			"Rounded": {reason: "What rounds to 0 is made 1.", objects: workloadText("Deployment", "web", "strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 10%}}", "", needs)},
		},
		"D12": {
			"Short": {reason: "It sleeps longer than it is given.", objects: deployment("1", "", "lifecycle: {preStop: {exec: {command: [sh, -c, sleep 60]}}}"), want: []string{"D12 Warning Deployment/web " + main + ".lifecycle.preStop"}},
			"Given": {reason: "It is given more.", objects: deployment("1", "terminationGracePeriodSeconds: 90", "lifecycle: {preStop: {exec: {command: [sh, -c, sleep 60]}}}")},
		},
		"D13": {
			"Stays": {
				reason: "The configuration changes, the pods do not.", objects: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: new}\n---\n" + deployment("1", "volumes: [{name: c, configMap: {name: c}}]", needs),
				cluster: []func(*Snapshot){there(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: old}\n---\n"+deployment("1", "volumes: [{name: c, configMap: {name: c}}]", needs))},
				want:    []string{"D13 Warning Deployment/web spec.template.metadata.annotations"},
			},
			"Changes": {
				reason: "The pods change too.", objects: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: new}\n---\n" + strings.Replace(deployment("1", "volumes: [{name: c, configMap: {name: c}}]", needs), "template:\n    metadata: {", "template:\n    metadata: {annotations: {sum: new}, ", 1),
				cluster: []func(*Snapshot){there(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: old}\n---\n"+deployment("1", "volumes: [{name: c, configMap: {name: c}}]", needs))},
			},
		},
	}
}

func job(tag string) string {
	return "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {template: {spec: {restartPolicy: Never, tolerations: [], containers: [{name: main, image: \"a:" + tag + "\"}]}}}"
}

// pulling nodes run what they have, and need images for it.
func pulling(s *Snapshot) {
	for i := range s.Capacity.Nodes {
		s.Capacity.Nodes[i].Fake = false
	}
}

func image(name string, i Image) func(*Snapshot) {
	return func(s *Snapshot) { s.Images[name] = &i }
}

func TestCheck(t *testing.T) {
	for cause, cs := range cases(t) {
		for name, tc := range cs {
			t.Run(cause+"/"+name, func(t *testing.T) {
				found := Check(Input{Content: contentOf(t, tc.objects, tc.contract), Namespace: namespace, Snapshot: cluster(t, tc.cluster...)})
				var got []string
				for _, f := range found {
					got = append(got, fmt.Sprintf("%s %s %s %s", f.Cause, f.Severity, f.Object, f.Field))
					if f.Message == "" || f.Fix == "" {
						t.Errorf("a finding says nothing, or not what to do: %+v", f)
					}
				}
				if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("\n%s\nCheck(...): -want, +got:\n%s\n%v", tc.reason, diff, found)
				}
			})
		}
	}
}

// Each cause of the table is found somewhere, and somewhere nearly found.
func TestCausesHaveCases(t *testing.T) {
	cs := cases(t)
	for _, c := range Causes() {
		if c.ID == "A12" {
			continue // The dry run's.
		}
		found, near := 0, 0
		for _, tc := range cs[c.ID] {
			if len(tc.want) > 0 {
				found++
			} else {
				near++
			}
		}
		if found == 0 || near == 0 {
			t.Errorf("cause %s has %d cases that are found and %d that are nearly: it needs both", c.ID, found, near)
		}
		if c.Severity != v1alpha1.Blocking && c.Severity != v1alpha1.Warning || c.Title == "" || c.Doc == "" {
			t.Errorf("cause %s is not described", c.ID)
		}
	}
}

// A cluster of which nothing is known refuses only what no cluster would take.
func TestCheckWithoutSnapshot(t *testing.T) {
	content := contentOf(t, deployment("99", "nodeSelector: {a: b}\n      priorityClassName: x", "envFrom: [{secretRef: {name: gone}}]\n        "+large), nil)
	if got := Check(Input{Content: content, Namespace: namespace}); len(got) > 0 {
		t.Errorf("Check(...): want nothing, got %v", got)
	}
}

// TestStrangers holds that nobody learns what is in a namespace that is not theirs.
func TestStrangers(t *testing.T) {
	manifest := strings.Replace(deployment("1", "", "envFrom: [{secretRef: {name: gone}}]"), "{name: web}", "{name: web, namespace: theirs}", 1)
	s := Prepare(contentOf(t, manifest, nil), namespace, []string{namespace})
	if n := s.Needs(); len(n.Secrets)+len(n.Namespaces)+len(n.Objects) > 0 {
		t.Errorf("Needs(): something of another's namespace is read: %+v", n)
	}
	got := s.Check(cluster(t))
	if len(got) != 1 || got[0].Cause != "D8" || got[0].Field != "metadata.namespace" || !Blocks(got) {
		t.Errorf("Check(...): want only that the namespace is not theirs, got %+v", got)
	}
}
