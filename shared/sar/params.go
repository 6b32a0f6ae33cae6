package sar

import "time"

// Params describe an acquisition: the YAML file beside its echoes. The unit is the end of each name.
type Params struct {
	Data   string `yaml:"data" json:"data,omitempty"`     // the file of the echoes, beside the YAML: line by line, I and Q interleaved, little endian
	AGC    string `yaml:"agc" json:"agc,omitempty"`       // optional: the attenuation of each line in dB, a number a line; a line is multiplied by 10^(dB/20)
	Format Format `yaml:"format" json:"format,omitempty"` // iq8 where it is not given

	Lines   int `yaml:"lines" json:"lines"`
	Samples int `yaml:"samples" json:"samples"` // of a line

	CarrierHz    float64 `yaml:"carrier_hz" json:"carrier_hz,omitempty"`
	PRFHz        float64 `yaml:"prf_hz" json:"prf_hz,omitempty"`
	SamplingHz   float64 `yaml:"sampling_hz" json:"sampling_hz,omitempty"`
	ChirpRateHzS float64 `yaml:"chirp_rate_hz_s" json:"chirp_rate_hz_s,omitempty"` // negative: the frequency falls
	ChirpS       float64 `yaml:"chirp_s" json:"chirp_s,omitempty"`
	// PulseReference says which point of the pulse a range belongs to: centre (an echo of range R lasts from
	// 2R/c - T/2 to 2R/c + T/2, as in the book; the default) or start (from 2R/c to 2R/c + T).
	PulseReference string `yaml:"pulse_reference" json:"pulse_reference,omitempty"`

	FirstSampleSlantRangeM float64 `yaml:"first_sample_slant_range_m" json:"first_sample_slant_range_m,omitempty"`
	EffectiveVelocityMS    float64 `yaml:"effective_velocity_m_s" json:"effective_velocity_m_s,omitempty"` // 0 with an orbit: of the orbit
	SpeedOfLightMS         float64 `yaml:"speed_of_light_m_s" json:"speed_of_light_m_s,omitempty"`         // 299792458 where it is not given
	FirstLine              int     `yaml:"first_line" json:"first_line,omitempty"`                         // of the whole acquisition, where this is an excerpt

	AntennaLengthM    float64  `yaml:"antenna_length_m" json:"antenna_length_m,omitempty"`       // along the track; 0: not known. The PRF is held against it
	DopplerCentroidHz *float64 `yaml:"doppler_centroid_hz" json:"doppler_centroid_hz,omitempty"` // absolute, with its ambiguity; nil: it is estimated

	// What is known of where and how it was taken; all of it optional.
	StartTime     time.Time     `yaml:"start_time" json:"start_time,omitzero"` // of the first line
	Orbit         []StateVector `yaml:"orbit" json:"orbit,omitempty"`          // in an Earth-fixed frame (ECEF, WGS 84)
	LookSide      string        `yaml:"look_side" json:"look_side,omitempty"`  // right or left of the flight
	Polarisation  string        `yaml:"polarisation" json:"polarisation,omitempty"`
	Platform      string        `yaml:"platform" json:"platform,omitempty"`
	Instrument    string        `yaml:"instrument" json:"instrument,omitempty"`
	Mode          string        `yaml:"mode" json:"mode,omitempty"`                     // stripmap where it is not given
	CalibrationDB float64       `yaml:"calibration_db" json:"calibration_db,omitempty"` // added to the intensity of the products
	Simulated     bool          `yaml:"simulated" json:"simulated,omitempty"`           // nobody took it
}

// Format is how a sample is stored.
type Format string

// The formats of echoes: pairs of signed 8-bit, signed 16-bit and 32-bit floating-point numbers.
const (
	IQ8  Format = "iq8"
	IQ16 Format = "iq16"
	CF32 Format = "cf32"
)

// StateVector is where the antenna was, and how fast it moved, in metres and metres a second.
type StateVector struct {
	Time     time.Time  `yaml:"time" json:"time"`
	Position [3]float64 `yaml:"position_m" json:"position_m"`
	Velocity [3]float64 `yaml:"velocity_m_s" json:"velocity_m_s"`
}
