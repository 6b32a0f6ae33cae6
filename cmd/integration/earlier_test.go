package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/raster"
)

// left puts what an earlier program left behind when it was killed into a folder: its data, and the scene
// that it had read. testdata/earlier/README.md says which program and how.
func left(t *testing.T, name string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	f, err := os.Open(filepath.Join("testdata", "earlier", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, h.Name)
		if h.Typeflag == tar.TypeDir {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(path, b, 0o600), os.Chtimes(path, h.ModTime, h.ModTime)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestABufferOfAnEarlierProgramArrivesWhole starts the device on a buffer with 68 items that an earlier
// version left waiting: they arrive once, and the scene is not captured again.
func TestABufferOfAnEarlierProgramArrivesWhole(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dir := left(t, "device.tar.gz")
	s.name, s.data = "mast-7", filepath.Join(dir, "data")
	s.edge = startIn(t, dir, program(t, "canvas-edge"), "canvas-edge", "--config", s.configure("scenes: [{name: field, path: field.tif}]"), "run")
	s.awaitAnswer()
	c, l := s.balance(2 * time.Minute)
	if c.committed != 68 || c.dropped != 0 {
		t.Errorf("%d items are committed, %d dropped: the earlier program had committed 68", c.committed, c.dropped)
	}
	kinds := map[event.Kind]int{}
	for _, i := range l.items {
		kinds[i.Kind]++
	}
	numbers := l.readingNumbers(t)
	for n := range 60 {
		if numbers[n] != 1 {
			t.Errorf("reading %d came %d times", n, numbers[n])
		}
	}
	if kinds[event.Tile] != 4 || kinds[event.Scene] != 1 {
		t.Errorf("of the scene came %v", kinds)
	}
}

// TestAnApplianceOfAnEarlierProgramGoesOn starts canvas run on the data of an earlier version: its buffer,
// Kafka's log, the bridge's checkpoints, the coordinator, the console's index and the products.
func TestAnApplianceOfAnEarlierProgramGoesOn(t *testing.T) {
	t.Parallel()
	dir := left(t, "appliance.tar.gz")
	mask := classesOf(t, filepath.Join(dir, "data", "products", "field", "mask.tif"))
	sensors, console := fmt.Sprintf("127.0.0.1:%d", brokertest.FreePort(t)), fmt.Sprintf("127.0.0.1:%d", brokertest.FreePort(t))
	config := write(t, filepath.Join(dir, "canvas.yaml"), `
data: data
device: {edge: mast-7, scenes: [{name: field, path: field.tif}], sensors: {enabled: true}, local: {embedded: %q}}
cloud:
  console: {listen: %q}
  worker: {models: [{want: segment, model: spectral_rgb}]}
`, sensors, console)
	p := startIn(t, dir, program(t, "canvas"), "canvas", "--config", config, "run")
	page := func(path string) string {
		client := http.Client{Timeout: 10 * time.Second}
		r, err := client.Get("http://" + console + path)
		if err != nil {
			return err.Error()
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		return string(body)
	}
	counts := func(committed int) bool {
		text := page("/metrics")
		return strings.Contains(text, fmt.Sprintf("\ncanvas_edge_outbox_committed_items_total %d\n", committed)) &&
			strings.Contains(text, fmt.Sprintf("\ncanvas_edge_outbox_received_items_total %d\n", committed))
	}
	until(t, 2*time.Minute, "the counts of the earlier program", func() bool { return counts(36) })
	until(t, 2*time.Minute, "the scene of the earlier program", func() bool { return strings.Contains(page("/scenes/mast-7/field"), "complete") })
	until(t, 2*time.Minute, "its readings", func() bool { return strings.Contains(page("/sensors"), "boiler") })
	sensor, err := mqtt.Dial(t.Context(), mqtt.Options{URL: "mqtt://" + sensors, ClientID: "boiler"})
	if err != nil {
		t.Fatal(err)
	}
	defer sensor.Close()
	until(t, 2*time.Minute, "a connection of the sensor", sensor.Connected)
	if err := sensor.Publish(t.Context(), "canvas/sensors/boiler/reading", 1, false, []byte(`{"n": 30, "t": 90}`)); err != nil {
		t.Fatal(err)
	}
	until(t, 2*time.Minute, "a reading more, and the scene not captured again", func() bool { return counts(37) })
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-p.done; err != nil {
		t.Errorf("it does not end well: %v", err)
	}
	if now := classesOf(t, filepath.Join(dir, "data", "products", "field", "mask.tif")); !bytes.Equal(now, mask) {
		t.Error("the mask is another one")
	}
}

// classesOf are the pixels of a mask; what is written about them in the file may change with the program.
func classesOf(t *testing.T, path string) []byte {
	t.Helper()
	mask, err := raster.Open(path, raster.Options{Bands: []string{"class"}})
	if err != nil {
		t.Fatal(err)
	}
	defer mask.Close()
	class, err := mask.ReadClasses(raster.Window{W: mask.Info().Width, H: mask.Info().Height})
	if err != nil {
		t.Fatal(err)
	}
	return class
}
