package detect

import "math"

// spot is a point of the picture.
type spot struct{ x, y float64 }

func (p Point) spot() spot { return spot{p[0], p[1]} }

// turn is twice the area of a triangle: above 0 where c lies to the right of the way from a to b, as
// one sees it who looks at the picture, whose y grows downwards.
func turn(a, b, c spot) float64 { return (b.x-a.x)*(c.y-a.y) - (b.y-a.y)*(c.x-a.x) }

// meet says whether the stretches ab and cd have a point in common.
func meet(a, b, c, d spot) bool {
	sides := func(p, q, r, s spot) bool {
		u, v := turn(p, q, r), turn(p, q, s)
		return !(u > 0 && v > 0 || u < 0 && v < 0)
	}
	// Of stretches along one line, the bounding boxes decide.
	boxes := max(min(a.x, b.x), min(c.x, d.x)) <= min(max(a.x, b.x), max(c.x, d.x)) &&
		max(min(a.y, b.y), min(c.y, d.y)) <= min(max(a.y, b.y), max(c.y, d.y))
	return boxes && sides(a, b, c, d) && sides(c, d, a, b)
}

// holds says whether p lies inside of the zone: a ray from there meets its border an odd number of times.
func (z Zone) holds(p spot) bool {
	inside := false
	for i := range z.Polygon {
		a, b := z.Polygon[i].spot(), z.Polygon[(i+1)%len(z.Polygon)].spot()
		if (a.y > p.y) != (b.y > p.y) && p.x < a.x+(b.x-a.x)*(p.y-a.y)/(b.y-a.y) {
			inside = !inside
		}
	}
	return inside
}

// beside is how far p lies from the endless line, in pixels of a picture of that size: above 0 to
// the right of it.
func (l Line) beside(p spot, width, height float64) float64 {
	scale := func(s spot) spot { return spot{s.x * width, s.y * height} }
	from, to := scale(l.From.spot()), scale(l.To.spot())
	return turn(from, to, scale(p)) / math.Hypot(to.x-from.x, to.y-from.y)
}
