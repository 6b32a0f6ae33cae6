package calibrate

import (
	"context"
	"fmt"
	"math"
	"slices"

	"cloudcanvas/shared/onnx"

	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/quantise"
)

const (
	// leastShare of the work: smaller convolutions gain less than their place in the plan costs.
	leastShare = 0.01
	// leastWork is multiplications for each value that goes in or comes out. Below it a convolution
	// spends its time on moving values, and quantising them is one more move.
	leastWork = 64
	// inside is the share of values within a range; the few beyond are cut off. Over all values, the
	// ranges of a cloud network's decoder were up to three times as wide, and it agreed less.
	inside = 0.99999
	// bins of a histogram: many more than the 256 steps that its range is cut into.
	bins = 1 << 14
	// alpha shares the unevenness of channels between values and weights (SmoothQuant, Xiao 2022, §4).
	alpha = 0.5
)

// seen is what the calibrating pictures showed of each convolution.
type seen struct {
	options Options
	wide    []byte // the file in float32
	convs   []*candidate
	tensors map[string]*spread
}

type candidate struct {
	quantise.Conv
	share float64
	equal []float32
	even  histogram // of the input, divided by equal
}

// spread is what one tensor's values were.
type spread struct {
	channels  []float32 // largest magnitude of each
	low, high float32
	values    histogram
}

// weigh looks at the shapes and keeps the convolutions that carry the work. The others are told.
func (s *seen) weigh(convs []quantise.Conv, sig onnx.Signature) (float []Choice, err error) {
	var names []string
	for _, c := range convs {
		names = append(names, c.Input, c.Last)
	}
	shapes, err := s.shapes(names, sig.Inputs[0].Name)
	if err != nil {
		return nil, err
	}
	work := func(c quantise.Conv) (all, each float64) {
		out := shapes[c.Last]
		if len(out) != 4 {
			return 0, 0
		}
		given := float64(out[0] * out[1] * out[2] * out[3])
		all = given * float64(c.Shape[1]*c.Shape[2]*c.Shape[3])
		taken := given * float64(c.Shape[1]) / float64(max(c.Shape[0], 1)) // as if without strides
		if in := shapes[c.Input]; len(in) == 4 {
			taken = float64(in[0] * in[1] * in[2] * in[3])
		}
		return all, all / max(given+taken, 1)
	}
	total := 0.0
	for _, c := range convs {
		all, _ := work(c)
		total += all
	}
	for i, c := range convs {
		all, each := work(c)
		choice := Choice{Output: c.Output, Share: all / max(total, 1), Cost: -1}
		switch {
		case i == 0 || c.Input == sig.Inputs[0].Name:
			choice.Reason = "the first layer: what it rounds, all others see"
		case choice.Share < leastShare:
			choice.Reason = fmt.Sprintf("has less than %.0f %% of the work", 100*leastShare)
		case each < leastWork:
			choice.Reason = "moves more values than it computes"
		default:
			s.convs = append(s.convs, &candidate{Conv: c, share: choice.Share})
			continue
		}
		float = append(float, choice)
	}
	slices.SortStableFunc(s.convs, func(a, b *candidate) int { return int(math.Copysign(1, b.share-a.share)) })
	return float, nil
}

// expose loads the network so that it gives the named tensors.
func (s *seen) expose(names []string, input string) (*infer.Raw, error) {
	var outputs []onnx.TensorInfo
	for _, name := range names {
		if name != input && !slices.ContainsFunc(outputs, func(t onnx.TensorInfo) bool { return t.Name == name }) {
			outputs = append(outputs, onnx.TensorInfo{Name: name})
		}
	}
	probe, err := onnx.Extend(s.wide, outputs)
	if err != nil {
		return nil, err
	}
	return s.options.openRaw(probe, s.options.Threads)
}

func (s *seen) shapes(names []string, input string) (map[string][]int, error) {
	raw, err := s.expose(names, input)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	out, err := raw.Golden(trialInput(s.options.Model))
	if err != nil {
		return nil, err
	}
	shapes := map[string][]int{}
	for _, t := range out {
		shapes[t.Name] = slices.Clone(t.Shape)
	}
	return shapes, nil
}

// gather runs the calibrating pictures twice: for the extremes, then for how values lie between them.
func (s *seen) gather(ctx context.Context) error {
	var names []string
	for _, c := range s.convs {
		names = append(names, c.Input, c.Last)
	}
	raw, err := s.expose(names, "")
	if err != nil {
		return err
	}
	defer raw.Close()
	s.tensors = map[string]*spread{}
	pass := func(each func(t infer.Tensor, p *spread)) error {
		for n := 1; n < s.options.Pictures; n += 2 {
			if err := ctx.Err(); err != nil {
				return err
			}
			im, err := s.options.Picture(n)
			if err != nil {
				return err
			}
			out, err := raw.Image(im)
			if err != nil {
				return err
			}
			for _, t := range out {
				if len(t.Shape) != 4 {
					return fmt.Errorf("tensor %s is %v, not channels x rows x columns", t.Name, t.Shape)
				}
				if s.tensors[t.Name] == nil {
					s.tensors[t.Name] = &spread{channels: make([]float32, t.Shape[1])}
				}
				each(t, s.tensors[t.Name])
			}
		}
		return nil
	}
	if err := pass(func(t infer.Tensor, p *spread) { p.extremes(t) }); err != nil {
		return err
	}
	readers := map[string][]*candidate{}
	for _, p := range s.tensors {
		p.values = newHistogram(p.low, p.high)
	}
	for _, c := range s.convs {
		c.equalise(s.tensors[c.Input])
		readers[c.Input] = append(readers[c.Input], c)
	}
	return pass(func(t infer.Tensor, p *spread) {
		p.values.add(t.Data, 1)
		for _, c := range readers[t.Name] {
			plane := t.Shape[2] * t.Shape[3]
			for i := range t.Shape[1] {
				c.even.add(t.Data[i*plane:(i+1)*plane], 1/c.equal[i])
			}
		}
	})
}

func (p *spread) extremes(t infer.Tensor) {
	plane := t.Shape[2] * t.Shape[3]
	for i := range p.channels {
		for _, v := range t.Data[i*plane : (i+1)*plane] {
			p.channels[i] = max(p.channels[i], v, -v)
			p.low, p.high = min(p.low, v), max(p.high, v)
		}
	}
}

// equalise chooses by what each channel of the input is divided and its weights are multiplied:
// root of values' reach by root of weights' reach, one in the geometric mean.
func (c *candidate) equalise(in *spread) {
	largest := slices.Max(in.channels)
	area := c.Shape[2] * c.Shape[3]
	c.equal = make([]float32, c.Shape[1])
	logs := 0.0
	for i := range c.equal {
		heaviest := float32(0)
		for o := range c.Shape[0] {
			for _, w := range c.Weights[(o*c.Shape[1]+i)*area:][:area] {
				heaviest = max(heaviest, w, -w)
			}
		}
		// Channels that are silent, or that nobody listens to, must not become infinitely loud.
		reach := max(float64(in.channels[i]), 1e-3*float64(largest), 1e-6)
		weight := max(float64(heaviest), 1e-6)
		e := math.Pow(reach, alpha) / math.Pow(weight, 1-alpha)
		c.equal[i] = float32(e)
		logs += math.Log(e)
	}
	mean := float32(math.Exp(logs / float64(max(len(c.equal), 1))))
	low, high := float32(0), float32(0)
	for i := range c.equal {
		c.equal[i] = short(c.equal[i] / mean)
		high = max(high, in.channels[i]/c.equal[i])
	}
	if in.low < 0 {
		low = -high
	}
	c.even = newHistogram(low, high)
}

// short keeps five digits, which is what a file that people may read needs.
func short(v float32) float32 {
	if v == 0 {
		return 0
	}
	by := math.Pow(10, 4-math.Floor(math.Log10(math.Abs(float64(v)))))
	return float32(math.Round(float64(v)*by) / by)
}

// plan is the chosen convolutions as int8.json says them. One that reads what another one gives
// takes its 8 bits as they are.
func (s *seen) plan(chosen []*candidate) (convs []model.Int8Conv) {
	given := map[string]model.Int8Range{}
	for _, c := range chosen {
		r := s.tensors[c.Last].values.within()
		if !c.Below {
			r[0] = 0
		}
		r[1] = min(r[1], c.Bound)
		given[c.Last] = r
	}
	for _, c := range chosen {
		p := model.Int8Conv{Output: c.Output, Out: given[c.Last]}
		if in, ok := given[c.Input]; ok {
			p.In = in
		} else {
			p.In, p.Equal = c.even.within(), c.equal
		}
		convs = append(convs, p)
	}
	return convs
}

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
