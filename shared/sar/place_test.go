package sar

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

var epoch = time.Date(2024, 5, 20, 10, 0, 0, 0, time.UTC)

// circle is a circular orbit around a turning Earth, seen from the Earth: where it is, and how fast, at a time in
// seconds; the velocity is the exact derivative.
type circle struct{ radius, inclination, node, phase float64 }

func (c circle) at(t float64) (p, v [3]float64) {
	w := math.Sqrt(earthGM / (c.radius * c.radius * c.radius))
	su, cu := math.Sincos(c.phase + w*t)
	si, ci := math.Sincos(c.inclination)
	in := [3]float64{c.radius * cu, c.radius * su * ci, c.radius * su * si}
	vin := [3]float64{-c.radius * w * su, c.radius * w * cu * ci, c.radius * w * cu * si}
	s, k := math.Sincos(c.node - earthTurn*t)
	p = [3]float64{k*in[0] - s*in[1], s*in[0] + k*in[1], in[2]}
	v = [3]float64{k*vin[0] - s*vin[1] + earthTurn*p[1], s*vin[0] + k*vin[1] - earthTurn*p[0], vin[2]}
	return p, v
}

// vectors are n of them, step seconds apart, around the acquisition's middle.
func (c circle) vectors(n int, step float64) (all []StateVector) {
	for i := range n {
		t := (float64(i) - float64(n-1)/2) * step
		p, v := c.at(t)
		all = append(all, StateVector{Time: epoch.Add(time.Duration(t * 1e9)), Position: p, Velocity: v})
	}
	return all
}

var polar = circle{radius: 7.17e6, inclination: 98.6 * math.Pi / 180, node: 1, phase: 0.8}

func scene(c circle, side string) Params {
	return Params{
		Lines: 4000, Samples: 3000, CarrierHz: 5.3e9, PRFHz: 1257, SamplingHz: 32.317e6, ChirpRateHzS: -0.72e12, ChirpS: 41.75e-6,
		FirstSampleSlantRangeM: 988_647.462, SpeedOfLightMS: 299_792_458, StartTime: epoch.Add(-1500 * time.Millisecond),
		Orbit: c.vectors(9, 10), LookSide: side,
	}
}

// nearest finds where and when a ground point was nearest to the true orbit, by nothing but distances.
func nearest(c circle, target [3]float64) (seconds, distance float64) {
	d := func(t float64) float64 { p, _ := c.at(t); return norm(minus(p, target)) }
	a, b := -30.0, 30.0
	for range 200 { // thirds
		m, n := a+(b-a)/3, b-(b-a)/3
		if d(m) < d(n) {
			b = n
		} else {
			a = m
		}
	}
	// The minimum of squares is flat to half the digits of a number; a parabola through wide points is not.
	const h = 0.05
	t := (a + b) / 2
	l, m, r := d(t-h), d(t), d(t+h)
	t -= h * (r*r - l*l) / (2 * (r*r - 2*m*m + l*l))
	return t, d(t)
}

func TestPlacesAreNearestWhenTheRowSays(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []circle{polar, {7.17e6, 98.6 * math.Pi / 180, 2, 2.5}, {6.9e6, 0.5, 3, 4}} {
		for _, side := range []string{"right", "left"} {
			p := scene(c, side)
			if c.radius < 7e6 {
				p.FirstSampleSlantRangeM = 650_000
			}
			for _, offset := range []int{0, -5200} {
				g, err := NewGeometry(p, offset)
				if err != nil {
					t.Fatal(err)
				}
				for range 20 {
					row, col, height := rng.Float64()*4000, rng.Float64()*3000, rng.Float64()*4000-100
					lat, lon, err := g.Place(row, col, height)
					if err != nil {
						t.Fatal(err)
					}
					seconds, distance := nearest(c, ecef(lat, lon, height))
					wantRow := (seconds+1.5)*p.PRFHz - float64(offset)
					wantCol := (distance - p.FirstSampleSlantRangeM) / (299_792_458 / (2 * p.SamplingHz))
					if math.Abs(wantRow-row) > 1e-2 || math.Abs(wantCol-col) > 1e-4 {
						t.Errorf("%v, offset %d: row %v, column %v is nearest at %v, %v", side, offset, row, col, wantRow, wantCol)
					}
					// Which side: the cross product of flight and way points down to the right, up to the left.
					at, v := c.at(seconds)
					if right := dot(cross(v, minus(ecef(lat, lon, height), at)), at) < 0; right != (side == "right") {
						t.Errorf("%s: it lies on the other side", side)
					}
					r, k, err := g.Pixel(lat, lon, height)
					if err != nil || math.Abs(r-row) > 1e-5 || math.Abs(k-col) > 1e-5 {
						t.Errorf("there and back: %v, %v is %v, %v: %v", row, col, r, k, err)
					}
				}
			}
		}
	}
}

func TestPlacesThatAreNotSeen(t *testing.T) {
	p := scene(polar, "right")
	g, err := NewGeometry(p, 0)
	if err != nil {
		t.Fatal(err)
	}
	left, err := NewGeometry(scene(polar, "left"), 0)
	if err != nil {
		t.Fatal(err)
	}
	lat, lon, err := left.Place(100, 100, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, place := range map[string][2]float64{"other side": {lat, lon}, "behind the Earth": {-lat, lon + 180}, "far along the track": {lat - 20, lon}} {
		if row, col, err := g.Pixel(place[0], place[1], 0); !errors.Is(err, ErrNotSeen) {
			t.Errorf("%s: %v %v %v", name, row, col, err)
		}
	}
	for name, col := range map[string]float64{"short of the ground": -60_000, "horizon": 700_000, "nowhere": math.NaN()} {
		if lat, lon, err := g.Place(0, col, 0); !errors.Is(err, ErrNotSeen) {
			t.Errorf("%s: %v %v %v", name, lat, lon, err)
		}
	}
	if _, _, err := g.Pixel(math.NaN(), 0, 0); err == nil {
		t.Error("NaN is a place")
	}
}

func TestGeometryNamesWhatIsMissing(t *testing.T) {
	for want, change := range map[string]func(*Params){
		"start_time is missing":     func(p *Params) { p.StartTime = time.Time{} },
		"look_side is missing":      func(p *Params) { p.LookSide = "" },
		`look_side is "north"`:      func(p *Params) { p.LookSide = "north" },
		"prf_hz is 0":               func(p *Params) { p.PRFHz = 0 },
		"sampling_hz is 0":          func(p *Params) { p.SamplingHz = 0 },
		"orbit: there are no state": func(p *Params) { p.Orbit = nil },
		"row 0: orbit: ":            func(p *Params) { p.StartTime = epoch.Add(-time.Hour) },
		"row 3999: orbit: ":         func(p *Params) { p.StartTime = epoch.Add(69 * time.Second) },
	} {
		p := scene(polar, "right")
		change(&p)
		if _, err := NewGeometry(p, 0); err == nil || len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestEffectiveVelocityIsThatOfTheWayOverGround(t *testing.T) {
	for _, centroid := range []float64{0, -6900} {
		p := scene(polar, "right")
		g, err := NewGeometry(p, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, col := range []float64{0, 1500, 2999} {
			got, err := g.EffectiveVelocity(col, centroid)
			if err != nil {
				t.Fatal(err)
			}
			// The true range history around the beam's centre, and the best hyperbola of any: A + Bη + Vr² η².
			lat, lon, err := g.Place(1999.5, col, 0)
			if err != nil {
				t.Fatal(err)
			}
			target := ecef(lat, lon, 0)
			seconds, r0 := nearest(polar, target)
			lambda := 299_792_458 / p.CarrierHz
			doppler := func(s float64) float64 {
				const h = 1e-3
				a, _ := polar.at(seconds + s - h)
				b, _ := polar.at(seconds + s + h)
				return -2 / lambda * (norm(minus(b, target)) - norm(minus(a, target))) / (2 * h)
			}
			crossing := func(f float64) float64 { // Doppler falls with time
				a, b := -20.0, 20.0
				for range 60 {
					if m := (a + b) / 2; doppler(m) > f {
						a = m
					} else {
						b = m
					}
				}
				return (a + b) / 2
			}
			from, to := crossing(centroid+p.PRFHz/2), crossing(centroid-p.PRFHz/2)
			// Its phase error over the aperture, once a place and a constant are free.
			worst := 0.0
			phase := func(x float64) float64 {
				at, _ := polar.at(seconds + x)
				return 4 * math.Pi / lambda * (norm(minus(at, target)) - math.Sqrt(r0*r0+got*got*x*x))
			}
			a, m, b := phase(from), phase((from+to)/2), phase(to)
			worst = math.Abs(m - (a+b)/2)
			t.Logf("column %v, centroid %v Hz: %.3f m/s, aperture %.3f s around %.3f s, curved by %.4f rad", col, centroid, got, to-from, (from+to)/2, worst)
			if worst > 0.05 {
				t.Errorf("column %v, centroid %v: the hyperbola of %v m/s is %.3f rad off in the middle of the aperture", col, centroid, got, worst)
			}
		}
	}
}

func TestViewAgreesWithPlaces(t *testing.T) {
	for _, side := range []string{"right", "left"} {
		g, err := NewGeometry(scene(polar, side), 0)
		if err != nil {
			t.Fatal(err)
		}
		view, err := g.View(2000, 1500, 0)
		if err != nil {
			t.Fatal(err)
		}
		xyz := func(row, col float64) [3]float64 {
			lat, lon, err := g.Place(row, col, 0)
			if err != nil {
				t.Fatal(err)
			}
			return ecef(lat, lon, 0)
		}
		rangeStep := norm(minus(xyz(2000, 1505), xyz(2000, 1495))) / 10
		if math.Abs(rangeStep/view.GroundRange-1) > 1e-4 {
			t.Error("ground range", rangeStep, view.GroundRange)
		}
		rowStep := norm(minus(xyz(2005, 1500), xyz(1995, 1500))) / 10
		if math.Abs(rowStep/view.GroundTrack-1) > 1e-3 {
			t.Error("ground track", rowStep, view.GroundTrack)
		}
		if view.Incidence < 30 || view.Incidence > 45 || math.Abs(view.AntennaAbove-800_000) > 20_000 {
			t.Errorf("%+v", view)
		}
		// Ascending, to the right: the antenna is in the west.
		if _, v := polar.at(0); (v[2] > 0) != view.Ascending || (side == "right") != ((view.Azimuth > 180) == view.Ascending) {
			t.Errorf("%s: %+v", side, view)
		}
	}
}

func TestFootprintIsClosedAroundTheImage(t *testing.T) {
	g, err := NewGeometry(scene(polar, "right"), 0)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := g.Footprint(0)
	if err != nil {
		t.Fatal(err)
	}
	if len(ring) != 4*sidePoints+1 || ring[0] != ring[len(ring)-1] {
		t.Fatal(len(ring), ring[0], ring[len(ring)-1])
	}
	if lat, lon, err := g.Place(2000, 1500, 0); err != nil || !odd([][][2]float64{ring}, lat, lon) {
		t.Error("the middle lies outside", lat, lon, err)
	}
	if lat, lon, err := g.Place(-10, 1500, 0); err != nil || odd([][][2]float64{ring}, lat, lon) {
		t.Error("what lies before the first row is inside", lat, lon, err)
	}
}
