package event

import (
	"fmt"
	"math"
	"time"
)

// Radar is the section of the manifest of an acquisition of raw radar echoes: a scene whose tiles are blocks of
// lines, tile 0_<index> for each of Blocks, and whose image the cloud focuses of them. Width is then Samples,
// Height is Lines, DataType is RadarDataType, and Grid says Cols 1 and Rows len(Blocks) and nothing else, so that a
// cloud that knows no radar refuses the manifest. Names and units are those of the acquisition's YAML file
// (docs/sar.md).
type Radar struct {
	Lines   int          `json:"lines"`   // of echoes, and rows of the image
	Samples int          `json:"samples"` // of a line, and columns of the image
	Format  string       `json:"format"`  // of a sample as the device stored it: iq8, iq16 or cf32
	Blocks  []RadarBlock `json:"blocks"`  // in the order of their rows

	CentroidHz     float64 `json:"centroid_hz"`    // of the Doppler spectrum, absolute
	Ambiguity      int     `json:"ambiguity"`      // how many PRF of it are beyond the baseband
	CentroidFrom   string  `json:"centroid_from"`  // given or estimated
	RowOffset      int     `json:"row_offset"`     // row r lies at the zero-Doppler time (r + RowOffset) / PRFHz
	RangeWindow    string  `json:"range_window"`   // how the spectra are weighted: none, hamming, kaiser
	AzimuthWindow  string  `json:"azimuth_window"` //
	CarrierHz      float64 `json:"carrier_hz"`     //
	PRFHz          float64 `json:"prf_hz"`         //
	SamplingHz     float64 `json:"sampling_hz"`    //
	ChirpRateHzS   float64 `json:"chirp_rate_hz_s"`
	ChirpS         float64 `json:"chirp_s"`
	FirstRangeM    float64 `json:"first_sample_slant_range_m"`
	VelocityMS     float64 `json:"effective_velocity_m_s"`
	SpeedOfLightMS float64 `json:"speed_of_light_m_s"`
	FirstLine      int     `json:"first_line,omitempty"` // of the whole acquisition, where this is an excerpt
	CalibrationDB  float64 `json:"calibration_db,omitempty"`
	AntennaLengthM float64 `json:"antenna_length_m,omitempty"` // 0: not known

	// What is known of where and how it was taken; all of it may be missing.
	StartTime    time.Time     `json:"start_time,omitzero"` // of the first line
	Orbit        []RadarVector `json:"orbit,omitempty"`
	LookSide     string        `json:"look_side,omitempty"` // right or left of the flight
	Polarisation string        `json:"polarisation,omitempty"`
	Platform     string        `json:"platform,omitempty"`
	Instrument   string        `json:"instrument,omitempty"`
	Mode         string        `json:"mode,omitempty"`
	Simulated    bool          `json:"simulated,omitempty"` // nobody took it
}

// RadarBlock are the rows of the image that are made of one block.
type RadarBlock struct {
	Index    int `json:"index"`
	FirstRow int `json:"first_row"`
	Rows     int `json:"rows"`
}

// RadarVector is where the antenna was, in an Earth-fixed frame (ECEF, WGS 84).
type RadarVector struct {
	Time     time.Time  `json:"time"`
	Position [3]float64 `json:"position_m"`
	Velocity [3]float64 `json:"velocity_m_s"`
}

// RadarDataType is the DataType of a radar's manifest: that of the focused image, as GDAL names it.
const RadarDataType = "CFloat32"

// SentAmplitude is the Reason of a block of lines in place of which the device sent the image's amplitude alone.
const SentAmplitude = "amplitude"

// Bounds of an acquisition.
const (
	MaxRadarBlocks  = 100_000
	MaxRadarVectors = 1 << 14
	maxRadarLines   = 1 << 24
	maxRadarSamples = 1 << 17
)

// RadarGrid is the Grid of a manifest of so many blocks.
func RadarGrid(blocks int) SceneGrid { return SceneGrid{Cols: 1, Rows: blocks} }

// RadarTile is the name of a block's tile.
func RadarTile(index int) string { return fmt.Sprintf("0_%d", index) }

// checkRadar bounds each number before any of them size anything.
func (m Manifest) checkRadar() error {
	r := m.Radar
	switch {
	case r.Lines < 1 || r.Samples < 1:
		return fmt.Errorf("%w: radar scene %s has %d lines of %d samples", ErrMalformed, m.ID, r.Lines, r.Samples)
	case r.Lines > maxRadarLines || r.Samples > maxRadarSamples || int64(r.Lines)*int64(r.Samples) > maxScenePixels:
		return fmt.Errorf("%w: radar scene %s has %d lines of %d samples, %d lines of %d and %d samples in all are the limit",
			ErrTooLarge, m.ID, r.Lines, r.Samples, maxRadarLines, maxRadarSamples, int64(maxScenePixels))
	case m.Width != r.Samples || m.Height != r.Lines:
		return fmt.Errorf("%w: radar scene %s of %d lines and %d samples says it is %d x %d pixels", ErrMalformed, m.ID, r.Lines, r.Samples, m.Width, m.Height)
	case len(r.Blocks) < 1 || len(r.Blocks) > MaxRadarBlocks:
		return fmt.Errorf("%w: radar scene %s has %d blocks, 1 to %d are possible", ErrTooLarge, m.ID, len(r.Blocks), MaxRadarBlocks)
	case m.Grid != RadarGrid(len(r.Blocks)):
		return fmt.Errorf("%w: radar scene %s: a grid of %+v, %+v belongs to its %d blocks", ErrMalformed, m.ID, m.Grid, RadarGrid(len(r.Blocks)), len(r.Blocks))
	case m.DataType != RadarDataType:
		return fmt.Errorf("%w: radar scene %s: pixels of type %.40q, a focused image has %s", ErrMalformed, m.ID, m.DataType, RadarDataType)
	case len(r.Orbit) > MaxRadarVectors:
		return fmt.Errorf("%w: radar scene %s has %d state vectors, %d is the limit", ErrTooLarge, m.ID, len(r.Orbit), MaxRadarVectors)
	}
	next := 0
	for n, b := range r.Blocks {
		if b.Index != n || b.FirstRow < next || b.Rows < 1 || b.Rows > r.Lines-b.FirstRow {
			return fmt.Errorf("%w: radar scene %s: block %d of %d (index %d) has %d rows from row %d on: each of the %d rows belongs to one block, in order",
				ErrMalformed, m.ID, n, len(r.Blocks), b.Index, b.Rows, b.FirstRow, r.Lines)
		}
		next = b.FirstRow + b.Rows
	}
	return r.checkNumbers(m.ID)
}

// checkNumbers refuses what no radar has.
func (r *Radar) checkNumbers(id string) error {
	if err := checkNames(r.Format, r.CentroidFrom, r.RangeWindow, r.AzimuthWindow, r.LookSide, r.Polarisation, r.Platform, r.Instrument, r.Mode); err != nil {
		return fmt.Errorf("radar scene %s: %w", id, err)
	}
	for _, n := range []struct {
		name            string
		value, min, max float64
	}{
		{"carrier_hz", r.CarrierHz, 1e6, 1e12},
		{"prf_hz", r.PRFHz, 1e-2, 1e7},
		{"sampling_hz", r.SamplingHz, 1, 1e12},
		{"chirp_rate_hz_s", r.ChirpRateHzS, -1e18, 1e18},
		{"chirp_s", r.ChirpS, 0, 10},
		{"first_sample_slant_range_m", r.FirstRangeM, 0, 1e9},
		{"effective_velocity_m_s", r.VelocityMS, 1e-2, 1e6},
		{"speed_of_light_m_s", r.SpeedOfLightMS, 1, 1e9},
		{"centroid_hz", r.CentroidHz, -1e9, 1e9},
		{"ambiguity", float64(r.Ambiguity), -1e6, 1e6},
		{"row_offset", float64(r.RowOffset), -maxRadarLines, maxRadarLines},
		{"first_line", float64(r.FirstLine), 0, 1e12},
		{"calibration_db", r.CalibrationDB, -1000, 1000},
		{"antenna_length_m", r.AntennaLengthM, 0, 1e4},
	} {
		if !(n.value >= n.min && n.value <= n.max) { // false also of what is no number
			return fmt.Errorf("%w: radar scene %s: %s is %v, %g to %g is possible", ErrMalformed, id, n.name, n.value, n.min, n.max)
		}
	}
	for k, v := range r.Orbit {
		if k > 0 && !v.Time.After(r.Orbit[k-1].Time) {
			return fmt.Errorf("%w: radar scene %s: state vector %d is not later than the one before", ErrMalformed, id, k)
		}
		for axis := range 3 {
			if !(math.Abs(v.Position[axis]) <= 1e9 && math.Abs(v.Velocity[axis]) <= 1e6) {
				return fmt.Errorf("%w: radar scene %s: state vector %d is at %v m with %v m/s", ErrMalformed, id, k, v.Position, v.Velocity)
			}
		}
	}
	return nil
}
