package infer

import (
	"math"

	"cloudcanvas/shared/vision"
)

// behind is the place in a row of the first value behind the classes.
func (b *boxes) behind() int {
	if b.spec.Decoder == "end2end" {
		_, row := b.spec.Column("")
		return row
	}
	return 4 + len(b.spec.Labels)
}

// more reads what stands behind the classes of one picture's rows.
type more struct {
	b     *boxes
	g     geometry
	masks *masks
}

func (b *boxes) newMore(g geometry) (m more, err error) {
	m.b, m.g = b, g
	if b.spec.Masks {
		m.masks, err = newMasks(b.views, b.spec.Extra, g)
	}
	return m, err
}

// add gives a box what the manifest says that stands in its row.
func (m more) add(box *vision.Box, row int) {
	switch {
	case m.b.spec.Angle:
		m.b.turn(box, row, m.g)
	case len(m.b.spec.Keypoints) == 2:
		box.Keypoints = m.keypoints(row)
	case m.masks != nil && float64(box.Score) >= m.b.spec.Report:
		box.Outline = m.masks.outline(m.b.table, row, m.b.behind(), *box)
	}
}

// keypoints are a pose's points in the picture. Those of two values are all seen.
func (m more) keypoints(row int) [][3]float32 {
	n, each := m.b.spec.Keypoints[0], m.b.spec.Keypoints[1]
	points := make([][3]float32, n)
	for k := range points {
		at := m.b.behind() + k*each
		x, y, seen := m.g.x(m.b.table.at(row, at)), m.g.y(m.b.table.at(row, at+1)), float32(1)
		if each == 3 {
			seen = m.b.table.at(row, at+2)
		}
		if m.b.spec.Clip {
			x, y = cut(x, m.g.iw), cut(y, m.g.ih)
		}
		points[k] = [3]float32{finite(x), finite(y), finite(seen)}
	}
	return points
}

// finite is v, or 0 where it is no number that JSON can say.
func finite(v float32) float32 {
	if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return v
}

// cut is v between 0 and most.
func cut(v float32, most int) float32 { return max(0, min(v, float32(most))) }

// clip cuts a box at the picture's border.
func (g geometry) clip(b vision.Box) vision.Box {
	left, top := cut(b.X, g.iw), cut(b.Y, g.ih)
	right, bottom := cut(b.X+b.W, g.iw), cut(b.Y+b.H, g.ih)
	b.X, b.Y, b.W, b.H = left, top, right-left, bottom-top
	return b
}
