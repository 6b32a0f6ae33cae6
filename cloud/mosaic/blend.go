package mosaic

import (
	"fmt"

	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// blender turns overlapping tiles' class probabilities into one mask, row of tiles by row of tiles,
// in memory for a strip's width times a tile's height: a scene that is too wide for that is blended strip
// by strip. The class with the largest weighted sum is
// taken. docs/decisions/0001-overlapping-windows.md says why, and why the weights are as they are.
type blender struct {
	grid   raster.Grid
	left   int         // column of the scene where the strip begins
	width  int         // of the strip
	ramp   []float32   // weight along one axis, len Size
	sum    [][]float32 // of each class above 0, a ring of Size rows: row y of the scene lies at y % Size
	weight []float32   // likewise; 0 where nothing is known
	unseen []bool      // likewise; a tile came of which nobody judged this pixel
	next   int         // the first row of the scene that is not given out yet
}

func newBlender(g raster.Grid, left, width int) *blender {
	return &blender{grid: g, left: left, width: width, ramp: ramps(g.Size, g.Overlap), weight: make([]float32, g.Size*width), unseen: make([]bool, g.Size*width)}
}

// blendFloats bounds what a blender holds for each class and for the weights: 64 MiB.
const blendFloats = 16 << 20

// stripWidth is how many columns are blended at once, at least a tile's.
func stripWidth(g raster.Grid) int {
	return min(g.Width, max(g.Size, blendFloats/g.Size))
}

// ramps are the weights of n samples: even ramps of that length at both ends, and one between. Two
// windows that share a ramp add up to one; no weight is zero, so a tile alone decides its outermost pixels.
// What two windows disagree by is stepped over along the ramp, and an even one is nowhere steep.
func ramps(n, ramp int) []float32 {
	w := make([]float32, n)
	for i := range w {
		w[i] = 1
	}
	for i := range ramp {
		w[i] = (float32(i) + 0.5) / float32(ramp)
		w[n-1-i] = w[i]
	}
	return w
}

// add lays a tile over the rows in hand; none of its rows may lie above the first that is not out.
func (b *blender) add(at raster.Window, planes [][]byte) {
	for len(b.sum) < len(planes) {
		b.sum = append(b.sum, make([]float32, len(b.weight)))
	}
	left, right := max(0, b.left-at.X), min(at.W, b.left+b.width-at.X)
	for ty := max(0, b.next-at.Y); ty < min(at.H, b.grid.Height-at.Y); ty++ {
		row := (at.Y+ty)%b.grid.Size*b.width + at.X - b.left
		from := ty * at.W
		for tx := left; tx < right; tx++ {
			if planes[0][from+tx] == vision.NoData {
				if len(planes) > 1 && planes[1][from+tx] == vision.NotJudged {
					b.unseen[row+tx] = true
				}
				continue
			}
			w := b.ramp[ty] * b.ramp[tx]
			b.weight[row+tx] += w
			for c, plane := range planes {
				b.sum[c][row+tx] += w * float32(plane[from+tx])
			}
		}
	}
}

// take gives out the rows up to `end`, as classes, and makes their place free.
func (b *blender) take(end int) (at raster.Window, class []byte) {
	width := b.width
	at = raster.Window{X: b.left, Y: b.next, W: width, H: end - b.next}
	class = make([]byte, at.W*at.H)
	for y := b.next; y < end; y++ {
		row := y % b.grid.Size * width
		out := class[(y-b.next)*width:]
		for x := range width {
			out[x] = b.decide(row + x)
		}
		clear(b.weight[row : row+width])
		clear(b.unseen[row : row+width])
		for _, s := range b.sum {
			clear(s[row : row+width])
		}
	}
	b.next = end
	return at, class
}

// decide is the class of one pixel: what is left of certainty is class 0.
func (b *blender) decide(i int) byte {
	if b.weight[i] == 0 {
		if b.unseen[i] {
			return vision.NotJudged
		}
		return vision.NoData
	}
	best, top := byte(0), vision.ProbabilityOne*b.weight[i]
	for _, s := range b.sum {
		top -= s[i]
	}
	for c, s := range b.sum {
		if s[i] > top {
			best, top = byte(c+1), s[i]
		}
	}
	return best
}

// writeMask blends what is known of the tiles into a new mask, and counts what each core shows.
// Cores of tiles that no model saw are not judged, whatever their neighbours know, and without data where the
// edge found none.
func (s *Scene) writeMask(to *raster.MaskWriter) error {
	for _, t := range s.tiles {
		t.counts = [5]uint32{}
	}
	s.empty = map[string]bool{}
	for _, d := range s.manifest.Tiles {
		if void(d) {
			s.empty[d.Tile] = true
		}
	}
	width := stripWidth(s.grid)
	for left := 0; left < s.grid.Width; left += width {
		if err := s.blendStrip(to, newBlender(s.grid, left, min(width, s.grid.Width-left))); err != nil {
			return err
		}
	}
	return nil
}

// blendStrip blends the tiles that reach into a strip.
func (s *Scene) blendStrip(to *raster.MaskWriter, b *blender) error {
	for row := range s.grid.Rows() {
		for col := range s.grid.Cols() {
			at, _ := s.grid.At(col, row)
			t := s.tiles[at.Name()]
			if t == nil || t.state != result || t.boxes || at.Window.X >= b.left+b.width || at.Window.X+at.Window.W <= b.left {
				continue
			}
			data, err := s.results.get(t.where)
			if err != nil {
				return err
			}
			planes, err := vision.DecodeProbabilities(data, at.Window.W, at.Window.H)
			if err != nil { // its header promised more
				*t = tile{id: t.id, state: dead, reason: "its result can't be read: " + err.Error()}
				continue
			}
			b.add(at.Window, planes)
		}
		end := s.grid.Height
		if below, ok := s.grid.At(0, row+1); ok {
			end = min(end, below.Window.Y)
		}
		if end <= b.next {
			continue
		}
		at, class := b.take(end)
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
			unseen := byte(vision.NotJudged)
			if s.empty[at.Name()] {
				unseen = vision.NoData
			}
			for y := max(at.Core.Y, band.Y); y < min(at.Core.Y+at.Core.H, band.Y+band.H); y++ {
				line := class[(y-band.Y)*band.W+from-band.X:][:to-from]
				if !seen {
					fill(line, unseen)
					continue
				}
				for _, c := range line {
					t.counts[bin(c)]++
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
