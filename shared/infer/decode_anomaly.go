package infer

import (
	"fmt"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// anomaly reads a map of how far each place of a picture is from all good ones, where 1 is as far as
// good pictures go (lab/anomaly). The score is half of that, so that 0.5 is the border.
type anomaly struct {
	spec  model.Output
	views []view
	seen  []bool
	stack []int
}

func (d *anomaly) decode(out []tensor, i, n int, g geometry, _ *vision.Image) (vision.Output, error) {
	var err error
	if d.views, err = views(d.views, out, i, n); err != nil {
		return vision.Output{}, err
	}
	v := d.views[0]
	if len(d.views) != 1 || len(v.shape) != 3 || v.shape[0] != 1 || v.shape[1] < 1 || v.shape[2] < 1 {
		return vision.Output{}, fmt.Errorf("decoder anomaly: output %s is %v without the batch, should be 1 x rows x columns", v.name, v.shape)
	}
	rows, columns := v.shape[1], v.shape[2]
	if len(d.seen) < rows*columns {
		d.seen = make([]bool, rows*columns)
	}
	clear(d.seen)
	var boxes []vision.Box
	top := 0
	for at, x := range v.data {
		if x > v.data[top] {
			top = at
		}
		if !d.seen[at] && d.score(x) >= float32(d.spec.Report) {
			boxes = append(boxes, d.area(v.data, at, rows, columns, g))
		}
	}
	// A picture without a defect still has its farthest place, so that pictures can be ranked.
	if s := d.score(v.data[top]); len(boxes) == 0 && s >= float32(d.spec.ScoreFloor) {
		boxes = append(boxes, d.box(top%columns, top/columns, top%columns, top/columns, s, rows, columns, g))
	}
	return vision.Output{Boxes: suppress(boxes, float32(d.spec.NMSIoU))}, nil
}

func (d *anomaly) score(x float32) float32 {
	if x != x {
		return 1 // what is no number is not good
	}
	return min(x/2, 1)
}

// area is the box around the connected places that are reported, and marks them as seen.
func (d *anomaly) area(data []float32, at, rows, columns int, g geometry) vision.Box {
	x0, y0, x1, y1 := columns, rows, 0, 0
	var most float32
	d.stack = append(d.stack[:0], at)
	d.seen[at] = true
	for len(d.stack) > 0 {
		at := d.stack[len(d.stack)-1]
		d.stack = d.stack[:len(d.stack)-1]
		x, y := at%columns, at/columns
		x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x), max(y1, y)
		most = max(most, d.score(data[at]))
		for ny := max(y-1, 0); ny <= min(y+1, rows-1); ny++ {
			for nx := max(x-1, 0); nx <= min(x+1, columns-1); nx++ {
				if next := ny*columns + nx; !d.seen[next] && d.score(data[next]) >= float32(d.spec.Report) {
					d.seen[next] = true
					d.stack = append(d.stack, next)
				}
			}
		}
	}
	return d.box(x0, y0, x1, y1, most, rows, columns, g)
}

// box is that of cells, in the picture's pixels.
func (d *anomaly) box(x0, y0, x1, y1 int, score float32, rows, columns int, g geometry) vision.Box {
	w, h := float32(g.w)/float32(columns), float32(g.h)/float32(rows)
	left, top := max(g.x(float32(x0)*w), 0), max(g.y(float32(y0)*h), 0)
	right, bottom := min(g.x(float32(x1+1)*w), float32(g.iw)), min(g.y(float32(y1+1)*h), float32(g.ih))
	return vision.Box{X: left, Y: top, W: max(right-left, 0), H: max(bottom-top, 0), Score: score, Label: d.spec.Labels[0]}
}
