package infer

import (
	"math"

	"cloudcanvas/shared/vision"
)

// spread is how a turned box lies as a normal distribution: its middle, and its covariance.
type spread struct{ x, y, a, b, c float64 }

// turned is row i of the table as centre, sides and angle in the network's pixels.
func (b *boxes) turned(i int) (x, y, w, h, angle float64) {
	at := func(k int) float64 { return float64(b.table.at(i, k)) }
	return at(0), at(1), at(2), at(3), at(b.behind())
}

// pickTurned gives the places of the turned boxes that stay: those that no better one of their class is like,
// whether that one stays or not, as Ultralytics decides it (TorchNMS.fast_nms). Best first.
func (b *boxes) pickTurned(order []int) []int {
	order = byScore(order, b.found)
	if b.spec.NMSIoU >= 1 {
		return order
	}
	spreads := make([]spread, len(order))
	for n, i := range order {
		x, y, w, h, angle := b.turned(b.rows[i])
		spreads[n] = spreadOf(x, y, w, h, angle)
	}
	kept := make([]int, 0, len(order))
next:
	for n, i := range order {
		for m, other := range order[:n] {
			if b.found[other].Class == b.found[i].Class && spreads[m].like(spreads[n]) > b.spec.NMSIoU {
				continue next
			}
		}
		kept = append(kept, i)
	}
	return kept
}

func spreadOf(x, y, w, h, angle float64) spread {
	a, b := w*w/12, h*h/12
	sin, cos := math.Sincos(angle)
	return spread{x, y, a*cos*cos + b*sin*sin, a*sin*sin + b*cos*cos, (a - b) * cos * sin}
}

// like is how alike two turned boxes are, 0 to 1: one less the Hellinger distance of their distributions
// (probabilistic IoU, Llerena et al. 2021).
func (p spread) like(q spread) float64 {
	const eps = 1e-7
	a, b, c := p.a+q.a, p.b+q.b, p.c+q.c
	dx, dy := q.x-p.x, p.y-q.y
	det := a*b - c*c
	distance := (a*dy*dy+b*dx*dx)/(det+eps)*0.25 + c*dx*dy/(det+eps)*0.5
	each := max(p.a*p.b-p.c*p.c, 0) * max(q.a*q.b-q.c*q.c, 0)
	distance += math.Log(det/(4*math.Sqrt(each)+eps)+eps) * 0.5
	distance = max(eps, min(distance, 100))
	return 1 - math.Sqrt(1-math.Exp(-distance)+eps)
}

// turn gives a box its corners, and makes it their envelope.
func (b *boxes) turn(box *vision.Box, row int, g geometry) {
	x, y, w, h, angle := b.turned(row)
	sin, cos := math.Sincos(angle)
	u, v := point{w / 2 * cos, w / 2 * sin}, point{-h / 2 * sin, h / 2 * cos}
	box.Corners = make([][2]float32, 4)
	left, top, right, bottom := float32(math.Inf(1)), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.Inf(-1))
	for k, s := range [4][2]float64{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}} {
		px, py := g.x(float32(x+s[0]*u.x+s[1]*v.x)), g.y(float32(y+s[0]*u.y+s[1]*v.y))
		box.Corners[k] = [2]float32{px, py}
		left, top, right, bottom = min(left, px), min(top, py), max(right, px), max(bottom, py)
	}
	box.X, box.Y, box.W, box.H = left, top, right-left, bottom-top
}
