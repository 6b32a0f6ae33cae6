package screen

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"cloudcanvas/shared/vision"
)

// Overview is a tile of a scene seen from far: what is kept of ground once it was sent, to tell later
// whether it has changed. A cell that did not show clear ground is 0 in every band.
type Overview struct {
	W, H  int
	Bands []string
	Cells []byte // one plane of W*H for each band, as code makes them
}

const (
	overviewSide = 64  // cells a side, at most
	brightest    = 1.3 // reflectance of the highest code
	codes        = 254 // steps; the root of the light, as its noise grows with that
	maxBands     = 16
	maxName      = 64
)

func code(v float32) byte {
	v = min(max(v, 0), brightest)
	return byte(1.5 + codes*math.Sqrt(float64(v)/brightest))
}

// lights are the reflectances of the codes; 0 stands for what was not seen.
var lights = func() (l [256]float32) {
	for i := 1; i < len(l); i++ {
		root := float64(i-1) / codes
		l[i] = float32(brightest * root * root)
	}
	return l
}()

// Empty says that there is nothing to compare with.
func (ov Overview) Empty() bool { return len(ov.Cells) == 0 }

// Overview reduces a tile to its overview. mask is what a network made of it, or nil: then the spectral test
// tells clouds from ground. Clouds, shadows and what has no data stay unseen, and so do the cells
// around clouds, which are hazy. 8-bit pictures have none: they are not calibrated.
func (c Config) Overview(im vision.Image, mask *vision.Mask) Overview {
	n := im.W * im.H
	if n == 0 || len(im.Planes) == 0 || len(im.Planes) > maxBands {
		return Overview{}
	}
	hidden := make([]byte, n)
	if mask != nil && len(mask.Class) == n {
		for i, class := range mask.Class {
			if class == vision.Cloud || class == vision.Shadow {
				hidden[i] = 1
			}
		}
	} else {
		cloudShare(im, float32(c.Scenes.MinBlue), hidden)
	}
	side := (max(im.W, im.H) + overviewSide - 1) / overviewSide
	ov := Overview{W: (im.W + side - 1) / side, H: (im.H + side - 1) / side, Bands: slices.Clone(im.Bands)}
	ov.Cells = make([]byte, ov.W*ov.H*len(im.Planes))
	seen, clouded := ov.clearCells(im, hidden, side)
	for b, plane := range im.Planes {
		ov.average(ov.Cells[b*ov.W*ov.H:(b+1)*ov.W*ov.H], plane, im, hidden, side, seen)
	}
	ov.hideAround(clouded)
	return ov
}

// clearCells counts the pixels of each cell that show ground, 0 where it is not most of them, and
// marks the cells that are mostly cloud.
func (ov Overview) clearCells(im vision.Image, hidden []byte, side int) (seen []int, clouded []bool) {
	seen, clouded = make([]int, ov.W*ov.H), make([]bool, ov.W*ov.H)
	all := make([]int, ov.W*ov.H)
	covered := make([]int, ov.W*ov.H)
	for y := range im.H {
		for x := range im.W {
			cell, i := y/side*ov.W+x/side, y*im.W+x
			all[cell]++
			switch {
			case len(im.Void) > 0 && im.Void[i] != 0:
			case hidden[i] != 0:
				covered[cell]++
			default:
				seen[cell]++
			}
		}
	}
	for cell := range seen {
		clouded[cell] = 2*covered[cell] > all[cell]
		if 4*seen[cell] < 3*all[cell] {
			seen[cell] = 0
		}
	}
	return seen, clouded
}

// average writes the codes of one band.
func (ov Overview) average(to []byte, plane []float32, im vision.Image, hidden []byte, side int, seen []int) {
	sums := make([]float32, len(to))
	for y := range im.H {
		for x := range im.W {
			if i := y*im.W + x; hidden[i] == 0 && (len(im.Void) == 0 || im.Void[i] == 0) {
				sums[y/side*ov.W+x/side] += plane[i]
			}
		}
	}
	for cell, n := range seen {
		if mean := sums[cell] / float32(max(n, 1)); n > 0 && mean-mean == 0 {
			to[cell] = code(mean)
		}
	}
}

func (ov Overview) hideAround(clouded []bool) {
	for cell, is := range clouded {
		if !is {
			continue
		}
		for y := max(cell/ov.W-1, 0); y <= min(cell/ov.W+1, ov.H-1); y++ {
			for x := max(cell%ov.W-1, 0); x <= min(cell%ov.W+1, ov.W-1); x++ {
				ov.hide(y*ov.W + x)
			}
		}
	}
}

func (ov Overview) hide(cell int) {
	for b := range ov.Bands {
		ov.Cells[b*ov.W*ov.H+cell] = 0
	}
}

// Fill takes the cells that ov did not see from an earlier overview.
func (ov Overview) Fill(before Overview) {
	if !ov.like(before) {
		return
	}
	for i, v := range ov.Cells {
		if v == 0 {
			ov.Cells[i] = before.Cells[i]
		}
	}
}

func (ov Overview) like(o Overview) bool {
	return ov.W == o.W && ov.H == o.H && len(ov.Cells) == len(o.Cells) && slices.Equal(ov.Bands, o.Bands)
}

const overviewForm = "CL1" // begins what MarshalBinary writes

// MarshalBinary writes an overview as it is kept: some ten kilobytes.
func (ov Overview) MarshalBinary() ([]byte, error) {
	if ov.W < 1 || ov.W > overviewSide || ov.H < 1 || ov.H > overviewSide || len(ov.Bands) == 0 || len(ov.Bands) > maxBands || len(ov.Cells) != ov.W*ov.H*len(ov.Bands) {
		return nil, fmt.Errorf("an overview of %d x %d cells in %d bands has no form on disk", ov.W, ov.H, len(ov.Bands))
	}
	b := bytes.NewBufferString(overviewForm)
	b.Write([]byte{byte(ov.W), byte(ov.H), byte(len(ov.Bands))})
	for _, name := range ov.Bands {
		if len(name) > maxName {
			return nil, fmt.Errorf("a band's name of %d bytes, %d is the limit", len(name), maxName)
		}
		b.WriteByte(byte(len(name)))
		b.WriteString(name)
	}
	w, err := flate.NewWriter(b, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(ov.Cells)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

var errOverview = errors.New("these bytes are not the overview of a tile")

// UnmarshalBinary reads what MarshalBinary wrote, and nothing larger than that can be.
func (ov *Overview) UnmarshalBinary(data []byte) error {
	rest, ok := bytes.CutPrefix(data, []byte(overviewForm))
	if !ok || len(rest) < 3 {
		return errOverview
	}
	got := Overview{W: int(rest[0]), H: int(rest[1])}
	bands := int(rest[2])
	if got.W < 1 || got.W > overviewSide || got.H < 1 || got.H > overviewSide || bands < 1 || bands > maxBands {
		return errOverview
	}
	for rest = rest[3:]; bands > 0; bands-- {
		if len(rest) == 0 || int(rest[0]) > min(maxName, len(rest)-1) {
			return errOverview
		}
		got.Bands = append(got.Bands, string(rest[1:1+rest[0]]))
		rest = rest[1+rest[0]:]
	}
	got.Cells = make([]byte, got.W*got.H*len(got.Bands))
	r := flate.NewReader(bytes.NewReader(rest))
	if _, err := io.ReadFull(r, got.Cells); err != nil {
		return fmt.Errorf("%w: %w", errOverview, err)
	}
	*ov = got
	return nil
}
