package mosaic

import (
	"fmt"

	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
	"cloudcanvas/shared/windows"
)

// blendFloats bounds what a blend holds for each class and for the weights: 32 MiB. A scene that is too wide
// for that is blended strip by strip.
const blendFloats = 8 << 20

// highest is how many rows the windows of the highest tile of a grid have.
func highest(g raster.Grid) (rows int) {
	for row := range g.Rows() {
		t, _ := g.At(0, row)
		rows = max(rows, t.Window.H)
	}
	return rows
}

// stripWidth is how many columns are blended at once of tiles so high.
func stripWidth(g raster.Grid, rows int) int {
	return min(g.Width, max(g.Size, blendFloats/max(rows, 1)))
}

// weights are those of what a tile holds, along one axis: the sum of its windows', nothing beside them.
func weights(from, n, held, heldSize, overlap int) []float32 {
	ramps, w := windows.Ramps(n, overlap), make([]float32, heldSize)
	for i := range w {
		if at := held + i - from; at >= 0 && at < n {
			w[i] = ramps[at]
		}
	}
	return w
}

// writeMask blends what is known of the tiles into a new mask, and counts what each core shows.
// Cores of tiles that no model saw stay 255, whatever their neighbours know.
func (s *Scene) writeMask(to *raster.MaskWriter) error {
	for _, t := range s.tiles {
		t.counts = [4]uint32{}
	}
	rows := highest(s.grid)
	width := stripWidth(s.grid, rows)
	for left := 0; left < s.grid.Width; left += width {
		strip := raster.Window{X: left, W: min(width, s.grid.Width-left), H: s.grid.Height}
		if err := s.blendStrip(to, strip, windows.NewBlend(strip, rows)); err != nil {
			return err
		}
	}
	return nil
}

// blendStrip blends the tiles that reach into a strip.
func (s *Scene) blendStrip(to *raster.MaskWriter, strip raster.Window, b *windows.Blend) error {
	for row := range s.grid.Rows() {
		for col := range s.grid.Cols() {
			at, _ := s.grid.At(col, row)
			t := s.tiles[at.Name()]
			if t == nil || t.state != result || t.boxes || at.Held.X >= strip.X+strip.W || at.Held.X+at.Held.W <= strip.X {
				continue
			}
			data, err := s.results.get(t.where)
			if err != nil {
				return err
			}
			planes, err := vision.DecodeProbabilities(data, at.Held.W, at.Held.H)
			if err != nil { // its header promised more
				*t = tile{id: t.id, state: dead, reason: "its result can't be read: " + err.Error()}
				continue
			}
			b.Add(at.Held, weights(at.Window.X, at.Window.W, at.Held.X, at.Held.W, s.grid.Overlap), weights(at.Window.Y, at.Window.H, at.Held.Y, at.Held.H, s.grid.Overlap), planes)
		}
		end := s.grid.Height
		if below, ok := s.grid.At(0, row+1); ok {
			end = min(end, below.Window.Y)
		}
		if end <= b.Next() {
			continue
		}
		at, class := b.Take(end, nil)
		s.stamp(row, at, class)
		if err := to.Write(at, class); err != nil {
			return fmt.Errorf("writing rows %d to %d of the mask: %w", at.Y, at.Y+at.H, err)
		}
	}
	return nil
}

// stamp marks, within rows just blended, the cores of tiles that no model saw, and counts the others.
func (s *Scene) stamp(row int, band raster.Window, class []byte) {
	for r := max(0, row-1); r <= row+1 && r < s.grid.Rows(); r++ {
		for col := range s.grid.Cols() {
			at, _ := s.grid.At(col, r)
			from, to := max(at.Core.X, band.X), min(at.Core.X+at.Core.W, band.X+band.W)
			if from >= to {
				continue
			}
			t := s.tiles[at.Name()]
			seen := t != nil && t.state == result && !t.boxes
			for y := max(at.Core.Y, band.Y); y < min(at.Core.Y+at.Core.H, band.Y+band.H); y++ {
				line := class[(y-band.Y)*band.W+from-band.X:][:to-from]
				if !seen {
					fill(line, vision.NoData)
					continue
				}
				for _, c := range line {
					t.counts[min(c, 3)]++
				}
			}
		}
	}
}

func fill(line []byte, v byte) {
	for i := range line {
		line[i] = v
	}
}
