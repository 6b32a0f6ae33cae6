package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// dies runs a worker until the model sees item number victim, and then leaves the world as a dead
// worker would: the lease gone, its note still there. The model's goroutine is let go at the end.
func (w *world) dies(t *testing.T, victim float32) (run string) {
	t.Helper()
	seen, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.before = func(m vision.Image) {
		if m.Planes[0][0] == victim {
			once.Do(func() { close(seen) })
			<-goOn
		}
	}
	made := w.worker(t, Config{BatchItems: 8, Prefetch: 16}, Fixed{0})
	stop := start(t, made)
	<-seen
	w.mu.Lock()
	note := w.notes["canvas.work-0"]
	w.barred = true
	w.lose["canvas.work-0"]()
	w.mu.Unlock()
	close(goOn)
	stop()
	w.mu.Lock()
	w.barred = false
	w.notes["canvas.work-0"] = note
	w.before = nil
	w.mu.Unlock()
	return made.run
}

// tells puts how a worker ended where the others read it.
func (w *world) tells(t *testing.T, told ...exitReport) {
	t.Helper()
	reports, version, err := readReports(t.Context(), w.deaths)
	if err != nil {
		t.Fatal(err)
	}
	data, _ := json.Marshal(append(reports, told...))
	if _, err := w.deaths.Put(t.Context(), data, version); err != nil {
		t.Fatal(err)
	}
}

func TestAnItemThatAWorkerDiedOfAloneIsADeadLetter(t *testing.T) {
	w := newWorld()
	for n := range 40 {
		w.put(0, tile(n, ""))
	}
	victim := w.logs[0][11]
	w.tells(t, exitReport{Run: w.dies(t, 11), End: "crashed"})
	if len(w.deadLetters) != 0 {
		t.Fatal("one death is no proof")
	}
	run := w.dies(t, 11)
	w.tells(t, exitReport{Run: run, End: "crashed", Why: "SIGSEGV in C", Items: []string{attemptKey(&victim.Item)}})
	if w.offsets[0] != 11 {
		t.Fatalf("the careful owner got to offset %d, want all before the victim done", w.offsets[0])
	}
	start(t, w.worker(t, Config{BatchItems: 8, Prefetch: 16}, Fixed{0}))
	w.until(t, "the partition is done", func() bool { return w.offsets[0] == 40 })
	if len(w.deadLetters) != 1 || string(w.deadLetters[0].Entry.Key) != string(victim.Key) || w.deadLetters[0].Class != "cloudcanvas.worker.Deadly" {
		t.Fatalf("dead letters %v", w.deadLetters)
	}
	ids := map[string]bool{}
	for _, r := range w.results {
		ids[r.ID.String()] = true
	}
	if len(ids) != 39 || ids[event.ResultID(victim.Item.ID, "six", "1").String()] {
		t.Fatalf("%d different results, want all but the victim's", len(ids))
	}
}

// TestWorkersKilledFromOutsideCondemnNobody kills them again and again with one item in hand, as somebody
// does who kills whatever begins. Each tells that it was killed.
func TestWorkersKilledFromOutsideCondemnNobody(t *testing.T) {
	w := newWorld()
	for n := range 40 {
		w.put(0, tile(n, ""))
	}
	for range 3 * maxUnknown {
		w.tells(t, exitReport{Run: w.dies(t, 11), End: "killed"})
	}
	start(t, w.worker(t, Config{}, Fixed{0}))
	w.until(t, "the partition is done", func() bool { return w.offsets[0] == 40 })
	if len(w.deadLetters) != 0 {
		t.Fatalf("dead letters %v", w.deadLetters)
	}
}

// TestAnItemThatNobodyExplainsIsGivenUpInTheEnd has workers that never start again.
func TestAnItemThatNobodyExplainsIsGivenUpInTheEnd(t *testing.T) {
	w := newWorld()
	for n := range 20 {
		w.put(0, tile(n, ""))
	}
	for deaths := range maxUnknown + 1 { // the first with others in hand
		if len(w.deadLetters) != 0 {
			t.Fatalf("given up after %d deaths", deaths)
		}
		w.dies(t, 11)
	}
	start(t, w.worker(t, Config{}, Fixed{0}))
	w.until(t, "the partition is done", func() bool { return w.offsets[0] == 20 })
	if len(w.deadLetters) != 1 {
		t.Fatalf("dead letters %v", w.deadLetters)
	}
}

// TestAWorkerTellsHowItEndedBeforeItOwnsAnything has a ledger on disk whose process has crashed.
func TestAWorkerTellsHowItEndedBeforeItOwnsAnything(t *testing.T) {
	w, dir := newWorld(), t.TempDir()
	entry := w.put(0, tile(0, ""))
	w.put(0, tile(1, ""))
	config := crashguard.DefaultConfig()
	config.Notes = filepath.Join(dir, "notes")
	ledger := func() *crashguard.Guard {
		l, err := crashguard.Open(dir, config, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	crash := func(l *crashguard.Guard) {
		j := job{entry: entry, alone: true}
		if _, err := l.Begin(t.Context(), j.input()); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(config.Notes, "crash"), []byte("SIGSEGV: segmentation violation\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := ledger()
	crash(first)
	made := w.worker(t, Config{}, Fixed{0})
	made.Attempts = ledger()
	start(t, made)
	w.until(t, "the partition is done", func() bool { return w.offsets[0] == 2 })
	reports, _, err := readReports(t.Context(), w.deaths)
	if err != nil || len(reports) != 1 || reports[0].Run != first.RunID() || reports[0].End != "crashed" || len(reports[0].Items) != 1 {
		t.Fatalf("told %+v, %v", reports, err)
	}
	if made.Attempts.Suspect(attemptKey(&entry.Item)) || len(w.deadLetters) != 0 {
		t.Error("it went well alone and is still suspected")
	}
}

// TestWhatThisMachineGaveUpIsADeadLetterOnce has an item that its own ledger has quarantined.
func TestWhatThisMachineGaveUpIsADeadLetterOnce(t *testing.T) {
	w, dir := newWorld(), t.TempDir()
	entry := w.put(0, tile(0, ""))
	config := crashguard.DefaultConfig()
	config.Notes, config.Deaths = filepath.Join(dir, "notes"), 1
	for range 2 {
		l, err := crashguard.Open(dir, config, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if j := (&job{entry: entry}); l.Quarantined() == 0 {
			l.Begin(t.Context(), j.input())
			os.WriteFile(filepath.Join(config.Notes, "crash"), []byte("SIGABRT: abort\n"), 0o600)
			continue
		}
		made := w.worker(t, Config{}, Fixed{0})
		made.Attempts = l
		start(t, made)
		w.until(t, "the partition is done", func() bool { return w.offsets[0] == 1 })
		if len(w.deadLetters) != 1 {
			t.Fatalf("dead letters %v", w.deadLetters)
		}
		w.put(0, tile(0, "")) // somebody puts it back
		w.until(t, "it is tried again", func() bool { return w.offsets[0] == 2 })
		if len(w.deadLetters) != 1 || len(w.results) != 1 {
			t.Fatalf("%d dead letters, %d results", len(w.deadLetters), len(w.results))
		}
	}
}

func TestTwoDeathsAtDifferentItemsCondemnNobody(t *testing.T) {
	w := newWorld()
	for n := range 40 {
		w.put(0, tile(n, ""))
	}
	w.dies(t, 5)
	w.dies(t, 30)
	start(t, w.worker(t, Config{}, Fixed{0}))
	w.until(t, "the partition is done", func() bool { return w.offsets[0] == 40 })
	if len(w.deadLetters) != 0 {
		t.Fatalf("dead letters %v", w.deadLetters)
	}
}

func TestAWorkerThatLeavesHandsItsSuspicionOn(t *testing.T) {
	w := newWorld()
	for n := range 40 {
		w.put(0, tile(n, ""))
	}
	w.dies(t, 11)
	w.dies(t, 11)
	full := make(chan struct{})
	var once sync.Once
	w.appends = func() error { once.Do(func() { close(full) }); return errors.New("not now") } // it does not get beyond the first
	w.offsets[0], w.notes["canvas.work-0"] = 9, strings.Replace(w.notes["canvas.work-0"], `"from":11`, `"from":9`, 1)
	stop := start(t, w.worker(t, Config{BatchItems: 8, Prefetch: 16, Grace: time.Millisecond}, Fixed{0}))
	<-full
	w.change(func() { w.appends = nil })
	stop()
	w.mu.Lock()
	left := w.notes["canvas.work-0"]
	w.mu.Unlock()
	if s := suspect(left, "next", w.offsets[0], 16); s.at != 11 || len(s.runs) != 1 || s.until <= 11 {
		t.Errorf("it left %s: %+v", left, s)
	}
}

func TestNotesDependOnOwnersNotOnMessages(t *testing.T) {
	w := newWorld()
	for n := range 300 {
		w.put(0, tile(n, ""))
	}
	stop := start(t, w.worker(t, Config{}, Fixed{0}))
	w.until(t, "the partition is done", func() bool { return w.offsets[0] == 300 })
	stop()
	notes := 0
	for _, h := range w.history {
		if strings.HasPrefix(h, "note") {
			notes++
		}
	}
	if notes != 2 {
		t.Fatalf("%d notes for one lease, want one at the beginning and one at the end", notes)
	}
}

func TestSuspicionReadsAnyNote(t *testing.T) {
	at := int64(7)
	settled := func(until, at int64, dead string, runs ...string) suspicion {
		return suspicion{until: until, at: at, run: dead, runs: runs}
	}
	for _, c := range []struct {
		name, note string
		committed  int64
		want       suspicion
	}{
		{"nothing left", "", 5, settled(0, -1, "")},
		{"not a note", "\xff{", 5, settled(0, -1, "")},
		{"its own life", note{Run: "me", From: 5}.String(), 5, settled(0, -1, "")},
		{"died at work", note{Run: "other", From: 3}.String(), 5, settled(21, -1, "other")},
		{"died careful at 7", note{Run: "other", From: 5, At: &at, Until: 21}.String(), 7, settled(21, 7, "other", "other")},
		{"died careful at 7 as another before", note{Run: "other", From: 5, At: &at, Until: 21, Tries: []string{"first"}}.String(), 7, settled(21, 7, "other", "first", "other")},
		{"left before it was settled", settled(21, 7, "other", "first", "other").note(6).String(), 6, settled(21, 7, "other", "first", "other")},
		{"left after 7 was done", settled(21, 7, "other", "other").note(9).String(), 9, settled(21, -1, "other")},
		{"died careful, 7 was done", note{Run: "other", From: 5, At: &at, Until: 21}.String(), 8, settled(21, -1, "other")},
	} {
		if got := suspect(c.note, "me", c.committed, 16); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// TestAnObjectLargerThanMayBeReadDoesNotStopItsPartition has a store that refuses one for ever.
func TestAnObjectLargerThanMayBeReadDoesNotStopItsPartition(t *testing.T) {
	w := newWorld()
	large := tile(0, "")
	large.Attrs.DataRef, large.Data = "items/large", nil
	w.put(0, large)
	w.put(0, tile(1, ""))
	made := w.worker(t, Config{}, Fixed{0})
	made.Objects = refusing{}
	start(t, made)
	w.until(t, "the partition is done", func() bool { return w.offsets[0] == 2 })
	if len(w.deadLetters) != 1 || len(w.results) != 1 {
		t.Fatalf("%d dead letters, %d results", len(w.deadLetters), len(w.results))
	}
}

type refusing struct{}

func (refusing) Get(_ context.Context, ref string) ([]byte, error) {
	return nil, fmt.Errorf("read object %s: %w", ref, event.ErrTooLarge)
}
