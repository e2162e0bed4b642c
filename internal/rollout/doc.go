// Package rollout decides how an application moves from what clusters have to what
// they should have. Next looks at everything at once and says what to start now. It
// keeps no memory but the status that it returned last: called again, also after a
// crash, it decides from what it sees.
//
// The rules of moving:
//
//   - A Release is in motion while it does not have what it wants, is not healthy yet
//     with what it has, or is being removed. At most maxConcurrent are: nothing is
//     started beyond it.
//   - A Release that failed is not in motion. Failed means that it is Degraded, that
//     its controller reports an error, or that it took longer than progressDeadline.
//     It holds no slot, and goes on being tried. One that recovers by itself may push
//     the number in motion over the limit for a while. Nothing is started meanwhile.
//   - A cluster that cannot be reached is parked: it neither counts as failed nor holds
//     a wave open, unless no cluster of the wave is healthy.
//   - A placed cluster is unavailable while its Release is in motion or unhealthy. No
//     healthy one, and no new one, is started where that would exceed maxUnavailable.
//     One that is unhealthy already may always be started: it is how it is mended.
//     A maxUnavailable of 0 moves one cluster at a time, and only while all others are fine.
//   - A cluster that is not ready, or whose variant has no Bundle, waits.
//   - A pause, or a placement that cannot be resolved, stops everything that has not
//     begun. Neither stops the drain of a cluster that is being deleted or is gone. A
//     freeze does the same, but lets rollbacks pass.
//   - Releases are removed only because the placement, resolved in full, leaves them
//     out, or because their Cluster is known to be going or gone. Where there are waves
//     or steps they are removed last, and more than maxDeletions only where that is
//     allowed by the digest of the revision.
//   - What no approved change carries is held back: it does not become the revision, no
//     cluster begins with it or is left for it, no gate is asked and no time runs out.
//     What is in motion finishes, and what failed goes back. Whatever went on before goes
//     on where it was once the hold is over.
//
// The rules of waves: a wave begins when the one before it is over and its gates are
// open; it is over once it is settled (every cluster is healthy, parked, or failed
// within the budget), has soaked, and its other gates are open. What is over stays over
// in this revision, but where something fails there beyond the budget, later waves wait.
// A cluster stays in the wave that it was moved in. One that joins late is moved with
// its wave, over or not; if it is in no wave it joins the last. A wave in which nothing had
// to be moved asks nothing.
//
// The rules of revisions: a revision is a digest. What failed stays failed until
// somebody says otherwise or there is another revision. A rollback moves clusters to
// the revision that was reached last, wave by wave in reverse, and deletes nothing. The
// epoch goes up with every revision, rollback and retry, and is in every write.
// Whatever later decisions build on is persisted before anything is written that rests
// on it: see Decision.PersistFirst.
//
// Time: a clock that goes back makes soaks, gates and waits begin anew. One that jumps
// ahead can end a soak, a wait or a freeze early, and have gates and deadlines time
// out, as if so much time had passed: no decision can tell it from a provider that
// was down. It starts nothing that is unhealthy or behind a closed gate.
//
// Deliberately absent: clients and clocks. What has to be asked is listed in
// Decision.Ask and Decision.Check.
package rollout
