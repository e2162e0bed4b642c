package apiserver

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
)

// A request to the API.
type request struct {
	kind            *kind
	namespace, name string
	subresource     string
	verb            string
	who             user
	http            *http.Request
}

// ServeHTTP answers as an API server does.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/readyz", "/livez", "/healthz":
		_, _ = w.Write([]byte("ok"))
		return
	}
	who, err := c.authenticate(r)
	if err != nil {
		writeError(w, err)
		return
	}
	if r.Method == http.MethodGet {
		if r.URL.Path == "/version" {
			c.serveVersion(w)
			return
		}
		if c.serveOpenAPI(w, r) || c.serveDiscovery(w, r, r.URL.Path) {
			return
		}
	}
	req, err := c.parse(r, who)
	if err != nil {
		writeError(w, err)
		return
	}
	if err := c.authorize(req); err != nil {
		writeError(w, err)
		return
	}
	if err := c.dispatch(w, req); err != nil {
		writeError(w, err)
	}
}

func (c *Cluster) dispatch(w http.ResponseWriter, req *request) error {
	switch req.verb {
	case "get":
		return c.serveGet(w, req)
	case "list":
		return c.serveList(w, req)
	case "watch":
		return c.serveWatch(w, req)
	case "create":
		return c.serveCreate(w, req)
	case "update":
		return c.serveUpdate(w, req)
	case "patch":
		return c.servePatch(w, req)
	case "delete":
		return c.serveDelete(w, req)
	}
	return c.serveDeleteCollection(w, req)
}

// authenticate returns who asks. Only the administrator has a token; it may act as another.
func (c *Cluster) authenticate(r *http.Request) (user, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || subtle.ConstantTimeCompare([]byte(token), []byte(c.token)) != 1 {
		return user{}, apierrors.NewUnauthorized("Unauthorized")
	}
	if as := r.Header.Get("Impersonate-User"); as != "" {
		return user{name: as, groups: append(r.Header.Values("Impersonate-Group"), "system:authenticated")}, nil
	}
	return administrator(), nil
}

func (c *Cluster) serveVersion(w http.ResponseWriter) {
	v := c.Version()
	parts := strings.SplitN(strings.TrimPrefix(v, "v"), ".", 3)
	write(w, http.StatusOK, encode(version.Info{Major: parts[0], Minor: parts[1], GitVersion: v, Platform: "linux/amd64"}))
}

// parse a path such as /apis/apps/v1/namespaces/shop/deployments/web/status.
func (c *Cluster) parse(r *http.Request, who user) (*request, error) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	gv := schema.GroupVersion{}
	switch {
	case len(parts) > 2 && parts[0] == "api":
		gv.Version, parts = parts[1], parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		gv.Group, gv.Version, parts = parts[1], parts[2], parts[3:]
	default:
		return nil, notServed(r)
	}
	req := &request{who: who, http: r}
	// A namespace's own status and finalizers are not resources in it.
	if parts[0] == "namespaces" && len(parts) > 2 && parts[2] != "status" && parts[2] != "finalize" {
		req.namespace, parts = parts[1], parts[2:]
	}
	c.mu.RLock()
	req.kind = c.kindOf(gv.WithResource(parts[0]))
	c.mu.RUnlock()
	if req.kind == nil || len(parts) > 3 {
		return nil, notServed(r)
	}
	if len(parts) > 1 {
		req.name = parts[1]
	}
	if len(parts) > 2 {
		req.subresource = parts[2]
	}
	if !req.kind.namespaced && req.namespace != "" {
		return nil, notServed(r)
	}
	return req, req.decideVerb()
}

func (q *request) decideVerb() error {
	watch := q.http.URL.Query().Get("watch")
	switch q.http.Method {
	case http.MethodGet, http.MethodHead:
		q.verb = "get"
		if q.name == "" {
			q.verb = "list"
		}
		if watch == "true" || watch == "1" {
			q.verb = "watch"
		}
	case http.MethodPost:
		q.verb = "create"
	case http.MethodPut:
		q.verb = "update"
	case http.MethodPatch:
		q.verb = "patch"
	case http.MethodDelete:
		q.verb = "delete"
		if q.name == "" {
			q.verb = "deletecollection"
		}
	}
	if q.verb == "" || q.kind.review && q.verb != "create" {
		return apierrors.NewMethodNotSupported(q.kind.groupResource(), q.http.Method)
	}
	switch q.subresource {
	case "":
	case "status":
		if !q.kind.status {
			return notServed(q.http)
		}
	case "scale":
		if !q.kind.scale {
			return notServed(q.http)
		}
	case "eviction":
		if !isKind(q.kind, "", "Pod") || q.verb != "create" {
			return notServed(q.http)
		}
	default:
		return notServed(q.http)
	}
	return nil
}

func (q *request) dryRun() bool { return q.http.URL.Query().Has("dryRun") }

func notServed(r *http.Request) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound,
		Message: "the server could not find the requested resource",
		Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: metav1.CauseTypeUnexpectedServerResponse, Message: "404 page not found: " + r.URL.Path}}},
	}}
}

func write(w http.ResponseWriter, code int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

// writeError says what is wrong as the API says it.
func writeError(w http.ResponseWriter, err error) {
	s := metav1.Status{}
	var st apierrors.APIStatus
	if asStatus(err, &st) {
		s = st.Status()
	} else {
		s = apierrors.NewInternalError(fmt.Errorf("%w", err)).Status()
	}
	s.Kind, s.APIVersion = "Status", "v1"
	if s.Details != nil && s.Details.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(s.Details.RetryAfterSeconds))
	}
	write(w, int(s.Code), encode(s))
}
