package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A ChangeAudit is a chain: every entry's hash covers the one before. The commit of the
// merge names the last one, and so does the comment that closes a merge request.
type ChangeAudit struct {
	// Head is the hash of the last entry.
	// +optional
	Head string `json:"head,omitempty"`
	// Length is how many entries there are.
	// +optional
	Length int64 `json:"length,omitempty"`
	// Base is the hash of the entry before the first that is kept. Empty where that is
	// the first of all.
	// +optional
	Base string `json:"base,omitempty"`
	// Entries, the latest last. At most 50.
	// +listType=atomic
	// +optional
	Entries []AuditEntry `json:"entries,omitempty"`
}

// An AuditEntry says who did what, and when, to which head and plan.
type AuditEntry struct {
	// At which time.
	At metav1.Time `json:"at"`
	// By whom: a user of the forge, of the hub, or mainstay.
	By string `json:"by"`
	// Did what.
	Did string `json:"did"`
	// HeadSHA it was done to.
	// +optional
	HeadSHA string `json:"headSHA,omitempty"`
	// Digest of the plan it was done to.
	// +optional
	Digest string `json:"digest,omitempty"`
	// Epoch in which it was done.
	// +optional
	Epoch int64 `json:"epoch,omitempty"`
	// Hash of this entry and of the one before.
	Hash string `json:"hash"`
}
