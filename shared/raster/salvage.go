package raster

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"cloudcanvas/shared/vision"

	"github.com/airbusgeo/godal"
)

// brokenPart is the error of a part of a file that can't be read; others may well be.
type brokenPart struct{ error }

func (b brokenPart) Unwrap() error { return b.error }

const (
	leastPiece = 16     // pixels: what is lost around a broken strip of fewer rows
	mostPieces = 20_000 // that one read falls into
)

// ReadAround gives a window in width x height pixels, in the way that Read does; overviews are used where
// the file has them. Pixels are means of what falls on them, or (not mean) single ones: then only some
// rows of a large scene are read. Where blocks of the file are broken it gives all the rest: their pixels
// are marked in Void. broken are those blocks, in pixels of the scene. It fails where nothing of the
// window can be read.
func (s *Scene) ReadAround(w Window, width, height int, bands []string, mean bool) (im vision.Image, broken []Window, err error) {
	by := godal.Nearest
	if mean {
		by = godal.Average
	}
	switch {
	case !w.In(s.info.Width, s.info.Height) || width < 1 || height < 1:
		return im, nil, fmt.Errorf("read %s of scene %s in %d x %d: the scene has %d x %d pixels", w, s.info.Path, width, height, s.info.Width, s.info.Height)
	case int64(width)*int64(height) > maxWindowPixels:
		return im, nil, fmt.Errorf("read %s of scene %s: at most %d megapixels are read at once", w, s.info.Path, maxWindowPixels>>20)
	}
	im, err = s.read(w, width, height, bands, by)
	if err == nil || !errors.As(err, new(brokenPart)) {
		return im, nil, err
	}
	first := err
	if bands == nil {
		bands = s.info.Bands
	}
	im = vision.Image{W: width, H: height, Bands: slices.Clone(bands), Void: make([]byte, width*height)}
	for i, name := range bands {
		im.Bands[i] = CanonicalBand(name)
		im.Planes = append(im.Planes, make([]float32, width*height))
	}
	block, some, pieces := s.block(), false, 0
	open := []piece{{w, 0, 0, width, height}}
	for len(open) > 0 {
		p := open[len(open)-1]
		open = open[:len(open)-1]
		if pieces++; pieces > mostPieces {
			return vision.Image{}, nil, fmt.Errorf("it is broken in too many places: %w", first)
		}
		part, err := s.read(p.from, p.w, p.h, bands, by)
		if err == nil {
			p.into(im, part)
			some = true
			continue
		}
		if !errors.As(err, new(brokenPart)) {
			return vision.Image{}, nil, err
		}
		if a, b, ok := p.split(block); ok {
			open = append(open, b, a)
			continue
		}
		if part, err := s.read(p.from, p.w, p.h, bands, godal.Nearest); err == nil { // means look at what lies around, too
			p.into(im, part)
			some = true
			continue
		}
		p.hide(im)
		if lost := around(p.from, block, s.info.Width, s.info.Height); !slices.Contains(broken, lost) {
			broken = append(broken, lost)
		}
	}
	if im.Void = trim(im.Void); !some {
		return vision.Image{}, broken, first
	}
	return im, broken, nil
}

// block is the smallest part that a file is read by, width and height, but no less than leastPiece.
func (s *Scene) block() [2]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ds == nil {
		return [2]int{math.MaxInt32, math.MaxInt32}
	}
	st := s.ds.Structure()
	return [2]int{max(st.BlockSizeX, leastPiece), max(st.BlockSizeY, leastPiece)}
}

// piece is a part of a window, and where it lies in the picture that is made of it.
type piece struct {
	from       Window
	x, y, w, h int
}

// split cuts a piece in two between blocks; ok is false for one that lies within a block.
func (p piece) split(block [2]int) (a, b piece, ok bool) {
	a, b = p, p
	if cut, at := halve(p.from.X, p.from.W, p.w, block[0]); at > 0 {
		a.from.W, a.w = cut, at
		b.from.X, b.from.W, b.x, b.w = p.from.X+cut, p.from.W-cut, p.x+at, p.w-at
		return a, b, true
	}
	if cut, at := halve(p.from.Y, p.from.H, p.h, block[1]); at > 0 {
		a.from.H, a.h = cut, at
		b.from.Y, b.from.H, b.y, b.h = p.from.Y+cut, p.from.H-cut, p.y+at, p.h-at
		return a, b, true
	}
	return p, p, false
}

// halve cuts a span of n pixels, shown in w, at the border of blocks nearest to its middle: after so many
// pixels of the span, and of what is shown. at is 0 where there is none.
func halve(from, n, w, block int) (cut, at int) {
	first, last := from/block*block+block, (from+n-1)/block*block
	if first > last {
		return 0, 0
	}
	cut = min(max((from+n/2+block/2)/block*block, first), last) - from
	if at = int(math.Round(float64(cut) * float64(w) / float64(n))); at < 1 || at > w-1 {
		return 0, 0
	}
	return cut, at
}

// into puts what was read of a piece in its place.
func (p piece) into(im, part vision.Image) {
	for y := range p.h {
		at, row := (p.y+y)*im.W+p.x, y*p.w
		for b, plane := range part.Planes {
			copy(im.Planes[b][at:at+p.w], plane[row:row+p.w])
		}
		if part.Void != nil {
			copy(im.Void[at:at+p.w], part.Void[row:row+p.w])
		}
	}
}

// hide marks a piece as without data.
func (p piece) hide(im vision.Image) {
	for y := range p.h {
		row := im.Void[(p.y+y)*im.W+p.x:]
		for x := range p.w {
			row[x] = 1
		}
	}
}

// around is the window made larger to whole blocks of a scene.
func around(w Window, block [2]int, width, height int) Window {
	x0, y0 := w.X/block[0]*block[0], w.Y/block[1]*block[1]
	x1 := min((w.X+w.W+block[0]-1)/block[0]*block[0], width)
	y1 := min((w.Y+w.H+block[1]-1)/block[1]*block[1], height)
	return Window{X: x0, Y: y0, W: x1 - x0, H: y1 - y0}
}
