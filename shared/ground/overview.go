package ground

import (
	"math"

	"cloudcanvas/shared/vision"
)

// The lattice: a cell is the mean of a square of pixels, a block a square of cells.
const (
	CellPixels  = 4
	BlockCells  = 64
	BlockPixels = CellPixels * BlockCells
	blockArea   = BlockCells * BlockCells
)

const (
	brightest = 1.3 // reflectance of the highest code
	codes     = 254 // steps; the root of the light, as its noise grows with that
)

// code is a reflectance in a byte, from 1 on; 0 stands for what was not seen.
func code(v float32) byte {
	v = min(max(v, 0), brightest)
	return byte(1.5 + codes*math.Sqrt(float64(v)/brightest))
}

// lights are the reflectances of the codes.
var lights = func() (l [256]float32) {
	for i := 1; i < len(l); i++ {
		root := float64(i-1) / codes
		l[i] = float32(brightest * root * root)
	}
	return l
}()

// Place says where a picture lies on the lattice.
type Place struct {
	System System
	At     Pixel // of its first pixel
	// Inside is the part of the picture that shows the ground at its place, by columns and rows from its
	// corner. What lies outside is mirrored: a scene ends there.
	Inside Rect
}

// Rect is a rectangle of pixels.
type Rect struct{ X, Y, W, H int }

// Overview is a picture seen from far: W x H cells, of which the first is that in column X and row Y of the
// lattice. A cell that did not show clear ground is 0 in every band.
type Overview struct {
	X, Y  int64
	W, H  int
	Bands int
	Cells []byte // one plane of W*H for each band

	left, top int // pixels of the first cell that lie before the picture
}

// Marks of pixels that do not show the ground.
const (
	Covered = 1 // by a cloud, or its shadow
	NoData  = 2
)

// Hidden marks the pixels of a mask that do not show the ground.
func Hidden(m *vision.Mask) []byte {
	hidden := make([]byte, len(m.Class))
	for i, class := range m.Class {
		switch class {
		case vision.Cloud, vision.Shadow:
			hidden[i] = Covered
		case vision.NoData, vision.NotJudged:
			hidden[i] = NoData
		}
	}
	return hidden
}

// maxSide bounds a picture that an overview is made of, in pixels.
const maxSide = 8192

// Of reduces a picture to its overview. hidden has a mark for each pixel. Clouds, shadows and what has no data
// stay unseen, so do the cells around clouds, which are hazy, and cells that the picture shows only a part of:
// another picture would see another mean there. 8-bit pictures have no overview, for they are not calibrated.
func Of(im vision.Image, hidden []byte, at Place) Overview {
	n, in := im.W*im.H, at.Inside
	if n == 0 || im.W > maxSide || im.H > maxSide || len(im.Planes) == 0 || len(im.Planes) > maxBands || len(hidden) != n ||
		in.X < 0 || in.Y < 0 || in.W < 1 || in.H < 1 || in.X > im.W-in.W || in.Y > im.H-in.H ||
		!onEarth(at.At.Col) || !onEarth(at.At.Row) {
		return Overview{}
	}
	for _, plane := range im.Planes {
		if len(plane) != n {
			return Overview{}
		}
	}
	ov := Overview{X: floor(at.At.Col, CellPixels), Y: floor(at.At.Row, CellPixels), Bands: len(im.Planes)}
	ov.left, ov.top = int(at.At.Col-ov.X*CellPixels), int(at.At.Row-ov.Y*CellPixels)
	ov.W, ov.H = (ov.left+im.W+CellPixels-1)/CellPixels, (ov.top+im.H+CellPixels-1)/CellPixels
	ov.Cells = make([]byte, ov.W*ov.H*ov.Bands)
	if len(im.Void) != n {
		im.Void = nil
	}
	seen, clouded := ov.clearCells(im, hidden, in)
	for b, plane := range im.Planes {
		ov.average(ov.Cells[b*ov.W*ov.H:(b+1)*ov.W*ov.H], plane, im, hidden, in, seen)
	}
	for cell := range seen {
		for b := range ov.Bands {
			if ov.Cells[b*ov.W*ov.H+cell] == 0 { // in a band that is no number
				ov.hide(cell)
				break
			}
		}
	}
	ov.hideAround(clouded)
	return ov
}

func onEarth(pixel int64) bool { return pixel > -2*maxPixel && pixel < 2*maxPixel }

// Empty says that there is nothing to compare with.
func (ov Overview) Empty() bool { return len(ov.Cells) == 0 }

// cell is that of a pixel of the picture.
func (ov Overview) cell(x, y int) int {
	return (y+ov.top)/CellPixels*ov.W + (x+ov.left)/CellPixels
}

// clearCells counts the pixels of each cell that show ground, 0 where it is not most of them, and marks the
// cells that are mostly cloud.
func (ov Overview) clearCells(im vision.Image, hidden []byte, in Rect) (seen []int, clouded []bool) {
	seen, clouded = make([]int, ov.W*ov.H), make([]bool, ov.W*ov.H)
	all, covered := make([]int, ov.W*ov.H), make([]int, ov.W*ov.H)
	for y := in.Y; y < in.Y+in.H; y++ {
		for x := in.X; x < in.X+in.W; x++ {
			cell, i := ov.cell(x, y), y*im.W+x
			all[cell]++
			switch {
			case im.Void != nil && im.Void[i] != 0 || hidden[i] == NoData:
			case hidden[i] != 0:
				covered[cell]++
			default:
				seen[cell]++
			}
		}
	}
	for cell := range seen {
		clouded[cell] = all[cell] > 0 && 2*covered[cell] > all[cell]
		if all[cell] < CellPixels*CellPixels || 4*seen[cell] < 3*all[cell] {
			seen[cell] = 0
		}
	}
	return seen, clouded
}

// average writes the codes of one band.
func (ov Overview) average(to []byte, plane []float32, im vision.Image, hidden []byte, in Rect, seen []int) {
	sums := make([]float32, len(to))
	for y := in.Y; y < in.Y+in.H; y++ {
		for x := in.X; x < in.X+in.W; x++ {
			if i := y*im.W + x; hidden[i] == 0 && (im.Void == nil || im.Void[i] == 0) {
				sums[ov.cell(x, y)] += plane[i]
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

// Hide makes the cells unseen of which a rectangle of the picture has any pixel.
func (ov Overview) Hide(r Rect) {
	if ov.Empty() || r.W < 1 || r.H < 1 {
		return
	}
	for y := max(r.Y+ov.top, 0) / CellPixels; y <= min((r.Y+r.H-1+ov.top)/CellPixels, ov.H-1); y++ {
		for x := max(r.X+ov.left, 0) / CellPixels; x <= min((r.X+r.W-1+ov.left)/CellPixels, ov.W-1); x++ {
			ov.hide(y*ov.W + x)
		}
	}
}

func (ov Overview) hide(cell int) {
	for b := range ov.Bands {
		ov.Cells[b*ov.W*ov.H+cell] = 0
	}
}

// Block is the place of a block on the lattice.
type Block struct{ X, Y int64 }

// OnLattice says whether there can be such a block.
func OnLattice(b Block) bool {
	const most = 2 * maxPixel / BlockPixels
	return b.X > -most && b.X < most && b.Y > -most && b.Y < most
}

// Blocks are those that the overview lies on, row by row.
func (ov Overview) Blocks() (all []Block) {
	if ov.Empty() {
		return nil
	}
	for y := floor(ov.Y, BlockCells); y*BlockCells < ov.Y+int64(ov.H); y++ {
		for x := floor(ov.X, BlockCells); x*BlockCells < ov.X+int64(ov.W); x++ {
			all = append(all, Block{x, y})
		}
	}
	return all
}

// overlap calls do for each row of cells that the overview and a block share: n cells, the first of which is
// number here of the overview and number there of the block.
func (ov Overview) overlap(b Block, do func(here, there, n int)) {
	x0, x1 := max(ov.X, b.X*BlockCells), min(ov.X+int64(ov.W), (b.X+1)*BlockCells)
	y0, y1 := max(ov.Y, b.Y*BlockCells), min(ov.Y+int64(ov.H), (b.Y+1)*BlockCells)
	if x0 >= x1 {
		return
	}
	for y := y0; y < y1; y++ {
		do(int(y-ov.Y)*ov.W+int(x0-ov.X), int(y-b.Y*BlockCells)*BlockCells+int(x0-b.X*BlockCells), int(x1-x0))
	}
}
