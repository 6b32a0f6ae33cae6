package outbox

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"cloudcanvas/shared/event"
)

var quiet = slog.New(slog.DiscardHandler)

// TestMain keeps property tests short where nobody asked for long ones: under the race detector each
// of their transactions takes a while.
func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("CANVAS_SOAK") == "" {
		flag.Set("rapid.checks", "25")
	}
	os.Exit(m.Run())
}

func open(t testing.TB, dir string, c Config) *Outbox {
	t.Helper()
	o, err := Open(dir, "mast-7", c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o
}

// memory is a folder whose files need no disk, for tests whose many syncs would take most of the time.
func memory() string {
	const shared = "/dev/shm"
	if _, err := os.Stat(shared); err != nil {
		return ""
	}
	return shared
}

func draft(n int) Draft {
	return Draft{Kind: event.Tile, Stream: "scene", Subject: fmt.Sprintf("scene/%d_0", n), Priority: event.Normal, Value: 0.5,
		Attrs: event.Attrs{Scene: "scene", Tile: fmt.Sprintf("%d_0", n), Want: "segment"}, Type: "image/tiff", Data: bytes.Repeat([]byte{byte(n)}, 100)}
}

// balanced checks the promise of exact accounting.
func balanced(t testing.TB, o *Outbox) Stats {
	t.Helper()
	s := o.Stats()
	if s.Committed != s.Received+s.Waiting+s.Dropped {
		t.Fatalf("committed %d, received %d + waiting %d + dropped %d", s.Committed, s.Received, s.Waiting, s.Dropped)
	}
	return s
}

func TestWhatIsCommittedIsThereAfterARestart(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	o := open(t, dir, DefaultConfig())
	items, err := o.Commit(t.Context(), draft(1), draft(2), draft(3))
	if err != nil {
		t.Fatal(err)
	}
	for i, item := range items {
		if item.Seq != uint64(i+1) || item.Epoch != o.Epoch() || item.SHA256 != event.Sum(item.Data) {
			t.Errorf("item %d: %+v", i, item)
		}
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, DefaultConfig())
	defer again.Close()
	if again.Epoch() == o.Epoch() || again.DatabaseID() != o.DatabaseID() {
		t.Error("a start begins a new epoch of the same database")
	}
	got, err := again.Load(2)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != items[1].ID || got.Epoch != o.Epoch() || got.Seq != 2 || !bytes.Equal(got.Data, items[1].Data) || got.Attrs != items[1].Attrs || !got.Time.Equal(items[1].Time) {
		t.Errorf("got %+v\nwant %+v", got, items[1])
	}
	if fresh := again.Fresh(); len(fresh) != 3 {
		t.Errorf("%d items wait", len(fresh))
	}
	if more, err := again.Commit(t.Context(), draft(4)); err != nil || more[0].Seq != 1 || more[0].Epoch != again.Epoch() || again.Number(again.Epoch(), 1) != 4 {
		t.Errorf("%+v %v", more, err)
	}
	balanced(t, again)
}

func TestReceiptFreesOnlyWhatItNames(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(memory(), "box")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		o := open(t, dir, DefaultConfig())
		defer o.Close()
		n := rapid.IntRange(1, 30).Draw(r, "items")
		for i := range n {
			if _, err := o.Commit(t.Context(), draft(i)); err != nil {
				t.Fatal(err)
			}
		}
		receipt := event.Receipt{Epoch: o.Epoch(), Through: uint64(rapid.IntRange(0, n).Draw(r, "through"))}
		if from := receipt.Through + 2; rapid.Bool().Draw(r, "above") && from <= uint64(n) {
			receipt.Above = []event.Range{{From: from, To: from}}
		}
		want := receipt.Through
		if receipt.Above != nil {
			want++
		}
		for range 2 { // a receipt that comes twice frees nothing more
			if _, err := o.Receive(t.Context(), receipt); err != nil {
				t.Fatal(err)
			}
			if s := balanced(t, o); s.Received != want {
				r.Fatalf("%+v freed %d", receipt, s.Received)
			}
		}
		if freed, err := o.Receive(t.Context(), event.Receipt{Epoch: "0123456789abcdef", Through: 1000}); freed != 0 || err != nil {
			r.Fatalf("a receipt of another epoch freed %d: %v", freed, err)
		}
	})
}

func TestTheSameKeyIsCommittedOnce(t *testing.T) {
	o := open(t, t.TempDir(), DefaultConfig())
	d := draft(1)
	d.Key = "scene/1_0"
	for range 3 {
		items, err := o.Commit(t.Context(), d)
		if err != nil || items[0].Seq != 1 {
			t.Fatalf("%+v %v", items, err)
		}
	}
	if s := balanced(t, o); s.Committed != 1 {
		t.Fatalf("%+v", s)
	}
}

func TestAFullOutboxHoldsFilesUpAndDropsTheLeastValuableOfLiveSources(t *testing.T) {
	c := DefaultConfig()
	c.QuotaBytes = 1000
	o := open(t, t.TempDir(), c)
	cheap, dear, urgent := draft(1), draft(2), draft(3)
	cheap.Value, dear.Value, urgent.Value, urgent.Priority = 0.1, 0.9, 0, event.Urgent
	cheap.Data, dear.Data, urgent.Data = make([]byte, 400), make([]byte, 400), make([]byte, 200)
	if _, err := o.Commit(t.Context(), cheap, dear, urgent); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := o.Commit(short, draft(4)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a file's draft went into a full outbox: %v", err)
	}
	if a := <-o.Submit(t.Context(), draft(5)); a.Err != nil {
		t.Fatal(a.Err)
	}
	if o.Waits(1) || !o.Waits(2) || !o.Waits(3) {
		t.Error("not the least valuable was dropped")
	}
	if s := balanced(t, o); s.Dropped != 1 {
		t.Errorf("%+v", s)
	}
	if n, err := o.Report(t.Context()); n != 1 || err != nil {
		t.Fatalf("%d drops reported: %v", n, err)
	}
	if n, err := o.Report(t.Context()); n != 0 || err != nil {
		t.Fatalf("%d drops reported twice: %v", n, err)
	}
	freed := make(chan error, 1)
	go func() {
		big := draft(6)
		big.Data = make([]byte, 700)
		_, err := o.Commit(t.Context(), big)
		freed <- err
	}()
	if _, err := o.Receive(t.Context(), event.Receipt{Epoch: o.Epoch(), Through: 5}); err != nil {
		t.Fatal(err)
	}
	if err := <-freed; err != nil {
		t.Fatal(err)
	}
	big := draft(7)
	big.Data = make([]byte, 2000)
	if _, err := o.Commit(t.Context(), big); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("got %v", err)
	}
	balanced(t, o)
}

func TestExpiredItemsGoToTheLedger(t *testing.T) {
	o := open(t, t.TempDir(), DefaultConfig())
	d := draft(1)
	d.Expires = time.Now().Add(-time.Second)
	if _, err := o.Commit(t.Context(), d, draft(2)); err != nil {
		t.Fatal(err)
	}
	if n, err := o.Expire(t.Context()); n != 1 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	if s := balanced(t, o); s.Dropped != 1 || s.Waiting != 1 {
		t.Fatalf("%+v", s)
	}
}

func TestACorruptDatabaseIsKeptAsideAndANewEpochBegins(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "outbox.db")
	o := open(t, dir, DefaultConfig())
	if _, err := o.Commit(t.Context(), draft(1)); err != nil {
		t.Fatal(err)
	}
	o.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 100; i < len(data); i++ {
		data[i] ^= 0x5a
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, DefaultConfig())
	if again.Epoch() == o.Epoch() {
		t.Error("the epoch is the old one")
	}
	aside, _ := filepath.Glob(path + ".corrupt-*")
	if kept := slices.ContainsFunc(aside, func(p string) bool { d, _ := os.ReadFile(p); return bytes.Equal(d, data) }); !kept {
		t.Errorf("the corrupt file is not kept: %v", aside)
	}
	reported, err := again.Load(again.Stats().Committed)
	if err != nil || reported.Kind != event.Alert || reported.Subject != "outbox/salvaged" {
		t.Errorf("nothing is reported: %+v %v", reported, err)
	}
	balanced(t, again)
}

// Whoever asks while the outbox closes gets an answer: what it was, or that it is closed.
func TestNobodyWaitsForAnOutboxThatHasClosed(t *testing.T) {
	for range 20 {
		o := open(t, t.TempDir(), Config{})
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				for {
					if _, err := o.CommitMarked(t.Context(), nil, []Mark{{Name: "a", Value: []byte{1}}}); errors.Is(err, ErrClosed) {
						return
					} else if err != nil {
						t.Error(err)
					}
				}
			})
		}
		time.Sleep(time.Millisecond)
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
	}
}
