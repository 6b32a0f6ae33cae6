package worker

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// dies runs a worker until the model sees item number victim, and then leaves the world as a killed
// worker would: the lease gone, its note still there. The model's goroutine is let go at the end.
func (w *world) dies(t *testing.T, victim float32) {
	t.Helper()
	seen, goOn := make(chan struct{}), make(chan struct{})
	w.before = func(m vision.Image) {
		if m.Planes[0][0] == victim {
			close(seen)
			<-goOn
		}
	}
	stop := start(t, w.worker(t, Config{BatchItems: 8, Prefetch: 16}, Fixed{0}))
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
}

func TestAnItemInHandAtTwoDeathsIsADeadLetter(t *testing.T) {
	w := newWorld()
	for n := range 40 {
		w.put(0, tile(n, ""))
	}
	victim := w.logs[0][11]
	w.dies(t, 11)
	if len(w.letters) != 0 {
		t.Fatal("one death is no proof")
	}
	w.dies(t, 11)
	if w.offsets[0] != 11 {
		t.Fatalf("the careful owner got to offset %d, want all before the victim done", w.offsets[0])
	}
	start(t, w.worker(t, Config{BatchItems: 8, Prefetch: 16}, Fixed{0}))
	w.until(t, "the partition is done", func() bool { return w.offsets[0] == 40 })
	if len(w.letters) != 1 || string(w.letters[0].Key) != string(victim.Key) {
		t.Fatalf("dead letters %v", w.letters)
	}
	ids := map[string]bool{}
	for _, r := range w.results {
		ids[r.ID.String()] = true
	}
	if len(ids) != 39 || ids[event.ResultID(victim.Item.ID, "six", "1").String()] {
		t.Fatalf("%d different results, want all but the victim's", len(ids))
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
	if len(w.letters) != 0 {
		t.Fatalf("dead letters %v", w.letters)
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
	if s := suspect(left, "next", w.offsets[0], 16); s.doomed != 11 || s.until <= 11 {
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
	for _, c := range []struct {
		name, note    string
		committed     int64
		until, doomed int64
		dead          string
	}{
		{"nothing left", "", 5, 0, -1, ""},
		{"not a note", "\xff{", 5, 0, -1, ""},
		{"its own life", note{Run: "me", From: 5}.String(), 5, 0, -1, ""},
		{"died at work", note{Run: "other", From: 3}.String(), 5, 21, -1, "other"},
		{"died careful at 7", note{Run: "other", From: 5, At: &at, Until: 21}.String(), 7, 21, 7, "other"},
		{"left before it was settled", suspicion{21, 7, "other"}.left(6).String(), 6, 21, 7, "other"},
		{"left after 7 was done", suspicion{21, 7, "other"}.left(9).String(), 9, 21, -1, "other"},
		{"died careful, 7 was done", note{Run: "other", From: 5, At: &at, Until: 21}.String(), 8, 21, -1, "other"},
	} {
		if got := suspect(c.note, "me", c.committed, 16); got != (suspicion{c.until, c.doomed, c.dead}) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
