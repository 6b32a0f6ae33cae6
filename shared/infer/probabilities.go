package infer

import (
	"math"

	"cloudcanvas/shared/vision"
)

// probabilities gives, for each of our classes above 0, the probability of every pixel in 1/254. A single
// channel with a threshold is bent so that the threshold becomes one half: then the largest is
// the class that the manifest means.
func (d *dense) probabilities(data []float32, c, pixels int) [][]byte {
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
	planes := make([][]byte, most)
	for i := range planes {
		planes[i] = make([]byte, pixels)
	}
	logits := d.spec.Activation == "logits"
	certain := float32(math.Log(float64(2*vision.ProbabilityOne*c) + 1)) // so far ahead, all others together round to nothing
	p := make([]float32, c)
	for i := range pixels {
		best, top, next := 0, float32(math.Inf(-1)), float32(math.Inf(-1))
		for k := range p {
			v := data[k*plane+i*step]
			p[k] = v
			if v > top {
				best, top, next = k, v, top
			} else if v > next {
				next = v
			}
		}
		if logits && top-next > certain {
			if class := ours[best]; class > 0 && class <= most {
				planes[class-1][i] = vision.ProbabilityOne
			}
			continue
		}
		var sum float32
		for k, v := range p {
			switch {
			case logits && k == best:
				v = 1
			case logits:
				v = expBelow(v - top)
			}
			p[k] = v
			sum += v
		}
		if !(sum > 0) {
			continue
		}
		scale := vision.ProbabilityOne / sum
		for k, class := range ours {
			if class > 0 && class <= most {
				s := &planes[class-1][i]
				*s = byte(min(float32(*s)+p[k]*scale+0.5, vision.ProbabilityOne))
			}
		}
	}
	return planes
}

// expBelow is e^v for v not above 0, to 4 in a million, faster than math.Exp: a power of two, and the
// first terms of the series for what is left.
func expBelow(v float32) float32 {
	if v < -20 { // nothing beside 1
		return 0
	}
	n := int32(v*math.Log2E - 0.5) // NaN stays NaN in r
	r := v - float32(n)*math.Ln2
	return (1 + r*(1+r*(1./2+r*(1./6+r*(1./24+r*(1./120)))))) * math.Float32frombits(uint32(n+127)<<23)
}

// bent are the planes of a network of one class.
func (d *dense) bent(data []float32, step, pixels int) [][]byte {
	class := d.spec.ClassMap[1]
	if class < 1 || class >= vision.NoData {
		return nil
	}
	planes := make([][]byte, max(class, vision.Cloud))
	for i := range planes {
		planes[i] = make([]byte, pixels)
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
		v := byte(p*vision.ProbabilityOne + 0.5)
		if data[i*step] > d.limit {
			v = max(v, vision.ProbabilityOne/2+1) // rounding must not undo the decision
		}
		planes[class-1][i] = v
	}
	return planes
}
