package native

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"cloudcanvas/shared/fft/gpu/gputest"
	"cloudcanvas/shared/sar"
)

// noise is a small acquisition of nothing but noise, in blocks.
func noise(t *testing.T) (*sar.Plan, [][]byte) {
	t.Helper()
	p := sar.Defaults()
	p.Data, p.Lines, p.Samples = "noise.bin", 3000, 512
	p.CarrierHz, p.PRFHz, p.SamplingHz, p.ChirpRateHzS, p.ChirpS = 5.3e9, 1257, 32.317e6, 4e12, 5e-6
	p.FirstSampleSlantRangeM, p.EffectiveVelocityMS = 850e3, 7100
	plan, err := sar.NewPlan(p, sar.Centroid{From: "given"}, sar.Weighting{Range: "none", Azimuth: "none"}, 40<<20)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	raw := make([]byte, 2*p.Lines*p.Samples)
	for i := range raw {
		raw[i] = byte(random.Uint32())
	}
	var blocks [][]byte
	for _, b := range plan.Blocks {
		from, lines := plan.Stored(b)
		data, err := sar.EncodeEchoes(plan, b, raw[2*from*p.Samples:2*(from+lines)*p.Samples], nil)
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, data)
	}
	return plan, blocks
}

func TestABlockGivesTheRowsOfItsPlanWhoeverFocusesIt(t *testing.T) {
	plan, blocks := noise(t)
	if len(blocks) < 2 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for n, block := range blocks[:2] {
		work, size, err := Focuser{}.Memory(block)
		if err != nil || size != int64(plan.Blocks[n].Rows*plan.Params.Samples*8) || work < int64(plan.Blocks[n].Lines*plan.Params.Samples*8) {
			t.Errorf("%d and %d bytes: %v", work, size, err)
		}
		made, err := Focuser{}.Focus(t.Context(), block)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Focuser{}.Focus(t.Context(), block)
		if err != nil || !bytes.Equal(made.Rows, again.Rows) || !bytes.Equal(made.Targets, again.Targets) || made.Engine != "" {
			t.Fatalf("other bytes the second time: %v", err)
		}
		im, err := sar.DecodeRows(made.Rows)
		if err != nil {
			t.Fatal(err)
		}
		p, b, raw, gains, err := sar.DecodeEchoes(block)
		if err != nil {
			t.Fatal(err)
		}
		want, err := p.Focus(t.Context(), b, raw, gains)
		if err != nil || im.FirstRow != plan.Blocks[n].FirstRow || !slices.Equal(im.Pix, want.Pix) {
			t.Errorf("the rows are not the plan's: %v", err)
		}
		if _, err := sar.DecodeTargets(made.Targets); err != nil {
			t.Error(err)
		}
	}
}

func TestABrokenBlockIsRefusedWithWords(t *testing.T) {
	_, blocks := noise(t)
	for name, data := range map[string][]byte{"nothing": nil, "cut short": blocks[0][:len(blocks[0])/2], "changed": append(slices.Clone(blocks[0][:100]), append([]byte{1}, blocks[0][101:]...)...)} {
		if _, _, err := (Focuser{}).Memory(data); err == nil || !strings.Contains(err.Error(), "malformed") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := (Focuser{}).Focus(t.Context(), data); err == nil {
			t.Errorf("%s was focused", name)
		}
	}
}

// TestABlockIsFocusedByTheEngineThatIsThere runs against libraries that have CUDA's calls and compute on the CPU.
func TestABlockIsFocusedByTheEngineThatIsThere(t *testing.T) {
	engine, _, err := sar.OpenEngine(t.Context(), sar.OnGPU, gputest.Libraries(t))
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	var said bytes.Buffer
	f := Focuser{Engine: engine, Log: slog.New(slog.NewTextHandler(&said, nil))}
	_, blocks := noise(t)
	want, err := Focuser{}.Focus(t.Context(), blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	made, err := f.Focus(t.Context(), blocks[0])
	if err != nil || made.Engine != sar.CUFFT || len(made.Rows) == 0 || said.Len() > 0 {
		t.Error(made.Engine, err, said.String())
	}
	t.Setenv("STUB_FAIL", "cufftPlanMany")
	made, err = f.Focus(t.Context(), blocks[0])
	if err != nil || made.Engine != "" || !bytes.Equal(made.Rows, want.Rows) || !strings.Contains(said.String(), "on the CPU instead of the GPU") {
		t.Error(made.Engine, err, said.String())
	}
}
