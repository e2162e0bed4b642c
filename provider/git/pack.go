package git

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// checkPack refuses a pack with an object that would take more memory than one may. It looks at every
// object, because what one unpacks to is not seen from its size.
func checkPack(ctx context.Context, f io.ReadSeeker, limit int64) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	s := packfile.NewScanner(f)
	_, count, err := s.Header()
	if err != nil {
		return remote(fmt.Errorf("cannot read what was fetched: %w", err))
	}
	for range count {
		if err := ctx.Err(); err != nil {
			return remote(err)
		}
		h, err := s.NextObjectHeader()
		if err != nil {
			return remote(fmt.Errorf("cannot read what was fetched: %w", err))
		}
		w := &measure{limit: limit}
		if _, _, err := s.NextObject(w); err != nil {
			return remote(err)
		}
		if size := w.result(h); size > limit || h.Length > limit {
			return w.tooLarge()
		}
	}
	return nil
}

// measure what an object unpacks to, and keep its beginning.
type measure struct {
	limit, n int64
	head     bytes.Buffer
}

func (m *measure) Write(p []byte) (int, error) {
	if room := 2*binary.MaxVarintLen64 - m.head.Len(); room > 0 {
		m.head.Write(p[:min(room, len(p))])
	}
	if m.n += int64(len(p)); m.n > m.limit {
		return 0, m.tooLarge()
	}
	return len(p), nil
}

// result is the size of the object, which a delta says in its beginning: that of what it is from, and its own.
func (m *measure) result(h *packfile.ObjectHeader) int64 {
	if h.Type != plumbing.OFSDeltaObject && h.Type != plumbing.REFDeltaObject {
		return m.n
	}
	if _, err := binary.ReadUvarint(&m.head); err != nil {
		return m.n // The library refuses it.
	}
	size, err := binary.ReadUvarint(&m.head)
	if err != nil || size > 1<<62 {
		return 1 << 62
	}
	return int64(size)
}

func (m *measure) tooLarge() error {
	return &Error{Reason: TooLarge, Message: fmt.Sprintf("repository has a file of more than %d MiB in its history: keep claims in one of their own", m.limit>>20)}
}
