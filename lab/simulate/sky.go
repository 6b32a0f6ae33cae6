package simulate

import (
	"math"
	"slices"

	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// A pixel is cloud in the truth from this opacity on, which adds about 0.15 to the reflectance of
// dark ground: what a careful person would outline. It is shadow where its own ground is in sight
// and a cloud of at least shadowFrom stands between it and the sun.
const (
	cloudFrom  = 0.2
	shadowFrom = 0.3
	densest    = 0.97
)

// sky is a layer of clouds at one height, lit from one side.
type sky struct {
	shape, texture []octave
	from, width    float32 // noise at which clouds begin, and by which they are densest
	dx, dy         int     // from a cloud to its shadow
}

// newSky draws clouds that cover the share asked for.
func newSky(o SceneOptions) *sky {
	s := &sky{
		shape:   fractal(mix(o.Seed^0x5ca1ab1e), 640, 5, 0.55),
		texture: fractal(mix(o.Seed^0x7e870), 48, 6, 0.6),
	}
	// The sun stands 35 to 60 degrees high in a quarter of the sky, clouds are 500 to 900 m high, a
	// pixel is 10 m.
	angle := 2 * math.Pi * unit(o.Seed, 1)
	length := (50 + 40*unit(o.Seed, 2)) / math.Tan((35+25*unit(o.Seed, 3))*math.Pi/180)
	s.dx, s.dy = int(length*math.Cos(angle)), int(length*math.Sin(angle))
	// Opacity is cloudFrom at the noise that the share asked for lies above.
	const samples = 4096
	seen := make([]float32, samples)
	for i := range seen {
		x, y := int(unit(o.Seed, 100+2*uint64(i))*float64(o.Width)), int(unit(o.Seed, 101+2*uint64(i))*float64(o.Height))
		fill(seen[i:i+1], s.shape, x, y, 1, 1)
	}
	slices.Sort(seen)
	border := seen[min(int((1-o.Clouds)*samples), samples-1)]
	if o.Clouds == 0 {
		border = 1e9
	}
	s.width = 0.4
	s.from = border - s.width*rise(cloudFrom/densest)
	return s
}

// rise is where smooth (3t² - 2t³) reaches a value, by bisection.
func rise(value float32) float32 {
	low, high := float32(0), float32(1)
	for range 30 {
		if t := (low + high) / 2; t*t*(3-2*t) < value {
			low = t
		} else {
			high = t
		}
	}
	return low
}

// opacity is the share of light that a cloud of that noise turns back: thin at its edge, dense inside.
func (s *sky) opacity(noise float32) float32 {
	t := (noise - s.from) / s.width
	if t <= 0 {
		return 0
	}
	if t >= 1 {
		return densest
	}
	return densest * t * t * (3 - 2*t)
}

// clouds are what a window's pixels see.
type clouds struct {
	opacity []float32 // of the cloud above
	shade   []float32 // opacity of the cloud towards the sun
	texture []float32 // of the cloud's top, about 1
	class   []byte    // the truth
}

// over is the sky over a window. The noise is made once, for the window and as far as shadows reach.
func (s *sky) over(w raster.Window) clouds {
	x0, y0 := min(0, -s.dx), min(0, -s.dy)
	wide, high := w.W+max(s.dx, -s.dx), w.H+max(s.dy, -s.dy)
	field := make([]float32, wide*high)
	fill(field, s.shape, w.X+x0, w.Y+y0, wide, high)
	for i, v := range field {
		field[i] = s.opacity(v)
	}
	n := w.W * w.H
	c := clouds{opacity: make([]float32, n), shade: make([]float32, n), texture: make([]float32, n), class: make([]byte, n)}
	fill(c.texture, s.texture, w.X, w.Y, w.W, w.H)
	for y := range w.H {
		copy(c.opacity[y*w.W:(y+1)*w.W], field[(y-y0)*wide-x0:])
		copy(c.shade[y*w.W:(y+1)*w.W], field[(y-y0-s.dy)*wide-x0-s.dx:])
	}
	for i := range n {
		c.texture[i] = 1 + 0.04*c.texture[i]
		switch {
		case c.opacity[i] >= cloudFrom:
			c.class[i] = vision.Cloud
		case c.shade[i] >= shadowFrom:
			c.class[i] = vision.Shadow
		}
	}
	return c
}

// unit is a number in [0, 1) for a seed and a purpose.
func unit(seed, purpose uint64) float64 {
	return float64(mix(mix(seed)+purpose*0x9e3779b97f4a7c15)>>11) / (1 << 53)
}
