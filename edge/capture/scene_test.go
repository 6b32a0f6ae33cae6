package capture_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cloudcanvas/edge/capture"
	"cloudcanvas/shared/linktile"
	"cloudcanvas/shared/raster"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func madeScene(t *testing.T, width, height int, bands ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "made scene.tif")
	w, err := raster.Create(path, raster.Layout{Width: width, Height: height, Bands: bands, DataType: "UInt16"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	pixels := make([]uint16, width*height*len(bands))
	for i := range pixels {
		pixels[i] = uint16(1 + (i*7919)%9999)
	}
	if err := errors.Join(w.Write(raster.Window{W: width, H: height}, pixels), w.Finish()); err != nil {
		t.Fatal(err)
	}
	return path
}

func take(t *testing.T, path string, o capture.SceneOptions) (tiles []capture.Picture, last capture.Picture, err error) {
	t.Helper()
	source := capture.NewSceneFile(path, "s1", o)
	err = source.Run(t.Context(), func(_ context.Context, p capture.Picture) error {
		if p.Last {
			last = p
		} else {
			tiles = append(tiles, p)
		}
		return nil
	})
	return tiles, last, err
}

func TestASceneComesTileByTileAndThenLast(t *testing.T) {
	defer goleak.VerifyNone(t)
	path := madeScene(t, 600, 300, "B04", "B03", "B02", "B05", "B11", "B8A")
	tiles, last, err := take(t, path, capture.SceneOptions{TileSize: 256, Overlap: 16})
	if err != nil {
		t.Fatal(err)
	}
	if len(tiles) != 6 || !last.Last || last.Frame != 6 || last.Partial != "" || last.Tile != nil {
		t.Fatalf("%d tiles, then %+v", len(tiles), last)
	}
	for i, p := range tiles {
		if p.Frame != int64(i) || p.Stream != "s1" || p.Scene.ID != "s1" || p.Image.W != p.Tile.Held.W || p.Image.H != p.Tile.Held.H || p.At.IsZero() {
			t.Errorf("tile %d: %+v", i, p)
		}
		if want := []string{"blue", "green", "red", "nir", "swir16"}; !slices.Equal(p.Image.Bands, want) || !slices.Equal(p.Scene.Planes, want) {
			t.Errorf("bands %v", p.Image.Bands)
		}
		data, media, err := p.Scene.Encode(p.Image, *p.Tile, nil)
		if err != nil {
			t.Fatal(err)
		}
		there, err := linktile.Decode(data, 256*256)
		if err != nil || media != linktile.MediaType {
			t.Fatalf("tile %s, %s: %v", p.Tile.Name(), media, err)
		}
		part, err := raster.LinkPart(there.Header)
		if err != nil || part.Grid != p.Scene.Grid || part.Tile.Held != p.Tile.Held {
			t.Errorf("tile %s comes as %+v: %v", p.Tile.Name(), part, err)
		}
		if back := raster.FromLinkTile(there); !reflect.DeepEqual(back, p.Image) {
			t.Errorf("tile %s does not travel", p.Tile.Name())
		}
	}
	if tiles[4].Tile.Name() != "1_1" {
		t.Errorf("the fifth tile is %s", tiles[4].Tile.Name())
	}
}

func TestASceneWithoutTheNeededBandsSaysWhatItHas(t *testing.T) {
	defer goleak.VerifyNone(t)
	path := madeScene(t, 20, 20, "elevation", "green")
	_, _, err := take(t, path, capture.SceneOptions{})
	var missing *raster.BandError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "elevation, green") || !strings.Contains(err.Error(), "--bands") {
		t.Errorf("%v", err)
	}
	if _, _, err := take(t, filepath.Join(t.TempDir(), "none.tif"), capture.SceneOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestBrokenTilesAreAccountedForAndTheRestComes(t *testing.T) {
	defer goleak.VerifyNone(t)
	path := madeScene(t, 1024, 1024, "blue", "green", "red")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data[:len(data)*9/10], 0o644); err != nil {
		t.Fatal(err)
	}
	tiles, last, err := take(t, path, capture.SceneOptions{TileSize: 256})
	if err != nil {
		t.Skip("skipped: this GDAL keeps its directory at the end of the file: ", err)
	}
	broken := 0
	for _, p := range tiles {
		if p.Partial != "" {
			broken++
			if p.Image.Planes != nil {
				t.Error("a broken tile has pixels")
			}
		}
	}
	if len(tiles) != 16 || broken == 0 || broken == 16 || !strings.Contains(last.Partial, "of 16 tiles could not be read") {
		t.Errorf("%d of %d tiles are broken: %s", broken, len(tiles), last.Partial)
	}
	tiles, last, err = take(t, path, capture.SceneOptions{})
	if err != nil || len(tiles) != 1 || tiles[0].Partial != "" || !strings.Contains(tiles[0].Lost, "are without data") || !strings.Contains(last.Partial, "1 only in part") {
		t.Fatalf("%v: as one tile: %s", err, last.Partial)
	}
	if lost := len(tiles[0].Image.Void) - bytes.Count(tiles[0].Image.Void, []byte{0}); lost == 0 || lost > 1024*1024/2 {
		t.Errorf("%d pixels are without data", lost)
	}
}

func TestASceneStopsWithItsContext(t *testing.T) {
	defer goleak.VerifyNone(t)
	path := madeScene(t, 1024, 1024, "blue", "green", "red")
	source := capture.NewSceneFile(path, "s1", capture.SceneOptions{})
	ctx, stop := context.WithCancel(t.Context())
	err := source.Run(ctx, func(context.Context, capture.Picture) error { stop(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	full := errors.New("the outbox is closed")
	if err := source.Run(t.Context(), func(context.Context, capture.Picture) error { return full }); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}

func TestSceneIDsAreUniqueAndFitForTopics(t *testing.T) {
	var ids capture.SceneIDs
	for _, c := range [][2]string{
		{"/a/RGB.byte.tif", "RGB.byte"}, {"/b/RGB.byte.tif", "RGB.byte-2"}, {"/a/RGB.byte.tif", "RGB.byte"},
		{"/a/my scene (1).TIF", "my-scene--1"}, {"/a/HLS.S30.T32TQM.2021123T101559.v2.0", "HLS.S30.T32TQM.2021123T101559.v2.0"}, {"/a/HLS.S30.T32TQM.2021124T101559.v2.0.B02.tif", "HLS.S30.T32TQM.2021124T101559.v2.0"}, {"/a/+#/.tif", "scene"}, {"/a/\u00fc.tif", "scene-2"},
		{"rtsp://127.0.0.1:9/cam/realmonitor?user=admin&password=S3cretPw1", "camera"}, {"rtsp://u:S3cretPw1@h/x", "camera-2"}, {"rtsps://h/user=u_password=S3cretPw1", "camera-3"},
		{"/vsicurl/https://h/a/scene_7.tif?token=S3cretPw1", "scene_7"}, {"https://h/password=S3cretPw1", "scene-3"}, {"/dev/video0", "video0"},
	} {
		if got := ids.ID(c[0]); got != c[1] {
			t.Errorf("%s is %s, not %s", c[0], got, c[1])
		}
	}
	var later capture.SceneIDs
	later.Took("RGB", "/b/RGB.tif")
	for _, c := range [][2]string{{"/a/RGB.tif", "RGB-2"}, {"/b/RGB.tif", "RGB"}} {
		if got := later.ID(c[0]); got != c[1] {
			t.Errorf("in a later run %s is %s, not %s", c[0], got, c[1])
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var ids capture.SceneIDs
		paths := rapid.SliceOfNDistinct(rapid.String(), 1, 8, rapid.ID).Draw(t, "paths")
		seen := map[string]bool{}
		for _, p := range paths {
			id := ids.ID(p)
			if seen[id] || id == "" || strings.ContainsAny(id, "/+# \x00") || len(id) > 110 {
				t.Errorf("%q is %q", p, id)
			}
			seen[id] = true
		}
	})
}

func TestSceneOptionsAreChecked(t *testing.T) {
	var fields []string
	add := func(field, _, _ string) { fields = append(fields, field) }
	capture.SceneOptions{TileSize: -1, Overlap: 300, Options: raster.Options{ReflectanceScale: -math.Pi}, Ahead: -1}.Problems(add)
	if !slices.Equal(fields, []string{"tile_size", "ahead", "overlap", "reflectance_scale"}) {
		t.Errorf("%v", fields)
	}
	fields = nil
	if (capture.SceneOptions{}).Problems(add); fields != nil {
		t.Errorf("%v", fields)
	}
}

func TestPrecisionHoldsForScenesOfFractionsToo(t *testing.T) {
	defer goleak.VerifyNone(t)
	path := filepath.Join(t.TempDir(), "floats.tif")
	w, err := raster.Create(path, raster.Layout{Width: 40, Height: 30, Bands: []string{"blue", "green", "red"}, DataType: "Float32"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	pixels := make([]float32, 40*30*3)
	for i := range pixels {
		pixels[i] = float32(i%997) / 1000
	}
	if err := errors.Join(w.Write(raster.Window{W: 40, H: 30}, pixels), w.Finish()); err != nil {
		t.Fatal(err)
	}
	tiles, last, err := take(t, path, capture.SceneOptions{Precision: 0.0005})
	if err != nil || len(tiles) != 1 || last.Scene.Precision != 0.0005 {
		t.Fatalf("%d tiles, %v, %+v", len(tiles), err, last.Scene)
	}
	data, _, err := tiles[0].Scene.Encode(tiles[0].Image, *tiles[0].Tile, nil)
	if err != nil {
		t.Fatal(err)
	}
	if h, err := linktile.Head(data); err != nil || !slices.Equal(h.Error, []int{5, 5, 5}) {
		t.Errorf("%v, %v", h.Error, err)
	}
}
