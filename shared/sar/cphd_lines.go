package sar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"

	"cloudcanvas/shared/fft"
)

// cphdEchoes gives the lines of a CPHD file as the radar would have recorded them with a chirp. For a point whose
// echo comes Δ after that of the reference point, which itself takes τs, a vector has the phase SGN·fx·Δ (in turns)
// at the frequency fx in the domain FX, and a peak of the phase SGN·fxC·Δ at Δ in the domain TOA. An echo's spectrum
// around the carrier f0 has the phase -(f0 + f)(τs + Δ), and that of the chirp besides:
//
//	FX:  conj if SGN > 0 ─▶ · exp(-2πi fx τs) ─▶ inverse transform ─┐
//	TOA: conj if SGN > 0 ─▶ · exp(-2πi fxC τs), moved by τs ─────────┴▶ what is good, in place ─▶ chirp ─▶ a line
//
// The delay τs is that of light in a vacuum, so that what the provider took off for the air stays off.
type cphdEchoes struct {
	*cphd
	*cphdVectors
	params  Params
	carrier float64
	first   float64 // delay of the first sample
	bins    int     // FX: samples of the band, from the bin firstBin on, of which middleBin is the carrier
	firstBin, middleBin,
	length int // of the transforms of vectors
	vector, line *fft.Plan
	chirp        fft.Phase
	window       []float32
}

// chirpBT is the time-bandwidth product of the chirp that takes the place of the pulse that the provider compressed:
// long enough for a spectrum as the formulas have it, short against a swath.
const chirpBT = 600

// newCPHDEchoes opens a file that begins as CPHD does.
func newCPHDEchoes(path string) (e *cphdEchoes, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
			err = fmt.Errorf("open echoes %s: CPHD: %w", path, err)
		}
	}()
	e = &cphdEchoes{}
	if e.cphd, err = openCPHD(f); err != nil {
		return nil, err
	}
	if e.cphdVectors, err = e.cphd.vectors(); err != nil {
		return nil, err
	}
	if err = e.plan(); err != nil {
		return nil, err
	}
	return e, e.describe(filepath.Base(path))
}

// plan finds the grid of the lines and the lengths of the transforms.
func (e *cphdEchoes) plan() (err error) {
	p, n := &e.params, e.meta.Data.Channel[0].NumSamples
	band := e.fx2 - e.fx1
	if e.meta.Global.DomainType == "FX" {
		e.firstBin = max(0, int(math.Ceil((e.fx1-e.sc0)/e.scss-1e-6)))
		last := min(n-1, int(math.Floor((e.fx2-e.sc0)/e.scss+1e-6)))
		if e.bins = last - e.firstBin + 1; e.bins < 16 {
			return fmt.Errorf("FX1 %v to FX2 %v are %d of its samples (SC0 %v, SCSS %v): at least 16 are needed", e.fx1, e.fx2, max(e.bins, 0), e.sc0, e.scss)
		}
		e.middleBin = (e.firstBin + last + 1) / 2
		e.carrier = e.sc0 + float64(e.middleBin)*e.scss
		e.length = fft.Good(e.bins + e.bins/5)
		band = min(band, float64(e.bins)*e.scss)
		p.SamplingHz = float64(e.length) * e.scss
	} else {
		e.carrier = (e.fx1 + e.fx2) / 2
		e.length = fft.Good(n + 64)
		p.SamplingHz = 1 / e.scss
		if band > p.SamplingHz {
			return fmt.Errorf("FX1 %v to FX2 %v are %.6g Hz, more than its samples have (SCSS %v s)", e.fx1, e.fx2, band, e.scss)
		}
	}
	swath := (e.longest - e.shortest) * p.SamplingHz
	if !(swath >= 100 && swath < maxCPHDSamples) {
		return fmt.Errorf("TOA1 to TOA2 are %.6g samples of range, not 100 to %d", swath, maxCPHDSamples)
	}
	for i, v := range e.all {
		if (v.toa2-v.toa1)*p.SamplingHz > float64(e.length) {
			return fmt.Errorf("vector %d: TOA1 %v to TOA2 %v are more than its samples say unambiguously (%.6g s)", i, v.toa1, v.toa2, float64(e.length)/p.SamplingHz)
		}
	}
	p.ChirpS = min(chirpBT, max(60, swath/2*band/p.SamplingHz)) / band
	p.ChirpRateHzS = band / p.ChirpS
	half := math.Ceil(p.ChirpS / 2 * p.SamplingHz)
	e.first = e.shortest - half/p.SamplingHz
	if p.Samples = int(math.Ceil(swath) + 2*half + 1); !(e.first > 0) || p.Samples > maxCPHDSamples {
		return fmt.Errorf("TOA1 to TOA2 are %d samples of range from %.6g s on", p.Samples, e.first)
	}
	if e.vector, err = fft.NewPlan(e.length); err != nil {
		return err
	}
	if e.line, err = fft.NewPlan(fft.Good(p.Samples)); err != nil {
		return err
	}
	step := p.SamplingHz / float64(e.line.Len())
	e.chirp = fft.Phase{A: 1. / 8, C: -step * step / (2 * p.ChirpRateHzS)} // by the principle of stationary phase
	e.window = make([]float32, e.line.Len())
	// A point of amplitude 1 in the file has amplitude 1 in the lines.
	level, edge := p.SamplingHz/math.Sqrt(p.ChirpRateHzS), band/2+e.scss
	if e.meta.Global.DomainType == "TOA" {
		level, edge = band/math.Sqrt(p.ChirpRateHzS), band/2
	}
	for k := range e.window {
		bin := k
		if k >= (len(e.window)+1)/2 {
			bin -= len(e.window)
		}
		if math.Abs(float64(bin))*step <= edge {
			e.window[k] = float32(level)
		}
	}
	return nil
}

// describe says of the lines what a file of parameters would.
func (e *cphdEchoes) describe(name string) error {
	p := &e.params
	p.Data, p.Format, p.Mode, p.PulseReference = name, CF32, "stripmap", "centre"
	p.Lines, p.PRFHz, p.CarrierHz, p.SpeedOfLightMS = len(e.all), e.prf, e.carrier, light
	p.FirstSampleSlantRangeM = e.first * light / 2
	p.StartTime = e.start.Add(duration(e.all[0].seconds))
	p.Orbit, p.Polarisation, p.Platform = e.states, e.meta.polarisation(), e.meta.CollectionID.CollectorName
	o, err := NewOrbit(e.states)
	if err != nil {
		return err
	}
	at, v, _ := o.at(o.since(e.start.Add(duration(e.all[len(e.all)/2].seconds))))
	p.LookSide = "left"
	if dot(minus(e.srp, at), cross(v, at)) > 0 {
		p.LookSide = "right"
	}
	g, err := NewGeometry(*p, 0)
	if err != nil {
		return err
	}
	if p.EffectiveVelocityMS, err = g.EffectiveVelocity(float64(p.Samples-1)/2, 0); err != nil {
		return err
	}
	return p.Check()
}

// lines are some of them as CF32.
func (e *cphdEchoes) lines(from, lines int) ([]byte, error) {
	samples, width := e.params.Samples, e.line.Len()
	out := make([]byte, 0, lines*samples*8)
	batch := max(16, (16<<20)/(8*(e.length+width)))
	threads := runtime.GOMAXPROCS(0)
	for at := from; at < from+lines; at += batch {
		n := min(batch, from+lines-at)
		raw, err := e.signal(at, n)
		if err != nil {
			return nil, err
		}
		vectors, rows := make([]complex64, n*e.length), make([]complex64, n*width)
		places, phases, chirps := make([]int, n), make([]fft.Phase, n), make([]fft.Phase, n)
		for i := range n {
			row := vectors[i*e.length : (i+1)*e.length]
			if places[i], phases[i], err = e.unpack(row, raw[i*len(raw)/n:(i+1)*len(raw)/n], &e.all[at+i]); err != nil {
				return nil, fmt.Errorf("vector %d: %w", at+i, err)
			}
			chirps[i] = e.chirp
		}
		if e.meta.Global.DomainType == "FX" {
			e.vector.Rows(vectors, e.length, n, true, threads)
		} else {
			e.vector.Through(vectors, e.length, n, nil, phases, nil, nil, e.length/2, threads)
		}
		for i := range n {
			e.put(rows[i*width:i*width+samples], vectors[i*e.length:(i+1)*e.length], places[i], &e.all[at+i])
		}
		e.line.Through(rows, width, n, nil, chirps, nil, e.window, (width+1)/2, threads)
		for i := range n {
			for _, v := range rows[i*width : i*width+samples] {
				out = binary.LittleEndian.AppendUint32(out, math.Float32bits(real(v)))
				out = binary.LittleEndian.AppendUint32(out, math.Float32bits(imag(v)))
			}
		}
	}
	return out, nil
}

// unpack reads a vector's samples, ready for the transform. place is the sample of the line that the transform's
// first one will be.
func (e *cphdEchoes) unpack(row []complex64, raw []byte, v *cphdVector) (place int, phase fft.Phase, err error) {
	samples := e.meta.Data.Channel[0].NumSamples
	values := make([]complex64, samples)
	if !e.meta.unpack(values, raw, v.gain) {
		return 0, phase, errors.New("its signal holds NaN or infinite numbers: mend or leave out that part of the file")
	}
	if e.meta.Global.SGN > 0 {
		for i, x := range values {
			values[i] = complex(real(x), -imag(x))
		}
	}
	rate := e.params.SamplingHz
	if e.meta.Global.DomainType == "TOA" {
		copy(row, values)
		exact := (v.delay + e.sc0 - e.first) * rate
		place = int(math.Floor(exact))
		turns := -e.carrier * v.delay
		return place, fft.Phase{A: turns - math.Round(turns), B: -(exact - float64(place)) / float64(e.length)}, nil
	}
	place = int(math.Floor((v.delay + v.toa1 - e.first) * rate))
	start := e.first + float64(place)/rate
	bin := e.sc0 + float64(e.firstBin)*e.scss
	turns := (bin-e.carrier)*start - bin*v.delay
	used := values[e.firstBin : e.firstBin+e.bins]
	fft.Rotate(used, fft.Phase{A: turns - math.Round(turns), B: e.scss * (start - v.delay)})
	upper := e.middleBin - e.firstBin // from here on frequencies are above the carrier
	copy(row, used[upper:])
	copy(row[e.length-upper:], used[:upper])
	return place, phase, nil
}

// put lays what is good of a transformed vector into a line.
func (e *cphdEchoes) put(line, vector []complex64, place int, v *cphdVector) {
	rate := e.params.SamplingHz
	low := int(math.Ceil((v.delay + v.toa1 - e.first) * rate))
	high := int(math.Floor((v.delay + v.toa2 - e.first) * rate))
	low, high = max(low, place, 0), min(high, place+len(vector)-1, len(line)-1)
	if low <= high {
		copy(line[low:high+1], vector[low-place:])
	}
}

// unpack takes big-endian samples as numbers; false: some of them are none.
func (m *cphdMeta) unpack(values []complex64, raw []byte, gain float32) bool {
	for i := range values {
		var re, im float32
		switch m.Data.SignalArrayFormat {
		case "CI2":
			re, im = float32(int8(raw[2*i])), float32(int8(raw[2*i+1]))
		case "CI4":
			re, im = float32(int16(binary.BigEndian.Uint16(raw[4*i:]))), float32(int16(binary.BigEndian.Uint16(raw[4*i+2:])))
		default:
			re, im = math.Float32frombits(binary.BigEndian.Uint32(raw[8*i:])), math.Float32frombits(binary.BigEndian.Uint32(raw[8*i+4:]))
		}
		if re-re != 0 || im-im != 0 {
			return false
		}
		values[i] = complex(re*gain, im*gain)
	}
	return true
}
