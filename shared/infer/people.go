package infer

import (
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// peopleWorker is OpenCV's HOG people detector behind the same Run as a network.
type peopleWorker struct {
	plan *plan
	spec model.Output
}

// hogScale is the step between the sizes of people looked for. OpenCV's own default is 1.05; 1.1
// looks at half as many sizes.
const hogScale = 1.1

func newPeopleWorker(m model.Manifest) *peopleWorker {
	return &peopleWorker{plan: newPlan(model.Input{Colour: "bgr", Scale: 1}), spec: m.Output}
}

func (w *peopleWorker) place(j *job) error { return w.plan.check(j.im) }

func (w *peopleWorker) run(batch []*job) {
	for _, j := range batch {
		found, err := people(j.im, 0, hogScale)
		if err == nil {
			*j.out = vision.Output{Boxes: w.finish(found)}
		}
		j.finish(err)
	}
}

// finish turns SVM margins (0 and up) into scores between 0.5 and 1, and the detector's window into
// the person's own box: it was trained on windows of 64 x 128 with 16 pixels around each person
// (Dalal and Triggs, 2005).
func (w *peopleWorker) finish(found []vision.Box) []vision.Box {
	kept := found[:0]
	for _, b := range found {
		b.Score, b.Label = sigmoid(b.Score), w.spec.Labels[0]
		b.X, b.W = b.X+b.W/4, b.W/2
		b.Y, b.H = b.Y+b.H/8, b.H*3/4
		if b.Score > float32(w.spec.ScoreFloor) {
			kept = append(kept, b)
		}
	}
	return suppress(kept, float32(w.spec.NMSIoU))
}

func (w *peopleWorker) close() {}
