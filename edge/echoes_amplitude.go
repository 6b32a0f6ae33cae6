package edge

import "cloudcanvas/shared/sar"

// amplitudeTiles cuts rows of an image, as blocks give them, into tiles. It holds one row of tiles.
type amplitudeTiles struct {
	rows, cols int
	half       []int16 // of the tiles that are being filled, in half dB; rows that never come have no data
	from       int     // its first row
	filled     int     // the row after the last that came
}

func newAmplitudeTiles(p *sar.Plan) *amplitudeTiles {
	t := &amplitudeTiles{rows: p.Params.Lines, cols: p.Params.Samples, half: make([]int16, min(sar.AmplitudeSide, p.Params.Lines)*p.Params.Samples)}
	t.clear()
	return t
}

func (t *amplitudeTiles) clear() {
	for i := range t.half {
		t.half[i] = sar.NoAmplitude
	}
}

// add takes rows, which come in order, and gives the tiles that they complete.
func (t *amplitudeTiles) add(im *sar.Image, give func(sar.AmplitudeTile) error) error {
	for r := range im.Rows {
		row := im.FirstRow + r
		for row >= t.from+sar.AmplitudeSide { // of these tiles nothing more comes
			if err := t.give(give); err != nil {
				return err
			}
		}
		sar.HalfDB(t.half[(row-t.from)*t.cols:(row-t.from+1)*t.cols], im.Pix[r*im.Cols:(r+1)*im.Cols])
		t.filled = row + 1
	}
	if t.filled == t.rows || t.filled == t.from+sar.AmplitudeSide {
		return t.give(give)
	}
	return nil
}

// end gives the tiles that are begun, whose last rows never came.
func (t *amplitudeTiles) end(give func(sar.AmplitudeTile) error) error {
	if t.filled > t.from {
		return t.give(give)
	}
	return nil
}

func (t *amplitudeTiles) give(give func(sar.AmplitudeTile) error) error {
	for col := 0; col < t.cols && t.filled > t.from; col += sar.AmplitudeSide {
		tile := sar.AmplitudeTile{Width: t.cols, Height: t.rows, Col: col, Row: t.from, Cols: min(sar.AmplitudeSide, t.cols-col), Rows: min(sar.AmplitudeSide, t.rows-t.from)}
		tile.SetHalfDB(t.half[col:], t.cols)
		if err := give(tile); err != nil {
			return err
		}
	}
	t.from += sar.AmplitudeSide
	t.filled = max(t.filled, t.from)
	t.clear()
	return nil
}
