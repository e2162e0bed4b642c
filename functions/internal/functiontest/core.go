package functiontest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

// A Core does for functions what Crossplane does: it observes, runs a function until
// it has what it requires, deletes what is not desired any more, applies what is, and
// writes the status and the conditions of the composite. Resources are known by kind
// and name. A resource that is deleted stays for as long as Holds says so.
type Core struct {
	Resources map[string]*structpb.Struct
	// Holds keeps a deleted resource, by its key.
	Holds map[string]bool

	composed map[string]map[string]string
	uids     int
}

// NewCore returns a Core without resources.
func NewCore() *Core {
	return &Core{Resources: map[string]*structpb.Struct{}, Holds: map[string]bool{}, composed: map[string]map[string]string{}}
}

// Key of a resource.
func Key(s *structpb.Struct) string {
	return s.GetFields()["kind"].GetStringValue() + "/" + child(s, "metadata").GetFields()["name"].GetStringValue()
}

// Apply a resource. Its status is kept, and its generation grows where its
// specification changes.
func (c *Core) Apply(s *structpb.Struct, owner string) {
	s = proto.CloneOf(s)
	key, generation := Key(s), 1.0
	meta := child(s, "metadata")
	if old, ok := c.Resources[key]; ok {
		m := child(old, "metadata").GetFields()
		generation = m["generation"].GetNumberValue()
		if !proto.Equal(old.GetFields()["spec"], s.GetFields()["spec"]) {
			generation++
		}
		meta.Fields["uid"] = m["uid"]
		if st, ok := old.GetFields()["status"]; ok {
			s.Fields["status"] = st
		}
	} else {
		c.uids++
		meta.Fields["uid"] = structpb.NewStringValue(fmt.Sprintf("uid-%d", c.uids))
	}
	meta.Fields["generation"] = structpb.NewNumberValue(generation)
	if owner != "" {
		ref, _ := structpb.NewStruct(map[string]any{"apiVersion": "v1", "kind": "Owner", "name": owner, "controller": true,
			"uid": child(c.Resources[owner], "metadata").GetFields()["uid"].GetStringValue()})
		meta.Fields["ownerReferences"] = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{structpb.NewStructValue(ref)}})
	}
	// Real requests carry what the API server remembers of every field, too.
	meta.Fields["managedFields"] = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{managed(s.GetFields()["spec"])}})
	c.Resources[key] = s
}

func managed(v *structpb.Value) *structpb.Value {
	out := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for k, f := range v.GetStructValue().GetFields() {
		out.Fields["f:"+k] = managed(f)
	}
	for i, f := range v.GetListValue().GetValues() {
		out.Fields[fmt.Sprintf("k:%d", i)] = managed(f)
	}
	return structpb.NewStructValue(out)
}

// Delete a resource, unless it is held.
func (c *Core) Delete(key string) {
	if !c.Holds[key] {
		delete(c.Resources, key)
	}
}

// Keys of the resources of a kind, sorted.
func (c *Core) Keys(kind string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(c.Resources)) {
		if strings.HasPrefix(k, kind+"/") {
			out = append(out, k)
		}
	}
	return out
}

// SetStatus of a resource: the fields given, and conditions that it has of late.
func (c *Core) SetStatus(key string, fields map[string]any, conditions ...map[string]any) error {
	r := c.Resources[key]
	list := make([]any, 0, len(conditions))
	for _, cond := range conditions {
		cond["observedGeneration"] = child(r, "metadata").GetFields()["generation"].GetNumberValue()
		list = append(list, cond)
	}
	st := maps.Clone(fields)
	if st == nil {
		st = map[string]any{}
	}
	st["conditions"] = list
	s, err := structpb.NewStruct(st)
	if err != nil {
		return err
	}
	r.Fields["status"] = structpb.NewStructValue(s)
	return nil
}

// Request for a composite, with what is observed of it.
func (c *Core) Request(composite string) *fnv1.RunFunctionRequest {
	req := &fnv1.RunFunctionRequest{Observed: &fnv1.State{
		Composite: &fnv1.Resource{Resource: c.Resources[composite]},
		Resources: map[string]*fnv1.Resource{},
	}}
	for name, key := range c.composed[composite] {
		if r, ok := c.Resources[key]; ok {
			req.Observed.Resources[name] = &fnv1.Resource{Resource: r}
		}
	}
	return req
}

// Reconcile a composite once. It returns the request and the response of the last run
// of its function. After a fatal result only conditions are written.
func (c *Core) Reconcile(composite string, run func(*fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error)) (*fnv1.RunFunctionRequest, *fnv1.RunFunctionResponse, error) {
	req := c.Request(composite)
	rsp, err := run(req)
	if err != nil {
		return req, rsp, err
	}
	if required := rsp.GetRequirements().GetResources(); len(required) > 0 {
		req = c.Request(composite)
		req.RequiredResources = c.find(required)
		if rsp, err = run(req); err != nil {
			return req, rsp, err
		}
	}
	for _, r := range rsp.GetResults() {
		if r.GetSeverity() == fnv1.Severity_SEVERITY_FATAL {
			return req, rsp, c.conditions(composite, rsp, child(c.Resources[composite], "status"))
		}
	}
	c.compose(composite, rsp.GetDesired().GetResources())
	return req, rsp, c.conditions(composite, rsp, child(rsp.GetDesired().GetComposite().GetResource(), "status"))
}

func (c *Core) find(required map[string]*fnv1.ResourceSelector) map[string]*fnv1.Resources {
	out := map[string]*fnv1.Resources{}
	for name, sel := range required {
		out[name] = &fnv1.Resources{}
		if r, ok := c.Resources[sel.GetKind()+"/"+sel.GetMatchName()]; ok {
			out[name].Items = append(out[name].Items, &fnv1.Resource{Resource: r})
		}
	}
	return out
}

func (c *Core) compose(composite string, desired map[string]*fnv1.Resource) {
	for name, key := range c.composed[composite] {
		if _, ok := desired[name]; !ok {
			c.Delete(key)
		}
	}
	c.composed[composite] = map[string]string{}
	for name, r := range desired {
		c.Apply(r.GetResource(), composite)
		c.composed[composite][name] = Key(r.GetResource())
	}
}

func (c *Core) conditions(composite string, rsp *fnv1.RunFunctionResponse, status *structpb.Struct) error {
	fields := status.AsMap()
	ready := map[string]any{"type": "Ready", "status": "False", "reason": "Creating"}
	if rsp.GetDesired().GetComposite().GetReady() == fnv1.Ready_READY_TRUE {
		ready["status"] = "True"
	}
	all := []map[string]any{ready}
	for _, cond := range rsp.GetConditions() {
		is := "False"
		if cond.GetStatus() == fnv1.Status_STATUS_CONDITION_TRUE {
			is = "True"
		}
		all = append(all, map[string]any{"type": cond.GetType(), "status": is, "reason": cond.GetReason(), "message": cond.GetMessage()})
	}
	return c.SetStatus(composite, fields, all...)
}

func child(s *structpb.Struct, field string) *structpb.Struct {
	return s.GetFields()[field].GetStructValue()
}
