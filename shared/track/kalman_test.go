package track

import (
	"math"
	"math/rand/v2"
	"testing"

	"cloudcanvas/shared/vision"
)

// TestTheFilterOfFourAxesIsTheFilterOfEight compares with the textbook's matrices.
func TestTheFilterOfFourAxesIsTheFilterOfEight(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	b := vision.Box{X: 100, Y: 50, W: 30, H: 80}
	var m Motion
	m.Begin(b)
	full := newFull(b)
	for n := range 30 {
		m.Ahead(1, true)
		full.ahead()
		if n%4 != 3 {
			b.X += 3 + random.Float32()
			b.Y -= 1 + random.Float32()
			b.W += random.Float32() - 0.5
			m.See(b)
			full.see(b)
		}
		got := m.Box()
		want := [4]float64{full.x[0] - full.x[2]/2, full.x[1] - full.x[3]/2, full.x[2], full.x[3]}
		for i, g := range [4]float32{got.X, got.Y, got.W, got.H} {
			if math.Abs(float64(g)-want[i]) > 1e-3 {
				t.Fatalf("after %d frames: %+v, want %v", n+1, got, want)
			}
		}
	}
}

// full is the filter with matrices of 8 x 8. The gain needs no inverse of a full matrix: what is
// measured is the first four, whose covariance stays diagonal, which the filter itself checks.
type full struct {
	x [8]float64
	p [8][8]float64
}

func sides(w, h float64) [4]float64 { return [4]float64{w, h, w, h} }

func newFull(b vision.Box) *full {
	w, h := float64(b.W), float64(b.H)
	f := &full{x: [8]float64{float64(b.X) + w/2, float64(b.Y) + h/2, w, h}}
	for i, s := range sides(w, h) {
		f.p[i][i] = square(2 * s / 20)
		f.p[i+4][i+4] = square(s / 4)
	}
	return f
}

func (f *full) ahead() {
	s := sides(f.x[2], f.x[3])
	var move, next [8][8]float64
	for i := range 8 {
		move[i][i] = 1
		if i < 4 {
			move[i][i+4] = 1
		}
	}
	var x [8]float64
	for i := range 8 {
		for j := range 8 {
			x[i] += move[i][j] * f.x[j]
			for k := range 8 {
				for l := range 8 {
					next[i][j] += move[i][k] * f.p[k][l] * move[j][l]
				}
			}
		}
	}
	for i := range 4 {
		next[i][i] += square(s[i] / 20)
		next[i+4][i+4] += square(s[i] / 64)
	}
	f.x, f.p = x, next
}

func (f *full) see(b vision.Box) {
	s := sides(f.x[2], f.x[3])
	z := [4]float64{float64(b.X + b.W/2), float64(b.Y + b.H/2), float64(b.W), float64(b.H)}
	var gain [8][4]float64
	for j := range 4 {
		for i := range 4 {
			if i != j && f.p[i][j] != 0 {
				panic("the measures have come to depend on each other")
			}
		}
		for i := range 8 {
			gain[i][j] = f.p[i][j] / (f.p[j][j] + square(s[j]/20))
		}
	}
	x, p := f.x, f.p
	for i := range 8 {
		for j := range 4 {
			x[i] += gain[i][j] * (z[j] - f.x[j])
			for k := range 8 {
				p[i][k] -= gain[i][j] * f.p[j][k]
			}
		}
	}
	f.x, f.p = x, p
}

func TestWhatIsNotSeenGoesOnAtItsSpeedAndKeepsItsSize(t *testing.T) {
	var m Motion
	b := vision.Box{X: 0, Y: 0, W: 40, H: 100}
	m.Begin(b)
	for range 40 {
		m.Ahead(1, true)
		b.X, b.W = b.X+5, b.W+1
		m.See(b)
	}
	before := m.Box()
	m.Ahead(10, false)
	after := m.Box()
	if middle := after.X + after.W/2 - before.X - before.W/2; middle < 50 || middle > 60 || after.W != before.W {
		t.Errorf("moved by %v, from %+v to %+v", middle, before, after)
	}
	var none Motion
	none.Begin(vision.Box{})
	none.Ahead(3, true)
	none.See(vision.Box{X: 7})
	if got := none.Box(); got.X != 6.5 || got.W != 1 {
		t.Errorf("a box without sides: %+v", got)
	}
}
