package preflight

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// archLabels say which architecture a node has.
var archLabels = []string{corev1.LabelArchStable, "beta.kubernetes.io/arch"}

// wantedArch is the architecture that a workload asks for and that no node has.
func (r *run) wantedArch(w *workload) string {
	wanted := ""
	for _, l := range archLabels {
		if v := w.pod.Spec.NodeSelector[l]; v != "" {
			wanted = v
		}
	}
	if wanted == "" || slices.ContainsFunc(r.snap.Capacity.Nodes, func(n Node) bool { return n.Arch == wanted }) {
		return ""
	}
	return wanted
}

// checkArchitecture is B16. Images are judged where the registry told their platforms.
func checkArchitecture(r *run) {
	r.schedule(func(w *workload, c *candidates) {
		if a := r.wantedArch(w); a != "" {
			r.findIf(r.certain(), w.object, w.path+".nodeSelector", "add nodes of this architecture, or correct the selector", "the pod asks for a node of architecture %s, and there is none", a)
		}
	})
}

// checkVolumes is B8.
func checkVolumes(r *run) {
	for _, ref := range r.refs {
		if ref.kind != "PersistentVolumeClaim" || r.brings("", ref.kind, ref.from.namespace, ref.name) != nil {
			continue
		}
		c, known := r.snap.Claims[r.key(ref)]
		switch {
		case !known:
		case c == nil && r.claimOfSet(ref):
			// A StatefulSet of the application makes it.
		case c == nil:
			r.findIf(!r.makers[ref.kind], ref.from.object, ref.field, "create the claim, or correct its name", "claim %q does not exist", ref.name)
		case c.Phase == corev1.ClaimLost:
			r.find(ref.from.object, ref.field, "restore the volume, or make another claim", "claim %q has lost its volume", ref.name)
		case c.Terminating:
			r.warn(ref.from.object, ref.field, "make another claim", "claim %q is being deleted", ref.name)
		case c.Phase == corev1.ClaimPending && !r.waitsForPod(c):
			r.warn(ref.from.object, ref.field, "look why the claim is not bound", "claim %q is not bound", ref.name)
		}
	}
	st := r.snap.Storage
	for _, c := range r.claims {
		if st == nil || c.spec.VolumeName != "" || r.bound(c) {
			continue
		}
		name := c.spec.StorageClassName
		if name == nil {
			if v, ok := c.from.GetAnnotations()[corev1.BetaStorageClassAnnotation]; ok {
				name = &v
			}
		}
		switch {
		case name == nil && !st.Default && !st.Free[""] && !r.bringsDefaultClass():
			r.find(c.from, c.field+".storageClassName", "name a storage class, or ask the cluster's owner for a default one", "the claim names no storage class, and the cluster has no default one")
		case name == nil || *name == "" || r.brings("storage.k8s.io", "StorageClass", "", *name) != nil:
		default:
			if _, ok := st.Classes[*name]; !ok && !st.Free[*name] {
				r.find(c.from, c.field+".storageClassName", "use a storage class of the cluster, or ask its owner for this one", "storage class %q does not exist", *name)
			}
		}
	}
}

func (r *run) waitsForPod(c *Claim) bool {
	return r.snap.Storage == nil || c.Class == nil || r.snap.Storage.Classes[*c.Class]
}

// bound is true for a claim that is there already.
func (r *run) bound(c claim) bool {
	_, own := c.from.typed.(*corev1.PersistentVolumeClaim)
	return own && r.snap.Objects[c.from.key()] != nil
}

// claimOfSet is true for a claim that has a name as a StatefulSet of the application
// gives it.
func (r *run) claimOfSet(ref ref) bool {
	return slices.ContainsFunc(r.workloads, func(w *workload) bool {
		for t := range w.templates {
			if p := t + "-" + w.GetName() + "-"; len(ref.name) > len(p) && ref.name[:len(p)] == p {
				return true
			}
		}
		return false
	})
}

func (r *run) bringsDefaultClass() bool {
	return slices.ContainsFunc(r.objects, func(o *object) bool {
		return o.gvk.Group == "storage.k8s.io" && o.gvk.Kind == "StorageClass" && o.GetAnnotations()["storageclass.kubernetes.io/is-default-class"] == "true"
	})
}
