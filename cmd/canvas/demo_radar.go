package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"cloudcanvas/lab/simulate"
	"cloudcanvas/shared/visible"
)

// The simulated echoes of the demo: a coast with ships, as a satellite in C band would have heard them in a second.
const (
	demoCoast   = "coast"
	demoLines   = 1536
	demoSamples = 2048
	demoShips   = 6
)

// makeEchoes writes the demo's echoes, and says where their description lies.
func makeEchoes(ctx context.Context, folder string) (string, error) {
	o := simulate.DefaultEchoes()
	o.Out, o.Name, o.Scene, o.Ships, o.Seed = folder, demoCoast, "coast", demoShips, demoSeed
	o.Radar.Lines, o.Radar.Samples = demoLines, demoSamples
	o.Place = &simulate.EchoPlace{Latitude: 49.3, Longitude: -123.2, HeadingDeg: 347, IncidenceDeg: 38}
	report, err := simulate.Echoes(ctx, o)
	return report.YAML, err
}

// shipsFound is how what was called a ship fits to the ships that are there.
type shipsFound struct {
	there, found, wrong int
}

// shipsApart is by how many rows and columns a target may lie beside the box of a ship's scatterers and still be it.
const shipsApart = 8

// compareShips holds a product's detections against the truth of simulated echoes.
func compareShips(detections, truth string) (s shipsFound, err error) {
	var said struct {
		Features []struct {
			Properties struct {
				Class    string
				Row, Col float64
			}
		}
	}
	var known simulate.EchoesTruth
	for path, into := range map[string]any{detections: &said, truth: &known} {
		data, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(data, into)
		}
		if err != nil {
			return s, fmt.Errorf("%s: %w", path, err)
		}
	}
	hit := map[int]bool{}
	for _, t := range known.Targets {
		if t.Kind == "ship" && len(t.Box) == 4 {
			s.there++
		}
	}
	for _, f := range said.Features {
		p := f.Properties
		if p.Class != "ship" {
			continue
		}
		right := false
		for i, t := range known.Targets {
			if t.Kind == "ship" && len(t.Box) == 4 && p.Row > t.Box[0]-shipsApart && p.Row < t.Box[1]+shipsApart && p.Col > t.Box[2]-shipsApart && p.Col < t.Box[3]+shipsApart {
				hit[i], right = true, true
			}
		}
		if !right {
			s.wrong++
		}
	}
	s.found = len(hit)
	return s, nil
}

// reportRadar says a line for each acquisition of raw echoes: one that was simulated is held against its truth.
func reportRadar(w io.Writer, lines []radarLine, ships map[string]shipsFound) {
	for _, l := range lines {
		note := ""
		if l.Simulated {
			note = "simulated "
		}
		found := counted(l.Ships, "ship")
		if s, known := ships[l.ID]; known {
			found = fmt.Sprintf("%d of %d ships found, %d called ships that are none", s.found, s.there, s.wrong)
		}
		visible.Fprintf(w, "radar    %-12s %sechoes of %d lines x %d samples: %d rows focused in %s, %s, %s in all; %.1f of %.1f MB over the link\n", l.ID, note, l.Lines, l.Samples,
			l.FocusedRows, counted(l.Blocks, "block"), found, counted(l.Targets, "bright target"), float64(l.Bytes.Uplinked)/1e6, float64(l.Bytes.Echoes)/1e6)
	}
}

// radarShips holds the demo's acquisition against its truth.
func radarShips(out, truth string) (map[string]shipsFound, error) {
	s, err := compareShips(filepath.Join(out, demoCoast, "detections.geojson"), truth)
	return map[string]shipsFound{demoCoast: s}, err
}
