package evaluate_test

import (
	"cmp"
	"slices"
	"testing"

	"cloudcanvas/lab/evaluate"
	"cloudcanvas/shared/track"
	"cloudcanvas/shared/vision"
)

var usual = track.Config{Begin: 0.3, Continue: 0.15, MinIoU: 0.2, Confirm: 3, MaxGap: 30, Most: 256}

// follow runs the follower and gives what it would tell live.
func follow(c track.Config, frames [][]vision.Box) (all []evaluate.Sighting) {
	f := track.NewFollower(c)
	for n, boxes := range frames {
		alive, _ := f.Update(int64(n), boxes)
		for _, o := range alive {
			if o.Confirmed && o.Seen {
				all = append(all, sighting(n, int(o.ID), o.Box))
			}
		}
	}
	return all
}

func sighting(n, id int, b vision.Box) evaluate.Sighting {
	return evaluate.Sighting{Frame: n + 1, ID: id, BBox: [4]float64{float64(b.X), float64(b.Y), float64(b.W), float64(b.H)}, Score: float64(b.Score)}
}

// greedy joins strong detections to where objects were last seen, best overlap first.
func greedy(c track.Config, frames [][]vision.Box) (all []evaluate.Sighting) {
	type object struct {
		id, seen, hits int
		box            vision.Box
	}
	var objects []*object
	count := 0
	for n, boxes := range frames {
		type pair struct {
			o   *object
			i   int
			iou float32
		}
		var pairs []pair
		for i, b := range boxes {
			for _, o := range objects {
				if iou := vision.IoU(o.box, b); b.Score >= c.Begin && iou >= c.MinIoU {
					pairs = append(pairs, pair{o, i, iou})
				}
			}
		}
		slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(b.iou, a.iou) })
		used := map[int]bool{}
		for _, p := range pairs {
			if p.o.seen < n && !used[p.i] {
				used[p.i] = true
				p.o.box, p.o.seen, p.o.hits = boxes[p.i], n, p.o.hits+1
			}
		}
		for i, b := range boxes {
			if !used[i] && b.Score >= c.Begin {
				count++
				objects = append(objects, &object{id: count, seen: n, hits: 1, box: b})
			}
		}
		objects = slices.DeleteFunc(objects, func(o *object) bool {
			return n-o.seen > int(c.MaxGap) || o.hits < c.Confirm && o.seen < n
		})
		for _, o := range objects {
			if o.seen == n && o.hits >= c.Confirm {
				all = append(all, sighting(n, o.id, o.box))
			}
		}
	}
	return all
}

// every keeps each nth frame, as of a camera that takes fewer.
func every(n int, truth []evaluate.Sighting, frames [][]vision.Box) (fewer []evaluate.Sighting, boxes [][]vision.Box) {
	for i := 0; i < len(frames); i += n {
		boxes = append(boxes, frames[i])
	}
	for _, s := range truth {
		if (s.Frame-1)%n == 0 {
			s.Frame = (s.Frame-1)/n + 1
			fewer = append(fewer, s)
		}
	}
	return fewer, boxes
}

func TestTheFollowerIsBetterThanGreedyOverlapInACrowd(t *testing.T) {
	for _, step := range []int{1, 5} {
		var ours, plain evaluate.TrackScores
		const crowds = 3
		for seed := range uint64(crowds) {
			crowd := evaluate.DefaultCrowd()
			crowd.Frames, crowd.Seed = 400*step, seed+1
			truth, frames := crowd.Walk()
			truth, frames = every(step, truth, frames)
			score := func(to *evaluate.TrackScores, found []evaluate.Sighting) {
				s, _, err := evaluate.Tracks(truth, found)
				if err != nil {
					t.Fatal(err)
				}
				to.HOTA, to.IDF1, to.MOTA, to.Switches = to.HOTA+s.HOTA/crowds, to.IDF1+s.IDF1/crowds, to.MOTA+s.MOTA/crowds, to.Switches+s.Switches
			}
			score(&ours, follow(usual, frames))
			score(&plain, greedy(usual, frames))
		}
		t.Logf("each %d. frame: HOTA %.3f and %.3f, IDF1 %.3f and %.3f, MOTA %.3f and %.3f, switches %d and %d", step,
			ours.HOTA, plain.HOTA, ours.IDF1, plain.IDF1, ours.MOTA, plain.MOTA, ours.Switches, plain.Switches)
		if ours.HOTA < plain.HOTA+0.05 || ours.IDF1 < plain.IDF1+0.08 || ours.MOTA < plain.MOTA+0.005 || 4*ours.Switches > 3*plain.Switches {
			t.Errorf("each %d. frame: no better than greedy", step)
		}
	}
}
