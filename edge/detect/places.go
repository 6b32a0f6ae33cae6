package detect

import (
	"fmt"
	"math"
	"slices"

	"cloudcanvas/shared/event"
)

// Places are the parts of a camera's picture that mean something. Points are shares of its width and
// height from the top left corner, so that they hold at any resolution.
type Places struct {
	Zones         []Zone   `yaml:"zones" desc:"areas of the picture; points are shares of its width and height, from the top left"`
	Lines         []Line   `yaml:"lines" desc:"lines in the picture; who crosses one is counted, in each direction"`
	RequiredZones []string `yaml:"required_zones" desc:"names of zones of which an object must have entered one before anything is reported of it" default:"none: every object is reported"`
}

// Zone is an area of ground: an object is in it with the middle of its box's lower edge.
type Zone struct {
	Name             string   `yaml:"name" desc:"the zone's name"`
	Polygon          []Point  `yaml:"polygon" desc:"corners, such as [[0.1, 0.5], [0.9, 0.5], [0.5, 1]]; an object is inside with the middle of its box's lower edge"`
	Labels           []string `yaml:"labels" desc:"labels of the objects that count" default:"all"`
	Inertia          int      `yaml:"inertia" desc:"frames one after another until an object has entered or left; 0: 1" range:"0..10000"`
	LoiteringSeconds float64  `yaml:"loitering_seconds" desc:"seconds that an object must stay without a break before it has entered" range:"0..86400"`
}

// SetDefaults takes Frigate's inertia, so that a box that trembles at the border is one visit.
func (z *Zone) SetDefaults() { z.Inertia = 3 }

// Line counts who crosses it, in each direction.
type Line struct {
	Name   string   `yaml:"name" desc:"the line's name"`
	From   Point    `yaml:"from" desc:"its first point, such as [0.1, 0.5]"`
	To     Point    `yaml:"to" desc:"its last point"`
	Labels []string `yaml:"labels" desc:"labels of the objects that count" default:"all"`
}

// Point is x and y, each 0 … 1.
type Point []float64

// zones and lines are what batches of detections say of them.
func (p Places) zones() (out []event.Outline) {
	for _, z := range p.Zones {
		out = append(out, outline(z.Name, z.Polygon...))
	}
	return out
}

func (p Places) lines() (out []event.Outline) {
	for _, l := range p.Lines {
		out = append(out, outline(l.Name, l.From, l.To))
	}
	return out
}

func outline(name string, points ...Point) event.Outline {
	o := event.Outline{Name: name}
	for _, p := range points {
		o.Points = append(o.Points, [2]float64{p[0], p[1]})
	}
	return o
}

// Problems names every mistake.
func (p Places) Problems(add func(field, message, hint string)) {
	taken := map[string]bool{}
	name := func(field, name string) {
		switch {
		case name == "":
			add(field, "is missing", "name it, such as driveway")
		case taken[name]:
			add(field, fmt.Sprintf("%q names another zone or line too", name), "each zone and line of a camera needs a name of its own")
		}
		taken[name] = true
	}
	for i, z := range p.Zones {
		in := fmt.Sprintf("zones.%d.", i)
		name(in+"name", z.Name)
		z.problems(func(field, message, hint string) { add(in+field, message, hint) })
	}
	for i, l := range p.Lines {
		in := fmt.Sprintf("lines.%d.", i)
		name(in+"name", l.Name)
		from, to := l.From.problem(), l.To.problem()
		if from != "" {
			add(in+"from", from, pointHint)
		}
		if to != "" {
			add(in+"to", to, pointHint)
		}
		if from == "" && to == "" && slices.Equal(l.From, l.To) {
			add(in+"to", "is where the line begins", "give the line another end")
		}
	}
	for i, required := range p.RequiredZones {
		if !slices.ContainsFunc(p.Zones, func(z Zone) bool { return z.Name == required }) {
			add(fmt.Sprintf("required_zones.%d", i), fmt.Sprintf("%q is no zone of this camera", required), "write the name of one of its zones")
		}
	}
}

const pointHint = "write [x, y] in shares of the picture's width and height: [0.5, 0.9]"

// problem says what is wrong with a point, if anything.
func (p Point) problem() string {
	if len(p) != 2 {
		return fmt.Sprintf("has %d numbers, not an x and a y", len(p))
	}
	for _, v := range p {
		if !(v >= 0 && v <= 1) {
			return fmt.Sprintf("%v is outside of the picture", v)
		}
	}
	return ""
}

// maxCorners bounds the work that a zone makes for each object.
const maxCorners = 256

func (z Zone) problems(add func(field, message, hint string)) {
	if z.Inertia < 0 || z.Inertia > 10000 {
		add("inertia", fmt.Sprintf("%d is not between 0 and 10000", z.Inertia), "use about 3 frames")
	}
	if !(z.LoiteringSeconds >= 0 && z.LoiteringSeconds <= 86400) {
		add("loitering_seconds", fmt.Sprintf("%v is not between 0 and 86400", z.LoiteringSeconds), "use the seconds that an object must stay, or 0")
	}
	if n := len(z.Polygon); n < 3 || n > maxCorners {
		add("polygon", fmt.Sprintf("has %d points", n), fmt.Sprintf("an area needs 3 to %d: [[0.1, 0.5], [0.9, 0.5], [0.5, 1]]", maxCorners))
		return
	}
	whole := true
	for i, p := range z.Polygon {
		if problem := p.problem(); problem != "" {
			add(fmt.Sprintf("polygon.%d", i), problem, pointHint)
			whole = false
		}
	}
	if whole {
		if a, b, crosses := z.crossing(); crosses {
			add("polygon", fmt.Sprintf("crosses itself: the sides from point %d and from point %d meet", a, b), "list the points in the order in which they follow each other around the area")
		}
	}
}

// crossing finds two sides of the polygon that meet where they are no neighbours.
func (z Zone) crossing() (a, b int, crosses bool) {
	n := len(z.Polygon)
	for i := range n {
		for j := i + 1; j < n; j++ {
			p, q := z.Polygon[i], z.Polygon[(i+1)%n]
			r, s := z.Polygon[j], z.Polygon[(j+1)%n]
			if slices.Equal(p, r) {
				return i, j, true
			}
			if j == i+1 || i == 0 && j == n-1 {
				continue
			}
			if meet(p.spot(), q.spot(), r.spot(), s.spot()) {
				return i, j, true
			}
		}
	}
	return 0, 0, false
}

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
