package console

import (
	"testing"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// TestAResultThatIsThereTwiceCountsOnce writes a result again, as a worker does that took over from one
// that died between its results and its offset; also into an index that an earlier program made.
func TestAResultThatIsThereTwiceCountsOnce(t *testing.T) {
	w := newWorld(t, nil)
	w.putManifest("alpha", w.start)
	i := w.put(event.Result, "alpha", "alpha/0_0", w.start, event.Attrs{Scene: "alpha", Tile: "0_0", Model: "six", ModelVersion: "1"}, "image/png", []byte("mask"))
	again := func() {
		t.Helper()
		if err := w.log.Append(t.Context(), kafka.RecordOf(i)); err != nil {
			t.Fatal(err)
		}
		w.caughtUp()
		var scene index.Scene
		w.json("/api/v1/scenes/mast-7/alpha", &scene)
		if scene.Results != 1 {
			t.Errorf("%d results", scene.Results)
		}
	}
	again()
	if _, err := w.database().Exec("DROP TABLE seen"); err != nil { // as an earlier program left it
		t.Fatal(err)
	}
	w.stop()
	w.run()
	if tables := w.number("SELECT count(*) FROM sqlite_master WHERE name = 'seen'"); tables != 1 {
		t.Fatalf("%d tables", tables)
	}
}
