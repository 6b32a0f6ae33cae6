package sar

import (
	"math"
	"testing"
)

// TestTheShipsOfEnglishBayStandOut goes the whole way from real echoes: six ships at anchor, sailing boats and
// buoys among them, a city, suburbs and woods around.
func TestTheShipsOfEnglishBayStandOut(t *testing.T) {
	t.Parallel()
	e := openBay(t)
	centroid, err := EstimateCentroid(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := NewPlan(e.Params, centroid, Weighting{}, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	im := &Image{Cols: e.Params.Samples}
	for _, b := range plan.Blocks {
		raw, gains, err := e.Raw(plan.Stored(b))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := plan.Focus(t.Context(), b, raw, gains)
		if err != nil {
			t.Fatal(err)
		}
		im.Rows, im.Pix = im.Rows+rows.Rows, append(im.Pix, rows.Pix...)
	}
	found, err := plan.Find(im, CFAR{})
	if err != nil {
		t.Fatal(err)
	}
	// Places in columns, and rows of lines after the first in which their ground is nearest to a Doppler centroid of
	// -6900 Hz; another estimate moves all rows alike.
	ships := [][2]float64{{766, 730}, {472, 963}, {503, 1084}, {634, 829}, {1134, 734}, {1329, 790}}
	land := [][4]float64{{0, 230, 400, 900}, {0, 200, 1700, 2000}, {580, 830, 1490, 1650}, {1370, 1536, 1520, 2048}} // Point Grey, downtown, Stanley Park, the north shore
	off := -4888 - float64(plan.RowOffset)
	for _, s := range ships {
		seen := false
		for _, target := range found.Targets {
			if target.Class == Ship && math.Hypot(target.Row-off-s[0], target.Col-s[1]) < 16 {
				seen = true
				t.Logf("%.0f, %.0f: %.1f dB, %.0f m", target.Row, target.Col, target.ClutterDB, target.LengthM)
				if target.ClutterDB < 30 {
					t.Errorf("the ship at %v stands out by %.1f dB", s, target.ClutterDB)
				}
			}
		}
		if !seen {
			t.Errorf("no ship is seen at %v", s)
		}
	}
	n := 0
	for _, target := range found.Targets {
		if target.Class != Ship {
			continue
		}
		n++
		for _, box := range land {
			if row := target.Row - off; row >= box[0] && row <= box[1] && target.Col >= box[2] && target.Col <= box[3] {
				t.Errorf("a ship on land: %+v", target)
			}
		}
	}
	t.Logf("%d ships of %d targets, %d left out, sea %.1f dB, land %.2f; row offset %d, centroid %+v", n, len(found.Targets), found.LeftOut, *found.SeaDB, found.LandShare, plan.RowOffset, centroid)
	if n > 40 {
		t.Errorf("%d ships in a bay with a dozen and some boats", n)
	}
}
