package mosaic

import (
	"bufio"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"os"

	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// Colours laid over the quicklook, and how much of them.
var (
	cloudWhite   = [3]float64{255, 255, 255}
	shadowViolet = [3]float64{150, 60, 220}
	edgeOrange   = [3]float64{255, 140, 0} // along the outline of clouds, which are white on white else
)

const (
	cloudOpacity  = 0.45
	shadowOpacity = 0.55
	edgeOpacity   = 0.85
	unknownDim    = 0.55 // of the brightness where there is no class
	hatchGray     = 200  // of the lines over what was not judged …
	hatchOpacity  = 0.4
	hatchEvery    = 8 // … pixels apart

	maxQuicklook = 4096 // pixels a side
	samples      = 4    // points of the mask looked at for a quicklook pixel, each way
)

// writeQuicklook lays the mask, where there is one, and frames around objects over the edge's picture of
// the scene, or over gray where none came.
func (s *Scene) writeQuicklook(path string, mask *raster.MaskWriter, objects []vision.Box) error {
	base, err := s.base()
	if err != nil {
		return err
	}
	if mask != nil {
		covered, err := s.coverage(mask, base.Rect.Dx(), base.Rect.Dy())
		if err != nil {
			return err
		}
		overlay(base, covered)
	}
	frame(base, objects, float32(base.Rect.Dx())/float32(s.grid.Width))
	return writeFile(path, func(f *os.File) error {
		w := bufio.NewWriter(f)
		fast := png.Encoder{CompressionLevel: png.BestSpeed} // a third of the time for a tenth more bytes
		if err := fast.Encode(w, base); err != nil {
			return err
		}
		return w.Flush()
	})
}

// placeQuicklook writes beside the quicklook where it lies, if the scene says where it does.
func (s *Scene) placeQuicklook(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := png.DecodeConfig(f)
	if err != nil {
		return fmt.Errorf("the quicklook's size: %w", err)
	}
	right, down := float64(s.grid.Width)/float64(size.Width), float64(s.grid.Height)/float64(size.Height)
	if s.quicklook != "" { // the device's, of whole pixels of the scene
		right, down = math.Ceil(right), math.Ceil(down)
	}
	text, err := raster.Georef(s.manifest.Georef).Sidecar(right, down)
	if err != nil || text == nil {
		return err
	}
	return os.WriteFile(path+".aux.xml", text, 0o644)
}

// base is the picture to lay the mask over. A quicklook that can't be decoded is done without.
func (s *Scene) base() (*image.RGBA, error) {
	if s.quicklook != "" {
		if p := decodeQuicklook(s.quicklook); p != nil {
			return p, nil
		}
	}
	side := max(s.grid.Width, s.grid.Height)
	shrink := func(n int) int { return max(1, n*min(1024, side)/side) }
	base := image.NewRGBA(image.Rect(0, 0, shrink(s.grid.Width), shrink(s.grid.Height)))
	draw.Draw(base, base.Rect, image.NewUniform(color.Gray{Y: 90}), image.Point{}, draw.Src)
	return base, nil
}

func decodeQuicklook(path string) *image.RGBA {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	head, err := jpeg.DecodeConfig(f)
	if err != nil || head.Width < 1 || head.Height < 1 || head.Width > maxQuicklook || head.Height > maxQuicklook {
		return nil
	}
	if _, err := f.Seek(0, 0); err != nil {
		return nil
	}
	picture, err := jpeg.Decode(bufio.NewReader(f))
	if err != nil {
		return nil
	}
	base := image.NewRGBA(image.Rect(0, 0, head.Width, head.Height))
	draw.Draw(base, base.Rect, picture, picture.Bounds().Min, draw.Src)
	return base
}

// coverage is how much of a quicklook pixel is cloud, shadow, not judged, and without data, 0 … 1.
type coverage struct{ cloud, shadow, unjudged, void float32 }

// coverage looks at the mask row by row of the quicklook, so that memory holds one strip of it.
func (s *Scene) coverage(mask *raster.MaskWriter, w, h int) ([]coverage, error) {
	out := make([]coverage, w*h)
	for y := range h {
		top, bottom := y*s.grid.Height/h, max((y+1)*s.grid.Height/h, y*s.grid.Height/h+1)
		strip := raster.Window{Y: min(top, s.grid.Height-1), W: s.grid.Width}
		strip.H = min(bottom, s.grid.Height) - strip.Y
		class, rows, err := readRows(mask, strip)
		if err != nil {
			return nil, fmt.Errorf("looking at rows %d to %d of the mask: %w", top, bottom, err)
		}
		for x := range w {
			left, right := x*strip.W/w, max((x+1)*strip.W/w, x*strip.W/w+1)
			var n [5]uint32
			for _, cy := range rows {
				for _, cx := range spread(left, min(right, strip.W)) {
					n[bin(class[cy*strip.W+cx])]++
				}
			}
			all := float32(n[0] + n[1] + n[2] + n[3] + n[4])
			out[y*w+x] = coverage{cloud: float32(n[2]) / all, shadow: float32(n[1]) / all, unjudged: float32(n[3]) / all, void: float32(n[4]) / all}
		}
	}
	return out, nil
}

// stripPixels is how much of a mask is read at once; of a taller strip, only the rows that are looked at.
const stripPixels = 64 << 20

// readRows gives pixels of a strip of the mask, and which of its rows are to be looked at: places in class.
func readRows(mask *raster.MaskWriter, strip raster.Window) (class []byte, rows []int, err error) {
	wanted := spread(0, strip.H)
	if strip.W*strip.H <= stripPixels {
		class, err = mask.Read(strip)
		return class, wanted, err
	}
	for n, row := range wanted {
		one, err := mask.Read(raster.Window{X: strip.X, Y: strip.Y + row, W: strip.W, H: 1})
		if err != nil {
			return nil, nil, err
		}
		class, rows = append(class, one...), append(rows, n)
	}
	return class, rows, nil
}

// spread is up to samples places in [from, to), evenly.
func spread(from, to int) []int {
	if to-from <= samples {
		all := make([]int, 0, samples)
		for i := from; i < max(to, from+1); i++ {
			all = append(all, i)
		}
		return all
	}
	var all [samples]int
	for i := range all {
		all[i] = from + (2*i+1)*(to-from)/(2*samples)
	}
	return all[:]
}

// overlay paints in place: cloud white with an orange outline, shadow violet, what was not judged dim under
// lines, what has no data dim.
func overlay(base *image.RGBA, covered []coverage) {
	w, h := base.Rect.Dx(), base.Rect.Dy()
	cloudy := func(x, y int) bool {
		return x >= 0 && y >= 0 && x < w && y < h && covered[y*w+x].cloud >= 0.5
	}
	for y := range h {
		for x := range w {
			s := covered[y*w+x]
			p := base.Pix[y*base.Stride+x*4:][:4:4]
			dim := 1 - (1-unknownDim)*float64(s.unjudged+s.void)
			hatch := hatchOpacity * float64(s.unjudged)
			if (x+y)%hatchEvery != 0 {
				hatch = 0
			}
			outline := cloudy(x, y) && !(cloudy(x-1, y) && cloudy(x+1, y) && cloudy(x, y-1) && cloudy(x, y+1))
			for c := range 3 {
				v := float64(p[c]) * dim
				v += (hatchGray - v) * hatch
				v += (shadowViolet[c] - v) * shadowOpacity * float64(s.shadow)
				v += (cloudWhite[c] - v) * cloudOpacity * float64(s.cloud)
				if outline {
					v += (edgeOrange[c] - v) * edgeOpacity
				}
				p[c] = byte(v + 0.5)
			}
		}
	}
}

// frame draws a frame of a pixel around each object, scaled by that.
func frame(on *image.RGBA, objects []vision.Box, by float32) {
	orange := image.NewUniform(color.RGBA{R: 255, G: 140, A: 255})
	for _, b := range objects {
		r := image.Rect(int(b.X*by)-1, int(b.Y*by)-1, int((b.X+b.W)*by)+2, int((b.Y+b.H)*by)+2)
		for _, side := range []image.Rectangle{
			{r.Min, image.Pt(r.Max.X, r.Min.Y+1)}, {image.Pt(r.Min.X, r.Max.Y-1), r.Max},
			{r.Min, image.Pt(r.Min.X+1, r.Max.Y)}, {image.Pt(r.Max.X-1, r.Min.Y), r.Max},
		} {
			draw.Draw(on, side, orange, image.Point{}, draw.Src)
		}
	}
}
