package edge

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// TestATileOfCloudGoesAsAMaskAndTheOthersAsTheyAre cuts a scene of four tiles: thick cloud, ground, a half of each,
// and nothing. Its name says its level, which the tiles carry.
func TestATileOfCloudGoesAsAMaskAndTheOthersAsTheyAre(t *testing.T) {
	const side = 64
	path := filepath.Join(t.TempDir(), "S2A_MSIL2A_20240520T100031_N0300_R122_T32TQM_20240520T152400.tif")
	none := 0.0
	w, err := raster.Create(path, raster.Layout{Width: 4 * side, Height: side, Bands: allBands, DataType: "UInt16", NoData: &none})
	if err != nil {
		t.Fatal(err)
	}
	cloud, ground := []uint16{6200, 6000, 5900, 6200, 4500, 3300}, []uint16{400, 600, 500, 2500, 1500, 800}
	for tile := range 4 {
		pixels := make([]uint16, len(allBands)*side*side)
		for i := range pixels {
			band, x := i/(side*side), i%side
			switch {
			case tile == 0, tile == 2 && x < side/2:
				pixels[i] = cloud[band]
			case tile == 1, tile == 2:
				pixels[i] = ground[band]
			}
		}
		if err := w.Write(raster.Window{X: tile * side, W: side, H: side}, pixels); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	for want, expected := range map[string]string{
		"segment": "0_0 sent mask result fmask-pcp 1, 1_0 sent  tile  , 2_0 sent  tile  , 3_0 dropped nodata   , ",
		"detect":  "0_0 dropped cloud   , 1_0 sent  tile  , 2_0 sent  tile  , 3_0 dropped nodata   , ",
	} {
		var mu sync.Mutex
		var manifest event.Manifest
		drafts := map[string]outbox.Draft{}
		err = Cut(t.Context(), path, "field", "k", capture.SceneOptions{TileSize: side, Window: side, Want: want}, screen.DefaultConfig(), func(_ context.Context, d outbox.Draft) error {
			mu.Lock()
			defer mu.Unlock()
			drafts[d.Attrs.Tile] = d
			if d.Kind != event.Scene {
				return nil
			}
			var err error
			manifest, err = event.ParseManifest(event.Item{Kind: d.Kind, Data: d.Data})
			return err
		}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, d := range manifest.Tiles {
			item := drafts[d.Tile]
			got += fmt.Sprintf("%s %s %s %s %s %s, ", d.Tile, d.Decision, d.Reason, item.Kind, item.Attrs.Model, item.Attrs.ModelVersion)
			if item.Kind != "" && (item.Attrs.Level != "2A" || d.Bytes != len(item.Data)) {
				t.Errorf("%s: tile %s of level %q, %d bytes, the manifest says %d", want, d.Tile, item.Attrs.Level, len(item.Data), d.Bytes)
			}
		}
		if got != expected {
			t.Errorf("%s:\n%s, should be\n%s", want, got, expected)
		}
		if want == "detect" {
			continue
		}
		mask := drafts["0_0"]
		planes, err := vision.DecodeProbabilities(mask.Data, side, side)
		if err != nil || mask.Rung != event.RungMask || len(mask.Data) > 400 || planes[1][0] != vision.ProbabilityOne || planes[1][side*side-1] != vision.ProbabilityOne {
			t.Errorf("%d bytes on rung %v, %v", len(mask.Data), mask.Rung, err)
		}
	}
}
