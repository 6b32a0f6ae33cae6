package simulate

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"cloudcanvas/shared/sar"
)

// BenchmarkFocusBesideNumPy focuses the same simulated echoes here and with deps/peers/sar/sar.py, which has the same
// formulas, by turns, on all cores; reading files is left out of both. Where the two images were not the same, the
// comparison would be worth nothing: it fails then.
func BenchmarkFocusBesideNumPy(b *testing.B) {
	python := os.Getenv("CANVAS_SAR_PYTHON")
	if python == "" {
		b.Skip("CANVAS_SAR_PYTHON names no Python with NumPy and SciPy")
	}
	peer, err := filepath.Abs("../../deps/peers/sar/sar.py")
	if err != nil {
		b.Fatal(err)
	}
	o := DefaultEchoes()
	o.Out, o.Noise, o.DopplerHz, o.Radar.Lines, o.Radar.Samples, o.Scene = b.TempDir(), 3, -6900, 4096, 4096, "points"
	report, err := Echoes(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	e, err := sar.Open(report.YAML)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	centroid, err := sar.EstimateCentroid(b.Context(), e)
	if err != nil {
		b.Fatal(err)
	}
	plan, err := sar.NewPlan(e.Params, centroid, sar.Weighting{}, 2<<30)
	if err != nil {
		b.Fatal(err)
	}
	samples := float64(o.Radar.Lines*o.Radar.Samples) / 1e6
	ours, theirs := math.Inf(1), math.Inf(1)
	image := filepath.Join(o.Out, "peer.npy")
	var pix []complex64
	for b.Loop() {
		for range 3 {
			took := 0.0
			pix = pix[:0]
			for _, block := range plan.Blocks {
				raw, gains, err := e.Raw(plan.Stored(block))
				if err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				im, err := plan.Focus(b.Context(), block, raw, gains)
				if err != nil {
					b.Fatal(err)
				}
				took += time.Since(began).Seconds()
				pix = append(pix, im.Pix...)
			}
			ours = min(ours, took)
			text, err := exec.CommandContext(b.Context(), python, peer, report.YAML, "--out", image).Output()
			if err != nil {
				b.Fatalf("%s: %v: %s", peer, err, text)
			}
			var said struct {
				Seconds   float64 `json:"seconds"`
				RowOffset int     `json:"row_offset"`
			}
			if err := json.Unmarshal(text, &said); err != nil || said.RowOffset != plan.RowOffset {
				b.Fatalf("%s says %s: %v; the plan's offset is %d", peer, text, err, plan.RowOffset)
			}
			theirs = min(theirs, said.Seconds)
		}
	}
	b.ReportMetric(samples/ours, "Ms/s")
	b.ReportMetric(samples/theirs, "NumPy-Ms/s")
	b.ReportMetric(theirs/ours, "of-NumPy")
	b.ReportMetric(apart(b, pix, image, plan), "dB-apart")
}

// apart is how far the peer's image is from ours in dB of its power, where both are whole; it fails above -60. Both
// are scaled alike for that: each normalizes transforms and windows in its own way.
func apart(b *testing.B, ours []complex64, path string, plan *sar.Plan) float64 {
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	data = data[len(data)-8*len(ours):] // behind NumPy's header
	var product complex128
	var a, c float64
	for row := plan.FullFrom; row < plan.FullTo; row++ {
		for col := plan.FullFromCol; col < plan.FullToCol; col++ {
			i := row*plan.Params.Samples + col
			z := complex128(ours[i])
			w := complex(float64(math.Float32frombits(binary.LittleEndian.Uint32(data[8*i:]))), float64(math.Float32frombits(binary.LittleEndian.Uint32(data[8*i+4:]))))
			product += z * complex(real(w), -imag(w))
			a += real(z)*real(z) + imag(z)*imag(z)
			c += real(w)*real(w) + imag(w)*imag(w)
		}
	}
	// |z - f·w|² over |z|² with the best real factor f.
	off := 10 * math.Log10(1-real(product)*real(product)/(a*c))
	if !(off < -60) {
		b.Errorf("the peer's image is %.1f dB off", off)
	}
	return off
}
