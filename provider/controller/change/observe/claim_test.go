package observe

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	xr "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
)

var (
	app   = v1alpha1.ClaimReference{APIVersion: "mainstay.dev/v1alpha1", Kind: xr.ProductApplicationKind, Namespace: "shop", Name: "web"}
	fleet = v1alpha1.ClaimReference{APIVersion: "mainstay.dev/v1alpha1", Kind: xr.ClusterFleetKind, Namespace: "shop", Name: "prod"}
)

const us = "shop/claims-7"

// says is a claim, or a composite, that says so.
func says(what string, edit ...func(*unstructured.Unstructured)) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"says": what, "resourceRef": map[string]any{"name": "x"}}}}
	for _, e := range edit {
		e(u)
	}
	return u
}

func digest(t *testing.T, ref v1alpha1.ClaimReference, what string) string {
	t.Helper()
	d, err := grant.Digest(ref.Kind, ref.Namespace, ref.Name, map[string]any{"says": what})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func stamped(by string) func(*unstructured.Unstructured) {
	return func(u *unstructured.Unstructured) { u.SetAnnotations(map[string]string{v1alpha1.AnnotationChange: by}) }
}

// conditioned composites have the condition Reached, of a generation.
func conditioned(reason, message string, generation, observed int64) func(*unstructured.Unstructured) {
	return func(u *unstructured.Unstructured) {
		u.SetGeneration(generation)
		u.Object["status"] = map[string]any{
			"clusters":   map[string]any{"total": int64(3), "ready": int64(2)},
			"conditions": []any{map[string]any{"type": "Reached", "reason": reason, "message": message, "observedGeneration": observed}},
		}
	}
}

func rollout(claimDigest string, edit ...func(*v1alpha1.Rollout)) *v1alpha1.Rollout {
	ro := &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
	ro.Spec.ForProvider.ClaimDigest = claimDigest
	ro.Status.AtProvider = v1alpha1.RolloutObservation{
		Phase: v1alpha1.RolloutCompleted, Digest: "rev", Began: 4, Message: "all there",
		Clusters: v1alpha1.RolloutCount{Total: 5, Updated: 4, Ready: 4, Parked: 1},
	}
	ro.SetConditions(xpv2.ReconcileSuccess().WithObservedGeneration(2))
	for _, e := range edit {
		e(ro)
	}
	return ro
}

func TestClaimOf(t *testing.T) {
	appV2, fleetV2 := digest(t, app, "v2"), digest(t, fleet, "v2")
	granted := func(epoch int64, by, before string) *v1alpha1.ClaimGrant {
		return &v1alpha1.ClaimGrant{Spec: v1alpha1.ClaimGrantSpec{Change: by, Epoch: epoch, Before: before}}
	}
	cases := map[string]struct {
		reason string
		ref    v1alpha1.ClaimReference
		mode   v1alpha1.DeliveryMode
		seen   seen
		plan   *plannedClaim
		want   change.Claim
	}{
		"Nothing": {reason: "What is not there holds nothing back.", ref: app, want: change.Claim{Sealed: true}},
		"Written": {
			reason: "We wrote it, and nothing has come of it yet.", ref: app,
			seen: seen{claim: says("v2", stamped(us+".6")), grant: granted(6, us, "b")},
			want: change.Claim{Exists: true, Digest: appV2, Ours: true, Epoch: 6, Granted: 6, GrantedUs: true},
		},
		"Others": {
			reason: "Another change wrote it later.", ref: app,
			seen: seen{claim: says("v2", stamped("shop/claims-8.7")), grant: granted(7, "shop/claims-8", "")},
			want: change.Claim{Exists: true, Digest: appV2, Epoch: 7, Granted: 7, Sealed: true},
		},
		"Branch": {
			reason: "Where an engine writes the claim, the grant has the epoch.", ref: app, mode: v1alpha1.DeliverBranch,
			seen: seen{claim: says("v2"), grant: granted(6, us, "b")},
			want: change.Claim{Exists: true, Digest: appV2, Ours: true, Epoch: 6, Granted: 6, GrantedUs: true},
		},
		"Reached": {
			reason: "Its Rollout has it everywhere, but for one that cannot be reached.", ref: app,
			seen: seen{claim: says("v2"), rollout: rollout(appV2)},
			want: change.Claim{Exists: true, Digest: appV2, Sealed: true, TakenIn: true, Phase: v1alpha1.RolloutCompleted, Clusters: 5, Reached: 4, Owed: 1, Message: "all there"},
		},
		"NotTakenIn": {
			reason: "A Rollout of what it said before says nothing of what it says now.", ref: app,
			seen: seen{claim: says("v2"), rollout: rollout(digest(t, app, "v1"))},
			want: change.Claim{Exists: true, Digest: appV2, Sealed: true, Phase: v1alpha1.RolloutCompleted, Clusters: 5, Reached: 4, Owed: 1, Message: "all there"},
		},
		"Behind": {
			reason: "A Rollout that was told something since is not completed because it was.", ref: app,
			seen: seen{claim: says("v2"), rollout: rollout(appV2, func(ro *v1alpha1.Rollout) { ro.Generation = 3 })},
			want: change.Claim{
				Exists: true, Digest: appV2, Sealed: true, TakenIn: true, Phase: v1alpha1.RolloutProgressing, Clusters: 5, Owed: 1,
				Message: "its Rollout has not looked yet at what it is told now",
			},
		},
		"Told": {
			reason: "What it was told is seen.", ref: app,
			seen: seen{claim: says("v2"), rollout: rollout(appV2, func(ro *v1alpha1.Rollout) {
				ro.Spec.ForProvider.Control = &v1alpha1.RolloutControl{Paused: true, AllowDeletions: "rev"}
				ro.Status.AtProvider.Retried, ro.Status.AtProvider.Phase = 6001, v1alpha1.RolloutPaused
			})},
			want: change.Claim{
				Exists: true, Digest: appV2, Sealed: true, TakenIn: true, Phase: v1alpha1.RolloutPaused, Paused: true, Allowed: true, Retried: 6001,
				Clusters: 5, Reached: 4, Owed: 1, Message: "all there",
			},
		},
		"Refused": {
			reason: "What Crossplane was told to refuse has failed, and no retry helps.", ref: app,
			seen: seen{claim: says("v2"), composite: says("v2", conditioned(xr.ReasonInvalidSpec, "spec.x is wrong", 3, 3)), rollout: rollout(digest(t, app, "v1"))},
			want: change.Claim{
				Exists: true, Digest: appV2, Sealed: true, TakenIn: true, Phase: v1alpha1.RolloutHalted, Retried: math.MaxInt64, Clusters: 5, Owed: 1, Message: "it is refused: spec.x is wrong",
			},
		},
		"RefusedBefore": {
			reason: "That an older generation was refused says nothing.", ref: app,
			seen: seen{claim: says("v2"), composite: says("v2", conditioned(xr.ReasonInvalidSpec, "spec.x is wrong", 4, 3))},
			want: change.Claim{Exists: true, Digest: appV2, Sealed: true},
		},
		"Fleet": {
			reason: "A fleet without a Rollout is as far as it says.", ref: fleet,
			seen: seen{claim: says("v2"), composite: says("v2", conditioned(xr.ReasonProgressing, "2 of 3", 3, 3))},
			want: change.Claim{Exists: true, Digest: fleetV2, Sealed: true, TakenIn: true, Phase: v1alpha1.RolloutProgressing, Retried: math.MaxInt64, Clusters: 3, Reached: 2, Message: "2 of 3"},
		},
		"FleetHalted": {
			reason: "One whose Rollout halted halted.", ref: fleet,
			seen: seen{claim: says("v2"), composite: says("v2", conditioned(xr.ReasonProgressing, "2 of 3", 3, 3)), rollout: rollout(fleetV2, func(ro *v1alpha1.Rollout) {
				ro.Status.AtProvider.Phase, ro.Status.AtProvider.Message = v1alpha1.RolloutHalted, "eu-1 failed"
			})},
			want: change.Claim{Exists: true, Digest: fleetV2, Sealed: true, TakenIn: true, Phase: v1alpha1.RolloutHalted, Clusters: 3, Reached: 2, Owed: 1, Message: "eu-1 failed"},
		},
		"FleetNotAll": {
			reason: "One whose Rollout is through may still make clusters.", ref: fleet,
			seen: seen{claim: says("v2"), composite: says("v2", conditioned(xr.ReasonProgressing, "2 of 3", 3, 3)), rollout: rollout(fleetV2)},
			want: change.Claim{Exists: true, Digest: fleetV2, Sealed: true, TakenIn: true, Phase: v1alpha1.RolloutProgressing, Clusters: 3, Reached: 2, Owed: 1, Message: "2 of 3"},
		},
		"FleetBehind": {
			reason: "A composite that says something else has not taken it in.", ref: fleet,
			seen: seen{claim: says("v2"), composite: says("v1", conditioned(xr.ReasonReached, "3 of 3", 3, 3))},
			want: change.Claim{Exists: true, Digest: fleetV2, Sealed: true, Message: "3 of 3"},
		},
		"Going": {
			reason: "A claim that is being deleted is still there.", ref: app,
			seen: seen{claim: says("v2", func(u *unstructured.Unstructured) { u.SetDeletionTimestamp(&metav1.Time{Time: at}) })},
			want: change.Claim{Exists: true, Digest: appV2, Sealed: true, Message: "is being deleted"},
		},
		"Strangers": {
			reason: "Clusters that move, are not planned, and were there before are strangers.", ref: app,
			seen: seen{claim: says("v2"), removes: 2, releases: []v1alpha1.Release{
				release("p.planned", 5, at.Add(-time.Hour)), release("p.stays", 3, at.Add(-time.Hour)),
				release("p.stranger", 4, at.Add(-time.Hour)), release("p.joined", 5, at.Add(time.Hour)),
			}, rollout: rollout(appV2)},
			plan: &plannedClaim{clusters: map[string]bool{"p.planned": true}, made: at},
			want: change.Claim{
				Exists: true, Digest: appV2, Sealed: true, TakenIn: true, Phase: v1alpha1.RolloutCompleted, Clusters: 5, Reached: 4, Owed: 1, Message: "all there",
				Removes: 2, Strangers: []string{"p.stranger"},
			},
		},
		"FleetStrangers": {
			reason: "So are clusters of a fleet that go, or take another shape. What was let in before the plan was made, or came since, is not.", ref: fleet,
			seen: seen{
				claim: says("v2"), composite: says("v2", conditioned(xr.ReasonProgressing, "2 of 3", 3, 3)), removes: 2,
				clusters: []v1alpha1.Cluster{
					cluster("p.planned", at.Add(-time.Hour), admittedAt(5, at.Add(time.Minute))), cluster("p.stays", at.Add(-time.Hour), admittedAt(4, at.Add(-time.Minute))),
					cluster("p.older", at.Add(-time.Hour), admittedAt(3, at.Add(time.Minute))), cluster("p.joined", at.Add(time.Hour), admittedAt(5, at.Add(time.Hour))),
					cluster("p.stranger", at.Add(-time.Hour), admittedAt(4, at.Add(time.Minute))), cluster("p.goes", at.Add(-time.Hour), deleted), cluster("p.gone", at.Add(-time.Hour), deleted),
				},
				rollout: rollout(fleetV2),
			},
			plan: &plannedClaim{clusters: map[string]bool{"p.planned": true, "p.gone": true}, made: at},
			want: change.Claim{
				Exists: true, Digest: fleetV2, Sealed: true, TakenIn: true, Phase: v1alpha1.RolloutProgressing, Clusters: 3, Reached: 2, Owed: 1, Message: "2 of 3",
				Removes: 2, Strangers: []string{"p.goes", "p.stranger"},
			},
		},
		"FleetWithoutRollout": {
			reason: "Without a Rollout clusters can still go.", ref: fleet,
			seen: seen{
				claim: says("v2"), composite: says("v2", conditioned(xr.ReasonProgressing, "2 of 3", 3, 3)), removes: 1,
				clusters: []v1alpha1.Cluster{cluster("p.stays", at.Add(-time.Hour)), cluster("p.goes", at.Add(-time.Hour), deleted)},
			},
			plan: &plannedClaim{made: at},
			want: change.Claim{
				Exists: true, Digest: fleetV2, Sealed: true, TakenIn: true, Phase: v1alpha1.RolloutProgressing, Retried: math.MaxInt64, Clusters: 3, Reached: 2, Message: "2 of 3",
				Removes: 1, Strangers: []string{"p.goes"},
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := claimOf(tc.ref, us, tc.mode, tc.seen, tc.plan)
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("\n%s\nerror %v, -want, +got:\n%s", tc.reason, err, diff)
			}
		})
	}
}

func release(cluster string, epoch int64, made time.Time) v1alpha1.Release {
	r := v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(made)}}
	r.Spec.ForProvider.ClusterRef.Name, r.Spec.ForProvider.Epoch = cluster, epoch
	return r
}

func cluster(name string, made time.Time, edit ...func(*v1alpha1.Cluster)) v1alpha1.Cluster {
	c := v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(made)}}
	for _, e := range edit {
		e(&c)
	}
	return c
}

func admittedAt(epoch int64, when time.Time) func(*v1alpha1.Cluster) {
	return func(c *v1alpha1.Cluster) {
		c.Spec.ForProvider.Admitted = &v1alpha1.AdmittedShape{Shape: "s", Epoch: epoch, At: metav1.NewTime(when)}
	}
}

func deleted(c *v1alpha1.Cluster) { c.SetDeletionTimestamp(&metav1.Time{Time: at}) }

func TestStamp(t *testing.T) {
	cases := map[string]struct {
		reason, says string
		ours         bool
		epoch        int64
	}{
		"Ours":   {reason: "We wrote it.", says: us + ".6", ours: true, epoch: 6},
		"Dotted": {reason: "Repositories may have dots in their names.", says: "shop/my.claims-7.6", epoch: 6},
		"Empty":  {reason: "Nobody did.", says: ""},
		"Odd":    {reason: "What is no epoch is none.", says: us + ".six"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if ours, epoch := stamp(tc.says, us); ours != tc.ours || epoch != tc.epoch {
				t.Errorf("\n%s\ngot %t, %d", tc.reason, ours, epoch)
			}
		})
	}
}

func TestTroubled(t *testing.T) {
	s := v1alpha1.ChangeObservation{Epoch: 6, Retried: 2}
	cases := map[string]struct {
		reason  string
		claim   change.Claim
		trouble trouble
		want    change.Claim
	}{
		"None":    {reason: "Nothing is wrong.", claim: change.Claim{Exists: true}, want: change.Claim{Exists: true}},
		"Edited":  {reason: "It is as one that was edited in this epoch.", claim: change.Claim{Exists: true, Digest: "x"}, trouble: trouble{message: "edited", epoch: 6, digest: "y", edited: true}, want: change.Claim{Exists: true, Digest: "x", Ours: true, Epoch: 6, Message: "edited"}},
		"Refused": {reason: "The API server made something else of it.", claim: change.Claim{Digest: "x"}, trouble: trouble{message: "no", epoch: 6, digest: "y", refused: true, retried: 2}, want: change.Claim{Digest: "x", Refused: "no", RefusedAt: 2, Message: "no"}},
		"Over":    {reason: "It says by now what it should.", claim: change.Claim{Digest: "y"}, trouble: trouble{message: "no", epoch: 6, digest: "y", refused: true}, want: change.Claim{Digest: "y"}},
		"Older":   {reason: "That was another plan's.", claim: change.Claim{Digest: "x"}, trouble: trouble{message: "no", epoch: 5, digest: "y", edited: true}, want: change.Claim{Digest: "x"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, troubled(tc.claim, tc.trouble, s)); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
