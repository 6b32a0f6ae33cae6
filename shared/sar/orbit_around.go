package sar

// The Earth's gravity (WGS 84, EGM96's J2) and its turn.
const (
	earthGM   = 3.986004418e14
	earthJ2   = 1.08262668e-3
	earthTurn = 7.292115e-5
	// freeFall is a radius above which nothing but gravity moves an antenna for a while.
	freeFall = 6.5e6
	// aroundStep and aroundSteps make the half minute that an orbit is known around its vectors. What is left out of
	// gravity takes some 3e-5 m/s², a centimetre and a half in that time.
	aroundStep, aroundSteps = 10.0, 3
)

// around makes an orbit serve around its vectors as well: a satellite's by how it falls, for half a minute. With
// squint, ground is nearest seconds before or after its echoes, and echoes come with no more of an orbit than they
// took. Other polynomials go on for half a step, as those of a satellite do where that is more.
func (o *Orbit) around(vectors []StateVector) {
	n := len(vectors)
	first, last := vectors[0], vectors[n-1]
	o.before, o.after = (o.knots[1]-o.knots[0])/2, (o.knots[n-1]-o.knots[n-2])/2
	const reach = aroundStep * aroundSteps
	if o.before < reach && norm(first.Position) > freeFall {
		fall := []StateVector{first}
		for range aroundSteps {
			fall = append([]StateVector{fall[0].fallen(-aroundStep)}, fall...)
		}
		o.before = 0
		o.knots = append([]float64{o.since(fall[0].Time)}, o.knots...)
		o.spans = append([]hermite{newHermite(o.base, fall)}, o.spans...)
	}
	if o.after < reach && norm(last.Position) > freeFall {
		fall := []StateVector{last}
		for range aroundSteps {
			fall = append(fall, fall[len(fall)-1].fallen(aroundStep))
		}
		o.after = 0
		o.knots = append(o.knots, o.since(fall[aroundSteps].Time))
		o.spans = append(o.spans, newHermite(o.base, fall))
	}
}

// fallen is where an antenna is after some seconds of free fall, by Runge and Kutta's method in steps of a second or
// less, in the frame that turns with the Earth.
func (v StateVector) fallen(seconds float64) StateVector {
	steps := 1
	for seconds/float64(steps) > 1 || seconds/float64(steps) < -1 {
		steps++
	}
	h := seconds / float64(steps)
	p, s := v.Position, v.Velocity
	for range steps {
		a1 := fall(p, s)
		p2, s2 := moved(p, s, h/2), moved(s, a1, h/2)
		a2 := fall(p2, s2)
		p3, s3 := moved(p, s2, h/2), moved(s, a2, h/2)
		a3 := fall(p3, s3)
		p4, s4 := moved(p, s3, h), moved(s, a3, h)
		a4 := fall(p4, s4)
		for axis := range 3 {
			p[axis] += h / 6 * (s[axis] + 2*s2[axis] + 2*s3[axis] + s4[axis])
			s[axis] += h / 6 * (a1[axis] + 2*a2[axis] + 2*a3[axis] + a4[axis])
		}
	}
	return StateVector{Time: v.Time.Add(duration(seconds)), Position: p, Velocity: s}
}

func moved(at, way [3]float64, h float64) [3]float64 {
	return [3]float64{at[0] + h*way[0], at[1] + h*way[1], at[2] + h*way[2]}
}

// fall is the acceleration of gravity with the Earth's flattening, and that of the turning frame (Vallado 2013,
// sections 3.1 and 8.7).
func fall(p, v [3]float64) [3]float64 {
	square := dot(p, p)
	pull := -earthGM / (square * norm(p))
	bulge, z := 1.5*earthJ2*semiMajor*semiMajor/square, 5*p[2]*p[2]/square
	return [3]float64{
		pull*p[0]*(1-bulge*(z-1)) + earthTurn*(earthTurn*p[0]+2*v[1]),
		pull*p[1]*(1-bulge*(z-1)) + earthTurn*(earthTurn*p[1]-2*v[0]),
		pull * p[2] * (1 - bulge*(z-3)),
	}
}
