package infer

import (
	"fmt"
	"math"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// plan is a manifest's input, worked out once: how pixels become the values the network sees.
type plan struct {
	in       model.Input
	channels int
	nhwc     int
	order    [3]int    // the BGR channel behind each of the network's
	table    []float32 // pictures: 256 values for each channel
	pad      [3]float32
	scale    []float32 // bands: value = v*scale + offset
	offset   []float32
	void     []float32 // bands: in place of pixels without data
}

func newPlan(in model.Input) *plan {
	p := &plan{in: in, channels: in.Channels(), order: [3]int{0, 1, 2}}
	if in.Layout == "nhwc" {
		p.nhwc = 1
	}
	if in.Colour == "rgb" {
		p.order = [3]int{2, 1, 0}
	}
	for c := range p.channels {
		scale, offset := in.Affine(c)
		p.scale = append(p.scale, float32(scale))
		p.offset = append(p.offset, float32(offset))
		p.void = append(p.void, float32(in.Void*scale+offset))
		if len(in.Bands) == 0 {
			for v := range 256 {
				p.table = append(p.table, float32(float64(v)*scale+offset))
			}
			p.pad[c] = float32(in.Pad*scale + offset)
		}
	}
	for len(p.table) > 0 && len(p.table) < 3*256 { // gray: native code reads three tables
		p.table = append(p.table, p.table[:256]...)
	}
	return p
}

// geometry is where one image lies in the network's input.
type geometry struct {
	w, h           int // the network's input
	rw, rh, px, py int // the image in it
	sx, sy         float64
	iw, ih         int // the image itself
}

// x and y turn the network's coordinates into the image's.
func (g geometry) x(v float32) float32 { return float32((float64(v) - float64(g.px)) / g.sx) }
func (g geometry) y(v float32) float32 { return float32((float64(v) - float64(g.py)) / g.sy) }

// box turns a box given by its centre and size in the network's pixels into the image's. It is not
// cut at the border, as the reference decoders do not either.
func (g geometry) box(cx, cy, w, h float32) vision.Box {
	return vision.Box{X: g.x(cx - w/2), Y: g.y(cy - h/2), W: float32(float64(w) / g.sx), H: float32(float64(h) / g.sy)}
}

// fit checks an image and finds its place.
func (p *plan) fit(im *vision.Image) (geometry, error) {
	if err := p.check(im); err != nil {
		return geometry{}, err
	}
	g := geometry{iw: im.W, ih: im.H, sx: 1, sy: 1, rw: im.W, rh: im.H}
	in := p.in
	free := in.MultipleOf > 0 && len(in.Size) != 2
	if !free {
		g.w, g.h = in.Size[0], in.Size[1]
	}
	w, h := float64(im.W), float64(im.H)
	switch in.Fit {
	case model.FitNone:
		if free {
			g.w, g.h = roundUp(im.W, in.MultipleOf), roundUp(im.H, in.MultipleOf)
			if max(g.w, g.h) > max(in.MaxSide, in.MultipleOf) {
				return g, fmt.Errorf("%w: %dx%d is larger than %d pixels; cut it into windows", ErrImage, im.W, im.H, in.MaxSide)
			}
		} else if im.W > g.w || im.H > g.h {
			return g, fmt.Errorf("%w: %dx%d is larger than the network's %dx%d; cut it into windows", ErrImage, im.W, im.H, g.w, g.h)
		}
	case model.FitStretch:
		if free {
			r := min(1, float64(in.MaxSide)/max(w, h))
			g.w, g.h = roundUp(int(w*r), in.MultipleOf), roundUp(int(h*r), in.MultipleOf)
		}
		g.rw, g.rh = g.w, g.h
		g.sx, g.sy = float64(g.w)/w, float64(g.h)/h
	case model.FitCrop: // the shorter side fits, as torchvision's Resize and CenterCrop
		whole := [2]int{g.w, max(g.h, int(float64(g.w*im.H)/w))}
		if im.W*g.h > im.H*g.w {
			whole = [2]int{max(g.w, int(float64(g.h*im.W)/h)), g.h}
		}
		g.sx, g.sy = float64(whole[0])/w, float64(whole[1])/h
		g.rw, g.rh = g.w, g.h
		g.px = -int(math.RoundToEven(float64(whole[0]-g.w) / 2))
		g.py = -int(math.RoundToEven(float64(whole[1]-g.h) / 2))
	default: // letterboxes: one factor for both sides
		var r float64
		if free {
			r = min(1, float64(in.MaxSide)/max(w, h))
		} else {
			r = min(float64(g.w)/w, float64(g.h)/h)
		}
		g.sx, g.sy = r, r
		if in.Fit == model.FitTopLeft { // YOLOX's own pre-processing cuts the fraction off …
			g.rw, g.rh = max(1, int(w*r)), max(1, int(h*r))
		} else { // … Ultralytics' rounds it
			g.rw, g.rh = max(1, int(math.Round(w*r))), max(1, int(math.Round(h*r)))
		}
		if in.MultipleOf > 0 { // no more padding than the network needs
			g.w, g.h = roundUp(g.rw, in.MultipleOf), roundUp(g.rh, in.MultipleOf)
		}
		if in.Fit == model.FitCentre {
			g.sx, g.sy = float64(g.rw)/w, float64(g.rh)/h // as the rounded sides really lie
			g.px = int(math.Round(float64(g.w-g.rw)/2 - 0.1))
			g.py = int(math.Round(float64(g.h-g.rh)/2 - 0.1))
		}
	}
	return g, nil
}

func roundUp(n, multiple int) int { return max(1, (n+multiple-1)/multiple) * multiple }

// check finds everything about an image that native code would trust.
func (p *plan) check(im *vision.Image) error {
	const most = 1 << 16
	if im.W < 1 || im.H < 1 || im.W > most || im.H > most {
		return fmt.Errorf("%w: its size is %dx%d", ErrImage, im.W, im.H)
	}
	if im.Void != nil && len(im.Void) != im.W*im.H {
		return fmt.Errorf("%w: %d marks of no data for %dx%d pixels", ErrImage, len(im.Void), im.W, im.H)
	}
	if len(p.in.Bands) == 0 {
		if len(im.Pix) == 0 || len(im.Pix) != im.W*im.H*3 {
			return fmt.Errorf("%w: the network takes 8-bit colour pictures; this one has %d bytes and bands %v for %dx%d pixels", ErrImage, len(im.Pix), im.Bands, im.W, im.H)
		}
		return nil
	}
	if len(im.Planes) != len(im.Bands) {
		return fmt.Errorf("%w: %d planes and %d band names", ErrImage, len(im.Planes), len(im.Bands))
	}
	for _, b := range p.in.Bands {
		switch plane := im.Plane(b); {
		case plane == nil:
			return fmt.Errorf("%w: it has no band %q, only %v; the network needs %v", ErrImage, b, im.Bands, p.in.Bands)
		case len(plane) != im.W*im.H:
			return fmt.Errorf("%w: band %q has %d values for %dx%d pixels", ErrImage, b, len(plane), im.W, im.H)
		}
	}
	return nil
}

// scratch is how many bytes write needs for an image.
func (g geometry) scratch() int { return g.rw * g.rh * 4 }

// write lays one image out in its part of the input tensor.
func (p *plan) write(im *vision.Image, g geometry, scratch []byte, dst []float32) error {
	if len(p.in.Bands) == 0 {
		if p.in.Antialias {
			small := antialiased(im, g)
			im, g.px, g.py = &small, max(g.px, 0), max(g.py, 0)
		}
		return picture(im, g, p, scratch, dst)
	}
	step, plane := 1, g.w*g.h
	if p.nhwc == 1 {
		step, plane = p.channels, 1
	}
	for c, band := range p.in.Bands {
		p.band(im, g, c, im.Plane(band), dst[c*plane:], step)
	}
	return nil
}

// band writes one plane: normalised, without the pixels that have no data, mirrored at the right and
// lower border up to the network's size, as the networks' own tiling does.
func (p *plan) band(im *vision.Image, g geometry, c int, from, dst []float32, step int) {
	scale, offset, void := p.scale[c], p.offset[c], p.void[c]
	for y := range g.h {
		at := mirror(y, im.H) * im.W
		row := from[at : at+im.W]
		out := dst[y*g.w*step:]
		for x, v := range row {
			v = v*scale + offset
			if v != v { // NaN is no data
				v = void
			}
			out[x*step] = v
		}
		if im.Void != nil {
			for x, none := range im.Void[at : at+im.W] {
				if none != 0 {
					out[x*step] = void
				}
			}
		}
		for x := im.W; x < g.w; x++ {
			out[x*step] = out[mirror(x, im.W)*step]
		}
	}
}

// mirror folds a coordinate beyond the border back: n-1, n, n+1 is the pixels n-1, n-1, n-2.
func mirror(i, n int) int {
	i %= 2 * n
	if i >= n {
		i = 2*n - 1 - i
	}
	return i
}
