package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/lab/simulate"
)

func TestShipsAreFoundMissedOrCalledSoWrongly(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	truth := write("truth.json", simulate.EchoesTruth{Targets: []simulate.EchoTarget{
		{Kind: "ship", Row: 110, Col: 50, Box: []float64{100, 120, 48, 52}},
		{Kind: "ship", Row: 300, Col: 400, Box: []float64{290, 310, 390, 410}},
		{Kind: "point", Row: 700, Col: 700},
	}})
	type object = map[string]any
	at := func(class string, row, col float64) object {
		return object{"type": "Feature", "geometry": nil, "properties": object{"class": class, "row": row, "col": col}}
	}
	found := write("detections.geojson", object{"features": []object{
		at("ship", 101, 55), at("ship", 119, 45), // both of the first
		at("bright", 300, 400), // the second, but not called a ship
		at("ship", 700, 700),   // a point
		at("ship", 110, 61),    // nine columns beside the first
	}})
	got, err := compareShips(found, truth)
	if want := (shipsFound{there: 2, found: 1, wrong: 2}); err != nil || got != want {
		t.Errorf("%+v %v, not %+v", got, err, want)
	}
	if _, err := compareShips(filepath.Join(dir, "none"), truth); err == nil {
		t.Error("a product without detections was compared")
	}
}

func TestTheReportSaysRadarOnlyWhereThereWereEchoesAndSimulatedOnlyOfThese(t *testing.T) {
	var w bytes.Buffer
	reportRadar(&w, nil, map[string]shipsFound{demoCoast: {there: 6}})
	if w.Len() > 0 {
		t.Errorf("without echoes it says %q", &w)
	}
	simulated := radarLine{ID: demoCoast, Lines: 1536, Samples: 2048, Blocks: 1, FocusedRows: 1500, Targets: 9, Simulated: true, Bytes: radarBytes{Echoes: 6_300_000, Uplinked: 4_400_000}}
	taken := radarLine{ID: "bay", Lines: 10, Samples: 20, Blocks: 2, FocusedRows: 10, Ships: 1, Targets: 1}
	reportRadar(&w, []radarLine{simulated, taken}, map[string]shipsFound{demoCoast: {there: 6, found: 5, wrong: 1}})
	for n, want := range [][]string{
		{"simulated echoes of 1536 lines x 2048 samples", "1500 rows focused in 1 block,", "5 of 6 ships found, 1 called ships that are none", "9 bright targets", "4.4 of 6.3 MB"},
		{"bay ", " echoes of 10 lines", "in 2 blocks, 1 ship, 1 bright target in all"},
	} {
		line := strings.Split(w.String(), "\n")[n]
		for _, part := range want {
			if !strings.Contains(line, part) {
				t.Errorf("no %q in %q", part, line)
			}
		}
		if said := strings.Contains(line, "simulated"); said != (n == 0) {
			t.Errorf("simulated: %v in %q", said, line)
		}
	}
}

func TestTheDemosEchoesAreOfACoastWithShips(t *testing.T) {
	dir := t.TempDir()
	path, err := makeEchoes(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, demoCoast+".yaml"); path != want {
		t.Errorf("they are described by %s, not %s", path, want)
	}
	nothing := filepath.Join(dir, "nothing.geojson")
	if err := os.WriteFile(nothing, []byte(`{"features":[]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := compareShips(nothing, filepath.Join(dir, "truth.json"))
	if want := (shipsFound{there: demoShips}); err != nil || got != want {
		t.Errorf("%v %v, not %v", fmt.Sprintf("%+v", got), err, want)
	}
}
