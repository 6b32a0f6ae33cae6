package calibrate

import (
	"context"
	"fmt"
	"math"

	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/quantise"
	"cloudcanvas/shared/vision"
)

// comparison holds networks in 8 bits against the one in float, on pictures that calibrated neither.
type comparison struct {
	options Options
	data    []byte
	want    []vision.Output // of float
}

func newComparison(ctx context.Context, o Options, data []byte) (*comparison, error) {
	j := &comparison{options: o, data: data}
	err := j.run(ctx, data, func(_ int, out vision.Output) { j.want = append(j.want, out) })
	return j, err
}

// run computes every compared picture with a file.
func (j *comparison) run(ctx context.Context, data []byte, each func(i int, out vision.Output)) error {
	return openFile(j.options.Model, data, func(m model.Model) error {
		net, _, err := infer.Open(ctx, m, infer.ORTCPU, infer.Layout{Sessions: 1, Threads: j.options.Threads, Runtime: j.options.Runtime}, nil)
		if err != nil {
			return err
		}
		defer net.Close()
		for n := 0; n < j.options.Pictures; n += 2 {
			im, err := j.options.Picture(n)
			if err != nil {
				return err
			}
			out, err := net.Run(ctx, []vision.Image{im})
			if err != nil {
				return err
			}
			each(n/2, out[0])
		}
		return nil
	})
}

// agreement is how alike float and the plan are: in the mean and on the worst picture.
func (j *comparison) agreement(ctx context.Context, convs []model.Int8Conv) (mean, worst float64, err error) {
	small, err := quantise.Rewrite(j.data, model.Int8{Convs: convs})
	if err != nil {
		return 0, 0, err
	}
	worst = 1
	err = j.run(ctx, small, func(i int, out vision.Output) {
		share := alike(j.options.Model.Manifest, j.want[i], out)
		mean += share / float64(len(j.want))
		worst = min(worst, share)
	})
	return mean, worst, err
}

// What counts as the same detection.
const (
	reported    = 0.3  // detections below do not count …
	samePlace   = 1    // pixels
	sameScore   = 0.01 // … and above it
	sameOpinion = 0.05 // of a label for the whole picture
)

// measure says in words what alike counts.
func measure(task model.Task) string {
	switch task {
	case model.Segment:
		return "share of pixels of equal class"
	case model.Classify:
		return fmt.Sprintf("share of pictures with equal label, scores within %g", sameOpinion)
	}
	return fmt.Sprintf("share of detections from %g on that agree within %d px and %g", reported, samePlace, sameScore)
}

func alike(m model.Manifest, a, b vision.Output) float64 {
	switch {
	case m.Task == model.Segment:
		return sameClasses(a.Mask.Class, b.Mask.Class)
	case m.Task == model.Classify || len(a.Classes) > 0 || len(b.Classes) > 0:
		if len(a.Classes) == 0 && len(b.Classes) == 0 {
			return 1
		}
		if len(a.Classes) == 0 || len(b.Classes) == 0 || a.Classes[0].Label != b.Classes[0].Label || !near(a.Classes[0].Score, b.Classes[0].Score, sameOpinion) {
			return 0
		}
		return 1
	}
	missing, all := unmatched(a.Boxes, b.Boxes)
	more, too := unmatched(b.Boxes, a.Boxes)
	if all+too == 0 {
		return 1
	}
	return 1 - float64(missing+more)/float64(all+too)
}

func sameClasses(a, b []byte) float64 {
	if len(a) != len(b) || len(a) == 0 {
		return 0
	}
	same := 0
	for i := range a {
		if a[i] == b[i] {
			same++
		}
	}
	return float64(same) / float64(len(a))
}

// unmatched counts the detections in a that b does not have. One just above the bound may lie just
// below it in the other.
func unmatched(a, b []vision.Box) (missing, all int) {
	for _, x := range a {
		if x.Score < reported {
			continue
		}
		all++
		missing++
		for _, y := range b {
			if x.Class == y.Class && near(x.Score, y.Score, sameScore) && near(x.X, y.X, samePlace) && near(x.Y, y.Y, samePlace) &&
				near(x.X+x.W, y.X+y.W, samePlace) && near(x.Y+x.H, y.Y+y.H, samePlace) {
				missing--
				break
			}
		}
	}
	return missing, all
}

func near(a, b float32, by float64) bool { return math.Abs(float64(a)-float64(b)) <= by }
