package windows

import "cloudcanvas/shared/vision"

// Reflect maps n positions from `from` on into a scene of that length, mirrored at its edges, edge pixels
// included (numpy's "symmetric"), as often as need be, and gives the span of the scene that they fall
// into; positions are from the span's begin.
func Reflect(from, n, length int) (at []int, span [2]int) {
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

// Spread gathers the pixels of an image at these rows and columns.
func Spread(im vision.Image, rows, columns []int) vision.Image {
	full := vision.Image{W: len(columns), H: len(rows), Bands: im.Bands, Void: spread(im.Void, im.W, rows, columns)}
	for _, plane := range im.Planes {
		full.Planes = append(full.Planes, spread(plane, im.W, rows, columns))
	}
	return full
}

// spread gathers pixels of a plane; nil stays nil.
func spread[T any](plane []T, width int, rows, columns []int) []T {
	if plane == nil {
		return nil
	}
	out := make([]T, 0, len(rows)*len(columns))
	first, n := columns[0], len(columns)
	inOrder := columns[n-1]-first == n-1 // mirrored ones go back somewhere
	for _, r := range rows {
		line := plane[r*width : (r+1)*width]
		if inOrder {
			out = append(out, line[first:first+n]...)
			continue
		}
		for _, c := range columns {
			out = append(out, line[c])
		}
	}
	return out
}
