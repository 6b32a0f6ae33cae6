package calibrate

import "cloudcanvas/shared/model"

type histogram struct {
	low, step float32
	count     []uint64
	all       uint64
}

func newHistogram(low, high float32) histogram {
	return histogram{low: low, step: max(high-low, 1e-12) / bins, count: make([]uint64, bins)}
}

func (h *histogram) add(values []float32, by float32) {
	for _, v := range values {
		at := int((v*by - h.low) / h.step)
		h.count[min(max(at, 0), bins-1)]++
	}
	h.all += uint64(len(values))
}

// within is the range that holds the inside share of the values, and 0.
func (h *histogram) within() model.Int8Range {
	beyond := uint64(float64(h.all) * (1 - inside) / 2)
	if h.low == 0 {
		beyond *= 2
	}
	last, sum := bins-1, uint64(0)
	for ; last > 0 && sum+h.count[last] <= beyond; last-- {
		sum += h.count[last]
	}
	first := 0
	if h.low < 0 {
		for sum = 0; first < bins-1 && sum+h.count[first] <= beyond; first++ {
			sum += h.count[first]
		}
	}
	return model.Int8Range{short(min(h.low+float32(first)*h.step, 0)), short(max(h.low+float32(last+1)*h.step, 1e-6))}
}
