package infer

import (
	"math"
	"math/rand/v2"
	"testing"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// What is sure is not computed: the probabilities must be the softmax's all the same, to the last 1/254.
func TestSharesAreTheSoftmax(t *testing.T) {
	const c, pixels = 4, 1 << 16
	r := rand.New(rand.NewPCG(5, 6))
	data := make([]float32, c*pixels)
	for i := range pixels {
		spread := r.Float64() * 12 // from all alike to one far ahead
		for k := range c {
			data[k*pixels+i] = float32(r.NormFloat64() * spread)
		}
	}
	d := &dense{spec: model.Output{Activation: "logits", ClassMap: []int{vision.Clear, vision.Shadow, vision.Cloud, vision.Clear}}}
	planes := d.probabilities(data, c, pixels)
	if len(planes) != vision.Cloud {
		t.Fatalf("%d planes", len(planes))
	}
	for i := range pixels {
		var p [c]float64
		top, sum := math.Inf(-1), 0.0
		for k := range p {
			top = max(top, float64(data[k*pixels+i]))
		}
		for k := range p {
			p[k] = math.Exp(float64(data[k*pixels+i]) - top)
			sum += p[k]
		}
		for class := vision.Shadow; class <= vision.Cloud; class++ {
			want := p[class] / sum * vision.ProbabilityOne
			if got := float64(planes[class-1][i]); math.Abs(got-want) > 0.501 {
				t.Fatalf("pixel %d, class %d: %g for %g", i, class, got, want)
			}
		}
	}
}

func TestExpBelow(t *testing.T) {
	for v := -90.0; v <= 0; v += 0.0007 {
		x := float32(v)
		want, got := math.Exp(float64(x)), float64(expBelow(x))
		if math.Abs(got-want) > 4e-6*want+3e-9 {
			t.Fatalf("e^%g: %g for %g", x, got, want)
		}
	}
	if got := expBelow(float32(math.Inf(-1))); got != 0 {
		t.Errorf("of minus infinity: %g", got)
	}
	if got := expBelow(float32(math.NaN())); got == got {
		t.Errorf("of NaN: %g", got)
	}
}

func BenchmarkProbabilities(b *testing.B) {
	const c, side = 3, 256
	data := make([]float32, c*side*side)
	for k := range c {
		for i := range side * side {
			data[k*side*side+i] = float32(10 * math.Sin(float64(i%side)/17+float64(k)) * math.Cos(float64(i/side)/23))
		}
	}
	d := &dense{spec: model.Output{Activation: "logits"}}
	for b.Loop() {
		d.probabilities(data, c, side*side)
	}
}
