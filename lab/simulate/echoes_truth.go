package simulate

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"cloudcanvas/shared/sar"
)

// EchoesTruth is what the echoes are known to hold.
type EchoesTruth struct {
	Simulated bool    `json:"simulated"`
	Seed      uint64  `json:"seed"`
	Scene     string  `json:"scene"`
	Lines     int     `json:"lines"`
	Samples   int     `json:"samples"`
	PRFHz     float64 `json:"prf_hz"`
	DopplerHz float64 `json:"doppler_centroid_hz"`
	RowOffset int     `json:"row_offset"` // rows of an image with another offset are lines_nearest less theirs
	// The bands that were heard, in shares of what the samples hold: an image without weighting has -3 dB widths of
	// 0.886 samples over these.
	RangeBand   float64 `json:"range_band"`
	AzimuthBand float64 `json:"azimuth_band"`
	// How far the band in azimuth moves from one end of the band in range to the other: with squint a point's
	// spectrum is a parallelogram.
	AzimuthSkew float64      `json:"azimuth_skew"`
	Antenna     string       `json:"antenna"`
	SeaDB       *float64     `json:"ships_over_sea_db,omitempty"`
	Saturated   float64      `json:"saturated"`
	Targets     []EchoTarget `json:"targets"`
}

// EchoTarget is a point or a ship.
type EchoTarget struct {
	Kind         string   `json:"kind"` // point or ship
	Row          float64  `json:"row"`
	Col          float64  `json:"col"`
	LineNearest  float64  `json:"line_nearest"` // when it was nearest, in lines after the first: Row + RowOffset
	ZeroDopplerS float64  `json:"zero_doppler_s"`
	SlantRangeM  float64  `json:"slant_range_m"`
	Amplitude    float64  `json:"amplitude"` // of its echoes, in stored numbers; of a ship the strongest scatterer's
	PhaseRad     *float64 `json:"phase_rad,omitempty"`
	Whole        bool     `json:"whole"` // all of its echoes are within the lines and samples
	LengthM      float64  `json:"length_m,omitempty"`
	HeadingDeg   float64  `json:"heading_from_rows_deg,omitempty"`
	// Box of a ship's scatterers: first and last row, first and last column.
	Box       []float64 `json:"box,omitempty"`
	Latitude  *float64  `json:"lat,omitempty"`
	Longitude *float64  `json:"lon,omitempty"`
}

func (g *echoGeometry) truth(m *echoScene) EchoesTruth {
	t := EchoesTruth{Simulated: true, Seed: g.Seed, Scene: g.Scene, Lines: g.Radar.Lines, Samples: g.Radar.Samples, PRFHz: g.Radar.PRFHz, DopplerHz: g.DopplerHz, RowOffset: g.rowOffset,
		RangeBand:   math.Abs(g.Radar.ChirpRateHzS) * g.Radar.ChirpS / g.Radar.SamplingHz,
		AzimuthBand: g.BeamHz / g.Radar.PRFHz, AzimuthSkew: math.Abs(g.DopplerHz*g.Radar.ChirpRateHzS) * g.Radar.ChirpS / g.Radar.CarrierHz / g.Radar.PRFHz, Antenna: g.Antenna, Targets: []EchoTarget{}}
	if len(m.ships) > 0 {
		t.SeaDB = &g.ShipDB
	}
	for _, p := range m.points {
		if p.kind == "point" {
			phase := math.Remainder(p.phase-2*math.Pi*math.Mod(2*p.r0/g.wavelength, 1), 2*math.Pi)
			x := g.target("point", p.row, p.col, p.amplitude)
			x.PhaseRad = &phase
			t.Targets = append(t.Targets, x)
		}
	}
	for _, s := range m.ships {
		x := g.target("ship", s.row, s.col, s.peak)
		x.LengthM, x.HeadingDeg, x.Box = s.lengthM, s.headingDeg, []float64{s.rowLow, s.rowTop, s.colLow, s.colTop}
		t.Targets = append(t.Targets, x)
	}
	return t
}

func (g *echoGeometry) target(kind string, row, col, amplitude float64) EchoTarget {
	row0, row1, col0, col1 := g.whole()
	nearest := row + float64(g.rowOffset)
	t := EchoTarget{Kind: kind, Row: row, Col: col, LineNearest: nearest, ZeroDopplerS: nearest / g.Radar.PRFHz, SlantRangeM: g.slantRange(col), Amplitude: amplitude,
		Whole: row >= row0 && row <= row1 && col >= col0 && col <= col1}
	if g.orbit != nil {
		if lat, lon, ok := g.orbit.place(t.ZeroDopplerS, t.SlantRangeM); ok {
			t.Latitude, t.Longitude = &lat, &lon
		}
	}
	return t
}

// describe is the YAML file beside the echoes.
func (g *echoGeometry) describe() []byte {
	var b strings.Builder
	r := g.Radar
	line := func(key, value string) { fmt.Fprintf(&b, "%s: %s\n", key, value) }
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	fmt.Fprintf(&b, "# SIMULATED by canvas simulate echoes, seed %d: nobody heard this. The truth stands in truth.json.\n", g.Seed)
	line("simulated", "true")
	line("data", r.Data)
	if r.AGC != "" {
		line("agc", r.AGC)
	}
	line("format", string(r.Format))
	line("lines", strconv.Itoa(r.Lines))
	line("samples", strconv.Itoa(r.Samples))
	for _, f := range []struct {
		key   string
		value float64
	}{
		{"carrier_hz", r.CarrierHz}, {"prf_hz", r.PRFHz}, {"sampling_hz", r.SamplingHz}, {"chirp_rate_hz_s", r.ChirpRateHzS}, {"chirp_s", r.ChirpS},
		{"first_sample_slant_range_m", r.FirstSampleSlantRangeM}, {"effective_velocity_m_s", r.EffectiveVelocityMS}, {"speed_of_light_m_s", r.SpeedOfLightMS},
		{"doppler_centroid_hz", g.DopplerHz},
	} {
		line(f.key, number(f.value))
	}
	line("pulse_reference", r.PulseReference)
	line("look_side", r.LookSide)
	line("platform", "simulated")
	line("instrument", "simulated")
	line("mode", "stripmap")
	if r.Polarisation != "" {
		line("polarisation", r.Polarisation)
	}
	if g.orbit != nil {
		line("start_time", g.Radar.StartTime.Format(time.RFC3339Nano))
		b.WriteString("orbit:\n")
		for _, v := range g.vectors() {
			triple := func(x [3]float64) string {
				return "[" + number(x[0]) + ", " + number(x[1]) + ", " + number(x[2]) + "]"
			}
			fmt.Fprintf(&b, "  - {time: %s, position_m: %s, velocity_m_s: %s}\n", v.Time.Format(time.RFC3339Nano), triple(v.Position), triple(v.Velocity))
		}
	}
	return []byte(b.String())
}

// vectors are the orbit's state each ten seconds, from well before the first time that anything was nearest to well
// after the last.
func (g *echoGeometry) vectors() (all []sar.StateVector) {
	const every = 10.0
	from := math.Min(0, float64(g.rowOffset)/g.Radar.PRFHz) - 4*every
	to := math.Max(0, float64(g.rowOffset)/g.Radar.PRFHz) + float64(g.Radar.Lines)/g.Radar.PRFHz + 4*every
	for t := from; t <= to; t += every {
		p, v := g.orbit.at(t)
		all = append(all, sar.StateVector{Time: g.Radar.StartTime.Add(time.Duration(math.Round(t * 1e9))), Position: p, Velocity: v})
	}
	return all
}
