// Package changestest has a Change that tests look at and talk to.
package changestest

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// What the Change is about.
var (
	Digest = strings.Repeat("3f2a1b9c", 8)
	Other  = strings.Repeat("91bc2d3e", 8)
	Head   = strings.Repeat("a1b2c3d4", 5)
)

// Token of the plan, where it takes something away.
const Token = "0123456789ab"

// Now is when all happens.
var Now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Before now.
func Before(d time.Duration) metav1.Time { return metav1.NewTime(Now.Add(-d)) }

// Change that executes: one claim is there, the other is on its way.
func Change(change ...func(*v1alpha1.Change)) *v1alpha1.Change {
	c := &v1alpha1.Change{ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: "claims-41", CreationTimestamp: Before(time.Hour)}}
	c.Spec.ForProvider = v1alpha1.ChangeParameters{RepositoryRef: v1alpha1.RepositoryReference{Name: "claims"}, Number: 41}
	c.Status.AtProvider = v1alpha1.ChangeObservation{
		Message: "44 of 1001 clusters; step 2 of 2", Phase: v1alpha1.ChangeExecuting, Next: []string{"/halt", "/rollback", "/abandon"},
		Request: v1alpha1.ChangeRequest{Title: "Checkout 1.2", Author: "zoe", URL: "https://git.example.org/ops/claims/pulls/41", HeadSHA: Head},
		Plan: &v1alpha1.ChangePlan{
			Digest: Digest, Name: "claims-41-3f2a1b9c3f2a", HeadSHA: Head, Summary: "updates 2 claims on 1001 clusters",
			Risk: v1alpha1.RiskHigh, Reasons: []string{"more than 100 clusters", "pods restart"}, Clusters: 1001, Waves: 4,
		},
		Epoch: 7,
		Claims: []v1alpha1.ChangeClaim{
			claim("cache", 1, 1, v1alpha1.ClaimReached), claim("checkout", 1000, 43, v1alpha1.ClaimMoving),
		},
		Progress: v1alpha1.ChangeProgress{Claims: 2, ClaimsReached: 1, Clusters: 1001, Reached: 44, Owed: 2},
		Approvals: []v1alpha1.ChangeApproval{
			{ID: "1", By: "ann", HeadSHA: Head, Digest: Digest, Counts: true}, {ID: "2", By: "zoe", HeadSHA: Head, Message: "it is the author's own"},
		},
		Timeline: []v1alpha1.ChangeMoment{
			{Phase: v1alpha1.ChangePending, At: Before(time.Hour)}, {Phase: v1alpha1.ChangePlanned, At: Before(59 * time.Minute)},
			{Phase: v1alpha1.ChangeExecuting, At: Before(20 * time.Minute)},
		},
	}
	c.Status.AtProvider.Claims[1].Owed, c.Status.AtProvider.Claims[1].Message = 2, `wave "canary" soaks until 2026-03-01T12:04:00Z`
	for _, fn := range change {
		fn(c)
	}
	return c
}

func claim(name string, clusters, reached int32, phase v1alpha1.ChangeClaimPhase) v1alpha1.ChangeClaim {
	return v1alpha1.ChangeClaim{
		ClaimReference: v1alpha1.ClaimReference{APIVersion: "mainstay.dev/v1alpha1", Kind: "ProductApplication", Namespace: "shop", Name: name},
		Clusters:       clusters, Reached: reached, Phase: phase, Began: true,
	}
}

// Halted for a reason.
func Halted(reason v1alpha1.HaltReason, message string) func(*v1alpha1.Change) {
	return func(c *v1alpha1.Change) {
		at := &c.Status.AtProvider
		at.Phase, at.Message, at.Next = v1alpha1.ChangeHalted, "halted: "+message, []string{"/retry", "/rollback", "/abandon"}
		at.Halt = &v1alpha1.ChangeHalt{Reason: reason, Message: message, At: Before(5 * time.Minute)}
	}
}

// Planned is a Change that waits for somebody.
func Planned(c *v1alpha1.Change) {
	at := &c.Status.AtProvider
	at.Phase, at.Message, at.Missing = v1alpha1.ChangePlanned, "planned, and waits: one more approval is missing", "one more approval is missing"
	at.Plan.Token, at.Next = Token, []string{"/approve-deletions " + Token, "/abandon"}
	at.Progress = v1alpha1.ChangeProgress{Claims: 2, Clusters: 1001}
	for i := range at.Claims {
		at.Claims[i].Began, at.Claims[i].Reached, at.Claims[i].Owed, at.Claims[i].Phase, at.Claims[i].Message = false, 0, 0, "", ""
	}
	at.Claims[1].Removes = 3
}

// Said on the hub, and not heard yet.
func Said(commands ...v1alpha1.ChangeCommand) func(*v1alpha1.Change) {
	return func(c *v1alpha1.Change) { c.Spec.ForProvider.Control = &v1alpha1.ChangeControl{Commands: commands} }
}
