package infer

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// four makes a box of a row's four numbers, which the manifest says how to read: output.boxes and
// output.unit.
func (b *boxes) four(g geometry, p, q, r, s float32) vision.Box {
	if b.spec.Boxes == model.BoxCornersYX {
		p, q, r, s = q, p, s, r
	}
	if b.spec.Unit == model.UnitShares {
		w, h := float32(g.w), float32(g.h)
		p, q, r, s = p*w, q*h, r*w, s*h
	}
	if b.spec.Boxes == model.BoxCorners || b.spec.Boxes == model.BoxCornersYX {
		return corners(g, p, q, r, s)
	}
	return g.box(p, q, r, s)
}

// readYOLOv5 reads rows of (box, objectness, classes …), decoded: YOLOv5 and YOLOv7 as they are exported,
// YOLOX with --decode_in_inference.
func readYOLOv5(b *boxes, v []view, g geometry) error {
	classes := 5 + len(b.spec.Labels) // the row up to their end
	row := classes + b.spec.Extra
	v = flat(v)
	if len(v) != 1 {
		return fmt.Errorf("%d outputs, should be 1", len(v))
	}
	if err := want(v[0], -1, row); err != nil {
		return err
	}
	floor, logits := b.floor(), b.spec.Activation == "logits"
	for data := v[0].data; len(data) >= row; data = data[row:] {
		object := data[4]
		if logits {
			object = sigmoid(object)
		}
		if object <= floor {
			continue
		}
		class, score := largest(data[5:classes])
		if logits {
			score = sigmoid(score)
		}
		if score *= object; score > floor {
			b.keep(b.four(g, data[0], data[1], data[2], data[3]), score, class)
		}
	}
	return nil
}

// flat leaves out maps that stand beside a detector's rows: a segmentation network's prototypes, YOLOv5's
// outputs before they are put in a row.
func flat(v []view) []view {
	if len(v) > 1 && len(v[0].shape) == 2 && len(v[1].shape) >= 3 {
		return v[:1]
	}
	return v
}

// batched gives outputs of networks that suppress boxes themselves the dimension of the batch where they
// leave it out: of one picture, or because a row says which it is of.
func (b *boxes) batched(out []tensor, n int) []tensor {
	lift := func(k, rank int) {
		if t := &out[k]; len(t.shape) == rank-1 && (n == 1 || rank == 2 && t.shape[0] == n) {
			if rank == 2 && t.shape[0] == n { // one number for each picture
				t.shape = []int{n, 1}
				return
			}
			t.shape = append([]int{1}, t.shape...)
		}
	}
	ranks := []int{3}
	if b.spec.Decoder == "lists" {
		ranks = []int{3, 2, 2, 2}
	} else if b.spec.Decoder != "end2end" {
		return out
	}
	out = slices.Clone(out)
	if at, _ := b.spec.Column(model.ColumnImage); b.spec.Decoder == "end2end" && at >= 0 && len(out) > 0 {
		return []tensor{b.shared(out[0], n)}
	}
	for k := range out[:min(len(ranks), len(out))] {
		lift(k, ranks[k])
	}
	return out
}

// shared are the rows of all pictures, once for each of them.
func (b *boxes) shared(t tensor, n int) tensor {
	if len(t.shape) < 2 {
		return t
	}
	row := t.shape[len(t.shape)-1]
	rows := len(t.data) / max(row, 1)
	all := t.data
	if n > 1 {
		all = nil
		for range n {
			all = append(all, t.data...)
		}
	}
	return tensor{t.name, []int{n, rows, row}, all}
}

// readEndToEnd reads rows of (box, score, class, more …) that are final: YOLOv10, YOLO26 and nms=True, or of
// what output.columns says. What stands behind them is left aside, but where the manifest says what it is.
func readEndToEnd(b *boxes, v []view, g geometry) error {
	v = flat(v)
	if len(v) != 1 {
		return fmt.Errorf("%d outputs, should be 1", len(v))
	}
	at, least := b.spec.Column(model.ColumnBox)
	if len(v[0].shape) != 2 || v[0].shape[1] < least {
		return fmt.Errorf("output %s is %v without the batch, should be rows of x1, y1, x2, y2, score, class, or what output.columns says", v[0].name, v[0].shape)
	}
	scoreAt, _ := b.spec.Column(model.ColumnScore)
	classAt, _ := b.spec.Column(model.ColumnClass)
	imageAt, _ := b.spec.Column(model.ColumnImage)
	row, floor := v[0].shape[1], b.floor()
	if row < least+b.spec.Extra {
		return fmt.Errorf("output %s is %v without the batch: rows of %d values and %d behind them were to come", v[0].name, v[0].shape, least, b.spec.Extra)
	}
	b.table = table{v[0].data, v[0].shape[0], row, 1}
	for data := v[0].data; len(data) >= row; data = data[row:] {
		b.row = (len(v[0].data) - len(data)) / row
		if imageAt >= 0 && data[imageAt] != float32(b.image) {
			continue
		}
		if score := data[scoreAt]; score > floor {
			p := data[at:]
			b.keepClass(b.four(g, p[0], p[1], p[2], p[3]), score, data[classAt])
		}
	}
	return nil
}

// keepClass is keep for a class that the network gives as a number; one that is no label's is thrown away.
func (b *boxes) keepClass(box vision.Box, score, class float32) {
	if k := int(math.Round(float64(class))); class > -0.5 && class < 1e6 && k < len(b.spec.Labels) {
		b.keep(box, score, k)
		return
	}
	b.thrown++
}

// readDETR reads two tensors, boxes (N x 4) and scores (N x classes), in either order: DETR and its kin with
// shares and logits, YOLO-NAS with corners in pixels. One column more than labels is "nothing". Where each class
// has a probability of its own a query may say several, and as many of all queries' classes count as there are
// queries, as RT-DETR and its kin choose them.
func readDETR(b *boxes, v []view, g geometry) error {
	if len(v) != 2 {
		return fmt.Errorf("%d outputs, should be 2: boxes and scores", len(v))
	}
	at, scores := b.boxesFirst(v)
	classes := len(b.spec.Labels)
	if err := want(at, -1, 4); err != nil {
		return err
	}
	n := at.shape[0]
	columns := width(scores)
	if columns != classes && columns != classes+1 || scores.shape[0] != n {
		return fmt.Errorf("%w; the manifest has %d labels", want2(scores, n, classes), classes)
	}
	floor := b.floor()
	soft := b.spec.Activation == "softmax" || columns > classes && b.spec.Activation == "logits" // with "nothing"
	if b.spec.Unit == model.UnitShares && !soft {
		b.most = n
	}
	for i := range n {
		row, p := scores.data[i*columns:(i+1)*columns], at.data[4*i:]
		if b.most > 0 {
			for class, score := range row[:classes] {
				if b.spec.Activation != "probabilities" {
					score = sigmoid(score)
				}
				if score > floor {
					b.keep(b.four(g, p[0], p[1], p[2], p[3]), score, class)
				}
			}
			continue
		}
		class, score := largest(row[:classes])
		switch {
		case soft:
			score = softmaxAt(row, class)
		case b.spec.Activation != "probabilities":
			score = sigmoid(score)
		}
		if score > floor {
			b.keep(b.four(g, p[0], p[1], p[2], p[3]), score, class)
		}
	}
	return nil
}

// boxesFirst tells boxes from scores: by their widths, else by the order that the manifest gives, else by their
// names.
func (b *boxes) boxesFirst(v []view) (at, scores view) {
	at, scores = v[0], v[1]
	switch {
	case width(at) != 4:
		return scores, at
	case width(scores) != 4 || len(b.spec.Tensors) > 0:
		return at, scores
	case strings.Contains(strings.ToLower(scores.name), "box"):
		return scores, at
	}
	return at, scores
}

func width(v view) int {
	if len(v.shape) != 2 {
		return 0
	}
	return v.shape[1]
}

func want2(v view, n, columns int) error {
	return fmt.Errorf("output %s is %v without the batch, should be %d x %d", v.name, v.shape, n, columns)
}

// softmaxAt is the softmax's value at k.
func softmaxAt(v []float32, k int) float32 {
	_, top := largest(v)
	var sum float32
	for _, x := range v {
		sum += exp(x - top)
	}
	return exp(v[k]-top) / sum
}

// readLists reads boxes (N x 4), scores and classes (N each), and where it is there how many of them count:
// TensorFlow's detection post-processing and what copies it.
func readLists(b *boxes, v []view, g geometry) error {
	if len(v) != 3 && len(v) != 4 {
		return fmt.Errorf("%d outputs, should be 3 or 4: boxes, scores, classes and how many", len(v))
	}
	n := len(v[1].data)
	if width(v[0]) != 4 || len(v[0].data) != 4*n || len(v[2].data) != n {
		return fmt.Errorf("outputs %v are %v, %v, %v without the batch, should be N x 4, N and N; name them with output.tensors: [boxes, scores, classes]",
			[]string{v[0].name, v[1].name, v[2].name}, v[0].shape, v[1].shape, v[2].shape)
	}
	if len(v) == 4 && len(v[3].data) == 1 {
		if count := v[3].data[0]; count >= 0 && count < float32(n) {
			n = int(count)
		}
	}
	floor, first := b.floor(), float32(b.spec.FirstClass)
	for i := range n {
		if score := v[1].data[i]; score > floor {
			p := v[0].data[4*i:]
			b.keepClass(b.four(g, p[0], p[1], p[2], p[3]), score, v[2].data[i]-first)
		}
	}
	return nil
}
