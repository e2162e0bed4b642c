// Package lock decides which change has which locks, and who waits for whom.
//
// A lock is on a claim on some clusters, or on all of them. Who has what is one table, so
// that all locks of a change are given at once or none are, and whoever writes the table
// first is right. The rules:
//
//   - Two changes never have locks that overlap.
//   - A change draws one ticket and keeps it until it leaves. Lower tickets are served
//     first, urgent changes before all. Whoever waits blocks later ones that
//     overlap with it, and nobody else: disjoint changes pass.
//   - Every time that locks are given the epoch goes up, and the change that they are given
//     to carries it from then on. It never goes back. A change draws another one whenever it
//     turns to something else: what it meant to do before is then refused.
//   - A change that has locks and wants more waits for the difference. It writes
//     nothing meanwhile, and an older one that needs what it has takes it. Therefore
//     nobody waits in a circle: everybody waits for somebody older, or for somebody who
//     waits for nobody.
//   - An idle change, which halted or waits for people, loses its locks to an urgent one
//     only.
//   - No more than a group's limit have locks at once. Urgent ones do not count themselves.
//
// Keys that would be many are widened: past 200 clusters to all clusters of a claim, past
// 64 keys to all claims of a namespace. Wider is safe, only slower.
//
// Deliberately absent: the object that the table is in, and expiry. A lock is held until
// its change leaves, however long its executor was down.
package lock
