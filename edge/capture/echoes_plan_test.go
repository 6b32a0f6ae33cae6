package capture

import (
	"strings"
	"testing"

	"cloudcanvas/shared/sar"
)

// radarsat is the geometry of a satellite's radar in C band, whose aperture is some 900 lines.
func radarsat(format sar.Format, lines, samples int) sar.Params {
	p := sar.Defaults()
	p.Data, p.Format, p.Lines, p.Samples = "x", format, lines, samples
	p.CarrierHz, p.PRFHz, p.SamplingHz, p.ChirpRateHzS, p.ChirpS = 5.3e9, 1256.98, 32.317e6, -0.72135e12, 41.75e-6
	p.FirstSampleSlantRangeM, p.EffectiveVelocityMS = 988647, 7062
	return p
}

func TestBlocksAreSmallButSendFewLinesTwice(t *testing.T) {
	for name, c := range map[string]struct {
		p      sar.Params
		memory int64
		twice  float64 // of the lines, at most
		blocks int     // at least
	}{
		"a whole swath of 8 bits":      {radarsat(sar.IQ8, 19432, 9288), 2 << 30, 0.6, 3}, // rows of more lines would be too large
		"of 16 bits":                   {radarsat(sar.IQ16, 19432, 9288), 2 << 30, 0.6, 3},
		"an excerpt that is one block": {radarsat(sar.IQ8, 1536, 2048), 1 << 30, 0, 1},
		"narrow and long":              {radarsat(sar.IQ8, 65536, 1500), 1 << 30, mostSentTwice, 8},
		"memory for short blocks only": {radarsat(sar.CF32, 19432, 9288), 900 << 20, 2, 3},
	} {
		plan, err := PlanEchoes(c.p, sar.Centroid{}, sar.Weighting{Range: "none", Azimuth: "none"}, c.memory)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		cost := costOf(plan)
		t.Logf("%s: %d blocks of up to %d MiB, rows of %d MiB, a worker needs %d MiB, %.2f of the lines", name, len(plan.Blocks), cost.raw>>20, cost.rows>>20, cost.worker>>20, float64(cost.lines)/float64(c.p.Lines))
		if cost.tooMuch() != "" || float64(cost.lines) > (1+c.twice)*float64(c.p.Lines) || len(plan.Blocks) < c.blocks {
			t.Errorf("%s: %d blocks, %+v of %d lines: %s", name, len(plan.Blocks), cost, c.p.Lines, cost.tooMuch())
		}
	}
	for name, c := range map[string]struct {
		p      sar.Params
		memory int64
		says   string
	}{
		"no block fits into an item": {radarsat(sar.CF32, 19432, 25000), 64 << 30, "samples: "},
		"no block fits into memory":  {radarsat(sar.IQ8, 19432, 9288), 16 << 20, "memory"},
	} {
		if _, err := PlanEchoes(c.p, sar.Centroid{}, sar.Weighting{Range: "none", Azimuth: "none"}, c.memory); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
