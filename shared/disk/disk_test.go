package disk

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloudcanvas/shared/durable/disktest"
)

// journal keeps what is logged, for all goroutines.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) lines() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Split(strings.TrimSpace(j.b.String()), "\n")
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain for " + what)
		}
	}
}

func TestADiskIsOneStateWithOneLineAtEachEnd(t *testing.T) {
	at := filepath.Join(t.TempDir(), "disk")
	d := disktest.Tmpfs(t, at, "32m")
	for _, c := range []struct {
		name        string
		break_, fix func()
		reason      error
	}{
		{"full", func() { d.Fill(4096) }, d.Tidy, ErrFull},
		{"closed to writers", func() { d.ReadOnly(true) }, func() { d.ReadOnly(false) }, ErrReadOnly},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log journal
			var reported []error
			s := NewSet(slog.New(slog.NewTextHandler(&log, nil)), func(_ string, why error) { reported = append(reported, why) })
			defer s.Close()
			w := s.Of(at)
			w.again = 10 * time.Millisecond
			if os.MkdirAll(filepath.Join(at, "deeper"), 0o755); s.Of(filepath.Join(at, "deeper")) != w {
				t.Error("two folders of one disk have two states")
			}
			if w.Blames(errors.New("no such item")) || s.Err() != nil {
				t.Fatal("a disk that is well was blamed")
			}
			c.break_()
			for range 20 {
				if !w.Blames(os.WriteFile(filepath.Join(at, "x"), make([]byte, 1<<20), 0o600)) {
					t.Fatal("the disk was not blamed")
				}
			}
			if !w.Blames(errors.New("a library that does not say what the system said")) {
				t.Error("the disk was not tried")
			}
			if err := s.Err(); !errors.Is(err, c.reason) || !strings.Contains(err.Error(), at) {
				t.Errorf("got %v", err)
			}
			c.fix()
			until(t, "a disk that is well again", func() bool { return s.Err() == nil })
			if lines := log.lines(); len(lines) != 2 {
				t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
			}
			if len(reported) != 3 || reported[0] != nil || !errors.Is(reported[1], c.reason) || reported[2] != nil {
				t.Errorf("got %v", reported)
			}
		})
	}
}

func TestADiskWithRoomForLittleIsFullUntilMoreIsFreeOrNobodyIsRefused(t *testing.T) {
	now, have := time.Now(), room{free: 100 << 20, total: 1 << 40}
	w := &Watch{dir: "/d", log: slog.New(slog.DiscardHandler), onChange: func(string, error) {}, again: time.Hour,
		look: func(string) (room, error) { return have, nil }, now: func() time.Time { return now }}
	defer w.close()
	big := fmt.Errorf("write mask.tif: %w", syscall.ENOSPC)
	for range 3 { // one that needs more than there is, again and again, while little ones succeed
		if !w.Blames(big) {
			t.Fatal("not blamed")
		}
		now = now.Add(time.Minute)
		if w.tryAgain(); w.Err() == nil {
			t.Fatal("it counts as well while the same write is refused")
		}
	}
	have.free += 64 << 20
	if w.tryAgain(); w.Err() != nil {
		t.Errorf("room was made: %v", w.Err())
	}
	w.Blames(big)
	now = now.Add(quiet)
	if w.tryAgain(); w.Err() != nil {
		t.Errorf("nothing was refused for long: %v", w.Err())
	}
}

func TestNothingIsBlamedWhereNobodyWatches(t *testing.T) {
	var w *Watch
	var s *Set
	if w.Blames(syscall.ENOSPC) || w.Err() != nil || s.Err() != nil {
		t.Error("nil blames")
	}
}
