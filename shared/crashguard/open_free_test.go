package crashguard

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
)

func TestProcessesOnOneMachineHaveJournalsOfTheirOwn(t *testing.T) {
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	take := func() *Guard {
		t.Helper()
		l, err := OpenFree(dir, "worker", DefaultConfig(), log)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	a, b := take(), take()
	if a.notes == b.notes {
		t.Fatal("they share notes")
	}
	die(t, a, segv, picture("x.png"))
	a.lock.Close() // as the kernel does when the process is gone
	if again := take(); again.notes != a.notes || again.LastEnd().Run != a.RunID() || again.LastEnd().End != "crashed" {
		t.Fatalf("the next one has %s and knows %+v", again.notes, again.LastEnd())
	}
	if m, err := OpenFree(dir, "mosaic", DefaultConfig(), log); err != nil || filepath.Dir(m.notes) != filepath.Join(dir, "mosaic-0") {
		t.Error(err)
	}
	if _, err := OpenFree("/proc/nothing", "worker", DefaultConfig(), log); err == nil || !strings.Contains(err.Error(), "attempts.folder") {
		t.Errorf("told %v", err)
	}
}

func TestAPanicIsAnErrorThatSaysWhere(t *testing.T) {
	err := Shield(func() error {
		var none []int
		_ = none[len(t.Name())]
		return nil
	})
	var p *Panic
	if !errors.As(err, &p) || !strings.HasPrefix(p.Stack, "open_free_test.go:") || !strings.Contains(err.Error(), "index out of range") {
		t.Errorf("told %v", err)
	}
	if err := Shield(func() error { return errors.ErrUnsupported }); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("told %v", err)
	}
}
