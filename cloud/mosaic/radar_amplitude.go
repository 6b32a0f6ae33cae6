package mosaic

import (
	"math"

	"cloudcanvas/shared/sar"
)

// amplitudeRows writes the device's own amplitude of some rows of the image, NaN where there is none, and gives how
// many of the rows are there over their whole length.
func (s *Scene) amplitudeRows(first, rows int, into []float32) (known int, err error) {
	width := s.manifest.Radar.Samples
	whole := make([]int, rows) // pixels that a tile answers for, row by row
	cols := amplitudeGrid(s.manifest.Radar).Cols
	for down := first / amplitudeSide; down*amplitudeSide < first+rows; down++ {
		for across := range cols {
			p := s.radar.amplitude[[2]int{across, down}]
			if p == nil {
				continue
			}
			data, err := s.results.get(p.where)
			if err != nil {
				return 0, err
			}
			t, err := sar.DecodeAmplitude(data)
			if err != nil || t.Width != width || t.Height != s.manifest.Radar.Lines || t.Col != across*amplitudeSide || t.Row != down*amplitudeSide ||
				t.Cols != min(amplitudeSide, width-t.Col) || t.Rows != min(amplitudeSide, t.Height-t.Row) {
				continue // of another image
			}
			of := t.Amplitudes()
			of[0] = float32(math.NaN())
			for row := max(first, t.Row); row < min(first+rows, t.Row+t.Rows); row++ {
				to := into[(row-first)*width+t.Col:][:t.Cols]
				for i, level := range t.Level[(row-t.Row)*t.Cols:][:t.Cols] {
					to[i] = of[level]
				}
				if whole[row-first] += t.Cols; whole[row-first] == width {
					known++
				}
			}
		}
	}
	return known, nil
}
