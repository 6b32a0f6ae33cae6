package raster_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"cloudcanvas/shared/linktile"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
	"cloudcanvas/shared/windows"

	"pgregory.net/rapid"
)

func TestALinkTileHasTheScenesOwnValuesAndItsWindowsAreTheScenes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		kind := rapid.SampledFrom([]string{"Byte", "UInt16", "Int16"}).Draw(r, "kind")
		high := map[string]int{"Byte": 255, "UInt16": 65535, "Int16": 32767}[kind]
		low := map[string]int{"Int16": -32768}[kind]
		g := windows.Grid{Width: rapid.IntRange(1, 40).Draw(r, "width"), Height: rapid.IntRange(1, 40).Draw(r, "height"), Size: 12, Overlap: 4, Margin: 3, Group: rapid.IntRange(1, 4).Draw(r, "group")}
		layout := raster.Layout{Width: g.Width, Height: g.Height, Bands: []string{"blue", "green", "swir16"}, DataType: kind, Georef: utm(t)}
		layout.NoData = ptr(float64(rapid.SampledFrom([]int{low, 0, 7, high}).Draw(r, "nodata")))
		if rapid.Bool().Draw(r, "scaled") {
			layout.Scalings = slices.Repeat([]raster.Scaling{{Scale: 2.75e-5, Offset: -0.1}}, 3)
		}
		some := rapid.SliceOfN(rapid.SampledFrom([]float32{float32(low), 0, 1, 7, 8, 100, float32(high) - 1, float32(high)}), 97, 97).Draw(r, "values")
		s := open(t, scene(t, layout, func(b, x, y int) float32 { return some[(b*31+y*g.Width+x)%97] }), raster.Options{})
		defer s.Close()
		coding, err := s.Coding(nil)
		if err != nil {
			r.Fatal(err)
		}
		tile, _ := g.At(rapid.IntRange(0, g.Cols()-1).Draw(r, "col"), rapid.IntRange(0, g.Rows()-1).Draw(r, "row"))
		im, err := s.ReadMirrored(tile.Held, nil)
		if err != nil {
			r.Fatal(err)
		}
		out, err := raster.LinkTile(im, s.Info().Georef.Window(tile.Held), coding, windows.Part{Grid: g, Tile: tile}, 0)
		if err != nil {
			r.Fatal(err)
		}
		data, err := out.Encode()
		if err != nil {
			r.Fatal(err)
		}
		in, err := linktile.Decode(data, megapixel)
		if err != nil {
			r.Fatal(err)
		}
		back := raster.FromLinkTile(in)
		if !reflect.DeepEqual(back, im) {
			r.Fatalf("%+v came back as %+v", im, back)
		}
		part, err := raster.LinkPart(in.Header)
		if err != nil || part.Tile.Held != tile.Held || part.Tile.Core != tile.Core || part.Tile.Span != tile.Span {
			r.Fatalf("%v: tile %+v came as %+v", err, tile, part.Tile)
		}
		_, err = part.Segment(t.Context(), back, nil, 4, func(_ context.Context, in []vision.Image) (found []vision.Output, _ error) {
			for _, im := range in {
				if !slices.ContainsFunc(spans(part.Tile.Span), func(one windows.Span) bool {
					want, err := s.ReadMirrored(part.Grid.Windows().Of(one).Window, nil)
					return err == nil && reflect.DeepEqual(im.Planes, want.Planes) && (len(want.Void) == 0 || slices.Equal(im.Void, want.Void))
				}) {
					r.Fatalf("a window is none that the scene has")
				}
				found = append(found, vision.Output{Mask: vision.Mask{W: im.W, H: im.H, Class: make([]byte, im.W*im.H)}})
			}
			return found, nil
		})
		if err != nil {
			r.Fatal(err)
		}
	})
}

// spans are the single windows of a span.
func spans(s windows.Span) (all []windows.Span) {
	for row := range s.Rows {
		for col := range s.Cols {
			all = append(all, windows.Span{Col: s.Col + col, Row: s.Row + row, Cols: 1, Rows: 1})
		}
	}
	return all
}

func TestPrecisionIsSaidInStepsOfEachBandsNumbers(t *testing.T) {
	c := raster.Coding{DataType: "UInt16", Scalings: []raster.Scaling{{Scale: 1e-4}, {Scale: -2e-5}, {Scale: 0.01}}}
	for precision, want := range map[float64][]int{0: nil, 0.00001: nil, 0.0005: {5, 25, 0}, 0.0003: {3, 15, 0}, 1e9: {math.MaxInt16, math.MaxInt16, math.MaxInt16}} {
		if got := c.Steps(precision); !slices.Equal(got, want) {
			t.Errorf("%v: %v steps, not %v", precision, got, want)
		}
	}
}

func TestTilesThatAreNoneOfTheirSceneAreRefused(t *testing.T) {
	g := windows.Grid{Width: 100, Height: 80, Size: 32, Overlap: 8, Margin: 5, Group: 2}
	tile, _ := g.At(1, 1)
	plane := make([]float32, tile.Held.W*tile.Held.H)
	im := vision.Image{W: tile.Held.W, H: tile.Held.H, Bands: []string{"red"}, Planes: [][]float32{plane}}
	out, err := raster.LinkTile(im, raster.Georef{}, raster.Coding{}, windows.Part{Grid: g, Tile: tile}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raster.LinkPart(out.Header); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(h *linktile.Header){
		"place":  func(h *linktile.Header) { h.Place.X-- },
		"size":   func(h *linktile.Header) { h.W-- },
		"column": func(h *linktile.Header) { h.Place.Col++ },
		"rows":   func(h *linktile.Header) { h.Place.Rows = 64 },
		"far":    func(h *linktile.Header) { h.Place.Col = 1 << 20 },
		"margin": func(h *linktile.Header) { h.Place.Margin = 31 },
		"none":   func(h *linktile.Header) { h.Place.Cols = 0 },
		"scene":  func(h *linktile.Header) { h.Place.SceneW = 0 },
	} {
		h := out.Header
		change(&h)
		if _, err := raster.LinkPart(h); !errors.Is(err, linktile.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, bad := range map[string]vision.Image{"no planes": {W: 2, H: 2}, "a short plane": {W: 2, H: 2, Bands: []string{"red"}, Planes: [][]float32{{1}}}} {
		if _, err := raster.LinkTile(bad, raster.Georef{}, raster.Coding{}, windows.Part{Grid: g, Tile: tile}, 0); err == nil {
			t.Errorf("%s is encoded", name)
		}
	}
	if _, err := raster.LinkTile(im, raster.Georef{}, raster.Coding{DataType: "Float32", Scalings: []raster.Scaling{{Scale: 1}}}, windows.Part{Grid: g, Tile: tile}, 0); err == nil {
		t.Error("floats are encoded")
	}
}
