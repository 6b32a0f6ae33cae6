package infer

import (
	"errors"
	"fmt"
)

// readYOLOX reads rows of (x, y, w, h, objectness, classes …): offsets within the cell and log sizes,
// in units of each map's stride, maps one after the other (Megvii-BaseDetection/YOLOX, demo_utils.py).
func readYOLOX(b *boxes, v []view, g geometry) error {
	row := 5 + len(b.spec.Labels)
	anchors := 0
	for _, s := range b.spec.Strides {
		anchors += (g.w / s) * (g.h / s)
	}
	if len(v) != 1 {
		return fmt.Errorf("%d outputs, should be 1", len(v))
	}
	if err := want(v[0], anchors, row); err != nil {
		return err
	}
	data, floor, logits := v[0].data, b.floor(), b.spec.Activation == "logits"
	for _, stride := range b.spec.Strides {
		cols, rows, s := g.w/stride, g.h/stride, float32(stride)
		for y := range rows {
			for x := range cols {
				a := data[:row:row]
				data = data[row:]
				object := a[4]
				if logits {
					object = sigmoid(object)
				}
				if object <= floor { // no class can lift it
					continue
				}
				class, score := largest(a[5:])
				if logits {
					score = sigmoid(score)
				}
				if score *= object; score > floor {
					b.keep(g.box((a[0]+float32(x))*s, (a[1]+float32(y))*s, exp(a[2])*s, exp(a[3])*s), score, class)
				}
			}
		}
	}
	return nil
}

// readUltralytics reads columns of (cx, cy, w, h, classes …) in the network's pixels, as YOLOv8 and
// YOLO11 are exported: (4+classes) x N, or its transpose.
func readUltralytics(b *boxes, v []view, g geometry) error {
	classes := 4 + len(b.spec.Labels) // the row up to their end
	row := classes + b.spec.Extra
	if v = flat(v); len(v) != 1 {
		return fmt.Errorf("%d outputs, should be 1", len(v))
	}
	if len(v[0].shape) != 2 {
		return want(v[0], row, -1)
	}
	// at(i, k) is data[i*anchor+k*field].
	n, anchor, field := v[0].shape[1], 1, v[0].shape[1]
	if v[0].shape[0] != row {
		if v[0].shape[1] != row {
			return fmt.Errorf("%w; the manifest has %d labels", want(v[0], row, -1), len(b.spec.Labels))
		}
		n, anchor, field = v[0].shape[0], row, 1
	}
	data, floor := v[0].data, b.floor()
	b.table = table{data, n, anchor, field}
	for i := range n {
		a := data[i*anchor:]
		b.row = i
		class, score := 0, a[4*field]
		for k := 5; k < classes; k++ {
			if s := a[k*field]; s > score {
				class, score = k-4, s
			}
		}
		if b.spec.Activation == "logits" {
			score = sigmoid(score)
		}
		if score > floor {
			b.keep(b.four(g, a[0], a[field], a[2*field], a[3*field]), score, class)
		}
	}
	return nil
}

// readFastestDet reads one map of (objectness, x, y, w, h, classes …) planes: tanh offsets in cells,
// sigmoid sizes as shares of the picture (dog-qiuqiu/FastestDet, example/onnx-runtime).
func readFastestDet(b *boxes, v []view, g geometry) error {
	if len(v) != 1 {
		return fmt.Errorf("%d outputs, should be 1", len(v))
	}
	if err := want(v[0], 5+len(b.spec.Labels), -1, -1); err != nil {
		return err
	}
	rows, cols := v[0].shape[1], v[0].shape[2]
	data, plane, floor := v[0].data, rows*cols, b.floor()
	for at := range plane {
		// obj^0.6 * class^0.4 cannot pass the floor where obj^0.6 does not.
		object := pow(data[at], 0.6)
		if !(object > floor) {
			continue
		}
		class, top := 0, data[5*plane+at]
		for k := 1; k < len(b.spec.Labels); k++ {
			if p := data[(5+k)*plane+at]; p > top {
				class, top = k, p
			}
		}
		if score := object * pow(top, 0.4); score > floor {
			cx := (float32(at%cols) + tanh(data[plane+at])) / float32(cols) * float32(g.w)
			cy := (float32(at/cols) + tanh(data[2*plane+at])) / float32(rows) * float32(g.h)
			b.keep(g.box(cx, cy, sigmoid(data[3*plane+at])*float32(g.w), sigmoid(data[4*plane+at])*float32(g.h)), score, class)
		}
	}
	return nil
}

var errMaps = errors.New("the feature maps do not fit the input's size and the strides")
