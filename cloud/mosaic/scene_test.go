package mosaic

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

func newScene(t testing.TB) *Scene {
	s, err := NewScene("mast-1", "s1", filepath.Join(t.TempDir(), "s1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func fold(t testing.TB, s *Scene, items ...event.Item) {
	t.Helper()
	for _, i := range items {
		if _, err := s.Add(i); err != nil {
			t.Fatal(err)
		}
	}
}

// written is the scene's files and product, as one comparable value.
func written(t testing.TB, s *Scene) (map[string]string, Product) {
	t.Helper()
	dir := t.TempDir()
	p, err := s.Write(dir, noon)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	names, err := filesOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(dir, n))
		if err != nil {
			t.Fatal(err)
		}
		files[n] = string(b)
	}
	return files, p
}

// blended are the pixels of the scene's mask as they are known now.
func blended(t testing.TB, s *Scene) []byte {
	t.Helper()
	mask, err := raster.CreateMask(filepath.Join(t.TempDir(), "mask.tif"), s.grid.Width, s.grid.Height, raster.Georef(s.manifest.Georef))
	if err != nil {
		t.Fatal(err)
	}
	defer mask.Close()
	if err := s.writeMask(mask); err != nil {
		t.Fatal(err)
	}
	pixels, err := mask.Read(raster.Window{W: s.grid.Width, H: s.grid.Height})
	if err != nil {
		t.Fatal(err)
	}
	return pixels
}

func TestAnyOrderAndRepetitionGiveTheSameProduct(t *testing.T) {
	items := sceneItems(t)
	m := plan(t)
	// A second opinion about one tile, by a model that sees cloud everywhere; the later id counts.
	items = append(items, resultItem(t, m, "2_1", 50, func(x, y int) byte { return vision.Cloud }))
	items = append(items, resultItem(t, m, "3_1", 0, func(x, y int) byte { return vision.Shadow }))
	first := newScene(t)
	fold(t, first, items...)
	want, product := written(t, first)
	if !product.Complete {
		t.Fatalf("product %+v", product)
	}
	known := func(s *Scene) string {
		pixels := blended(t, s)
		b, err := json.Marshal([]any{s.stats(), s.outcomes(), s.Missing(), s.modelNames(), pixels})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	state := known(first)
	files := 3 // so many rounds also compare what is written, which takes GDAL a while
	rapid.Check(t, func(r *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 1))
		again := append([]event.Item{}, items...)
		for range random.IntN(10) {
			again = append(again, items[random.IntN(len(items))])
		}
		random.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		s := newScene(t)
		defer s.Close()
		fold(t, s, again...)
		if known(s) != state {
			r.Fatalf("another state:\n%.3000s\nwant\n%.3000s", known(s), state)
		}
		if files--; files < 0 {
			return
		}
		got, _ := written(t, s)
		for name := range want {
			if got[name] != want[name] {
				r.Fatalf("%s differs", name)
			}
		}
	})
}

func TestMaskIsMadeOfTheCoresOfItsTiles(t *testing.T) {
	s := newScene(t)
	fold(t, s, sceneItems(t)...)
	dir := t.TempDir()
	if _, err := s.Write(dir, noon); err != nil {
		t.Fatal(err)
	}
	mask, err := raster.Open(filepath.Join(dir, "mask.tif"), raster.Options{Bands: []string{"class"}})
	if err != nil {
		t.Fatal(err)
	}
	defer mask.Close()
	if i := mask.Info(); i.Width != 300 || i.Height != 180 || i.DataType != "Byte" || i.NoData == nil || *i.NoData != 255 || i.Georef.EPSG != 32632 {
		t.Fatalf("mask is %+v", i)
	}
	got := blended(t, s)
	for y := range 180 {
		for x := range 300 {
			want := truth(x, y)
			for _, d := range s.manifest.Tiles {
				tile, _ := s.grid.Find(d.Tile)
				c := tile.Core
				if d.Decision == event.TileDropped && x >= c.X && x < c.X+c.W && y >= c.Y && y < c.Y+c.H {
					if want = vision.NotJudged; d.Reason == event.DroppedNoData {
						want = vision.NoData
					}
				}
			}
			if got[y*300+x] != want {
				t.Fatalf("pixel %d,%d is %d, want %d", x, y, got[y*300+x], want)
			}
		}
	}
}

func TestTheMaskIsACloudOptimizedGeoTIFF(t *testing.T) {
	s := newScene(t)
	fold(t, s, sceneItems(t)...)
	files, _ := written(t, s)
	head := files["mask.tif"][:1024]
	// GDAL's COG driver writes this block, and with it promises the layout: IFDs before data, overviews last.
	if !bytes.Contains([]byte(head), []byte("GDAL_STRUCTURAL_METADATA_SIZE")) || !bytes.Contains([]byte(head), []byte("LAYOUT=IFDS_BEFORE_DATA")) {
		t.Fatalf("no COG layout in the first kilobyte: %q", head[:200])
	}
}

func TestCloudFractionCountsValidPixelsAndTheEdgesOwnShare(t *testing.T) {
	s := newScene(t)
	fold(t, s, sceneItems(t)...)
	_, p := written(t, s)
	var cloud, valid float64
	for _, d := range s.manifest.Tiles {
		tile, _ := s.grid.Find(d.Tile)
		for y := tile.Core.Y; y < tile.Core.Y+tile.Core.H; y++ {
			for x := tile.Core.X; x < tile.Core.X+tile.Core.W; x++ {
				switch {
				case d.Reason == event.DroppedCloud:
					cloud, valid = cloud+0.95, valid+1
				case d.Decision == event.TileSent:
					valid++
					if truth(x, y) == vision.Cloud {
						cloud++
					}
				}
			}
		}
	}
	if f := p.Scene.CloudFraction; f == nil || math.Abs(*f-cloud/valid) > 1e-9 {
		t.Fatalf("cloud fraction %v, want %g", f, cloud/valid)
	}
	f := p.Scene
	if f.Tiles != 24 || f.Sent != 21 || f.Results != 21 || f.Dead != 0 || f.Dropped["cloud"] != 2 || f.Dropped["nodata"] != 1 || f.Dropped["unchanged"] != 0 {
		t.Fatalf("figures %+v", f)
	}
}

func TestASceneIsDoneWhenEveryTileIsAResultADropOrADeadLetter(t *testing.T) {
	s := newScene(t)
	items := sceneItems(t)
	fold(t, s, items[2:]...) // without the first two results, 2_0 and 3_0
	if s.Done() || len(s.Missing()) != 2 || s.Missing()[0] != "2_0" {
		t.Fatalf("missing %v", s.Missing())
	}
	tile := itemOf(7, event.Tile, "s1/2_0", "image/tiff", nil, event.Attrs{Scene: "s1", Tile: "2_0"})
	if changed, err := s.AddDead(tile, "not a TIFF"); !changed || err != nil {
		t.Fatal(changed, err)
	}
	broken := items[1]
	broken.Data = []byte("not a PNG")
	fold(t, s, broken)
	if !s.Done() {
		t.Fatalf("missing %v", s.Missing())
	}
	_, p := written(t, s)
	if !p.Complete || p.Scene.Dead != 2 || p.Scene.Results != 19 {
		t.Fatalf("product %+v of %+v", p, p.Scene)
	}
	fold(t, s, items[:2]...) // replayed, and found to be good
	if _, p := written(t, s); p.Scene.Dead != 0 || p.Scene.Results != 21 {
		t.Fatalf("figures %+v", p.Scene)
	}
}

func TestATileThatWasSkippedForBeingLateIsDeadWithThatReason(t *testing.T) {
	s := newScene(t)
	items := sceneItems(t)
	fold(t, s, items[2:]...)
	late := items[1]
	late.Type, late.Data = "application/json", []byte(`{"late":true,"skipped":true,"deadline":"2026-05-01T12:00:00Z"}`)
	fold(t, s, late)
	if got := s.tiles[late.Attrs.Tile]; got.state != dead || !strings.Contains(got.reason, "2026-05-01T12:00:00Z") {
		t.Fatalf("%+v", got)
	}
	fold(t, s, items[1])
	if got := s.tiles[late.Attrs.Tile]; got.state != result {
		t.Fatalf("%+v: it was done after all", got)
	}
}

func TestWhatDoesNotFitTheSceneIsPassedOver(t *testing.T) {
	s := newScene(t)
	m := plan(t)
	fold(t, s, manifestItem(t, 5, m))
	strange := resultItem(t, m, "1_1", 1, truth)
	strange.Attrs.Tile = "9_9"
	if _, err := s.Add(strange); !errors.Is(err, errMisfit) {
		t.Fatalf("a tile outside the grid gives %v", err)
	}
	wrong := plan(t)
	wrong.Width = 3000
	if _, err := s.Add(manifestItem(t, 9, wrong)); !errors.Is(err, errMisfit) {
		t.Fatalf("a manifest whose grid does not cover it gives %v", err)
	}
	small := resultItem(t, m, "1_1", 2, truth)
	small.Attrs.Tile = "4_1" // the last column and row are full windows too, so sizes agree; 4_1 takes it
	fold(t, s, small)
	if s.tiles["4_1"].state != result {
		t.Fatal("a mask of the window's size was refused")
	}
}

func TestStacItemSaysWhereAndHow(t *testing.T) {
	s := newScene(t)
	fold(t, s, sceneItems(t)...)
	files, _ := written(t, s)
	golden := filepath.Join("testdata", "item.json")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		os.MkdirAll("testdata", 0o755)
		if err := os.WriteFile(golden, []byte(files["item.json"]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if files["item.json"] != string(want) {
		t.Fatalf("item.json differs from testdata/item.json (UPDATE_GOLDEN=1 writes it anew):\n%s", files["item.json"])
	}
}

func TestASatelliteIsAPlatformAndSeveralAreAConstellation(t *testing.T) {
	for sensor, property := range map[string]string{"landsat-9": "platform", "worldview-3": "platform", "sentinel-2": "constellation", "landsat": "constellation", "planetscope": "constellation"} {
		item := stacItem{Properties: map[string]any{}}
		item.addFacts(&event.Manifest{Facts: []event.SceneFact{{What: "sensor", Value: sensor, From: "product"}}})
		if item.Properties[property] != sensor || len(item.Properties) != 2 { // and canvas:facts
			t.Errorf("%s: %v, want %s", sensor, item.Properties, property)
		}
	}
}

func TestLevelsAreWrittenAsSTACHasThem(t *testing.T) {
	for level, want := range map[string]string{"2A": "L2A", "L2": "L2", "3B": "L3B", "SR": "SR"} {
		item := stacItem{Properties: map[string]any{}}
		item.addFacts(&event.Manifest{Facts: []event.SceneFact{{What: "level", Value: level, From: "product"}}})
		if item.Properties["processing:level"] != want {
			t.Errorf("%s: %v", level, item.Properties)
		}
	}
}

func TestASceneWithoutAPlaceHasNoGeometry(t *testing.T) {
	s := newScene(t)
	m := plan(t)
	m.Georef = event.Georef{}
	fold(t, s, manifestItem(t, 5, m))
	files, p := written(t, s)
	var item map[string]any
	if err := json.Unmarshal([]byte(files["item.json"]), &item); err != nil {
		t.Fatal(err)
	}
	if g, there := item["geometry"]; !there || g != nil || item["bbox"] != nil {
		t.Fatalf("geometry %v, bbox %v", g, item["bbox"])
	}
	if p.Complete || len(p.Missing) != 21 || p.Scene.CloudFraction == nil {
		t.Fatalf("product %+v", p)
	}
}

func TestAManifestWhoseSystemIsNoneIsPassedOver(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	called := make(chan struct{}, 1)
	go func() {
		if _, err := listener.Accept(); err == nil {
			called <- struct{}{}
		}
	}()
	for _, wkt := range []string{"http://" + listener.Addr().String() + "/ssrf", "/etc/passwd", "EPSG:4326", "PROJCS[", "+init=/etc/passwd:1"} {
		s := newScene(t)
		m := plan(t)
		m.Georef.WKT = wkt
		if changed, err := s.Add(manifestItem(t, 5, m)); changed || !errors.Is(err, errMisfit) || !errors.Is(err, raster.ErrGeoref) {
			t.Errorf("%s: %v %v", wkt, changed, err)
		}
	}
	select {
	case <-called:
		t.Error("the address was asked")
	default:
	}
}
