package sar

import (
	"context"
	"fmt"
	"math"
	"math/cmplx"
)

// How much of an acquisition is looked at for its centroid.
const (
	stretches    = 3    // along the track
	stretchLines = 2048 // of each, or three apertures
	stretchWidth = 4096 // samples, in the middle of the swath
)

// EstimateCentroid is the centroid that the parameters give, or that of the echoes: the baseband by the phase from
// line to line (Cumming and Wong, 12.4.2), the ambiguity by correlating looks, see ambiguity. Of a long acquisition
// it reads three stretches.
func EstimateCentroid(ctx context.Context, e *Echoes) (Centroid, error) {
	p := &e.Params
	if p.DopplerCentroidHz != nil {
		return p.split(*p.DopplerCentroidHz, "given"), nil
	}
	s, err := newSurvey(e)
	if err != nil {
		return Centroid{}, err
	}
	lag, cells, err := s.lag(ctx)
	if err != nil {
		return Centroid{}, err
	}
	if cells == 0 {
		return Centroid{}, fmt.Errorf("%s: data: the lines that were looked at (%s) are all zeros: are these the echoes?", e.Path, s)
	}
	// A cell's phase is off by less than 1/(coherence · √samples): without any, the spectrum is flat.
	if coherence := cmplx.Abs(lag) / cells; coherence < leastCoherence(cells) {
		return Centroid{}, fmt.Errorf("%s: prf_hz: no Doppler centroid can be seen: from line to line the echoes are coherent by %.3f only. The PRF is below the Doppler band, or samples or format are others than the file's; else give doppler_centroid_hz", e.Path, coherence)
	}
	base := cmplx.Phase(lag) / (2 * math.Pi) * p.PRFHz
	c, err := s.ambiguity(ctx, base)
	if err != nil {
		return c, fmt.Errorf("%s: %w", e.Path, err)
	}
	c.Lines = s.lines * len(s.from)
	return c, nil
}

// split says which part of a centroid is its ambiguity.
func (p *Params) split(hz float64, from string) Centroid {
	n := math.Round(hz / p.PRFHz)
	return Centroid{Hz: hz, BasebandHz: hz - n*p.PRFHz, Ambiguity: int(n), From: from}
}

const (
	cellLines   = 64
	cellSamples = 256
)

// lineToLine is the sum of the coherence from line to line over cells, each of which counts alike however bright
// it is.
func lineToLine(patch []complex64, width int) (sum complex128, cells float64) {
	lines := len(patch) / width
	for top := 0; top+1 < lines; top += cellLines {
		for left := 0; left < width; left += cellSamples {
			var lag complex128
			var power float64
			for r := top; r < min(top+cellLines, lines-1); r++ {
				a, b := patch[r*width:(r+1)*width], patch[(r+1)*width:(r+2)*width]
				for c := left; c < min(left+cellSamples, width); c++ {
					x, y := complex128(a[c]), complex128(b[c])
					lag += y * cmplx.Conj(x)
					power += (real(x)*real(x) + imag(x)*imag(x) + real(y)*real(y) + imag(y)*imag(y)) / 2
				}
			}
			if power > 0 {
				sum, cells = sum+lag/complex(power, 0), cells+1
			}
		}
	}
	return sum, cells
}

// leastCoherence is what cells of noise alone do not reach.
func leastCoherence(cells float64) float64 {
	return 5/math.Sqrt(cells*cellLines*cellSamples) + 0.01
}

// lag is the sum of the coherence from line to line over all stretches, and of how many cells.
func (s *survey) lag(ctx context.Context) (lag complex128, cells float64, err error) {
	for i := range s.from {
		patch, err := s.read(ctx, i)
		if err != nil {
			return 0, 0, err
		}
		sum, n := lineToLine(patch, s.params.Samples)
		lag, cells = lag+sum, cells+n
	}
	return lag, cells, nil
}

// mostBeside is by how much of a PRF a centroid that was given may lie beside what the echoes show.
const mostBeside = 0.25

// Doubt says what of the echoes speaks against the centroid that was given; empty: nothing, or they are too few to say.
func (c Centroid) Doubt(ctx context.Context, e *Echoes) (string, error) {
	s, err := newSurvey(e)
	if err != nil {
		return "", nil
	}
	lag, cells, err := s.lag(ctx)
	if err != nil || cells == 0 {
		return "", err
	}
	if coherence := cmplx.Abs(lag) / cells; coherence < leastCoherence(cells) {
		return fmt.Sprintf("prf_hz: from line to line the echoes are coherent by %.3f only: the PRF (%g Hz) is below the Doppler band and the echoes are aliased in azimuth, or they are nearly noise alone", coherence, e.Params.PRFHz), nil
	}
	seen := cmplx.Phase(lag) / (2 * math.Pi)
	if apart := math.Abs(math.Remainder(seen-c.Hz/e.Params.PRFHz, 1)); apart > mostBeside {
		return fmt.Sprintf("doppler_centroid_hz: %.2f Hz was given, but the echoes show %.2f Hz or whole PRFs (%g Hz) beside it: correct it, or leave it out and it is estimated", c.Hz, seen*e.Params.PRFHz, e.Params.PRFHz), nil
	}
	return "", nil
}

// survey is what of an acquisition is looked at.
type survey struct {
	e      *Echoes
	params Params // of a stretch
	skip   int    // samples before it in a line
	from   []int  // the first line of each
	lines  int
}

func newSurvey(e *Echoes) (*survey, error) {
	p, err := e.Params.withVelocity(0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Path, err)
	}
	s := &survey{e: e}
	width := max(stretchWidth, 2*int(p.ChirpS*p.SamplingHz)+stretchWidth/2)
	width = min(width, p.Samples)
	s.skip = (p.Samples - width) / 2
	s.lines = min(max(stretchLines, 3*int(p.aperture())), p.Lines)
	if n := int64(s.lines) * int64(width) * 8; n > 1<<30 {
		return nil, fmt.Errorf("%s: doppler_centroid_hz is missing, and to estimate it %d lines of %d samples would be looked at at once (%d MiB): give it", e.Path, s.lines, width, n>>20)
	}
	s.from = []int{(p.Lines - s.lines) / 2}
	if p.Lines >= stretches*s.lines {
		s.from = nil
		for i := range stretches {
			s.from = append(s.from, (p.Lines-s.lines)*i/(stretches-1))
		}
	}
	s.params = p
	s.params.Lines, s.params.Samples = s.lines, width
	s.params.FirstSampleSlantRangeM = p.RangeM(float64(s.skip))
	return s, nil
}

func (s *survey) String() string {
	return fmt.Sprintf("%d times %d from %d to %d, samples %d to %d", len(s.from), s.lines, s.from[0], s.from[len(s.from)-1]+s.lines-1, s.skip, s.skip+s.params.Samples-1)
}

// read gives a stretch as numbers.
func (s *survey) read(ctx context.Context, i int) ([]complex64, error) {
	raw, gains, err := s.e.Raw(s.from[i], s.lines)
	if err != nil {
		return nil, err
	}
	p, width, size := &s.e.Params, s.params.Samples, s.e.Params.Format.Bytes()
	patch := make([]complex64, s.lines*width)
	for line := range s.lines {
		gain := float32(1)
		if gains != nil {
			gain = gains[line]
		}
		if !p.Format.unpack(patch[line*width:(line+1)*width], raw[(line*p.Samples+s.skip)*size:], gain) {
			return nil, fmt.Errorf("%s: data: line %d holds NaN or infinite numbers: mend or leave out that part of the file", s.e.Path, s.from[i]+line)
		}
	}
	return patch, ctx.Err()
}
