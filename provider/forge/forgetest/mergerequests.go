package forgetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// account: whose token it is, and how Git gets in.
func (s *suite) account(t *testing.T) {
	user, err := s.f.CurrentUser(t.Context())
	noError(t, "CurrentUser()", err)
	same(t, "CurrentUser()", Bot, user)

	a := s.f.CloneAccess()
	token := string(s.Config(Bot).Token)
	if string(a.Password) != token || a.Username == "" || strings.Contains(a.URL, token) || !strings.HasSuffix(a.URL, ".git") {
		t.Errorf("CloneAccess(): want the token as password of a URL that does not hold it, got %s %s", a.URL, a.Username)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", a, a, a, a); strings.Contains(text, token) {
		t.Errorf("CloneAccess() prints the token")
	}
}

// mergeRequest: all that is known of one.
func (s *suite) mergeRequest(t *testing.T) {
	b := s.branch()
	s.n++
	sha := s.Push(t, Push{Branch: b, Files: map[string]string{"claims/a.yaml": "a"}})
	n := s.Propose(t, Proposal{Title: "Grow orders", Body: "To three.", Head: b})
	got := s.read(t, n)
	if got.HeadRepository == "" || got.URL == "" || !strings.Contains(got.FetchRef, fmt.Sprint(n)) || time.Since(got.CreatedAt) < 0 || got.UpdatedAt.Before(got.CreatedAt) {
		t.Errorf("MergeRequest(%d): got %+v", n, got)
	}
	got.HeadRepository, got.URL, got.FetchRef, got.Mergeable = "", "", "", ""
	got.CreatedAt, got.UpdatedAt = time.Time{}, time.Time{}
	same(t, "MergeRequest(...)", forge.MergeRequest{
		Number: n, Title: "Grow orders", Description: "To three.", Author: Author, State: forge.Open,
		HeadSHA: sha, HeadRef: b, BaseRef: Base,
	}, got)
	await(t, "it is mergeable", func() bool { return s.read(t, n).Mergeable == forge.MergeableYes })

	sha = s.Push(t, Push{Branch: b, Files: map[string]string{"claims/a.yaml": "b"}})
	await(t, "a push is seen", func() bool { return s.read(t, n).HeadSHA == sha })
	sha = s.Push(t, Push{Branch: b, Force: true, Files: map[string]string{"claims/a.yaml": "c"}})
	await(t, "a forced push is seen", func() bool { return s.read(t, n).HeadSHA == sha })

	_, err := s.f.MergeRequest(t.Context(), 99999)
	s.want(t, "MergeRequest(99999)", err, forge.NotFound)
	noError(t, "Close(...)", s.f.Close(t.Context(), n))
}

// openMergeRequests: those that are open, for one base, over more than one page.
func (s *suite) openMergeRequests(t *testing.T) {
	var heads []string
	for i := range 53 {
		heads = append(heads, fmt.Sprintf("many-%d", i))
	}
	s.Push(t, Push{Branch: "many", Also: heads, Files: map[string]string{"claims/many.yaml": "a"}})
	other := s.Propose(t, Proposal{Title: "For stable", Head: "many", Into: OtherBase})
	want := []int64{}
	for _, h := range heads {
		want = append(want, s.Propose(t, Proposal{Title: "One of many", Head: h}))
	}
	noError(t, "Close(...)", s.f.Close(t.Context(), want[3]))
	want = slices.Delete(want, 3, 4)

	for base, want := range map[string][]int64{Base: want, OtherBase: {other}, "no-such-branch": nil} {
		all, err := s.f.OpenMergeRequests(t.Context(), base)
		noError(t, "OpenMergeRequests("+base+")", err)
		var got []int64
		for _, mr := range all {
			got = append(got, mr.Number)
			if mr.BaseRef != base || mr.State != forge.Open || mr.HeadSHA == "" || mr.Author != Author {
				t.Errorf("OpenMergeRequests(%s): got %+v", base, mr)
			}
		}
		same(t, "OpenMergeRequests("+base+")", want, got)
	}
}

// fork: a head in another repository is known as such.
func (s *suite) fork(t *testing.T) {
	home := s.open(t)
	sha := s.Push(t, Push{Branch: "from-outside", Fork: true, Files: map[string]string{"claims/f.yaml": "f"}})
	n := s.Propose(t, Proposal{Title: "From a fork", Head: "from-outside", Fork: true})
	got := s.read(t, n)
	if home.Fork || !got.Fork || got.HeadRepository == home.HeadRepository || got.HeadRef != "from-outside" || got.HeadSHA != sha {
		t.Errorf("MergeRequest(...) of a fork: got %+v", got)
	}
	noError(t, "Close(...)", s.f.Close(t.Context(), n))
}

// draft: it comes and goes.
func (s *suite) draft(t *testing.T) {
	mr := s.open(t)
	for _, draft := range []bool{true, false} {
		s.SetDraft(t, mr.Number, draft)
		await(t, fmt.Sprintf("draft is %t", draft), func() bool { return s.read(t, mr.Number).Draft == draft })
	}
}

// changedFiles: what was done to each file since the branches parted.
func (s *suite) changedFiles(t *testing.T) {
	mr := s.openWith(t, map[string]string{
		"claims/new.yaml": "new", "claims/orders.yaml": "changed", "README.md": "", "claims/ü ö.yaml": "a name with a space",
	})
	got, err := s.f.ChangedFiles(t.Context(), mr.Number)
	noError(t, "ChangedFiles(...)", err)
	same(t, "ChangedFiles(...)", forge.ChangedFiles{Files: []forge.ChangedFile{
		{Path: "README.md", Change: forge.FileDeleted},
		{Path: "claims/new.yaml", Change: forge.FileAdded},
		{Path: "claims/orders.yaml", Change: forge.FileModified},
		{Path: "claims/ü ö.yaml", Change: forge.FileAdded},
	}}, got)
	_, err = s.f.ChangedFiles(t.Context(), 99999)
	s.want(t, "ChangedFiles(99999)", err, forge.NotFound)
}

// manyFiles: a list that ends, and says that it does.
func (s *suite) manyFiles(t *testing.T) {
	files := map[string]string{}
	for i := range forge.MaxFiles + 5 {
		files[fmt.Sprintf("claims/many/%04d.yaml", i)] = fmt.Sprintf("kind: ProductApplication # %d\n", i)
	}
	mr := s.openWith(t, files)
	got, err := s.f.ChangedFiles(t.Context(), mr.Number)
	noError(t, "ChangedFiles(...)", err)
	if len(got.Files) != forge.MaxFiles || !got.Truncated {
		t.Errorf("ChangedFiles(...) of %d: got %d, truncated %t", len(files), len(got.Files), got.Truncated)
	}
}

// merge: the head that is expected, once.
func (s *suite) merge(t *testing.T) {
	mr := s.open(t)
	await(t, "it is mergeable", func() bool { return s.read(t, mr.Number).Mergeable == forge.MergeableYes })
	commit, err := s.f.Merge(t.Context(), mr.Number, forge.Merge{ExpectedHead: mr.HeadSHA, Message: "Grow\n\nVerified on all clusters."})
	noError(t, "Merge(...)", err)
	got := s.read(t, mr.Number)
	if got.State != forge.Merged || got.MergeCommit != commit || commit == "" || got.MergedBy != Bot || got.MergedAt.IsZero() || got.HeadSHA != mr.HeadSHA {
		t.Errorf("MergeRequest(...) after the merge to %s: got %+v", commit, got)
	}
	_, err = s.f.Merge(t.Context(), mr.Number, forge.Merge{ExpectedHead: mr.HeadSHA})
	s.want(t, "Merge(...) again", err, forge.Conflict)
	s.want(t, "Close(...) of a merged one", s.f.Close(t.Context(), mr.Number), forge.Conflict)
	s.want(t, "Reopen(...) of a merged one", s.f.Reopen(t.Context(), mr.Number), forge.Conflict)
}

// mergeSquash: as one commit.
func (s *suite) mergeSquash(t *testing.T) {
	mr := s.open(t)
	await(t, "it is mergeable", func() bool { return s.read(t, mr.Number).Mergeable == forge.MergeableYes })
	commit, err := s.f.Merge(t.Context(), mr.Number, forge.Merge{ExpectedHead: mr.HeadSHA, Method: forge.MethodSquash})
	noError(t, "Merge(... squash)", err)
	same(t, "MergeCommit", commit, s.read(t, mr.Number).MergeCommit)
}

// mergeMovedHead: a head that is not the expected one is not merged, nor is any head
// where none is expected.
func (s *suite) mergeMovedHead(t *testing.T) {
	mr := s.open(t)
	sha := s.Push(t, Push{Branch: mr.HeadRef, Files: map[string]string{"claims/late.yaml": "pushed while it was executed"}})
	await(t, "the push is seen", func() bool {
		got := s.read(t, mr.Number)
		return got.HeadSHA == sha && got.Mergeable == forge.MergeableYes
	})
	_, err := s.f.Merge(t.Context(), mr.Number, forge.Merge{ExpectedHead: mr.HeadSHA})
	s.want(t, "Merge(...) of the head before", err, forge.Conflict)
	for _, head := range []string{"", "HEAD", mr.HeadSHA[:12]} {
		_, err = s.f.Merge(t.Context(), mr.Number, forge.Merge{ExpectedHead: head})
		s.want(t, "Merge(...) of "+head, err, forge.Invalid)
	}
	_, err = s.f.Merge(t.Context(), mr.Number, forge.Merge{ExpectedHead: sha, Method: "octopus"})
	s.want(t, "Merge(...) by no method", err, forge.Invalid)
	same(t, "State", forge.Open, s.read(t, mr.Number).State)
}

// mergeConflict: content that does not merge.
func (s *suite) mergeConflict(t *testing.T) {
	mr := s.openWith(t, map[string]string{"claims/both.yaml": "theirs"})
	s.Push(t, Push{Branch: Base, Files: map[string]string{"claims/both.yaml": "ours"}})
	await(t, "it does not merge", func() bool { return s.read(t, mr.Number).Mergeable != forge.MergeableYes })
	_, err := s.f.Merge(t.Context(), mr.Number, forge.Merge{ExpectedHead: mr.HeadSHA})
	s.want(t, "Merge(...) of a conflict", err, forge.Conflict)
}

// mergeRefused: a draft, a closed one, one that is not there, somebody without rights.
func (s *suite) mergeRefused(t *testing.T) {
	mr := s.open(t)
	await(t, "it is mergeable", func() bool { return s.read(t, mr.Number).Mergeable == forge.MergeableYes })
	m := forge.Merge{ExpectedHead: mr.HeadSHA}
	_, err := s.as(t, Reader).Merge(t.Context(), mr.Number, m)
	s.want(t, "Merge(...) by a reader", err, forge.Forbidden, forge.NotFound)
	s.SetDraft(t, mr.Number, true)
	_, err = s.f.Merge(t.Context(), mr.Number, m)
	s.want(t, "Merge(...) of a draft", err, forge.Conflict)
	s.SetDraft(t, mr.Number, false)
	noError(t, "Close(...)", s.f.Close(t.Context(), mr.Number))
	_, err = s.f.Merge(t.Context(), mr.Number, m)
	s.want(t, "Merge(...) of a closed one", err, forge.Conflict)
	_, err = s.f.Merge(t.Context(), 99999, m)
	s.want(t, "Merge(99999)", err, forge.NotFound)
}

// closeReopen: both are done once, and again is nothing.
func (s *suite) closeReopen(t *testing.T) {
	mr := s.open(t)
	for _, do := range []struct {
		name string
		run  func() error
		want forge.State
	}{
		{"Close", func() error { return s.f.Close(t.Context(), mr.Number) }, forge.Closed},
		{"Close again", func() error { return s.f.Close(t.Context(), mr.Number) }, forge.Closed},
		{"Reopen", func() error { return s.f.Reopen(t.Context(), mr.Number) }, forge.Open},
		{"Reopen again", func() error { return s.f.Reopen(t.Context(), mr.Number) }, forge.Open},
	} {
		noError(t, do.name, do.run())
		same(t, do.name, do.want, s.read(t, mr.Number).State)
	}
	s.want(t, "Close(99999)", s.f.Close(t.Context(), 99999), forge.NotFound)
}

// branchDeleted: what was to be merged is still known; it cannot come back.
func (s *suite) branchDeleted(t *testing.T) {
	mr := s.open(t)
	noError(t, "Close(...)", s.f.Close(t.Context(), mr.Number))
	s.DeleteBranch(t, mr.HeadRef)
	await(t, "the branch is gone", func() bool { return forge.Is(s.f.Reopen(t.Context(), mr.Number), forge.Conflict) })
	got := s.read(t, mr.Number)
	if got.HeadSHA != mr.HeadSHA || got.State != forge.Closed || got.HeadRef != mr.HeadRef {
		t.Errorf("MergeRequest(...) whose branch is gone: got %+v", got)
	}
}
