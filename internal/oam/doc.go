// Package oam turns the specification of an application into the objects that one
// variant of it puts on a cluster. Compile checks everything that can be checked
// without a cluster; what is compiled can be rendered for any combination of
// override policies, each of which yields one bundle.Content.
//
// A component type is data plus a function: the schema of its parameters
// (schema/components.yaml) and a template in Go. So is a trait type: a schema
// (schema/traits.yaml), which components it is for, what it does not go together with,
// and a function that changes the rendered objects. Traits are applied in the order
// they are written in, and what one needs of another is checked after the last. Names, meanings and defaults are
// those of KubeVela's built-in definitions, so that its applications can be pasted.
// Policies are resolved only as far as they decide what is rendered; which clusters
// they select is for whoever knows the clusters.
//
// Invariants: the same input gives the same output byte for byte; nothing that a
// user writes is ignored (what is not supported is refused by its name); every
// problem is found by Compile, whichever variants clusters turn out to need; every
// problem names the field as the user wrote it.
//
// Where this differs from KubeVela:
//   - a name pattern of an override must match the whole name, not a part of it;
//   - an override that replaces a component by one of another type keeps its dependsOn;
//   - where the selector of an override leaves a component out, what depends on it
//     waits for what that component would have waited for;
//   - in properties that an override merges, null removes a property, and an empty list
//     takes the place of a full one;
//   - a task's Job is named <component>-<digest>, because a Job cannot change: a task
//     runs again whenever its properties change;
//   - where a property could only be ignored (nodePort without its Service, volumes
//     beside volumeMounts, a variable to unset that there is not) it is refused;
//   - a component has one trait of a type;
//   - traits of k8s-objects change the first object that has a template of pods, and
//     only where there is none the first object;
//   - where a component has a Service already, expose and gateway add their ports to it;
//   - the trait resource leaves alone what it does not name, and has no defaults;
//   - steps that apply components become the order of components on each cluster;
//   - an override that only some deploy steps list is for the clusters of these steps;
//   - conditions of steps and values of outputs are CEL, not CUE.
//
// A workflow becomes the steps of a Rollout, and the rollout policy its strategy.
// Expressions in manifests are compiled here and bound on the cluster.
//
// Deliberately absent: the values of expressions, clusters, clients.
package oam
