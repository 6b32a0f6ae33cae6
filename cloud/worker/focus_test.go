package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/budget"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/sar"
)

// focuser focuses blocks whose data says how it goes.
type focuser struct {
	work, rows int64
	engine     string
	begun      chan struct{} // "slow" blocks say so and wait for their context
}

func (f focuser) Memory(block []byte) (work, rows int64, err error) {
	if bytes.HasPrefix(block, []byte("malformed")) {
		return 0, 0, errors.New("a block of 7 lines in 3 bytes")
	}
	return f.work, f.rows, nil
}

func (f focuser) Focus(ctx context.Context, block []byte) (Focused, error) {
	switch string(block) {
	case "NaN":
		return Focused{}, errors.New("line 3 has a sample that is no number")
	case "panic":
		panic("index out of range")
	case "slow":
		close(f.begun)
		<-ctx.Done()
		return Focused{}, ctx.Err()
	}
	targets, err := sar.EncodeTargets([]sar.Target{{Row: 3, Col: 4, Pixels: 5, ClutterDB: 18, RangeM: 1e6}})
	return Focused{append([]byte("rows of "), block...), targets, f.engine}, err
}

func echoes(n int, data string) event.Item {
	i := tile(n, "")
	i.Attrs.Want, i.Attrs.Tile, i.Type = sar.WantFocus, event.RadarTile(n), sar.EchoesType
	i.Subject = "s1/" + i.Attrs.Tile
	i.Data, i.SHA256 = []byte(data), event.Sum([]byte(data))
	return i
}

func focusing(t *testing.T, w *world, f focuser, cfg Config) *Worker {
	t.Helper()
	made := w.worker(t, cfg, Fixed{0})
	made.Focuser = f
	return made
}

// TestResultsSayWhatEngineMadeThem: numbers of a GPU are others in their last bits, and so are the results' versions.
func TestResultsSayWhatEngineMadeThem(t *testing.T) {
	w := newWorld()
	block := echoes(0, "block 0")
	w.put(0, block)
	stop := start(t, focusing(t, w, focuser{work: 600, rows: 100, engine: sar.CUFFT}, Config{}))
	w.until(t, "it is committed", func() bool { return w.offsets[0] == 1 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if len(w.results) != 2 {
		t.Fatalf("%d results, %v", len(w.results), w.deadLetters)
	}
	for _, r := range w.results {
		if r.Attrs.ModelVersion != "1-cufft" || r.ID != event.ResultID(block.ID, r.Attrs.Model, "1-cufft") {
			t.Errorf("%+v", r.Attrs)
		}
	}
}

func TestABlockOfEchoesBecomesRowsAndTargets(t *testing.T) {
	w := newWorld()
	w.memory = budget.New(1000)
	block := echoes(0, "block 0")
	w.put(0, block)
	w.put(0, tile(1, "")) // a picture goes beside it
	w.put(0, block)       // again, as after a crash of whoever sent it
	stop := start(t, focusing(t, w, focuser{work: 600, rows: 100}, Config{}))
	w.until(t, "all three are committed", func() bool { return w.offsets[0] == 3 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if len(w.results) != 5 || len(w.deadLetters) != 0 {
		t.Fatalf("%d results, %v", len(w.results), w.deadLetters)
	}
	byType := map[string][]event.Item{}
	for _, r := range w.results {
		byType[r.Type] = append(byType[r.Type], r)
	}
	for media, model := range map[string]string{sar.RowsType: sar.Algorithm, sar.TargetsType: sar.Detector} {
		r := byType[media]
		if len(r) != 2 || r[0].ID != r[1].ID || r[0].ID != event.ResultID(block.ID, model, "1") {
			t.Fatalf("%s: %+v", media, r)
		}
		a := r[0].Attrs
		if r[0].Kind != event.Result || a.Scene != "s1" || a.Tile != "0_0" || a.Model != model || a.Want != "focus" || a.Input != "tile" || r[0].SHA256 != event.Sum(r[0].Data) {
			t.Errorf("%+v", r[0])
		}
	}
	if rows := byType[sar.RowsType][0]; string(rows.Data) != "rows of block 0" || rows.ID == byType[sar.TargetsType][0].ID {
		t.Errorf("%q", rows.Data)
	}
	if found, err := sar.DecodeTargets(byType[sar.TargetsType][0].Data); err != nil || len(found.Targets) != 1 || found.Targets[0].ClutterDB != 18 {
		t.Errorf("%+v %v", found, err)
	}
	if give, err := w.memory.Take(t.Context(), 1000); err != nil {
		t.Error("memory was not given back", err)
	} else {
		give()
	}
}

func TestABlockThatCannotBeFocusedIsADeadLetterThatSaysWhy(t *testing.T) {
	w := newWorld()
	w.memory = budget.New(1000)
	other := echoes(4, "echoes")
	other.Attrs.Want = "segment"
	picture := tile(5, "")
	picture.Attrs.Want = sar.WantFocus
	for _, i := range []event.Item{echoes(0, "malformed"), echoes(1, "NaN"), echoes(2, "good"), echoes(3, "panic"), other, picture} {
		w.put(0, i)
	}
	stop := start(t, focusing(t, w, focuser{work: 600, rows: 100}, Config{}))
	w.until(t, "all are committed", func() bool { return w.offsets[0] == 6 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if len(w.results) != 2 || w.results[0].Attrs.Tile != "0_2" {
		t.Fatalf("%+v", w.results)
	}
	said := map[string]string{}
	for _, d := range w.deadLetters {
		said[d.Entry.Item.Attrs.Tile] = d.Class + ": " + d.Err.Error()
	}
	for tile, want := range map[string][2]string{
		"0_0": {"Undecodable", "a block of 7 lines in 3 bytes"}, "0_1": {"FocusFailed", "line 3 has a sample that is no number"},
		"0_3": {"Panic", "index out of range"}, "0_4": {"NoModel", "want: focus"}, "5_0": {"NoModel", "only echoes"},
	} {
		if !strings.Contains(said[tile], want[0]) || !strings.Contains(said[tile], want[1]) {
			t.Errorf("%s: %q", tile, said[tile])
		}
	}
	if give, err := w.memory.Take(t.Context(), 1000); err != nil {
		t.Error("memory was not given back", err)
	} else {
		give()
	}
}

func TestABlockThatNeverFitsIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		focuser
		Config
		says string
	}{
		"memory": {focuser{work: 900, rows: 101}, Config{}, "decode_bytes"},
		"object": {focuser{work: 10, rows: 101}, Config{ObjectBytes: 100}, "worker.object_bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.memory = budget.New(1000)
			w.put(0, echoes(0, "block"))
			stop := start(t, focusing(t, w, c.focuser, c.Config))
			w.until(t, "it is committed", func() bool { return w.offsets[0] == 1 })
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			if len(w.deadLetters) != 1 || !strings.Contains(w.deadLetters[0].Class, "TooLarge") || !strings.Contains(w.deadLetters[0].Err.Error(), c.says) {
				t.Errorf("%+v", w.deadLetters)
			}
		})
	}
}

// The grace is spent by a block that takes longer: it is left to the next owner, which begins it anew.
func TestFocusingEndsWithTheLease(t *testing.T) {
	w := newWorld()
	f := focuser{begun: make(chan struct{})}
	w.put(0, echoes(0, "slow"))
	stop := start(t, focusing(t, w, f, Config{Grace: 10 * time.Millisecond}))
	<-f.begun
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if len(w.deadLetters)+len(w.results) != 0 || w.offsets[0] != 0 {
		t.Errorf("%v", w.history)
	}
}

func TestALateBlockIsSkippedWhereThatIsAskedFor(t *testing.T) {
	w := newWorld()
	block := echoes(0, "block")
	block.Attrs.Expires = time.Unix(1_700_000_001, 0).UTC()
	w.put(0, block)
	stop := start(t, focusing(t, w, focuser{}, Config{Late: LateSkip}))
	w.until(t, "it is committed", func() bool { return w.offsets[0] == 1 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if len(w.results) != 1 || w.results[0].Type != sar.TargetsType || !w.results[0].Attrs.Late {
		t.Fatalf("%+v", w.results)
	}
	if found, err := sar.DecodeTargets(w.results[0].Data); err != nil || !strings.Contains(found.Skipped, "2023-11-14T22:13:21Z") {
		t.Errorf("%+v %v", found, err)
	}
}

func TestFocusingIsARateOfTheWorker(t *testing.T) {
	w := newWorld()
	for n := range 3 {
		w.put(0, echoes(n, fmt.Sprint("block ", n)))
	}
	made := focusing(t, w, focuser{}, Config{})
	stop := start(t, made)
	w.until(t, "all are committed", func() bool { return w.offsets[0] == 3 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if r := made.Models.Rates(); r[sar.Algorithm] <= 0 {
		t.Errorf("%v", r)
	}
}
