package stac

import (
	"encoding/json"
	"fmt"
	"math"

	"cloudcanvas/cloud/console/request"
)

// shapeSet is a GeoJSON geometry (RFC 7946) taken apart into points, lines and polygons, for asking
// whether a scene's outline touches it. Edges are straight in longitude and latitude.
type shapeSet struct {
	points [][2]float64
	lines  [][][2]float64
	areas  [][][][2]float64 // polygons: the outer ring, then holes
}

// maxCorners bounds a geometry of a search.
const maxCorners = 20_000

func parseShape(data []byte) (shapeSet, error) {
	var s shapeSet
	if err := s.add(data, 0); err != nil {
		return s, fmt.Errorf("%w: intersects: %w", request.ErrBad, err)
	}
	corners := len(s.points)
	for _, l := range s.lines {
		corners += len(l)
	}
	for _, a := range s.areas {
		for _, ring := range a {
			corners += len(ring)
			if len(ring) < 4 || ring[0] != ring[len(ring)-1] {
				return s, fmt.Errorf("%w: intersects: a ring has four corners or more and ends where it began", request.ErrBad)
			}
		}
	}
	if corners == 0 || corners > maxCorners {
		return s, fmt.Errorf("%w: intersects: a geometry of %d corners; 1 to %d are allowed", request.ErrBad, corners, maxCorners)
	}
	return s, nil
}

func (s *shapeSet) add(data []byte, depth int) error {
	var g struct {
		Type        string            `json:"type"`
		Coordinates json.RawMessage   `json:"coordinates"`
		Geometries  []json.RawMessage `json:"geometries"`
	}
	if err := json.Unmarshal(data, &g); err != nil {
		return err
	}
	var err error
	switch g.Type {
	case "Point":
		var p position
		err = json.Unmarshal(g.Coordinates, &p)
		s.points = append(s.points, p)
	case "MultiPoint":
		var l []position
		err = json.Unmarshal(g.Coordinates, &l)
		s.points = append(s.points, plain(l)...)
	case "LineString":
		var l []position
		err = json.Unmarshal(g.Coordinates, &l)
		s.lines = append(s.lines, plain(l))
	case "MultiLineString":
		var all [][]position
		err = json.Unmarshal(g.Coordinates, &all)
		for _, l := range all {
			s.lines = append(s.lines, plain(l))
		}
	case "Polygon":
		var rings [][]position
		err = json.Unmarshal(g.Coordinates, &rings)
		s.polygon(rings)
	case "MultiPolygon":
		var all [][][]position
		err = json.Unmarshal(g.Coordinates, &all)
		for _, rings := range all {
			s.polygon(rings)
		}
	case "GeometryCollection":
		if depth > 2 {
			return fmt.Errorf("collections within collections")
		}
		for _, part := range g.Geometries {
			if err := s.add(part, depth+1); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("%.40q is no geometry of GeoJSON", g.Type)
	}
	return err
}

func (s *shapeSet) polygon(rings [][]position) {
	var area [][][2]float64
	for _, ring := range rings {
		area = append(area, plain(ring))
	}
	if len(area) > 0 {
		s.areas = append(s.areas, area)
	}
}

// position is longitude and latitude; a height is left out.
type position [2]float64

// UnmarshalJSON checks what encoding/json would let pass: too few numbers, or others.
func (p *position) UnmarshalJSON(data []byte) error {
	var all []float64
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	if len(all) < 2 || len(all) > 4 || math.Abs(all[0]) > 360 || math.Abs(all[1]) > 90 {
		return fmt.Errorf("%.60s is no longitude and latitude", data)
	}
	p[0], p[1] = all[0], all[1]
	return nil
}

func plain(l []position) [][2]float64 {
	out := make([][2]float64, len(l))
	for i, p := range l {
		out[i] = p
	}
	return out
}

// bounds are those of all parts, for a first choice; nil where it spans more than half the Earth.
func (s shapeSet) bounds() []float64 {
	box := []float64{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	s.each(func(p [2]float64) {
		box[0], box[1], box[2], box[3] = min(box[0], p[0]), min(box[1], p[1]), max(box[2], p[0]), max(box[3], p[1])
	})
	if box[2] > 180 || box[0] < -180 {
		return nil
	}
	return box
}

func (s shapeSet) each(do func([2]float64)) {
	for _, p := range s.points {
		do(p)
	}
	for _, l := range s.lines {
		for _, p := range l {
			do(p)
		}
	}
	for _, a := range s.areas {
		for _, ring := range a {
			for _, p := range ring {
				do(p)
			}
		}
	}
}

// touches says whether a closed ring and the geometry have a point in common. A ring that crosses the
// 180th meridian has longitudes beyond 180, so it is tried a turn to the west too.
func (s shapeSet) touches(ring [][2]float64) bool {
	if s.touchesOnce(ring) {
		return true
	}
	beyond := false
	west := make([][2]float64, len(ring))
	for i, p := range ring {
		beyond = beyond || p[0] > 180
		west[i] = [2]float64{p[0] - 360, p[1]}
	}
	return beyond && s.touchesOnce(west)
}

func (s shapeSet) touchesOnce(ring [][2]float64) bool {
	if len(ring) < 4 {
		return false
	}
	whole := [][][2]float64{ring}
	for _, p := range s.points {
		if inside(p, whole) {
			return true
		}
	}
	for _, l := range s.lines {
		if len(l) > 0 && inside(l[0], whole) || crosses(l, ring) {
			return true
		}
	}
	for _, a := range s.areas {
		if inside(ring[0], a) || inside(a[0][0], whole) {
			return true
		}
		for _, r := range a {
			if crosses(r, ring) {
				return true
			}
		}
	}
	return false
}

// inside says whether a point lies in a polygon, by the even-odd rule over all rings; one on the
// outline may count either way.
func inside(p [2]float64, rings [][][2]float64) bool {
	in := false
	for _, ring := range rings {
		for i := 1; i < len(ring); i++ {
			a, b := ring[i-1], ring[i]
			if (a[1] > p[1]) != (b[1] > p[1]) && p[0] < (b[0]-a[0])*(p[1]-a[1])/(b[1]-a[1])+a[0] {
				in = !in
			}
		}
	}
	return in
}

// crosses says whether two lines have a point in common.
func crosses(a, b [][2]float64) bool {
	for i := 1; i < len(a); i++ {
		for k := 1; k < len(b); k++ {
			if meet(a[i-1], a[i], b[k-1], b[k]) {
				return true
			}
		}
	}
	return false
}

// meet says whether two straight pieces have a point in common: the ends of each lie on either side
// of the other.
func meet(a, b, c, d [2]float64) bool {
	side := func(p, q, r [2]float64) float64 { return (q[0]-p[0])*(r[1]-p[1]) - (q[1]-p[1])*(r[0]-p[0]) }
	s1, s2, s3, s4 := side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b)
	if s1 == 0 && s2 == 0 && s3 == 0 && s4 == 0 { // on one line
		return overlap(a[0], b[0], c[0], d[0]) && overlap(a[1], b[1], c[1], d[1])
	}
	return s1*s2 <= 0 && s3*s4 <= 0
}

func overlap(a, b, c, d float64) bool { return max(min(a, b), min(c, d)) <= min(max(a, b), max(c, d)) }
