package console

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/shared/event"
)

func TestARestartedConsoleReadsOnWhereItWas(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	if before := w.number("SELECT max(next) FROM progress"); before == 0 {
		t.Fatal("nothing is read")
	}
	w.stop()
	w.putCamera("yard", time.Now().UTC())
	w.run()
	w.caughtUp()
	var cameras list[index.Camera]
	w.json("/api/v1/cameras", &cameras)
	if len(cameras.Items) != 2 || cameras.Items[0].Frames != 2 {
		t.Errorf("%+v: want two cameras, the first's frames counted once", cameras.Items)
	}
}

func TestAnIndexOfAnotherKafkaIsMadeAnew(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	w.stop()
	w.log = newFakeLog()
	w.putScene("other", w.start)
	w.run()
	eventually(t, func() bool {
		_, body := w.get("/scenes")
		return strings.Contains(body, "other") && !strings.Contains(body, "alpha")
	})
}

func TestABrokenIndexIsMadeAnew(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	w.stop()
	if err := os.WriteFile(filepath.Join(w.config.Data, "index.db"), []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.caughtUp()
	if _, body := w.get("/scenes"); !strings.Contains(body, "alpha") {
		t.Error("the scenes are gone")
	}
}

func TestTheIndexStaysWithinItsBounds(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.KeepEvents, c.KeepScenes, c.PictureBytes = 10, 3, 60_000 })
	for n := range 40 {
		w.putJSON(event.Alert, "cam", "x", w.start.Add(time.Duration(n)*time.Second), event.Attrs{}, object{"label": "cat"})
		w.put(event.Frame, fmt.Sprintf("cam-%d", n), fmt.Sprintf("cam-%d/frame-1", n), w.start, event.Attrs{}, "image/jpeg", jpegOf(t, 200, 200))
	}
	for n := range 6 {
		w.putManifest(fmt.Sprintf("scene-%d", n), w.start.Add(time.Duration(n)*time.Second))
	}
	w.caughtUp()
	for _, c := range []struct {
		query string
		most  int64
	}{{"SELECT count(*) FROM events", 10}, {"SELECT count(*) FROM scenes", 3}, {"SELECT sum(bytes) FROM pictures", 60_000}} {
		if n := w.number(c.query); n > c.most || n == 0 {
			t.Errorf("%s: %d, want at most %d", c.query, n, c.most)
		}
	}
	var s index.Scene
	w.json("/api/v1/scenes/mast-7/scene-5", &s)
}
