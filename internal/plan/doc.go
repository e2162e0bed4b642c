// Package plan says what a change is going to do, before it does anything.
//
// Two sides are compared: what claims ask for before, and after. Both are what the
// composition functions made of them. Each cluster is compared with what it is observed to
// run, where that is known, and not with what Git says that it runs.
//
// A plan is factored: an action is written once for all clusters on which it is the same,
// and clusters are named once, in groups. So the plan for a thousand clusters is about as
// long as that for three. Where it is too long nonetheless, details are left out and counted;
// their digests stay.
//
// The digest of a plan is over what it does: target, actions, order and clusters. It is not over
// commits, titles, times and prose: a head that says the same has the same plan, and one
// approval stays good for it.
//
// Invariants: what is secret is in no plan, neither whole nor in part, as a length or as a
// digest of its own. A claim that cannot be rendered blocks the plan; it never counts as
// one that asks for nothing. What is not known is counted as unknown, and raises the risk.
//
// Deliberately absent: clients, clocks, who has to approve, and doing any of it. Nothing
// here looks at clusters: what the preflight found is handed in.
package plan
