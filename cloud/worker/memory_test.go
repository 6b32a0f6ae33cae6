package worker

import (
	"encoding/binary"
	"strings"
	"testing"

	"cloudcanvas/shared/budget"
)

// TestItemsShareTheMemoryOfAllDecodersAndNoneWaitsForEver gives a worker less memory than a batch takes,
// over partitions that compete for it, and items that are larger than all of it.
func TestItemsShareTheMemoryOfAllDecodersAndNoneWaitsForEver(t *testing.T) {
	const items, all = 120, 10
	w := newWorld()
	w.memory = budget.New(all)
	w.size = func(data []byte) int64 { return int64(binary.BigEndian.Uint32(data)%12 + 1) } // 1 … 12
	large := 0
	for n := range items {
		if n%12+1 > all {
			large++
		}
		w.put(n%3, tile(n, ""))
	}
	stop := start(t, w.worker(t, Config{BatchItems: 8, Prefetch: 16}, Fixed{0, 1, 2}))
	w.until(t, "all partitions are done", func() bool { return w.offsets[0]+w.offsets[1]+w.offsets[2] == items })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if len(w.results) != items-large || len(w.deadLetters) != large {
		t.Fatalf("%d results and %d dead letters, not %d and %d", len(w.results), len(w.deadLetters), items-large, large)
	}
	for _, l := range w.deadLetters {
		if l.Class != "cloudcanvas.worker.TooLarge" || !strings.Contains(l.Err.Error(), "10 is the limit (decode_bytes)") {
			t.Errorf("a dead letter says %s: %v", l.Class, l.Err)
		}
	}
	give, err := w.memory.Take(t.Context(), all)
	if err != nil {
		t.Fatalf("memory was not given back: %v", err)
	}
	give()
}

func TestMemoryIsGivenBackWhenAPartitionIsLeft(t *testing.T) {
	w := newWorld()
	w.memory = budget.New(10)
	w.size = func([]byte) int64 { return 5 }
	for n := range 40 {
		w.put(0, tile(n, ""))
	}
	stop := start(t, w.worker(t, Config{BatchItems: 2}, Fixed{0}))
	w.until(t, "something is done", func() bool { return w.offsets[0] > 4 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	give, err := w.memory.Take(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	give()
}
