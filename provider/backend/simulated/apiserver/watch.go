package apiserver

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// remembered is how many changes a cluster remembers, once somebody watched it.
	remembered = 256
	// backlog is how many events a watch may be behind before it is ended.
	backlog = 1024
	// bookmarkEvery is how often a watch is told how far it is.
	bookmarkEvery = 30 * time.Second
	// watchAtMost is how long a watch lasts where its client does not say.
	watchAtMost = 30 * time.Minute
)

// An event is a change of an object. One that was not is added, one that is not any
// more is deleted.
type event struct {
	revision        uint64
	was, is         *object
	namespace, name string
}

// A history of changes. It remembers nothing before the first watch.
type history struct {
	on       bool
	events   []event
	since    uint64 // All events after this revision are remembered.
	watchers map[chan event]struct{}
}

func (h *history) add(e event) {
	if !h.on {
		h.since = e.revision
		return
	}
	if len(h.events) == remembered {
		h.since = h.events[0].revision
		h.events = append(h.events[:0], h.events[1:]...)
	}
	h.events = append(h.events, e)
	for ch := range h.watchers {
		select {
		case ch <- e:
		default:
			// It is too slow: it has to start again.
			close(ch)
			delete(h.watchers, ch)
		}
	}
}

// serveWatch sends changes as they happen.
func (c *Cluster) serveWatch(w http.ResponseWriter, req *request) error {
	sel, err := selectionOf(req)
	if err != nil {
		return err
	}
	q := req.http.URL.Query()
	initial := q.Get("sendInitialEvents") == "true"
	if initial && q.Get("resourceVersionMatch") != string(metav1.ResourceVersionMatchNotOlderThan) {
		return apierrors.NewBadRequest("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
	}
	from, err := revisionOf(q.Get("resourceVersion"))
	if err != nil {
		return err
	}
	first, ch, revision, err := c.watch(req.kind, sel, from, initial)
	if err != nil {
		return err
	}
	defer c.unwatch(ch)

	s := stream{w: http.NewResponseController(w), out: w, req: req, sel: sel}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	for _, e := range first {
		s.send(e)
	}
	bookmarks := q.Get("allowWatchBookmarks") == "true"
	if initial {
		s.bookmark(revision, `,"annotations":{"k8s.io/initial-events-end":"true"}`)
	}
	s.flush()
	return s.follow(ch, bookmarks, revision)
}

// A stream of events to one client.
type stream struct {
	w   *http.ResponseController
	out http.ResponseWriter
	req *request
	sel *selection
	buf bytes.Buffer
}

// follow a watch to its end.
func (s *stream) follow(ch chan event, bookmarks bool, revision uint64) error {
	limit := watchAtMost
	if n, err := strconv.Atoi(s.req.http.URL.Query().Get("timeoutSeconds")); err == nil && n > 0 {
		limit = time.Duration(n) * time.Second
	}
	end := time.NewTimer(limit)
	defer end.Stop()
	tick := time.NewTicker(bookmarkEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.req.http.Context().Done():
			return nil
		case <-end.C:
			return nil
		case <-tick.C:
			if !bookmarks {
				continue
			}
			s.bookmark(revision, "")
		case e, ok := <-ch:
			if !ok {
				return nil
			}
			revision = e.revision
			s.send(e)
			for range len(ch) {
				if e, ok = <-ch; !ok {
					break
				}
				revision = e.revision
				s.send(e)
			}
		}
		if !s.flush() {
			return nil
		}
	}
}

// send an event, as what it is for those who see only what they selected.
func (s *stream) send(e event) {
	at := key(e.namespace, e.name)
	of := func(o *object) bool {
		return o != nil && o.kind.groupResource() == s.req.kind.groupResource() && s.sel.matches(at, o)
	}
	was, is := of(e.was), of(e.is)
	kind, o := "MODIFIED", e.is
	switch {
	case is && !was:
		kind = "ADDED"
	case was && !is:
		kind, o = "DELETED", e.was
		if e.is != nil {
			o = e.is
		}
	case !was:
		return
	}
	fmt.Fprintf(&s.buf, `{"type":%q,"object":%s}`+"\n", kind, present(s.req, o.raw))
}

func (s *stream) bookmark(revision uint64, annotations string) {
	k, v := s.req.kind.gvk.Kind, s.req.kind.gvk.GroupVersion().String()
	if wantsMetadata(s.req.http) {
		k, v = "PartialObjectMetadata", "meta.k8s.io/v1"
	}
	fmt.Fprintf(&s.buf, `{"type":"BOOKMARK","object":{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":"%d"%s}}}`+"\n", k, v, revision, annotations)
}

func (s *stream) flush() bool {
	if s.buf.Len() > 0 {
		if _, err := s.out.Write(s.buf.Bytes()); err != nil {
			return false
		}
		s.buf.Reset()
	}
	return s.w.Flush() == nil
}

// watch from a revision on. Without one, what there is comes first.
func (c *Cluster) watch(k *kind, sel *selection, from uint64, initial bool) ([]event, chan event, uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.history.on {
		c.history.on, c.history.since, c.history.watchers = true, c.revision, map[chan event]struct{}{}
	}
	var first []event
	switch {
	case from == 0 || initial:
		for _, at := range c.sorted(k, sel.namespace) {
			o := c.objects[k.groupResource()][at]
			if sel.matches(at, o) {
				first = append(first, eventOf(at, o))
			}
		}
	case from < c.history.since:
		return nil, nil, 0, apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", from, c.history.since))
	default:
		for _, e := range c.history.events {
			if e.revision > from {
				first = append(first, e)
			}
		}
	}
	ch := make(chan event, backlog)
	c.history.watchers[ch] = struct{}{}
	return first, ch, c.revision, nil
}

func (c *Cluster) unwatch(ch chan event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.history.watchers, ch)
}

func revisionOf(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, apierrors.NewBadRequest(fmt.Sprintf("invalid resource version %q", s))
	}
	return n, nil
}

func eventOf(at string, o *object) event {
	namespace, name, _ := cut(at)
	return event{revision: o.revision, is: o, namespace: namespace, name: name}
}
