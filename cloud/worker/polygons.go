package worker

import (
	"cmp"
	"slices"
	"strconv"

	"cloudcanvas/shared/vision"
)

// Polygon is a patch of one class in a mask: pixels that touch at their sides. Its outline is in the
// mask, which travels as a result of its own.
type Polygon struct {
	Label  string  `json:"label"`
	Class  int     `json:"class"`
	Window Window  `json:"window"` // around it
	Area   int     `json:"area"`   // pixels
	Score  float32 `json:"score"`  // mean probability of its class; 1 where the model gives none
}

// maskLabel names a class of a mask.
func maskLabel(class byte) string {
	switch class {
	case vision.Shadow:
		return "shadow"
	case vision.Cloud:
		return "cloud"
	}
	return strconv.Itoa(int(class))
}

// polygonsOf are the patches of a mask that have at least so many pixels, the largest first.
func polygonsOf(m *vision.Mask, least int) (found []Polygon) {
	done := make([]bool, len(m.Class))
	var open []int // pixels of this patch whose neighbours are not looked at yet
	for start, class := range m.Class {
		if done[start] || class == vision.Clear || class == vision.NoData {
			continue
		}
		done[start], open = true, append(open[:0], start)
		x0, y0, x1, y1, area, sum := m.W, m.H, 0, 0, 0, 0
		for len(open) > 0 {
			at := open[len(open)-1]
			open = open[:len(open)-1]
			x, y := at%m.W, at/m.W
			x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x+1), max(y1, y+1)
			area++
			sum += probability(m, class, at)
			for _, n := range [4]struct {
				at int
				in bool
			}{{at - 1, x > 0}, {at + 1, x+1 < m.W}, {at - m.W, y > 0}, {at + m.W, y+1 < m.H}} {
				if n.in && !done[n.at] && m.Class[n.at] == class {
					done[n.at] = true
					open = append(open, n.at)
				}
			}
		}
		if area >= least {
			found = append(found, Polygon{
				Label: maskLabel(class), Class: int(class), Area: area, Score: float32(sum) / float32(area*vision.ProbabilityOne),
				Window: Window{x0, y0, x1 - x0, y1 - y0},
			})
		}
	}
	slices.SortStableFunc(found, func(a, b Polygon) int { return cmp.Compare(b.Area, a.Area) })
	return found
}

// probability of the class at a pixel, in 1/254.
func probability(m *vision.Mask, class byte, at int) int {
	if int(class) > len(m.Probabilities) {
		return vision.ProbabilityOne
	}
	return min(int(m.Probabilities[class-1][at]), vision.ProbabilityOne)
}
