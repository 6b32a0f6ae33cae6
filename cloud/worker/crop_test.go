package worker

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"cloudcanvas/shared/vision"
)

func TestCropsStayInThePicture(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		im := vision.Image{W: rapid.IntRange(1, 40).Draw(t, "w"), H: rapid.IntRange(1, 40).Draw(t, "h")}
		im.Pix = make([]byte, im.W*im.H*3)
		for i := range im.Pix {
			im.Pix[i] = byte(i / 3 % 251)
		}
		any := rapid.Float32()
		b := vision.Box{X: any.Draw(t, "x"), Y: any.Draw(t, "y"), W: any.Draw(t, "bw"), H: any.Draw(t, "bh")}
		if rapid.Bool().Draw(t, "near") {
			near := rapid.Float32Range(-60, 60)
			b = vision.Box{X: near.Draw(t, "nx"), Y: near.Draw(t, "ny"), W: near.Draw(t, "nw"), H: near.Draw(t, "nh")}
		}
		w, err := windowOf(b, rapid.Float64Range(0, 4).Draw(t, "margin"), im.W, im.H)
		if err != nil {
			return
		}
		if w.X < 0 || w.Y < 0 || w.W < 1 || w.H < 1 || w.X+w.W > im.W || w.Y+w.H > im.H {
			t.Fatalf("window %+v of a picture of %d x %d", w, im.W, im.H)
		}
		c := crop(&im, w)
		if c.W != w.W || c.H != w.H || len(c.Pix) != w.W*w.H*3 {
			t.Fatalf("a crop of %d x %d with %d bytes for %+v", c.W, c.H, len(c.Pix), w)
		}
		last := c.Pix[len(c.Pix)-1]
		if want := byte(((w.Y+w.H-1)*im.W + w.X + w.W - 1) % 251); last != want {
			t.Fatalf("the last pixel is %d, in the picture %d", last, want)
		}
	})
}

func TestASlantedBoxIsLaidOutUpright(t *testing.T) {
	im := vision.Image{W: 60, H: 60, Pix: make([]byte, 60*60*3)}
	// A line of 30 x 10 around the centre, turned by 30 degrees; its left half is bright.
	sin, cos := math.Sincos(math.Pi / 6)
	turned := func(u, v float64) (x, y float64) { return 30 + u*cos - v*sin, 30 + u*sin + v*cos }
	for y := range 60 {
		for x := range 60 {
			dx, dy := float64(x)+0.5-30, float64(y)+0.5-30
			u, v := dx*cos+dy*sin, -dx*sin+dy*cos
			if math.Abs(v) < 5 && u > -15 && u < 0 {
				for c := range 3 {
					im.Pix[(y*60+x)*3+c] = 200
				}
			}
		}
	}
	var corners [4][2]float32
	for i, c := range [4][2]float64{{-15, -5}, {15, -5}, {15, 5}, {-15, 5}} {
		x, y := turned(c[0], c[1])
		corners[i] = [2]float32{float32(x), float32(y)}
	}
	out, err := straighten(&im, corners, 0)
	if err != nil || out.W != 30 || out.H != 10 {
		t.Fatalf("%v: %d x %d", err, out.W, out.H)
	}
	if left, right := out.Pix[(5*30+7)*3], out.Pix[(5*30+22)*3]; left != 200 || right != 0 {
		t.Errorf("the left half is %d and the right %d", left, right)
	}
	for _, wrong := range [][4][2]float32{{}, {{0, 0}, {1e6, 0}, {1e6, 5}, {0, 5}}, {{float32(math.NaN()), 0}, {9, 0}, {9, 9}, {0, 9}}} {
		if _, err := straighten(&im, wrong, 0); err == nil {
			t.Errorf("%v was straightened", wrong)
		}
	}
}

func TestPolygonsCoverTheMasksClasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 24).Draw(t, "w"), rapid.IntRange(1, 24).Draw(t, "h")
		classes := rapid.SliceOfN(rapid.SampledFrom([]byte{vision.Clear, vision.Shadow, vision.Cloud, 7, vision.NoData}), w*h, w*h).Draw(t, "classes")
		m := vision.Mask{W: w, H: h, Class: classes}
		want := map[byte]int{}
		for _, c := range classes {
			if c != vision.Clear && c != vision.NoData {
				want[c]++
			}
		}
		got := map[byte]int{}
		before := math.MaxInt
		for _, p := range polygonsOf(&m, 1) {
			got[byte(p.Class)] += p.Area
			if p.Area > before {
				t.Fatal("a larger polygon comes after a smaller")
			}
			before = p.Area
			inside := 0
			for y := p.Window.Y; y < p.Window.Y+p.Window.H; y++ {
				for x := p.Window.X; x < p.Window.X+p.Window.W; x++ {
					if classes[y*w+x] == byte(p.Class) {
						inside++
					}
				}
			}
			if inside < p.Area || p.Score != 1 || p.Label != maskLabel(byte(p.Class)) {
				t.Fatalf("%+v has %d pixels of its class in its window", p, inside)
			}
		}
		for c, n := range want {
			if got[c] != n {
				t.Fatalf("polygons of class %d have %d pixels, the mask %d", c, got[c], n)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("classes %v, want %v", got, want)
		}
	})
}
