package screen

import "cloudcanvas/shared/vision"

// CameraConfig is the policy for frames of cameras; what is 0 leaves nothing out.
type CameraConfig struct {
	Motion    float64 `yaml:"motion" desc:"share of change below which a frame is left out; 0.002 sees a person at a tenth of the height" range:"0..1"`
	KeepEvery int     `yaml:"keep_every" desc:"of a still camera one frame in so many is kept all the same; 0: none" range:"0.."`
	Sharpness float64 `yaml:"sharpness" desc:"sharpness below which a frame is left out; at about 30 edges are gone" range:"0.."`
	Dark      float64 `yaml:"dark" desc:"share of dark pixels from which on a frame is left out" range:"0..1"`
	Bright    float64 `yaml:"bright" desc:"share of bright pixels from which on a frame is left out" range:"0..1"`
}

const (
	gridCols     = 96   // points at which a frame is looked at, across
	learning     = 0.05 // of each frame in the background: a thing that stays is background after some 50 frames
	differs      = 20   // grey levels
	darkLevel    = 16   // of 255
	brightLevel  = 239  // of 255
	stillUnknown = 1.0  // motion of a first frame: nothing is known to be still
)

// Camera screens the frames of one fixed camera, in their order. It learns the background as it
// goes; it is used by one goroutine and allocates only when the frames' size changes.
type Camera struct {
	config     CameraConfig
	keepAll    bool
	w, h       int
	background []float32
	grey       []float32
	shifts     [511]int // how many points became lighter by -255 … 255 grey levels
	skipped    int      // frames left out in a row
}

// Camera makes the screening of one camera.
func (c Config) Camera() *Camera { return &Camera{config: c.Cameras, keepAll: c.KeepEverything} }

// Decide overviews at a frame (interleaved 8-bit) at about 7,000 points.
func (c *Camera) Decide(im vision.Image) Decision {
	v := Decision{Value: 1}
	if im.W < 3 || im.H < 3 || len(im.Pix) != im.W*im.H*3 {
		v.Keep = true
		return v
	}
	c.sample(im, &v.Score)
	c.learn(im, &v.Score)
	v.Value = min(1, max(v.Score.Motion*10, 0.05)) // a tenth of the picture in motion is worth it all
	v.Reason = c.reason(v.Score)
	if v.Reason == Unchanged {
		if c.skipped++; c.config.KeepEvery > 0 && c.skipped >= c.config.KeepEvery {
			v.Reason = Kept
		}
	}
	if v.Reason == Kept || c.keepAll {
		v.Reason, c.skipped = Kept, 0
	}
	v.Keep = v.Reason == Kept
	return v
}

func (c *Camera) reason(s Score) string {
	set := func(limit float64) bool { return limit > 0 }
	switch {
	case set(c.config.Dark) && s.Dark >= c.config.Dark:
		return Dark
	case set(c.config.Bright) && s.Bright >= c.config.Bright:
		return Bright
	case set(c.config.Sharpness) && s.Sharpness < c.config.Sharpness:
		return Blurred
	case set(c.config.Motion) && s.Motion < c.config.Motion:
		return Unchanged
	}
	return Kept
}

// sample takes the frame at its points: grey values for the background, and at the same points the
// Laplacian of the full resolution, since a smaller picture is always sharp.
func (c *Camera) sample(im vision.Image, s *Score) {
	step := max(1, im.W/gridCols)
	stride := im.W * 3
	c.grey = c.grey[:0]
	var dark, bright int
	var sum, squares float64
	for y := 1; y < im.H-1; y += step {
		row := im.Pix[y*stride+1 : (y+1)*stride] // from the first green on
		above, below := im.Pix[(y-1)*stride+1:], im.Pix[(y+1)*stride+1:]
		for x := 3; x < stride-4; x += 3 * step {
			g := int(row[x])
			l := float64(4*g - int(row[x-3]) - int(row[x+3]) - int(above[x]) - int(below[x]))
			sum += l
			squares += l * l
			if g < darkLevel {
				dark++
			} else if g > brightLevel {
				bright++
			}
			// Four points of the cell against noise.
			c.grey = append(c.grey, float32(g+int(row[x-3])+int(row[x+3])+int(below[x]))/4)
		}
	}
	n := float64(len(c.grey))
	if n == 0 {
		return
	}
	mean := sum / n
	s.Sharpness = squares/n - mean*mean
	s.Dark, s.Bright = float64(dark)/n, float64(bright)/n
}

// learn compares with the background, and adds to it.
func (c *Camera) learn(im vision.Image, s *Score) {
	if c.w != im.W || c.h != im.H || len(c.background) != len(c.grey) {
		c.w, c.h = im.W, im.H
		c.background = append(c.background[:0], c.grey...)
		s.Motion = stillUnknown
		return
	}
	shift := c.lightShift()
	moved := 0
	for i, g := range c.grey {
		d := g - c.background[i]
		if abs(d-shift) > differs {
			moved++
		}
		c.background[i] += learning * d
	}
	s.Motion = float64(moved) / float64(max(len(c.grey), 1))
}

// lightShift is by how much the light as a whole has changed: a cloud before the sun, or the
// camera's own exposure, changes all points alike. It is the median, since a mean would follow a
// large thing that comes into the picture and find motion in all the rest.
func (c *Camera) lightShift() float32 {
	clear(c.shifts[:])
	for i, g := range c.grey {
		c.shifts[int(g-c.background[i]+255.5)]++
	}
	below := 0
	for level, n := range c.shifts {
		if below += n; 2*below >= len(c.grey) {
			return float32(level - 255)
		}
	}
	return 0
}
