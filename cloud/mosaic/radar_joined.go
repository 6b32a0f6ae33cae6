package mosaic

import (
	"math"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/sar"
)

// joinedPixels is how far apart two parts of one target may lie, as within a block.
const joinedPixels = 6

// mostAtEdge bounds the targets on each side of an edge that are compared with those of the other side. Where there
// are more, nothing there looks like ships, and parts stay parts.
const mostAtEdge = 1000

// joined makes one of the two parts of a target that the edge between two blocks divides. all is by block.
func joined(all []placedTarget, blocks []event.RadarBlock) []placedTarget {
	first := make(map[int]int, len(blocks)) // rows
	for _, b := range blocks {
		first[b.Index] = b.FirstRow
	}
	gone := map[int]bool{}
	for from := 0; from < len(all); {
		to := from
		for to < len(all) && all[to].block == all[from].block {
			to++
		}
		next := to
		for next < len(all) && all[next].block == all[from].block+1 {
			next++
		}
		if edge, ok := first[all[from].block+1]; ok {
			join(all, from, to, next, float64(edge), gone)
		}
		from = to
	}
	kept := all[:0]
	for i, t := range all {
		if gone[i] {
			continue
		}
		if t.PeakRow < first[t.block] { // its brighter part is of the block above
			t.block--
		}
		kept = append(kept, t)
	}
	return kept
}

// join joins what ends at an edge, of all[from:to], with what begins there, of all[to:next].
func join(all []placedTarget, from, to, next int, edge float64, gone map[int]bool) {
	var above, below []int
	for i := from; i < to; i++ {
		if bottom(all[i].Target) >= edge-joinedPixels {
			above = append(above, i)
		}
	}
	for i := to; i < next; i++ {
		if top(all[i].Target) <= edge+joinedPixels {
			below = append(below, i)
		}
	}
	if len(above) > mostAtEdge || len(below) > mostAtEdge {
		return
	}
	for _, b := range below {
		for _, a := range above {
			if apart := math.Abs(all[a].Col-all[b].Col) - float64(all[a].Cols+all[b].Cols)/2; !gone[a] && apart <= joinedPixels {
				all[b].Target = both(all[a].Target, all[b].Target)
				gone[a] = true
			}
		}
	}
}

func top(t sar.Target) float64    { return t.Row - float64(t.Rows)/2 }
func bottom(t sar.Target) float64 { return t.Row + float64(t.Rows)/2 }

// both is the target whose parts are a and b.
func both(a, b sar.Target) sar.Target {
	t := a
	if b.ClutterDB > a.ClutterDB {
		t = b
	}
	for _, part := range []sar.Target{a, b} {
		if part.Class == sar.Ship && t.Class != sar.Ship {
			t.Class, t.Reason = part.Class, part.Reason
		}
	}
	whole := float64(a.Pixels + b.Pixels)
	mean := func(x, y float64) float64 { return (x*float64(a.Pixels) + y*float64(b.Pixels)) / max(1, whole) }
	t.Row, t.Col, t.RangeM = mean(a.Row, b.Row), mean(a.Col, b.Col), mean(a.RangeM, b.RangeM)
	left := min(a.Col-float64(a.Cols)/2, b.Col-float64(b.Cols)/2)
	right := max(a.Col+float64(a.Cols)/2, b.Col+float64(b.Cols)/2)
	t.Rows, t.Cols = int(math.Ceil(bottom(b)-top(a))), int(math.Ceil(right-left))
	t.Pixels, t.LengthM = a.Pixels+b.Pixels, a.LengthM+b.LengthM
	return t
}
