package infer

import (
	"cmp"
	"math"
	"slices"
)

type point struct{ x, y float64 }

// rect is a slanted rectangle: its centre, and its long and short side, of which the long one lies
// along (cos, sin).
type rect struct {
	x, y        float64
	long, short float64
	cos, sin    float64
}

// turn gives a direction along the long and the short side.
func (r rect) turn(x, y float64) (u, v float64) { return x*r.cos + y*r.sin, -x*r.sin + y*r.cos }

// corners go clockwise on a picture (y down) from the one at the top left.
func (r rect) corners() [4]point {
	var c [4]point
	for i, k := range [4][2]float64{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}} {
		u, v := k[0]*r.long/2, k[1]*r.short/2
		c[i] = point{r.x + u*r.cos - v*r.sin, r.y + u*r.sin + v*r.cos}
	}
	// Of the two corners furthest left, the upper one.
	byX := slices.Clone(c[:])
	slices.SortStableFunc(byX, func(a, b point) int { return cmp.Compare(a.x, b.x) })
	first := byX[0]
	if byX[1].y < first.y {
		first = byX[1]
	}
	at := slices.Index(c[:], first)
	return [4]point{c[at], c[(at+1)%4], c[(at+2)%4], c[(at+3)%4]}
}

// convexHull goes around the points (Andrew's monotone chain). It sorts them.
func convexHull(points []point) []point {
	slices.SortFunc(points, func(a, b point) int { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y)) })
	points = slices.Compact(points)
	if len(points) < 3 {
		return slices.Clone(points)
	}
	left := func(a, b, c point) bool { return (b.x-a.x)*(c.y-a.y)-(b.y-a.y)*(c.x-a.x) > 0 }
	var hull []point
	half := func(least int, p point) {
		for len(hull) >= least && !left(hull[len(hull)-2], hull[len(hull)-1], p) {
			hull = hull[:len(hull)-1]
		}
		hull = append(hull, p)
	}
	for _, p := range points {
		half(2, p)
	}
	below := len(hull) + 1
	for _, p := range slices.Backward(points[:len(points)-1]) {
		half(below, p)
	}
	return hull[:len(hull)-1]
}

// smallestRect is the rectangle of least area around a convex hull: one of its sides lies on one of
// the hull's.
func smallestRect(hull []point) rect {
	if len(hull) == 0 {
		return rect{cos: 1}
	}
	best := rect{x: hull[0].x, y: hull[0].y, cos: 1}
	least := math.Inf(1)
	for i, a := range hull {
		b := hull[(i+1)%len(hull)]
		length := math.Hypot(b.x-a.x, b.y-a.y)
		if length == 0 {
			continue
		}
		r := rect{cos: (b.x - a.x) / length, sin: (b.y - a.y) / length}
		u0, v0, u1, v1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
		for _, p := range hull {
			u, v := r.turn(p.x, p.y)
			u0, v0, u1, v1 = min(u0, u), min(v0, v), max(u1, u), max(v1, v)
		}
		if area := (u1 - u0) * (v1 - v0); area < least {
			least = area
			u, v := (u0+u1)/2, (v0+v1)/2
			r.x, r.y, r.long, r.short = u*r.cos-v*r.sin, u*r.sin+v*r.cos, u1-u0, v1-v0
			best = r
		}
	}
	if best.short > best.long {
		best.long, best.short, best.cos, best.sin = best.short, best.long, -best.sin, best.cos
	}
	return best
}
