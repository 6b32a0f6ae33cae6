package simulate

import (
	"errors"
	"fmt"
	"path/filepath"

	"cloudcanvas/shared/raster"
)

// maxBase bounds how much of a base scene is held: its middle, of so many pixels a side.
const maxBase = 1024

// ground is what lies under the clouds.
type ground struct {
	what   string
	bands  []string
	georef raster.Georef
	seed   uint64

	width, height int         // of the base
	planes        [][]float32 // the base's reflectance; nil: made of noise

	warpX, warpY, light, kind, field []octave
}

// Clouds by band: how bright a dense one is from above (water and ice take up short-wave infrared),
// and how much of the ground's light its shadow takes (the sky still lights blue). After the
// examples of Landsat 8 scenes in Zhu & Woodcock, Remote Sensing of Environment 118 (2012).
var optics = map[string]struct{ cloud, shadow float32 }{
	"coastal": {0.78, 0.50}, "blue": {0.76, 0.55}, "green": {0.74, 0.62}, "red": {0.75, 0.68},
	"nir": {0.78, 0.75}, "nir08": {0.78, 0.75}, "swir16": {0.52, 0.80}, "swir22": {0.42, 0.80},
}

// Grounds made of noise: top-of-atmosphere reflectance of water, vegetation, soil, stubble.
var endmembers = map[string][4]float32{
	"blue": {0.095, 0.085, 0.125, 0.115}, "green": {0.070, 0.085, 0.135, 0.125}, "red": {0.045, 0.055, 0.165, 0.150},
	"nir": {0.025, 0.310, 0.240, 0.260}, "swir16": {0.008, 0.170, 0.310, 0.290}, "swir22": {0.005, 0.080, 0.270, 0.210},
}

func newGround(o SceneOptions) (*ground, error) {
	g := &ground{
		what: "a ground made of noise", bands: []string{"blue", "green", "red", "nir", "swir16", "swir22"}, seed: mix(o.Seed ^ 0x960d),
		warpX: fractal(mix(o.Seed^0x11), 512, 200, 0.5), warpY: fractal(mix(o.Seed^0x22), 512, 200, 0.5),
		light: fractal(mix(o.Seed^0x33), 900, 100, 0.5),
		kind:  fractal(mix(o.Seed^0x44), 400, 8, 0.6), field: fractal(mix(o.Seed^0x55), 200, 12, 0.7),
	}
	if o.Base != "" {
		if err := g.load(o); err != nil {
			return nil, fmt.Errorf("the base: %w", err)
		}
	}
	if !g.georef.Known() {
		var err error
		if g.georef, err = raster.UTM(32, true, 600000, 5400000, 10); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// load reads the middle of a real scene, in the bands whose clouds are known.
func (g *ground) load(o SceneOptions) error {
	base, err := raster.Open(o.Base, raster.Options{Bands: o.BaseBands})
	if err != nil {
		return err
	}
	defer base.Close()
	info := base.Info()
	g.bands = nil
	for _, b := range info.Bands {
		if _, ok := optics[b]; ok {
			g.bands = append(g.bands, b)
		}
	}
	if err := info.Require("blue", "green", "red"); err != nil {
		return err
	}
	w := raster.Window{W: min(info.Width, maxBase), H: min(info.Height, maxBase)}
	w.X, w.Y = (info.Width-w.W)/2, (info.Height-w.H)/2
	im, err := base.Read(w, g.bands)
	if err != nil {
		return err
	}
	if im.Void != nil {
		return errors.New("its middle has pixels without data; choose a scene that is whole there")
	}
	g.what, g.georef = filepath.Base(o.Base), info.Georef.Window(w)
	g.width, g.height, g.planes = w.W, w.H, im.Planes
	return nil
}

// under gives a window's stored numbers, band after band, with clouds over its ground.
func (g *ground) under(w raster.Window, c clouds) []uint16 {
	n := w.W * w.H
	light := make([]float32, n)
	fill(light, g.light, w.X, w.Y, w.W, w.H)
	bare := g.synthetic
	if g.planes != nil {
		bare = g.mirrored
	}
	surface := bare(w)
	out := make([]uint16, n*len(g.bands))
	row := make([]float32, w.W)
	for b, name := range g.bands {
		o := optics[name]
		noise := mix(g.seed + uint64(b))
		for y := range w.H {
			surface(row, b, y)
			from := y * w.W
			to := out[b*n+from:][:w.W]
			for x, ground := range row {
				i := from + x
				ground *= (1 + 0.05*light[i]) * (1 - o.shadow*c.shade[i])
				v := ground + (o.cloud*c.texture[i]-ground)*c.opacity[i]
				noise = noise*6364136223846793005 + 1442695040888963407
				v = v*reflectance + float32(int32(noise>>32)>>24)*0.1 // ±0.0013 of sensor noise
				to[x] = uint16(min(max(v, 1), brightest))
			}
		}
	}
	return out
}

// mirrored gives rows of the base, repeated as in facing mirrors and bent so that repeats differ.
func (g *ground) mirrored(w raster.Window) func(row []float32, band, y int) {
	n := w.W * w.H
	bendX, bendY := make([]float32, n), make([]float32, n)
	fill(bendX, g.warpX, w.X, w.Y, w.W, w.H)
	fill(bendY, g.warpY, w.X, w.Y, w.W, w.H)
	place := make([]int32, n)
	for i := range place {
		x := mirror(w.X+i%w.W+int(40*bendX[i]), g.width)
		y := mirror(w.Y+i/w.W+int(40*bendY[i]), g.height)
		place[i] = int32(y*g.width + x)
	}
	return func(row []float32, band, y int) {
		plane := g.planes[band]
		for x, at := range place[y*w.W : (y+1)*w.W] {
			row[x] = plane[at]
		}
	}
}

// mirror folds a coordinate into 0 … length-1.
func mirror(at, length int) int {
	at %= 2 * length
	if at < 0 {
		at += 2 * length
	}
	if at >= length {
		at = 2*length - 1 - at
	}
	return at
}

// synthetic gives rows of water, vegetation, soil and stubble.
func (g *ground) synthetic(w raster.Window) func(row []float32, band, y int) {
	n := w.W * w.H
	kind, field := make([]float32, n), make([]float32, n)
	fill(kind, g.kind, w.X, w.Y, w.W, w.H)
	fill(field, g.field, w.X, w.Y, w.W, w.H)
	return func(row []float32, band, y int) {
		e := endmembers[g.bands[band]]
		for x := range row {
			k, f := kind[y*w.W+x], field[y*w.W+x]
			if k < -1.2 {
				row[x] = e[0]
				continue
			}
			plant := min(max(0.5+0.5*f, 0), 1)
			soil := min(max(0.5+0.8*k, 0), 1)
			row[x] = plant*e[1] + (1-plant)*(soil*e[2]+(1-soil)*e[3])
		}
	}
}
