package change

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// maxAudit is how many entries of the trail the status keeps.
const maxAudit = 50

// us on the audit trail.
const us = "mainstay"

// audit what somebody did.
func (n *run) audit(by, did string) {
	e := v1alpha1.AuditEntry{At: *n.stamp(), By: cut(by, 253), Did: brief(did, 512), HeadSHA: n.is.Request.HeadSHA, Epoch: n.is.Epoch}
	if n.is.Plan != nil {
		e.Digest = n.is.Plan.Digest
	}
	n.is.Audit = appended(n.is.Audit, e)
}

// appended entry, chained to the one before.
func appended(a v1alpha1.ChangeAudit, e v1alpha1.AuditEntry) v1alpha1.ChangeAudit {
	e.Hash = chain(a.Head, a.Length+1, e)
	a.Head, a.Length = e.Hash, a.Length+1
	a.Entries = append(a.Entries, e)
	if drop := len(a.Entries) - maxAudit; drop > 0 {
		a.Base = a.Entries[drop-1].Hash
		a.Entries = latest(a.Entries, maxAudit)
	}
	return a
}

// chain an entry to the hash of the one before.
func chain(before string, number int64, e v1alpha1.AuditEntry) string {
	e.Hash = ""
	// The time is hashed as it reads back: whole seconds of UTC.
	at := e.At.UTC().Format("2006-01-02T15:04:05Z")
	raw, err := json.Marshal([]any{before, number, at, e.By, e.Did, e.HeadSHA, e.Digest, e.Epoch})
	if err != nil {
		// Strings and numbers always are JSON.
		raw = []byte(err.Error())
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// anchor is the line of a merge's message, or of a closing comment, that names the last
// entry.
const anchor = "Mainstay-Audit: "

// Anchor names the last entry of a trail, for where nobody can change it later.
func Anchor(a v1alpha1.ChangeAudit) string { return fmt.Sprintf("%s%d:%s", anchor, a.Length, a.Head) }

// Anchored is true where a text names an entry of an audit trail.
func Anchored(text string) bool { return strings.Contains(text, anchor) }

// Verify that a trail is what was written: that every entry follows from the one before,
// and, where there is a text with an anchor, that it names an entry of the trail. It says
// which entry does not fit.
func Verify(a v1alpha1.ChangeAudit, anchored string) error {
	hash, number := a.Base, a.Length-int64(len(a.Entries))
	if number < 0 || (number > 0) != (a.Base != "") {
		return fmt.Errorf("cannot verify trail: it says it has %d entries and has %d", a.Length, len(a.Entries))
	}
	seen := map[string]bool{fmt.Sprintf("%d:%s", number, hash): true}
	for _, e := range a.Entries {
		number++
		if want := chain(hash, number, e); want != e.Hash {
			return fmt.Errorf("cannot verify entry %d (%s by %s): it was changed, or one before it was", number, e.Did, e.By)
		}
		hash = e.Hash
		seen[fmt.Sprintf("%d:%s", number, hash)] = true
	}
	if hash != a.Head {
		return fmt.Errorf("cannot verify trail: its last entry is not its head")
	}
	// Ours is the last: what people wrote stands above it.
	at := strings.LastIndex(anchored, anchor)
	if at < 0 {
		return nil
	}
	named, _, _ := strings.Cut(anchored[at+len(anchor):], "\n")
	if named = strings.TrimSpace(named); !seen[named] {
		return fmt.Errorf("cannot verify trail: Git names the entry %s, which it does not have", named)
	}
	return nil
}
