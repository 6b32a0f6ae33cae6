package sliced

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"image"
	"math"
	"os"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"cloudcanvas/shared/vision"
)

// reference is what SAHI makes of the same boxes and sizes: testdata/sahi_reference.py.
func reference(t *testing.T) (r struct {
	Boxes  [][][6]float64
	Merges []struct {
		Case         int
		Type, Metric string
		Threshold    float64
		Agnostic     bool
		Out          [][6]float64
	}
	Slices []struct {
		Size, Slice [2]int
		Ratio       [2]float64
		Out         [][4]int
	}
}) {
	t.Helper()
	data, err := os.ReadFile("testdata/sahi_reference.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBoxesAreMergedAsSAHIDoes(t *testing.T) {
	r := reference(t)
	for _, m := range r.Merges {
		c := Config{Postprocess: m.Type, Metric: m.Metric, Threshold: m.Threshold, ClassAgnostic: m.Agnostic}
		var boxes []vision.Box
		for _, b := range r.Boxes[m.Case] {
			boxes = append(boxes, vision.Box{X: float32(b[0]), Y: float32(b[1]), W: float32(b[2]), H: float32(b[3]), Score: float32(b[4]), Class: int(b[5])})
		}
		var got [][6]float64
		for _, b := range c.Merge(boxes) {
			got = append(got, [6]float64{float64(b.X), float64(b.Y), float64(b.W), float64(b.H), float64(b.Score), float64(b.Class)})
		}
		slices.SortFunc(got, func(a, b [6]float64) int { return slices.Compare(a[:], b[:]) })
		if !slices.Equal(got, m.Out) {
			t.Errorf("case %d, %s by %s at %g, agnostic %v: %d boxes, SAHI has %d\n got %v\nwant %v", m.Case, m.Type, m.Metric, m.Threshold, m.Agnostic, len(got), len(m.Out), got, m.Out)
		}
	}
	if len(r.Merges) == 0 {
		t.Fatal("the reference is empty")
	}
}

func TestSlicesLieWhereSAHIPutsThem(t *testing.T) {
	for _, s := range reference(t).Slices {
		c := Config{SliceWidth: s.Slice[0], SliceHeight: s.Slice[1], OverlapWidthRatio: s.Ratio[0], OverlapHeightRatio: s.Ratio[1]}
		var got [][4]int
		for _, r := range c.Slices(s.Size[0], s.Size[1]) {
			got = append(got, [4]int{r.Min.X, r.Min.Y, r.Max.X, r.Max.Y})
		}
		if !slices.Equal(got, s.Out) {
			t.Errorf("%v in slices of %v: got %v, want %v", s.Size, s.Slice, got, s.Out)
		}
	}
}

func TestSlicesCoverThePicture(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Config{SliceWidth: rapid.IntRange(16, 80).Draw(t, "slice width"), SliceHeight: rapid.IntRange(16, 80).Draw(t, "slice height"),
			OverlapWidthRatio: rapid.Float64Range(0, 0.9).Draw(t, "across"), OverlapHeightRatio: rapid.Float64Range(0, 0.9).Draw(t, "down")}
		w, h := rapid.IntRange(1, 200).Draw(t, "width"), rapid.IntRange(1, 200).Draw(t, "height")
		seen := make([]bool, w*h)
		for _, r := range c.Slices(w, h) {
			if !r.In(image.Rect(0, 0, w, h)) || r.Dx() != min(w, c.SliceWidth) || r.Dy() != min(h, c.SliceHeight) {
				t.Fatalf("slice %v", r)
			}
			for y := r.Min.Y; y < r.Max.Y; y++ {
				for x := r.Min.X; x < r.Max.X; x++ {
					seen[y*w+x] = true
				}
			}
		}
		if slices.Contains(seen, false) {
			t.Fatal("a pixel is in no slice")
		}
	})
}

func TestMergingDoesNotDependOnTheOrderOfWhatWasFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		boxes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) vision.Box {
			n := rapid.IntRange(0, 90)
			return vision.Box{X: float32(n.Draw(t, "x")), Y: float32(n.Draw(t, "y")), W: float32(1 + n.Draw(t, "w")), H: float32(1 + n.Draw(t, "h")),
				Score: float32(rapid.IntRange(1, 6).Draw(t, "score")) / 8, Class: rapid.IntRange(0, 2).Draw(t, "class")}
		}), 0, 40).Draw(t, "boxes")
		c := DefaultConfig()
		c.Postprocess = rapid.SampledFrom([]string{GreedyNMM, NMS}).Draw(t, "way")
		a := c.Merge(boxes)
		slices.SortFunc(boxes, func(a, b vision.Box) int { return cmp.Compare(a.X*3+a.Y, b.X*3+b.Y) })
		b := c.Merge(boxes)
		if !slices.EqualFunc(a, b, func(a, b vision.Box) bool { return before(a, b) == 0 }) {
			t.Fatalf("%v\n%v", a, b)
		}
	})
}

// squares is a picture whose objects are known, and a network that sees the part of them in a slice.
type squares struct {
	w, h    int
	objects []image.Rectangle
	broken  image.Rectangle // a slice that can't be read

	mu     sync.Mutex
	slices int
}

func (s *squares) Slice(at image.Rectangle) (vision.Image, error) {
	if at == s.broken {
		return vision.Image{}, errors.New("the file is cut off")
	}
	if at.Min.Y > 900 {
		return vision.Image{}, nil
	}
	// Where the slice lies travels in place of its pixels.
	return vision.Image{W: at.Dx(), H: at.Dy(), Bands: []string{"at"}, Planes: [][]float32{{float32(at.Min.X), float32(at.Min.Y), 1}}}, nil
}

func (s *squares) Whole() (vision.Image, error) {
	return vision.Image{W: s.w / 4, H: s.h / 4, Bands: []string{"at"}, Planes: [][]float32{{0, 0, 0.25}}}, nil
}

func (s *squares) Run(_ context.Context, in []vision.Image) ([]vision.Output, error) {
	s.mu.Lock()
	s.slices++
	s.mu.Unlock()
	p := in[0].Planes[0]
	view := image.Rect(int(p[0]), int(p[1]), int(p[0])+int(float32(in[0].W)/p[2]), int(p[1])+int(float32(in[0].H)/p[2]))
	var out vision.Output
	for _, o := range s.objects {
		part := o.Intersect(view)
		share := float32(part.Dx()*part.Dy()) / float32(o.Dx()*o.Dy())
		if share < 0.2 || p[2] < 1 && o.Dx() < 100 {
			continue // small ones can't be seen in the picture scaled down
		}
		out.Boxes = append(out.Boxes, vision.Box{X: (float32(part.Min.X) - p[0]) * p[2], Y: (float32(part.Min.Y) - p[1]) * p[2],
			W: float32(part.Dx()) * p[2], H: float32(part.Dy()) * p[2], Score: 0.9 * share})
	}
	return []vision.Output{out}, nil
}

func TestEveryObjectIsFoundOnceAlsoOnTheBordersOfSlices(t *testing.T) {
	s := &squares{w: 1200, h: 900}
	for y := 20; y < 860; y += 60 {
		for x := 20; x < 1160; x += 60 {
			s.objects = append(s.objects, image.Rect(x, y, x+30, y+24))
		}
	}
	c := DefaultConfig()
	c.SliceWidth, c.SliceHeight = 256, 256
	for _, workers := range []int{1, 4} {
		found, err := c.Find(context.Background(), image.Pt(s.w, s.h), s, s, workers, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		if len(found.Boxes) != len(s.objects) || !found.Standard || found.Raw <= len(s.objects) {
			t.Fatalf("%d boxes of %d objects, %d before merging", len(found.Boxes), len(s.objects), found.Raw)
		}
		for _, o := range s.objects {
			if !slices.ContainsFunc(found.Boxes, func(b vision.Box) bool {
				return math.Abs(float64(b.X)-float64(o.Min.X)) < 0.01 && math.Abs(float64(b.Y)-float64(o.Min.Y)) < 0.01 && b.W == 30 && b.H == 24
			}) {
				t.Errorf("the object at %v is not found whole", o)
			}
		}
	}
}

func TestObjectsLargerThanASliceAreFoundInTheWhole(t *testing.T) {
	s := &squares{w: 1200, h: 900, objects: []image.Rectangle{image.Rect(100, 100, 1000, 800)}}
	c := DefaultConfig()
	c.SliceWidth, c.SliceHeight = 256, 256
	for standard, want := range map[bool]int{true: 1, false: 0} {
		c.StandardPrediction = standard
		found, err := c.Find(context.Background(), image.Pt(s.w, s.h), s, s, 2, 0.05)
		if err != nil || len(found.Boxes) != want {
			t.Errorf("standard prediction %v: %v, %v", standard, found.Boxes, err)
		}
	}
}

func TestABrokenSliceCostsItselfAndAFailingNetworkAll(t *testing.T) {
	c := DefaultConfig()
	s := &squares{w: 1200, h: 1600, broken: c.Slices(1200, 1600)[1], objects: []image.Rectangle{image.Rect(10, 10, 40, 40)}}
	found, err := c.Find(context.Background(), image.Pt(s.w, s.h), s, s, 2, 0.05)
	if err != nil || len(found.Unread) != 1 || len(found.Boxes) != 1 || found.Empty != 3 {
		t.Errorf("%+v, %v", found, err)
	}
	gone := errors.New("gone")
	if _, err := c.Find(context.Background(), image.Pt(s.w, s.h), s, failing{gone}, 3, 0.05); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
}

type failing struct{ err error }

func (f failing) Run(context.Context, []vision.Image) ([]vision.Output, error) { return nil, f.err }

func TestMistakesInTheFlagsAreAllNamed(t *testing.T) {
	var named []string
	add := func(field, _, _ string) { named = append(named, field) }
	DefaultConfig().Problems(add)
	if named != nil {
		t.Errorf("the defaults are wrong: %v", named)
	}
	Config{OverlapHeightRatio: 1, OverlapWidthRatio: math.NaN(), Metric: "GIOU"}.Problems(add)
	if len(named) != 7 {
		t.Errorf("named: %v", named)
	}
}
