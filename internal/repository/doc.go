// Package repository decides what follows from a look at a repository on its forge: which
// Changes are to be made for its open merge requests, which are to be looked at because
// something happened to them, which ended ones may go, and what is to be said.
//
// The invariants:
//
//   - Each open merge request into the base branch has one Change, and a Change that has not
//     ended is never removed.
//   - What the forge did not say is not concluded from: where the list could not be read
//     nothing is made, removed, or taken for closed.
//   - What was known last is kept while the forge is away, and it is said since when it is.
//   - A Repository goes when none of its Changes is under way, or when somebody said that it may.
//
// Deliberately absent: what becomes of a merge request (internal/change), forges and clocks.
package repository
