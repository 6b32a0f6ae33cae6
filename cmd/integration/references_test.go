package integration

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// fieldsScene writes a scene of 600 x 600 pixels of 10 m, so many pixels from a corner of fields that look the same
// to everybody, under some light, with a burnt square.
func fieldsScene(t *testing.T, path string, right, down int, light float32, burnt bool) {
	t.Helper()
	const side, whole = 600, 1600
	field, noise := rand.New(rand.NewPCG(3, 3)), rand.New(rand.NewPCG(uint64(light*1000), 1))
	bands := []string{"blue", "green", "red", "nir", "swir16", "swir22"}
	im := vision.Image{W: side, H: side, Bands: bands}
	for range bands {
		var fields [whole / 20 * whole / 20]float32
		for i := range fields {
			fields[i] = 0.04 + 0.1*field.Float32() // too dark for a cloud
		}
		plane := make([]float32, side*side)
		for i := range plane {
			x, y := i%side, i/side
			v := fields[(y+down)/20*(whole/20)+(x+right)/20]
			if burnt && x >= 60 && x < 120 && y >= 60 && y < 120 {
				v = 0.01
			}
			plane[i] = light*v + 0.002*noise.Float32()
		}
		im.Planes = append(im.Planes, plane)
	}
	georef, err := raster.UTM(32, true, 500_000+float64(right)*10, 5_000_000-float64(down)*10, 10)
	if err != nil {
		t.Fatal(err)
	}
	data, err := raster.EncodeTile(im, georef, raster.Coding{})
	if err != nil {
		t.Fatal(err)
	}
	part := path + ".part"
	if err := os.WriteFile(part, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(part, path); err != nil {
		t.Fatal(err)
	}
}

// TestADeviceLeavesOutGroundThatOnlyAnotherOneHasShown is the whole way of views of the ground: one device sends a
// scene; another, which sees another part of the same pixel grid first, gets the views of it, leaves out what has not
// changed of its first scene there, cut otherwise and taken a few pixels further, and sends what has. A query
// brings a tile that was left out.
func TestADeviceLeavesOutGroundThatOnlyAnotherOneHasShown(t *testing.T) {
	t.Parallel()
	f := newFleet(t, startBrokers(t))
	config, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.config, "%s", string(config)+"references: {quota_bytes: 16777216, every: 200ms}\n")
	f.cloud(t, "bridge", "bridge-1")
	f.cloud(t, "worker", "worker-1")
	f.cloud(t, "mosaic", "mosaic-1")
	k := f.kafka(t)
	folder := t.TempDir()
	fieldsScene(t, filepath.Join(folder, "first.tif"), 0, 0, 1, false)
	f.device(t, "a", fmt.Sprintf(`
scenes: [{name: first, path: %q, cloud_model: spectral}]
screen: {scenes: {change: 0.01}}
`, filepath.Join(folder, "first.tif")))
	until(t, 2*time.Minute, "the first product", func() bool { return there(f.products, "first/item.json") })

	in := t.TempDir()
	fieldsScene(t, filepath.Join(in, "elsewhere.tif"), 900, 900, 1, false)
	status := listen(t, f.brokers.mqtt, event.StatusTopic("b"))
	f.device(t, "b", fmt.Sprintf(`
scenes: [{name: in, folder: %q, every: 200ms, settle: 300ms, cloud_model: spectral, tile_size: 200, window: 200, overlap: 20, margin: 30}]
screen: {scenes: {change: 0.01}}
reference: {shared: true, shared_every: 1s}
`, in))
	had, since := uint64(0), time.Now()
	until(t, 2*time.Minute, "all views of what the first device has shown", func() bool {
		var s event.Status
		if json.Unmarshal([]byte(status.payload(event.StatusTopic("b"))), &s) == nil && len(s.References) == 1 && s.References[0].After != had {
			had, since = s.References[0].After, time.Now()
		}
		return had > 0 && time.Since(since) > 3*time.Second
	})
	fieldsScene(t, filepath.Join(in, "second.tif"), 7, 13, 0.9, true)
	var m event.Manifest
	until(t, 2*time.Minute, "the second scene's manifest", func() bool {
		f.eachOf(t, k, event.EventsTopic, func(i event.Item) {
			if i.Kind == event.Scene && i.Edge == "b" && strings.HasPrefix(i.Attrs.Scene, "second") {
				if m, err = event.ParseManifest(i); err != nil {
					t.Fatal(err)
				}
			}
		})
		return m.ID != ""
	})
	left := ""
	for _, d := range m.Tiles {
		switch burnt := d.Tile == "0_0"; {
		case burnt && (d.Decision != event.TileSent || d.Change < 0.01):
			t.Errorf("the burnt tile: %+v", d)
		case !burnt && d.Decision == event.TileDropped:
			left = d.Tile
			if d.Reason != "unchanged" || d.Reference.IsZero() || d.ReferenceScene != "a/first" {
				t.Errorf("%+v", d)
			}
		}
	}
	dropped := 0
	for _, d := range m.Tiles {
		if d.Decision == event.TileDropped {
			dropped++
		}
	}
	// Of 16 tiles the seven at the right and the lower border show ground that the first scene did not have.
	if len(m.Tiles) != 16 || dropped < 8 || left == "" {
		t.Fatalf("%d of %d tiles were left out: %+v", dropped, len(m.Tiles), m.Tiles)
	}
	t.Logf("%d of %d tiles were left out", dropped, len(m.Tiles))

	cloud, err := mqtt.Dial(t.Context(), mqtt.Options{URL: f.brokers.mqtt, ClientID: "asks"})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	until(t, time.Minute, "a connection", cloud.Connected)
	query := fmt.Sprintf(`{"id":"q-1","scene":%q,"tile":%q}`, m.ID, left)
	if err := cloud.Publish(t.Context(), event.DownTopic("b", event.DownQuery), 1, false, []byte(query)); err != nil {
		t.Fatal(err)
	}
	until(t, 2*time.Minute, "the tile that was asked for", func() (came bool) {
		f.eachOf(t, k, event.WorkTopic, func(i event.Item) {
			came = came || i.Edge == "b" && i.Attrs.Scene == m.ID && i.Attrs.Tile == left
		})
		return came
	})
}

// eachOf calls see for each item of a topic.
func (f *fleet) eachOf(t *testing.T, k *kafka.Client, topic string, see func(event.Item)) {
	t.Helper()
	offsets, err := k.Offsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for p, o := range offsets {
		err := k.Scan(t.Context(), topic, p, o.First, o.End, func(r kafka.Record) error {
			if i, err := r.Item(); err == nil {
				see(i)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
