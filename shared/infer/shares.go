package infer

import (
	"math"

	"cloudcanvas/shared/vision"
)

// share gives, for each of our classes above 0, the probability of every pixel in 1/254. A single
// channel with a threshold is bent so that the threshold becomes one half: then the largest share is
// the class that the manifest means.
func (d *dense) share(data []float32, c, pixels int) [][]byte {
	step, plane := 1, pixels
	if d.nhwc {
		step, plane = c, 1
	}
	if c == 1 || d.spec.Choose == "threshold" {
		return d.bent(data[(c-1)*plane:], step, pixels)
	}
	ours := make([]int, c)
	most := 0
	for k := range ours {
		if ours[k] = k; len(d.spec.ClassMap) >= c {
			ours[k] = d.spec.ClassMap[k]
		}
		if ours[k] < vision.NoData {
			most = max(most, ours[k])
		}
	}
	shares := make([][]byte, most)
	for i := range shares {
		shares[i] = make([]byte, pixels)
	}
	logits := d.spec.Activation == "logits"
	p := make([]float32, c)
	for i := range pixels {
		var sum float32
		if logits {
			top := float32(math.Inf(-1))
			for k := range p {
				p[k] = data[k*plane+i*step]
				top = max(top, p[k])
			}
			for k := range p {
				if p[k] == top {
					p[k] = 1
				} else {
					p[k] = exp(p[k] - top)
				}
				sum += p[k]
			}
		} else {
			for k := range p {
				p[k] = data[k*plane+i*step]
				sum += p[k]
			}
		}
		if !(sum > 0) {
			continue
		}
		scale := vision.ShareOne / sum
		for k, class := range ours {
			if class > 0 && class <= most {
				s := &shares[class-1][i]
				*s = byte(min(float32(*s)+p[k]*scale+0.5, vision.ShareOne))
			}
		}
	}
	return shares
}

// bent are the planes of a network of one class.
func (d *dense) bent(data []float32, step, pixels int) [][]byte {
	class := d.spec.ClassMap[1]
	if class < 1 || class >= vision.NoData {
		return nil
	}
	shares := make([][]byte, max(class, vision.Cloud))
	for i := range shares {
		shares[i] = make([]byte, pixels)
	}
	limit := float32(d.spec.Threshold)
	for i := range pixels {
		p := data[i*step]
		if d.spec.Activation == "logits" {
			p = 1 / (1 + exp(-p))
		}
		if p = min(max(p, 0), 1); p <= limit {
			p *= 0.5 / limit
		} else {
			p = 0.5 + 0.5*(p-limit)/(1-limit)
		}
		v := byte(p*vision.ShareOne + 0.5)
		if data[i*step] > d.limit {
			v = max(v, vision.ShareOne/2+1) // rounding must not undo the decision
		}
		shares[class-1][i] = v
	}
	return shares
}
