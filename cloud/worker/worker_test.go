package worker

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

func TestEveryItemGivesOneResultAndTheOffsetFollows(t *testing.T) {
	w := newWorld()
	for n := range 50 {
		w.put(n%2, tile(n, ""))
	}
	stop := start(t, w.worker(t, Config{}, Fixed{0, 1}))
	w.until(t, "both partitions are done", func() bool { return w.offsets[0] == 25 && w.offsets[1] == 25 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if len(w.results) != 50 || len(w.deadLetters) != 0 {
		t.Fatalf("%d results and %d dead letters of 50 items", len(w.results), len(w.deadLetters))
	}
	seen := map[string]bool{}
	for _, r := range w.results {
		seen[r.ID.String()] = true
	}
	if len(seen) != 50 {
		t.Fatalf("%d different ids", len(seen))
	}
}

func TestResultsAreDurableBeforeTheOffsetMoves(t *testing.T) {
	w := newWorld()
	for n := range 30 {
		mood := ""
		if n%7 == 3 {
			mood = "undecodable"
		}
		w.put(0, tile(n, mood))
	}
	start(t, w.worker(t, Config{BatchItems: 4}, Fixed{0}))
	w.until(t, "the partition is done", func() bool { return w.offsets[0] == 30 })
	w.mu.Lock()
	defer w.mu.Unlock()
	done, last := 0, 0
	for _, h := range w.history {
		switch {
		case strings.HasPrefix(h, "result"), strings.HasPrefix(h, "dead"):
			done++
		case strings.HasPrefix(h, "commit"):
			var p, o int
			fmt.Sscanf(h, "commit %d %d", &p, &o)
			if o != done || o <= last {
				t.Fatalf("offset %d committed after %d items, the last one was %d", o, done, last)
			}
			last = o
		}
	}
}

func TestResultSaysWhatItIs(t *testing.T) {
	w := newWorld()
	in := tile(3, "")
	w.put(0, in)
	start(t, w.worker(t, Config{}, Fixed{0}))
	w.until(t, "the result", func() bool { return len(w.results) == 1 })
	r := w.results[0]
	if r.ID != event.ResultID(in.ID, "six", "1") || r.Kind != event.Result || r.Subject != "s1/3_0" || r.Edge != "mast-1" || r.Epoch != "" || r.Seq != 0 {
		t.Fatalf("result %+v", r)
	}
	want := event.Attrs{Scene: "s1", Tile: "3_0", Model: "six", ModelVersion: "1", Want: "segment", Input: "tile", TraceParent: "00-1-2-01"}
	if r.Attrs != want || r.Type != "image/png" || r.Verify() != nil || r.Check() != nil {
		t.Fatalf("attributes %+v, type %q, %v, %v", r.Attrs, r.Type, r.Verify(), r.Check())
	}
	planes, err := vision.DecodeProbabilities(r.Data, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	if want := [][]byte{{0, 254, 0, 255}, {0, 0, 254, 255}}; !reflect.DeepEqual(planes, want) {
		t.Fatalf("planes %v: shadow, then cloud, and the pixel without data 255 in both", planes)
	}
}

func TestTheFirstModelWhoseBandsAreThereIsTaken(t *testing.T) {
	for _, c := range []struct{ mood, model, asked string }{
		{"", "six", ""}, {"4", "four", ""}, {"rgb", SpectralRGB, ""}, {"", "four", "four"}, {"rgb", SpectralRGB, "six"}, {"", "six", "unheard-of"},
	} {
		w := newWorld()
		in := tile(0, c.mood)
		in.Attrs.Model = c.asked
		w.put(0, in)
		stop := start(t, w.worker(t, Config{}, Fixed{0}))
		w.until(t, "the result of "+c.mood, func() bool { return len(w.results) == 1 })
		if got := w.results[0].Attrs.Model; got != c.model {
			t.Errorf("a tile of %q that asks for %q was seen by %s, want %s", c.mood, c.asked, got, c.model)
		}
		stop()
	}
}

func TestPoisonGoesToTheDeadLettersAndTheRestFlows(t *testing.T) {
	w := newWorld()
	wrong := tile(1, "")
	wrong.SHA256 = event.Sum([]byte("other bytes"))
	gone := tile(2, "")
	gone.Data, gone.Attrs.DataRef = nil, "work/gone"
	far := tile(3, "")
	w.objects["work/there"] = far.Data
	far.Data, far.Attrs.DataRef = nil, "work/there"
	poisons := []event.Item{wrong, gone, tile(4, "undecodable"), tile(5, "panic"), tile(6, "sick"), tile(7, "gray")}
	reasons := []string{"sha256", "has no", "not a TIFF", "panicked", "can't bear", "takes an image of gray"}
	var entries []queue.Entry
	for n, p := range poisons {
		w.put(0, tile(20+n, ""))
		entries = append(entries, w.put(0, p))
	}
	w.put(0, far)
	start(t, w.worker(t, Config{}, Fixed{0}))
	w.until(t, "the partition is done", func() bool { return w.offsets[0] == 13 })
	if len(w.results) != 7 || len(w.deadLetters) != len(poisons) {
		t.Fatalf("%d results, %d dead letters, want 7 and %d", len(w.results), len(w.deadLetters), len(poisons))
	}
	for n, e := range entries {
		l := w.deadLetters[slices.IndexFunc(w.deadLetters, func(l queue.DeadLetter) bool { return l.Entry.Offset == e.Offset })]
		if !reflect.DeepEqual(l.Entry, e) {
			t.Errorf("%v was changed", e.Item.ID)
		}
		if !strings.Contains(l.Err.Error(), reasons[n]) {
			t.Errorf("the reason is %q, want something of %q", l.Err, reasons[n])
		}
	}
}

func TestALogThatIsAwayIsWaitedFor(t *testing.T) {
	w := newWorld()
	away := 5
	w.appends = func() error {
		if away--; away >= 0 {
			return errors.New("no broker")
		}
		return nil
	}
	for n := range 10 {
		w.put(0, tile(n, ""))
	}
	start(t, w.worker(t, Config{}, Fixed{0}))
	w.until(t, "the partition is done", func() bool { return w.offsets[0] == 10 })
	if len(w.results) != 10 {
		t.Fatalf("%d results", len(w.results))
	}
}

func TestAStoppedWorkerFinishesItsBatchAndLeaves(t *testing.T) {
	w := newWorld()
	for n := range 200 {
		w.put(0, tile(n, ""))
	}
	seen, goOn := make(chan struct{}, 1000), make(chan struct{})
	w.before = func(vision.Image) { seen <- struct{}{}; <-goOn }
	stop := start(t, w.worker(t, Config{BatchItems: 4}, Fixed{0}))
	<-seen // the first batch is in hand
	left := make(chan error, 1)
	go func() { left <- stop() }()
	close(goOn)
	select {
	case err := <-left:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("it does not leave")
	}
	if n := w.offsets[0]; n == 0 || n == 200 || int(n) != len(w.results) {
		t.Fatalf("it left at offset %d with %d results: the batch in hand must be finished, and no new one begun", n, len(w.results))
	}
	if w.notes["canvas.work-0"] != "" {
		t.Fatalf("a clean leave leaves the note %s", w.notes["canvas.work-0"])
	}
}

func TestAStuckModelHoldsNobodyLongerThanTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(0, tile(0, ""))
		stuck := make(chan struct{})
		seen := make(chan struct{})
		leaving := make(chan struct{})
		w.before = func(vision.Image) { close(seen); <-stuck }
		worker := w.worker(t, Config{Grace: 3 * time.Second}, Fixed{0})
		// The lease's end is what a real network hears of.
		worker.Leases = leasesFunc(func(ctx context.Context, what string, own func(context.Context, lease) error) error {
			return w.Own(ctx, what, func(ctx context.Context, l lease) error {
				context.AfterFunc(ctx, func() { close(stuck) })
				return own(ctx, l)
			})
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- worker.Run(ctx) }()
		<-seen
		go func() { cancel(); close(leaving) }()
		<-leaving
		began := time.Now()
		<-ended
		if took := time.Since(began); took > 5*time.Second {
			t.Fatalf("it took %v to leave", took)
		}
		if w.offsets[0] != 0 || len(w.results) != 0 {
			t.Fatal("an unfinished item was committed")
		}
	})
}

type leasesFunc func(context.Context, string, func(context.Context, lease) error) error

func (f leasesFunc) Own(ctx context.Context, what string, own func(context.Context, lease) error) error {
	return f(ctx, what, own)
}

func TestALostLeaseStopsAtOnceAndTheNextOwnerDoesTheWork(t *testing.T) {
	w := newWorld()
	for n := range 40 {
		w.put(0, tile(n, ""))
	}
	seen := make(chan struct{}, 1000)
	goOn := make(chan struct{})
	w.before = func(vision.Image) { seen <- struct{}{}; <-goOn }
	start(t, w.worker(t, Config{}, Fixed{0}))
	<-seen
	w.mu.Lock()
	before := len(w.results)
	w.lose["canvas.work-0"]()
	w.mu.Unlock()
	if before != 0 {
		t.Fatal("results before the model was done")
	}
	close(goOn)
	w.until(t, "the partition is done under a new lease", func() bool { return w.offsets[0] == 40 })
	for _, f := range w.fences {
		if f == 1 {
			t.Fatal("a result was written under the lease that was lost")
		}
	}
}

func TestPartitionsFollowTheAssignment(t *testing.T) {
	w := newWorld()
	a := make(changing)
	start(t, w.worker(t, Config{}, a))
	held := func(p ...int) func() bool {
		return func() bool {
			n := 0
			for _, h := range w.held {
				if h {
					n++
				}
			}
			for _, q := range p {
				if !w.held[LeaseName(q)] {
					return false
				}
			}
			return n == len(p)
		}
	}
	a <- []int{0, 1, 2}
	w.until(t, "three partitions held", held(0, 1, 2))
	epoch := w.epoch
	a <- []int{1, 2, 5}
	w.until(t, "one left, one taken", held(1, 2, 5))
	if w.epoch != epoch+1 {
		t.Fatalf("%d leases were made for one move", w.epoch-epoch)
	}
	a <- nil
	w.until(t, "none held", held())
}

func TestAModelThatCannotBeLoadedMakesTheWorkerUnfitNotTheItems(t *testing.T) {
	w := newWorld()
	w.put(0, tile(0, ""))
	w.opens = func() error { return errors.New("model.onnx: sha256 mismatch") }
	worker := w.worker(t, Config{}, Fixed{0})
	err := worker.Run(t.Context())
	if !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), "six") {
		t.Fatalf("Run ended with %v", err)
	}
	if len(w.deadLetters) != 0 || w.offsets[0] != 0 {
		t.Fatal("the item was blamed")
	}
	if _, err := NewRegistry(Config{Models: []Choice{{Want: "segment", Model: "nosuch"}}}, w); !errors.Is(err, ErrUnfit) {
		t.Fatalf("a missing model gives %v", err)
	}
}
