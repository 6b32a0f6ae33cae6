package infer

import "fmt"

// readNanoDet reads rows of (classes …, left, top, right, bottom as 4 x bins), maps one after the other: the
// expectation over the bins, times the stride, is how far each side lies from the cell's point. That is the
// cell's corner in NanoDet-Plus, with four strides, and its middle in NanoDet, with three
// (RangiLyu/nanodet, nanodet_plus_head.py and nanodet_head.py).
func readNanoDet(b *boxes, v []view, g geometry) error {
	classes, cells := len(b.spec.Labels), 0
	for _, s := range b.spec.Strides {
		cells += ceil(g.w, s) * ceil(g.h, s)
	}
	if len(v) != 1 {
		return fmt.Errorf("%d outputs, should be 1", len(v))
	}
	if err := want(v[0], cells, -1); err != nil {
		return err
	}
	row := v[0].shape[1]
	bins := (row - classes) / 4
	if bins < 2 || row != classes+4*bins {
		return fmt.Errorf("output %s has rows of %d, should be %d labels and a multiple of 4", v[0].name, row, classes)
	}
	middle := float32(0)
	if len(b.spec.Strides) < 4 {
		middle = 0.5
	}
	data, floor := v[0].data, b.floor()
	for _, stride := range b.spec.Strides {
		cols, s := ceil(g.w, stride), float32(stride)
		for i := range cols * ceil(g.h, stride) {
			at := data[:row]
			data = data[row:]
			class, score := largest(at[:classes])
			if b.spec.Activation == "logits" {
				score = sigmoid(score)
			}
			if !(score > floor) {
				continue
			}
			cx, cy := (float32(i%cols)+middle)*s, (float32(i/cols)+middle)*s
			var d [4]float32
			for k := range d {
				d[k] = expectation(at[classes+k*bins:][:bins]) * s
			}
			b.keep(corners(g, cx-d[0], cy-d[1], cx+d[2], cy+d[3]), score, class)
		}
	}
	return nil
}

func ceil(side, stride int) int { return (side + stride - 1) / stride }
