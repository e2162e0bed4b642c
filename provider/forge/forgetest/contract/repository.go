// Package contract serves the parts of the APIs of GitHub and GitLab that Mainstay
// uses, strictly: whatever a driver sends that those forges would not take fails the
// test. Behind both is one repository in memory, with branches, merge requests and
// people, so that a test can play a story without a forge.
//
// What they do is written from the forges' API references, quirks included, such as
// GitLab refusing a status that is the same as before. Deliberately absent: what
// drivers do not use.
package contract

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Rights of people, in words of both forges.
const (
	noRights = iota
	mayRead
	mayWrite
	mayAdmin
)

// A Repository in memory.
type Repository struct {
	// mu is held while a request is answered, or a person acts.
	mu      sync.Mutex
	made    int
	now     time.Time
	nextID  int64
	commits map[string]commit
	// branches by name; those of forks are "fork:name".
	branches map[string]string
	people   map[string]int
	teams    map[string][]string
	requests []*request
	statuses map[string][]status
	contexts map[string][]string
	guarded  map[string]bool
	mustPass bool
	hooks    []*hook
	// deliver a webhook, in the forge's own words. Called without the lock.
	deliver func(h hook, number int64, kind string)
}

type request struct {
	number              int64
	title, body, author string
	head, base          string
	fork, draft         bool
	state               string
	// headSHA stays when the branch is gone. versions are all heads, with their times.
	headSHA  string
	versions []version
	merged   string
	mergedBy string
	created  time.Time
	updated  time.Time
	comments []*comment
	reviews  []*review
}

type version struct {
	sha string
	at  time.Time
}

type comment struct {
	id               int64
	author, body     string
	created, updated time.Time
	system           bool
}

type review struct {
	id      int64
	author  string
	verdict string
	sha     string
	at      time.Time
}

type status struct {
	id                              int64
	context, state, description, to string
}

type hook struct {
	id          int64
	url, secret string
	events      map[string]bool
}

// NewRepository with files on its branch main, and people with rights: none, read,
// write or admin.
func NewRepository(files, people map[string]string) *Repository {
	r := &Repository{
		now:     time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		commits: map[string]commit{}, branches: map[string]string{}, people: map[string]int{}, teams: map[string][]string{},
		statuses: map[string][]status{}, contexts: map[string][]string{}, guarded: map[string]bool{},
		deliver: func(hook, int64, string) {},
	}
	for p, right := range people {
		r.people[p] = map[string]int{"none": noRights, "read": mayRead, "write": mayWrite, "admin": mayAdmin}[right]
	}
	r.branches["main"] = r.commitFiles(files)
	return r
}

// Team makes a team of the organization, or replaces its members.
func (r *Repository) Team(name string, members ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.teams[name] = members
}

// tick lets a second pass, so that what happens has an order.
func (r *Repository) tick() time.Time {
	r.now = r.now.Add(time.Second)
	return r.now
}

func (r *Repository) id() int64 {
	r.nextID++
	return r.nextID
}

// Branch makes a branch where another is.
func (r *Repository) Branch(name, from string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.branches[name] = r.branches[from]
}

// Push a commit to a branch, which begins at main where it is not there, or where it
// is forced. Empty files are deleted.
func (r *Repository) Push(branch string, files map[string]string, force bool) string {
	r.mu.Lock()
	parent, ok := r.branches[branch]
	if !ok || force {
		parent = r.branches["main"]
	}
	all := maps.Clone(r.commits[parent].files)
	for p, text := range files {
		if text == "" {
			delete(all, p)
		} else {
			all[p] = text
		}
	}
	sha := r.commitFiles(all, parent)
	r.branches[branch] = sha
	number := int64(0)
	for _, q := range r.requests {
		if q.head == branch && q.state == "open" {
			q.headSHA, q.updated, number = sha, r.tick(), q.number
			q.versions = append(q.versions, version{sha, r.now})
		}
	}
	r.mu.Unlock()
	r.notify(number, "push")
	return sha
}

// DeleteBranch removes a branch. Its merge requests stay.
func (r *Repository) DeleteBranch(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.branches, name)
}

// Propose a merge request, and return its number.
func (r *Repository) Propose(author, title, body, head, base string, fork, draft bool) (int64, error) {
	r.mu.Lock()
	sha, ok := r.branches[head]
	if _, there := r.branches[base]; !ok || !there {
		r.mu.Unlock()
		return 0, fmt.Errorf("no branch %s or %s", head, base)
	}
	q := &request{
		number: int64(len(r.requests) + 1), title: title, body: body, author: author,
		head: head, base: base, fork: fork, draft: draft, state: "open", headSHA: sha, created: r.tick(),
	}
	q.updated, q.versions = r.now, []version{{sha, r.now}}
	r.requests = append(r.requests, q)
	r.mu.Unlock()
	r.notify(q.number, "request")
	return q.number, nil
}

// SetDraft says whether a merge request is ready.
func (r *Repository) SetDraft(number int64, draft bool) {
	r.mu.Lock()
	r.requests[number-1].draft = draft
	r.mu.Unlock()
	r.notify(number, "request")
}

// Say something on a merge request.
func (r *Repository) Say(person string, number int64, text string) int64 {
	r.mu.Lock()
	c := r.say(r.requests[number-1], person, text)
	r.mu.Unlock()
	r.notify(number, "comment")
	return c.id
}

func (r *Repository) say(q *request, person, text string) *comment {
	c := &comment{id: r.id(), author: person, body: text, created: r.tick(), updated: r.now}
	q.comments = append(q.comments, c)
	return c
}

// Unsay removes a comment.
func (r *Repository) Unsay(number, id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.requests[number-1]
	q.comments = slices.DeleteFunc(q.comments, func(c *comment) bool { return c.id == id })
}

// Review the head as it is: approved, changes-requested, or dismissed, which takes
// back what was said.
func (r *Repository) Review(person string, number int64, verdict string) {
	r.mu.Lock()
	q := r.requests[number-1]
	if verdict == "dismissed" {
		for _, v := range q.reviews {
			if v.author == person {
				v.verdict = verdict
			}
		}
	} else {
		q.reviews = append(q.reviews, &review{id: r.id(), author: person, verdict: verdict, sha: q.headSHA, at: r.tick()})
	}
	system := map[string]string{"approved": "approved this merge request", "dismissed": "unapproved this merge request", "changes-requested": "requested changes"}
	r.say(q, person, system[verdict]).system = true
	r.mu.Unlock()
	r.notify(number, "review")
}

// notify all webhooks that want to hear of it.
func (r *Repository) notify(number int64, kind string) {
	r.mu.Lock()
	hooks := []hook{}
	for _, h := range r.hooks {
		if h.events[kind] {
			hooks = append(hooks, *h)
		}
	}
	deliver := r.deliver
	r.mu.Unlock()
	for _, h := range hooks {
		deliver(h, number, kind)
	}
}

// find a merge request, or nil.
func (r *Repository) find(number int64) *request {
	if number < 1 || number > int64(len(r.requests)) {
		return nil
	}
	return r.requests[number-1]
}

// conflicts says whether the content cannot be merged.
func (r *Repository) conflicts(q *request) bool {
	_, ok := r.merge(r.branches[q.base], q.headSHA)
	return !ok
}

// failing says which required contexts are not successful on the head.
func (r *Repository) failing(q *request) []string {
	last := map[string]string{}
	for _, s := range r.statuses[q.headSHA] {
		last[s.context] = s.state
	}
	bad := []string{}
	for _, c := range r.contexts[q.base] {
		if last[c] != "success" {
			bad = append(bad, c)
		}
	}
	for c, state := range last {
		if r.mustPass && state != "success" {
			bad = append(bad, c)
		}
	}
	return bad
}

// accept a merge request, once all is checked.
func (r *Repository) accept(q *request, by string, squash bool) {
	files, _ := r.merge(r.branches[q.base], q.headSHA)
	parents := []string{r.branches[q.base], q.headSHA}
	if squash {
		parents = parents[:1]
	}
	q.merged = r.commitFiles(files, parents...)
	r.branches[q.base] = q.merged
	q.state, q.mergedBy, q.updated = "merged", by, r.tick()
}

// lastReviews are the last words of reviewers, in order.
func (q *request) lastReviews() []*review {
	last := map[string]*review{}
	for _, v := range q.reviews {
		last[v.author] = v
	}
	return slices.SortedFunc(maps.Values(last), func(a, b *review) int { return cmp.Compare(a.id, b.id) })
}
