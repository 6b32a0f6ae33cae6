package infer

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

func gradient(w, h int) vision.Image {
	im := vision.Image{W: w, H: h, Pix: make([]byte, w*h*3)}
	for i := range w * h {
		im.Pix[3*i], im.Pix[3*i+1], im.Pix[3*i+2] = byte(i%w), byte(i/w), 200
	}
	return im
}

func TestFitsPlaceThePictureAsTheirNetworksWereTrained(t *testing.T) {
	im := gradient(768, 576)
	for name, c := range map[string]struct {
		in   model.Input
		want geometry
	}{
		"top-left cuts the fraction": {model.Input{Size: []int{416, 416}, Fit: model.FitTopLeft}, geometry{w: 416, h: 416, rw: 416, rh: 312}},
		"centre pads both sides":     {model.Input{Size: []int{640, 640}, Fit: model.FitCentre}, geometry{w: 640, h: 640, rw: 640, rh: 480, py: 80}},
		"stretch fills":              {model.Input{Size: []int{352, 352}, Fit: model.FitStretch}, geometry{w: 352, h: 352, rw: 352, rh: 352}},
		"none keeps":                 {model.Input{Size: []int{800, 600}, Fit: model.FitNone}, geometry{w: 800, h: 600, rw: 768, rh: 576}},
		"free sizes, none":           {model.Input{MultipleOf: 32, MaxSide: 1024, Fit: model.FitNone}, geometry{w: 768, h: 576, rw: 768, rh: 576}},
		"a letterbox cut down":       {model.Input{Size: []int{640, 640}, MultipleOf: 32, Fit: model.FitCentre}, geometry{w: 640, h: 480, rw: 640, rh: 480}},
		"the middle":                 {model.Input{Size: []int{224, 224}, Fit: model.FitCrop}, geometry{w: 224, h: 224, rw: 224, rh: 224, px: -37}},
		"free sizes, letterbox":      {model.Input{MultipleOf: 32, MaxSide: 416, Fit: model.FitCentre}, geometry{w: 416, h: 320, rw: 416, rh: 312, py: 4}},
	} {
		c.in.Colour, c.in.Scale = "bgr", 1
		g, err := newPlan(c.in).fit(&im)
		if err != nil {
			t.Fatal(err)
		}
		if g.w != c.want.w || g.h != c.want.h || g.rw != c.want.rw || g.rh != c.want.rh || g.px != c.want.px || g.py != c.want.py {
			t.Errorf("%s: got %+v, want %+v", name, g, c.want)
		}
	}
}

func TestPixelsAreOrderedScaledAndPaddedInOnePass(t *testing.T) {
	im := gradient(4, 2)
	for _, layout := range []string{"nchw", "nhwc"} {
		p := newPlan(model.Input{Colour: "rgb", Size: []int{4, 4}, Fit: model.FitTopLeft, Pad: 114, Scale: 1, Mean: []float64{1, 2, 3}, Std: []float64{2, 4, 8}, Layout: layout})
		g, err := p.fit(&im)
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]float32, 3*16)
		if err := p.write(&im, g, make([]byte, g.scratch()), dst); err != nil {
			t.Fatal(err)
		}
		at := func(c, y, x int) float32 {
			if layout == "nhwc" {
				return dst[(y*4+x)*3+c]
			}
			return dst[(c*4+y)*4+x]
		}
		for _, v := range []struct {
			c, y, x int
			want    float32
		}{{0, 1, 2, (200.0 - 1) / 2}, {1, 1, 2, (1.0 - 2) / 4}, {2, 1, 2, (2.0 - 3) / 8}, {0, 3, 3, (114.0 - 1) / 2}, {2, 2, 0, (114.0 - 3) / 8}} {
			if got := at(v.c, v.y, v.x); math.Abs(float64(got-v.want)) > 1e-6 {
				t.Errorf("%s channel %d at %d,%d is %g, want %g", layout, v.c, v.x, v.y, got, v.want)
			}
		}
	}
}

func TestGrayIsWhatOpenCVMakesOfColour(t *testing.T) {
	im := vision.Image{W: 1, H: 1, Pix: []byte{10, 20, 30}}
	p := newPlan(model.Input{Colour: "gray", Size: []int{1, 1}, Fit: model.FitStretch, Scale: 1})
	dst := make([]float32, 1)
	g, err := p.fit(&im)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.write(&im, g, make([]byte, g.scratch()), dst); err != nil || dst[0] != 22 { // 0.299 R + 0.587 G + 0.114 B
		t.Fatalf("got %g, %v", dst[0], err)
	}
}

func bands(w, h int, names ...string) vision.Image {
	im := vision.Image{W: w, H: h, Bands: names}
	for b := range names {
		plane := make([]float32, w*h)
		for i := range plane {
			plane[i] = float32(b*100 + i)
		}
		im.Planes = append(im.Planes, plane)
	}
	return im
}

func TestBandsArePickedByNameMirroredAndFreedOfVoid(t *testing.T) {
	im := bands(3, 2, "red", "nir", "blue")
	im.Void = []byte{0, 1, 0, 0, 0, 0}
	im.Planes[2][5] = float32(math.NaN())
	p := newPlan(model.Input{Bands: []string{"blue", "red"}, Size: []int{5, 3}, Scale: 1, Mean: []float64{10, 20}, Std: []float64{2}, Fit: model.FitNone})
	g, err := p.fit(&im)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]float32, 2*15)
	if err := p.write(&im, g, nil, dst); err != nil {
		t.Fatal(err)
	}
	want := []float32{
		95, -5, 96, 96, -5, // 200, void, 202 and mirrored: (v-10)/2
		96.5, 97, -5, -5, 97, // 203, 204, NaN
		96.5, 97, -5, -5, 97,
		-10, -10, -9, -9, -10, // red: 0, void, 2: (v-20)/2
		-8.5, -8, -7.5, -7.5, -8,
		-8.5, -8, -7.5, -7.5, -8,
	}
	for i := range want {
		if dst[i] != want[i] {
			t.Fatalf("value %d is %g, want %g in %v", i, dst[i], want[i], dst)
		}
	}
}

func TestImagesThatDoNotFitSayWhatIsMissing(t *testing.T) {
	six := newPlan(model.Input{Bands: []string{"blue", "swir16"}, Size: []int{4, 4}, Scale: 1, Fit: model.FitNone})
	colour := newPlan(model.Input{Colour: "bgr", Size: []int{4, 4}, Scale: 1, Fit: model.FitStretch})
	short := bands(4, 4, "blue", "swir16")
	short.Planes[1] = short.Planes[1][:3]
	void := bands(4, 4, "blue", "swir16")
	void.Void = []byte{1}
	for want, c := range map[string]struct {
		p  *plan
		im vision.Image
	}{
		`no band "swir16"`:    {six, bands(4, 4, "blue", "green")},
		"cut it into windows": {six, bands(5, 4, "blue", "swir16")},
		"has 3 values":        {six, short},
		"marks of no data":    {six, void},
		"8-bit colour":        {colour, bands(4, 4, "blue")},
		"size is 0x0":         {colour, vision.Image{}},
		"7 bytes":             {colour, vision.Image{W: 2, H: 2, Pix: make([]byte, 7)}},
	} {
		if _, err := c.p.fit(&c.im); !errors.Is(err, ErrImage) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, should say %q", err, want)
		}
	}
}

func TestAnyPictureLiesWithinTheNetworksInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		side := rapid.IntRange(1, 3000)
		im := vision.Image{W: side.Draw(t, "w"), H: side.Draw(t, "h")}
		im.Pix = make([]byte, im.W*im.H*3)
		in := model.Input{Colour: "bgr", Scale: 1, Fit: rapid.SampledFrom([]model.Fit{model.FitStretch, model.FitTopLeft, model.FitCentre}).Draw(t, "fit")}
		if rapid.Bool().Draw(t, "free") {
			in.MultipleOf, in.MaxSide = 32, rapid.IntRange(32, 2000).Draw(t, "max")
		} else {
			in.Size = []int{rapid.IntRange(1, 640).Draw(t, "nw"), rapid.IntRange(1, 640).Draw(t, "nh")}
		}
		g, err := newPlan(in).fit(&im)
		if err != nil {
			t.Fatal(err)
		}
		if g.rw < 1 || g.rh < 1 || g.px < 0 || g.py < 0 || g.px+g.rw > g.w || g.py+g.rh > g.h {
			t.Fatalf("%+v", g)
		}
		// The picture's corner comes back to itself within a pixel of the network.
		x := g.x(float32(float64(im.W)*g.sx + float64(g.px)))
		if math.Abs(float64(x)-float64(im.W)) > 0.01*float64(im.W)+0.01 {
			t.Fatalf("right border %d came back at %g", im.W, x)
		}
	})
}
