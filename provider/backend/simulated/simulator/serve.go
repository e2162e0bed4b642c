package simulator

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/provider/backend/simulated/workload"
)

const (
	// clusterPath begins the path of every cluster: /clusters/<namespace>/<name>.
	clusterPath = "/clusters/"
	// makerPath begins the path of the API for whoever makes clusters.
	makerPath = "/simulator/v1/"
)

// ServeHTTP passes a request on to its cluster.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rest, ok := strings.CutPrefix(r.URL.Path, clusterPath); ok {
		s.calls.Add(1)
		parts := strings.SplitN(rest, "/", 3)
		if len(parts) == 3 {
			if c := s.find(parts[0] + "/" + parts[1]); c != nil {
				c.mu.Lock()
				f := c.faults
				c.mu.Unlock()
				if s.suffer(f, w, r) {
					return
				}
				r.URL.Path, r.URL.RawPath = "/"+parts[2], ""
				c.api.ServeHTTP(w, r)
				return
			}
		}
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, "there is no such cluster")
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, makerPath); ok {
		s.serveMaker(w, r, rest)
		return
	}
	fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, "there is nothing here")
}

// serveMaker serves whoever makes clusters, and breaks them.
func (s *Simulator) serveMaker(w http.ResponseWriter, r *http.Request, path string) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if subtle.ConstantTimeCompare([]byte(token), []byte(s.identity.Token)) != 1 {
		fail(w, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "the token is not that of this simulator")
		return
	}
	parts := strings.Split(path, "/")
	if path == "statistics" {
		answer(w, s.statistics())
		return
	}
	if len(parts) < 3 || parts[0] != "clusters" {
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, "there is nothing here")
		return
	}
	name := parts[1] + "/" + parts[2]
	if len(parts) == 4 {
		s.serveTrouble(w, r, name, parts[3])
		return
	}
	switch r.Method {
	case http.MethodPut:
		in := Cluster{}
		if !decode(w, r, &in) {
			return
		}
		if _, err := s.ensure(name, in.Version); err != nil {
			fail(w, http.StatusInternalServerError, metav1.StatusReasonInternalError, err.Error())
			return
		}
	case http.MethodDelete:
		if err := s.remove(name); err != nil {
			fail(w, http.StatusInternalServerError, metav1.StatusReasonInternalError, err.Error())
			return
		}
		answer(w, Cluster{})
		return
	}
	c := s.find(name)
	if c == nil {
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, "there is no such cluster")
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	answer(w, Cluster{Version: c.known.Version, Token: c.known.Token, Endpoint: "https://" + s.identity.Address + clusterPath + name})
}

// serveTrouble sets faults of a cluster, or the script of its workloads, and says what
// came of it.
func (s *Simulator) serveTrouble(w http.ResponseWriter, r *http.Request, name, what string) {
	c := s.find(name)
	if c == nil {
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, "there is no such cluster")
		return
	}
	switch what {
	case "audit":
		answer(w, c.api.Audit())
		return
	case "faults":
		f := Faults{}
		if !decode(w, r, &f) {
			return
		}
		c.mu.Lock()
		c.faults = f
		c.mu.Unlock()
	case "script":
		var rules []workload.Rule
		if !decode(w, r, &rules) {
			return
		}
		c.mu.Lock()
		c.known.Script = rules
		err := c.write()
		c.mu.Unlock()
		if err != nil {
			fail(w, http.StatusInternalServerError, metav1.StatusReasonInternalError, err.Error())
			return
		}
		c.player.SetScript(rules)
	default:
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, "there is nothing here")
		return
	}
	answer(w, struct{}{})
}

// Statistics of a simulator.
type Statistics struct {
	Clusters int    `json:"clusters"`
	Calls    uint64 `json:"calls"`
	Writes   uint64 `json:"writes"`
	// Heap in use, in bytes.
	Heap uint64 `json:"heap"`
}

func (s *Simulator) statistics() Statistics {
	m := runtime.MemStats{}
	runtime.ReadMemStats(&m)
	out := Statistics{Calls: s.calls.Load(), Heap: m.HeapInuse}
	for _, c := range s.all() {
		out.Clusters++
		out.Writes += c.api.Writes()
	}
	return out
}

func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(into); err != nil {
		fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, fmt.Sprintf("cannot read request: %v", err))
		return false
	}
	return true
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // Who does not listen misses it.
}

func fail(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Code: int32(code), Reason: reason, Message: message, //nolint:gosec // A status code.
	})
}
