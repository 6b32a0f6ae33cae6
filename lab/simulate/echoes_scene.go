package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
)

// lit is a point scatterer.
type lit struct {
	kind             string // point, or ship: one of its scatterers
	ship             int
	row, col         float64
	zero             float64 // seconds after the first line when it is nearest
	r0               float64
	amplitude, phase float64
	first, last      int // lines that hear it
}

// echoScene is what there is to hear.
type echoScene struct {
	points  []lit // by their first line
	longest int   // lines that one is heard
	ships   []vessel
	clutter *clutter
}

// vessel is a ship: a line of scatterers.
type vessel struct {
	row, col       float64 // its middle
	lengthM, peak  float64
	headingDeg     float64 // from the direction of rows to that of columns
	scatterers     int
	rowLow, rowTop float64
	colLow, colTop float64
}

func (g *echoGeometry) scene() (*echoScene, error) {
	clutter, err := g.newClutter()
	if err != nil {
		return nil, err
	}
	m := &echoScene{clutter: clutter}
	random := rand.New(rand.NewPCG(mix(g.Seed^0x5419), 7))
	points := g.Points
	if len(points) == 0 && g.Scene == "points" {
		points = g.threeByThree()
	}
	for _, p := range points {
		if p.Amplitude == 0 {
			p.Amplitude = 2
		}
		m.add(g, lit{kind: "point", ship: -1, row: p.Row, col: p.Col, amplitude: p.Amplitude, phase: p.PhaseRad})
	}
	for range g.Ships {
		if err := m.launch(g, random); err != nil {
			return nil, err
		}
	}
	sort.SliceStable(m.points, func(i, j int) bool { return m.points[i].first < m.points[j].first })
	for _, p := range m.points {
		m.longest = max(m.longest, p.last-p.first+1)
	}
	return m, nil
}

func (m *echoScene) add(g *echoGeometry, p lit) {
	p.zero, p.r0 = (p.row+float64(g.rowOffset))/g.Radar.PRFHz, g.slantRange(p.col)
	p.first, p.last = g.heard(p.zero, p.r0)
	m.points = append(m.points, p)
}

// heard are the first and last lines in which something is within the beam.
func (g *echoGeometry) heard(zero, r0 float64) (first, last int) {
	a, b := zero+g.after(r0, g.DopplerHz+g.reach()), zero+g.after(r0, g.DopplerHz-g.reach())
	return int(math.Ceil(a * g.Radar.PRFHz)), int(math.Floor(b * g.Radar.PRFHz))
}

// heard are the points that a line may hear.
func (m *echoScene) heard(line int) []lit {
	from := sort.Search(len(m.points), func(i int) bool { return m.points[i].first > line-m.longest })
	to := sort.Search(len(m.points), func(i int) bool { return m.points[i].first > line })
	return m.points[from:max(from, to)]
}

// whole are the rows and columns whose echoes are all within the lines and samples.
func (g *echoGeometry) whole() (row0, row1, col0, col1 float64) {
	row0, row1, col0, col1 = math.Inf(-1), math.Inf(1), math.Inf(-1), math.Inf(1)
	last := float64(g.Radar.Samples - 1)
	for _, col := range []float64{0, last} {
		r0 := g.slantRange(col)
		first, end := g.heard(float64(g.rowOffset)/g.Radar.PRFHz, r0) // of row 0
		row0, row1 = max(row0, float64(-first)), min(row1, float64(g.Radar.Lines-1-end))
		var far float64
		for _, hz := range []float64{g.DopplerHz - g.reach(), g.DopplerHz + g.reach()} {
			far = max(far, math.Hypot(r0, g.Radar.EffectiveVelocityMS*g.after(r0, hz))-r0)
		}
		half, late := g.Radar.ChirpS/2*g.Radar.SamplingHz, g.late*g.Radar.SamplingHz
		col0, col1 = max(col0, half-late), min(col1, last-half-late-far/g.cell)
	}
	return row0, row1, col0, col1
}

// threeByThree are points near, in the middle and far, within what is whole; where nothing is, the middle of the
// image alone.
func (g *echoGeometry) threeByThree() (points []EchoPoint) {
	row0, row1, col0, col1 := g.whole()
	const edge = 48 // pixels: sidelobes are to be seen
	row0, row1 = max(row0, edge), min(row1, float64(g.Radar.Lines-1-edge))
	col0, col1 = max(col0, edge), min(col1, float64(g.Radar.Samples-1-edge))
	if row1-row0 < 64 || col1-col0 < 64 {
		return []EchoPoint{{Row: math.Round(float64(g.Radar.Lines) / 2), Col: math.Round(float64(g.Radar.Samples) / 2)}}
	}
	for _, y := range []float64{0.08, 0.5, 0.92} {
		for _, x := range []float64{0.02, 0.5, 0.98} {
			points = append(points, EchoPoint{Row: math.Round(row0 + y*(row1-row0)), Col: math.Round(col0 + x*(col1-col0))})
		}
	}
	return points
}

const (
	shipApart = 60 // pixels between the middles of ships
	shipTries = 4000
)

// launch puts a ship where there is sea around, apart from the others.
func (m *echoScene) launch(g *echoGeometry, random *rand.Rand) error {
	row0, row1, col0, col1 := g.whole()
	if row1 <= row0 || col1 <= col0 {
		row0, row1, col0, col1 = 0, float64(g.Radar.Lines-1), 0, float64(g.Radar.Samples-1)
	}
	for range shipTries {
		s := vessel{row: row0 + random.Float64()*(row1-row0), col: col0 + random.Float64()*(col1-col0)}
		s.lengthM, s.headingDeg = 60+200*random.Float64(), 180*random.Float64()
		if !m.free(s) || !m.clutter.seaAround(s.row, s.col) {
			continue
		}
		g.build(m, &s, random)
		m.ships = append(m.ships, s)
		return nil
	}
	return fmt.Errorf("--ships %d: after %d there is no more room where all of a ship's echoes are heard and no land is near", g.Ships, len(m.ships))
}

func (m *echoScene) free(s vessel) bool {
	for _, other := range m.ships {
		if math.Hypot(s.row-other.row, s.col-other.col) < shipApart {
			return false
		}
	}
	return true
}

// build gives a ship a scatterer each ten metres or so, one of them the strongest.
func (g *echoGeometry) build(m *echoScene, s *vessel, random *rand.Rand) {
	alongRow := g.Radar.EffectiveVelocityMS / g.Radar.PRFHz // metres
	alongCol := g.cell / math.Sin(35*math.Pi/180)           // of ground, where nothing else is said
	if g.Place != nil {
		alongCol = g.cell / math.Sin(g.Place.IncidenceDeg*math.Pi/180)
	}
	s.scatterers = max(3, int(s.lengthM/10))
	sin, cos := math.Sincos(s.headingDeg * math.Pi / 180)
	s.rowLow, s.rowTop, s.colLow, s.colTop = s.row, s.row, s.col, s.col
	s.peak = g.pointOverSea(g.ShipDB)
	strongest := random.IntN(s.scatterers)
	for i := range s.scatterers {
		at := s.lengthM * (float64(i)/float64(s.scatterers-1) - 0.5)
		p := lit{kind: "ship", ship: len(m.ships), row: s.row + (at*cos+3*random.NormFloat64())/alongRow, col: s.col + (at*sin+3*random.NormFloat64())/alongCol,
			amplitude: s.peak * (0.1 + 0.4*random.Float64()), phase: 2 * math.Pi * random.Float64()}
		if i == strongest {
			p.amplitude = s.peak
		}
		s.rowLow, s.rowTop, s.colLow, s.colTop = min(s.rowLow, p.row), max(s.rowTop, p.row), min(s.colLow, p.col), max(s.colTop, p.col)
		m.add(g, p)
	}
}

// heardLines and chirpSamples are how much is added up to a point of the image.
func (g *echoGeometry) heardLines() float64 {
	return (g.after(g.middle, g.DopplerHz-g.BeamHz/2) - g.after(g.middle, g.DopplerHz+g.BeamHz/2)) * g.Radar.PRFHz
}

func (g *echoGeometry) chirpSamples() float64 { return g.Radar.ChirpS * g.Radar.SamplingHz }

// seaCell is the amplitude of one of the image's cells of sea, of which each adds its echo.
func (g *echoGeometry) seaCell() float64 {
	return g.SeaRMS / math.Sqrt(g.heardLines()*g.chirpSamples())
}

// pointOverSea is the amplitude of a point that stands out by dB in the image: sea adds up over a resolution cell.
func (g *echoGeometry) pointOverSea(db float64) float64 {
	over := g.Radar.SamplingHz / (math.Abs(g.Radar.ChirpRateHzS) * g.Radar.ChirpS) * g.Radar.PRFHz / g.BeamHz
	level := g.seaCell() * math.Sqrt(over)
	if level == 0 {
		level = 0.01
	}
	return level * math.Pow(10, db/20)
}
