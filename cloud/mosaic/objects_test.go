package mosaic

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// ships are in pixels of the scene of plan: in the middle of a tile, across two and four tiles, and at
// the scene's corner, whose tiles begin outside.
var ships = []vision.Box{{X: 20, Y: 100, W: 12, H: 10}, {X: 46, Y: 140, W: 14, H: 8}, {X: 100, Y: 104, W: 16, H: 16}, {X: 250, Y: 0, W: 8, H: 9}}

// shipItems are what workers found of the ships in each tile, cut at its borders, and the manifest.
func shipItems(t testing.TB) []event.Item {
	m := plan(t)
	grid := m.Grid.Of(m.Width, m.Height)
	var items []event.Item
	for _, d := range m.Tiles {
		if d.Decision != event.TileSent {
			continue
		}
		at, _ := grid.Find(d.Tile)
		boxes := []vision.Box{}
		for _, s := range ships {
			left, top := max(s.X, float32(at.Held.X)), max(s.Y, float32(at.Held.Y))
			right, bottom := min(s.X+s.W, float32(at.Held.X+at.Held.W)), min(s.Y+s.H, float32(at.Held.Y+at.Held.H))
			if right-left > 1 && bottom-top > 1 {
				boxes = append(boxes, vision.Box{X: left - float32(at.Held.X), Y: top - float32(at.Held.Y), W: right - left, H: bottom - top,
					Score: 0.5 + (right-left)*(bottom-top)/1000, Label: "boat"})
			}
		}
		data, err := json.Marshal(map[string]any{"width": at.Held.W, "height": at.Held.H, "boxes": boxes})
		if err != nil {
			t.Fatal(err)
		}
		i := itemOf(len(items), event.Result, "s1/"+d.Tile, "application/json", data, event.Attrs{Scene: "s1", Tile: d.Tile, Model: "yolox_nano", ModelVersion: "1", Want: "detect"})
		i.Epoch, i.Seq = "", 0
		items = append(items, i)
	}
	return append(items, quicklookItem(t, 100), manifestItem(t, 101, m))
}

func TestObjectsAcrossTilesAreFoundOnceInAnyOrder(t *testing.T) {
	items := shipItems(t)
	var want string
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 1))
		random.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		s := newScene(t)
		fold(t, s, items...)
		files, p := written(t, s)
		if got := fmt.Sprint(files); want == "" {
			want = got
		} else if got != want {
			t.Fatal("another order gives other files")
		}
		if !p.Complete || p.Scene.Objects == nil || *p.Scene.Objects != len(ships) {
			t.Fatalf("complete %v, %v objects, want %d\n%s", p.Complete, p.Scene.Objects, len(ships), files["detections.json"])
		}
		var found []detection
		if err := json.Unmarshal([]byte(files["detections.json"]), &found); err != nil {
			t.Fatal(err)
		}
		for _, ship := range ships {
			near := math.Inf(1)
			for _, d := range found {
				near = min(near, math.Abs(float64(d.BBox[0]-ship.X))+math.Abs(float64(d.BBox[1]-ship.Y))+math.Abs(float64(d.BBox[2]-ship.W))+math.Abs(float64(d.BBox[3]-ship.H)))
			}
			if near > 1e-3 {
				t.Errorf("%+v is not found as it is: %s", ship, files["detections.json"])
			}
		}
		var on raster.FeatureCollection
		if err := json.Unmarshal([]byte(files["detections.geojson"]), &on); err != nil || len(on.Features) != len(ships) {
			t.Errorf("%d features: %v", len(on.Features), err)
		}
		var item stacItem
		if err := json.Unmarshal([]byte(files["item.json"]), &item); err != nil {
			t.Fatal(err)
		}
		for _, asset := range item.Assets {
			if files[asset.Href[2:]] == "" {
				t.Errorf("the item names %s, which is not there", asset.Href)
			}
		}
		if files["mask.tif"] != "" || item.Assets["objects"].Href == "" {
			t.Errorf("files of a scene of objects: %v", item.Assets)
		}
	}
}

func TestASceneOfMasksAndObjectsHasBoth(t *testing.T) {
	m := plan(t)
	items := shipItems(t)
	s := newScene(t)
	fold(t, s, items...)
	fold(t, s, resultItem(t, m, "2_1", 200, truth)) // a later one, of another model
	files, p := written(t, s)
	if files["mask.tif"] == "" || files["detections.json"] == "" || p.Scene.Objects == nil || p.Scene.CloudFraction == nil {
		t.Errorf("%+v, %d files", p.Scene, len(files))
	}
}
