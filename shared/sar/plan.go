package sar

import (
	"context"
	"errors"
)

var errUnbuilt = errors.New("sar: not built yet")

// Centroid is the Doppler frequency of the middle of the beam.
type Centroid struct {
	Hz         float64 `json:"hz"`          // absolute
	BasebandHz float64 `json:"baseband_hz"` // within half a PRF
	Ambiguity  int     `json:"ambiguity"`   // Hz = BasebandHz + Ambiguity · PRF
	From       string  `json:"from"`        // given or estimated
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
	RowOffset int     `json:"row_offset"`
	Blocks    []Block `json:"blocks"`
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
}

// NewPlan cuts an acquisition into blocks of which two, with all that focusing needs, fit into memory bytes.
func NewPlan(p Params, c Centroid, w Weighting, memory int64) (*Plan, error) { return nil, errUnbuilt }

// Focus makes the rows of a block of its lines: raw holds those of the lines that the acquisition has
// (Plan.Stored), as the file has them, gains a factor for each of them (nil: 1).
func (p *Plan) Focus(ctx context.Context, b Block, raw []byte, gains []float32) (*Image, error) {
	return nil, errUnbuilt
}

// Stored are the lines of a block that the acquisition has: from, and how many.
func (p *Plan) Stored(b Block) (from, lines int) {
	from = max(b.From, 0)
	return from, max(0, min(b.From+b.Lines, p.Params.Lines)-from)
}
