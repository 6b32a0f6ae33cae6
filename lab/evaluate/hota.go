package evaluate

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"cloudcanvas/shared/track"
)

// alphas are the IoU thresholds that HOTA is the mean of.
const alphas = 19

func alpha(i int) float64 { return 0.05 + float64(i)*0.05 }

// hota counts higher order tracking accuracy.
func (s *scene) hota(to *TrackScores) {
	alignment := s.alignment()
	var hits [alphas]int
	var overlap [alphas]float64
	together := map[pair]*[alphas]int{} // frames in which they were matched
	var assign track.Assigner
	var worth []track.Edge
	for _, f := range s.frames {
		worth = worth[:0]
		iou := map[[2]int]float64{}
		for _, e := range f.pairs {
			iou[[2]int{e.Row, e.Column}] = e.Weight
			e.Weight *= alignment[pair{f.truth[e.Row], f.found[e.Column]}]
			worth = append(worth, e)
		}
		for i, j := range assign.Solve(len(f.truth), len(f.found), worth) {
			if j < 0 {
				continue
			}
			p := pair{f.truth[i], f.found[j]}
			if together[p] == nil {
				together[p] = &[alphas]int{}
			}
			for a := range alphas {
				if v := iou[[2]int{i, j}]; v >= alpha(a)-epsilon {
					hits[a]++
					overlap[a] += v
					together[p][a]++
				}
			}
		}
	}
	pairs := slices.SortedFunc(maps.Keys(together), func(p, q pair) int { return cmp.Or(p.object-q.object, p.track-q.track) })
	for a := range alphas {
		association := 0.0
		for _, p := range pairs {
			m := float64(together[p][a])
			association += m * ratio(m, float64(s.truth[p.object]+s.tracks[p.track])-m)
		}
		tp := float64(hits[a])
		detA, assA := ratio(tp, float64(to.Labels+to.Boxes)-tp), ratio(association, tp)
		to.HOTAOf[a] = math.Sqrt(detA * assA)
		to.HOTA += to.HOTAOf[a] / alphas
		to.DetA += detA / alphas
		to.AssA += assA / alphas
		to.LocA += max(1e-10, overlap[a]) / max(1e-10, tp) / alphas // 1 where nothing was found, as TrackEval has it
	}
}

// alignment is how well each track fits each object over the whole scene: the matching of a frame
// prefers the pair that is right elsewhere too.
func (s *scene) alignment() map[pair]float64 {
	fits := map[pair]float64{}
	for _, f := range s.frames {
		rows, columns := make([]float64, len(f.truth)), make([]float64, len(f.found))
		for _, e := range f.pairs {
			rows[e.Row] += e.Weight
			columns[e.Column] += e.Weight
		}
		for _, e := range f.pairs {
			fits[pair{f.truth[e.Row], f.found[e.Column]}] += e.Weight / (rows[e.Row] + columns[e.Column] - e.Weight)
		}
	}
	for p, v := range fits {
		fits[p] = v / (float64(s.truth[p.object]+s.tracks[p.track]) - v)
	}
	return fits
}
