package sliced

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"cloudcanvas/shared/vision"
)

// Merge makes one box of those that show one object, best first. Boxes match whose overlap is at
// least the threshold. NMM and GREEDYNMM give the surviving box the outline around all it took in;
// one that matched the box as it was, but does not match it as it has grown, is left out. found is
// only read; where scores are equal its order decides nothing in GREEDYNMM and NMS.
func (c Config) Merge(found []vision.Box) []vision.Box {
	merged, _ := c.MergeWithin(found, math.MaxInt)
	return merged
}

// MergeWithin is Merge with a bound on the work: where so many looks from one box to another are not
// enough, the weakest boxes stand as they were found, and whole is false. The same boxes always give the
// same.
func (c Config) MergeWithin(found []vision.Box, looks int) (merged []vision.Box, whole bool) {
	groups := map[int][]vision.Box{}
	for _, b := range found {
		class := b.Class
		if c.ClassAgnostic {
			class = 0
		}
		groups[class] = append(groups[class], b)
	}
	whole = true
	for _, class := range slices.Sorted(maps.Keys(groups)) {
		group := groups[class]
		share := looks
		if looks != math.MaxInt {
			share = max(1, int(float64(looks)*float64(len(group))/float64(len(found))))
		}
		boxes, all := c.mergeGroup(group, share)
		merged, whole = append(merged, boxes...), whole && all
	}
	slices.SortFunc(merged, before)
	return merged, whole
}

// before orders boxes by score, then from the left, then from the top.
func before(a, b vision.Box) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.X, b.X), cmp.Compare(a.Y, b.Y),
		cmp.Compare(a.W, b.W), cmp.Compare(a.H, b.H), cmp.Compare(a.Class, b.Class))
}

func (c Config) mergeGroup(boxes []vision.Box, looks int) (out []vision.Box, whole bool) {
	order := make([]int, len(boxes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return before(boxes[a], boxes[b]) })
	rank := make([]int, len(boxes))
	for place, i := range order {
		rank[i] = place
	}

	const free = -1
	keeper := make([]int, len(boxes)) // which box took this one in
	for i := range keeper {
		keeper[i] = free
	}
	takes := make([][]int, len(boxes))
	near := newIndex(boxes)
	for _, best := range order {
		if near.looks > looks {
			break
		}
		if keeper[best] != free && c.Postprocess != NMM {
			continue
		}
		into := best
		if keeper[best] != free {
			into = keeper[best]
		}
		keeper[best] = into
		matched := near.around(boxes[best], func(i int) bool {
			return i != best && keeper[i] == free && c.mayTake(boxes, rank, best, i) && c.match(boxes[best], boxes[i])
		})
		if c.Postprocess == NMM {
			slices.Sort(matched) // in the order found
		} else {
			slices.SortFunc(matched, func(a, b int) int { return rank[a] - rank[b] })
		}
		for _, i := range matched {
			keeper[i] = into
			takes[into] = append(takes[into], i)
		}
	}

	for _, i := range order {
		if keeper[i] != i && keeper[i] != free {
			continue
		}
		b := boxes[i]
		for _, other := range takes[i] {
			if c.Postprocess != NMS && c.match(b, boxes[other]) {
				b = around(b, boxes[other])
			}
		}
		out = append(out, b)
	}
	return out, near.looks <= looks
}

// mayTake says whether the better of two boxes asks. Of two with one score NMM lets the one further
// right or down ask, as SAHI does.
func (c Config) mayTake(boxes []vision.Box, rank []int, best, other int) bool {
	if c.Postprocess == NMM && boxes[best].Score == boxes[other].Score {
		a, b := edges(boxes[best]), edges(boxes[other])
		return slices.Compare(a[:], b[:]) >= 0
	}
	return rank[best] < rank[other]
}

func edges(b vision.Box) [4]float64 {
	x, y := float64(b.X), float64(b.Y)
	return [4]float64{x, y, x + float64(b.W), y + float64(b.H)}
}

func (c Config) match(a, b vision.Box) bool {
	p, q := edges(a), edges(b)
	w, h := min(p[2], q[2])-max(p[0], q[0]), min(p[3], q[3])-max(p[1], q[1])
	if w <= 0 || h <= 0 {
		return false
	}
	areaA, areaB := (p[2]-p[0])*(p[3]-p[1]), (q[2]-q[0])*(q[3]-q[1])
	whole := min(areaA, areaB)
	if c.Metric == IoU {
		whole = areaA + areaB - w*h
	}
	return w*h/whole >= c.Threshold
}

// around is the box around both, with the label and score of the better.
func around(a, b vision.Box) vision.Box {
	p, q := edges(a), edges(b)
	out := a
	if b.Score > a.Score {
		out = b
	}
	left, top := min(p[0], q[0]), min(p[1], q[1])
	out.X, out.Y = float32(left), float32(top)
	out.W, out.H = float32(max(p[2], q[2])-left), float32(max(p[3], q[3])-top)
	return out
}
