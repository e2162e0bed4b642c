// Package statedir keeps state in directories so that it survives a kill at any
// moment: a file is either the old or the new one, and one holder at a time
// changes a directory. The kernel drops the lock of a holder that dies.
//
// Deliberately absent: what the state means. Callers treat a file that they cannot
// read as one that is not there, and make it again.
package statedir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockName is the file in a directory that its holder has locked.
const lockName = ".lock"

// lockPoll is how often a lock that somebody holds is tried again.
const lockPoll = 20 * time.Millisecond

// ErrGone says that a directory to be locked does not exist.
var ErrGone = errors.New("directory does not exist")

// WriteFile writes a file that only its owner can read, all of it or nothing.
func WriteFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("cannot create file: %w", err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("cannot write file: %w", err), os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return errors.Join(fmt.Errorf("cannot put file in place: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// Lock makes a directory where there is none and waits until nobody else holds
// it. The directory may be removed while it is held.
func Lock(ctx context.Context, dir string) (unlock func(), err error) {
	for {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("cannot make directory: %w", err)
		}
		unlock, err := LockExisting(ctx, dir)
		if errors.Is(err, ErrGone) {
			continue
		}
		return unlock, err
	}
}

// LockExisting waits until nobody else holds a directory. ErrGone says that there
// is no such directory, or is none any more.
func LockExisting(ctx context.Context, dir string) (unlock func(), err error) {
	t := time.NewTicker(lockPoll)
	defer t.Stop()
	for {
		f, err := tryLock(dir)
		if err != nil {
			return nil, err
		}
		if f != nil {
			return func() { _ = f.Close() }, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("cannot lock directory: %w", ctx.Err())
		case <-t.C:
		}
	}
}

// tryLock returns no file where somebody else holds the directory.
func tryLock(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrGone
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
			return nil, f.Close()
		}
		return nil, errors.Join(fmt.Errorf("cannot lock directory: %w", err), f.Close())
	}
	// Its last holder may have removed the directory, and somebody may have made
	// it again: then this is the lock of a directory that is no more.
	held, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot stat lock: %w", err), f.Close())
	}
	there, err := os.Stat(path)
	if err != nil || !os.SameFile(held, there) {
		return nil, f.Close()
	}
	return f, nil
}

// Exists returns true where there is a directory, or something of it that Remove
// left when it was killed.
func Exists(dir string) (bool, error) {
	for _, d := range []string{dir, leaving(dir)} {
		_, err := os.Stat(d)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("cannot look for directory: %w", err)
		}
	}
	return false, nil
}

// Remove a directory that the caller holds, or that does not exist. It is put out
// of the way first: those who wait for it must find all of it or nothing.
func Remove(dir string) error {
	if err := os.RemoveAll(leaving(dir)); err != nil {
		return fmt.Errorf("cannot remove directory: %w", err)
	}
	if err := os.Rename(dir, leaving(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot put directory out of the way: %w", err)
	}
	if err := os.RemoveAll(leaving(dir)); err != nil {
		return fmt.Errorf("cannot remove directory: %w", err)
	}
	return nil
}

// leaving is where a directory is while it is removed. No other is called so.
func leaving(dir string) string {
	return filepath.Join(filepath.Dir(dir), ".removing-"+filepath.Base(dir))
}

// RemoveLock removes the lock of a directory that the caller holds, and lets go of
// nothing: others who wait notice that it is gone.
func RemoveLock(dir string) error {
	if err := os.Remove(filepath.Join(dir, lockName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove lock: %w", err)
	}
	return nil
}

// RemoveEmpty removes a directory that is empty. That it is not, or is not there,
// is no error.
func RemoveEmpty(dir string) error {
	err := os.Remove(dir)
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTEMPTY) {
		return nil
	}
	return fmt.Errorf("cannot remove directory: %w", err)
}
