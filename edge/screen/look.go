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

// Look is a tile of a scene seen from far: what is kept of ground once it was sent, to tell later
// whether it has changed. A cell that did not show clear ground is 0 in every band.
type Look struct {
	W, H  int
	Bands []string
	Cells []byte // one plane of W*H for each band, as code makes them
}

const (
	lookSide  = 64  // cells a side, at most
	brightest = 1.3 // reflectance of the highest code
	codes     = 254 // steps; the root of the light, as its noise grows with that
	maxBands  = 16
	maxName   = 64
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
func (l Look) Empty() bool { return len(l.Cells) == 0 }

// Look looks at a tile from far. mask is what a network made of it, or nil: then the spectral test
// tells clouds from ground. Clouds, shadows and what has no data stay unseen, and so do the cells
// around clouds, which are hazy. 8-bit pictures have no look: they are not calibrated.
func (c Config) Look(im vision.Image, mask *vision.Mask) Look {
	n := im.W * im.H
	if n == 0 || len(im.Planes) == 0 || len(im.Planes) > maxBands {
		return Look{}
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
	side := (max(im.W, im.H) + lookSide - 1) / lookSide
	l := Look{W: (im.W + side - 1) / side, H: (im.H + side - 1) / side, Bands: slices.Clone(im.Bands)}
	l.Cells = make([]byte, l.W*l.H*len(im.Planes))
	seen, clouded := l.clearCells(im, hidden, side)
	for b, plane := range im.Planes {
		l.average(l.Cells[b*l.W*l.H:(b+1)*l.W*l.H], plane, im, hidden, side, seen)
	}
	l.hideAround(clouded)
	return l
}

// clearCells counts the pixels of each cell that show ground, 0 where it is not most of them, and
// marks the cells that are mostly cloud.
func (l Look) clearCells(im vision.Image, hidden []byte, side int) (seen []int, clouded []bool) {
	seen, clouded = make([]int, l.W*l.H), make([]bool, l.W*l.H)
	all := make([]int, l.W*l.H)
	covered := make([]int, l.W*l.H)
	for y := range im.H {
		for x := range im.W {
			cell, i := y/side*l.W+x/side, y*im.W+x
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
func (l Look) average(to []byte, plane []float32, im vision.Image, hidden []byte, side int, seen []int) {
	sums := make([]float32, len(to))
	for y := range im.H {
		for x := range im.W {
			if i := y*im.W + x; hidden[i] == 0 && (len(im.Void) == 0 || im.Void[i] == 0) {
				sums[y/side*l.W+x/side] += plane[i]
			}
		}
	}
	for cell, n := range seen {
		if mean := sums[cell] / float32(max(n, 1)); n > 0 && mean-mean == 0 {
			to[cell] = code(mean)
		}
	}
}

func (l Look) hideAround(clouded []bool) {
	for cell, is := range clouded {
		if !is {
			continue
		}
		for y := max(cell/l.W-1, 0); y <= min(cell/l.W+1, l.H-1); y++ {
			for x := max(cell%l.W-1, 0); x <= min(cell%l.W+1, l.W-1); x++ {
				l.hide(y*l.W + x)
			}
		}
	}
}

func (l Look) hide(cell int) {
	for b := range l.Bands {
		l.Cells[b*l.W*l.H+cell] = 0
	}
}

// Fill takes the cells that l did not see from an earlier look.
func (l Look) Fill(before Look) {
	if !l.like(before) {
		return
	}
	for i, v := range l.Cells {
		if v == 0 {
			l.Cells[i] = before.Cells[i]
		}
	}
}

func (l Look) like(o Look) bool {
	return l.W == o.W && l.H == o.H && len(l.Cells) == len(o.Cells) && slices.Equal(l.Bands, o.Bands)
}

const lookForm = "CL1" // begins what MarshalBinary writes

// MarshalBinary writes a look as it is kept: some ten kilobytes.
func (l Look) MarshalBinary() ([]byte, error) {
	if l.W < 1 || l.W > lookSide || l.H < 1 || l.H > lookSide || len(l.Bands) == 0 || len(l.Bands) > maxBands || len(l.Cells) != l.W*l.H*len(l.Bands) {
		return nil, fmt.Errorf("a look of %d x %d cells in %d bands can't be kept", l.W, l.H, len(l.Bands))
	}
	b := bytes.NewBufferString(lookForm)
	b.Write([]byte{byte(l.W), byte(l.H), byte(len(l.Bands))})
	for _, name := range l.Bands {
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
	_, err = w.Write(l.Cells)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

var errLook = errors.New("these bytes are not the look of a tile")

// UnmarshalBinary reads what MarshalBinary wrote, and nothing larger than that can be.
func (l *Look) UnmarshalBinary(data []byte) error {
	rest, ok := bytes.CutPrefix(data, []byte(lookForm))
	if !ok || len(rest) < 3 {
		return errLook
	}
	got := Look{W: int(rest[0]), H: int(rest[1])}
	bands := int(rest[2])
	if got.W < 1 || got.W > lookSide || got.H < 1 || got.H > lookSide || bands < 1 || bands > maxBands {
		return errLook
	}
	for rest = rest[3:]; bands > 0; bands-- {
		if len(rest) == 0 || int(rest[0]) > min(maxName, len(rest)-1) {
			return errLook
		}
		got.Bands = append(got.Bands, string(rest[1:1+rest[0]]))
		rest = rest[1+rest[0]:]
	}
	got.Cells = make([]byte, got.W*got.H*len(got.Bands))
	r := flate.NewReader(bytes.NewReader(rest))
	if _, err := io.ReadFull(r, got.Cells); err != nil {
		return fmt.Errorf("%w: %w", errLook, err)
	}
	*l = got
	return nil
}
