package sar

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestOrbitIsTrueBetweenItsVectors(t *testing.T) {
	for _, of := range []struct {
		n         int
		step      float64
		metres    float64
		perSecond float64
	}{{2, 10, 1e-3, 1e-3}, {3, 30, 1e-4, 1e-4}, {9, 10, 1e-5, 1e-5}, {9, 60, 1e-5, 1e-5}, {9, 480, 5e-3, 1e-4}} {
		o, err := NewOrbit(polar.vectors(of.n, of.step))
		if err != nil {
			t.Fatal(err)
		}
		var far, fast float64
		for s := range 1001 {
			at := (float64(s)/1000 - .5) * of.step * float64(of.n-1)
			p, v, err := o.At(epoch.Add(time.Duration(at * 1e9)))
			if err != nil {
				t.Fatal(err)
			}
			at = time.Duration(at * 1e9).Seconds()
			truth, speed := polar.at(at)
			far, fast = max(far, norm(minus(p, truth))), max(fast, norm(minus(v, speed)))
		}
		t.Logf("%d vectors %v s apart: %.2g m, %.2g m/s", of.n, of.step, far, fast)
		if far > of.metres || fast > of.perSecond {
			t.Errorf("%d vectors %v s apart: %g m, %g m/s off", of.n, of.step, far, fast)
		}
	}
}

func TestOrbitServesAroundItsVectors(t *testing.T) {
	// Far out the Earth's flattening, which a circle knows nothing of, takes a centimetre in half a minute.
	far := circle{radius: 4.2e7, inclination: 1, node: 1, phase: 0.8}
	aircraft := func(n int, step float64) (all []StateVector) {
		for i := range n {
			at := ecef(48+1e-3*step*float64(i), 11, 5000)
			after := ecef(48+1e-3*(step*float64(i)+1), 11, 5000)
			all = append(all, StateVector{epoch.Add(duration(float64(i) * step)), at, minus(after, at)})
		}
		return all
	}
	for name, of := range map[string]struct {
		vectors []StateVector
		truth   func(s float64) [3]float64
		from    float64
		to      float64
		metres  float64
	}{
		"satellite, half a minute":   {far.vectors(3, 1), func(s float64) [3]float64 { p, _ := far.at(s); return p }, -31, 31, 0.2},
		"low satellite, a second":    {polar.vectors(3, 1), func(s float64) [3]float64 { p, _ := polar.at(s); return p }, -2, 2, 0.02},
		"satellite, half a step":     {polar.vectors(5, 100), func(s float64) [3]float64 { p, _ := polar.at(s); return p }, -250, 250, 1e-3},
		"an aircraft, half a second": {aircraft(4, 1), func(s float64) [3]float64 { return ecef(48+1e-3*s, 11, 5000) }, -0.5, 3.5, 0.5},
	} {
		o, err := NewOrbit(of.vectors)
		if err != nil {
			t.Fatal(name, err)
		}
		for _, s := range []float64{of.from + 1e-6, of.to - 1e-6} {
			p, _, err := o.At(epoch.Add(duration(s)))
			if d := norm(minus(p, of.truth(s))); err != nil || d > of.metres {
				t.Errorf("%s: at %v s it is %v m off: %v", name, s, d, err)
			}
		}
	}
	for name, of := range map[string]struct {
		vectors  []StateVector
		from, to float64
	}{"satellite": {polar.vectors(3, 1), -31.01, 31.01}, "slow satellite": {polar.vectors(5, 100), -250.01, 250.01}, "an aircraft": {aircraft(4, 1), -0.51, 3.51}} {
		o, err := NewOrbit(of.vectors)
		if err != nil {
			t.Fatal(name, err)
		}
		for _, s := range []float64{of.from, of.to, -1e6, 1e6} {
			if _, _, err := o.At(epoch.Add(duration(s))); err == nil {
				t.Error(name, s, "was served")
			}
		}
	}
}

// TestSatellitesFallAsGravitySays holds the way around an orbit to what stays the same on it: the energy in the frame
// that turns with the Earth (Jacobi's integral).
func TestSatellitesFallAsGravitySays(t *testing.T) {
	v := polar.vectors(1, 1)[0]
	energy := func(v StateVector) float64 {
		p, r := v.Position, norm(v.Position)
		potential := earthGM / r * (1 - earthJ2*(semiMajor/r)*(semiMajor/r)*(3*p[2]*p[2]/(r*r)-1)/2)
		return dot(v.Velocity, v.Velocity)/2 - earthTurn*earthTurn*(p[0]*p[0]+p[1]*p[1])/2 - potential
	}
	later := v
	for range 100 {
		later = later.fallen(10)
	}
	back := later
	for range 100 {
		back = back.fallen(-10)
	}
	if d := energy(later)/energy(v) - 1; math.Abs(d) > 1e-10 {
		t.Errorf("its energy changes by %.2g of it", d)
	}
	if d := norm(minus(back.Position, v.Position)); d > 1e-3 || norm(minus(later.Position, v.Position)) < 5e6 {
		t.Errorf("there and back it is %v m off", d)
	}
	if d := later.Time.Sub(v.Time); d != 1000*time.Second {
		t.Error(d)
	}
}

func TestOrbitsThatAreNoneAreRefusedByTheVector(t *testing.T) {
	good := func() []StateVector { return polar.vectors(4, 10) }
	for name, change := range map[string]struct {
		to   func(v []StateVector) []StateVector
		says string
	}{
		"none":       {func(v []StateVector) []StateVector { return nil }, "orbit: there are no state vectors"},
		"one":        {func(v []StateVector) []StateVector { return v[:1] }, "orbit: there is one"},
		"kilometres": {func(v []StateVector) []StateVector { v[1].Position = scaled(v[1].Position, 1e-3); return v }, "orbit[1]: position_m is"},
		"km/s":       {func(v []StateVector) []StateVector { v[2].Velocity = scaled(v[2].Velocity, 1e-3); return v }, "orbit[2]: velocity_m_s"},
		"nan":        {func(v []StateVector) []StateVector { v[2].Velocity[1] = math.NaN(); return v }, "orbit[2]: position_m and velocity_m_s must be numbers"},
		"twice":      {func(v []StateVector) []StateVector { v[2].Time = v[1].Time; return v }, "orbit[2]: it has the time"},
		"backwards":  {func(v []StateVector) []StateVector { v[2], v[3] = v[3], v[2]; return v }, "orbit[3]: its time"},
		"no time":    {func(v []StateVector) []StateVector { v[0].Time = time.Time{}; return v }, "orbit[0]: it has no time"},
		"late":       {func(v []StateVector) []StateVector { v[3].Time = v[3].Time.Add(time.Second); return v }, "orbit[3]: from the vector before"},
		"far":        {func(v []StateVector) []StateVector { v[3].Time = v[3].Time.Add(2 * time.Hour); return v }, "orbit[3]: it comes 7210 s"},
		"inertial velocity": {func(v []StateVector) []StateVector {
			for i := range v {
				p := v[i].Position
				v[i].Velocity[0] -= earthTurn * p[1]
				v[i].Velocity[1] += earthTurn * p[0]
			}
			return v
		}, "orbit[1]: from the vector before"},
	} {
		_, err := NewOrbit(change.to(good()))
		if err == nil || len(err.Error()) < len(change.says) || err.Error()[:len(change.says)] != change.says {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewOrbit(nil); !errors.Is(err, ErrNoOrbit) {
		t.Error(err)
	}
}
