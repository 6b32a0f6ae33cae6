// Package disk watches whether the disks that a process writes to take what is written. A disk
// that is full, closed to writers or failing is one state, however many writes it refuses: one line in
// the log when it begins, one when it ends, and an answer to those who ask in between.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"cloudcanvas/shared/telemetry"
)

// Reasons why a disk takes no writes. Each says what to do.
var (
	ErrFull     = errors.New("the disk is full; make room on it, or give it more")
	ErrReadOnly = errors.New("the disk is closed to writers; after an I/O error the kernel closes it (see dmesg): check it, then mount it again")
	ErrFailing  = errors.New("the disk fails to write; see dmesg, and replace it")
)

// reasonOf is which of them an error of a write means, or nil.
func reasonOf(err error) error {
	for errno, reason := range map[syscall.Errno]error{
		syscall.ENOSPC: ErrFull, syscall.EDQUOT: ErrFull, syscall.EROFS: ErrReadOnly, syscall.EIO: ErrFailing, unix.EUCLEAN: ErrFailing, syscall.ENODEV: ErrFailing,
	} {
		if errors.Is(err, errno) {
			return reason
		}
	}
	return nil
}

// Set are the disks of a process. Folders on one disk share its state. Safe for concurrent use.
type Set struct {
	log      *slog.Logger
	onChange func(dir string, why error)

	mu  sync.Mutex
	all map[uint64]*Watch
}

// NewSet makes an empty one. onChange is called when a disk begins to take no writes, and with a nil why when it
// takes them again; it may be nil.
func NewSet(log *slog.Logger, onChange func(dir string, why error)) *Set {
	if onChange == nil {
		onChange = func(string, error) {}
	}
	return &Set{log: log, onChange: onChange, all: map[uint64]*Watch{}}
}

// Of is the watch over the disk that a folder lies on. The folder must be there; of one that is not, a
// watch that knows nothing but what is reported to it.
func (s *Set) Of(dir string) *Watch {
	var at unix.Stat_t
	device := uint64(0)
	if err := unix.Stat(dir, &at); err == nil {
		device = uint64(at.Dev) //nolint:unconvert // it has another type elsewhere
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.all[device]
	if w == nil {
		w = &Watch{dir: dir, log: s.log, onChange: s.onChange, look: look, now: time.Now, again: time.Second}
		s.all[device] = w
		s.onChange(dir, nil)
	}
	return w
}

// Err says why one of the disks takes no writes, or nil. A nil Set has none.
func (s *Set) Err() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []error
	for _, w := range s.all {
		all = append(all, w.Err())
	}
	return errors.Join(all...)
}

// Close ends looking after them.
func (s *Set) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.all {
		w.close()
	}
}

// Watch is the state of one disk. A nil Watch blames nothing. Safe for concurrent use.
type Watch struct {
	dir      string
	log      *slog.Logger
	onChange func(dir string, why error)
	look     func(dir string) (room, error)
	now      func() time.Time
	again    time.Duration // between two looks at a disk that refuses

	mu     sync.Mutex
	why    error // nil: it takes writes
	since  time.Time
	last   time.Time // that it refused something
	want   int64     // free bytes that end a full disk's state at once
	timer  *time.Timer
	closed bool
}

// quiet is how long nothing may have been refused before a disk with little room counts as well again:
// longer than those who were refused wait.
const quiet = 2 * time.Minute

// Blames says whether it was the disk that made a write fail, and begins its state where that is new.
// Not every library says what the system said; then the disk is tried.
func (w *Watch) Blames(err error) bool {
	if w == nil || err == nil {
		return false
	}
	now, bad := w.look(w.dir)
	reason := reasonOf(err)
	if reason == nil {
		reason = reasonOf(bad)
	}
	if reason == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last, w.want = w.now(), now.free+now.least()
	if w.why != nil || w.closed {
		return true
	}
	w.why, w.since = reason, w.last
	w.log.Error("a disk takes no writes; what needs it waits", "folder", w.dir, "reason", reason, telemetry.Err, err)
	w.onChange(w.dir, reason)
	w.timer = time.AfterFunc(w.again, w.tryAgain)
	return true
}

// Err says why the disk takes no writes, or nil.
func (w *Watch) Err() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.why == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", w.dir, w.why)
}

// tryAgain ends the state where the disk takes writes.
func (w *Watch) tryAgain() {
	now, err := w.look(w.dir)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.why == nil {
		return
	}
	if reasonOf(err) != nil || errors.Is(w.why, ErrFull) && now.free < w.want && w.now().Sub(w.last) < quiet {
		w.timer = time.AfterFunc(w.again, w.tryAgain)
		return
	}
	w.log.Info("the disk takes writes again", "folder", w.dir, "after", w.now().Sub(w.since).Round(time.Second), "was", w.why)
	w.why = nil
	w.onChange(w.dir, nil)
}

func (w *Watch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

// Any are several disks, one of which a write went to.
type Any []*Watch

// Blames says whether it was one of them that made a write fail: the one that fails when it is tried, else
// the first, where the error says that it was a disk.
func (a Any) Blames(err error) (blamed bool) {
	if err == nil {
		return false
	}
	for _, w := range a {
		if w == nil {
			continue
		}
		if _, bad := w.look(w.dir); reasonOf(bad) != nil {
			blamed = w.Blames(bad) || blamed
		}
	}
	return blamed || len(a) > 0 && a[0].Blames(err)
}

// Err says why one of them takes no writes, or nil.
func (a Any) Err() error {
	var all []error
	for _, w := range a {
		all = append(all, w.Err())
	}
	return errors.Join(all...)
}

// room is what a disk has.
type room struct{ free, total int64 }

// least is the room below which a disk counts as full: 64 MiB, or of a small one 5 %.
func (r room) least() int64 { return min(64<<20, r.total/20) }

// look tries a disk: its room, then a small file that is written, synced and removed.
func look(dir string) (room, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return room{}, err
	}
	r := room{free: int64(s.Bavail) * s.Bsize, total: int64(s.Blocks) * s.Bsize}
	if s.Flags&unix.ST_RDONLY != 0 {
		return r, syscall.EROFS
	}
	if r.free < r.least() {
		return r, syscall.ENOSPC
	}
	return r, try(dir)
}

func try(dir string) (err error) {
	f, err := os.CreateTemp(dir, ".disk-")
	if errors.Is(err, fs.ErrPermission) {
		return nil // this process only reads here
	}
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Sync(), f.Close())
}
