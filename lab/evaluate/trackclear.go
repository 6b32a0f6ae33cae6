package evaluate

import (
	"cmp"
	"slices"

	"cloudcanvas/shared/track"
)

// identity gives each object one track for the whole scene, so that most boxes agree, and counts them.
func (s *scene) identity(to *TrackScores) {
	common := map[pair]int{}
	for _, f := range s.frames {
		for _, e := range f.pairs {
			if e.Weight >= matchIoU { // not forgiving here, as TrackEval
				common[pair{f.truth[e.Row], f.found[e.Column]}]++
			}
		}
	}
	edges := make([]track.Edge, 0, len(common))
	for p, n := range common {
		edges = append(edges, track.Edge{Row: p.object, Column: p.track, Weight: float64(n)})
	}
	slices.SortFunc(edges, func(a, b track.Edge) int { return cmp.Or(a.Row-b.Row, a.Column-b.Column) })
	right := 0.0
	var assign track.Assigner
	for object, t := range assign.Solve(len(s.truth), len(s.tracks), edges) {
		if t >= 0 {
			right += float64(common[pair{object, t}])
		}
	}
	labels, boxes := float64(to.Labels), float64(to.Boxes)
	to.IDR, to.IDP, to.IDF1 = ratio(right, labels), ratio(right, boxes), ratio(right, (labels+boxes)/2)
}

// stays is worth more than any overlap: an object that was matched in the frame before keeps its track.
const stays = 1000

// clear matches frame by frame, and counts the errors.
func (s *scene) clear(to *TrackScores) []TrackedObject {
	objects := make([]TrackedObject, len(s.truth))
	before, ever := make([]int, len(s.truth)), make([]int, len(s.truth)) // the track in the frame before, and the latest
	for i := range objects {
		objects[i].ID, before[i], ever[i] = s.ids[i], -1, -1
	}
	begins := make([]int, len(s.truth)) // of being found
	now := make([]int, len(s.truth))
	hits, overlap := 0, 0.0
	var assign track.Assigner
	var edges []track.Edge
	for _, f := range s.frames {
		for _, o := range f.truth {
			x := &objects[o]
			if x.Labels == 0 {
				x.First = f.number
			}
			x.Labels, x.Last = x.Labels+1, f.number
		}
		if len(f.truth) == 0 || len(f.found) == 0 {
			continue // who was matched before stays so, as in TrackEval
		}
		edges = edges[:0]
		for _, e := range f.pairs {
			if e.Weight < matchIoU-epsilon {
				continue
			}
			if f.found[e.Column] == before[f.truth[e.Row]] {
				e.Weight += stays
			}
			edges = append(edges, e)
		}
		for i := range now {
			now[i] = -1
		}
		iou := map[[2]int]float64{}
		for _, e := range f.pairs {
			iou[[2]int{e.Row, e.Column}] = e.Weight
		}
		for i, j := range assign.Solve(len(f.truth), len(f.found), edges) {
			if j < 0 {
				continue
			}
			o, t := f.truth[i], f.found[j]
			hits++
			overlap += iou[[2]int{i, j}]
			switched := ever[o] >= 0 && ever[o] != t
			objects[o].follow(t, f.number, switched)
			now[o], ever[o] = t, t
		}
		for o := range now {
			if before[o] < 0 && now[o] >= 0 {
				begins[o]++
			}
		}
		before, now = now, before
	}
	for i, x := range objects {
		to.Switches += x.Switches
		to.Breaks += max(begins[i]-1, 0)
		if share := float64(x.Found) / float64(x.Labels); share > 0.8 {
			to.Mostly++
		} else if share < 0.2 {
			to.Hardly++
		}
	}
	to.Missed, to.Wrong = to.Labels-hits, to.Boxes-hits
	to.MOTP = ratio(overlap, float64(hits))
	to.MOTA = ratio(float64(hits-to.Wrong-to.Switches), float64(to.Labels))
	return objects
}

// follow notes the track that was at the object.
func (x *TrackedObject) follow(t, frame int, switched bool) {
	x.Found++
	if switched {
		x.Switches++
	}
	if switched || len(x.Follows) == 0 {
		x.Follows = append(x.Follows, Follow{Track: t, First: frame})
	}
	x.Follows[len(x.Follows)-1].Last = frame
}
