package outbox

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"cloudcanvas/shared/event"
)

func TestAWithdrawnItemIsSuperseded(t *testing.T) {
	o := open(t, t.TempDir(), DefaultConfig())
	d := draft(1)
	d.Key = "camera/1/update-1"
	if _, err := o.Commit(t.Context(), d, draft(2)); err != nil {
		t.Fatal(err)
	}
	if !o.WaitsUnder(d.Key) || o.WaitsUnder("unknown") {
		t.Error("what waits is known by its key")
	}
	for _, want := range []int{1, 0} {
		if n, err := o.Withdraw(t.Context(), d.Key, "unknown"); n != want || err != nil {
			t.Errorf("%d withdrawn, %v; want %d", n, err, want)
		}
	}
	if s := balanced(t, o); s.Dropped != 1 || o.Waits(1) || !o.Waits(2) || o.WaitsUnder(d.Key) {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsAskedForBecomesUrgent(t *testing.T) {
	o := open(t, t.TempDir(), DefaultConfig())
	if _, err := o.Commit(t.Context(), draft(1), draft(2)); err != nil {
		t.Fatal(err)
	}
	o.Fresh()
	if n, err := o.Raise(t.Context(), "scene/2_0", event.High); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if refs := o.Fresh(); len(refs) != 1 || refs[0].Seq != 2 || refs[0].Priority != event.High || refs[0].Rung != event.RungTile || refs[0].Stream != "scene" {
		t.Errorf("%+v", refs)
	}
	if n, err := o.Raise(t.Context(), "scene/2_0", event.High); n != 0 || err != nil {
		t.Errorf("raised again: %d %v", n, err)
	}
	if i, err := o.Load(2); err != nil || i.Priority != event.High {
		t.Error(i.Priority, err)
	}
}

func TestPartsThatTheCloudHoldsAreKnownAfterARestart(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir, DefaultConfig())
	if _, err := o.Commit(t.Context(), large(1)); err != nil {
		t.Fatal(err)
	}
	held := []event.Range{{From: 0, To: 3}, {From: 6, To: 6}}
	r := event.Receipt{Epoch: o.Epoch(), Parts: []event.PartsHeld{{Seq: 1, Of: 10, Have: held}, {Seq: 77, Of: 2}}}
	if _, err := o.Receive(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	o.Close()
	o = open(t, dir, DefaultConfig())
	if of, have := o.Parts(1); of != 10 || !slices.Equal(have, held) {
		t.Errorf("%d %v", of, have)
	}
	if of, _ := o.Parts(77); of != 0 {
		t.Error("parts of what does not wait are kept")
	}
	if _, err := o.Receive(t.Context(), event.Receipt{Epoch: r.Epoch, Through: 1}); err != nil {
		t.Fatal(err)
	}
	if of, _ := o.Parts(1); of != 0 {
		t.Error("parts of what was received are kept")
	}
}

func TestAJumpOfTheWallClockIsNotTakenForTimeThatWentBy(t *testing.T) {
	for _, c := range []struct{ wall, monotonic, jump time.Duration }{
		{time.Hour, time.Hour, 0}, {time.Hour, time.Hour - time.Second, 0},
		{50 * 365 * 24 * time.Hour, time.Second, 50*365*24*time.Hour - time.Second}, {-time.Hour, time.Minute, -time.Hour - time.Minute},
	} {
		if j := clockJump(c.wall, c.monotonic); j != c.jump {
			t.Errorf("%s on the wall in %s: a jump of %s, want %s", c.wall, c.monotonic, j, c.jump)
		}
	}
	clock := wallClock{last: time.Now()}
	if j := clock.jump(clock.last.Add(10 * time.Minute)); j != 0 {
		t.Errorf("ten minutes that went by are a jump of %s", j)
	}
}

// TestAMillionItemsAreNotHeldInMemory also says how long opening takes. Short: ten thousand.
func TestAMillionItemsAreNotHeldInMemory(t *testing.T) {
	n := 10_000
	if os.Getenv("CANVAS_SOAK") != "" {
		n = 1_000_000
	}
	dir := t.TempDir()
	o := open(t, dir, DefaultConfig())
	data := make([]byte, 1<<10)
	for begin := 0; begin < n; begin += 1000 {
		answers := make([]<-chan Answer, 1000)
		for i := range answers {
			answers[i] = o.Submit(t.Context(), Draft{Kind: event.Reading, Stream: "s", Subject: fmt.Sprint(begin + i), Priority: event.Priority((begin + i) % 4), Data: data})
		}
		for _, a := range answers {
			if a := <-a; a.Err != nil {
				t.Fatal(a.Err)
			}
		}
		o.Fresh()
	}
	o.Close()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	o = open(t, dir, DefaultConfig())
	took := time.Since(start)
	seen, last := 0, event.Urgent
	for refs := o.Fresh(); len(refs) > 0; refs = o.Fresh() {
		seen += len(refs)
		for _, r := range refs {
			if r.Priority < last {
				t.Fatal("what is less urgent came before")
			}
			last = r.Priority
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if seen != n {
		t.Errorf("%d of %d came", seen, n)
	}
	if more := int64(after.HeapAlloc) - int64(before.HeapAlloc); more > 20<<20 {
		t.Errorf("%d MiB are held for %d items", more>>20, n)
	}
	t.Logf("%d items: opened in %s, all read in %s, %d KiB more on the heap", n, took, time.Since(start), (int64(after.HeapAlloc)-int64(before.HeapAlloc))>>10)
}
