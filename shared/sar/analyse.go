package sar

import (
	"fmt"
	"math"
	"math/cmplx"
)

// Point is how a point target looks in an image. Widths are in samples at -3 dB, levels in dB.
//
// PSLR is the highest sidelobe over the peak, ISLR the energy of the sidelobes over that of the main lobe. The main
// lobe ends at the first minimum on each side; sidelobes count as far as ten widths from the peak. They are measured
// along the row and the column through the peak, where a squinted target's sidelobes lie a little aside of these.
type Point struct {
	Row        float64 `json:"row"` // of the peak
	Col        float64 `json:"col"`
	Power      float64 `json:"power"`       // of the peak: |pixel|²
	Phase      float64 `json:"phase_rad"`   // at the peak
	PhaseThere float64 `json:"phase_there"` // at the place that was asked for
	Doppler    float64 `json:"doppler"`     // of its spectrum's middle, cycles a row
	Range      Cut     `json:"range"`
	Azimuth    Cut     `json:"azimuth"`
}

// Cut is a response along one axis.
type Cut struct {
	IRW  float64 `json:"irw"` // width at half the power, samples
	PSLR float64 `json:"pslr_db"`
	ISLR float64 `json:"islr_db"`
}

// Analysis is how a point target is looked for.
type Analysis struct {
	Search int // how far from the place its brightest pixel may be; 0: 8
	// Doppler of the beam's middle in cycles a row (centroid over PRF), with its ambiguity: between rows the phase
	// depends on it. nil: that of the pixels, within half a cycle.
	Doppler *float64
}

const (
	searchPixels = 8
	windowSide   = 64 // pixels around the peak from which it is interpolated
	leastSide    = 32
	cutWidths    = 14 // widths on each side of the peak that a cut holds, where the image does
	mostCut      = 1024
)

// Analyse measures the point target nearest to a place of an image, in rows and columns of the whole image.
func Analyse(im *Image, row, col float64) (Point, error) { return Analysis{}.At(im, row, col) }

// At measures the brightest point near a place.
func (a Analysis) At(im *Image, row, col float64) (p Point, err error) {
	if len(im.Pix) != im.Rows*im.Cols {
		return p, fmt.Errorf("sar: an image of %d x %d pixels holds %d", im.Rows, im.Cols, len(im.Pix))
	}
	at := func(what string) error {
		return fmt.Errorf("sar: row %.1f, column %.1f: %s", row, col, what)
	}
	search := a.Search
	if search == 0 {
		search = searchPixels
	}
	y0, x0 := row-float64(im.FirstRow), col
	if !(y0 >= 0 && y0 <= float64(im.Rows-1) && x0 >= 0 && x0 <= float64(im.Cols-1)) {
		return p, at(fmt.Sprintf("outside the image's rows %d to %d, columns 0 to %d", im.FirstRow, im.FirstRow+im.Rows-1, im.Cols-1))
	}
	top, left, best := -1, -1, 0.0
	for r := max(0, int(y0)-search); r <= min(im.Rows-1, int(y0)+1+search); r++ {
		for c := max(0, int(x0)-search); c <= min(im.Cols-1, int(x0)+1+search); c++ {
			if v := power(im.Pix[r*im.Cols+c]); v > best {
				top, left, best = r, c, v
			}
		}
	}
	if math.IsInf(best, 0) || best == 0 {
		return p, at(fmt.Sprintf("nothing within %d pixels", search))
	}
	w, err := newSurroundings(im, top, left, a.Doppler)
	if err != nil {
		return p, at(err.Error())
	}
	y, x := w.peak(top, left)
	there := w.value(y0-float64(w.top), x0-float64(w.left))
	p = Point{Row: float64(im.FirstRow+w.top) + y, Col: float64(w.left) + x, Phase: cmplx.Phase(w.value(y, x)), PhaseThere: cmplx.Phase(there), Doppler: w.along}
	v := w.value(y, x)
	p.Power = real(v)*real(v) + imag(v)*imag(v)
	if p.Range, err = w.cut(im, false, y, x); err != nil {
		return p, at("in range: " + err.Error())
	}
	if p.Azimuth, err = w.cut(im, true, y, x); err != nil {
		return p, at("in azimuth: " + err.Error())
	}
	return p, nil
}

// surroundings are an image around a point with its spectrum brought to the middle, so that they are interpolated in their own
// band: that of a squinted target is not around zero.
type surroundings struct {
	top, left, rows, cols int
	along, across         float64      // cycles a row and a column of the spectrum's middle
	spectrum              []complex128 // rows x cols
}

func newSurroundings(im *Image, row, col int, doppler *float64) (*surroundings, error) {
	w := &surroundings{rows: min(windowSide, im.Rows), cols: min(windowSide, im.Cols)}
	w.top = min(max(0, row-w.rows/2), im.Rows-w.rows)
	w.left = min(max(0, col-w.cols/2), im.Cols-w.cols)
	if r, c := min(row-w.top, w.top+w.rows-1-row), min(col-w.left, w.left+w.cols-1-col); r < leastSide/2-1 || c < leastSide/2-1 {
		return nil, fmt.Errorf("the peak at row %d, column %d is less than %d pixels from the image's edge", im.FirstRow+row, col, leastSide/2-1)
	}
	var down, right complex128 // lag-1 phases
	z := func(r, c int) complex128 { return complex128(im.Pix[(w.top+r)*im.Cols+w.left+c]) }
	for r := range w.rows {
		for c := range w.cols {
			if r > 0 {
				down += z(r, c) * cmplx.Conj(z(r-1, c))
			}
			if c > 0 {
				right += z(r, c) * cmplx.Conj(z(r, c-1))
			}
		}
	}
	w.along, w.across = cmplx.Phase(down)/(2*math.Pi), cmplx.Phase(right)/(2*math.Pi)
	if doppler != nil {
		w.along = *doppler
	}
	w.spectrum = make([]complex128, w.rows*w.cols)
	for r := range w.rows {
		for c := range w.cols {
			w.spectrum[r*w.cols+c] = z(r, c) * spin(-w.along*float64(r)-w.across*float64(c))
		}
	}
	line := make([]complex128, max(w.rows, w.cols))
	for r := range w.rows {
		copy(w.spectrum[r*w.cols:], spectrumOf(w.spectrum[r*w.cols:(r+1)*w.cols]))
	}
	for c := range w.cols {
		for r := range w.rows {
			line[r] = w.spectrum[r*w.cols+c]
		}
		for r, v := range spectrumOf(line[:w.rows]) {
			w.spectrum[r*w.cols+c] = v
		}
	}
	return w, nil
}

// value is the image between its pixels, by the polynomial that its spectrum is.
func (w *surroundings) value(y, x float64) complex128 {
	rows := make([]complex128, w.rows)
	for r := range rows {
		rows[r] = between(w.spectrum[r*w.cols:(r+1)*w.cols], x)
	}
	return between(rows, y) * spin(w.along*y+w.across*x)
}

// peak is where the image is brightest near a pixel that is brighter than those around it.
func (w *surroundings) peak(row, col int) (y, x float64) {
	y, x = float64(row-w.top), float64(col-w.left)
	best := cmplx.Abs(w.value(y, x))
	for step := 0.5; step > 1e-5; step /= 2 {
		for moved := true; moved; {
			moved = false
			for _, d := range [4][2]float64{{step, 0}, {-step, 0}, {0, step}, {0, -step}} {
				if v := cmplx.Abs(w.value(y+d[0], x+d[1])); v > best*(1+1e-14) {
					best, y, x, moved = v, y+d[0], x+d[1], true
				}
			}
		}
	}
	return y, x
}

// cut measures along the column (azimuth) or the row through a place of the window.
func (w *surroundings) cut(im *Image, azimuth bool, y, x float64) (Cut, error) {
	y, x = y+float64(w.top), x+float64(w.left)
	at, length := x, im.Cols
	if azimuth {
		at, length = y, im.Rows
	}
	for n := windowSide; ; n *= 2 {
		half := min(n/2, int(at), length-1-int(at))
		line := make([]complex128, 2*half)
		from := int(at) - half
		for i := range line {
			if azimuth {
				line[i] = w.beside(im, from+i, x) * spin(-w.along*float64(i))
			} else {
				line[i] = w.above(im, from+i, y) * spin(-w.across*float64(i))
			}
		}
		c, needs, err := response(spectrumOf(line), at-float64(from))
		if err != nil || needs <= n || n >= mostCut || half < n/2 {
			return c, err
		}
	}
}

// beside is a row's value between two columns.
func (w *surroundings) beside(im *Image, row int, x float64) complex128 {
	line := make([]complex128, w.cols)
	for i := range line {
		line[i] = complex128(im.Pix[row*im.Cols+w.left+i]) * spin(-w.across*float64(i))
	}
	return between(spectrumOf(line), x-float64(w.left))
}

// above is a column's value between two rows.
func (w *surroundings) above(im *Image, col int, y float64) complex128 {
	line := make([]complex128, w.rows)
	for i := range line {
		line[i] = complex128(im.Pix[(w.top+i)*im.Cols+col]) * spin(-w.along*float64(i))
	}
	return between(spectrumOf(line), y-float64(w.top))
}
