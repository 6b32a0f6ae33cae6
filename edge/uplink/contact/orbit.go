package contact

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/akhenakh/sgp4"
)

// Orbit is a satellite and the ground station that it speaks to.
type Orbit struct {
	TLE            []string      `yaml:"tle" desc:"the two lines of the satellite's orbital elements"`
	TLEFile        string        `yaml:"tle_file" desc:"or a file that holds them"`
	MaxAge         time.Duration `yaml:"max_age" desc:"older elements are refused"`
	Station        Station       `yaml:"station" desc:"the ground station"`
	MinElevation   float64       `yaml:"min_elevation" desc:"degrees above the horizon from which on there is contact, 0 to below 90"`
	BytesPerSecond float64       `yaml:"bytes_per_second" desc:"bytes a second expected while the satellite is up; 0: not known" range:"0.."`
}

// Station is a place on the WGS 84 ellipsoid.
type Station struct {
	Latitude  float64 `yaml:"latitude" desc:"degrees, north positive" range:"-90..90"`
	Longitude float64 `yaml:"longitude" desc:"degrees, east positive" range:"-180..180"`
	Altitude  float64 `yaml:"altitude" desc:"metres above the ellipsoid"`
}

// DefaultOrbit has no elements. Two weeks is what elements of a low orbit are good for: drag makes
// them wrong by tens of kilometres along the track by then, some seconds of a window.
func DefaultOrbit() Orbit { return Orbit{MaxAge: 14 * day, MinElevation: 10} }

func (o Orbit) given() bool { return len(o.TLE) > 0 || o.TLEFile != "" }

func (o Orbit) elements() (Elements, error) {
	text := strings.Join(o.TLE, "\n")
	if o.TLEFile != "" {
		var err error
		if text, err = readElements(o.TLEFile); err != nil {
			return Elements{}, err
		}
	}
	return ParseElements(text)
}

// Problems lists every mistake in o, as it stands at now.
func (o Orbit) Problems(now time.Time, add func(field, message, hint string)) {
	field := "tle"
	if o.TLEFile != "" {
		field = "tle_file"
	}
	if len(o.TLE) > 0 && o.TLEFile != "" {
		add("tle_file", "stands beside tle", "keep the lines, or the file that holds them")
	}
	e, err := o.elements()
	if err != nil {
		add(field, err.Error(), "copy both lines of the elements as they were published, 69 characters each")
	} else if age := now.Sub(e.Epoch); age > o.MaxAge {
		add(field, fmt.Sprintf("the elements are of %s, %.0f days old; %.0f are allowed", e.Epoch.Format(time.DateOnly), age.Hours()/24, o.MaxAge.Hours()/24),
			"fetch new elements: windows from old ones are wrong; orbit.max_age allows older ones")
	} else if age < -o.MaxAge {
		add(field, fmt.Sprintf("the elements are of %s, which lies ahead", e.Epoch.Format(time.DateOnly)), "is this machine's clock right?")
	}
	if o.MaxAge <= 0 {
		add("max_age", fmt.Sprintf("%s is no age", o.MaxAge), "336h is two weeks")
	}
	if math.Abs(o.Station.Latitude) > 90 || math.IsNaN(o.Station.Latitude) {
		add("station.latitude", fmt.Sprintf("%g is not between -90 and 90", o.Station.Latitude), "degrees, north positive: 78.23")
	}
	if math.Abs(o.Station.Longitude) > 180 || math.IsNaN(o.Station.Longitude) {
		add("station.longitude", fmt.Sprintf("%g is not between -180 and 180", o.Station.Longitude), "degrees, east positive: 15.41")
	}
	if !(o.Station.Altitude > -500 && o.Station.Altitude < 10000) {
		add("station.altitude", fmt.Sprintf("%g is not between -500 and 10000", o.Station.Altitude), "metres above the ellipsoid")
	}
	if !(o.MinElevation >= 0 && o.MinElevation < 90) {
		add("min_elevation", fmt.Sprintf("%g is not between 0 and 90", o.MinElevation), "10 suits most antennas")
	}
	rateProblem("", o.BytesPerSecond, func(f, m, h string) { add(strings.TrimPrefix(f, "."), m, h) })
}

// OrbitPlan predicts the passes of a satellite over a station. One caller only.
type OrbitPlan struct {
	orbit     Orbit
	satellite *sgp4.TLE
	station   vector // Earth-fixed, km
	up        vector // unit normal of the ellipsoid there
}

// NewOrbit reads the elements; Problems has checked their age.
func NewOrbit(o Orbit) (*OrbitPlan, error) {
	e, err := o.elements()
	if err != nil {
		return nil, fmt.Errorf("orbital elements: %w", err)
	}
	s, err := e.satellite()
	if err != nil {
		return nil, err
	}
	p := &OrbitPlan{orbit: o, satellite: s}
	p.station, p.up = o.Station.fixed()
	return p, nil
}

const (
	stride    = 20 * time.Second       // passes shorter than this are not worth a window
	precision = 500 * time.Millisecond // of rise and set; elements are good for about a second
	longest   = 4 * time.Hour          // of any pass of an orbit under 225 minutes that sets at all
)

// Windows are the passes that overlap [from, to).
func (p *OrbitPlan) Windows(from, to time.Time) []Window {
	begin := from.UTC().Truncate(stride)
	for back := begin.Add(-longest); p.above(begin) && begin.After(back); {
		begin = begin.Add(-stride)
	}
	var windows []Window
	var w Window
	up := false
	for t := begin; t.Before(to) || up && t.Before(w.From.Add(longest)); t = t.Add(stride) {
		elevation := p.Elevation(t)
		above := elevation >= p.orbit.MinElevation
		switch {
		case above && !up:
			w = Window{From: p.crossing(t.Add(-stride), t), BytesPerSecond: p.orbit.BytesPerSecond, Elevation: elevation}
		case above:
			w.Elevation = max(w.Elevation, elevation)
		case up:
			w.To = p.crossing(t.Add(-stride), t)
			if w.To.After(from) {
				windows = append(windows, w)
			}
		}
		up = above
	}
	if up {
		w.To = w.From.Add(longest)
		windows = append(windows, w)
	}
	return windows
}

// crossing is when the satellite rises or sets between a and b.
func (p *OrbitPlan) crossing(a, b time.Time) time.Time {
	before := p.above(a)
	for b.Sub(a) > precision {
		middle := a.Add(b.Sub(a) / 2)
		if p.above(middle) == before {
			a = middle
		} else {
			b = middle
		}
	}
	return b
}

func (p *OrbitPlan) above(t time.Time) bool { return p.Elevation(t) >= p.orbit.MinElevation }

// Elevation is how high the satellite stands over the station's horizon, in degrees; -90 where the
// elements say nothing any more (it has decayed).
func (p *OrbitPlan) Elevation(t time.Time) float64 {
	eci, err := p.satellite.FindPositionAtTime(t)
	if err != nil {
		return -90
	}
	sat := vector{eci.Position.X, eci.Position.Y, eci.Position.Z}.turned(siderealAngle(t))
	line := sat.minus(p.station)
	return math.Asin(line.dot(p.up)/math.Sqrt(line.dot(line))) * 180 / math.Pi
}
