package raster

import "cloudcanvas/shared/vision"

// ReadMirrored is Read for windows that reach over the scene's borders: outside, the scene is
// mirrored at its edge, edge pixels included (numpy's "symmetric"), as often as need be.
func (s *Scene) ReadMirrored(w Window, bands []string) (vision.Image, error) {
	if w.In(s.info.Width, s.info.Height) {
		return s.Read(w, bands)
	}
	columns, x := reflect(w.X, w.W, s.info.Width)
	rows, y := reflect(w.Y, w.H, s.info.Height)
	inner := Window{X: x[0], Y: y[0], W: x[1] - x[0], H: y[1] - y[0]}
	im, err := s.Read(inner, bands)
	if err != nil {
		return vision.Image{}, err
	}
	full := vision.Image{W: w.W, H: w.H, Bands: im.Bands, Void: spread(im.Void, im.W, rows, columns)}
	for _, plane := range im.Planes {
		full.Planes = append(full.Planes, spread(plane, im.W, rows, columns))
	}
	return full, nil
}

// reflect maps n positions from `from` on into a scene of that length, and gives the span of the
// scene that they fall into; positions are from the span's begin.
func reflect(from, n, length int) (at []int, span [2]int) {
	at = make([]int, n)
	span = [2]int{length, 0}
	for i := range at {
		p := (from + i) % (2 * length)
		if p < 0 {
			p += 2 * length
		}
		if p >= length {
			p = 2*length - 1 - p
		}
		at[i] = p
		span = [2]int{min(span[0], p), max(span[1], p+1)}
	}
	for i := range at {
		at[i] -= span[0]
	}
	return at, span
}

// spread gathers pixels of a plane by row and column; nil stays nil.
func spread[T any](plane []T, width int, rows, columns []int) []T {
	if plane == nil {
		return nil
	}
	out := make([]T, 0, len(rows)*len(columns))
	for _, r := range rows {
		line := plane[r*width : (r+1)*width]
		for _, c := range columns {
			out = append(out, line[c])
		}
	}
	return out
}
