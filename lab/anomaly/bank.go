package anomaly

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
)

// patches are features of places, width values each.
type patches struct {
	width  int
	values []float32
	folds  []uint8
}

func (p *patches) len() int           { return len(p.values) / p.width }
func (p *patches) at(i int) []float32 { return p.values[i*p.width : (i+1)*p.width] }
func (p *patches) except(fold int) *patches {
	rest := &patches{width: p.width}
	for i := range p.len() {
		if int(p.folds[i]) != fold {
			rest.values = append(rest.values, p.at(i)...)
		}
	}
	return rest
}

// norm brings each channel to mean 0 and deviation 1: (x - mean) * scale.
type norm struct{ mean, scale []float32 }

// standardise brings the patches to the norm that it gives. A channel that never moves is left out.
func (p *patches) standardise() norm {
	n := norm{make([]float32, p.width), make([]float32, p.width)}
	for c := range p.width {
		var sum, squares float64
		for i := c; i < len(p.values); i += p.width {
			sum += float64(p.values[i])
		}
		mean := sum / float64(p.len())
		for i := c; i < len(p.values); i += p.width {
			d := float64(p.values[i]) - mean
			squares += d * d
		}
		n.mean[c] = float32(mean)
		if sigma := math.Sqrt(squares / float64(p.len())); sigma > 1e-6*(1+math.Abs(mean)) {
			n.scale[c] = float32(1 / sigma)
		}
	}
	n.apply(p.values)
	return n
}

func (n norm) apply(values []float32) {
	for i := range values {
		c := i % len(n.mean)
		values[i] = (values[i] - n.mean[c]) * n.scale[c]
	}
}

// choose gives so many patches that stand for all: each is the farthest from those before it
// (greedy k-center).
func (p *patches) choose(most int, seed uint64) *patches {
	chosen := &patches{width: p.width}
	nearest := make([]float32, p.len())
	for i := range nearest {
		nearest[i] = math.MaxFloat32
	}
	next := rand.New(rand.NewPCG(seed, 2)).IntN(p.len())
	for chosen.len() < most && nearest[next] > 0 {
		center := p.at(next)
		chosen.values = append(chosen.values, center...)
		inParts(p.len(), func(from, to int) {
			for i := from; i < to; i++ {
				nearest[i] = min(nearest[i], squared(p.at(i), center))
			}
		})
		for i, d := range nearest {
			if d > nearest[next] {
				next = i
			}
		}
	}
	return chosen
}

// farthest is the greatest distance of any of these features to its nearest in the bank.
func (p *patches) farthest(features []float32) float64 {
	var mu sync.Mutex
	var most float32
	inParts(len(features)/p.width, func(from, to int) {
		var far float32
		for i := from; i < to; i++ {
			nearest := float32(math.MaxFloat32)
			for k := range p.len() {
				nearest = min(nearest, squared(features[i*p.width:(i+1)*p.width], p.at(k)))
			}
			far = max(far, nearest)
		}
		mu.Lock()
		defer mu.Unlock()
		most = max(most, far)
	})
	return math.Sqrt(float64(most))
}

func squared(a, b []float32) (sum float32) {
	b = b[:len(a)]
	for i, v := range a {
		d := v - b[i]
		sum += d * d
	}
	return sum
}

// inParts cuts 0 … n-1 into a part for each core.
func inParts(n int, do func(from, to int)) {
	parts := runtime.GOMAXPROCS(0)
	var done sync.WaitGroup
	for part := range parts {
		done.Go(func() { do(part*n/parts, (part+1)*n/parts) })
	}
	done.Wait()
}
