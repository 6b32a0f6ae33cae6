package detect

import (
	"slices"
	"sync"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// presence is where an object is and has been. Its memory is used again.
type presence struct {
	visits    []visit // of each zone
	sides     []side  // of each line
	entered   []string
	crossings []event.Crossing // the latest
	uncounted int              // of those, the last so many
	changed   bool             // since it was reported
}

// visit is how an object stands to a zone.
type visit struct {
	inside bool
	run    int       // frames one after another that show otherwise
	since  time.Time // the first of them
}

// side is where an object was last clearly beside a line.
type side struct {
	known, right bool
	at           spot
}

// mostCrossings is how many crossings of one object are reported.
const mostCrossings = 16

// clear forgets the object for another.
func (s *presence) clear() {
	*s = presence{visits: s.visits[:0], sides: s.sides[:0], entered: s.entered[:0], crossings: s.crossings[:0]}
}

// follow takes where an object is seen in a picture of that size.
func (p Places) follow(s *presence, label string, b vision.Box, width, height int, frame int64, at time.Time) {
	if len(p.Zones) == 0 && len(p.Lines) == 0 || width <= 0 || height <= 0 {
		return
	}
	w, h := float64(width), float64(height)
	foot := spot{float64(b.X+b.W/2) / w, float64(b.Y+b.H) / h}
	for len(s.visits) < len(p.Zones) {
		s.visits = append(s.visits, visit{})
	}
	for i, z := range p.Zones {
		if counts(z.Labels, label) && s.visits[i].update(z, z.holds(foot), at) {
			s.changed = true
			if s.visits[i].inside && !slices.Contains(s.entered, z.Name) {
				s.entered = append(s.entered, z.Name)
			}
		}
	}
	for len(s.sides) < len(p.Lines) {
		s.sides = append(s.sides, side{})
	}
	for i, l := range p.Lines {
		if counts(l.Labels, label) {
			if direction := s.sides[i].update(l, foot, float64(b.H), w, h); direction != "" {
				s.crossed(event.Crossing{Line: l.Name, Direction: direction, Frame: int(frame), Time: seconds(at)})
			}
		}
	}
}

func counts(labels []string, label string) bool {
	return len(labels) == 0 || slices.Contains(labels, label)
}

// update takes whether the object is seen inside and says whether it has entered or left with that.
func (v *visit) update(z Zone, inside bool, at time.Time) bool {
	if inside == v.inside {
		v.run = 0
		return false
	}
	if v.run == 0 {
		v.since = at
	}
	v.run++
	loiters := at.Sub(v.since).Seconds() >= z.LoiteringSeconds
	if v.run < z.Inertia || inside && !loiters {
		return false
	}
	v.inside, v.run = inside, 0
	return true
}

// clearly is how far from a line an object counts as beside it, in heights of its box: one that
// stands on the line trembles, and is not to be counted with each frame.
const clearly = 0.05

// update takes where the object stands and gives the direction in which it has crossed the line, if it
// has: between two places clearly beside the line, on different sides, whose way meets it.
func (s *side) update(l Line, foot spot, boxHeight, width, height float64) (direction string) {
	beside := l.beside(foot, width, height)
	if max(beside, -beside) < max(1, clearly*boxHeight) {
		return ""
	}
	right := beside > 0
	if s.known && right != s.right && meet(s.at, foot, l.From.spot(), l.To.spot()) {
		direction = event.RightToLeft
		if right {
			direction = event.LeftToRight
		}
	}
	*s = side{known: true, right: right, at: foot}
	return direction
}

func (s *presence) crossed(c event.Crossing) {
	if len(s.crossings) == mostCrossings {
		copy(s.crossings, s.crossings[1:])
		s.crossings = s.crossings[:mostCrossings-1]
	}
	s.crossings = append(s.crossings, c)
	s.uncounted = min(s.uncounted+1, mostCrossings)
	s.changed = true
}

// admits says whether an object may be reported.
func (p Places) admits(s *presence) bool {
	return len(p.RequiredZones) == 0 || slices.ContainsFunc(p.RequiredZones, func(z string) bool { return slices.Contains(s.entered, z) })
}

// report writes the presence into what is reported of the object, and counts its crossings with that: what
// is never reported is never counted.
func (p Places) report(s *presence, to *event.TrackState, c *crossings) {
	for i := len(s.crossings) - s.uncounted; i < len(s.crossings); i++ {
		x := &s.crossings[i]
		x.Count = c.add(x.Line, x.Direction, to.Label)
	}
	s.uncounted, s.changed = 0, false
	for i, v := range s.visits {
		if v.inside {
			to.Zones = append(to.Zones, p.Zones[i].Name)
		}
	}
	if len(s.entered) > 0 {
		to.EnteredZones = slices.Clone(s.entered)
	}
	if len(s.crossings) > 0 {
		to.Crossings = slices.Clone(s.crossings)
	}
}

// Crossed is how often a line was crossed.
type Crossed struct {
	Line      string `json:"line"`
	Direction string `json:"direction"` // left_to_right or right_to_left, seen from the line's from to its to
	Label     string `json:"label"`
	Count     int64  `json:"count"`
}

// crossings counts them; safe for concurrent use.
type crossings struct {
	mu  sync.Mutex
	all []Crossed
}

func (c *crossings) add(line, direction, label string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.all {
		if x := &c.all[i]; x.Line == line && x.Direction == direction && x.Label == label {
			x.Count++
			return x.Count
		}
	}
	c.all = append(c.all, Crossed{line, direction, label, 1})
	return 1
}

func (c *crossings) counted() []Crossed {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}
