package worker

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/ground"
	"cloudcanvas/shared/vision"
)

// mapped decodes every item to 16 x 8 pixels at the projection's origin, the right half of them cloud to the
// spectral rule; of items with an odd number it does not know the place.
type mapped struct{ *world }

func (m mapped) Decode(_ string, data []byte) (Picture, error) {
	if string(data[4:]) == "undecodable" {
		return m.world.Decode("", data)
	}
	im := vision.Image{W: 16, H: 8, Bands: []string{"blue", "green", "red"}}
	for range 3 {
		im.Planes = append(im.Planes, slices.Repeat([]float32{0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5}, 8))
	}
	return Picture{Image: im}, nil
}

func (m mapped) Place(_ string, data []byte, im vision.Image) (ground.Place, bool) {
	return ground.Place{System: "EPSG:32632 10 0 0 -10 0 0 blue,green,red", Inside: ground.Rect{W: im.W, H: im.H}}, binary.BigEndian.Uint32(data)%2 == 0
}

// notebook takes down whose ground was kept, and whether its result was there by then.
type notebook struct {
	*world
	mu   sync.Mutex
	kept []string
}

func (n *notebook) Keep(item *event.Item, system ground.System, ov ground.Overview) {
	n.world.mu.Lock()
	durable := slices.ContainsFunc(n.results, func(r event.Item) bool { return r.Subject == item.Subject })
	n.world.mu.Unlock()
	clear := 0
	for _, code := range ov.Cells[:ov.W*ov.H] {
		if code != 0 {
			clear++
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kept = append(n.kept, fmt.Sprintf("%s of %d x %d cells, %d clear, durable %v", item.Subject, ov.W, ov.H, clear, durable))
}

// TestClearGroundIsHandedOverOnceItsResultIsDurable leaves out what is cloud, what lies nowhere, what can't be
// decoded, and what is no tile.
func TestClearGroundIsHandedOverOnceItsResultIsDurable(t *testing.T) {
	w := newWorld()
	book := &notebook{world: w}
	work := w.worker(t, Config{}, Fixed{0})
	work.Decoder, work.Views = mapped{w}, book
	w.put(0, tile(0, ""))
	w.put(0, tile(1, ""))
	w.put(0, tile(2, "undecodable"))
	frame := tile(4, "")
	frame.Kind = event.Frame
	w.put(0, frame)
	w.put(0, tile(6, ""))
	stop := start(t, work)
	w.until(t, "the partition is done", func() bool { return w.offsets[0] == 5 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	// Of four columns of cells the two at the right are cloud, which hides the one beside them.
	want := []string{"s1/0_0 of 4 x 2 cells, 2 clear, durable true", "s1/6_0 of 4 x 2 cells, 2 clear, durable true"}
	if !slices.Equal(book.kept, want) || len(w.results) != 4 || len(w.deadLetters) != 1 {
		t.Errorf("%q; %d results, %d dead letters", book.kept, len(w.results), len(w.deadLetters))
	}
}
