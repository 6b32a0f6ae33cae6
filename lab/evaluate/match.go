package evaluate

import (
	"cmp"
	"slices"
)

// place is where detections and labels can meet.
type place struct {
	image    int64
	category int
}

// meeting is what is labelled and found in one picture of one category.
type meeting struct {
	truth []Annotation
	found []Detection // best first, at most mostCounted
	iou   [][]float64 // of each found with each truth
}

func group(truth []Annotation, found []Detection) map[place]*meeting {
	groups := map[place]*meeting{}
	at := func(p place) *meeting {
		if groups[p] == nil {
			groups[p] = &meeting{}
		}
		return groups[p]
	}
	for _, a := range truth {
		g := at(place{a.Image, a.Category})
		g.truth = append(g.truth, a)
	}
	for _, d := range found {
		g := at(place{d.Image, d.Category})
		g.found = append(g.found, d)
	}
	for _, g := range groups {
		slices.SortStableFunc(g.found, func(a, b Detection) int { return cmp.Compare(b.Score, a.Score) })
		g.found = g.found[:min(len(g.found), mostCounted)]
		for _, d := range g.found {
			row := make([]float64, len(g.truth))
			for i, a := range g.truth {
				row[i] = overlap(d.BBox, a.BBox, bool(a.Crowd))
			}
			g.iou = append(g.iou, row)
		}
	}
	return groups
}

// overlap is intersection over union; of a crowd it is the share of the detection that lies in it.
func overlap(d, t [4]float64, crowd bool) float64 {
	w := min(d[0]+d[2], t[0]+t[2]) - max(d[0], t[0])
	h := min(d[1]+d[3], t[1]+t[3]) - max(d[1], t[1])
	if w <= 0 || h <= 0 {
		return 0
	}
	both := w * h
	if crowd {
		return both / (d[2] * d[3])
	}
	return both / (d[2]*d[3] + t[2]*t[3] - both)
}

// matched is what became of the detections of one meeting, for each IoU threshold.
type matched struct {
	scores  []float64
	matched [thresholds][]bool
	ignored [thresholds][]bool // neither right nor wrong: of a crowd, or of another size
	objects int                // that had to be found
}

// match joins detections, best first, each to the label that it covers best. A label of another
// size than area, or a crowd, takes a detection only where no other label does, and what it takes
// does not count.
func (g *meeting) match(area [2]float64) matched {
	outside := func(a float64) bool { return a < area[0] || a > area[1] }
	order := make([]int, len(g.truth)) // those that count first
	ignore := make([]bool, len(g.truth))
	j := matched{}
	for i, a := range g.truth {
		order[i], ignore[i] = i, bool(a.Crowd) || outside(*a.Area)
		if !ignore[i] {
			j.objects++
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return bit(ignore[a]) - bit(ignore[b]) })
	for _, d := range g.found {
		j.scores = append(j.scores, d.Score)
	}
	taken := make([]bool, len(g.truth))
	for t := range thresholds {
		clear(taken)
		j.matched[t], j.ignored[t] = make([]bool, len(g.found)), make([]bool, len(g.found))
		for d := range g.found {
			best, reach := -1, min(iouThreshold(t), 1-1e-10)
			for _, i := range order {
				if taken[i] && !bool(g.truth[i].Crowd) {
					continue
				}
				if best >= 0 && !ignore[best] && ignore[i] {
					break
				}
				if g.iou[d][i] >= reach {
					best, reach = i, g.iou[d][i]
				}
			}
			if best >= 0 {
				taken[best] = true
				// pycocotools takes the id 0 for "matched to nothing"; so its figures are met
				// also on files that count their annotations from 0.
				j.matched[t][d], j.ignored[t][d] = g.truth[best].ID != 0, ignore[best]
			}
			if !j.matched[t][d] && outside(g.found[d].BBox[2]*g.found[d].BBox[3]) {
				j.ignored[t][d] = true
			}
		}
	}
	return j
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
