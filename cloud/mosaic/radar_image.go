package mosaic

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/sar"
)

// radarImage are the files of an image in the making, written in the order of its rows, each strip of the files'
// tiles once. What is never written takes no room in them.
type radarImage struct {
	r        *event.Radar
	scale    float64 // of amplitude: the calibration
	metadata map[string]string
	slcPath  string
	ampPath  string         // a working file
	slc, amp *raster.Writer // nil until there is something to write
	quick    *sar.Quicklook

	first    int // row of the strip that is gathered
	complex  []complex64
	abs      []float32
	has, had bool // the strip has complex numbers, amplitudes

	focused, shown int // rows from workers, rows of which there is the device's own amplitude
}

// quicklookSide bounds the quicklook, in pixels a side.
const quicklookSide = 1024

func (s *Scene) beginRadarImage(dir string) *radarImage {
	r := s.manifest.Radar
	im := &radarImage{r: r, scale: math.Pow(10, r.CalibrationDB/20), slcPath: filepath.Join(dir, "slc.tif"), ampPath: filepath.Join(s.dir, "amplitude.tif"), first: -1,
		quick: sar.NewQuicklook(sar.PlanOf(r), quicklookSide)}
	im.metadata = map[string]string{"GEOMETRY": "slant range: rows are zero-Doppler times, columns slant ranges", "ROW_OFFSET": strconv.Itoa(r.RowOffset)}
	if r.Simulated {
		im.metadata["SIMULATED"] = "YES"
	}
	return im
}

// rows takes the rows of a block.
func (im *radarImage) rows(at event.RadarBlock, pix []complex64) error {
	n := im.r.Samples
	for done := 0; done < at.Rows; {
		from, rows, err := im.strip(at.FirstRow+done, at.Rows-done)
		if err != nil {
			return err
		}
		some := pix[done*n : (done+rows)*n]
		copy(im.complex[from*n:], some)
		abs := im.abs[from*n : (from+rows)*n]
		for i, v := range some {
			// Squares of float32 are exact in float64: the sum is rounded once on every machine, fused or not.
			re, imag := float64(real(v)), float64(imag(v))
			abs[i] = float32(math.Sqrt(re*re+imag*imag) * im.scale)
		}
		im.has, im.had = true, true
		done += rows
	}
	im.quick.Add(&sar.Image{FirstRow: at.FirstRow, Rows: at.Rows, Cols: n, Pix: pix})
	im.focused += at.Rows
	return nil
}

// fill takes the rows of a block from who knows their amplitude alone: source writes those of some rows, NaN where
// there is none, and says of how many of them there is any.
func (im *radarImage) fill(at event.RadarBlock, source func(first, rows int, into []float32) (known int, err error)) (known int, err error) {
	n := im.r.Samples
	for done := 0; done < at.Rows; {
		first := at.FirstRow + done
		from, rows, err := im.strip(first, min(at.Rows-done, leftOfStrip(first)))
		if err != nil {
			return known, err
		}
		abs := im.abs[from*n : (from+rows)*n]
		some, err := source(first, rows, abs)
		if err != nil {
			return known, err
		}
		if some > 0 {
			pix := make([]complex64, len(abs))
			for i, a := range abs {
				if a == a {
					pix[i] = complex(a, 0)
					abs[i] = float32(float64(a) * im.scale)
				}
			}
			im.quick.Add(&sar.Image{FirstRow: first, Rows: rows, Cols: n, Pix: pix})
			im.had = true
		}
		known += some
		done += rows
	}
	im.shown += known
	return known, nil
}

// leftOfStrip is how many rows are left of the strip that a row is in.
func leftOfStrip(row int) int { return raster.StripRows - row%raster.StripRows }

// strip makes room for rows from one on, as many of them as are in one strip: they begin at row from of it.
func (im *radarImage) strip(row, most int) (from, rows int, err error) {
	if first := row - row%raster.StripRows; first != im.first {
		if err := im.flush(); err != nil {
			return 0, 0, err
		}
		if im.complex == nil {
			im.complex, im.abs = make([]complex64, raster.StripRows*im.r.Samples), make([]float32, raster.StripRows*im.r.Samples)
		}
		im.first, im.has, im.had = first, false, false
		clear(im.complex)
		for i := range im.abs {
			im.abs[i] = float32(math.NaN())
		}
	}
	return row - im.first, min(most, leftOfStrip(row)), nil
}

// flush writes the strip.
func (im *radarImage) flush() (err error) {
	w, h := im.r.Samples, im.r.Lines
	at := raster.Window{Y: im.first, W: w, H: min(raster.StripRows, h-im.first)}
	if im.has {
		if im.slc == nil {
			if im.slc, err = raster.CreateComplex(im.slcPath, w, h, im.metadata); err != nil {
				return err
			}
		}
		if err := im.slc.Write(at, im.complex[:at.W*at.H]); err != nil {
			return err
		}
	}
	if im.had {
		if im.amp == nil {
			if im.amp, err = raster.CreateAmplitude(im.ampPath, w, h, im.metadata); err != nil {
				return err
			}
		}
		return im.amp.Write(at, im.abs[:at.W*at.H])
	}
	return nil
}

// finish completes the files in dir.
func (im *radarImage) finish(dir string) error {
	if err := im.flush(); err != nil {
		return err
	}
	im.complex, im.abs = nil, nil
	if im.slc != nil {
		if err := im.slc.Finish(); err != nil {
			return fmt.Errorf("slc.tif: %w", err)
		}
	}
	if im.amp != nil {
		if err := im.amp.FinishCOG(filepath.Join(dir, "amplitude.tif"), "RMS"); err != nil {
			return fmt.Errorf("amplitude.tif: %w", err)
		}
	}
	return nil
}

// close gives up what is unfinished, and the working file.
func (im *radarImage) close() {
	for _, w := range []*raster.Writer{im.slc, im.amp} {
		if w != nil {
			w.Close()
		}
	}
}
