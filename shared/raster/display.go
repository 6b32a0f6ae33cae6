package raster

import (
	"math"
	"slices"

	"cloudcanvas/shared/vision"
)

// Display turns reflectance into 8-bit blue, green, red as a detector trained on photographs wants
// it. It is the same for all of a scene, so that slices fit together: brightness runs from the 2nd to
// the 98th percentile of all three colours together, which keeps their balance, with a gamma of 1.4.
// 8-bit files are shown as they are.
type Display struct {
	Low, High float32 // reflectance that becomes 0 and 255
	bands     []string
	bright    []byte
}

const (
	displaySteps = 4096
	displayGamma = 1.4
	leastRange   = 0.02 // reflectance between black and white, so that noise of an even scene is not blown up
	sampleSide   = 1024 // of the thinned scene that percentiles are taken of
)

// stretched is a display for values seen in a scene; they are sorted in place.
func stretched(seen []float32) Display {
	d := Display{High: 1}
	if len(seen) > 0 {
		slices.Sort(seen)
		d.Low, d.High = seen[len(seen)*2/100], seen[len(seen)*98/100]
	}
	d.High = max(d.High, d.Low+leastRange)
	d.bright = make([]byte, displaySteps)
	for i := range d.bright {
		d.bright[i] = byte(255*math.Pow(float64(i)/(displaySteps-1), 1/displayGamma) + 0.5)
	}
	return d
}

func (d Display) byteOf(v float32) byte {
	if d.bright == nil {
		return byte(min(max(v, 0), 1)*255 + 0.5)
	}
	v = (v - d.Low) / (d.High - d.Low)
	return d.bright[int(min(max(v, 0), 1)*(displaySteps-1)+0.5)]
}

// Display looks at a thinned scene and decides how it is shown. A scene of one band is shown gray; one
// of more bands needs blue, green and red, and is a *BandError without.
func (s *Scene) Display() (Display, error) {
	bands := []string{"blue", "green", "red"}
	if len(s.info.Bands) == 1 {
		bands = []string{s.info.Bands[0]}
	} else if err := s.info.Require(bands...); err != nil {
		return Display{}, err
	}
	if s.info.DataType == "Byte" && s.info.ScaleFrom == Picture {
		return Display{High: 1, bands: bands}, nil
	}
	w, h := Thinned(s.info.Width, s.info.Height, sampleSide)
	im, _, err := s.ReadAround(Window{W: s.info.Width, H: s.info.Height}, w, h, bands, false)
	if err != nil {
		return Display{}, err
	}
	var seen []float32
	for i := range w * h {
		if im.Void == nil || im.Void[i] == 0 {
			for _, plane := range im.Planes {
				seen = append(seen, plane[i])
			}
		}
	}
	d := stretched(seen)
	d.bands = bands
	return d, nil
}

// Bands are what Show needs.
func (d Display) Bands() []string { return d.bands }

// Show is the picture of a window that was read with Bands. Pixels without data are black.
func (d Display) Show(im vision.Image) vision.Image {
	out := vision.Image{W: im.W, H: im.H, Pix: make([]byte, 3*im.W*im.H), Void: im.Void}
	for c := range 3 {
		plane := im.Planes[min(c, len(im.Planes)-1)]
		for i, v := range plane {
			if im.Void == nil || im.Void[i] == 0 {
				out.Pix[3*i+c] = d.byteOf(v)
			}
		}
	}
	return out
}

// Thinned is the size of a picture whose longer side is at most side pixels.
func Thinned(width, height, side int) (w, h int) {
	longer := max(width, height, 1)
	if longer <= side {
		return width, height
	}
	return max(1, width*side/longer), max(1, height*side/longer)
}
