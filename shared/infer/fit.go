package infer

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"cloudcanvas/shared/onnx"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// ErrMisfit says that a network's outputs are not what its manifest's decoder reads: shapes, the number of
// classes, or values that no such network gives.
var ErrMisfit = errors.New("the manifest does not fit the network")

// suits lets the decoder read what the network gave for the golden case or a made picture, and checks it.
// What a network can't show there (it may see nothing in it) is not held against it.
func (f *file) suits(out []tensor, in model.GoldenInput) error {
	if f.model.Output.Decoder == "" { // its tensors are wanted as they are
		return nil
	}
	d, err := newDecoder(f.model.Manifest)
	if err != nil {
		return err
	}
	if _, ok := d.(*boxes); ok && f.task == "obb" && !f.model.Output.Angle {
		return fmt.Errorf("%w: its file says that it is an oriented (obb) export; write angle: true", ErrMisfit)
	}
	w, h := in.Shape[3], in.Shape[2]
	g := geometry{w: w, h: h, rw: w, rh: h, iw: w, ih: h, sx: 1, sy: 1}
	if _, err = d.decode(out, 0, in.Shape[0], g, &vision.Image{W: w, H: h}); err != nil {
		return fmt.Errorf("%w: %w%s", ErrMisfit, err, f.looksLike(out))
	}
	if b, ok := d.(*boxes); ok && !f.known {
		err := b.checkRows(g)
		if err == nil && b.thrown > b.seen {
			err = fmt.Errorf("of %d candidates above the score floor %d can't be boxes: not finite, without a size, or of a class without a label", b.seen+b.thrown, b.thrown)
		}
		if err != nil {
			return fmt.Errorf("%w: decoder %s: %w", ErrMisfit, b.spec.Decoder, err)
		}
	}
	return nil
}

// looksLike says what the shapes look like instead.
func (f *file) looksLike(out []tensor) string {
	infos := make([]onnx.TensorInfo, len(out))
	for i, t := range out {
		infos[i] = onnx.TensorInfo{Name: t.name, Shape: t.shape}
	}
	var like []string
	for _, l := range model.LayoutsOf(infos, len(f.model.Output.Labels)) {
		if l.Output.Decoder == "" {
			like = append(like, l.What)
		} else if l.Output.Decoder != f.model.Output.Decoder || l.Output.Unit != f.model.Output.Unit {
			like = append(like, fmt.Sprintf("%s (%s)", l.What, l.Output.Words()))
		}
	}
	if len(like) == 0 {
		return ""
	}
	return "; its shapes look like " + strings.Join(like, ", or ")
}

// column is what one place of all rows holds.
type column struct {
	low, high float32
	negative  int  // values below 0
	whole     bool // all are whole numbers
}

// table is a detector's rows as values to be checked: row i, place k is data[i*row+k*field].
type table struct {
	data       []float32
	n          int
	row, field int
}

func (t table) at(i, k int) float32 { return t.data[i*t.row+k*t.field] }

func (t table) column(from, to int) column {
	c := column{low: float32(math.Inf(1)), high: float32(math.Inf(-1)), whole: true}
	for i := range t.n {
		for k := from; k < to; k++ {
			v := t.at(i, k)
			if v != v || v > 1e9 || v < -1e9 {
				continue // counted where it is a candidate
			}
			c.low, c.high = min(c.low, v), max(c.high, v)
			c.whole = c.whole && v == float32(math.Round(float64(v)))
			if v < 0 {
				c.negative++
			}
		}
	}
	return c
}

// beyond is the share of values of some places that are above a limit, of those that are not 0. A network that
// is shown a made picture may say anything of single candidates: a box of 30,000 pixels that it does not
// believe in itself.
func (t table) beyond(from, to int, limit float32) float64 {
	over, seen := 0, 0
	for i := range t.n {
		for k := from; k < to; k++ {
			switch v := t.at(i, k); {
			case v == 0 || v != v:
			case v > limit:
				over++
				fallthrough
			default:
				seen++
			}
		}
	}
	return float64(over) / float64(max(seen, 1))
}

// most is the share of values that may be beyond what they can be.
const most = 0.1

// checkRows looks at the latest image's rows, whatever their scores.
func (b *boxes) checkRows(g geometry) error {
	v := flat(b.views)
	classes := len(b.spec.Labels)
	switch b.spec.Decoder {
	case "ultralytics":
		row := 4 + classes + b.spec.Extra
		t := table{v[0].data, v[0].shape[1], 1, v[0].shape[1]}
		if v[0].shape[0] != row {
			t = table{v[0].data, v[0].shape[0], row, 1}
		}
		if final(t, row) {
			return fmt.Errorf("output %s is %d rows of %d whose fifth values fall from the top and whose sixth are whole numbers: it is an end-to-end export, with final boxes; write decoder: end2end", v[0].name, t.n, row)
		}
		best := func(i int) (top float32) {
			for k := 4; k < 4+classes; k++ {
				top = max(top, t.at(i, k))
			}
			return top
		}
		return errors.Join(b.scores(t.column(4, 4+classes)), b.sides(t, g, best))
	case "yolov5":
		t := table{v[0].data, v[0].shape[0], 5 + classes + b.spec.Extra, 1}
		if size := t.column(2, 4); size.negative*50 > 2*t.n {
			return fmt.Errorf("%d of %d sizes are negative, so they are logarithms: it is a YOLOX without decoding; write decoder: yolox", size.negative, 2*t.n)
		}
		return errors.Join(b.scores(t.column(4, 5+classes)), b.sides(t, g, nil))
	case "yolox":
		t := table{v[0].data, v[0].shape[0], 5 + classes, 1}
		if size := t.column(2, 4); t.beyond(2, 4, 12) > most {
			return fmt.Errorf("sizes go up to %.0f, which are no logarithms: its boxes are decoded already, in pixels (--decode_in_inference, or a YOLOv5); write decoder: yolov5", size.high)
		}
		return b.scores(t.column(4, 5+classes))
	case "end2end":
		t := table{v[0].data, v[0].shape[0], v[0].shape[1], 1}
		if t.n > mostFinal || t.row > t.n && t.row > mostBeside {
			return fmt.Errorf("output %s is %d rows of %d: an end-to-end export gives some hundred rows of 6, or a few more", v[0].name, t.n, t.row)
		}
		classAt, _ := b.spec.Column(model.ColumnClass)
		scoreAt, _ := b.spec.Column(model.ColumnScore)
		boxAt, _ := b.spec.Column(model.ColumnBox)
		class := t.column(classAt, classAt+1)
		if !class.whole {
			return fmt.Errorf("the classes of output %s, values number %d of its rows, from %.3g to %.3g, are not whole numbers: it is not an end-to-end export, or one with other columns", v[0].name, classAt+1, class.low, class.high)
		}
		at := t
		at.data = t.data[min(boxAt, len(t.data)):]
		return errors.Join(b.numbered(class, 0), b.scores(t.column(scoreAt, scoreAt+1)), b.sides(at, g, func(i int) float32 { return t.at(i, scoreAt) }))
	case "nanodet":
		return b.scores(table{v[0].data, v[0].shape[0], v[0].shape[1], 1}.column(0, classes))
	case "detr":
		at, scores := b.boxesFirst(v)
		return errors.Join(b.scores(table{scores.data, scores.shape[0], width(scores), 1}.column(0, width(scores))),
			b.sides(table{at.data, at.shape[0], 4, 1}, g, nil))
	case "lists":
		n := len(v[1].data)
		class := table{v[2].data, n, 1, 1}.column(0, 1)
		if !class.whole {
			return fmt.Errorf("output %s is to be classes and has values that are not whole; name the outputs with output.tensors: [boxes, scores, classes]", v[2].name)
		}
		return errors.Join(b.numbered(class, b.spec.FirstClass), b.scores(table{v[1].data, n, 1, 1}.column(0, 1)), b.sides(table{v[0].data, n, 4, 1}, g, nil))
	}
	return nil
}

// mostFinal bounds the rows of an end-to-end export; networks that still need suppression give more.
const mostFinal = 2000

// mostBeside bounds what stands in one of their rows: 6, and masks' coefficients or a pose's points.
const mostBeside = 600

// final says whether rows are those of an end-to-end export: few, their fifth values scores from the best
// down, their sixth whole.
func final(t table, row int) bool {
	if row < 6 || t.field != 1 || t.n > mostFinal || t.n < 2 {
		return false
	}
	class, score := t.column(5, 6), t.column(4, 5)
	if !class.whole || class.low < -1 || score.low < -0.01 || score.high > 1.01 || score.high <= 0 {
		return false
	}
	for i := 1; i < t.n; i++ {
		if t.at(i, 4) > t.at(i-1, 4) {
			return false
		}
	}
	return true
}

// tolerated is how far a probability may lie outside 0 … 1.
const tolerated = 0.05

// scores says where values can't be what output.activation says.
func (b *boxes) scores(c column) error {
	logits := b.spec.Activation != "probabilities"
	if logits && c.low >= 0 && c.high <= 1 && c.high > 0 {
		return fmt.Errorf("scores run from %.3g to %.3g: they are probabilities already; leave activation out", c.low, c.high)
	}
	if !logits && (c.high > 1+tolerated || c.low < -tolerated) {
		like := "logits; write activation: logits"
		if c.high > 60 || c.low < -60 {
			like = "not probabilities and not logits; another decoder reads this"
		}
		return fmt.Errorf("scores run from %.3g to %.3g: they are %s", c.low, c.high, like)
	}
	return nil
}

// numbered says where classes have no label.
func (b *boxes) numbered(c column, first int) error {
	if c.high-float32(first) >= float32(len(b.spec.Labels)) {
		return fmt.Errorf("the network gives class %.0f, the manifest has %d labels from %d on; name all, or see first_class", c.high, len(b.spec.Labels), first)
	}
	return nil
}

// sides says where boxes can't be of output.unit and output.boxes. Whether sizes are any is asked of rows that the
// network believes in, where score gives it: networks that measure distances to the sides give any for others.
func (b *boxes) sides(t table, g geometry, score func(i int) float32) error {
	c, side := t.column(0, 4), float32(max(g.w, g.h))
	switch {
	case c.high <= 0 || side < 16: // nothing was seen
	case b.spec.Unit == model.UnitPixels && c.high <= 2:
		return fmt.Errorf("boxes go up to %.3g of %dx%d pixels: they are shares of the picture; write unit: shares", c.high, g.w, g.h)
	case b.spec.Unit == model.UnitShares && t.beyond(0, 4, 4) > most:
		return fmt.Errorf("boxes go up to %.4g, which are no shares of the picture; write unit: pixels", c.high)
	case b.spec.Unit == model.UnitPixels && t.beyond(0, 4, 8*side) > most:
		return fmt.Errorf("boxes go up to %.4g in an input of %dx%d pixels: these are no pixels of it", c.high, g.w, g.h)
	}
	believed := func(i int) bool { return score == nil || score(i) > b.floor() }
	if b.spec.Boxes == model.BoxCentre || b.spec.Boxes == "" {
		negative, of := 0, 0
		for i := range t.n {
			if believed(i) {
				of += 2
				for k := 2; k < 4; k++ {
					if t.at(i, k) < 0 {
						negative++
					}
				}
			}
		}
		if negative*50 > of {
			return fmt.Errorf("%d of %d sizes are negative: these are no boxes of centre and size", negative, of)
		}
		return nil
	}
	wrong, seen := 0, 0
	for i := range t.n {
		if believed(i) && (t.at(i, 2) != 0 || t.at(i, 3) != 0) {
			seen++
			if t.at(i, 2) < t.at(i, 0) || t.at(i, 3) < t.at(i, 1) {
				wrong++
			}
		}
	}
	if wrong*5 > seen {
		return fmt.Errorf("in %d of %d boxes the second corner lies before the first: these are centres and sizes; write boxes: centre", wrong, seen)
	}
	return nil
}
