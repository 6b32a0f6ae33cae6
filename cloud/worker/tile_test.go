package worker

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
	"cloudcanvas/shared/windows"
)

// tiled decodes what begins with "tiles" as a tile of 3 x 2 windows of 2 x 2 pixels, whose pixels are numbered.
type tiled struct {
	*world
	wanted []bool
}

var tiledPart = func() windows.Part {
	g := windows.Grid{Width: 6, Height: 4, Size: 2, Group: 3}
	t, _ := g.At(0, 0)
	return windows.Part{Grid: g, Tile: t}
}()

func (d tiled) Decode(media string, data []byte) (Picture, error) {
	mood, ok := strings.CutPrefix(string(data[4:]), "tiles")
	if !ok {
		return d.world.Decode(media, data)
	}
	part := tiledPart
	im := vision.Image{W: part.Tile.Held.W, H: part.Tile.Held.H, Bands: []string{"blue", "green", "red", "nir", "swir16", "swir22"}}
	for range im.Bands {
		im.Planes = append(im.Planes, make([]float32, im.W*im.H))
	}
	for i := range im.Planes[0] {
		im.Planes[0][i] = float32(i)
		if mood == " sick" {
			im.Planes[1][i] = 1
		}
	}
	return Picture{Image: im, Part: &part, Wanted: d.wanted}, nil
}

// tiledItem is an item whose data is such a tile.
func tiledItem(n int, mood, want string) event.Item {
	i := tile(n, "tiles"+mood)
	i.Attrs.Want = want
	return i
}

func TestATileOfSeveralWindowsIsSeenWindowByWindowAndAnsweredAsOne(t *testing.T) {
	w := newWorld()
	var seen [][]float32
	w.before = func(im vision.Image) { seen = append(seen, im.Planes[0]) }
	w.put(0, tile(1, ""))
	w.put(0, tiledItem(2, "", "segment"))
	w.put(0, tile(3, ""))
	worker := w.worker(t, Config{BatchItems: 4}, Fixed{0})
	worker.Decoder = tiled{world: w}
	start(t, worker)
	w.until(t, "the partition is done", func() bool { return w.offsets[0] == 3 })
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.results) != 3 || len(w.deadLetters) != 0 || len(seen) != 2+6 {
		t.Fatalf("%d results, %d dead letters, %d images were seen", len(w.results), len(w.deadLetters), len(seen))
	}
	for _, n := range w.batches {
		if n > 4 {
			t.Errorf("%d windows went to the model at once", n)
		}
	}
	held := tiledPart.Tile.Held
	planes, err := vision.DecodeProbabilities(w.results[1].Data, held.W, held.H)
	if err != nil || w.results[1].Attrs.Tile != "2_0" {
		t.Fatal(err)
	}
	for i := range held.W * held.H {
		x, y := i%held.W%2, i/held.W%2 // in its window, of which the model says 0 1 2 0
		want := map[[2]int][2]byte{{0, 0}: {0, 0}, {1, 0}: {254, 0}, {0, 1}: {0, 254}, {1, 1}: {0, 0}}[[2]int{x, y}]
		if got := [2]byte{planes[0][i], planes[1][i]}; got != want {
			t.Errorf("pixel %d is %v, not %v", i, got, want)
		}
	}
}

func TestWindowsOfATileThatNobodyWantsAreNotSeen(t *testing.T) {
	w := newWorld()
	seen := 0
	w.before = func(vision.Image) { seen++ }
	w.put(0, tiledItem(1, "", "segment"))
	worker := w.worker(t, Config{}, Fixed{0})
	wanted := make([]bool, tiledPart.Tile.Held.W*tiledPart.Tile.Held.H)
	wanted[0] = true
	worker.Decoder = tiled{w, wanted}
	start(t, worker)
	w.until(t, "the result", func() bool { return len(w.results) == 1 })
	planes, err := vision.DecodeProbabilities(w.results[0].Data, tiledPart.Tile.Held.W, tiledPart.Tile.Held.H)
	if err != nil || seen != 1 || planes[0][0] == vision.NoData || planes[0][1] != vision.NoData || planes[1][1] != vision.NotJudged {
		t.Errorf("%v: %d windows were seen; %v", err, seen, planes)
	}
}

func TestATileThatTheModelFailsAtIsADeadLetterAndItsNeighboursAreNot(t *testing.T) {
	w := newWorld()
	for n, i := range []event.Item{tiledItem(1, "", "segment"), tiledItem(2, " sick", "segment"), tiledItem(3, "", "segment")} {
		binary.BigEndian.PutUint32(i.Data, uint32(n))
		i.SHA256 = event.Sum(i.Data)
		w.put(0, i)
	}
	worker := w.worker(t, Config{}, Fixed{0})
	worker.Decoder = tiled{world: w}
	start(t, worker)
	w.until(t, "the partition is done", func() bool { return w.offsets[0] == 3 })
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.results) != 2 || len(w.deadLetters) != 1 || w.deadLetters[0].Class != "cloudcanvas.worker.ModelFailed" {
		t.Fatalf("%d results, dead letters %+v", len(w.results), w.deadLetters)
	}
}

// oddMasks is a model whose masks are of another size than its pictures.
type oddMasks struct{ *world }

func (o oddMasks) Open(context.Context, string) (Network, error) { return o, nil }
func (o oddMasks) Run(_ context.Context, in []vision.Image) (out []vision.Output, _ error) {
	for range in {
		out = append(out, vision.Output{Mask: vision.Mask{W: 1, H: 1, Class: []byte{0}}})
	}
	return out, nil
}

func TestMasksOfAnotherSizeThanTheWindowsAreToldAsSuch(t *testing.T) {
	w := newWorld()
	w.put(0, tiledItem(1, "", "segment"))
	worker := w.worker(t, Config{}, Fixed{0})
	registry, err := NewRegistry(Config{Models: []Choice{{Want: "segment", Model: "six"}}}, oddMasks{w})
	if err != nil {
		t.Fatal(err)
	}
	worker.Models, worker.Decoder = registry, tiled{world: w}
	start(t, worker)
	w.until(t, "the dead letter", func() bool { return len(w.deadLetters) == 1 })
	if l := w.deadLetters[0]; l.Class != "cloudcanvas.worker.WrongMask" || !strings.Contains(l.Err.Error(), "1 x 1") {
		t.Errorf("%s: %v", l.Class, l.Err)
	}
}

func TestForAnythingButAMaskATileIsSeenAsAWhole(t *testing.T) {
	w := newWorld()
	var sizes [][2]int
	w.before = func(im vision.Image) { sizes = append(sizes, [2]int{im.W, im.H}) }
	w.put(0, tiledItem(1, "", "detect"))
	worker := w.worker(t, Config{Models: []Choice{{Want: "detect", Model: "six"}}}, Fixed{0})
	worker.Decoder = tiled{world: w}
	start(t, worker)
	w.until(t, "the partition is done", func() bool { return w.offsets[0] == 1 })
	if held := tiledPart.Tile.Held; len(sizes) != 1 || sizes[0] != [2]int{held.W, held.H} {
		t.Errorf("it was seen in %v", sizes)
	}
}
