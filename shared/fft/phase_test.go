package fft

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// exactPhase is the factor at an index: reduced in 200 bits.
func exactPhase(p Phase, n int) complex128 {
	number := func(x float64) *big.Float { return new(big.Float).SetPrec(200).SetFloat64(x) }
	turns := number(p.C)
	turns.Mul(turns, number(float64(n))).Add(turns, number(p.B)).Mul(turns, number(float64(n))).Add(turns, number(p.A))
	whole, _ := turns.Int(nil)
	part, _ := turns.Sub(turns, new(big.Float).SetPrec(200).SetInt(whole)).Float64()
	s, c := math.Sincos(2 * math.Pi * part)
	return complex(c, s)
}

// phasesUpTo draws phases of up to so many turns at index n.
func phasesUpTo(turns float64, n, count int, r *rand.Rand) []Phase {
	sign := func() float64 { return 2*r.Float64() - 1 }
	out := make([]Phase, count)
	for i := range out {
		out[i] = Phase{turns * sign() / 3, turns * sign() / 3 / float64(n), turns * sign() / 3 / float64(n) / float64(n)}
	}
	return out
}

func TestRotate(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	worst := -200.0
	for _, turns := range []float64{0, 1e-3, 1, 100, 1e4, 1e7} {
		for _, n := range []int{1, 2, 15, 16, 17, 255, 256, 257, 4096, 8192, 10007, 40000} {
			for _, p := range phasesUpTo(turns, n, 4, r) {
				x := noise(n, uint64(n))
				want := wide(x)
				for i := range want {
					want[i] *= exactPhase(p, i)
				}
				Rotate(x, p)
				d := decibels(x, want)
				worst = max(worst, d)
				if !(d <= -120) {
					t.Fatalf("%d samples, %+v: %.1f dB", n, p, d)
				}
			}
		}
	}
	t.Logf("worst %.1f dB", worst)
	Rotate(nil, Phase{1, 2, 3})
}

func TestThrough(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	worst := -200.0
	for _, n := range []int{16, 48, 80, 128, 192, 240, 1024, 1200, 2560, 4096, 6480, 8192} {
		p := planOf(t, n)
		window := make([]float32, n)
		for i := range window {
			window[i] = r.Float32()
		}
		for _, split := range []int{0, 1, n/2 - 3, n / 2, n/3 + 1, n - 1, n} {
			for parts := range 16 {
				if n > 240 && parts != 15 && (split != n/2 || n != 1024) {
					continue
				}
				rows := 5
				phases := [3][]Phase{}
				for i := range phases {
					if parts>>i&1 == 1 {
						phases[i] = phasesUpTo(1e7, n, rows, r)
					}
				}
				w := window
				if parts>>3 == 0 {
					w = nil
				}
				x := noise(n*rows, uint64(n+split))
				got := append([]complex64(nil), x...)
				p.Through(got, n, rows, phases[0], phases[1], phases[2], w, split, 1)
				for i := range rows {
					row := wide(x[i*n:][:n])
					turn := func(phases []Phase, at func(int) int) {
						for k := range row {
							if phases != nil {
								row[k] *= exactPhase(phases[i], at(k))
							}
						}
					}
					same := func(k int) int { return k }
					turn(phases[0], same)
					row = exact(row, false)
					turn(phases[1], func(k int) int {
						if k >= split {
							return k - n
						}
						return k
					})
					for k := range row {
						if w != nil {
							row[k] *= complex(float64(w[k]), 0)
						}
					}
					row = exact(row, true)
					turn(phases[2], same)
					d := decibels(got[i*n:][:n], row)
					worst = max(worst, d)
					if !(d <= -120) {
						t.Fatalf("n %d, split %d, parts %04b, row %d: %.1f dB", n, split, parts, i, d)
					}
				}
			}
		}
	}
	t.Logf("worst %.1f dB", worst)
}
