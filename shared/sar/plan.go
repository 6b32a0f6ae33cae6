package sar

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"cloudcanvas/shared/fft"
)

// guard is how many lines beyond the aperture a block has at each end: with the soft ends of the band in azimuth
// (softEdge) what is left there is 70 dB below the image (TestBlocksAreTheWhole); with 48 it is 55 dB.
const guard = 96

// maxPhaseError is in degrees: a quadratic phase of that much at the ends of a band widens a point by a hundredth.
const maxPhaseError = 45

// Centroid is the Doppler frequency of the middle of the beam.
type Centroid struct {
	Hz         float64 `json:"hz"`          // absolute
	BasebandHz float64 `json:"baseband_hz"` // within half a PRF
	Ambiguity  int     `json:"ambiguity"`   // Hz = BasebandHz + Ambiguity · PRF
	From       string  `json:"from"`        // given or estimated
	// Of an estimate: how many lines were read for it, by what the ambiguity was found (azimuth looks or range
	// looks), and how clearly: by how many times its noise it stands out.
	Lines   int     `json:"lines,omitempty"`
	By      string  `json:"by,omitempty"`
	Clarity float64 `json:"clarity,omitempty"`
}

// Weighting is how the two spectra are weighted before the last transforms.
type Weighting struct {
	Range   string `json:"range"`   // none, hamming or kaiser (β 2.5)
	Azimuth string `json:"azimuth"` // likewise
}

// Plan is all that focusing depends on beside the echoes.
type Plan struct {
	Params   Params    `json:"params"`
	Centroid Centroid  `json:"centroid"`
	Weights  Weighting `json:"weights"`
	// RowOffset is how many lines after row r's own line its ground is nearest: whole lines, 0 without squint.
	RowOffset int `json:"row_offset"`
	// Rows from FullFrom up to FullTo were seen in all of an aperture as wide as the PRF, and columns from
	// FullFromCol up to FullToCol in all of the chirp; the others are there with what was seen of them.
	FullFrom    int `json:"full_from"`
	FullTo      int `json:"full_to"`
	FullFromCol int `json:"full_from_col"`
	FullToCol   int `json:"full_to_col"`
	// PhaseErrorDeg is by how much chirp scaling is off at the ends of the swath and of the bands, in degrees.
	PhaseErrorDeg float64 `json:"phase_error_deg"`
	Blocks        []Block `json:"blocks"`
}

// Block is a run of the image's rows and the lines that they are made of. Lines outside the acquisition are zeros.
type Block struct {
	Index    int `json:"index"`
	From     int `json:"from"`      // its first line, may be negative
	Lines    int `json:"lines"`     // may end after the last line
	FirstRow int `json:"first_row"` // of the image
	Rows     int `json:"rows"`
}

// Image is rows of a focused image, each of Cols samples.
type Image struct {
	FirstRow, Rows, Cols int
	Pix                  []complex64

	whole []complex64 // of which Pix is a part
}

// buffers are what blocks are focused in, used again: a fresh one costs a fifth of the time, page by page.
var buffers sync.Pool

func takeBuffer() []complex64 {
	if b, ok := buffers.Get().(*[]complex64); ok {
		return *b
	}
	return nil
}

// Release gives the memory of an image back to those that are focused next. Who doesn't call it leaves it to the
// garbage collector; who does may not use Pix any more.
func (im *Image) Release() {
	if im.whole != nil {
		whole := im.whole
		buffers.Put(&whole)
	}
	im.Pix, im.whole = nil, nil
}

// NewPlan cuts an acquisition into blocks of which two, with all that focusing needs, fit into memory bytes. Its
// parameters hold the effective velocity of the orbit where none is given.
func NewPlan(p Params, c Centroid, w Weighting, memory int64) (*Plan, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	p, err := p.withVelocity(c.Hz)
	if err != nil {
		return nil, fmt.Errorf("plan of echoes: %w", err)
	}
	plan := &Plan{Params: p, Centroid: c, Weights: w}
	if err := errors.Join(w.check(), plan.checkCentroid()); err != nil {
		return nil, err
	}
	g := p.geometry(c.Hz)
	plan.PhaseErrorDeg = g.phaseError(p.Bandwidth()) * 180 / math.Pi
	plan.RowOffset = g.rowOffset()
	before, after := plan.reach()
	plan.FullFrom, plan.FullTo = min(before, p.Lines), max(p.Lines-after, 0)
	half, most := p.ChirpS/2*p.SamplingHz, g.drift()
	plan.FullFromCol = max(0, int(math.Ceil(half-g.shift*g.sampling)))
	plan.FullToCol = max(0, min(p.Samples, p.Samples-int(math.Ceil(half+most+g.shift*g.sampling))))
	if plan.FullTo <= plan.FullFrom {
		plan.FullFrom, plan.FullTo = 0, 0
	}
	if err := plan.cut(memory); err != nil {
		return nil, err
	}
	return plan, plan.Check()
}

// reach is how many lines before and after its own a row is made of.
func (p *Plan) reach() (before, after int) {
	g := p.Params.geometry(p.Centroid.Hz)
	var low, high float64
	for i, r := range []float64{g.first, p.Params.RangeM(float64(p.Params.Samples))} {
		for j, f := range []float64{g.centroid - g.prf/2, g.centroid + g.prf/2} {
			lag := g.lag(r, f)
			slack := math.Abs(lag) * g.sampling / 2 / g.carrier // of the ends of the band in range
			if lag += float64(p.RowOffset); i+j == 0 {
				low, high = lag-slack, lag+slack
			}
			low, high = min(low, lag-slack), max(high, lag+slack)
		}
	}
	return int(math.Ceil(-low)), int(math.Ceil(high))
}

// drift is how many columns at most an echo lies behind its range of closest approach.
func (g *geometry) drift() float64 {
	far := g.first + float64(g.step*float64(g.columns))
	d := min(g.migration(g.centroid-g.prf/2), g.migration(g.centroid+g.prf/2))
	return far * (1/d - 1) / g.step
}

// width is the length of the transforms in range: what an echo and its migration reach beyond a line may not come
// around at the other end.
func (p *Plan) width() int {
	g := p.Params.geometry(p.Centroid.Hz)
	return fft.Good(p.Params.Samples + int(math.Ceil(float64(p.Params.ChirpS/2*g.sampling)+float64(g.shift*g.sampling)+g.drift())) + 16)
}

// memory is what focusing a block of lines needs at most, with its raw lines.
func (p *Plan) memory(lines int) int64 {
	return int64(lines) * (int64(p.width())*8 + int64(p.Params.Samples)*int64(p.Params.Format.Bytes()))
}

func (p *Plan) cut(memory int64) error {
	before, after := p.reach()
	before, after = before+guard, after+guard
	overlap := before + after
	// The longest block that fits, of a length that transforms well.
	lines := 0
	for n := fft.Good(overlap + 1); n > 0 && 2*p.memory(n) <= memory; n = fft.Good(n + 1) {
		if lines = n; n >= p.Params.Lines+overlap {
			break
		}
	}
	if fft.Good(overlap+1) == 0 {
		return fmt.Errorf("plan of echoes: a row would be made of %d lines, more than can be transformed: correct effective_velocity_m_s, prf_hz or doppler_centroid_hz", overlap+1)
	}
	if lines == 0 {
		need := 2 * p.memory(fft.Good(overlap+1))
		return fmt.Errorf("plan of echoes: two blocks of at least %d lines (an aperture of %d and its guard) need %d MiB, there are %d: give it more memory, or cut the swath (samples)",
			fft.Good(overlap+1), overlap-2*guard, need>>20+1, memory>>20)
	}
	count := (p.Params.Lines + lines - overlap - 1) / (lines - overlap)
	rows := (p.Params.Lines + count - 1) / count
	lines = fft.Good(rows + overlap)
	if count > maxBlocks {
		return fmt.Errorf("plan of echoes: it would be %d blocks of %d rows, %d are possible: give it more memory", count, rows, maxBlocks)
	}
	for first := 0; first < p.Params.Lines; first += rows {
		p.Blocks = append(p.Blocks, Block{
			Index: len(p.Blocks), From: first - before, Lines: lines, FirstRow: first, Rows: min(rows, p.Params.Lines-first),
		})
	}
	return nil
}

// Stored are the lines of a block that the acquisition has: from, and how many.
func (p *Plan) Stored(b Block) (from, lines int) {
	from = max(b.From, 0)
	return from, max(0, min(b.From+b.Lines, p.Params.Lines)-from)
}
