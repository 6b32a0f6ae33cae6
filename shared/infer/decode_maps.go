package infer

import (
	"fmt"
	"math"

	"cloudcanvas/shared/vision"
)

// readPicoDet reads for each stride a map of class scores (N x classes), then for each stride a map
// of distances (N x 4*bins): the expectation over the bins, times the stride, is how far each side
// lies from the cell's centre (PaddlePaddle/PaddleDetection, PicoHead; distribution focal loss).
func readPicoDet(b *boxes, v []view, g geometry) error {
	levels := len(b.spec.Strides)
	if len(v) != 2*levels {
		return fmt.Errorf("%d outputs, should be %d: scores, then boxes, for strides %v", len(v), 2*levels, b.spec.Strides)
	}
	floor := b.floor()
	for l, stride := range b.spec.Strides {
		scores, sides := v[l], v[levels+l]
		// The maps of the coarsest stride may be rounded up.
		cols, rows := ceil(g.w, stride), ceil(g.h, stride)
		if err := want(scores, cols*rows, len(b.spec.Labels)); err != nil {
			return err
		}
		if err := want(sides, cols*rows, -1); err != nil {
			return err
		}
		width := sides.shape[1]
		bins, classes, s := width/4, len(b.spec.Labels), float32(stride)
		if bins < 1 || width != bins*4 {
			return errMaps
		}
		for i := range cols * rows {
			class, score := largest(scores.data[i*classes : (i+1)*classes])
			if b.spec.Activation == "logits" {
				score = sigmoid(score)
			}
			if !(score > floor) {
				continue
			}
			cx, cy := (float32(i%cols)+0.5)*s, (float32(i/cols)+0.5)*s
			var d [4]float32 // left, top, right, bottom
			for k := range d {
				d[k] = expectation(sides.data[i*width+k*bins:][:bins]) * s
			}
			b.keep(corners(g, cx-d[0], cy-d[1], cx+d[2], cy+d[3]), score, class)
		}
	}
	return nil
}

// expectation is the mean bin under the softmax of v.
func expectation(v []float32) float32 {
	_, top := largest(v)
	var sum, mean float32
	for i, x := range v {
		p := exp(x - top)
		sum += p
		mean += p * float32(i)
	}
	return mean / sum
}

func corners(g geometry, x0, y0, x1, y1 float32) vision.Box {
	x, y := g.x(x0), g.y(y0)
	return vision.Box{X: x, Y: y, W: g.x(x1) - x, H: g.y(y1) - y}
}

// readYuNet reads for each stride the maps cls, obj (N x 1), bbox (N x 4) and kps (N x 10), in that
// order of kinds: offsets and log sizes in cells, and five landmarks (OpenCV, FaceDetectorYN).
func readYuNet(b *boxes, v []view, g geometry) error {
	levels := len(b.spec.Strides)
	if len(v) != 4*levels {
		return fmt.Errorf("%d outputs, should be %d: cls, obj, bbox, kps for strides %v", len(v), 4*levels, b.spec.Strides)
	}
	for l, stride := range b.spec.Strides {
		cls, obj, box, kps := v[l], v[levels+l], v[2*levels+l], v[3*levels+l]
		cols, rows, s := g.w/stride, g.h/stride, float32(stride)
		for k, one := range []struct {
			view
			width int
		}{{cls, 1}, {obj, 1}, {box, 4}, {kps, 10}} {
			if len(one.data) != cols*rows*one.width {
				return fmt.Errorf("map %d of stride %d: %w", k, stride, errMaps)
			}
		}
		for i := range cols * rows {
			score := float32(math.Sqrt(float64(unit(cls.data[i]) * unit(obj.data[i]))))
			if !(score > b.floor()) {
				continue
			}
			col, row, a := float32(i%cols), float32(i/cols), box.data[i*4:]
			found := g.box((col+a[0])*s, (row+a[1])*s, exp(a[2])*s, exp(a[3])*s)
			found.Points = make([][2]float32, 5)
			for k := range found.Points {
				p := kps.data[i*10+2*k:]
				found.Points[k] = [2]float32{g.x((p[0] + col) * s), g.y((p[1] + row) * s)}
			}
			b.keep(found, score, 0)
		}
	}
	return nil
}

func unit(v float32) float32 { return max(0, min(1, v)) }

func pow(v float32, e float64) float32 { return float32(math.Pow(float64(v), e)) }
func tanh(v float32) float32           { return float32(math.Tanh(float64(v))) }
