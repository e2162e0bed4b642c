package oam

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// traited returns a specification with one component that has traits.
func traited(kind, properties, traits string) string {
	return "components: [{name: web, type: " + kind + ", properties: " + properties + ", traits: [" + traits + "]}]"
}

// deployment is an object as users of k8s-objects write it.
const rawDeployment = `{objects: [{apiVersion: apps/v1, kind: Deployment, metadata: {name: raw}, spec: {replicas: 2, selector: {matchLabels: {app: raw}},
	template: {metadata: {labels: {app: raw}}, spec: {containers: [{name: c, image: a}]}}}}]}`

// TestTraitAttach is about which traits a component can have at all.
func TestTraitAttach(t *testing.T) {
	const at = "spec.components[0].traits"
	cases := map[string]struct {
		reason string
		spec   string
		want   []string
	}{
		"Twice": {
			reason: "A component has one trait of a type.",
			spec:   traited("worker", `{image: a}`, `{type: scaler}, {type: env}, {type: scaler}`),
			want:   []string{at + `[2].type: component "web" has the trait "scaler" already, at spec.components[0].traits[0]: it can have one of a type`},
		},
		"Conflict": {
			reason: "Traits that decide about the same thing do not go together, in whatever order.",
			spec:   traited("worker", `{image: a}`, `{type: cpuscaler}, {type: scaler}, {type: affinity}, {type: node-placement}, {type: resource}, {type: resources}`),
			want: []string{
				at + `[1].type: trait "scaler" does not go together with trait "cpuscaler" of component "web": keep one`,
				at + `[3].type: trait "node-placement" does not go together with trait "affinity" of component "web": keep one`,
				at + `[5].type: trait "resources" does not go together with trait "resource" of component "web": keep one`,
			},
		},
		"NoReplicas": {
			reason: "What runs to its end cannot be scaled.",
			spec:   traited("task", `{image: a}`, `{type: scaler}`),
			want:   []string{at + `[0].type: trait "scaler" does not fit component "web", which has a Job: it is for a workload with a number of pods, such as a Deployment or a StatefulSet`},
		},
		"NoPods": {
			reason: "An object without pods has no containers.",
			spec:   traited("k8s-objects", `{objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}]}`, `{type: env}`),
			want:   []string{at + `[0].type: trait "env" does not fit component "web", which has a ConfigMap: it is for a workload with a template of its pods`},
		},
		"NotReachable": {
			reason: "A Service is for what goes on.",
			spec:   traited("cron-task", `{image: a, schedule: "@daily"}`, `{type: gateway, properties: {http: {/: 80}}}`),
			want: []string{at + `[0].type: trait "gateway" does not fit component "web", which has a CronJob: it is for a workload with a number of pods, ` +
				`such as a Deployment or a StatefulSet or DaemonSet or Pod`},
		},
		"BuiltInVersion": {
			reason: "What is built in has no versions.",
			spec:   traited("worker", `{image: a}`, `{type: scaler@1.0.0}`),
			want:   []string{at + `[0].type: trait type "scaler@1.0.0" is built in and has no versions: write "scaler"`},
		},
		"PropertiesOfABrokenComponent": {
			reason: "A trait's properties are checked even where its component is wrong.",
			spec:   traited("worker", `{}`, `{type: scaler, properties: {replicas: many, min: 0}}`),
			want: []string{
				`spec.components[0].properties.image: is required`,
				at + `[0].properties.min: must be greater than or equal to 1, got number 0`,
				at + `[0].properties.replicas: must be an integer, got string "many"`,
			},
		},
		"Unknown": {
			reason: "Unknown properties are named, with the nearest one that is known.",
			spec:   traited("worker", `{image: a}`, `{type: node-placement, properties: {klass: gpu, spread: {zone: Required}}}`),
			want: []string{
				at + `[0].properties.klass: is not a known property: did you mean "class"?`,
				at + `[0].properties.spread.zone: is not a known property: did you mean "zones"?`,
			},
		},
		"Text": {
			reason: "Texts are checked as those of components are.",
			spec:   traited("worker", `{image: a}`, `{type: env, properties: {env: {A: "${nobody.knows}", B: "a\u0007"}}}`),
			want: []string{
				at + `[0].properties.env.A: at position 0: expression "nobody.knows" is not valid: 1:1: undeclared reference to 'nobody': variables are cluster and outputs; write $${ for a literal ${`,
				at + `[0].properties.env.B: has the control character U+0007 at position 1: remove it`,
			},
		},
		"FixedField": {
			reason: "What must be the same everywhere has no expression, and the trait is named.",
			spec:   traited("worker", `{image: a}`, `{type: labels, properties: {region: "x"}}, {type: json-merge-patch, properties: {metadata: {labels: {zone: "${cluster.zone}"}}}}`),
			want:   []string{at + `[1].properties.metadata.labels.zone: must have at most 63 letters, digits, '-', '_' and '.', got string "${cluster.zone}"`},
		},
		"Secret": {
			reason: "What is secret is not repeated.",
			spec: traited("worker", `{image: a}`, `{type: config, properties: {secrets: [{name: a, stringData: {pin: 1234}}, {name: b, stringData: hunter2}]}},
				{type: storage, properties: {secret: [{name: c, data: {d: hunter2}, mountPath: /c}]}}`),
			want: []string{
				at + `[0].properties.secrets[0].stringData.pin: must be a string: put it in quotes`,
				at + `[0].properties.secrets[1].stringData: must be an object`,
			},
		},
		"SecretNotBase64": {
			reason: "Nor is it where it has another form than it should.",
			spec:   traited("worker", `{image: a}`, `{type: storage, properties: {secret: [{name: c, data: {d: "hunter 2"}, mountPath: /c}]}}`),
			want:   []string{at + `[0].properties.secret[0].data.d: must be in base64: use stringData for a text`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := problemsOf(t, "app", spec(t, strings.ReplaceAll(tc.spec, "\t", " ")))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nCompile(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
	t.Run("UnknownType", func(t *testing.T) {
		got := problemsOf(t, "app", spec(t, traited("worker", `{image: a}`, `{type: scalr}, {type: keda}`)))
		if len(got) != 2 || !strings.HasSuffix(got[0], `: did you mean "scaler"?`) || !strings.Contains(got[1], `trait type "keda" is not known: there are affinity, `) {
			t.Errorf("An unknown type is named with those that are known and the nearest of them: %q", got)
		}
	})
}

// TestTraitProblems is about what the schema of a trait cannot say.
func TestTraitProblems(t *testing.T) {
	cases := map[string]struct {
		reason string
		// kind and properties of the component. Defaults to a worker.
		kind, properties string
		trait            string
		// before are other traits of the component.
		before string
		want   []string
	}{
		"ScalerBoth": {
			reason: "Either the number is fixed, or it is not.",
			trait:  `{type: scaler, properties: {replicas: 2, max: 3, cpu: 50}}`,
			want:   []string{`replicas: cannot be used together with min, max, cpu and memory: keep either`},
		},
		"ScalerNoMetric": {
			reason: "Something must decide.",
			trait:  `{type: scaler, properties: {min: 5, max: 3}}`,
			want: []string{
				`: must have cpu or memory where max is set: they decide between min and max`,
				`min: must not be more than max, which is 3`,
			},
		},
		"ScalerNoMax": {
			reason: "An autoscaler needs an upper limit.",
			trait:  `{type: scaler, properties: {cpu: 50}}`,
			want:   []string{`max: is required where min, cpu or memory is set`},
		},
		"AutoscalerAndManifest": {
			reason: "A number in the manifest would be fought over.",
			kind:   "k8s-objects", properties: rawDeployment,
			trait: `{type: cpuscaler, properties: {targetKind: StatefulSet, targetAPIVersion: apps/v2}}`,
			want: []string{
				`targetAPIVersion: must be that of the workload, apps/v1, got string "apps/v2": it can be left out`,
				`targetKind: must be that of the workload, Deployment, got string "StatefulSet": it can be left out`,
				`: cannot decide about the number of pods, because Deployment "raw" says it: remove spec.replicas there`,
			},
		},
		"HPA": {
			reason: "A utilization is a share, and an amount is a quantity.",
			trait:  `{type: hpa, properties: {cpu: {value: 500m}, mem: {type: AverageValue, value: [1]}, podCustomMetrics: [{name: a, value: much}]}}`,
			want: []string{
				`cpu.value: must be a share in per cent, from 1 to 1000, where type is Utilization, got string "500m"`,
				`mem.value: must be a quantity such as 2, "500m" or "2Gi", got a list`,
				`podCustomMetrics[0].value: must be a quantity such as "500m" or "2Gi", got string "much"`,
			},
		},
		"PDB": {
			reason: "A budget says one thing.",
			trait:  `{type: pdb}`,
			want:   []string{`: must have exactly one of minAvailable and maxUnavailable`},
		},
		"PDBShare": {
			reason: "A share is a share.",
			trait:  `{type: pdb, properties: {minAvailable: some}}`,
			want:   []string{`minAvailable: must match '^[0-9]+%?$', got string "some"`},
		},
		"Strategy": {
			reason: "What the kind of workload does not know is named.",
			trait:  `{type: k8s-update-strategy, properties: {strategy: {type: OnDelete, rollingStrategy: {partition: 1}}}}`,
			want: []string{
				`strategy.type: OnDelete is not possible for a Deployment`,
				`strategy.rollingStrategy: would be ignored, because type is OnDelete: remove it`,
				`strategy.rollingStrategy.partition: is not possible for a Deployment`,
			},
		},
		"Placement": {
			reason: "Labels are labels, and tolerations make sense.",
			trait: `{type: node-placement, properties: {class: "a b", nodeSelector: {"a b": x, mainstay.dev/node-class: c},
				tolerations: [{key: a, operator: Exists, value: b}, {value: c}, {key: d, tolerationSeconds: 1}]}}`,
			want: []string{
				`class: must be the value of a label, got string "a b"`,
				`nodeSelector["a b"]: is not a valid label key`,
				`nodeSelector["mainstay.dev/node-class"]: label "mainstay.dev/node-class" of the node is asked to be "a b" already`,
				`tolerations[0].value: would be ignored, because operator is Exists: remove it`,
				`tolerations[1].key: is required where operator is Equal`,
				`tolerations[2].tolerationSeconds: is only for effect NoExecute`,
			},
		},
		"SpreadTwice": {
			reason: "One topology has one constraint.",
			before: `{type: node-placement, properties: {spread: {nodes: Required}}}`,
			trait:  `{type: topologyspreadconstraints, properties: {constraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname}, {maxSkew: 1, topologyKey: a, whenUnsatisfiable: ScheduleAnyway, minDomains: 2}]}}`,
			want: []string{
				`constraints[0]: there is a constraint for "kubernetes.io/hostname" and DoNotSchedule already`,
				`constraints[1].minDomains: is only for whenUnsatisfiable: DoNotSchedule`,
			},
		},
		"Queue": {
			reason: "Pods wait in one place.",
			trait:  `{type: queue, properties: {kueue: {queue: a}, elasticQuota: {name: b}}}`,
			want:   []string{`: must have exactly one of kueue and elasticQuota`},
		},
		"Resource": {
			reason:     "Quantities are such, and limits are not less than requests.",
			properties: `{image: a, cpu: "1"}`,
			trait:      `{type: resource, properties: {requests: {cpu: 2, memory: lots}, limits: {memory: true}, cpu: 1}}`,
			want: []string{
				`cpu: cannot be used together with requests and limits: put it there`,
				`requests.memory: must be a quantity such as "500m" or "2Gi", got string "lots"`,
				`limits.memory: must be a quantity such as 2, "500m" or "2Gi", got true`,
				`: the limit of cpu, "1", is less than what is requested, "2": set both`,
			},
		},
		"Containers": {
			reason: "Either one container is meant, or several; and they exist, once.",
			trait:  `{type: container-image, properties: {image: b, containers: [{containerName: wbe, image: b}, {containerName: web, image: c}, {containerName: web}]}}`,
			want: []string{
				`image: cannot be used together with containers: put it there`,
				`containers[0].containerName: there is no container "wbe": there are web`,
				`containers[2].containerName: "web" is listed twice`,
				`containers[2].image: is required`,
			},
		},
		"Env": {
			reason:     "Variables have names and one source, and what is taken away is there.",
			properties: `{image: a, env: [{name: A, value: a}]}`,
			trait:      `{type: env, properties: {env: {"1=": x, B: b}, valueFrom: {B: {fieldRef: {fieldPath: status.podIP}}, C: {}}, unset: [A, B, X]}}`,
			want: []string{
				`unset[1]: "B" is set here, too: keep one`,
				`unset[2]: container "web" has no variable "X"`,
				`env["1="]: is not a valid name of an environment variable: "1="`,
				`valueFrom.B: is set in env, too: keep one`,
				`valueFrom.C: must have exactly one of secretKeyRef, configMapKeyRef and fieldRef`,
			},
		},
		"Command": {
			reason:     "Arguments are replaced or changed, and what is taken away is there.",
			properties: `{image: a, args: [x]}`,
			trait:      `{type: command, properties: {args: [z], addArgs: [z], delArgs: [x]}}`,
			want: []string{
				`args: cannot be used together with addArgs and delArgs: keep either`,
				`delArgs[0]: container "web" has no argument "x"`,
				`addArgs[0]: container "web" has the argument "z" already, or it is taken away`,
			},
		},
		"Ports": {
			reason: "A port is listed once.",
			trait:  `{type: container-ports, properties: {ports: [{containerPort: 80}, {containerPort: 80, hostIP: 127.0.0.1}]}}`,
			want:   []string{`ports[1]: port 80/TCP is listed twice`, `ports[1].hostIP: would be ignored without hostPort`},
		},
		"Security": {
			reason: "What contradicts itself would not start.",
			trait:  `{type: securitycontext, properties: {privileged: true, allowPrivilegeEscalation: false, runAsUser: 0}}`,
			want: []string{
				`allowPrivilegeEscalation: must not be false for a privileged container`,
				`runAsUser: must not be 0, which is root, unless runAsNonRoot is false`,
			},
		},
		"PodSecurity": {
			reason: "A profile on the node has a name, others have none.",
			trait:  `{type: podsecuritycontext, properties: {runAsUser: 0, seccompProfile: {type: Localhost}, appArmorProfile: {type: Unconfined, localhostProfile: x}}}`,
			want: []string{
				`appArmorProfile.localhostProfile: is for type Localhost, and required there`,
				`seccompProfile.localhostProfile: is for type Localhost, and required there`,
				`runAsUser: must not be 0, which is root, unless runAsNonRoot is false`,
			},
		},
		"Probe": {
			reason: "A probe has one handler.",
			trait:  `{type: startup-probe, properties: {exec: {command: [a]}, grpc: {port: 1}}}`,
			want:   []string{`: must have exactly one of exec, httpGet, grpc and tcpSocket`},
		},
		"Lifecycle": {
			reason: "A hook has one handler.",
			trait:  `{type: lifecycle, properties: {preStop: {}}}`,
			want:   []string{`preStop: must have exactly one of exec, httpGet and tcpSocket`},
		},
		"NoLifecycle": {
			reason: "A trait does something.",
			trait:  `{type: lifecycle}`,
			want:   []string{`: must have postStart or preStop`},
		},
		"HostAlias": {
			reason: "An address has one line.",
			trait:  `{type: hostalias, properties: {hostAliases: [{ip: 10.0.0.1, hostnames: [a]}, {ip: 10.0.0.1, hostnames: [b]}]}}`,
			want:   []string{`hostAliases[1].ip: "10.0.0.1" is listed twice: put its names together`},
		},
		"Sidecar": {
			reason: "A container has a name of its own, and mounts volumes that there are.",
			before: `{type: storage, properties: {emptyDir: [{name: tmp, mountPath: /tmp}]}}`,
			trait:  `{type: sidecar, properties: {name: web, image: b, env: [{name: A}, {name: A, value: x, valueFrom: {}}], volumes: [{name: emptydir-tpm, path: /a}, {name: x, path: /a}], livenessProbe: {successThreshold: 2}}}`,
			want: []string{
				`name: the pods have a container "web" already: choose another name`,
				`env[1].name: "A" is set twice`,
				`env[1]: has both value and valueFrom: keep one`,
				`env[1].valueFrom: must have exactly one of secretKeyRef, configMapKeyRef and fieldRef`,
				`livenessProbe: must have exactly one of exec, httpGet and tcpSocket`,
				`livenessProbe.successThreshold: must be 1: a container is alive or it is not`,
				`volumes[1].path: "/a" already has a volume mounted in container "web"`,
				`volumes[0].name: the pods have no volume "emptydir-tpm": there are emptydir-tmp: did you mean "emptydir-tmp"?`,
				`volumes[1].name: the pods have no volume "x": there are emptydir-tmp`,
			},
		},
		"SidecarVolume": {
			reason: "Volumes can come from a later trait, but must come.",
			trait:  `{type: sidecar, properties: {name: side, image: b, volumes: [{name: x, path: /a}]}}`,
			want:   []string{`volumes[0].name: the pods have no volume "x", nor any other: add it by the trait storage`},
		},
		"InitContainer": {
			reason:     "Volumes and mounts do not clash with those that there are.",
			properties: `{image: a, volumeMounts: {configMap: [{name: workdir, mountPath: /data, cmName: c}]}}`,
			trait:      `{type: init-container, properties: {name: Init, image: b, appMountPath: /data, initMountPath: /out, extraVolumeMounts: [{name: w, mountPath: /out}]}}`,
			want: []string{
				`name: must be a DNS label: lower-case letters, digits and '-', got string "Init"`,
				`mountName: "workdir" already names another volume of the pods: choose another name`,
				`appMountPath: "/data" already has a volume mounted in container "web"`,
				`extraVolumeMounts[0].mountPath: "/out" already has a volume mounted in container "Init"`,
				`extraVolumeMounts[0].name: the pods have no volume "w": there are workdir`,
			},
		},
		"Config": {
			reason:     "Every entry does something that is possible.",
			properties: `{image: a, env: [{name: A, value: a}]}`,
			trait: `{type: config, properties: {configMaps: [{name: a}, {name: B, data: {"a b": x}, env: {A: x, "1": z}}, {name: c, subPath: x, envFrom: true}],
				secrets: [{name: d, type: Opaque, envFrom: true}]}}`,
			want: []string{
				`configMaps[0]: does nothing: give it data, a mountPath, env or envFrom`,
				`configMaps[1].data["a b"]: is not a valid key: letters, digits, '-', '_' and '.' are possible`,
				`configMaps[1].name: is not a valid name of an object: string "B"`,
				`configMaps[1].env["1"]: is not a valid name of an environment variable: "1"`,
				`configMaps[1].env.A: container "web" has a variable "A" already`,
				`configMaps[2].mountPath: is required where subPath or items is set`,
				`secrets[0].type: would be ignored without stringData`,
			},
		},
		"Storage": {
			reason: "What would be ignored is refused.",
			trait: `{type: storage, properties: {
				pvc: [{name: a, mountPath: /a, mountOnly: true, storageClassName: x}, {name: b, mountPath: /b, perPod: true, resources: {requests: {storage: big}}}, {name: c, mountPath: /a, volumeMode: Block, subPath: x}],
				configMap: [{name: d, mountOnly: true, data: {a: b}, mountPath: /a}, {name: e, mountOnly: true}, {name: f, readOnly: true}],
				secret: [{name: g, mountOnly: true, stringData: {a: b}, mountPath: /g}, {name: h, stringData: {a: b}, data: {a: Yg==}, mountToEnvs: [{envName: "=", secretKey: a}]}],
				emptyDir: [{name: i, mountPath: /i, sizeLimit: x}]}}`,
			want: []string{
				`pvc[0].mountOnly: says that the claim exists, so what it should be like would be ignored: remove either`,
				`pvc[1].resources.requests.storage: must be a quantity such as "500m" or "2Gi", got string "big"`,
				`pvc[1].perPod: is only for a StatefulSet: the pods of a Deployment have no names to tell their claims by`,
				`pvc[2].subPath: is not possible where volumeMode is Block`,
				`configMap[0].data: would be ignored, because mountOnly says that the ConfigMap exists: remove one`,
				`configMap[0].mountPath: "/a" already has a volume mounted in container "web"`,
				`configMap[1]: does nothing: give it a mountPath or mountToEnv`,
				`configMap[2].mountPath: is required where subPath, items or readOnly is set`,
				`secret[0].mountOnly: says that the Secret exists, so data and stringData would be ignored: remove either`,
				`secret[1].data.a: is in stringData, too: keep one`,
				`secret[1].mountToEnvs[0].envName: is not a valid name of an environment variable: "="`,
				`emptyDir[0].sizeLimit: must be a quantity such as "500m" or "2Gi", got string "x"`,
			},
		},
		"Expose": {
			reason: "Ports have names and lead where they did.",
			kind:   "webservice", properties: `{image: a, ports: [{port: 80, containerPort: 8080, expose: true}]}`,
			trait: `{type: expose, properties: {ports: [{port: 80, nodePort: 30080}, {port: 81, name: "A B"}, {port: 82, name: port-8080}], matchLabels: {a: b}, annotations: {"a b": c},
				ingress: {host: "A_b", path: x, port: 99}, httpRoute: {gateway: {name: g}, hosts: [c_d], path: x}}}`,
			want: []string{
				`matchLabels: would be ignored, because the component has the Service "web" already: remove it`,
				`ports[0].nodePort: needs type: NodePort`,
				`ports[0]: port 80 of the Service leads to 8080 already`,
				`ports[1].name: is not a valid name of a port: a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', ` +
					`and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
				`ports[2]: has the name "port-8080" like another port of the Service: give it a name of its own`,
				`annotations["a b"]: is not a valid annotation key`,
				`ingress.path: must be a path that begins with /, got string "x"`,
				`ingress.port: is no port of the Service: there are 80 and 81`,
				`ingress.host: must be a host name, or one that begins with *., got string "A_b"`,
				`httpRoute.path: must be a path that begins with /, got string "x"`,
				`httpRoute.hosts[0]: must be a host name, or one that begins with *., got string "c_d"`,
			},
		},
		"ExposeTwoWays": {
			reason: "Ports are written in one way.",
			trait:  `{type: expose, properties: {port: [80], ports: [{port: 81}]}}`,
			want:   []string{`port: cannot be used together with ports: put it there`},
		},
		"ExposeNothing": {
			reason: "A Service has ports.",
			trait:  `{type: expose}`,
			want:   []string{`ports: is required: the component has no Service yet`},
		},
		"Gateway": {
			reason: "Paths are paths, and names are names.",
			trait:  `{type: gateway, properties: {http: {x: 80}, name: "-", domain: "a b", labels: {mainstay.dev/tenant: x}}}`,
			want: []string{
				`name: must make a name of a Service of at most 63 characters, got string "web--"`,
				`http.x: must be a path that begins with /, got string "x"`,
				`domain: must be a host name, or one that begins with *., got string "a b"`,
				`labels["mainstay.dev/tenant"]: is a label that Mainstay sets: remove it`,
			},
		},
		"ServiceAccount": {
			reason: "A tenant gives rights in its namespace only.",
			trait:  `{type: service-account, properties: {name: A, privileges: [{verbs: [get], scope: cluster, resources: [nodes]}, {verbs: [], nonResourceURLs: [/metrics]}]}}`,
			want: []string{
				`name: is not a valid name of an object: string "A"`,
				`privileges[0].scope: cluster is not possible: what belongs to the whole cluster a tenant may not give, ask the owner of the fleet`,
				`privileges[1].nonResourceURLs: belong to the whole cluster and not to a namespace: remove it`,
				`privileges[1].verbs: must not be empty`,
				`privileges[1].resources: is required`,
			},
		},
		"Labels": {
			reason: "Labels are texts, not ours, and there if they are taken away.",
			trait:  `{type: labels, properties: {a: 1, mainstay.dev/component: x, app.oam.dev/name: x, gone: null, ok: "not ok"}}`,
			want: []string{
				`a: must be a string, got number 1: put it in quotes`,
				`["app.oam.dev/name"]: is a label that Mainstay sets: remove it`,
				`["mainstay.dev/component"]: is a label by which the workload finds its pods: choose another`,
				`ok: must have at most 63 letters, digits, '-', '_' and '.', got string "not ok"`,
				`gone: cannot be taken away: neither Deployment "web" nor its pods have it`,
			},
		},
		"Annotations": {
			reason: "So are annotations.",
			trait:  `{type: annotations, properties: {"a b": x, c: {}}}`,
			want: []string{
				`["a b"]: is not a valid annotation key`,
				`c: must be a string, got an object`,
			},
		},
		"JSONPatch": {
			reason: "An operation has what it needs, and finds what it changes.",
			trait: `{type: json-patch, properties: {operations: [{op: copy, path: /a}, {op: add, path: /metadata/annotations, from: /b, value: {}}, {op: remove, path: /metadata/annotations, value: 1}, {op: replace, path: /c},
				{op: test, path: /kind, value: Job}]}}`,
			want: []string{
				`operations[0].from: is required for op copy`,
				`operations[1].from: would be ignored for op add: remove it`,
				`operations[2].value: would be ignored for op remove: remove it`,
				`operations[3].value: is required for op replace`,
			},
		},
		"JSONPatchFails": {
			reason: "The operation that does not apply is named.",
			trait: `{type: json-patch, properties: {operations: [{op: add, path: /metadata/annotations, value: {}}, {op: remove, path: /spec/nothing}, {op: test, path: /kind, value: Job},
				{op: add, path: /metadata/annotations/a, value: b}]}}`,
			want: []string{`operations[1]: cannot be done to Deployment "web": error in remove for path: '/spec/nothing': unable to remove nonexistent key: nothing: missing value`},
		},
		"JSONPatchIdentity": {
			reason: "What an object is and how it finds its pods stays.",
			trait:  `{type: json-patch, properties: {operations: [{op: replace, path: /metadata/name, value: other}, {op: add, path: /status, value: {}}]}}`,
			want: []string{
				`operations: metadata.name must stay as it is in Deployment "web"`,
				`operations: status must not be set: it is the cluster's`,
			},
		},
		"JSONPatchBomb": {
			reason: "Copies do not add up without end.",
			trait:  `{type: json-patch, properties: {operations: [` + strings.Repeat(`{op: copy, from: /metadata, path: /metadata/annotations}, {op: copy, from: /metadata, path: /metadata/labels}, `, 50) + `]}}`,
			want:   []string{`operations[19]: cannot be done to Deployment "web": Unable to complete the copy, the accumulated size increase of copy is 1255255, exceeding the limit 1048576`},
		},
		"MergePatch": {
			reason: "So it does with a merge patch.",
			trait:  `{type: json-merge-patch, properties: {kind: Job, spec: {selector: null}, metadata: {labels: {mainstay.dev/tenant: x, a: 1}}}}`,
			want: []string{
				`kind: must stay as it is in Deployment "web"`,
				`spec.selector: must stay as it is in Deployment "web"`,
				`metadata.labels.a: must be a string, got number 1: put it in quotes`,
				`metadata.labels["mainstay.dev/tenant"]: is a label that Mainstay sets: remove it`,
			},
		},
		"MergePatchTemplate": {
			reason: "The pods remain, and remain to be found.",
			trait:  `{type: json-merge-patch, properties: {spec: {template: {metadata: {labels: {mainstay.dev/component: null}}}}}}`,
			want:   []string{`spec.template.metadata.labels: must still have the labels by which the workload finds its pods`},
		},
		"MergePatchContainers": {
			reason: "And have containers.",
			trait:  `{type: json-merge-patch, properties: {spec: {template: {spec: {containers: [{image: a}]}}}}}`,
			want:   []string{`spec: must still have a template of pods, with containers that have names`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			kind, properties, before, at := tc.kind, tc.properties, tc.before, "spec.components[0].traits[0].properties"
			if kind == "" {
				kind = "worker"
			}
			if properties == "" {
				properties = `{image: a}`
			}
			if before != "" {
				before, at = before+", ", "spec.components[0].traits[1].properties"
			}
			got := problemsOf(t, "app", spec(t, strings.ReplaceAll(traited(kind, properties, before+tc.trait), "\t", " ")))
			want := make([]string, 0, len(tc.want))
			for _, w := range tc.want {
				if !strings.HasPrefix(w, ":") && !strings.HasPrefix(w, "[") {
					w = "." + w
				}
				want = append(want, at+w)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("\n%s\nCompile(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestTraitOverrides is about traits that overrides change.
func TestTraitOverrides(t *testing.T) {
	const at = "spec.policies[0].properties.components[0]"
	const app = `
components:
- {name: web, type: worker, properties: {image: a}, traits: [{type: scaler, properties: {replicas: 2}}, {type: resource, properties: {cpu: 1}}]}
- {name: job, type: task, properties: {image: a}}
policies: [{name: p, type: override, properties: {clusters: [c], components: [`
	cases := map[string]struct {
		reason string
		patch  string
		want   []string
	}{
		"Properties": {
			reason: "What is wrong in an override is found there, before a cluster needs it.",
			patch:  `{name: web, traits: [{type: scaler, properties: {replicas: x}}, {type: env, properties: {envs: {}}}]}`,
			want: []string{
				at + `.traits[0].properties.replicas: must be an integer, got string "x" (override "p", component "web")`,
				at + `.traits[1].properties.envs: is not a known property: did you mean "env"? (override "p", component "web")`,
			},
		},
		"Combination": {
			reason: "So is what is only wrong together.",
			patch:  `{name: web, traits: [{type: resource, properties: {limits: {cpu: 500m}}}, {type: cpuscaler}]}`,
			want: []string{
				`spec.components[0].traits[1].properties.cpu: cannot be used together with requests and limits: put it there (with override "p")`,
				at + `.traits[1].type: trait "cpuscaler" does not go together with trait "scaler" of component "web": keep one (override "p", component "web")`,
			},
		},
		"Misfit": {
			reason: "A trait for all components must fit all of them.",
			patch:  `{traits: [{type: pdb, properties: {maxUnavailable: 1}}]}`,
			want: []string{at + `.traits[0].type: trait "pdb" does not fit component "job", which has a Job: ` +
				`it is for a workload with a number of pods, such as a Deployment or a StatefulSet (override "p", component "job")`},
		},
		"Form": {
			reason: "A trait has a type, is named once, and is changed or taken away.",
			patch:  `{name: web, traits: [{type: scaler, disable: true, properties: {replicas: 1}}, {type: scaler}, {type: scalr, disable: true}]}`,
			want: []string{
				at + `.traits[0].properties: would be ignored, because disable takes the trait away: keep one`,
				at + `.traits[1].type: has the trait "scaler" twice: put its properties together`,
				at + `.traits[2].disable: there is no trait "scalr" to take away`,
			},
		},
		"NoType": {
			reason: "A trait without a type is nothing.",
			patch:  `{name: web, traits: [{disable: true, enabled: x}]}`,
			want: []string{
				at + `.traits[0].enabled: is not a known property`,
				at + `.traits[0].type: is required`,
			},
		},
		"OtherType": {
			reason: "A component of another type has the override's traits only.",
			patch:  `{name: web, type: task, properties: {image: b}, traits: [{type: resource, properties: {cpu: 2}}]}`,
		},
		"Disable": {
			reason: "One trait can make room for another.",
			patch:  `{traits: [{type: scaler, disable: true}]}, {name: web, traits: [{type: hpa}]}`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := problemsOf(t, "app", spec(t, app+tc.patch+`]}}]`))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nCompile(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
