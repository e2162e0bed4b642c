// Package repo keeps open what the provider has of a Repository: its forge, its mirror
// and what the last look at it found. The controllers of Repositories and of Changes
// share it, so that there is one rate limit, one mirror and one token of each.
//
// The invariants:
//
//   - A Repository reaches Secrets of its own namespace only, and what is opened is of
//     one uid: one that was deleted and made again begins anew.
//   - A token that was replaced is used within secretsFresh, without a restart. Nothing
//     that was known is lost with the old one but its rate limit and its user.
//   - A wake is a hint. It may be lost or come twice, and it never waits for anybody.
//
// Deliberately absent: deciding anything (internal/repository, internal/change), and
// webhooks (package hooks).
package repo
