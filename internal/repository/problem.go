package repository

import (
	"fmt"
	"time"
)

// A Kind of problem. It is the reason of the condition Ready: people alert on it.
type Kind string

// Kinds of problems.
const (
	// CredentialsMissing: the Secret, or its key, is not there.
	CredentialsMissing Kind = "CredentialsMissing"
	// TokenRefused: the token is wrong, revoked or expired.
	TokenRefused Kind = "TokenRefused"
	// TokenForbidden: the token is good, but not for this.
	TokenForbidden Kind = "TokenForbidden"
	// RepositoryGone: the repository is not there, or is hidden from the token.
	RepositoryGone Kind = "RepositoryGone"
	// BaseBranchMissing: the repository has no such branch.
	BaseBranchMissing Kind = "BaseBranchMissing"
	// RateLimited: the forge wants not to be asked until some time.
	RateLimited Kind = "RateLimited"
	// ForgeUnreachable: the forge is down, or does not answer as a forge does.
	ForgeUnreachable Kind = "ForgeUnreachable"
	// Unusable: what the Repository says can never work.
	Unusable Kind = "Unusable"
	// MirrorUnusable: what is in the repository cannot be kept on disk.
	MirrorUnusable Kind = "MirrorUnusable"
)

// Kinds of problems that there are.
func Kinds() []Kind {
	return []Kind{CredentialsMissing, TokenRefused, TokenForbidden, RepositoryGone, BaseBranchMissing, RateLimited, ForgeUnreachable, Unusable, MirrorUnusable}
}

// A Problem is why the forge does not answer as it should.
type Problem struct {
	Kind Kind
	// Detail of it, as the forge or the hub has it. It holds no secret, and nothing that
	// is different each time.
	Detail string
	// Until when the forge wants not to be asked. Zero where it did not say.
	Until time.Time
}

// message says what is wrong, and what to do.
func (p *Problem) message(s Spec) string {
	ref := s.CredentialsSecretRef
	switch p.Kind {
	case TokenRefused:
		return fmt.Sprintf("forge does not take the token: put a valid one into key %q of Secret %q", ref.Key, ref.Name)
	case TokenForbidden:
		return fmt.Sprintf("user of the token may not do what is needed (%s): give it the right to write to %s, or put another token into key %q of Secret %q", p.Detail, s.URL, ref.Key, ref.Name)
	case RepositoryGone:
		return fmt.Sprintf("there is no repository at %s, or it is hidden from the token: bring it back, or make the token's user a member; its Changes are kept", s.URL)
	case BaseBranchMissing:
		return fmt.Sprintf("branch %q is not in the repository: push it, or correct spec.forProvider.baseBranch", s.BaseBranch)
	case RateLimited:
		if p.Until.IsZero() {
			return "forge wants to be asked less often: raise spec.forProvider.pollInterval if this stays so"
		}
		return fmt.Sprintf("forge wants to be asked less often, and is left alone until %s: raise spec.forProvider.pollInterval if this stays so", stamp(p.Until))
	case ForgeUnreachable:
		return fmt.Sprintf("forge does not answer as it should: %s; what executes goes on, and until it is back nothing begins and nothing is merged", p.Detail)
	default: // The detail says all.
		return p.Detail
	}
}

// stamp of a time, as all messages have it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

const (
	// firstWait after a look that failed. It doubles each time, up to lastWait, or up to the
	// poll interval where that is longer.
	firstWait = 5 * time.Second
	lastWait  = 5 * time.Minute
	// longestLimit is how long a forge is left alone at most, whatever it says.
	longestLimit = time.Hour
)

// Wait before the next look, after so many in a row that failed.
func Wait(p *Problem, failures int, interval time.Duration, now time.Time) time.Duration {
	switch {
	case p == nil:
		return interval
	case p.Kind == RateLimited && p.Until.After(now):
		return min(p.Until.Sub(now), longestLimit)
	}
	wait := firstWait
	for range min(failures-1, 20) {
		wait *= 2
	}
	return min(wait, max(interval, lastWait))
}

// wakeSpacing is how often at most a forge is asked because somebody said that something
// happened.
const wakeSpacing = 2 * time.Second

// Spacing between looks that were asked for. Where more than three quarters of what the forge
// allows are spent, nothing but the poll interval counts.
func Spacing(known bool, remaining, limit int, interval time.Duration) time.Duration {
	if known && remaining*4 < limit {
		return interval
	}
	return min(wakeSpacing, interval)
}
