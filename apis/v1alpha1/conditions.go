package v1alpha1

// ConditionReached says whether what a claim asks for is observed to be so
// everywhere. "Synced" only says that Crossplane applied what was composed. Its
// message is the claim's one-line message, also where the claim is refused.
const ConditionReached = "Reached"

// Reasons of ConditionReached. There are no others.
const (
	// ReasonReached: all is as wanted.
	ReasonReached = "Reached"
	// ReasonProgressing: on the way; the message says what is waited for.
	ReasonProgressing = "Progressing"
	// ReasonInvalidSpec: the claim is refused. Its message names the field. What
	// ran before goes on as it was.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonBlocked: it cannot go on without somebody's help, such as where no
	// cluster may be used. Its message says whose.
	ReasonBlocked = "Blocked"
	// ReasonDegraded: something that was reached is not so any more.
	ReasonDegraded = "Degraded"
)
