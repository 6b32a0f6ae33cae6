package infer

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"cloudcanvas/shared/model"
)

func textDecoder(t *testing.T, spec model.Output) decoder {
	t.Helper()
	d, err := newDecoder(model.Manifest{Name: "synthetic", Output: spec})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var dbSpec = model.Output{Decoder: "db", Labels: []string{"text"}, Threshold: 0.3, ScoreFloor: 0.5, Unclip: 1.6}

func TestLinesOfTextAreSlantedBoxesGrownBackToTheirSize(t *testing.T) {
	// A line of 40 x 8 around (60, 40), turned by 20 degrees, in a map of 128 x 96.
	g := geometry{w: 128, h: 96, rw: 128, rh: 96, sx: 0.5, sy: 0.5, iw: 256, ih: 192}
	out := zeros("map", 1, 1, 96, 128)
	sin, cos := math.Sincos(20 * math.Pi / 180)
	for y := range 96 {
		for x := range 128 {
			dx, dy := float64(x)-60, float64(y)-40
			if math.Abs(dx*cos+dy*sin) <= 20 && math.Abs(-dx*sin+dy*cos) <= 4 {
				out.data[y*128+x] = 0.9
			}
			if x > 100 && y > 80 {
				out.data[y*128+x] = 0.4 // over the threshold, below the score
			}
		}
	}
	out.data[10*128+10] = 1 // a speck
	got, err := textDecoder(t, dbSpec).decode([]tensor{out}, 0, 1, g, nil)
	if err != nil || len(got.Boxes) != 1 {
		t.Fatalf("%v: %+v", err, got.Boxes)
	}
	b := got.Boxes[0]
	if b.Label != "text" || b.Score < 0.75 || len(b.Points) != 4 {
		t.Fatalf("%+v", b)
	}
	side := func(i, k int) float64 {
		return math.Hypot(float64(b.Points[k][0]-b.Points[i][0]), float64(b.Points[k][1]-b.Points[i][1]))
	}
	// Each side grows by area / perimeter * 1.6 = 40*8/96*1.6 = 5.3 on both ends, and the picture is twice as large.
	if w, h := side(0, 1), side(1, 2); math.Abs(w-2*50.7) > 4 || math.Abs(h-2*18.7) > 4 {
		t.Errorf("a box of %.1f x %.1f, want about 101 x 37", w, h)
	}
	if dx, dy := float64(b.Points[1][0]-b.Points[0][0]), float64(b.Points[1][1]-b.Points[0][1]); math.Abs(math.Atan2(dy, dx)-20*math.Pi/180) > 0.06 {
		t.Errorf("the upper side goes by %.2f, %.2f: not by 20 degrees", dx, dy)
	}
}

func TestTheSmallestRectangleHoldsEveryPointAndIsNoLargerThanTheUprightOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points := make([]point, rapid.IntRange(1, 40).Draw(t, "n"))
		x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
		for i := range points {
			p := point{float64(rapid.IntRange(0, 50).Draw(t, "x")), float64(rapid.IntRange(0, 50).Draw(t, "y"))}
			points[i] = p
			x0, y0, x1, y1 = min(x0, p.x), min(y0, p.y), max(x1, p.x), max(y1, p.y)
		}
		all := append([]point(nil), points...)
		r := smallestRect(convexHull(points))
		if r.long*r.short > (x1-x0)*(y1-y0)+1e-6 || r.short > r.long {
			t.Fatalf("%+v of points within %v x %v", r, x1-x0, y1-y0)
		}
		for _, p := range all {
			if u, v := r.turn(p.x-r.x, p.y-r.y); math.Abs(u) > r.long/2+1e-6 || math.Abs(v) > r.short/2+1e-6 {
				t.Fatalf("%+v lies outside of %+v", p, r)
			}
		}
		c := r.corners()
		if twice := (c[1].x-c[0].x)*(c[2].y-c[1].y) - (c[1].y-c[0].y)*(c[2].x-c[1].x); twice < -1e-6 {
			t.Fatalf("corners %v go against the clock", c)
		}
	})
}

func TestRepeatedCharactersNeedABlankBetweenThem(t *testing.T) {
	spec := model.Output{Decoder: "ctc", Labels: []string{"a", "b", "ö"}, Activation: "probabilities"}
	out := zeros("steps", 1, 9, 5) // blank, a, b, ö and the space
	for s, k := range []int{0, 1, 1, 0, 1, 4, 3, 0, 0} {
		out.data[s*5+k] = 0.8
	}
	got, err := textDecoder(t, spec).decode([]tensor{out}, 0, 1, geometry{}, nil)
	if err != nil || len(got.Classes) != 1 || got.Classes[0].Label != "aa ö" || math.Abs(float64(got.Classes[0].Score)-0.8) > 1e-6 {
		t.Fatalf("%v: %+v", err, got.Classes)
	}
	if got, err = textDecoder(t, spec).decode([]tensor{zeros("steps", 1, 9, 4)}, 0, 1, geometry{}, nil); err != nil || got.Classes != nil {
		t.Fatalf("%v: %+v was read in nothing", err, got.Classes)
	}
	if _, err = textDecoder(t, spec).decode([]tensor{zeros("steps", 1, 9, 6)}, 0, 1, geometry{}, nil); err == nil {
		t.Fatal("a network of another alphabet was accepted")
	}
}

func TestLinesOfTextStayInThePictureWhateverTheMapSays(t *testing.T) {
	g := geometry{w: 32, h: 16, rw: 32, rh: 16, sx: 32.0 / 200, sy: 16.0 / 120, iw: 200, ih: 120}
	rapid.Check(t, func(rt *rapid.T) {
		out := zeros("map", 1, 1, 16, 32)
		copy(out.data, rapid.SliceOfN(rapid.SampledFrom([]float32{0, 0.2, 0.6, 1, 7, -3, float32(math.NaN()), float32(math.Inf(1))}), 512, 512).Draw(rt, "map"))
		got, err := textDecoder(t, dbSpec).decode([]tensor{out}, 0, 1, g, nil)
		if err != nil {
			rt.Fatal(err)
		}
		for _, b := range got.Boxes {
			if !(b.Score >= 0.5 && b.Score <= 1) || len(b.Points) != 4 {
				rt.Fatalf("%+v", b)
			}
			for _, p := range b.Points {
				if !(p[0] >= 0 && p[0] <= 200 && p[1] >= 0 && p[1] <= 120) {
					rt.Fatalf("corner %v of a picture of 200 x 120", p)
				}
			}
		}
	})
}
