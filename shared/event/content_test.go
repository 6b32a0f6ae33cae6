package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func jsonItem(kind Kind, data string) Item {
	return Item{Kind: kind, Seq: 9, Type: "application/json", Data: []byte(data)}
}

// TestNumbersThatSizeMemoryAreBounded has one input of each kind that stopped a process, or could.
func TestNumbersThatSizeMemoryAreBounded(t *testing.T) {
	boxes := func(n int, box string) string { return strings.TrimSuffix(strings.Repeat(box+",", n), ",") }
	camera := `{"camera":"gate","width":640,"height":480,"first":0,"last":0,"frames":[{"frame":0,"time":"2026-06-01T12:00:00Z","boxes":[%s]}]}`
	tile := Item{Kind: Tile, Attrs: Attrs{Scene: "s", Tile: "99999999999_0"}, Data: []byte("II*")}
	long := Item{Kind: Tile, Attrs: Attrs{Scene: strings.Repeat("s", 600), Tile: "0_0"}}
	result := Item{Kind: Result, Attrs: Attrs{Scene: "s", Tile: "0_0"}, Data: []byte(`{"width":256,"height":256,"boxes":[` + boxes(MaxBoxes+1, `{"X":1,"Y":2,"W":3,"H":4,"Score":0.5}`) + `]}`)}
	for name, i := range map[string]Item{
		"a manifest of enormous tiles": jsonItem(Scene, `{"id":"bomb2","width":1000000,"height":1000000,"bands":["blue"],"data_type":"Byte","georef":{"wkt":"","epsg":0,"transform":[0,0,0,0,0,0]},`+
			`"grid":{"size":1000000000000000,"overlap":0,"margin":0,"cols":1,"rows":1},"file_bytes":1,"screening":"x","tiles":[{"tile":"0_0","decision":"dropped","reason":"nodata","cloud":0,"nodata":1,"value":0,"bytes":0}],"model":""}`),
		"no manifest at all":          jsonItem(Scene, `{"id":`),
		"JSON nested deep":            jsonItem(Alert, `{"a":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`}`),
		"a track nested deep":         jsonItem(Track, strings.Repeat(`{"before":`, 500)),
		"a reading of many values":    jsonItem(Reading, `{"values":{`+manyValues(MaxValues+1)+`}}`),
		"a frame of many boxes":       jsonItem(Result, fmt.Sprintf(camera, boxes(MaxBoxes+1, `{"bbox":[1,2,3,4]}`))),
		"a box beyond any picture":    jsonItem(Result, fmt.Sprintf(camera, `{"bbox":[1e30,2,3,4],"label":"x"}`)),
		"a frame number beyond all":   jsonItem(Result, strings.Replace(fmt.Sprintf(camera, ""), `"last":0`, `"last":9223372036854775807`, 1)),
		"a tile's result, many boxes": result,
		"a tile of no grid":           tile,
		"a scene with a long name":    long,
		"a drop report without end":   jsonItem(Ack, `{"drops":[`+boxes(MaxDrops+1, `{"seq":1}`)+`]}`),
	} {
		if err := i.CheckContent(); err == nil {
			t.Errorf("%s passed", name)
		} else if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrIncomplete) {
			t.Errorf("%s: %v, which the bridge would try again", name, err)
		}
	}
}

func manyValues(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"v%d":1,`, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}

func TestWhatOthersSendIsLeftToItsReaders(t *testing.T) {
	for name, i := range map[string]Item{
		"a reading that is a number": jsonItem(Reading, `3.5`),
		"an alert in plain words":    {Kind: Alert, Type: "text/plain", Data: []byte("door open [")},
		"a result of another shape":  jsonItem(Result, `[1,2,3]`),
		"a mask":                     {Kind: Result, Attrs: Attrs{Scene: "s", Tile: "3_4"}, Type: "image/png", Data: []byte("\x89PNG")},
		"a part":                     {Kind: Part, Data: []byte(strings.Repeat("[", 100))},
		"a reference":                {Kind: Scene, Attrs: Attrs{DataRef: "items/x"}},
		"a frame":                    {Kind: Frame, Data: []byte{0xff, 0xd8}},
	} {
		if err := i.CheckContent(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// planOf is a manifest as edges of any version make it, for a scene of that size cut that way.
func planOf(width, height, size, overlap, margin int) Manifest {
	along := func(length int) int {
		stride := size - overlap
		return max(1, (length+margin-overlap/2+stride-1)/stride)
	}
	return Manifest{ID: "S2A_T32UQV", Width: width, Height: height, Bands: []string{"blue", "", "nir"}, DataType: "UInt16",
		Georef: Georef{EPSG: 32632, Transform: [6]float64{600000, 10, 0, 5000000, 0, -10}},
		Grid:   SceneGrid{Size: size, Overlap: overlap, Margin: margin, Cols: along(width), Rows: along(height)}, Screening: "spectral"}
}

func decided(m Manifest) Manifest {
	for row := range m.Grid.Rows {
		for col := range m.Grid.Cols {
			m.Tiles = append(m.Tiles, TileDecision{Tile: fmt.Sprintf("%d_%d", col, row), Decision: TileSent, Cloud: 0.25, Value: 0.5, Bytes: 9000})
		}
	}
	return m
}

func TestHonestScenesPass(t *testing.T) {
	for _, m := range []Manifest{
		planOf(1, 1, 256, 24, 51),
		planOf(10_980, 10_980, 256, 24, 51), // Sentinel-2 at 10 m
		planOf(40_000, 40_000, 256, 52, 51),
		planOf(100_000, 100_000, 256, 24, 0),
		planOf(30_000, 300_000, 512, 64, 0), // a strip of a push-broom sensor
		planOf(16_384, 16_384, 4096, 2048, 2047),
	} {
		m = decided(m)
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := (&Item{Kind: Scene, Data: data}).CheckContent(); err != nil {
			t.Errorf("%d x %d: %v", m.Width, m.Height, err)
		}
	}
}

// TestEveryGridThatEdgesCutPasses draws what capture.SceneOptions allow.
func TestEveryGridThatEdgesCutPasses(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.IntRange(1, 4096).Draw(rt, "size")
		overlap := rapid.IntRange(0, size/2).Draw(rt, "overlap")
		margin := rapid.IntRange(0, size-overlap-1).Draw(rt, "margin")
		m := planOf(rapid.IntRange(1, 120_000).Draw(rt, "width"), rapid.IntRange(1, 120_000).Draw(rt, "height"), size, overlap, margin)
		err := m.CheckPlan()
		if err != nil && m.Grid.Cols*m.Grid.Rows <= maxTiles {
			rt.Fatal(err)
		}
	})
}

// TestWhatPassesIsBounded draws numbers of any size.
func TestWhatPassesIsBounded(t *testing.T) {
	number := rapid.OneOf(rapid.IntRange(-3, 5000), rapid.Int(), rapid.SampledFrom([]int{1 << 17, 1 << 20, 1 << 31, 1 << 32, math.MaxInt, math.MinInt}))
	rapid.Check(t, func(rt *rapid.T) {
		m := planOf(300, 200, 256, 0, 0)
		for _, field := range []*int{&m.Width, &m.Height, &m.Grid.Size, &m.Grid.Overlap, &m.Grid.Margin, &m.Grid.Cols, &m.Grid.Rows} {
			if rapid.Bool().Draw(rt, "spoiled") {
				*field = number.Draw(rt, "value")
			}
		}
		if m.CheckPlan() != nil {
			return
		}
		g := m.Grid
		if m.Width*m.Height > maxScenePixels || g.Size > maxTileSize || g.Cols*g.Rows > maxTiles ||
			g.Cols*g.Size > 2*(m.Width+3*g.Size)*max(1, g.Size/(g.Size-g.Overlap)) {
			rt.Fatalf("passed: %+v", m)
		}
	})
}

func FuzzContentOfAnyBytesIsChecked(f *testing.F) {
	b, _ := json.Marshal(sampleManifest())
	kinds := []Kind{Scene, Result, Track, Reading, Alert, Ack, Answer, Tile, Product}
	f.Add(b, uint8(0))
	f.Add([]byte(`{"camera":"gate","frames":[{"frame":1,"boxes":[{"bbox":[1,2,3,4]}]}]}`), uint8(1))
	f.Add([]byte(`{"type":"end","after":{"id":"7","box":[1,2,3,4]}}`), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, kind uint8) {
		i := Item{Kind: kinds[int(kind)%len(kinds)], Seq: 1, Data: data}
		if err := i.CheckContent(); err != nil {
			return
		}
		if d, err := ParseDetections(i); err == nil && len(d.Frames) > maxFrames {
			t.Error("too many frames passed")
		}
		if depth(data, math.MaxInt) > MaxDepth && looksLikeJSON(data) && i.Kind != Tile {
			t.Error("deep JSON passed")
		}
	})
}
