// Package apiserver plays the API server of a Kubernetes cluster, so cheaply that a
// process can hold a thousand of them. What clients of such a server rely on is real:
// ownership of fields is worked out by Kubernetes' own library, writes conflict,
// watches resume or expire, namespaces and owners take along what is theirs, and the
// rights of whoever is impersonated are those of the cluster's roles.
//
// A cluster is a map of objects, kept as the JSON that is sent, under one lock. All
// clusters share what they know of kinds. Nothing runs on its own: whoever wants to
// play the controllers is told of every change (Config.Changed).
//
// Deliberately absent: schemas (OpenAPI) of other kinds than those of core, apps, batch
// and EndpointSlices, admission webhooks, conversion between versions of a kind,
// defaults that nobody looks at, validation beyond names, immutable fields, quotas of
// objects and what a schema says, and the check that who binds a role holds it.
package apiserver
