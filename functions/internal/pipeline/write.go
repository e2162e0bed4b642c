package pipeline

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"github.com/crossplane/function-sdk-go/response"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// How long until Crossplane runs a function again without an event. It is also what
// heals a composite whose events Crossplane's circuit breaker dropped, so it is short
// while something is awaited, and never zero, which would mean never.
const (
	WaitingTTL = 25 * time.Second
	ReachedTTL = 10 * time.Minute
	// HeldTTL is how long a change that was approved waits at most, where Crossplane had
	// not seen its grant yet.
	HeldTTL = 10 * time.Second
)

// maxMessageBytes bounds the message of a condition: it is the claim's one line.
const maxMessageBytes = 1024

// Respond begins the response to a request: what earlier steps desired is kept.
func Respond(req *fnv1.RunFunctionRequest) *fnv1.RunFunctionResponse {
	return response.To(req, WaitingTTL)
}

// Report sets the condition Reached of the composite and its claim, by one of the
// reasons of package v1alpha1, and how soon the function is run again.
func Report(rsp *fnv1.RunFunctionResponse, reason, message string) {
	c, ttl := response.ConditionFalse, WaitingTTL
	if reason == v1alpha1.ReasonReached {
		c, ttl = response.ConditionTrue, ReachedTTL
	}
	c(rsp, v1alpha1.ConditionReached, reason).WithMessage(oneLine(message)).TargetCompositeAndClaim()
	rsp.Meta.Ttl = durationpb.New(ttl)
}

// ReportHeld sets the condition Reached of what is held back.
func ReportHeld(rsp *fnv1.RunFunctionResponse, reason, message string) {
	Report(rsp, reason, message)
	rsp.Meta.Ttl = durationpb.New(HeldTTL)
}

// Refuse a claim: its condition Reached names what is wrong, and Crossplane neither
// composes nor removes anything, so what ran before goes on.
func Refuse(rsp *fnv1.RunFunctionResponse, err error) {
	Report(rsp, v1alpha1.ReasonInvalidSpec, err.Error())
	response.Fatal(rsp, err)
}

// Compose desires a resource under its name in the pipeline. The value is any typed
// resource; its status is left out.
func Compose(rsp *fnv1.RunFunctionResponse, name string, resource any, ready bool) error {
	s, err := encode(resource)
	if err != nil {
		return fmt.Errorf("cannot compose %q: %w", name, err)
	}
	delete(s.GetFields(), "status")

	if rsp.GetDesired() == nil {
		rsp.Desired = &fnv1.State{}
	}
	if rsp.GetDesired().GetResources() == nil {
		rsp.Desired.Resources = map[string]*fnv1.Resource{}
	}
	rsp.Desired.Resources[name] = &fnv1.Resource{Resource: s, Ready: readiness(ready)}
	return nil
}

// SetStatus desires the status of the composite. The composite is ready where ready
// is true, whatever it composes.
func SetStatus(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse, status any, ready bool) error {
	s, err := encode(status)
	if err != nil {
		return fmt.Errorf("cannot set status: %w", err)
	}
	observed := req.GetObserved().GetComposite().GetResource().GetFields()
	xr := rsp.GetDesired().GetComposite().GetResource()
	if xr.GetFields() == nil {
		xr = &structpb.Struct{Fields: map[string]*structpb.Value{}}
	}
	xr.Fields["apiVersion"] = structpb.NewStringValue(observed["apiVersion"].GetStringValue())
	xr.Fields["kind"] = structpb.NewStringValue(observed["kind"].GetStringValue())
	xr.Fields["status"] = structpb.NewStructValue(s)

	if rsp.GetDesired() == nil {
		rsp.Desired = &fnv1.State{}
	}
	rsp.Desired.Composite = &fnv1.Resource{Resource: xr, Ready: readiness(ready)}
	return nil
}

func readiness(ready bool) fnv1.Ready {
	if ready {
		return fnv1.Ready_READY_TRUE
	}
	return fnv1.Ready_READY_FALSE
}

func encode(v any) (*structpb.Struct, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	s := &structpb.Struct{}
	return s, s.UnmarshalJSON(b)
}

// oneLine makes a message fit for a column: no line breaks or other control
// characters, and not too long.
func oneLine(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
	if len(s) <= maxMessageBytes {
		return s
	}
	cut := maxMessageBytes - len("…")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
