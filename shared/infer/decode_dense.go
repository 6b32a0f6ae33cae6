package infer

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// dense reads a map of values for each class and pixel (C x H x W, or H x W x C with layout nhwc).
type dense struct {
	spec  model.Output
	nhwc  bool
	limit float32 // of choose: threshold, on the network's own scale
	views []view
	class []byte
}

func newDense(m model.Manifest) (decoder, error) {
	d := &dense{spec: m.Output, nhwc: m.Input.Layout == "nhwc", limit: float32(m.Output.Threshold)}
	if m.Output.Activation == "logits" {
		d.limit = float32(math.Log(m.Output.Threshold / (1 - m.Output.Threshold)))
	}
	if len(m.Output.ClassMap) == 0 {
		d.spec.ClassMap = []int{vision.Clear, vision.Cloud} // of one channel; more keep their numbers
	}
	return d, nil
}

func (d *dense) decode(out []tensor, i, n int, g geometry, im *vision.Image) (vision.Output, error) {
	var err error
	if d.views, err = views(d.views, out, i, n); err != nil {
		return vision.Output{}, err
	}
	v := d.views[0]
	if len(v.shape) == 2 { // one channel without its dimension
		v.shape = []int{1, v.shape[0], v.shape[1]}
	}
	if len(v.shape) != 3 {
		return vision.Output{}, fmt.Errorf("decoder dense: output %s is %v without the batch, should be channels x rows x columns", v.name, v.shape)
	}
	c, h, w := v.shape[0], v.shape[1], v.shape[2]
	if d.nhwc && len(d.views[0].shape) == 3 {
		h, w, c = v.shape[0], v.shape[1], v.shape[2]
	}
	if h < 1 || w < 1 || c < 1 || c > 256 || (d.spec.Choose == "threshold" || c == 1) && c > 2 {
		return vision.Output{}, fmt.Errorf("decoder dense: output %s is %v, not fit for choose: %s", v.name, v.shape, d.spec.Choose)
	}
	if len(d.class) < h*w {
		d.class = make([]byte, h*w)
	}
	d.choose(v.data, c, h*w, d.class[:h*w])
	mask := place(d.class, w, h, g, im)
	for _, plane := range d.probabilities(v.data, c, h*w) {
		mask.Probabilities = append(mask.Probabilities, place(plane, w, h, g, im).Class)
	}
	return vision.Output{Mask: mask}, nil
}

// choose gives each pixel its class, already mapped to ours.
func (d *dense) choose(data []float32, c, pixels int, into []byte) {
	step, plane := 1, pixels
	if d.nhwc {
		step, plane = c, 1
	}
	if c == 1 || d.spec.Choose == "threshold" {
		below, above := byte(d.spec.ClassMap[0]), byte(d.spec.ClassMap[1])
		data = data[(c-1)*plane:] // of two channels the second is the class
		for p := range into {
			into[p] = below
			if data[p*step] > d.limit {
				into[p] = above
			}
		}
		return
	}
	var ours [256]byte
	for k := range ours {
		ours[k] = byte(k)
		if k < len(d.spec.ClassMap) && len(d.spec.ClassMap) >= c {
			ours[k] = byte(d.spec.ClassMap[k])
		}
	}
	if c == 3 && !d.nhwc { // the heavy networks' case, without an inner loop
		a, b, e := data[:pixels], data[pixels:2*pixels], data[2*pixels:3*pixels]
		for p := range into {
			k, top := byte(0), a[p]
			if b[p] > top {
				k, top = 1, b[p]
			}
			if e[p] > top {
				k = 2
			}
			into[p] = ours[k]
		}
		return
	}
	for p := range into {
		k, top := 0, data[p*step]
		for j := 1; j < c; j++ {
			if x := data[j*plane+p*step]; x > top {
				k, top = j, x
			}
		}
		into[p] = ours[k]
	}
}

// place brings the network's w x h classes back to the image's pixels and marks those without data.
func place(class []byte, w, h int, g geometry, im *vision.Image) vision.Mask {
	m := vision.Mask{W: im.W, H: im.H, Class: make([]byte, im.W*im.H)}
	same := w == g.w && h == g.h && g.sx == 1 && g.sy == 1 && g.px == 0 && g.py == 0
	// Networks may answer on a coarser grid than their input.
	fx, fy := float64(w)/float64(g.w), float64(h)/float64(g.h)
	for y := range im.H {
		row := m.Class[y*im.W : (y+1)*im.W]
		if same {
			copy(row, class[y*w:])
			continue
		}
		from := class[within(((float64(y)+0.5)*g.sy+float64(g.py))*fy, h)*w:]
		for x := range row {
			row[x] = from[within(((float64(x)+0.5)*g.sx+float64(g.px))*fx, w)]
		}
	}
	for i, none := range im.Void {
		if none != 0 {
			m.Class[i] = vision.NoData
		}
	}
	return m
}

func within(v float64, n int) int { return max(0, min(n-1, int(v))) }

// classes reads one value for each label of the whole image.
type classes struct {
	spec  model.Output
	views []view
	ids   []int
}

func (c *classes) decode(out []tensor, i, n int, _ geometry, _ *vision.Image) (vision.Output, error) {
	var err error
	if c.views, err = views(c.views, out, i, n); err != nil {
		return vision.Output{}, err
	}
	values := c.views[0].data
	if len(values) != len(c.spec.Labels) {
		return vision.Output{}, fmt.Errorf("decoder classes: output %s has %d values, the manifest %d labels", c.views[0].name, len(values), len(c.spec.Labels))
	}
	scores := slices.Clone(values)
	if c.spec.Activation == "logits" {
		softmax(scores)
	}
	if c.ids == nil {
		c.ids = vision.Categories(c.spec.Labels)
	}
	found := make([]vision.Class, len(scores))
	for k, s := range scores {
		found[k] = vision.Class{Index: k, Label: c.spec.Labels[k], Score: s, Category: c.ids[k]}
	}
	slices.SortStableFunc(found, func(a, b vision.Class) int { return cmp.Compare(b.Score, a.Score) })
	return vision.Output{Classes: found[:min(len(found), c.spec.Top)]}, nil
}

func softmax(v []float32) {
	_, top := largest(v)
	var sum float32
	for i := range v {
		v[i] = exp(v[i] - top)
		sum += v[i]
	}
	for i := range v {
		v[i] /= sum
	}
}
