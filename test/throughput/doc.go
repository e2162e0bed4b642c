// Package throughput has many merge requests flow through a real Gitea, real Crossplane and
// the provider, to simulated clusters. Merge requests are of different sizes, some touch what
// another open one touches, and some fail on their way. It measures how many an hour
// there are and where they spend their time, and it judges by what the clusters
// themselves have on record whether each was merged when it was true, and not before.
//
// Deliberately absent: code that is not a test, and any wish to be quick by asking for less
// than a team would: each merge request is committed, planned, approved by somebody else,
// executed, observed, soaked and merged.
package throughput
