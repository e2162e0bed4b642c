package oam

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// one returns a specification with one component.
func one(kind, properties string) string {
	return "components: [{name: web, type: " + kind + ", properties: " + properties + "}]"
}

func TestCompileProperties(t *testing.T) {
	const at = "spec.components[0].properties."
	cases := map[string]struct {
		reason string
		spec   string
		want   []string
	}{
		"WrongType": {
			reason: "A property of the wrong type is named with what it is and what it must be.",
			spec:   one("webservice", `{image: nginx, port: 80a}`),
			want:   []string{at + `port: must be an integer, got string "80a"`},
		},
		"WrongTypeDeep": {
			reason: "The path leads into lists.",
			spec:   one("webservice", `{image: nginx, ports: [{port: 80}, {port: eighty}]}`),
			want:   []string{at + `ports[1].port: must be an integer, got string "eighty"`},
		},
		"Unquoted": {
			reason: "A number where a string is wanted can be helped.",
			spec:   one("worker", `{image: nginx, cpu: 0.5, cmd: [1], env: [{name: A, value: true}]}`),
			want: []string{
				at + `cmd[0]: must be a string, got number 1: put it in quotes`,
				at + `cpu: must be a string, got number 0.5: put it in quotes`,
				at + `env[0].value: must be a string, got true: put it in quotes`,
			},
		},
		"Containers": {
			reason: "Lists, objects and booleans are told apart.",
			spec:   one("webservice", `{image: [a], labels: x, cmd: {}, ports: [{port: 1.5, expose: "yes"}]}`),
			want: []string{
				at + `cmd: must be a list, got an object`,
				at + `image: must be a string, got a list`,
				at + `labels: must be an object, got string "x"`,
				at + `ports[0].expose: must be true or false, got string "yes"`,
				at + `ports[0].port: must be an integer, got number 1.5`,
			},
		},
		"Required": {
			reason: "What is missing is named where it is missing.",
			spec:   one("webservice", `{env: [{value: a}]}`),
			want:   []string{at + `env[0].name: is required`, at + `image: is required`},
		},
		"NoProperties": {
			reason: "A component without properties lacks those that are required.",
			spec:   `components: [{name: web, type: cron-task}]`,
			want:   []string{at + `image: is required`, at + `schedule: is required`},
		},
		"Null": {
			reason: "A null is nothing.",
			spec:   one("webservice", `{image: null, ports: [{port: 80, name: null}], labels: null}`),
			want:   []string{at + `image: is required`},
		},
		"NullInList": {
			reason: "A null among a list's entries is not nothing.",
			spec:   one("worker", `{image: a, cmd: [null]}`),
			want:   []string{at + `cmd[0]: must be a string, got nothing`},
		},
		"Unknown": {
			reason: "Unknown properties are named, with the nearest one that is known.",
			spec:   one("webservice", `{image: nginx, imagePulPolicy: Always, replicas: 2, kind: x, ports: [{port: 80, exposed: true}]}`),
			want: []string{
				at + `imagePulPolicy: is not a known property: did you mean "imagePullPolicy"?`,
				at + `kind: is not a known property`,
				at + `ports[0].exposed: is not a known property: did you mean "expose"?`,
				at + `replicas: is not a known property`,
			},
		},
		"UnknownWithDots": {
			reason: "A key that is no plain word is quoted.",
			spec:   one("worker", `{image: nginx, "a.b/c": 1, env: [{name: A, "x.y": 1}]}`),
			want: []string{
				at[:len(at)-1] + `["a.b/c"]: is not a known property`,
				at + `env[0]["x.y"]: is not a known property`,
			},
		},
		"OfAnotherType": {
			reason: "A property of another type of component is unknown here.",
			spec:   one("worker", `{image: nginx, ports: [{port: 80}]}`),
			want:   []string{at + `ports: is not a known property`},
		},
		"Enum": {
			reason: "What is possible is listed.",
			spec:   one("webservice", `{image: nginx, imagePullPolicy: always, exposeType: ExternalName}`),
			want: []string{
				at + `exposeType: must be one of "ClusterIP", "NodePort" and "LoadBalancer", got string "ExternalName"`,
				at + `imagePullPolicy: must be one of "Always", "IfNotPresent" and "Never", got string "always"`,
			},
		},
		"Bounds": {
			reason: "Numbers have bounds.",
			spec:   one("webservice", `{image: nginx, ports: [{port: 70000}, {port: 0}], livenessProbe: {tcpSocket: {port: 80}, periodSeconds: 0}}`),
			want: []string{
				at + `livenessProbe.periodSeconds: must be greater than or equal to 1, got number 0`,
				at + `ports[0].port: must be less than or equal to 65535, got number 70000`,
				at + `ports[1].port: must be greater than or equal to 1, got number 0`,
			},
		},
		"Empty": {
			reason: "Some things cannot be empty.",
			spec:   one("webservice", `{image: "", livenessProbe: {exec: {command: []}}}`),
			want: []string{
				at + `image: must not be empty`,
				at + `livenessProbe.exec.command: must not be empty: leave it out if there is nothing to list`,
			},
		},
		"TooLong": {
			reason: "Strings, lists and objects have bounds.",
			spec:   one("webservice", `{image: "`+strings.Repeat("a", 1025)+`", imagePullSecrets: [`+strings.Repeat("a,", 21)+`], labels: {`+manyKeys(65)+`}}`),
			want: []string{
				at + `image: must have at most 1024 characters`,
				at + `imagePullSecrets: must have at most 20 entries`,
				at + `labels: must have at most 64 entries`,
			},
		},
		"Quantities": {
			reason: "CPU and memory are quantities, and a limit is not less than what it limits.",
			spec:   one("webservice", `{image: nginx, cpu: lots, memory: 2Gi, limit: {memory: 1Gi, cpu: "-1"}}`),
			want: []string{
				at + `cpu: must be a quantity such as "500m" or "2Gi", got string "lots"`,
				at + `limit.cpu: must be a quantity such as "500m" or "2Gi", got string "-1"`,
				at + `limit.memory: must not be less than memory, which is "2Gi"`,
			},
		},
		"Probes": {
			reason: "A probe has one handler.",
			spec:   one("worker", `{image: a, livenessProbe: {tcpSocket: {port: 1}, successThreshold: 2}, readinessProbe: {}}`),
			want: []string{
				at + `livenessProbe.successThreshold: must be 1: a container is alive or it is not`,
				at + `readinessProbe: must have exactly one of exec, httpGet and tcpSocket`,
			},
		},
		"Env": {
			reason: "A variable has a name, once, and one source.",
			spec: one("worker", `{image: a, env: [{name: "A=B"}, {name: A, value: x, valueFrom: {fieldRef: {fieldPath: status.podIP}}}, {name: A}, {name: B, valueFrom: {}},
				{name: C, valueFrom: {secretKeyRef: {name: s, key: k}, configMapKeyRef: {name: s, key: k}}}]}`),
			want: []string{
				at + `env[0].name: is not a valid name of an environment variable: "A=B"`,
				at + `env[1]: has both value and valueFrom: keep one`,
				at + `env[2].name: "A" is set twice`,
				at + `env[3].valueFrom: must have exactly one of secretKeyRef, configMapKeyRef and fieldRef`,
				at + `env[4].valueFrom: must have exactly one of secretKeyRef, configMapKeyRef and fieldRef`,
			},
		},
		"Labels": {
			reason: "Labels are valid, and ours are ours.",
			spec:   one("worker", `{image: a, labels: {"a b": x, ok: "not ok", mainstay.dev/component: other}, annotations: {"a b": x}}`),
			want: []string{
				at + `labels["a b"]: is not a valid label key`,
				at + `labels["mainstay.dev/component"]: is a label that Mainstay sets: remove it`,
				at + `labels.ok: must have at most 63 letters, digits, '-', '_' and '.', got string "not ok"`,
				at + `annotations["a b"]: is not a valid annotation key`,
			},
		},
		"Ports": {
			reason: "What a Service could not have, and what would be ignored, is refused.",
			spec:   one("webservice", `{image: a, addRevisionLabel: true, ports: [{port: 80}, {port: 80}, {port: 81, name: "8"}, {port: 82, nodePort: 30000, expose: true}]}`),
			want: []string{
				at + `addRevisionLabel: is not supported: remove it; which revision runs is in the status of the application`,
				at + `ports[1]: has the name "port-80" like another port: give it a name of its own`,
				at + `ports[2].name: is not a valid name of a port: must contain at least one letter (a-z)`,
				at + `ports[3].nodePort: needs expose: true and exposeType: NodePort`,
			},
		},
		"Repeated": {
			reason: "What Kubernetes tells apart by name has a name of its own.",
			spec: one("webservice", `{image: a, imagePullSecrets: [s, s], hostAliases: [{ip: 10.0.0.1, hostnames: [a]}, {ip: 10.0.0.1, hostnames: [b]}],
				ports: [{port: 80, expose: true, name: a}, {port: 80, expose: true, name: b, containerPort: 8080}]}`),
			want: []string{
				at + `ports[1].port: port 80/TCP is exposed twice`,
				at + `hostAliases[1].ip: "10.0.0.1" is listed twice: put its names together`,
				at + `imagePullSecrets[1]: "s" is listed twice`,
			},
		},
		"Volumes": {
			reason: "Volumes have valid names, one source and a path of their own.",
			spec: one("worker", `{image: a, volumeMounts: {emptyDir: [{name: A_B, mountPath: /a}, {name: data, mountPath: /b}],
				pvc: [{name: data, mountPath: /b, claimName: c}]}}`),
			want: []string{
				at + `volumeMounts.emptyDir[0].name: must be a DNS label: lower-case letters, digits and '-', got string "A_B"`,
				at + `volumeMounts.emptyDir[1].name: "data" already names another volume of this component: choose another name`,
				at + `volumeMounts.emptyDir[1].mountPath: "/b" already has a volume mounted`,
			},
		},
		"DeprecatedVolumes": {
			reason: "The deprecated volumes need what their type asks for.",
			spec:   one("worker", `{image: a, volumes: [{name: a, mountPath: /a, type: pvc}, {name: b, mountPath: /b, type: secret}, {name: c, mountPath: /c, type: configMap}]}`),
			want: []string{
				at + `volumes[0].claimName: is required for a volume of type pvc`,
				at + `volumes[1].secretName: is required for a volume of type secret`,
				at + `volumes[2].cmName: is required for a volume of type configMap`,
			},
		},
		"BothVolumes": {
			reason: "The deprecated volumes would be ignored beside volumeMounts.",
			spec:   one("worker", `{image: a, volumes: [{name: a, mountPath: /a}], volumeMounts: {}}`),
			want:   []string{at + `volumes: cannot be used together with volumeMounts: move its entries there`},
		},
		"Schedule": {
			reason: "A schedule has five fields.",
			spec:   one("cron-task", `{image: a, schedule: "* * *"}`),
			want:   []string{at + `schedule: must be a schedule in cron format with five fields, such as "0 3 * * *", got string "* * *"`},
		},
		"Restart": {
			reason: "A task cannot be restarted for ever.",
			spec:   one("task", `{image: a, restart: Always}`),
			want:   []string{at + `restart: must be one of "Never" and "OnFailure", got string "Always"`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := problemsOf(t, "app", spec(t, tc.spec))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nCompile(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func manyKeys(n int) string {
	keys := make([]string, 0, n)
	for i := range n {
		keys = append(keys, fmt.Sprintf("k%d: a", i))
	}
	return strings.Join(keys, ", ")
}

func TestCompileObjects(t *testing.T) {
	const at = "spec.components[0].properties.objects[0]"
	cases := map[string]struct {
		reason string
		object string
		want   []string
	}{
		"Empty": {
			reason: "An object says what it is.",
			object: `{}`,
			want:   []string{at + `.apiVersion: is required`, at + `.kind: is required`, at + `.metadata.name: is required`},
		},
		"WrongTypes": {
			reason: "What says what it is are strings.",
			object: `{apiVersion: 1, kind: "", metadata: {name: 5, namespace: [x]}}`,
			want: []string{
				at + `.apiVersion: must be a string, got number 1`,
				at + `.kind: must not be empty`,
				at + `.metadata.name: must be a string, got number 5`,
				at + `.metadata.namespace: must be a DNS label, got a list`,
			},
		},
		"BadVersion": {
			reason: "A version has one slash at most.",
			object: `{apiVersion: a/b/c, kind: A, metadata: {name: x}}`,
			want:   []string{at + `.apiVersion: must be <group>/<version> or <version>, got string "a/b/c"`},
		},
		"GenerateName": {
			reason: "A generated name cannot be found again.",
			object: `{apiVersion: v1, kind: ConfigMap, metadata: {generateName: x-}}`,
			want:   []string{at + `.metadata.generateName: is not supported, because an object must be found again: set name`},
		},
		"Owner": {
			reason: "An owner is known by an identity that other clusters do not have.",
			object: `{apiVersion: v1, kind: ConfigMap, metadata: {name: "a/b", ownerReferences: []}}`,
			want: []string{
				at + `.metadata.ownerReferences: is not supported: remove it`,
				at + `.metadata.name: is not a valid name of an object: string "a/b"`,
			},
		},
		"ClusterScoped": {
			reason: "A tenant may not make what belongs to the whole cluster.",
			object: `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: x}}`,
			want:   []string{at + `.kind: a ClusterRoleBinding belongs to the whole cluster and a tenant may not make one: ask the owner of the fleet`},
		},
		"Namespace": {
			reason: "Nor a namespace.",
			object: `{apiVersion: v1, kind: Namespace, metadata: {name: x}}`,
			want:   []string{at + `.kind: a Namespace belongs to the whole cluster and a tenant may not make one: ask the owner of the fleet`},
		},
		"List": {
			reason: "A list is not one object.",
			object: `{apiVersion: v1, kind: List, items: []}`,
			want:   []string{at + `.kind: a List is not supported: write its items as objects of their own`},
		},
		"Labels": {
			reason: "Labels and annotations are strings.",
			object: `{apiVersion: v1, kind: ConfigMap, metadata: {name: x, labels: {a: 1, mainstay.dev/tenant: me}, annotations: x}}`,
			want: []string{
				at + `.metadata.labels.a: must be a string, got number 1: put it in quotes`,
				at + `.metadata.labels["mainstay.dev/tenant"]: is a label that Mainstay sets: remove it`,
				at + `.metadata.annotations: must be an object, got string "x"`,
			},
		},
		"Annotations": {
			reason: "Annotations have valid keys.",
			object: `{apiVersion: v1, kind: ConfigMap, metadata: {name: x, annotations: {"a b": x}}}`,
			want:   []string{at + `.metadata.annotations["a b"]: is not a valid annotation key`},
		},
		"NotAnObject": {
			reason: "An object is an object.",
			object: `hello`,
			want:   []string{at + `: must be an object, got string "hello"`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := problemsOf(t, "app", spec(t, one("k8s-objects", "{objects: ["+tc.object+"]}")))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nCompile(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestCompileStructure(t *testing.T) {
	const known = `there are cron-task, k8s-objects, statefulservice, task, webservice and worker`
	cases := map[string]struct {
		reason string
		name   string
		spec   string
		want   []string
	}{
		"UnknownComponentType": {
			reason: "An unknown type is named with those that are known and the nearest of them.",
			spec:   `components: [{name: a, type: webservce}, {name: b, type: helm}]`,
			want: []string{
				`spec.components[0].type: component type "webservce" is not known: ` + known + `: did you mean "webservice"?`,
				`spec.components[1].type: component type "helm" is not known: ` + known,
			},
		},
		"Unsupported": {
			reason: "So is everything else that KubeVela has and we do not.",
			spec: `
workflow: {ref: w}
components:
- {name: web, type: worker, properties: {image: a}, scopes: {a: b}, externalRevision: v1, replicaKey: k}`,
			want: []string{
				`spec.components[0].scopes: is not supported yet: remove it from component "web"`,
				`spec.components[0].externalRevision: is not supported yet: remove it from component "web"`,
				`spec.components[0].replicaKey: is not supported yet: remove it from component "web"`,
				`spec.workflow.ref: is not supported: write the steps in the application`,
			},
		},
		"Policy": {
			reason: "An unknown policy is refused by its name.",
			spec: one("worker", `{image: a}`) + `
policies: [{name: a, type: shared-resource}, {name: b, type: topolgy}]`,
			want: []string{
				`spec.policies[0].type: policy type "shared-resource" is not supported: there are apply-once, garbage-collect, override, read-only, rollout, take-over and topology`,
				`spec.policies[1].type: policy type "topolgy" is not supported: there are apply-once, garbage-collect, override, read-only, rollout, take-over and topology: did you mean "topology"?`,
			},
		},
		"Duplicates": {
			reason: "Names are unique.",
			spec: `
components: [{name: a, type: worker, properties: {image: a}}, {name: a, type: task, properties: {image: a}}]
policies: [{name: p, type: topology}, {name: p, type: topology}]`,
			want: []string{
				`spec.components[1].name: component name "a" is already taken by spec.components[0]: names must be unique`,
				`spec.policies[1].name: policy name "p" is already taken by spec.policies[0]: names must be unique`,
			},
		},
		"Names": {
			reason: "Names are DNS labels that leave room for what is added to them.",
			name:   "My.App",
			spec: `
components: [{name: Web, type: worker, properties: {image: a}}, {name: ` + strings.Repeat("a", 53) + `, type: worker, properties: {image: a}}, {name: 1st, type: worker, properties: {image: a}}]
policies: [{name: A_b, type: topology}]`,
			want: []string{
				`metadata.name: "My.App" must be a DNS label: lower-case letters, digits and '-', without dots`,
				`spec.components[0].name: component name "Web" must be a DNS label that begins with a letter: lower-case letters, digits and '-'`,
				`spec.components[1].name: component name "` + strings.Repeat("a", 53) + `" has 53 characters: at most 52 are possible`,
				`spec.components[2].name: component name "1st" must be a DNS label that begins with a letter: lower-case letters, digits and '-'`,
				`spec.policies[0].name: policy name "A_b" must be a DNS label of at most 63 characters`,
			},
		},
		"LongApplicationName": {
			reason: "An application's name leaves room too.",
			name:   strings.Repeat("a", 41),
			spec:   one("worker", `{image: a}`),
			want:   []string{`metadata.name: "` + strings.Repeat("a", 41) + `" has 41 characters: an application name has at most 40`},
		},
		"NoComponents": {
			reason: "An application consists of something.",
			spec:   `components: []`,
			want:   []string{`spec.components: must not be empty`},
		},
		"DanglingDependency": {
			reason: "A dependency on nothing is named, with what was probably meant.",
			spec:   `components: [{name: web, type: worker, properties: {image: a}, dependsOn: [databse]}, {name: database, type: worker, properties: {image: a}, dependsOn: [nowhere]}]`,
			want: []string{
				`spec.components[0].dependsOn[0]: component "web" depends on "databse", which is no component of this application: did you mean "database"?`,
				`spec.components[1].dependsOn[0]: component "database" depends on "nowhere", which is no component of this application`,
			},
		},
		"SelfDependency": {
			reason: "Nothing depends on itself.",
			spec:   `components: [{name: web, type: worker, properties: {image: a}, dependsOn: [web]}]`,
			want:   []string{`spec.components[0].dependsOn[0]: component "web" depends on itself`},
		},
		"DependencyTwice": {
			reason: "A dependency is listed once.",
			spec:   `components: [{name: web, type: worker, properties: {image: a}, dependsOn: [db, db]}, {name: db, type: worker, properties: {image: a}}]`,
			want:   []string{`spec.components[0].dependsOn[1]: component "web" lists "db" twice`},
		},
		"Circle": {
			reason: "A circle is shown whole, once.",
			spec: `
components:
- {name: z, type: worker, properties: {image: a}, dependsOn: [a]}
- {name: a, type: worker, properties: {image: a}, dependsOn: [b]}
- {name: b, type: worker, properties: {image: a}, dependsOn: [c]}
- {name: c, type: worker, properties: {image: a}, dependsOn: [a]}`,
			want: []string{`spec.components[1].dependsOn: components depend on each other in a circle: a → b → c → a`},
		},
		"Clash": {
			reason: "Two components cannot have one object.",
			spec: `
components:
- {name: db, type: statefulservice, properties: {image: a}}
- {name: more, type: k8s-objects, properties: {objects: [
    {apiVersion: v1, kind: Service, metadata: {name: db-headless}},
    {apiVersion: v1, kind: ConfigMap, metadata: {name: x}},
    {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}]}}`,
			want: []string{
				`spec.components[1]: components "db" and "more" both have Service "db-headless": rename one`,
				`spec.components[1]: component "more" has ConfigMap "x" twice: rename one`,
			},
		},
		"TooLarge": {
			reason: "What does not fit into a Bundle is refused with the component that is the largest.",
			spec:   one("k8s-objects", `{objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: "`+strings.Repeat("a", 8<<20)+`"}}]}`),
			want:   []string{`spec.components[0]: manifests come to 8388988 bytes and at most 8388608 fit: component "web" alone has 8388925; split it over several applications, or move large data out of the manifests`},
		},
		"Text": {
			reason: "Control characters and expressions are found wherever they are, keys included.",
			spec: one("worker", `{image: "a\u0007", env: [{name: A, value: "${cluster.region}"}, {name: B, value: "a $${b} ${c}"}], labels: {"a\nb": x, "${k}": v}}`) + `
policies: [{name: p, type: topology, properties: {clusters: ["${c}"]}}]`,
			want: []string{
				`spec.components[0].properties.env[1].value: at position 8: expression "c" is not valid: 1:1: undeclared reference to 'c': variables are cluster and outputs; write $${ for a literal ${`,
				`spec.components[0].properties.image: has the control character U+0007 at position 1: remove it`,
				`spec.components[0].properties.labels["${k}"]: the key has an expression, ${k}, at position 0: a key cannot have one; write $${ for a literal ${`,
				`spec.components[0].properties.labels["a\nb"]: the key has the control character U+000A at position 1: remove it`,
				`spec.policies[0].properties.clusters[0]: has an expression, ${c}, at position 0: only properties of components and traits can have one; write $${ for a literal ${`,
				`spec.policies[0].properties.clusters[0]: must be the name of a cluster, <cluster> or <fleet>.<cluster>, got string "${c}"`,
				`spec.components[0].properties.labels["${k}"]: is not a valid label key`,
				`spec.components[0].properties.labels["a\nb"]: is not a valid label key`,
			},
		},
		"Deep": {
			reason: "Properties are not nested without end.",
			spec:   one("k8s-objects", strings.Repeat(`{a: `, 33)+`1`+strings.Repeat(`}`, 33)),
			want: []string{
				`spec.components[0].properties` + strings.Repeat(".a", 33) + `: is nested too deeply: at most 32 levels are possible`,
				`spec.components[0].properties.a: is not a known property`,
				`spec.components[0].properties.objects: is required`,
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			app := tc.name
			if app == "" {
				app = "app"
			}
			got := problemsOf(t, app, spec(t, tc.spec))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nCompile(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestCompileRawProperties(t *testing.T) {
	cases := map[string]struct {
		reason string
		raw    string
		want   []string
	}{
		"NoJSON": {
			reason: "Properties that admission never saw are read with care.",
			raw:    `{`,
			want:   []string{`spec.components[0].properties: cannot be read: unexpected end of JSON input`, `spec.components[0].properties.image: is required`},
		},
		"NoObject": {
			reason: "Properties are an object.",
			raw:    `[1]`,
			want:   []string{`spec.components[0].properties: must be an object, got a list`, `spec.components[0].properties.image: is required`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := &v1alpha1.ProductApplicationSpec{Components: []v1alpha1.Component{{Name: "a", Type: "worker", Properties: &runtime.RawExtension{Raw: []byte(tc.raw)}}}}
			if diff := cmp.Diff(tc.want, problemsOf(t, "app", s)); diff != "" {
				t.Errorf("\n%s\nCompile(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestInvalidError(t *testing.T) {
	cases := map[string]struct {
		reason string
		n      int
		want   string
	}{
		"One":  {reason: "One problem is spelled out.", n: 1, want: "a0: b"},
		"Five": {reason: "So are five.", n: 5, want: "a0: b; a1: b; a2: b; a3: b; a4: b"},
		"More": {reason: "Of more, the others are counted.", n: 8, want: "a0: b; a1: b; a2: b; a3: b; a4: b; and 3 more"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ps := &problems{}
			for i := range tc.n {
				ps.addf(path{fmt.Sprintf("a%d", i)}, "b")
			}
			if diff := cmp.Diff(tc.want, ps.err().Error()); diff != "" {
				t.Errorf("\n%s\nError(): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestProblemsAreBounded(t *testing.T) {
	components := make([]string, 0, 300)
	for i := range 300 {
		components = append(components, fmt.Sprintf("{name: c%d, type: x}", i))
	}
	got := problemsOf(t, "app", spec(t, "components: ["+strings.Join(components, ", ")+"]"))
	if diff := cmp.Diff(maxProblems, len(got)); diff != "" {
		t.Errorf("A hostile specification must not make an endless message: -want, +got:\n%s", diff)
	}
}
