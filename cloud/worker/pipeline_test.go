package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// studio is a world whose pictures are 64 x 48 and whose models are functions.
type studio struct {
	*world
	models map[string]fakeModel
	bands  bool // pictures are bands

	mu   sync.Mutex
	seen map[string][]int // sizes of the batches that each model saw
}

type fakeModel struct {
	needs Needs
	see   func(vision.Image) (vision.Output, error)
}

func newStudio(models map[string]fakeModel) *studio {
	return &studio{world: newWorld(), models: models, seen: map[string][]int{}}
}

// Size is nothing.
func (s *studio) Size(string, []byte) (int64, error) { return 0, nil }

// Decode makes a picture whose first pixel is the item's number.
func (s *studio) Decode(_ string, data []byte) (Picture, error) {
	im := vision.Image{W: 64, H: 48}
	if s.bands {
		im.Bands = []string{"blue", "green", "red", "nir"}
		for range im.Bands {
			im.Planes = append(im.Planes, make([]float32, im.W*im.H))
		}
		return Picture{Image: im}, nil
	}
	im.Pix = make([]byte, im.W*im.H*3)
	im.Pix[0] = data[3]
	return Picture{Image: im}, nil
}

func (s *studio) Describe(name string) (Needs, error) {
	if m, ok := s.models[name]; ok {
		return m.needs, nil
	}
	return Needs{}, errors.New("there is no such model")
}

func (s *studio) Open(_ context.Context, name string) (Network, error) {
	return fakeNetwork{s, name, s.models[name].see}, nil
}

type fakeNetwork struct {
	s    *studio
	name string
	see  func(vision.Image) (vision.Output, error)
}

func (n fakeNetwork) Run(_ context.Context, in []vision.Image) ([]vision.Output, error) {
	n.s.mu.Lock()
	n.s.seen[n.name] = append(n.s.seen[n.name], len(in))
	n.s.mu.Unlock()
	out := make([]vision.Output, len(in))
	for i := range in {
		var err error
		if out[i], err = n.see(in[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *studio) worker(t *testing.T, cfg Config) *Worker {
	t.Helper()
	registry, err := NewRegistry(cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	w, err := New(cfg, Parts{Queue: s, Results: s, Dead: s, Objects: s, Decoder: s, Models: registry, Leases: s, Assignments: Fixed{0}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// frame is a picture that asks for boxes.
func frame(n int) event.Item {
	item := tile(n, "")
	item.Kind, item.Stream, item.Subject, item.Type = event.Crop, "gate", fmt.Sprintf("gate/%d", n), "image/jpeg"
	item.Attrs = event.Attrs{Want: "detect"}
	return item
}

// twoCars sees two cars, and a tree.
func twoCars(im vision.Image) (vision.Output, error) {
	return vision.Output{Boxes: []vision.Box{
		{X: 10, Y: 10, W: 10, H: 10, Score: 0.9, Label: "car"}, {X: 40, Y: 20, W: 20, H: 10, Score: 0.6, Label: "car"}, {X: 1, Y: 1, W: 5, H: 5, Score: 0.5, Label: "tree"},
	}}, nil
}

// kinds tells cars by the width of their picture: a wide one is a truck, and a narrow one can't be seen.
func kinds(im vision.Image) (vision.Output, error) {
	if im.W <= 12 {
		return vision.Output{}, errors.New("too narrow")
	}
	return vision.Output{Classes: []vision.Class{{Label: "truck", Score: 0.8}}}, nil
}

func colour(gives string) Needs { return Needs{Version: "1", Gives: gives} }

func (w *world) found(t *testing.T, n int) (f Found) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := json.Unmarshal(w.results[n].Data, &f); err != nil {
		t.Fatalf("%v in %.200q", err, w.results[n].Data)
	}
	return f
}

func TestTheSecondModelLooksAtTheFirstOnesBoxesAndItsWordJoinsTheResult(t *testing.T) {
	s := newStudio(map[string]fakeModel{"small": {colour(GivesBoxes), twoCars}, "kinds": {Needs{Version: "7", Gives: GivesClasses}, kinds}})
	in := frame(1)
	s.put(0, in)
	start(t, s.worker(t, Config{Pipelines: []Pipeline{{Name: "cars", Want: "detect", Steps: []Step{{Model: "small"}, {Model: "kinds", Labels: []string{"car"}}}}}}))
	s.until(t, "the result", func() bool { return s.offsets[0] == 1 })
	r := s.results[0]
	if r.ID != event.ResultID(in.ID, "cars", "1+7") || r.Attrs.Model != "cars" || r.Attrs.ModelVersion != "1+7" || r.Check() != nil || r.Verify() != nil {
		t.Fatalf("result %+v", r)
	}
	f := s.found(t, 0)
	if len(s.results) != 1 || len(f.Boxes) != 3 || len(f.Pipeline.Findings) != 2 {
		t.Fatalf("%d results, %+v; three boxes, and the tree is not looked at", len(s.results), f)
	}
	narrow, wide := f.Pipeline.Findings[0], f.Pipeline.Findings[1]
	if len(narrow.Inspections) != 1 || !strings.Contains(narrow.Inspections[0].Failed, "too narrow") || narrow.Inspections[0].Accepted {
		t.Errorf("the one that could not be seen: %+v", narrow)
	}
	if want := (Window{38, 19, 24, 12}); len(wide.Inspections) != 1 || wide.Inspections[0].Window != want || wide.Inspections[0].Label != "truck" || !wide.Inspections[0].Accepted || wide.Inspections[0].Version != "7" {
		t.Errorf("the wide one: %+v", wide)
	}
	steps := []StepReport{{Model: "small", Version: "1", Inspected: 1}, {Model: "kinds", Version: "7", Inspected: 2, Failed: 1, Error: "kinds version 7: too narrow"}}
	if !slices.Equal(f.Pipeline.Steps, steps) || len(s.deadLetters) != 0 {
		t.Errorf("steps %+v, %d dead letters", f.Pipeline.Steps, len(s.deadLetters))
	}
}

func TestASecondDetectorsBoxesAreInPixelsOfThePicture(t *testing.T) {
	again := func(im vision.Image) (vision.Output, error) {
		return vision.Output{Boxes: []vision.Box{
			{X: 2, Y: 2, W: 8, H: 8, Score: 0.7, Label: "van"}, {X: 1, Y: 1, W: 10, H: 10, Score: 0.5, Label: "car"}, {X: 0, Y: 0, W: 2, H: 2, Score: 0.95, Label: "wheel"},
		}}, nil
	}
	s := newStudio(map[string]fakeModel{"small": {colour(GivesBoxes), twoCars}, "large": {colour(GivesBoxes), again}})
	s.put(0, frame(1))
	start(t, s.worker(t, Config{Pipelines: []Pipeline{{Name: "cars", Want: "detect", Steps: []Step{{Model: "small"}, {Model: "large", Most: 1}}}}}))
	s.until(t, "the result", func() bool { return s.offsets[0] == 1 })
	f := s.found(t, 0)
	look := f.Pipeline.Findings[0].Inspections[0]
	if look.Label != "car" || look.Score != 0.5 || !look.Accepted {
		t.Errorf("the box of the same kind is the verdict, not %+v", look)
	}
	if b := look.Boxes[1]; b.X != 10 || b.Y != 10 || b.W != 10 {
		t.Errorf("box %+v; the crop begins at 9, 9", b)
	}
	if p := f.Pipeline.Steps[1]; p.Inspected != 1 || p.LeftOut != 2 {
		t.Errorf("%+v, one is the bound", p)
	}
}

func TestPolygonsOfAMaskGetAClassEachAndTheMaskStaysAResultOfItsOwn(t *testing.T) {
	patches := func(im vision.Image) (vision.Output, error) {
		m := vision.Mask{W: im.W, H: im.H, Class: make([]byte, im.W*im.H)}
		fill := func(x0, y0, w, h int, class byte) {
			for y := y0; y < y0+h; y++ {
				for x := x0; x < x0+w; x++ {
					m.Class[y*im.W+x] = class
				}
			}
		}
		fill(2, 2, 10, 10, vision.Cloud)
		fill(30, 10, 20, 10, vision.Cloud)
		fill(2, 30, 22, 10, vision.Shadow)
		fill(60, 40, 2, 2, vision.Cloud)
		return vision.Output{Mask: m}, nil
	}
	var colours []bool
	forms := func(im vision.Image) (vision.Output, error) {
		colours = append(colours, im.Pix != nil)
		return vision.Output{Classes: []vision.Class{{Label: fmt.Sprintf("%dx%d", im.W, im.H), Score: 0.9}}}, nil
	}
	s := newStudio(map[string]fakeModel{
		"mask":  {Needs{Version: "2", Gives: GivesMask, Bands: []string{"nir", "red", "green", "blue"}}, patches},
		"forms": {colour(GivesClasses), forms},
	})
	s.bands = true
	in := tile(1, "")
	s.put(0, in)
	none := 0.0
	start(t, s.worker(t, Config{Pipelines: []Pipeline{{Name: "clouds", Want: "segment", Kinds: []string{"tile"}, Steps: []Step{
		{Model: "mask"}, {Model: "forms", Labels: []string{"cloud"}, MinArea: 5, Margin: &none},
	}}}}))
	s.until(t, "the results", func() bool { return s.offsets[0] == 1 })
	if len(s.results) != 2 {
		t.Fatalf("%d results", len(s.results))
	}
	mask, verdict := s.results[0], s.results[1]
	if mask.ID != event.ResultID(in.ID, "mask", "2") || mask.Type != "image/png" || mask.Attrs.Scene != "s1" || mask.Attrs.Tile != "1_0" {
		t.Errorf("the mask is not as the model alone gives it: %+v", mask.Attrs)
	}
	if verdict.ID != event.ResultID(in.ID, "clouds", "2+1") || verdict.Attrs.Scene != "" || verdict.Subject != "s1/1_0" {
		t.Errorf("%+v of %s", verdict.Attrs, verdict.Subject)
	}
	f := s.found(t, 1)
	var said []string
	for _, g := range f.Pipeline.Findings {
		said = append(said, g.Polygon.Label)
		for _, l := range g.Inspections {
			said = append(said, l.Label)
		}
	}
	if want := []string{"shadow", "cloud", "20x10", "cloud", "10x10"}; !slices.Equal(said, want) {
		t.Errorf("polygons %v, want %v: the largest first, and only clouds looked at", said, want)
	}
	if slices.Contains(colours, false) {
		t.Error("a network for pictures was shown bands")
	}
}

func TestCropsOfABatchAreSeenTogetherAndInBatchesOfTheConfiguredSize(t *testing.T) {
	s := newStudio(map[string]fakeModel{"small": {colour(GivesBoxes), twoCars}, "large": {colour(GivesBoxes), twoCars}})
	for n := range 4 {
		s.put(0, frame(n))
	}
	w := s.worker(t, Config{BatchItems: 4, BatchAge: 10 * time.Second, Pipelines: []Pipeline{{Name: "cars", Want: "detect", Steps: []Step{{Model: "small"}, {Model: "large"}}}}})
	start(t, w)
	s.until(t, "the results", func() bool { return s.offsets[0] == 4 })
	if rates := w.Models.Rates(); len(rates) != 1 || rates["cars"] <= 0 {
		t.Errorf("rates %v: that of items through the pipeline is what counts", rates)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if want := []int{4, 4, 4}; !slices.Equal(s.seen["large"], want) || !slices.Equal(s.seen["small"], []int{4}) {
		t.Errorf("batches %v and %v, want 12 crops in batches of four", s.seen["small"], s.seen["large"])
	}
}

func TestAStepThatGivesNoNumbersFailsInTheResultAndNotTheItem(t *testing.T) {
	nan := float32(math.NaN())
	s := newStudio(map[string]fakeModel{"small": {colour(GivesBoxes), twoCars}, "odd": {colour(GivesClasses), func(vision.Image) (vision.Output, error) {
		return vision.Output{Classes: []vision.Class{{Label: "car", Score: nan}}}, nil
	}}})
	s.put(0, frame(1))
	start(t, s.worker(t, Config{Pipelines: []Pipeline{{Name: "cars", Want: "detect", Steps: []Step{{Model: "small"}, {Model: "odd"}}}}}))
	s.until(t, "it is done", func() bool { return s.offsets[0] == 1 })
	if len(s.results) != 1 || s.found(t, 0).Pipeline.Steps[1].Failed != 3 {
		t.Errorf("%d results, %d dead letters", len(s.results), len(s.deadLetters))
	}
}

func TestAnItemThatTheFirstModelCannotSeeIsADeadLetter(t *testing.T) {
	s := newStudio(map[string]fakeModel{"small": {colour(GivesBoxes), func(vision.Image) (vision.Output, error) { return vision.Output{}, errors.New("no") }}, "large": {colour(GivesBoxes), twoCars}})
	s.put(0, frame(1))
	start(t, s.worker(t, Config{Pipelines: []Pipeline{{Name: "cars", Want: "detect", Steps: []Step{{Model: "small"}, {Model: "large"}}}}}))
	s.until(t, "it is done", func() bool { return s.offsets[0] == 1 })
	if len(s.results) != 0 || len(s.deadLetters) != 1 {
		t.Errorf("%d results, %d dead letters", len(s.results), len(s.deadLetters))
	}
}

func TestADetectorMayLookAtPolygonsToo(t *testing.T) {
	patch := func(im vision.Image) (vision.Output, error) {
		m := vision.Mask{W: im.W, H: im.H, Class: make([]byte, im.W*im.H)}
		for i := range m.Class {
			if x, y := i%im.W, i/im.W; x >= 20 && x < 30 && y >= 10 && y < 30 {
				m.Class[i] = vision.Cloud
			}
		}
		return vision.Output{Mask: m}, nil
	}
	whole := func(im vision.Image) (vision.Output, error) {
		return vision.Output{Boxes: []vision.Box{{X: 1, Y: 2, W: 10, H: 20, Score: 0.9, Label: "smoke"}}}, nil
	}
	s := newStudio(map[string]fakeModel{"mask": {colour(GivesMask), patch}, "smoke": {colour(GivesBoxes), whole}})
	in := frame(1)
	in.Attrs.Want = "segment"
	s.put(0, in)
	start(t, s.worker(t, Config{Pipelines: []Pipeline{{Name: "fires", Want: "segment", Steps: []Step{{Model: "mask"}, {Model: "smoke"}}}}}))
	s.until(t, "it is done", func() bool { return s.offsets[0] == 1 })
	g := s.found(t, 1).Pipeline.Findings[0]
	if want := (Window{20, 10, 10, 20}); g.Polygon.Window != want {
		t.Errorf("polygon %+v", g.Polygon)
	}
	if l := g.Inspections[0]; l.Window != (Window{19, 8, 12, 24}) || l.Boxes[0].X != 20 || l.Boxes[0].Y != 10 || l.Label != "smoke" {
		t.Errorf("%+v: the crop begins at 19, 8", l)
	}
}
