package infer

import (
	"fmt"
	"math"
	"slices"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// decoder turns one image's part of the output tensors into what was found. It belongs to one
// session and keeps scratch memory.
type decoder interface {
	decode(out []tensor, i, n int, g geometry, im *vision.Image) (vision.Output, error)
}

func newDecoder(m model.Manifest) (decoder, error) {
	switch m.Output.Decoder {
	case "yolox":
		return &boxes{spec: m.Output, read: readYOLOX}, nil
	case "ultralytics":
		return &boxes{spec: m.Output, read: readUltralytics}, nil
	case "yolov5":
		return &boxes{spec: m.Output, read: readYOLOv5}, nil
	case "end2end":
		return &boxes{spec: m.Output, read: readEndToEnd}, nil
	case "detr":
		return &boxes{spec: m.Output, read: readDETR}, nil
	case "lists":
		return &boxes{spec: m.Output, read: readLists}, nil
	case "nanodet":
		return &boxes{spec: m.Output, read: readNanoDet}, nil
	case "picodet":
		return &boxes{spec: m.Output, read: readPicoDet}, nil
	case "fastestdet":
		return &boxes{spec: m.Output, read: readFastestDet}, nil
	case "yunet":
		return &boxes{spec: m.Output, read: readYuNet}, nil
	case "dense":
		return newDense(m)
	case "classes":
		return &classes{spec: m.Output}, nil
	case "anomaly":
		return &anomaly{spec: m.Output}, nil
	case "db":
		return &lines{spec: m.Output}, nil
	case "ctc":
		return &reader{spec: m.Output}, nil
	default:
		return nil, fmt.Errorf("model %s: no decoder %q", m.Name, m.Output.Decoder)
	}
}

// view is one image's part of every output, with the batch dimension taken off.
type view struct {
	name  string
	shape []int
	data  []float32
}

// views checks that every output has n images.
func views(into []view, out []tensor, i, n int) ([]view, error) {
	into = into[:0]
	for _, t := range out {
		if len(t.shape) < 2 || t.shape[0] != n {
			return nil, fmt.Errorf("output %s is %v for %d images; does the manifest's batch fit the file?", t.name, t.shape, n)
		}
		into = append(into, view{t.name, t.shape[1:], t.image(i, n)})
	}
	return into, nil
}

// boxes is the frame of all detectors: read the candidates, suppress, scale back.
type boxes struct {
	spec  model.Output
	read  func(b *boxes, v []view, g geometry) error
	views []view
	found []vision.Box
	rows  []int // of found: the row of table that each came from
	row   int   // that is being read
	order []int
	table table // the rows, where something stands behind their classes
	image int   // of the batch
	most  int   // of the best candidates count; 0: all

	unused []bool // classes that mean nothing
	ids    []int  // category ids of the labels, once they were needed
	seen   int    // candidates above the floor of the latest image that were boxes
	thrown int    // those that were none
}

func (b *boxes) decode(out []tensor, i, n int, g geometry, _ *vision.Image) (vision.Output, error) {
	var err error
	b.image = i
	if b.unused == nil {
		b.unused = make([]bool, len(b.spec.Labels))
		for k, l := range b.spec.Labels {
			_, b.unused[k] = vision.COCOUnused(l)
		}
	}
	if b.views, err = views(b.views, b.batched(out, n), i, n); err != nil {
		return vision.Output{}, err
	}
	b.most = 0
	b.found, b.rows, b.row, b.table, b.seen, b.thrown = b.found[:0], b.rows[:0], 0, table{}, 0, 0
	if err := b.read(b, b.views, g); err != nil {
		return vision.Output{}, fmt.Errorf("decoder %s: %w", b.spec.Decoder, err)
	}
	b.seen = len(b.found)
	if b.ids == nil {
		b.ids = vision.Categories(b.spec.Labels)
	}
	if b.spec.Angle {
		b.order = b.pickTurned(b.order)
	} else {
		b.order = pick(b.order, b.found, float32(b.spec.NMSIoU))
	}
	if b.most > 0 {
		b.order = b.order[:min(len(b.order), b.most)]
	}
	more, err := b.newMore(g)
	if err != nil {
		return vision.Output{}, fmt.Errorf("decoder %s: %w", b.spec.Decoder, err)
	}
	kept := make([]vision.Box, 0, len(b.order)) // the answer is its caller's
	for _, i := range b.order {
		box := b.found[i]
		if c := box.Class; c < len(b.spec.Labels) {
			box.Label, box.Category = b.spec.Labels[c], b.ids[c]
		}
		if b.spec.Clip && !b.spec.Angle {
			box = g.clip(box)
		}
		if more.add(&box, b.rows[i]); box.W != box.W { // of an angle that is no number
			b.thrown++
			continue
		}
		kept = append(kept, box)
	}
	return vision.Output{Boxes: kept}, nil
}

// keep takes a candidate whose score is above the floor and whose box is a box, and counts it where not.
func (b *boxes) keep(box vision.Box, score float32, class int) {
	ok := func(v float32) bool { return v > -1e6 && v < 1e6 } // false for NaN
	if class < len(b.unused) && b.unused[class] {
		b.thrown++
		return
	}
	if ok(box.X) && ok(box.Y) && box.W > 0 && box.H > 0 && ok(box.W) && ok(box.H) {
		box.Score, box.Class = min(score, 1), class
		b.found, b.rows = append(b.found, box), append(b.rows, b.row)
		return
	}
	b.thrown++
}

func (b *boxes) floor() float32 { return float32(b.spec.ScoreFloor) }

// want checks a view's shape; -1 fits anything.
func want(v view, shape ...int) error {
	fits := len(v.shape) == len(shape)
	for i := 0; fits && i < len(shape); i++ {
		fits = shape[i] < 0 || v.shape[i] == shape[i]
	}
	if !fits { // a copy of shape, so that the list itself need not live on the heap
		return fmt.Errorf("output %s is %v without the batch, should be like %v", v.name, v.shape, slices.Clone(shape))
	}
	return nil
}

// largest is the place and value of the largest of v.
func largest(v []float32) (int, float32) {
	at, top := 0, v[0]
	for i, x := range v {
		if x > top {
			at, top = i, x
		}
	}
	return at, top
}

func exp(v float32) float32     { return float32(math.Exp(float64(v))) }
func sigmoid(v float32) float32 { return 1 / (1 + exp(-v)) }
