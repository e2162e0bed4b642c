package main

import extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

// An xrd is a CompositeResourceDefinition as it is written to a file: without the
// status that Crossplane's own type always carries, and for both of its versions.
type xrd struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   metadata `json:"metadata"`
	Spec       spec     `json:"spec"`
}

type metadata struct {
	Name string `json:"name"`
}

type spec struct {
	Group                        string    `json:"group"`
	Scope                        string    `json:"scope"`
	Names                        names     `json:"names"`
	ClaimNames                   *names    `json:"claimNames,omitempty"`
	DefaultCompositeDeletePolicy string    `json:"defaultCompositeDeletePolicy,omitempty"`
	Versions                     []version `json:"versions"`
}

// Names leave out the categories that Crossplane adds itself.
type names struct {
	Kind       string   `json:"kind"`
	Plural     string   `json:"plural"`
	Singular   string   `json:"singular"`
	ShortNames []string `json:"shortNames,omitempty"`
	Categories []string `json:"categories,omitempty"`
}

type version struct {
	Name                     string                                 `json:"name"`
	Served                   bool                                   `json:"served"`
	Referenceable            bool                                   `json:"referenceable"`
	AdditionalPrinterColumns []extv1.CustomResourceColumnDefinition `json:"additionalPrinterColumns,omitempty"`
	Schema                   validation                             `json:"schema"`
}

type validation struct {
	OpenAPIV3Schema *extv1.JSONSchemaProps `json:"openAPIV3Schema"`
}
