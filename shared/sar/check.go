package sar

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"cloudcanvas/shared/config"
)

// Bounds of what is believed of an acquisition before anything is made of its size.
const (
	maxLines    = 1 << 24
	maxSamples  = 1 << 17
	maxBytes    = 1 << 44
	mostVectors = 1 << 10
	maxText     = 500     // bytes
	maxAperture = 1 << 17 // lines: of a beam that fills the PRF
	minBT       = 30      // cycles: below, a chirp has no spectrum worth the name
)

// Defaults are what parameters are where their file is silent.
func Defaults() Params {
	return Params{Format: IQ8, PulseReference: "centre", SpeedOfLightMS: 299792458, Mode: "stripmap"}
}

// Bytes is the size of a sample of this format; 0: there is no such format.
func (f Format) Bytes() int {
	switch f {
	case IQ8:
		return 2
	case IQ16:
		return 4
	case CF32:
		return 8
	}
	return 0
}

// Check says what is wrong with the parameters, each by its name.
func (p *Params) Check() error { return config.Check("echoes", p) }

// Problems implements config.Checker.
func (p *Params) Problems(add func(field, message, hint string)) {
	good := true
	tell := func(field, message, hint string) { good = false; add(field, message, hint) }
	p.checkNames(tell)
	p.checkNumbers(tell)
	p.checkOrbit(tell)
	if good { // what contradicts what can be said of numbers that are some
		p.checkTogether(tell)
	}
}

func (p *Params) checkNames(tell func(field, message, hint string)) {
	if p.Data == "" {
		tell("data", "is missing", "name the file of the echoes, beside this one")
	}
	for field, name := range map[string]string{"data": p.Data, "agc": p.AGC} {
		if name != "" && !filepath.IsLocal(name) {
			tell(field, fmt.Sprintf("is %q, which leads out of the folder of this file", name), "put the file beside this one and give its name alone")
		}
	}
	for field, text := range map[string]string{"data": p.Data, "agc": p.AGC, "platform": p.Platform, "instrument": p.Instrument} {
		if len(text) > maxText {
			tell(field, fmt.Sprintf("has %d bytes", len(text)), fmt.Sprintf("at most %d are possible", maxText))
		}
	}
	words := []struct {
		field, is string
		of        []string
	}{
		{"format", string(p.Format), []string{"iq8", "iq16", "cf32"}},
		{"pulse_reference", p.PulseReference, []string{"centre", "start"}},
		{"look_side", p.LookSide, []string{"right", "left", ""}},
		{"polarisation", p.Polarisation, []string{"HH", "HV", "VH", "VV", ""}},
		{"mode", p.Mode, []string{"stripmap"}},
	}
	for _, w := range words {
		if !slices.Contains(w.of, w.is) {
			tell(w.field, fmt.Sprintf("is %q", w.is), "it is one of "+strings.TrimSuffix(strings.Join(w.of, ", "), ", "))
		}
	}
}

func (p *Params) checkNumbers(tell func(field, message, hint string)) {
	for _, n := range []struct {
		field string
		is    float64
		low   float64
		high  float64
		what  string
	}{
		{"lines", float64(p.Lines), 2, maxLines, "the number of range lines"},
		{"samples", float64(p.Samples), 16, maxSamples, "the number of samples of a line"},
		{"carrier_hz", p.CarrierHz, 1e7, 1e12, "the carrier in hertz, as 5.3e9"},
		{"prf_hz", p.PRFHz, 1e-1, 1e6, "how many pulses are sent in a second, as 1257"},
		{"sampling_hz", p.SamplingHz, 1e3, 1e11, "the complex sampling rate in range in hertz, as 32.3e6"},
		{"chirp_s", p.ChirpS, 1e-9, 1, "how long a pulse lasts in seconds, as 41.75e-6"},
		{"first_sample_slant_range_m", p.FirstSampleSlantRangeM, 1, 1e9, "the slant range of the first sample in metres"},
		{"speed_of_light_m_s", p.SpeedOfLightMS, 2.99e8, 3.0e8, "leave it out: it is 299792458"},
	} {
		if !(n.is >= n.low && n.is <= n.high) {
			what := fmt.Sprintf("is %v, must be %v to %v", n.is, n.low, n.high)
			if n.is == 0 {
				what = "is missing or zero"
			}
			tell(n.field, what, n.what)
		}
	}
	rate := math.Abs(p.ChirpRateHzS)
	if !(rate >= 1 && rate <= 1e18) {
		what := fmt.Sprintf("is %v, must be 1 to 1e18 or the same below zero", p.ChirpRateHzS)
		if rate == 0 {
			what = "is missing or zero"
		}
		tell("chirp_rate_hz_s", what, "how fast the frequency of the pulse rises in hertz a second; negative where it falls")
	}
	if v := p.EffectiveVelocityMS; !(v >= 1 && v <= 1e5) && (v != 0 || len(p.Orbit) == 0) {
		what := fmt.Sprintf("is %v, must be 1 to 100000", v)
		if v == 0 {
			what = "is missing or zero, and there is no orbit"
		}
		tell("effective_velocity_m_s", what, "the velocity of the hyperbolic range equation, near that of the antenna, as 7062")
	}
	if p.FirstLine < 0 {
		tell("first_line", fmt.Sprintf("is %d", p.FirstLine), "the number of the first line within the whole acquisition, from 0")
	}
	if l := p.AntennaLengthM; l != 0 && !(l >= 0.01 && l <= 1000) {
		tell("antenna_length_m", fmt.Sprintf("is %v, must be 0.01 to 1000", l), "the antenna's length along the track; leave it out where it is not known")
	}
	if !(math.Abs(p.CalibrationDB) <= 300) {
		tell("calibration_db", fmt.Sprintf("is %v, must be -300 to 300", p.CalibrationDB), "what is added to the intensity in dB")
	}
	if c := p.DopplerCentroidHz; c != nil && !(math.Abs(*c) <= 1e7) {
		tell("doppler_centroid_hz", fmt.Sprintf("is %v", *c), "the Doppler frequency of the middle of the beam with its ambiguity; leave it out and it is estimated")
	}
}

func (p *Params) checkOrbit(tell func(field, message, hint string)) {
	if len(p.Orbit) > mostVectors {
		tell("orbit", fmt.Sprintf("has %d state vectors", len(p.Orbit)), fmt.Sprintf("leave at most %d, those around the acquisition", mostVectors))
		return
	}
	if len(p.Orbit) == 0 {
		return
	}
	if _, err := NewOrbit(p.Orbit); err != nil {
		tell("orbit", strings.TrimPrefix(err.Error(), "orbit: "), "x, y and z in metres (a second), Earth-fixed (ECEF, WGS 84), in the order of time")
	}
}

func (p *Params) checkTogether(tell func(field, message, hint string)) {
	if bytes := int64(p.Lines) * int64(p.Samples) * int64(p.Format.Bytes()); bytes > maxBytes {
		tell("lines", fmt.Sprintf("times samples is %d bytes", bytes), fmt.Sprintf("cut the acquisition into parts of at most %d bytes", int64(maxBytes)))
	}
	band := p.Bandwidth()
	switch {
	case band > p.SamplingHz*(1+1e-9):
		tell("sampling_hz", fmt.Sprintf("is %.6g, less than the chirp's band of %.6g Hz (chirp_rate_hz_s x chirp_s): the echoes would be aliased", p.SamplingHz, band),
			"correct sampling_hz, chirp_rate_hz_s or chirp_s")
	case band*p.ChirpS < minBT:
		tell("chirp_s", fmt.Sprintf("x chirp_rate_hz_s x chirp_s is a time-bandwidth product of %.3g, too little to compress (at least %d)", band*p.ChirpS, minBT),
			"correct chirp_s or chirp_rate_hz_s")
	}
	if n := p.ChirpS * p.SamplingHz; n >= float64(p.Samples) {
		tell("chirp_s", fmt.Sprintf("is %.0f samples long, but a line has %d: the chirp is longer than the swath", n, p.Samples), "correct chirp_s, sampling_hz or samples")
	}
	if t := float64(p.Samples) / p.SamplingHz; t*p.PRFHz > 1 {
		tell("prf_hz", fmt.Sprintf("is %v, but a line of %d samples at sampling_hz lasts %.4g s, longer than from pulse to pulse (%.4g s)", p.PRFHz, p.Samples, t, 1/p.PRFHz),
			"correct prf_hz, sampling_hz or samples")
	}
	v := p.EffectiveVelocityMS
	if v == 0 {
		return // of the orbit: Open looks again when it is known
	}
	if c := p.DopplerCentroidHz; c != nil && math.Abs(*c)+p.PRFHz/2 > maxSine*2*v/p.Wavelength() {
		tell("doppler_centroid_hz", fmt.Sprintf("is %v: the beam would look %.3g of the way along the track", *c, math.Abs(*c)*p.Wavelength()/2/v), "correct doppler_centroid_hz, carrier_hz or effective_velocity_m_s")
		return
	}
	if l := p.AntennaLengthM; l > 0 && p.PRFHz < 0.88*2*v/l {
		tell("prf_hz", fmt.Sprintf("is %v, below the Doppler band of %.0f Hz of an antenna of %v m at %v m/s: the echoes would be aliased in azimuth", p.PRFHz, 0.88*2*v/l, l, v),
			"correct prf_hz, antenna_length_m or effective_velocity_m_s")
	}
	if l := 2 * v / p.PRFHz; l > 100 {
		tell("prf_hz", fmt.Sprintf("is %v: at %v m/s it would sample the Doppler band only of an antenna longer than %.0f m", p.PRFHz, v, l), "correct prf_hz or effective_velocity_m_s")
	} else if a := p.aperture(); a > maxAperture {
		tell("prf_hz", fmt.Sprintf("is %v: the beam that fills it sees a point in %.0f lines, %d are possible", p.PRFHz, a, maxAperture), "correct prf_hz, effective_velocity_m_s or first_sample_slant_range_m")
	}
}

// maxSine is the sine of the largest angle off broadside at which the formulas hold.
const maxSine = 0.3

// Bandwidth is the band of the chirp in hertz.
func (p *Params) Bandwidth() float64 { return math.Abs(p.ChirpRateHzS) * p.ChirpS }

// Wavelength is that of the carrier, in metres.
func (p *Params) Wavelength() float64 { return p.light() / p.CarrierHz }

// RangeM is the slant range of closest approach of a column.
func (p *Params) RangeM(col float64) float64 {
	return p.FirstSampleSlantRangeM + col*p.light()/(2*p.SamplingHz)
}

func (p *Params) light() float64 { return cmp.Or(p.SpeedOfLightMS, 299792458) }

// aperture is the number of lines in which a beam that fills the PRF sees a point at far range.
func (p *Params) aperture() float64 {
	v := p.EffectiveVelocityMS
	return p.PRFHz * p.PRFHz * p.Wavelength() * p.RangeM(float64(p.Samples)) / (2 * v * v)
}
