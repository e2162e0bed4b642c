package plan

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// classes in order.
var classes = []Class{Auto, Manual, ForwardOnly, Irreversible}

// worse of two ways back.
func worse(a, b Reverse) Reverse {
	if slices.Index(classes, b.Class) > slices.Index(classes, a.Class) {
		return b
	}
	return a
}

// reverseOf an action on an object.
func reverseOf(before, after *unstructured.Unstructured, verb Verb) Reverse {
	switch verb {
	case Create:
		if after.GetKind() == "Job" || after.GetKind() == "Pod" {
			return Reverse{Class: ForwardOnly, Verb: Delete, Why: "what a " + after.GetKind() + " did stays done"}
		}
		return Reverse{Class: Auto, Verb: Delete}
	case Delete:
		return reverseDelete(before)
	case Replace:
		r := reverseDelete(before)
		r.Verb = Replace
		if r.Class == Auto {
			r = Reverse{Class: Manual, Verb: Replace, Why: "it has to be deleted first"}
		}
		return r
	case Update, Restart, Scale, Noop:
	}
	return reverseUpdate(before, after, verb)
}

func reverseDelete(o *unstructured.Unstructured) Reverse {
	kind := o.GetKind()
	switch {
	case hasData(o):
		return Reverse{Class: Irreversible, Why: "data goes with " + kind + " " + o.GetName()}
	case stateful(o):
		return Reverse{Class: Manual, Verb: Create, Why: "the volumes of " + kind + " " + o.GetName() + " stay, and have to be taken up again"}
	case kind == "Job":
		return Reverse{Class: Manual, Verb: Create, Why: "a Job that is made anew runs again"}
	case custom(o):
		return Reverse{Class: Manual, Verb: Create, Why: "what the operator of " + kind + " keeps may go with it"}
	}
	return Reverse{Class: Auto, Verb: Create}
}

func reverseUpdate(before, after *unstructured.Unstructured, verb Verb) Reverse {
	switch after.GetKind() {
	case "PersistentVolumeClaim":
		if had, has := storage(before), storage(after); had.Cmp(has) < 0 {
			return Reverse{Class: ForwardOnly, Why: "a volume that has grown does not shrink"}
		}
	case "CustomResourceDefinition":
		if !same(versions(before), versions(after)) {
			return Reverse{Class: ForwardOnly, Why: "objects that were stored in a new version are not stored back"}
		}
	case "Job":
		if !same(template1(before), template1(after)) {
			return Reverse{Class: ForwardOnly, Verb: Update, Why: "what a Job did stays done"}
		}
	}
	return Reverse{Class: Auto, Verb: verb}
}

func storage(o *unstructured.Unstructured) resource.Quantity {
	text, _, _ := unstructured.NestedString(o.Object, "spec", "resources", "requests", "storage")
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return resource.Quantity{}
	}
	return q
}

func versions(o *unstructured.Unstructured) any {
	v, _, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "versions")
	return v
}
