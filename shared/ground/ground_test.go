package ground

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"cloudcanvas/shared/vision"

	"pgregory.net/rapid"
)

// grid is what the scenes of these tests lie on.
const grid System = "EPSG:32632 10 0 0 -10 0 0 blue,green,red"

// field is how the Earth looks at a pixel: fields of 16 pixels.
func field(col, row int64, band int) float32 {
	r := rand.New(rand.NewPCG(uint64(floor(col, 16)), uint64(floor(row, 16))*3+uint64(band)))
	return 0.05 + 0.3*r.Float32()
}

// taken is the picture of a rectangle of the Earth.
func taken(at Pixel, w, h int, change func(col, row int64, band int, v float32) float32) vision.Image {
	im := vision.Image{W: w, H: h, Bands: rgb}
	for band := range rgb {
		plane := make([]float32, w*h)
		for i := range plane {
			col, row := at.Col+int64(i%w), at.Row+int64(i/w)
			if plane[i] = field(col, row, band); change != nil {
				plane[i] = change(col, row, band, plane[i])
			}
		}
		im.Planes = append(im.Planes, plane)
	}
	return im
}

func over(im vision.Image, at Pixel) Overview {
	return Of(im, make([]byte, im.W*im.H), Place{System: grid, At: at, Inside: Rect{W: im.W, H: im.H}})
}

// learn lays an overview over views.
func learn(views map[Block]View, ov Overview, s Source) {
	for _, b := range ov.Blocks() {
		if patch, ok := ov.Patch(b, s); ok {
			views[b] = views[b].Overlay(patch)
		}
	}
}

// TestTheSameGroundIsKnownHoweverItIsCut cuts one scene into tiles of 256, and the next, a few pixels further,
// into tiles of 952: what does not change is known, and what changes is found.
func TestTheSameGroundIsKnownHoweverItIsCut(t *testing.T) {
	views := map[Block]View{}
	origin := Pixel{50_001, -500_003}
	for y := int64(0); y < 1400; y += 232 {
		for x := int64(0); x < 1400; x += 232 {
			at := Pixel{origin.Col + x, origin.Row + y}
			learn(views, over(taken(at, 256, 256, nil), at), Source{Name: "a", Seen: time.Unix(100, 0)})
		}
	}
	at := Pixel{origin.Col + 77, origin.Row + 131}
	burnt := func(col, row int64, _ int, v float32) float32 {
		if col >= at.Col+600 && col < at.Col+664 && row >= at.Row+400 && row < at.Row+464 {
			v = 0.02
		}
		return 0.9*v + 0.01 // a lower sun, and haze
	}
	c, ok := Compare(over(taken(at, 952, 952, burnt), at), views, 0.03, false)
	if want := 16.0 * 16 / (237 * 237); !ok || c.Share() < 0.85*want || c.Share() > 1.15*want || !c.Reference.Seen.Equal(time.Unix(100, 0)) {
		t.Fatalf("%v: %v has changed, %v was burnt", ok, c.Share(), want)
	}
	if clear, moved := c.In(Rect{X: 604, Y: 404, W: 52, H: 52}); moved != clear || clear < 169 {
		t.Errorf("of the burnt square %d of %d cells have changed", moved, clear)
	}
	if clear, moved := c.In(Rect{X: 0, Y: 0, W: 952, H: 380}); moved != 0 || clear < 90*236 {
		t.Errorf("above it %d of %d cells have changed", moved, clear)
	}
	blocks, sum := 0, 0
	for _, b := range c.ByBlock() {
		sum += b.Moved
		if b.Moved > 0 {
			blocks++
		}
	}
	if sum != c.Moved || blocks == 0 || blocks > 4 {
		t.Errorf("%d cells in %d blocks have changed, of all %d", sum, blocks, c.Moved)
	}
}

// TestEachSourceHasALightOfItsOwn lays two halves together that were taken under different suns.
func TestEachSourceHasALightOfItsOwn(t *testing.T) {
	views := map[Block]View{}
	light := func(k float32) func(int64, int64, int, float32) float32 {
		return func(_, _ int64, _ int, v float32) float32 { return k * v }
	}
	learn(views, over(taken(Pixel{}, 256, 128, light(1)), Pixel{}), Source{Name: "a"})
	low := Pixel{Row: 128}
	learn(views, over(taken(low, 256, 128, light(0.75)), low), Source{Name: "b"})
	if c, ok := Compare(over(taken(Pixel{}, 256, 256, light(0.9)), Pixel{}), views, 0.03, false); !ok || c.Share() > 0.002 {
		t.Errorf("%v: %v has changed", ok, c.Share())
	}
}

func TestOnlyWholeCellsInsideTheSceneAreSeen(t *testing.T) {
	at := Pixel{2, -6} // two pixels into its first cells
	im := taken(at, 64, 64, nil)
	im.Planes[1][40*64+40] = float32(0) / float32(im.W-64) // not a number, in one band
	im.Void = make([]byte, 64*64)
	for y := range 64 {
		im.Void[y*64+63] = 1
	}
	ov := Of(im, make([]byte, 64*64), Place{System: grid, At: at, Inside: Rect{X: 10, Y: 0, W: 54, H: 50}})
	if ov.X != 0 || ov.Y != -2 || ov.W != 17 || ov.H != 17 {
		t.Fatalf("%+v", ov)
	}
	for cell := range ov.W * ov.H {
		x, y := cell%ov.W, cell/ov.W
		// Columns 10 to 61 of the picture are columns 12 to 63 of the lattice, the last two have no data.
		want := x >= 3 && x < 16 && y >= 1 && y <= 12 && !(x == 10 && y == 10)
		for band := range ov.Bands {
			if got := ov.Cells[band*ov.W*ov.H+cell] != 0; got != want {
				t.Errorf("cell %d, %d of band %d: seen %v", x, y, band, got)
			}
		}
	}
}

func TestAPictureThatDoesNotFitItsPlaceIsNotSeen(t *testing.T) {
	im := taken(Pixel{}, 16, 16, nil)
	hidden := make([]byte, 256)
	short := im
	short.Planes = [][]float32{make([]float32, 3)}
	for name, ov := range map[string]Overview{
		"no pixels":          Of(vision.Image{}, nil, Place{Inside: Rect{W: 1, H: 1}}),
		"a plane too short":  Of(short, hidden, Place{Inside: Rect{W: 16, H: 16}}),
		"marks too few":      Of(im, hidden[1:], Place{Inside: Rect{W: 16, H: 16}}),
		"nothing inside":     Of(im, hidden, Place{}),
		"more than it has":   Of(im, hidden, Place{Inside: Rect{X: 1, W: 16, H: 16}}),
		"an overflow":        Of(im, hidden, Place{Inside: Rect{X: 1 << 62, W: 1 << 62, H: 16}}),
		"far from the Earth": Of(im, hidden, Place{At: Pixel{Col: -1 << 63}, Inside: Rect{W: 16, H: 16}}),
	} {
		if !ov.Empty() || ov.Blocks() != nil {
			t.Errorf("%s: %+v", name, ov)
		}
	}
}

// random is a view of some cells, from a few sources.
func random(t *rapid.T, name string) View {
	seed := rapid.Uint64().Draw(t, name)
	r := rand.New(rand.NewPCG(seed, 1))
	v := View{Bands: 2}
	for n := range 1 + r.IntN(3) {
		patch := NewView(2)
		patch.Sources = []Source{{Name: fmt.Sprint("scene ", r.IntN(4)), Seen: time.Unix(int64(r.IntN(3)), 0).UTC()}}
		for cell := range blockArea {
			if r.IntN(3) == n {
				patch.From[cell], patch.Cells[cell], patch.Cells[blockArea+cell] = 1, byte(1+r.IntN(3)), byte(1+r.IntN(3))
			}
		}
		v = v.Merge(patch)
	}
	return v
}

// TestMergedViewsAreTheSameInAnyOrder is what lets several processes add to one view, again and again.
func TestMergedViewsAreTheSameInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := random(t, "a"), random(t, "b"), random(t, "c")
		abc := a.Merge(b).Merge(c)
		for name, other := range map[string]View{
			"c, b, a": c.Merge(b).Merge(a), "a, (b, c)": a.Merge(b.Merge(c)), "twice": abc.Merge(b).Merge(abc), "into nothing": View{}.Merge(abc),
		} {
			if !reflect.DeepEqual(other, abc) {
				t.Fatalf("%s: another view", name)
			}
		}
		data, err := abc.MarshalBinary()
		var back View
		if err != nil || back.UnmarshalBinary(data) != nil || !reflect.DeepEqual(back, abc) {
			t.Fatalf("it comes back as another: %v", err)
		}
		left := abc.Without(func(s Source) bool { return s.Seen.Unix() == 2 })
		for cell, f := range left.From {
			if (f != 0) != (abc.From[cell] != 0 && abc.Sources[abc.From[cell]-1].Seen.Unix() != 2) {
				t.Fatalf("cell %d", cell)
			}
		}
	})
}

func TestAViewOfMoreSourcesThanItHoldsLosesTheOldest(t *testing.T) {
	v := View{Bands: 1}
	for n := range 300 {
		patch := NewView(1)
		patch.Sources = []Source{{Name: "s", Seen: time.Unix(int64(n), 0).UTC()}}
		patch.From[n], patch.Cells[n] = 1, 9
		v = v.Merge(patch)
	}
	if _, err := v.MarshalBinary(); err != nil || len(v.Sources) != 255 || v.From[44] != 0 || v.From[45] == 0 || !v.Sources[0].Seen.Equal(time.Unix(299, 0)) {
		t.Errorf("%d sources, %v", len(v.Sources), err)
	}
}

func FuzzView(f *testing.F) {
	ov := over(taken(Pixel{}, 256, 256, nil), Pixel{})
	v, _ := ov.Patch(Block{}, Source{Name: "edge/scene", Seen: time.Unix(5, 0)})
	whole, err := v.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{nil, []byte(form), []byte(form + "\x01\x00"), whole, whole[:len(whole)/2]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v View
		if v.UnmarshalBinary(data) != nil {
			return
		}
		again, err := v.MarshalBinary()
		var back View
		if err != nil || back.UnmarshalBinary(again) != nil || !bytes.Equal(back.Cells, v.Cells) {
			t.Fatalf("a view that was read can't be written: %v", err)
		}
		here := ov
		here.Cells = bytes.Clone(ov.Cells)
		if c, _ := Compare(here, map[Block]View{{}: v}, 0.03, true); !(c.Share() >= 0 && c.Share() <= 1) {
			t.Errorf("%v has changed", c.Share())
		}
		v.Merge(v).Overlay(v)
	})
}

func BenchmarkView(b *testing.B) {
	ov := over(taken(Pixel{}, 256, 256, nil), Pixel{})
	v, _ := ov.Patch(Block{}, Source{Name: "edge/scene"})
	data, _ := v.MarshalBinary()
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			v.MarshalBinary()
		}
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			var v View
			v.UnmarshalBinary(data)
		}
	})
}
