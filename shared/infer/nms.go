package infer

import (
	"cmp"
	"slices"

	"cloudcanvas/shared/vision"
)

// maxCandidates bounds the quadratic part: a network that sees more is looking at noise.
const maxCandidates = 4096

// suppress keeps, class by class, each box that overlaps no better one by more than iou: what
// cv2.dnn.NMSBoxes does within a class. Best first.
func suppress(found []vision.Box, iou float32) []vision.Box {
	kept := make([]vision.Box, 0, len(found))
	for _, i := range pick(nil, found, iou) {
		kept = append(kept, found[i])
	}
	return kept
}

// pick gives the places of the boxes that suppress keeps. order is memory to be used again.
func pick(order []int, found []vision.Box, iou float32) []int {
	order = byScore(order, found)
	kept := order[:0]
next:
	for _, i := range order {
		for _, k := range kept {
			if found[k].Class == found[i].Class && overlap(found[k], found[i]) > float64(iou) {
				continue next
			}
		}
		kept = append(kept, i)
	}
	return kept
}

// byScore are the places of the best boxes, best first.
func byScore(order []int, found []vision.Box) []int {
	order = order[:0]
	for i := range found {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(found[b].Score, found[a].Score) })
	return order[:min(len(order), maxCandidates)]
}

// overlap is the intersection over union in float64, as OpenCV computes it.
func overlap(a, b vision.Box) float64 {
	w := min(float64(a.X)+float64(a.W), float64(b.X)+float64(b.W)) - max(float64(a.X), float64(b.X))
	h := min(float64(a.Y)+float64(a.H), float64(b.Y)+float64(b.H)) - max(float64(a.Y), float64(b.Y))
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h / (float64(a.W)*float64(a.H) + float64(b.W)*float64(b.H) - w*h)
}
