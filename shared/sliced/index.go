package sliced

import (
	"math"

	"cloudcanvas/shared/vision"
)

// index finds the boxes near a box without looking at all: a grid of cells about twice as wide as
// the mean box. A scene of a hundred thousand ships merges in the time of its neighbours.
type index struct {
	cell  float64
	boxes map[[2]int][]int
	large []int // would lie in too many cells; always looked at
	seen  []int // the round in which a box was looked at last
	round int
	looks int // at boxes, in all
}

// manyCells is how many cells a box may lie in.
const manyCells = 64

func newIndex(boxes []vision.Box) *index {
	sides := 0.0
	for _, b := range boxes {
		sides += float64(max(b.W, b.H))
	}
	n := &index{cell: max(8, 2*sides/float64(max(1, len(boxes)))), boxes: map[[2]int][]int{}, seen: make([]int, len(boxes))}
	for i, b := range boxes {
		x0, y0, x1, y1 := n.cells(b)
		if (x1-x0+1)*(y1-y0+1) > manyCells {
			n.large = append(n.large, i)
			continue
		}
		for y := y0; y <= y1; y++ {
			for x := x0; x <= x1; x++ {
				n.boxes[[2]int{x, y}] = append(n.boxes[[2]int{x, y}], i)
			}
		}
	}
	return n
}

func (n *index) cells(b vision.Box) (x0, y0, x1, y1 int) {
	e := edges(b)
	at := func(v float64) int { return int(math.Floor(v / n.cell)) }
	return at(e[0]), at(e[1]), at(e[2]), at(e[3])
}

// around gives the boxes that share a cell with b and are wanted, each once.
func (n *index) around(b vision.Box, wanted func(i int) bool) (found []int) {
	n.round++
	look := func(all []int) {
		n.looks += len(all)
		for _, i := range all {
			if n.seen[i] != n.round && wanted(i) {
				found = append(found, i)
			}
			n.seen[i] = n.round
		}
	}
	look(n.large)
	x0, y0, x1, y1 := n.cells(b)
	for y := y0; y <= y1; y++ {
		for x := x0; x <= x1; x++ {
			look(n.boxes[[2]int{x, y}])
		}
	}
	return found
}
