package crashguard

import (
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
		t.Errorf("got %v", err)
	}
}
