package edge

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"cloudcanvas/edge/capture"
	"cloudcanvas/shared/raster"
)

func TestEachKindOfAssumptionIsAWarningOnceForASource(t *testing.T) {
	scale, level := raster.Fact{What: "reflectance", Value: "stored x 0.0001", From: raster.FromAssumed}, raster.Fact{What: "level", Value: "1C", From: raster.FromAssumed}
	wrong := raster.Fact{What: "implausible", Value: "half of blue", From: raster.FromPixels}
	told := raster.Fact{What: "sensor", Value: "sentinel-2", From: raster.FromProduct}
	source, other := assumptions{}, assumptions{}
	for i, step := range []struct {
		of    assumptions
		facts []raster.Fact
		says  string
	}{
		{source, []raster.Fact{told}, "INFO msg=\"a scene is read\""},
		{source, []raster.Fact{told, scale}, "WARN"},
		{source, []raster.Fact{scale}, "INFO msg=\"a scene is read on the same assumptions as earlier"},
		{source, []raster.Fact{scale, level}, "WARN"},
		{source, []raster.Fact{level, scale}, "INFO"},
		{source, []raster.Fact{wrong}, "WARN"},
		{source, []raster.Fact{wrong}, "WARN"},
		{other, []raster.Fact{scale}, "WARN"},
		{nil, []raster.Fact{scale}, "WARN"},
		{nil, []raster.Fact{scale}, "WARN"},
	} {
		var said bytes.Buffer
		l := &scenePipeline{log: slog.New(slog.NewTextHandler(&said, nil)), assumed: step.of}
		s := &capture.SceneInfo{ID: "field"}
		s.Facts = step.facts
		l.logFacts(s)
		if !strings.Contains(said.String(), step.says) || strings.Count(said.String(), "\n") != 1 {
			t.Errorf("step %d: %q, want %q", i, said.String(), step.says)
		}
	}
}
