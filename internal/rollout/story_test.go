package rollout

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A tale is one of the stories that are told as prose.
type tale struct {
	reason string
	play   func(s *story)
}

// canaryThenRest is a strategy with one canary of each region.
func canaryThenRest(o ...func(*v1alpha1.RolloutStrategy)) v1alpha1.RolloutStrategy {
	s := v1alpha1.RolloutStrategy{
		MaxConcurrent: number(2),
		Waves:         []v1alpha1.Wave{{Name: "canary", Canary: ptr.To(int32(1))}, {Name: "rest"}},
	}
	for _, fn := range o {
		fn(&s)
	}
	return s
}

func minutes(n int) *metav1.Duration {
	return &metav1.Duration{Duration: time.Duration(n) * time.Minute}
}

func (s *story) approve(gate, by string) {
	c := s.control()
	c.Approvals = append(c.Approvals, v1alpha1.Approval{Gate: gate, Digest: s.w.status.Digest, By: by})
}

func (s *story) control() *v1alpha1.RolloutControl {
	if s.w.spec.Control == nil {
		s.w.spec.Control = &v1alpha1.RolloutControl{}
	}
	return s.w.spec.Control
}

// tales of waves, gates, failures and workflows.
func tales() map[string]tale {
	return map[string]tale{
		"canary-soak-gate-finish": {
			reason: "One canary in each region goes first, soaks for three minutes, and a metric decides whether the others follow.",
			play: func(s *story) {
				w := s.world(canaryThenRest(func(st *v1alpha1.RolloutStrategy) {
					st.Waves[0].Soak = minutes(3)
					st.Waves[0].Gates = []v1alpha1.Gate{{Name: "errors", Prometheus: &v1alpha1.PrometheusGate{URL: "http://metrics", Query: "errors", Condition: "value < 0.01"}}}
				}))
				w.join("eu-1", "eu-2", "us-1", "us-2", "us-3")
				s.turns(5)
				s.tell("The metric server is down.")
				w.answers["gate/canary/errors"] = Answer{Message: "connection refused"}
				s.turns(2)
				s.tell("It is up, and all is well.")
				w.answers["gate/canary/errors"] = Answer{Yes: true, Message: "value is 0.001"}
				s.untilDone()
				s.tell("The next revision takes the same road.")
				w.want("shop.2", true)
				s.turns(2)
			},
		},
		"budget-spent-halts": {
			reason: "A revision that breaks its canary gets no further, and goes on once it is retried.",
			play: func(s *story) {
				w := s.world(canaryThenRest(func(st *v1alpha1.RolloutStrategy) { st.FailureBudget = number(0) }))
				w.join("eu-1", "eu-2", "eu-3")
				s.quietlyUntilDone()
				s.tell("All runs shop.1. Now shop.2, which breaks what it touches.")
				w.bad["shop.2"] = true
				w.want("shop.2", true)
				s.turns(4)
				s.tell("What it needed is there now, and somebody asks for another try.")
				w.bad["shop.2"] = false
				s.control().Retry = 1
				s.untilDone()
			},
		},
		"rollback-all": {
			reason: "Clusters that fail only under load take all others back, the last wave first, one at a time.",
			play: func(s *story) {
				w := s.world(canaryThenRest(func(st *v1alpha1.RolloutStrategy) {
					st.FailureBudget = number(1)
					st.OnFailure = v1alpha1.FailureRollbackAll
					st.Rollback = &v1alpha1.RollbackStrategy{MaxConcurrent: number(1)}
				}))
				w.join("eu-1", "eu-2", "eu-3", "us-1")
				s.quietlyUntilDone()
				s.tell("All runs shop.1. Now shop.2, which is fine on the canaries.")
				w.want("shop.2", true)
				s.turns(3)
				s.tell("But not on the others.")
				w.broken[reference("eu-2")], w.broken[reference("eu-3")] = true, true
				w.turnAll()
				s.turns(2)
				s.tell("With shop.1 they are fine.")
				clear(w.broken)
				s.turns(10)
				s.tell("A cluster that joins now gets nothing. A new revision goes everywhere.")
				w.join("eu-4")
				s.turns(1)
				w.want("shop.3", true)
				s.untilDone()
			},
		},
		"rollback-wave": {
			reason: "Only the wave that failed goes back. What was reached before stays ahead.",
			play: func(s *story) {
				w := s.world(canaryThenRest(func(st *v1alpha1.RolloutStrategy) {
					st.FailureBudget = number(0)
					st.OnFailure = v1alpha1.FailureRollbackWave
				}))
				w.join("eu-1", "eu-2", "eu-3")
				s.quietlyUntilDone()
				w.want("shop.2", true)
				w.broken[reference("eu-2")] = true
				s.turns(7)
				clear(w.broken)
				s.turns(3)
			},
		},
		"nothing-to-go-back-to": {
			reason: "A first revision that fails halts, whatever it was told: there is nothing to go back to.",
			play: func(s *story) {
				w := s.world(canaryThenRest(func(st *v1alpha1.RolloutStrategy) {
					st.FailureBudget = number(0)
					st.OnFailure = v1alpha1.FailureRollbackAll
				}))
				w.join("eu-1", "eu-2")
				w.bad["shop.1"] = true
				s.turns(3)
			},
		},
		"told-to-go-back": {
			reason: "A revision that was reached, and turns out to be wrong, goes back to the one before it because somebody says so.",
			play: func(s *story) {
				w := s.world(canaryThenRest())
				w.join("eu-1", "eu-2", "eu-3")
				s.quietlyUntilDone()
				w.want("shop.2", true)
				s.quietlyUntilDone()
				s.tell("All runs shop.2, and somebody asks to go back.")
				s.control().Rollback = w.status.Digest
				s.turns(6)
			},
		},
		"freeze": {
			reason: "In a freeze nothing is started, and what failed goes back nonetheless.",
			play: func(s *story) {
				w := s.world(canaryThenRest(func(st *v1alpha1.RolloutStrategy) {
					st.FailureBudget = number(0)
					st.OnFailure = v1alpha1.FailureRollbackAll
				}))
				w.join("eu-1", "eu-2", "eu-3")
				s.quietlyUntilDone()
				w.want("shop.2", true)
				s.turns(1)
				s.tell("A freeze begins, for two minutes. eu-1 is in motion and finishes.")
				w.spec.Strategy.Freezes = []v1alpha1.Freeze{{
					Name: "launch", From: &metav1.Time{Time: w.now}, Until: &metav1.Time{Time: w.now.Add(2*time.Minute + time.Second)},
				}}
				s.turns(4)
				s.tell("Another begins. shop.2 turns out to be bad.")
				w.bad["shop.2"] = true
				w.spec.Strategy.Freezes = []v1alpha1.Freeze{{
					Name: "holidays", From: &metav1.Time{Time: w.now}, Until: &metav1.Time{Time: w.now.Add(time.Hour)},
				}}
				s.turns(5)
			},
		},
		"approval": {
			reason: "Two people approve the canary. What they say counts once each, and for this revision only.",
			play: func(s *story) {
				w := s.world(canaryThenRest(func(st *v1alpha1.RolloutStrategy) {
					st.Waves[1].Gates = []v1alpha1.Gate{{Name: "go", When: v1alpha1.GateBefore, Approval: &v1alpha1.ApprovalGate{Count: 2}}}
				}))
				w.join("eu-1", "eu-2")
				s.turns(4)
				s.tell("Ann approves, twice, and somebody approves another revision.")
				s.approve("rest/go", "ann")
				s.approve("rest/go", "ann")
				s.control().Approvals = append(s.control().Approvals, v1alpha1.Approval{Gate: "rest/go", Digest: "other", By: "bob"})
				s.turns(1)
				s.tell("Bob approves this one.")
				s.approve("rest/go", "bob")
				s.untilDone()
			},
		},
		"gate-times-out": {
			reason: "A gate that stays closed for too long fails the revision.",
			play: func(s *story) {
				w := s.world(canaryThenRest(func(st *v1alpha1.RolloutStrategy) {
					st.Waves[0].Gates = []v1alpha1.Gate{{Name: "parts", Timeout: minutes(2), CEL: &v1alpha1.CELGate{Expression: `wave.components["web"].healthy > 1`}}}
				}))
				w.join("eu-1", "eu-2")
				s.turns(6)
			},
		},
		"canary-comes-and-goes": {
			reason: "A cluster that joins does not push a canary out of its wave, and an unreachable one holds nobody up.",
			play: func(s *story) {
				w := s.world(canaryThenRest(func(st *v1alpha1.RolloutStrategy) { st.Waves[0].Soak = minutes(2) }))
				w.join("eu-2", "eu-3", "us-2")
				s.turns(2)
				s.tell("eu-1 and us-1 join, us-2 is gone, eu-3 does not answer.")
				w.join("eu-1", "us-1")
				w.clusters[reference("us-2")] = ClusterDeleting
				w.clusters[reference("eu-3")] = ClusterNotReady
				s.turns(9)
				s.tell("eu-3 is back.")
				w.clusters[reference("eu-3")] = ClusterReady
				s.untilDone()
			},
		},
		"shrinks": {
			reason: "More clusters than maxDeletions are left only where somebody says so for this revision, and only once the others have what is wanted.",
			play: func(s *story) {
				w := s.world(canaryThenRest(func(st *v1alpha1.RolloutStrategy) { st.MaxDeletions = percent("25%") }))
				w.join("eu-1", "eu-2", "us-1", "us-2")
				s.quietlyUntilDone()
				s.tell("The placement loses both of us, and gains ap-1.")
				delete(w.targets, "us-1")
				delete(w.targets, "us-2")
				w.join("ap-1")
				w.spec.Placement.Topologies = []v1alpha1.Topology{{Name: "eu"}, {Name: "ap"}}
				s.turns(4)
				s.tell("It is meant.")
				s.control().AllowDeletions = w.status.Digest
				s.untilDone()
			},
		},
		"preflight": {
			reason: "Nothing starts anywhere before all clusters were checked, and while one of them would fail.",
			play: func(s *story) {
				w := s.world(canaryThenRest())
				w.join("eu-1", "eu-2")
				w.checks = &Checks{}
				s.turns(1)
				w.checks = &Checks{Clusters: map[v1alpha1.ClusterReference]CheckState{reference("eu-1"): Clean, reference("eu-2"): Blocking}, Status: &v1alpha1.PreflightStatus{
					Checked: 2, Blocking: 1, Findings: []v1alpha1.Finding{{Cause: "C2", Severity: v1alpha1.Blocking, Object: "Deployment/web", Message: `ConfigMap "web" has no key "port"`, Clusters: 1}},
				}}
				s.turns(2)
				s.tell("The key is added.")
				w.checks = &Checks{Clusters: map[v1alpha1.ClusterReference]CheckState{reference("eu-1"): Clean, reference("eu-2"): Clean}}
				s.untilDone()
			},
		},
		"workflow": {
			reason: "Europe first; then a notice, a day of waiting that somebody ends, another application; then America.",
			play: func(s *story) {
				w := s.world(v1alpha1.RolloutStrategy{MaxConcurrent: number(5)})
				w.join("eu-1", "us-1")
				w.spec.Steps = []v1alpha1.RolloutStep{
					{Name: "europe", Type: v1alpha1.StepDeploy, Topologies: []string{"eu"}},
					{Name: "tell", Type: v1alpha1.StepNotify, DependsOn: []string{"europe"}, Webhook: &v1alpha1.WebhookGate{URL: "http://chat"}, Message: "Europe is done."},
					{Name: "look", Type: v1alpha1.StepSuspend, DependsOn: []string{"tell"}, Duration: minutes(24 * 60)},
					{Name: "database", Type: v1alpha1.StepDependsOnApp, DependsOn: []string{"look"}, Application: &v1alpha1.ApplicationReference{Name: "db"}},
					{Name: "america", Type: v1alpha1.StepDeploy, DependsOn: []string{"database"}, Topologies: []string{"us"}, Approval: true},
					{Name: "alarm", Type: v1alpha1.StepNotify, DependsOn: []string{"america"}, If: "status.america.failed", Webhook: &v1alpha1.WebhookGate{URL: "http://chat"}},
				}
				w.answers["step/tell"] = Answer{Message: "the chat answers 503"}
				w.answers["step/database"] = Answer{Message: "it is Progressing"}
				s.turns(3)
				s.tell("The chat is back.")
				w.answers["step/tell"] = Answer{Yes: true}
				s.turns(1)
				s.tell("Somebody has seen enough.")
				s.approve("look", "ann")
				s.turns(1)
				s.tell("The database is reached.")
				w.answers["step/database"] = Answer{Yes: true}
				s.turns(1)
				s.tell("America may begin.")
				s.approve("america", "ann")
				s.untilDone()
			},
		},
		"workflow-fails": {
			reason: "A step that takes too long fails the revision. Who asked for it is told, and nothing else runs.",
			play: func(s *story) {
				w := s.world(v1alpha1.RolloutStrategy{})
				w.join("eu-1", "us-1")
				w.spec.Steps = []v1alpha1.RolloutStep{
					{Name: "database", Type: v1alpha1.StepDependsOnApp, Timeout: minutes(2), Application: &v1alpha1.ApplicationReference{Name: "db"}},
					{Name: "all", Type: v1alpha1.StepDeploy, DependsOn: []string{"database"}},
					{Name: "alarm", Type: v1alpha1.StepNotify, DependsOn: []string{"database"}, If: "status.database.failed", Webhook: &v1alpha1.WebhookGate{URL: "http://chat"}, Message: "no database"},
				}
				w.answers["step/database"] = Answer{Message: "there is no such application"}
				s.turns(3)
				w.answers["step/alarm"] = Answer{Yes: true}
				s.turns(1)
				s.tell("The database is there, and somebody asks for another try.")
				w.answers["step/database"] = Answer{Yes: true}
				s.control().Retry = 1
				s.untilDone()
			},
		},
		"held-back": {
			reason: "A claim that was edited by hand rolls out nowhere, a cluster that joins included, until an approved change carries it. What is in motion finishes.",
			play: func(s *story) {
				w := s.world(canaryThenRest(func(st *v1alpha1.RolloutStrategy) { st.Waves[0].Soak = minutes(2) }))
				w.join("eu-1", "eu-2", "eu-3")
				s.quietlyUntilDone()
				s.tell("A change brings shop.2.")
				w.want("shop.2", true)
				s.turns(1)
				s.tell("Before the canary has soaked somebody edits the claim: shop.3, placed on eu-1 and on eu-4, which is new.")
				edited := &v1alpha1.RolloutHold{Message: "held back: the claim was edited since change ops/claims-41"}
				w.hold = edited
				w.want("shop.3", true)
				delete(w.targets, "eu-2")
				delete(w.targets, "eu-3")
				w.join("eu-4")
				s.turns(4)
				s.tell("It is put back: shop.2 goes on where it was.")
				w.hold = nil
				w.want("shop.2", true)
				w.join("eu-2", "eu-3")
				delete(w.targets, "eu-4")
				s.untilDone()
				s.tell("It is edited again, and the change that carries it is approved.")
				w.hold = edited
				w.want("shop.3", true)
				s.turns(2)
				w.hold = nil
				s.untilDone()
			},
		},
		"held-back-while-going-back": {
			reason: "A rollback that is under way is not held back by an edit of the claim, and neither is the failure that leads to one.",
			play: func(s *story) {
				w := s.world(canaryThenRest(func(st *v1alpha1.RolloutStrategy) {
					st.FailureBudget = number(0)
					st.OnFailure = v1alpha1.FailureRollbackAll
				}))
				w.join("eu-1", "eu-2")
				s.quietlyUntilDone()
				w.bad["shop.2"] = true
				w.want("shop.2", true)
				s.turns(1)
				s.tell("shop.2 is on the canary, and bad. Somebody edits the claim to shop.3.")
				w.hold = &v1alpha1.RolloutHold{Message: "held back: the claim was edited since change ops/claims-41"}
				w.want("shop.3", true)
				s.turns(5)
			},
		},
		"clock-jumps": {
			reason: "A clock that goes back has a soak begin anew. One that jumps ahead starts nothing that is unhealthy.",
			play: func(s *story) {
				w := s.world(canaryThenRest(func(st *v1alpha1.RolloutStrategy) { st.Waves[0].Soak = minutes(5) }))
				w.join("eu-1", "eu-2", "eu-3")
				s.turns(4)
				s.tell("The clock goes back by an hour.")
				w.now = w.now.Add(-time.Hour)
				s.turns(2)
				s.tell("The canary falls ill, and the clock jumps ahead by a day.")
				w.broken[reference("eu-1")] = true
				w.turnAll()
				w.now = w.now.Add(24 * time.Hour)
				s.turns(2)
				s.tell("The canary is well again, and soaks from the beginning.")
				clear(w.broken)
				s.turns(2)
			},
		},
		"aborted": {
			reason: "What is aborted finishes what is in motion and starts nothing, until the word is taken back.",
			play: func(s *story) {
				w := s.world(canaryThenRest())
				w.join("eu-1", "eu-2", "eu-3")
				s.turns(1)
				s.control().Abort = w.status.Digest
				s.turns(3)
				s.control().Abort = ""
				s.untilDone()
			},
		},
	}
}
