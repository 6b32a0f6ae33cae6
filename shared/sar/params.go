package sar

import "time"

// Params describe an acquisition: the YAML file beside its echoes. The unit is the end of each name.
type Params struct {
	Data   string `yaml:"data"`   // the file of the echoes, beside the YAML: line by line, I and Q interleaved, little endian
	AGC    string `yaml:"agc"`    // optional: the attenuation of each line in dB, a number a line; a line is multiplied by 10^(dB/20)
	Format Format `yaml:"format"` // iq8 where it is not given

	Lines   int `yaml:"lines"`
	Samples int `yaml:"samples"` // of a line

	CarrierHz    float64 `yaml:"carrier_hz"`
	PRFHz        float64 `yaml:"prf_hz"`
	SamplingHz   float64 `yaml:"sampling_hz"`
	ChirpRateHzS float64 `yaml:"chirp_rate_hz_s"` // negative: the frequency falls
	ChirpS       float64 `yaml:"chirp_s"`
	// PulseReference says which point of the pulse a range belongs to: centre (an echo of range R lasts from
	// 2R/c - T/2 to 2R/c + T/2, as in the book; the default) or start (from 2R/c to 2R/c + T).
	PulseReference string `yaml:"pulse_reference"`

	FirstSampleSlantRangeM float64 `yaml:"first_sample_slant_range_m"`
	EffectiveVelocityMS    float64 `yaml:"effective_velocity_m_s"` // 0 with an orbit: of the orbit
	SpeedOfLightMS         float64 `yaml:"speed_of_light_m_s"`     // 299792458 where it is not given
	FirstLine              int     `yaml:"first_line"`             // of the whole acquisition, where this is an excerpt

	DopplerCentroidHz *float64 `yaml:"doppler_centroid_hz"` // absolute, with its ambiguity; nil: it is estimated

	// What is known of where and how it was taken; all of it optional.
	StartTime     time.Time     `yaml:"start_time"` // of the first line
	Orbit         []StateVector `yaml:"orbit"`      // in an Earth-fixed frame (ECEF, WGS 84)
	LookSide      string        `yaml:"look_side"`  // right or left of the flight
	Polarisation  string        `yaml:"polarisation"`
	Platform      string        `yaml:"platform"`
	Instrument    string        `yaml:"instrument"`
	Mode          string        `yaml:"mode"`           // stripmap where it is not given
	CalibrationDB float64       `yaml:"calibration_db"` // added to the intensity of the products
	Simulated     bool          `yaml:"simulated"`      // nobody took it
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
	Time     time.Time  `yaml:"time"`
	Position [3]float64 `yaml:"position_m"`
	Velocity [3]float64 `yaml:"velocity_m_s"`
}
