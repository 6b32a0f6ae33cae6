package sar

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// ErrNoOrbit says that the parameters have no orbit, by which anything could be placed on the Earth.
var ErrNoOrbit = errors.New("orbit: there are no state vectors, so that nothing can be placed on the Earth; give start_time, look_side and at least two vectors (time, position_m, velocity_m_s; Earth-fixed)")

// Orbit is where the antenna was at any time of an acquisition: between the state vectors by Hermite's
// interpolation of positions and velocities, in an Earth-fixed frame (ECEF, WGS 84).
type Orbit struct {
	base  time.Time // of the first vector
	knots []float64 // seconds after it, rising
	spans []hermite // one for each pair of neighbouring knots
	// For so many seconds before the first knot and after the last one the polynomials serve as well.
	before, after float64
}

const (
	maxStates = 1 << 14
	// fitVectors are those that one polynomial is made of: with six vectors (degree 11) 8 minutes apart, as
	// RADARSAT-1 has them, it lies up to 1.5 mm off a circular orbit; more would follow their rounding.
	fitVectors = 6
	// An antenna is on an aircraft at sea level or as far out as a geosynchronous satellite.
	minRadius, maxRadius = 6.3e6, 5e7
	minSpeed, maxSpeed   = 10, 12_000
)

// NewOrbit checks state vectors. Errors name orbit[i], counted from 0.
func NewOrbit(vectors []StateVector) (*Orbit, error) {
	switch {
	case len(vectors) == 0:
		return nil, ErrNoOrbit
	case len(vectors) == 1:
		return nil, errors.New("orbit: there is one state vector; at least two are needed, one before and one after the acquisition")
	case len(vectors) > maxStates:
		return nil, fmt.Errorf("orbit: there are %d state vectors, at most %d are taken; leave out what is far from the acquisition", len(vectors), maxStates)
	}
	for i, v := range vectors {
		if err := v.check(); err != nil {
			return nil, fmt.Errorf("orbit[%d]: %w", i, err)
		}
		if i == 0 {
			continue
		}
		if err := v.follows(vectors[i-1]); err != nil {
			return nil, fmt.Errorf("orbit[%d]: %w", i, err)
		}
	}
	o := &Orbit{base: vectors[0].Time}
	n := min(fitVectors, len(vectors))
	for i := range len(vectors) - 1 {
		from := min(max(i+1-n/2, 0), len(vectors)-n)
		o.knots, o.spans = append(o.knots, o.since(vectors[i].Time)), append(o.spans, newHermite(o.base, vectors[from:from+n]))
	}
	o.knots = append(o.knots, o.since(vectors[len(vectors)-1].Time))
	o.around(vectors)
	return o, nil
}

func (v StateVector) check() error {
	for axis := range 3 {
		if p, s := v.Position[axis], v.Velocity[axis]; p-p != 0 || s-s != 0 {
			return errors.New("position_m and velocity_m_s must be numbers")
		}
	}
	r, s := norm(v.Position), norm(v.Velocity)
	switch {
	case v.Time.IsZero():
		return errors.New("it has no time")
	case r >= minRadius/1000 && r <= maxRadius/1000:
		return fmt.Errorf("position_m is %.0f from the Earth's centre, which looks like kilometres; give metres", r)
	case r < minRadius || r > maxRadius:
		return fmt.Errorf("position_m is %.0f m from the Earth's centre, not %.0f to %.0f; give metres in an Earth-fixed frame", r, minRadius, maxRadius)
	case s > 0.1 && s < minSpeed && r > 6.5e6:
		return fmt.Errorf("velocity_m_s is %.3g, which looks like kilometres a second; give metres a second", s)
	case s < minSpeed || s > maxSpeed:
		return fmt.Errorf("velocity_m_s is %.4g, not %v to %v", s, minSpeed, maxSpeed)
	}
	return nil
}

// follows says whether a vector is what comes after another one. The way between them is as long as their
// velocities say, but for what a circular orbit curves; velocities of a frame that does not turn with the Earth
// differ by up to 7 % at a satellite's height.
func (v StateVector) follows(last StateVector) error {
	dt := v.Time.Sub(last.Time).Seconds()
	switch {
	case dt == 0:
		return fmt.Errorf("it has the time of the vector before, %s; leave one out", v.Time.UTC().Format(time.RFC3339Nano))
	case dt < 0:
		return fmt.Errorf("its time %s is before that of the vector before; sort them by time", v.Time.UTC().Format(time.RFC3339Nano))
	case dt > 3600:
		return fmt.Errorf("it comes %.0f s after the vector before; at most an hour lies between two", dt)
	}
	var off, way [3]float64
	for axis := range 3 {
		way[axis] = dt * (v.Velocity[axis] + last.Velocity[axis]) / 2
		off[axis] = v.Position[axis] - last.Position[axis] - way[axis]
	}
	turn := norm(v.Velocity) / norm(v.Position) * dt
	if allowed := dt*max(norm(v.Velocity), norm(last.Velocity))*(0.01+turn*turn/6) + 10; norm(off) > allowed {
		return fmt.Errorf("from the vector before it is %.0f m to where the velocities lead in %.6g s; check the times, and that positions and velocities are both of an Earth-fixed frame", norm(off), dt)
	}
	return nil
}

// Span is the time in which positions are known: that of the vectors, and half the distance of the two first and
// the two last ones around it; of satellites at least half a minute.
func (o *Orbit) Span() (from, to time.Time) {
	a, b := o.limits()
	return o.time(a), o.time(b)
}

func (o *Orbit) limits() (from, to float64) {
	return o.knots[0] - o.before, o.knots[len(o.knots)-1] + o.after
}

func (o *Orbit) time(s float64) time.Time {
	return o.base.Add(duration(s))
}

func duration(seconds float64) time.Duration { return time.Duration(math.Round(seconds * 1e9)) }

// since is a time in the orbit's own seconds.
func (o *Orbit) since(t time.Time) float64 { return t.Sub(o.base).Seconds() }

// At is the position and the velocity at a time within the span.
func (o *Orbit) At(t time.Time) (position, velocity [3]float64, err error) {
	s := o.since(t)
	if from, to := o.limits(); !(s >= from && s <= to) {
		return position, velocity, o.outside(s)
	}
	position, velocity, _ = o.at(s)
	return position, velocity, nil
}

func (o *Orbit) outside(s float64) error {
	from, to := o.Span()
	return fmt.Errorf("orbit: %s is outside %s to %s, for which its state vectors serve; give vectors around it",
		o.time(s).UTC().Format(time.RFC3339Nano), from.UTC().Format(time.RFC3339Nano), to.UTC().Format(time.RFC3339Nano))
}

// at is position, velocity and acceleration at so many seconds after the first vector.
func (o *Orbit) at(s float64) (p, v, a [3]float64) {
	low, high := 0, len(o.spans) // of the span that s lies in
	for high-low > 1 {
		if mid := (low + high) / 2; s < o.knots[mid] {
			high = mid
		} else {
			low = mid
		}
	}
	return o.spans[low].at(s)
}

// hermite is a polynomial through positions with the velocities there, in Newton's form over doubled nodes: its
// argument is in units of the nodes' mean distance from the first of them, so that no coefficient is huge.
type hermite struct {
	origin, unit float64
	nodes        []float64
	c            [][3]float64
}

func newHermite(base time.Time, vectors []StateVector) hermite {
	first, last := vectors[0].Time.Sub(base).Seconds(), vectors[len(vectors)-1].Time.Sub(base).Seconds()
	h := hermite{origin: first, unit: (last - first) / float64(len(vectors)-1)}
	n := 2 * len(vectors)
	table := make([][3]float64, n)
	for i, v := range vectors {
		u := (v.Time.Sub(base).Seconds() - h.origin) / h.unit
		h.nodes = append(h.nodes, u, u)
		table[2*i], table[2*i+1] = v.Position, v.Position
	}
	h.c = append(h.c, table[0])
	for order := 1; order < n; order++ {
		for i := range n - order {
			width := h.nodes[i+order] - h.nodes[i]
			for axis := range 3 {
				if width == 0 {
					table[i][axis] = vectors[i/2].Velocity[axis] * h.unit
				} else {
					table[i][axis] = (table[i+1][axis] - table[i][axis]) / width
				}
			}
		}
		h.c = append(h.c, table[0])
	}
	return h
}

func (h *hermite) at(s float64) (p, v, a [3]float64) {
	u := (s - h.origin) / h.unit
	for i := len(h.c) - 1; i >= 0; i-- {
		d := u - h.nodes[i]
		for axis := range 3 {
			a[axis] = a[axis]*d + 2*v[axis]
			v[axis] = v[axis]*d + p[axis]
			p[axis] = p[axis]*d + h.c[i][axis]
		}
	}
	for axis := range 3 {
		v[axis] /= h.unit
		a[axis] /= h.unit * h.unit
	}
	return p, v, a
}

func dot(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func norm(a [3]float64) float64 { return math.Sqrt(dot(a, a)) }

func minus(a, b [3]float64) [3]float64 { return [3]float64{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

func cross(a, b [3]float64) [3]float64 {
	return [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

func scaled(a [3]float64, by float64) [3]float64 {
	return [3]float64{a[0] * by, a[1] * by, a[2] * by}
}
