package mosaic

import (
	"bytes"
	"image/png"
	"math"
	"testing"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// edgeMask is a device's own mask of a tile: an item of its buffer, with a number.
func edgeMask(t testing.TB, m event.Manifest, name string, n int, class func(x, y int) byte) event.Item {
	t.Helper()
	grid := raster.Grid{Width: m.Width, Height: m.Height, Size: m.Grid.Size, Overlap: m.Grid.Overlap, Margin: m.Grid.Margin}
	at, ok := grid.Find(name)
	if !ok {
		t.Fatalf("no tile %s", name)
	}
	mask := vision.Mask{W: at.Window.W, H: at.Window.H, Class: make([]byte, at.Window.W*at.Window.H)}
	for i := range mask.Class {
		mask.Class[i] = class(at.Window.X+i%mask.W, at.Window.Y+i/mask.W)
	}
	data, err := vision.EncodeProbabilities(mask.Sure(), png.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	return itemOf(n, event.Result, "s1/"+name, "image/png", data, event.Attrs{Scene: "s1", Tile: name, Model: "cloud_edge_6b", ModelVersion: "1"})
}

func near(a *float64, b float64) bool { return a != nil && math.Abs(*a-b) < 1e-9 }

// TestWhoJudgedIsCountedOnTheMaskItself has tiles of every fate, and holds the shares to the pixels of the mask.
func TestWhoJudgedIsCountedOnTheMaskItself(t *testing.T) {
	s, m := newScene(t), plan(t)
	fates := map[string]string{"0_0": "mask", "1_0": "cloud", "2_0": "unchanged", "3_0": "unreadable", "4_2": "nodata", "3_2": "dead", "2_2": "missing", "1_1": "half"}
	var items []event.Item
	for i := range m.Tiles {
		d := &m.Tiles[i]
		d.Decision, d.Reason, d.NoData = event.TileSent, "", 0
		switch fate := fates[d.Tile]; fate {
		case "mask":
			d.Reason = event.SentMask
			items = append(items, edgeMask(t, m, d.Tile, len(items), func(int, int) byte { return vision.Cloud }))
		case "half": // every second column is left out within the tile
			d.Reason = event.SentMask
			items = append(items, edgeMask(t, m, d.Tile, len(items), func(x, _ int) byte {
				if x%2 == 0 {
					return vision.NotJudged
				}
				return vision.Clear
			}))
		case "cloud", "unchanged", "unreadable", "nodata":
			d.Decision, d.Reason = event.TileDropped, fate
		case "dead", "missing":
		default:
			items = append(items, resultItem(t, m, d.Tile, len(items), truth))
		}
	}
	fold(t, s, append(items, manifestItem(t, 101, m))...)
	if _, err := s.AddDead(itemOf(90, event.Tile, "s1/3_2", "image/tiff", nil, event.Attrs{Scene: "s1", Tile: "3_2"}), "torn"); err != nil {
		t.Fatal(err)
	}
	pixels := blended(t, s)
	owner := make([]string, len(pixels))
	for tile := range s.grid.Tiles() {
		for y := tile.Core.Y; y < tile.Core.Y+tile.Core.H; y++ {
			for x := tile.Core.X; x < tile.Core.X+tile.Core.W; x++ {
				owner[y*s.grid.Width+x] = tile.Name()
			}
		}
	}
	var nobody, edge, all float64
	for i, c := range pixels {
		fate := fates[owner[i]]
		want := map[string]byte{"mask": vision.Cloud, "cloud": vision.NotJudged, "unchanged": vision.NotJudged, "unreadable": vision.NotJudged,
			"nodata": vision.NoData, "dead": vision.NotJudged, "missing": vision.NotJudged}
		if w, ok := want[fate]; ok && fate != "mask" && c != w {
			t.Fatalf("a pixel of tile %s, which is %s, is %d, want %d", owner[i], fate, c, w)
		}
		if c == vision.NoData {
			continue
		}
		all++
		switch {
		case c == vision.NotJudged:
			nobody++
		case fate == "mask" || fate == "half":
			edge++
		}
	}
	f := s.stats()
	if !near(f.NotJudged, nobody/all) || !near(f.JudgedByEdge, edge/all) || !near(f.JudgedByCloud, (all-nobody-edge)/all) || f.EdgeMasks != 2 {
		t.Fatalf("not judged %v, by the edge %v, by the cloud %v of %+v; on the mask %g, %g", *f.NotJudged, *f.JudgedByEdge, *f.JudgedByCloud, f, nobody/all, edge/all)
	}
	by := map[string]string{}
	for _, o := range s.outcomes() {
		by[o.Tile] = o.By
	}
	if by["0_0"] != "edge" || by["5_3"] != "cloud" || by["2_0"] != "" {
		t.Errorf("judged by %v", by)
	}
	// The pixels that a query brings replace the device's mask, and are the cloud's word.
	fold(t, s, resultItem(t, m, "0_0", 110, truth))
	blended(t, s)
	if f := s.stats(); f.EdgeMasks != 1 || s.tiles["0_0"].byEdge {
		t.Errorf("after a query %+v", f)
	}
}

func TestNoCloudFractionWhereNothingWasJudged(t *testing.T) {
	for reason, judged := range map[string]bool{event.DroppedUnchanged: true, event.DroppedNoData: false} {
		s, m := newScene(t), plan(t)
		for i := range m.Tiles {
			m.Tiles[i].Decision, m.Tiles[i].Reason = event.TileDropped, reason
		}
		fold(t, s, manifestItem(t, 5, m))
		_, p := written(t, s)
		f := p.Scene
		if f.CloudFraction != nil || (f.NotJudged != nil) != judged || judged && *f.NotJudged != 1 {
			t.Errorf("%s: cloud %v, not judged %v", reason, f.CloudFraction, f.NotJudged)
		}
	}
}

// TestAnEarlierCloudTakesWhatWasNotJudgedForNoData reads a mask as clouds of before did: by the first plane.
func TestAnEarlierCloudTakesWhatWasNotJudgedForNoData(t *testing.T) {
	mask := vision.Mask{W: 3, H: 1, Class: []byte{vision.NotJudged, vision.Cloud, vision.NoData}}
	data, err := vision.EncodeProbabilities(mask, png.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	planes, err := vision.DecodeProbabilities(data, 3, 1)
	if err != nil || len(planes) != 2 || !bytes.Equal(planes[0], []byte{255, 0, 255}) || !bytes.Equal(planes[1], []byte{254, 254, 255}) {
		t.Fatalf("%v, %v", planes, err)
	}
}
