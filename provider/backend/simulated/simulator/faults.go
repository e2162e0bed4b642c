package simulator

import (
	"net/http"
	"time"
)

// Faults of a cluster's API server.
type Faults struct {
	// Latency before anything is answered.
	Latency time.Duration `json:"latency,omitempty"`
	// ErrorRate is the part of requests, from 0 to 1, that get 500, and ThrottleRate
	// that which get 429.
	ErrorRate    float64 `json:"errorRate,omitempty"`
	ThrottleRate float64 `json:"throttleRate,omitempty"`
	// BlackHole never answers.
	BlackHole bool `json:"blackHole,omitempty"`
	// Refuse breaks off every request.
	Refuse bool `json:"refuse,omitempty"`
}

// blackHole is how long a request is held at most that is never answered.
const blackHole = 2 * time.Minute

// suffer what is wrong with a cluster. It returns true where a request goes no further.
func (s *Simulator) suffer(f Faults, w http.ResponseWriter, r *http.Request) bool {
	if f == (Faults{}) {
		return false
	}
	if f.Refuse {
		panic(http.ErrAbortHandler) // The server breaks off without a word.
	}
	wait := f.Latency
	if f.BlackHole {
		wait = blackHole
	}
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-r.Context().Done():
			return true
		case <-t.C:
		}
	}
	if f.BlackHole {
		panic(http.ErrAbortHandler)
	}
	if f.ErrorRate > 0 && s.chance() < f.ErrorRate {
		fail(w, http.StatusInternalServerError, "InternalError", "an error on the server was simulated")
		return true
	}
	if f.ThrottleRate > 0 && s.chance() < f.ThrottleRate {
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusTooManyRequests, "TooManyRequests", "the server has received too many requests, it was told to say")
		return true
	}
	return false
}
