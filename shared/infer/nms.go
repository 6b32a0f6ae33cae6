package infer

import (
	"cmp"
	"slices"

	"cloudcanvas/shared/vision"
)

// maxCandidates bounds the quadratic part: a network that sees more is looking at noise.
const maxCandidates = 4096

// suppress keeps, class by class, each box that overlaps no better one by more than iou: what
// cv2.dnn.NMSBoxes does within a class. Best first. It works in place: the result is the
// beginning of found.
func suppress(found []vision.Box, iou float32) []vision.Box {
	slices.SortStableFunc(found, func(a, b vision.Box) int { return cmp.Compare(b.Score, a.Score) })
	if len(found) > maxCandidates {
		found = found[:maxCandidates]
	}
	kept := found[:0]
next:
	for _, b := range found {
		for _, k := range kept {
			if k.Class == b.Class && overlap(k, b) > float64(iou) {
				continue next
			}
		}
		kept = append(kept, b)
	}
	return kept
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
