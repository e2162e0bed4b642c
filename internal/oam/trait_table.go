package oam

// traitTable returns the built-in trait types. Where KubeVela has one for the same
// job, it has KubeVela's name, and properties with its names and meanings.
func traitTable() map[string]traitType {
	pods := []string{podspecable}
	replicas := []string{replicable}
	reachable := []string{replicable, "DaemonSet", "Pod"}
	always := []string{anyWorkload}
	return map[string]traitType{
		"scaler":              {appliesTo: replicas, apply: changes(scaler)},
		"cpuscaler":           {appliesTo: replicas, apply: changes(cpuScaler), conflictsWith: []string{"scaler", "hpa"}},
		"hpa":                 {appliesTo: replicas, apply: changes(hpa), conflictsWith: []string{"scaler"}},
		"pdb":                 {appliesTo: replicas, apply: changes(pdb)},
		"k8s-update-strategy": {appliesTo: []string{"Deployment", "StatefulSet", "DaemonSet"}, apply: changes(updateStrategy)},

		"node-placement":            {appliesTo: pods, apply: changes(placement)},
		"affinity":                  {appliesTo: pods, apply: changes(affinity), conflictsWith: []string{"node-placement"}},
		"topologyspreadconstraints": {appliesTo: pods, apply: changes(topologySpread)},
		"queue":                     {appliesTo: pods, apply: changes(queue)},

		"resource":        {appliesTo: pods, apply: perContainer("containers", resources)},
		"resources":       {appliesTo: pods, apply: perContainer("containers", resources), conflictsWith: []string{"resource"}},
		"env":             {appliesTo: pods, apply: perContainer("containers", environment)},
		"command":         {appliesTo: pods, apply: perContainer("containers", command)},
		"container-image": {appliesTo: pods, apply: perContainer("containers", containerImage)},
		"container-ports": {appliesTo: pods, apply: perContainer("containers", containerPorts)},
		"securitycontext": {appliesTo: pods, apply: perContainer("containers", containerSecurity)},
		"startup-probe":   {appliesTo: pods, apply: perContainer("probes", startupProbe)},

		"config":             {appliesTo: pods, apply: changes(config)},
		"storage":            {appliesTo: pods, apply: changes(storage)},
		"sidecar":            {appliesTo: pods, apply: changes(sidecar)},
		"init-container":     {appliesTo: pods, apply: changes(initContainer)},
		"lifecycle":          {appliesTo: pods, apply: changes(lifecycle)},
		"hostalias":          {appliesTo: pods, apply: changes(hostAlias)},
		"podsecuritycontext": {appliesTo: pods, apply: changes(podSecurity)},
		"service-account":    {appliesTo: pods, apply: changes(serviceAccount)},
		"image-relocation":   {appliesTo: pods, apply: changes(relocation)},

		"expose":  {appliesTo: reachable, apply: changes(expose)},
		"gateway": {appliesTo: reachable, apply: changes(gateway)},

		"labels":           {appliesTo: always, apply: changes(labels)},
		"annotations":      {appliesTo: always, apply: changes(annotations)},
		"json-patch":       {appliesTo: always, apply: changes(jsonPatch)},
		"json-merge-patch": {appliesTo: always, apply: changes(jsonMergePatch)},
	}
}
