// Package change decides how a merge request becomes true. Next looks at the merge
// request, at Git, at the queue and at what is observed on the hub, and says what to ask
// and what to write now. It keeps no memory but the status that it returned last: called
// again, also after a crash, it decides from what it sees.
//
// The rules:
//
//   - A plan, an approval, a command and a merge are of one head and one plan digest. To
//     another head or digest they mean nothing.
//   - A plan is made without locks, to be approved, and again under them. Nothing is written
//     unless both have the same digest.
//   - Nothing is written for a change without its locks and the epoch in which they were
//     given. An epoch that is not the one on record stops everything.
//   - A claim is written in its step: when all claims of the step before are reached.
//   - It is merged when every target is observed as wanted, for as long as the soak takes,
//     with the head that was executed, onto a base that says of its claims what was planned.
//   - What cannot be known counts against beginning and merging, and never against going on
//     with what has begun.
//   - Locks are left whenever nothing of the change is under way any more.
//   - A change that began ends merged or back. In between it may halt, and says what has to be
//     said to it.
//
// Whatever later decisions build on is persisted before anything is written that rests on
// it: see Decision.PersistFirst. All writes may be made twice.
//
// Time: the plan's moment on the merge request is by the forge's clock, because approvals
// are. Everything else is by the clock that is handed in. One that goes back makes soaks
// begin anew.
//
// Deliberately absent: clients and clocks; what a plan consists of (internal/plan); how
// clusters are moved (internal/rollout); who has which locks (internal/change/lock).
package change
