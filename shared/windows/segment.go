package windows

import (
	"context"
	"errors"
	"fmt"

	"cloudcanvas/shared/vision"
)

// Part is a tile that holds the scene's own pixels, with the grid that it is of.
type Part struct {
	Grid Grid
	Tile Tile
}

// Network gives one output for each image.
type Network func(ctx context.Context, in []vision.Image) ([]vision.Output, error)

// ErrMask is what a network's answer is that is no mask of its window.
var ErrMask = errors.New("it is no mask of the window")

// Segment cuts the windows from the picture that a tile holds, has a network look at them, at most batch at
// a time, and blends its masks into one of the tile's pixels, with probabilities. wanted marks the pixels
// that matter, nil: all that have data. A window that shows none of them is not looked at; pixels that
// are not wanted are NoData. The same picture gives the same mask, whatever batch is.
func (p Part) Segment(ctx context.Context, im vision.Image, wanted []bool, batch int, run Network) (vision.Mask, error) {
	if im.W != p.Tile.Held.W || im.H != p.Tile.Held.H || len(im.Planes) == 0 || wanted != nil && len(wanted) != im.W*im.H {
		return vision.Mask{}, fmt.Errorf("a picture of %d x %d pixels and %d bands for a tile that holds %s", im.W, im.H, len(im.Planes), p.Tile.Held)
	}
	s := &segmenting{Part: p, im: im, wanted: wanted, blend: NewBlend(p.Tile.Held, p.Grid.Size), ramp: Ramps(p.Grid.Size, p.Grid.Overlap)}
	s.mask = vision.Mask{W: im.W, H: im.H, Class: make([]byte, 0, im.W*im.H), Probabilities: make([][]byte, vision.Cloud)}
	for i := range s.mask.Probabilities {
		s.mask.Probabilities[i] = make([]byte, im.W*im.H)
	}
	span := p.Tile.Span
	for row := span.Row; row < span.Row+span.Rows; row++ {
		for col := span.Col; col < span.Col+span.Cols; col++ {
			at := p.Grid.Windows().Of(Span{col, row, 1, 1}).Window
			if !s.matters(at) {
				continue
			}
			s.at, s.images = append(s.at, at), append(s.images, s.cut(at))
			if len(s.at) >= batch {
				if err := s.look(ctx, run); err != nil {
					return vision.Mask{}, err
				}
			}
		}
	}
	if err := s.look(ctx, run); err != nil {
		return vision.Mask{}, err
	}
	s.take(p.Tile.Held.Y + p.Tile.Held.H)
	s.hide()
	return s.mask, nil
}

// segmenting is one tile being looked at.
type segmenting struct {
	Part
	im     vision.Image
	wanted []bool
	blend  *Blend
	ramp   []float32
	at     []Window // of the images that wait for the network
	images []vision.Image
	mask   vision.Mask
}

// matters says whether a window shows a pixel that matters, not mirrored.
func (s *segmenting) matters(w Window) bool {
	if s.wanted == nil && s.im.Void == nil {
		return true
	}
	held := s.Tile.Held
	for y := max(w.Y, held.Y); y < min(w.Y+w.H, held.Y+held.H); y++ {
		for x := max(w.X, held.X); x < min(w.X+w.W, held.X+held.W); x++ {
			if i := (y-held.Y)*held.W + x - held.X; (s.wanted == nil || s.wanted[i]) && (s.im.Void == nil || s.im.Void[i] == 0) {
				return true
			}
		}
	}
	return false
}

// cut is a window's picture, mirrored where it reaches over the scene's borders.
func (s *segmenting) cut(w Window) vision.Image {
	columns, x := Reflect(w.X, w.W, s.Grid.Width)
	rows, y := Reflect(w.Y, w.H, s.Grid.Height)
	for i := range columns {
		columns[i] += x[0] - s.Tile.Held.X
	}
	for i := range rows {
		rows[i] += y[0] - s.Tile.Held.Y
	}
	return Spread(s.im, rows, columns)
}

// look has the network look at the windows that wait, and blends what it answers.
func (s *segmenting) look(ctx context.Context, run Network) error {
	if len(s.at) == 0 {
		return nil
	}
	found, err := run(ctx, s.images)
	if err != nil {
		return err
	}
	if len(found) != len(s.images) {
		return fmt.Errorf("%w: %d outputs for %d windows", ErrMask, len(found), len(s.images))
	}
	for i, at := range s.at {
		mask, err := answer(found[i].Mask, s.images[i])
		if err != nil {
			return err
		}
		if at.Y > s.blend.Next() {
			s.take(at.Y)
		}
		s.blend.Add(at, s.ramp, s.ramp, mask)
	}
	s.at, s.images = s.at[:0], s.images[:0]
	return nil
}

// answer are the probabilities of a mask that a network made of a window.
func answer(m vision.Mask, of vision.Image) ([][]byte, error) {
	n := of.W * of.H
	if m.W != of.W || m.H != of.H || len(m.Class) != n {
		return nil, fmt.Errorf("%w: %d x %d (%d pixels) for a window of %d x %d", ErrMask, m.W, m.H, len(m.Class), of.W, of.H)
	}
	if m.Probabilities == nil {
		for i, void := range of.Void {
			if void != 0 {
				m.Class[i] = vision.NoData
			}
		}
		m = m.Sure()
	}
	for _, plane := range m.Probabilities {
		if len(plane) != n {
			return nil, fmt.Errorf("%w: probabilities of %d pixels for a window of %d x %d", ErrMask, len(plane), of.W, of.H)
		}
	}
	return m.Probabilities, nil
}

// take puts the rows above end, on which all windows have answered, into the mask.
func (s *segmenting) take(end int) {
	held := s.Tile.Held
	end = min(end, held.Y+held.H)
	if end <= s.blend.Next() {
		return
	}
	_, class := s.blend.Take(end, func(row, planes int) (lines [][]byte) {
		for len(s.mask.Probabilities) < planes {
			s.mask.Probabilities = append(s.mask.Probabilities, make([]byte, held.W*held.H))
		}
		for _, plane := range s.mask.Probabilities[:planes] {
			lines = append(lines, plane[(row-held.Y)*held.W:][:held.W])
		}
		return lines
	})
	s.mask.Class = append(s.mask.Class, class...)
}

// hide makes NoData of what nobody asked about, in all planes alike.
func (s *segmenting) hide() {
	for i := range s.mask.Class {
		if s.wanted != nil && !s.wanted[i] {
			s.mask.Class[i] = vision.NoData
		}
		if s.mask.Class[i] == vision.NoData {
			for _, plane := range s.mask.Probabilities {
				plane[i] = vision.NoData
			}
		}
	}
}
