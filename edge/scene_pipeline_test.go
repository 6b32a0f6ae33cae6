package edge

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"

	"cloudcanvas/edge/capture"
	"cloudcanvas/shared/event"
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

func TestAManifestSaysWhereNearlyAllIsLeftOutForOneReason(t *testing.T) {
	tiles := func(sent int, dropped map[string]int) (m event.Manifest) {
		for range sent {
			m.Tiles = append(m.Tiles, event.TileDecision{Decision: event.TileSent})
		}
		for reason, n := range dropped {
			for range n {
				m.Tiles = append(m.Tiles, event.TileDecision{Decision: event.TileDropped, Reason: reason})
			}
		}
		return m
	}
	for name, c := range map[string]struct {
		m       event.Manifest
		want    string // empty: nothing is said
		clouded int    // of those that were sent, as masks
	}{
		"eight of nine are cloud":   {tiles(1, map[string]int{"cloud": 8}), "8 of 9 tiles were left out as cloud", 0},
		"eight masks of cloud":      {tiles(9, nil), "8 of 9 tiles were left out as cloud", 8},
		"masks and tiles of cloud":  {tiles(5, map[string]int{"cloud": 4}), "8 of 9 tiles were left out as cloud", 4},
		"all without data":          {tiles(0, map[string]int{"nodata": 9}), "9 of 9 tiles were left out as nodata", 0},
		"all broken":                {tiles(0, map[string]int{"unreadable": 9}), "9 of 9 tiles were left out as unreadable", 0},
		"half of them":              {tiles(5, map[string]int{"cloud": 5}), "", 0},
		"two reasons":               {tiles(0, map[string]int{"cloud": 5, "nodata": 5}), "", 0},
		"nothing has changed":       {tiles(0, map[string]int{"unchanged": 9}), "", 0},
		"a scene of a single tile":  {tiles(0, map[string]int{"cloud": 1}), "", 0},
		"a scene without any tiles": {tiles(0, nil), "", 0},
	} {
		facts := nearlyAllSkipped(c.m, c.clouded)
		if said := len(facts) == 1 && c.want != "" && strings.Contains(facts[0].Value, c.want) && facts[0].What == event.Implausible; !said && (c.want != "" || len(facts) > 0) {
			t.Errorf("%s: %+v", name, facts)
		}
	}
}

// A file may say any size: what is made for its tiles is sized only when the plan of them is one that the cloud takes.
func TestASceneThatSaysItIsEndlessIsRefused(t *testing.T) {
	a := agent(t)
	for _, side := range []int{200_000, 2_000_000_000, math.MaxInt32} {
		p := newScenePipeline(always(spectralScreener{}), nil, a.buffer(), "key", a.liveness.Probe("field"), a.log)
		info := &capture.SceneInfo{ID: "field", Planes: []string{"blue", "green", "red"}, Grid: raster.Grid{Size: 256, Overlap: 24, Margin: 51, Width: side, Height: side}}
		info.Width, info.Height, info.DataType = side, side, "UInt16"
		if err := p.take(t.Context(), capture.Picture{Stream: "field", Scene: info, Tile: &raster.Tile{}}); !errors.Is(err, event.ErrTooLarge) && !errors.Is(err, event.ErrMalformed) {
			t.Errorf("%d a side: %v", side, err)
		}
	}
}
