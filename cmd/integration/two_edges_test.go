package integration

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// TestTwoEdgesWithTheSameNamesHaveProductsOfTheirOwn sends a scene `made` and a set of pictures `gate`
// from each of two devices at once, kills the mosaic in between, and finds both wholly. Before, another
// program announced a `made` of one of them under its name alone.
func TestTwoEdgesWithTheSameNamesHaveProductsOfTheirOwn(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	f := newFleet(t, startBrokers(t))
	f.cloud(t, "bridge", "bridge-1")
	f.cloud(t, "worker", "worker-1")
	mosaic := f.cloud(t, "mosaic", "mosaic-1")
	k := f.kafka(t)
	until(t, 2*time.Minute, "topics", func() bool {
		offsets, err := k.Offsets(t.Context(), event.ProductsTopic)
		return err == nil && len(offsets) > 0
	})
	data := []byte(`{"kind":"scene","name":"made","edge":"mast-2","folder":"made","files":[],"complete":false,"missing":[],"models":[],"of":"01JD8Q3V9W6XY8PMS4ZBFZM322","scene":{}}`)
	former := kafka.RecordOf(event.Item{ID: event.NewID(time.Now()), Edge: "mast-2", Kind: event.Product, Stream: "made", Subject: "made", Time: time.Now().Add(-time.Hour),
		Priority: event.High, Attrs: event.Attrs{Scene: "made"}, Type: "application/json", SHA256: event.Sum(data), Data: data})
	former.Key = []byte("made")
	if err := k.Append(t.Context(), former); err != nil {
		t.Fatal(err)
	}

	masks := map[string][]byte{}
	for n, edge := range []string{"mast-1", "mast-2"} {
		dir := t.TempDir()
		if code, out := run(t, "canvas", "simulate", "scene", "--out", dir, "--width", "700", "--height", "600", "--seed", fmt.Sprint(3+n)); code != 0 {
			t.Fatal(out)
		}
		f.device(t, edge, fmt.Sprintf("scenes: [{name: made, path: %q, tile_size: 256}]\n", filepath.Join(dir, "scene.tif")))
	}
	until(t, 2*time.Minute, "a result", func() bool { return f.count(t, k, event.ResultsTopic) >= 1 })
	mosaic.kill(t)
	f.cloud(t, "mosaic", "mosaic-2")
	folders := map[string]string{}
	until(t, 2*time.Minute, "both products", func() bool {
		folders = f.folders(t, k)
		return len(folders) == 2
	})
	for edge, folder := range folders {
		masks[edge] = mask(t, f.products, folder)
		var tiles []struct{ State string }
		readJSON(t, filepath.Join(f.products, folder, "tiles.json"), &tiles)
		for _, tile := range tiles {
			if tile.State != "result" && tile.State != "dropped" {
				t.Errorf("a tile of %s is %s", edge, tile.State)
			}
		}
	}
	if folders["mast-1"] == folders["mast-2"] || bytes.Equal(masks["mast-1"], masks["mast-2"]) {
		t.Errorf("the products of both edges are one: %v", folders)
	}
	if entries, err := os.ReadDir(filepath.Join(f.products, "made")); err != nil || len(entries) < 5 {
		t.Errorf("the first one's short folder: %v %v", entries, err)
	}
	code, out := run(t, "canvas-cloud", "--config", f.config, "scenes", "ls")
	if code != 0 || strings.Count(out, "made") < 4 || !strings.Contains(out, "mast-1") || !strings.Contains(out, "mast-2") || strings.Contains(out, "missing") {
		t.Errorf("%d %s", code, out)
	}
	if out := must(t, "canvas-cloud", "--config", f.config, "trace", "made/0_0"); !strings.Contains(out, "mast-1") || !strings.Contains(out, "mast-2") {
		t.Error(out)
	}
	if !f.retired(t, k, "made") {
		t.Error("the announcement of before still stands")
	}
}

// folders are those of the complete products of the scene `made`, by edge, as announced under keys
// that name the edge.
func (f *fleet) folders(t *testing.T, k *kafka.Client) map[string]string {
	t.Helper()
	all := map[string]string{}
	f.eachAnnouncement(t, k, func(r kafka.Record) {
		if item, err := r.Item(); err == nil && string(r.Key) == item.Edge+"/scene/made" {
			var p struct {
				Folder   string
				Complete bool
			}
			if decodeJSON(t, r.Value, &p); p.Complete {
				all[item.Edge] = p.Folder
			}
		}
	})
	return all
}

// retired says whether the last record under a key is empty.
func (f *fleet) retired(t *testing.T, k *kafka.Client, key string) (empty bool) {
	t.Helper()
	f.eachAnnouncement(t, k, func(r kafka.Record) {
		if string(r.Key) == key {
			empty = len(r.Value) == 0
		}
	})
	return empty
}

func (f *fleet) eachAnnouncement(t *testing.T, k *kafka.Client, see func(kafka.Record)) {
	t.Helper()
	offsets, err := k.Offsets(t.Context(), event.ProductsTopic)
	if err != nil {
		t.Fatal(err)
	}
	for p, o := range offsets {
		if err := k.Scan(t.Context(), event.ProductsTopic, p, o.First, o.End, func(r kafka.Record) error { see(r); return nil }); err != nil {
			t.Fatal(err)
		}
	}
}
