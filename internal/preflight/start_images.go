package preflight

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// checkImages is C5.
func checkImages(r *run) {
	r.images(func(w *workload, c *corev1.Container, at string, i *Image) {
		if !i.Missing || r.onNode(c) {
			return
		}
		r.find(w.object, at+".image", "push the image, or correct its name", "the registry has no image %q", c.Image)
	})
}

// checkPlatforms is C7.
func checkPlatforms(r *run) {
	r.images(func(w *workload, c *corev1.Container, at string, i *Image) {
		cand := r.candidatesOf(w)
		if cand == nil || len(i.Platforms) == 0 || len(cand.tolerable) == 0 {
			return
		}
		runs, all := false, true
		lacking := map[string]bool{}
		for _, n := range cand.tolerable {
			if n.Arch == "" || slices.Contains(i.Platforms, "linux/"+n.Arch) {
				runs = true
				continue
			}
			all, lacking[n.Arch] = false, true
		}
		if all {
			return
		}
		r.findIf(!runs && r.certain(), w.object, at+".image", "build the image for these nodes, or select others", "image %q is made for %s, and not for all nodes that the pod may run on", c.Image, strings.Join(i.Platforms, ", "))
	})
}

// images calls a check with each image that the registry knows something of.
func (r *run) images(check func(*workload, *corev1.Container, string, *Image)) {
	for _, w := range r.workloads {
		for c, at := range w.containers() {
			if i := r.snap.Images[c.Image]; i != nil {
				check(w, c, at, i)
			}
		}
	}
}

// onNode is true where the image need not come from the registry: nodes have it, or do
// not pull at all.
func (r *run) onNode(c *corev1.Container) bool {
	if r.snap.Capacity == nil || c.ImagePullPolicy == corev1.PullAlways {
		return false
	}
	return slices.ContainsFunc(r.snap.Capacity.Nodes, func(n Node) bool { return n.Fake || slices.Contains(n.Images, c.Image) })
}

// checkTags is C6.
func checkTags(r *run) {
	for _, w := range r.workloads {
		for c, at := range w.containers() {
			if c.Image == "" || strings.Contains(c.Image, "@") {
				continue
			}
			name := c.Image[strings.LastIndex(c.Image, "/")+1:]
			if _, tag, ok := strings.Cut(name, ":"); !ok || tag == "latest" {
				r.find(w.object, at+".image", "name a version, or better a digest", "image %q has no fixed tag", c.Image)
			}
		}
	}
}

// checkPullPolicy is C8.
func checkPullPolicy(r *run) {
	for _, w := range r.workloads {
		for c, at := range w.containers() {
			if c.ImagePullPolicy == corev1.PullNever && !r.onNode(c) {
				r.find(w.object, at+".imagePullPolicy", "use IfNotPresent, or put the image on the nodes", "image %q is never pulled, and no node is known to have it", c.Image)
			}
		}
	}
}
