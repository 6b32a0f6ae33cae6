package edge

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/linktile"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// halfCloud is sure that the left half of each tile is cloud.
type halfCloud struct{ rules screen.Config }

func (s halfCloud) screen(_ context.Context, p capture.Picture) (screen.Decision, *vision.Mask, error) {
	im := p.Image
	m := vision.Mask{W: im.W, H: im.H, Class: make([]byte, im.W*im.H)}
	for i := range m.Class {
		if i%im.W < im.W/2 {
			m.Class[i] = vision.Cloud
		}
	}
	m = m.Sure()
	return s.rules.Tile(im, &m, "half"), &m, nil
}

func (halfCloud) name() (name, version string) { return "half", "3" }
func (halfCloud) bands() []string              { return nil }

// TestBlocksOfCloudStayOnTheDevice with its mask in their place, unless somebody asked for the whole tile or for
// objects.
func TestBlocksOfCloudStayOnTheDevice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "field.tif")
	w, err := raster.Create(path, raster.Layout{Width: 256, Height: 96, Bands: []string{"blue", "green", "red"}, DataType: "UInt16"})
	if err != nil {
		t.Fatal(err)
	}
	pixels := make([]uint16, 256*96*3)
	for i := range pixels {
		pixels[i] = uint16(1 + i*7919%9999)
	}
	if err := w.Write(raster.Window{W: 256, H: 96}, pixels); err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int{}
	for name, set := range map[string]func(*scenePipeline, *capture.SceneOptions){
		"blocks": func(*scenePipeline, *capture.SceneOptions) {},
		"asked":  func(s *scenePipeline, _ *capture.SceneOptions) { s.whole = true },
		"detect": func(s *scenePipeline, o *capture.SceneOptions) { s.want, o.Want = "detect", "detect" },
	} {
		buf := &fakeBuffer{}
		s := newScenePipeline(always(halfCloud{screen.DefaultConfig()}), nil, buf, "key", idleProbe(), slog.New(slog.DiscardHandler))
		o := capture.SceneOptions{}
		set(s, &o)
		if err := capture.NewSceneFile(path, "field", o).Run(t.Context(), s.take); err != nil {
			t.Fatal(err)
		}
		for _, d := range buf.drafts {
			switch d.Kind {
			case event.Tile:
				tile, err := linktile.Decode(d.Data, 1<<20)
				if err != nil {
					t.Fatal(err)
				}
				sizes[name] = len(d.Data)
				if blocks := name == "blocks"; blocks != (tile.Kept != nil) || blocks && (tile.Kept[0] || !tile.Kept[7] || tile.Mask[0] != vision.Cloud || tile.Mask[255] != vision.Clear || tile.Model != "half" || tile.Version != "3") {
					t.Errorf("%s: blocks %v of %s %s", name, tile.Kept, tile.Model, tile.Version)
				}
			case event.Scene:
				m, err := event.ParseManifest(event.Item{Kind: event.Scene, Data: d.Data})
				if err != nil {
					t.Fatal(err)
				}
				// Half of the tile: the column of cloud beside the ground goes too, to look around.
				if want := map[string]float64{"blocks": 0.5}[name]; m.Tiles[0].Left != want || m.Tiles[0].Decision != event.TileSent {
					t.Errorf("%s: %+v", name, m.Tiles[0])
				}
			}
		}
	}
	if sizes["blocks"] > sizes["asked"]*3/4 || sizes["asked"] == 0 || sizes["detect"] == 0 {
		t.Errorf("bytes: %v", sizes)
	}
}

// clearSky is sure that there is no cloud.
type clearSky struct{ rules screen.Config }

func (s clearSky) screen(_ context.Context, p capture.Picture) (screen.Decision, *vision.Mask, error) {
	m := vision.Mask{W: p.Image.W, H: p.Image.H, Class: make([]byte, p.Image.W*p.Image.H)}
	m = m.Sure()
	return s.rules.Tile(p.Image, &m, "clear"), &m, nil
}

func (clearSky) name() (name, version string) { return "clear", "1" }
func (clearSky) bands() []string              { return nil }

// TestUnchangedBlocksStayOnTheDevice: of a tile of which a corner has burnt, that corner goes, and what did not go
// is not taken for seen.
func TestUnchangedBlocksStayOnTheDevice(t *testing.T) {
	dir, changes := t.TempDir(), newSceneChange(t, t.TempDir())
	pass := func(name string, light float32, burnt int) (event.TileDecision, linktile.Tile) {
		t.Helper()
		buf := &fakeBuffer{}
		path := scene(t, filepath.Join(dir, name), 500_000, light, burnt)
		s := newScenePipeline(always(clearSky{changes.rules}), changes, buf, name, idleProbe(), slog.New(slog.DiscardHandler))
		if err := capture.NewSceneFile(path, name, capture.SceneOptions{TileSize: 160, Window: 160}).Run(t.Context(), s.take); err != nil {
			t.Fatal(err)
		}
		m, err := event.ParseManifest(event.Item{Kind: event.Scene, Data: buf.of(event.Scene)[0].Data})
		if err != nil || len(m.Tiles) != 1 {
			t.Fatal(err, len(m.Tiles))
		}
		var tile linktile.Tile
		if sent := buf.of(event.Tile); len(sent) > 0 {
			if tile, err = linktile.Decode(sent[0].Data, 1<<20); err != nil {
				t.Fatal(err)
			}
		}
		return m.Tiles[0], tile
	}
	if d, tile := pass("first.tif", 1, 0); d.Decision != event.TileSent || tile.Kept != nil {
		t.Fatalf("the first view: %+v, blocks %v", d, tile.Kept)
	}
	d, tile := pass("second.tif", 0.95, 20) // pixels 30 to 50
	if d.Decision != event.TileSent || len(tile.Kept) != 25 {
		t.Fatalf("%+v, blocks %v", d, tile.Kept)
	}
	for i, kept := range tile.Kept {
		if want := i%5 <= 2 && i/5 <= 2; kept != want {
			t.Errorf("block %d, %d is sent: %v", i%5, i/5, kept)
		}
	}
	if d.Left < 0.83 || d.Left > 0.85 {
		t.Errorf("the mask stands for %v of the pixels", d.Left)
	}
	if d, _ := pass("third.tif", 1, 20); d.Decision != event.TileDropped || d.Reason != screen.Unchanged {
		t.Errorf("what was sent is not known: %+v", d)
	}
}
