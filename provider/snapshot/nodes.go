package snapshot

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	resourcehelper "k8s.io/component-helpers/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/internal/preflight"
)

// Bounds of what is read of one cluster, in pages. Of larger ones the rest is not seen, so
// that there seems to be more room than there is.
const (
	maxNodePages = 10
	maxPodPages  = 40
)

// fakeNode marks nodes that nothing runs on.
const fakeNode = "kwok.x-k8s.io/node"

// nodes and what runs on them.
func (r *reader) nodes(ctx context.Context, n preflight.Needs, s *preflight.Snapshot) error {
	if !n.Pods {
		return nil
	}
	nodes, err := fresh(r, "nodes", func() ([]preflight.Node, error) { return r.readNodes(ctx) })
	if err != nil {
		return unknown(err)
	}
	if len(nodes) == 0 {
		// Where there is none, one may be there any moment.
		r.stale("nodes")
	}
	pods, err := fresh(r, "pods", func() ([]preflight.Pod, error) { return r.readPods(ctx) })
	if err != nil {
		return unknown(err)
	}
	elastic := false
	if n.Elastic {
		elastic, err = fresh(r, "elastic", func() (bool, error) { return r.elastic(ctx, nodes) })
		if err != nil {
			return unknown(err)
		}
	}
	s.Capacity = &preflight.Capacity{Nodes: nodes, Pods: pods, Elastic: elastic}
	return nil
}

func (r *reader) readNodes(ctx context.Context) ([]preflight.Node, error) {
	out := []preflight.Node{}
	l := &corev1.NodeList{}
	err := r.pages(ctx, l, maxNodePages, func() {
		for i := range l.Items {
			n := &l.Items[i]
			if n.DeletionTimestamp != nil {
				continue
			}
			out = append(out, nodeOf(n))
		}
	})
	return out, err
}

func nodeOf(n *corev1.Node) preflight.Node {
	out := preflight.Node{
		Name: n.Name, Labels: n.Labels, Taints: n.Spec.Taints, Allocatable: n.Status.Allocatable,
		Arch: n.Status.NodeInfo.Architecture, Fake: n.Annotations[fakeNode] != "",
	}
	if out.Allocatable == nil {
		out.Allocatable = n.Status.Capacity
	}
	for _, i := range n.Status.Images {
		out.Images = append(out.Images, i.Names...)
	}
	return out
}

func (r *reader) readPods(ctx context.Context) ([]preflight.Pod, error) {
	out := []preflight.Pod{}
	l := &corev1.PodList{}
	// What has ended takes no room.
	running := client.MatchingFieldsSelector{Selector: fields.ParseSelectorOrDie("status.phase!=Succeeded,status.phase!=Failed")}
	err := r.pages(ctx, l, maxPodPages, func() {
		for i := range l.Items {
			out = append(out, podOf(&l.Items[i]))
		}
	}, running)
	return out, err
}

func podOf(p *corev1.Pod) preflight.Pod {
	out := preflight.Pod{
		Namespace: p.Namespace, Labels: p.Labels, Node: p.Spec.NodeName,
		Requests: resourcehelper.PodRequests(p, resourcehelper.PodResourcesOptions{UseStatusResources: true}),
	}
	for _, o := range p.OwnerReferences {
		out.Daemon = out.Daemon || o.Kind == "DaemonSet"
	}
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			if port.Name != "" {
				out.PortNames = append(out.PortNames, port.Name)
			}
			if port.HostPort > 0 {
				ip := port.HostIP
				if ip == "0.0.0.0" || ip == "::" {
					ip = ""
				}
				out.Ports = append(out.Ports, preflight.HostPort{Protocol: port.Protocol, Port: port.HostPort, IP: ip})
			}
		}
	}
	return out
}

// autoscalers leave these marks.
var (
	autoscalerStatus = types.NamespacedName{Namespace: "kube-system", Name: "cluster-autoscaler-status"}
	autoscalerKinds  = []schema.GroupKind{{Group: "karpenter.sh", Kind: "NodePool"}, {Group: "karpenter.sh", Kind: "NodeClaim"}}
	autoscalerLabels = []string{"karpenter.sh/", "goatscaler.io/", "cluster-autoscaler.kubernetes.io/"}
)

// elastic is true where nodes may come by themselves.
func (r *reader) elastic(ctx context.Context, nodes []preflight.Node) (bool, error) {
	for _, n := range nodes {
		for l := range n.Labels {
			for _, p := range autoscalerLabels {
				if strings.HasPrefix(l, p) {
					return true, nil
				}
			}
		}
	}
	for _, k := range autoscalerKinds {
		if all, err := r.target.Mapper().RESTMappings(k); err == nil && len(all) > 0 {
			return true, nil
		}
	}
	m, err := r.metadata(ctx, corev1.SchemeGroupVersion.WithKind("ConfigMap"), autoscalerStatus)
	return m != nil, err
}

// limits of namespaces.
func (r *reader) limits(ctx context.Context, n preflight.Needs, s *preflight.Snapshot) error {
	s.Quotas, s.LimitRanges = map[string][]corev1.ResourceQuota{}, map[string][]corev1.LimitRange{}
	for _, ns := range n.Namespaces {
		if s.Namespaces[ns] == nil {
			continue // It is not there, or not known.
		}
		quotas, err := fresh(r, "quotas "+ns, func() ([]corev1.ResourceQuota, error) {
			l := &corev1.ResourceQuotaList{}
			err := r.client.List(ctx, l, client.InNamespace(ns), client.Limit(pageSize))
			out := make([]corev1.ResourceQuota, 0, len(l.Items))
			for _, q := range l.Items {
				out = append(out, corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: q.Name}, Spec: q.Spec, Status: q.Status})
			}
			return out, err
		})
		if err == nil {
			s.Quotas[ns] = quotas
		} else if err := unknown(err); err != nil {
			return err
		}
		ranges, err := fresh(r, "limits "+ns, func() ([]corev1.LimitRange, error) {
			l := &corev1.LimitRangeList{}
			err := r.client.List(ctx, l, client.InNamespace(ns), client.Limit(pageSize))
			out := make([]corev1.LimitRange, 0, len(l.Items))
			for _, q := range l.Items {
				out = append(out, corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: q.Name}, Spec: q.Spec})
			}
			return out, err
		})
		if err == nil {
			s.LimitRanges[ns] = ranges
		} else if err := unknown(err); err != nil {
			return err
		}
	}
	return nil
}
