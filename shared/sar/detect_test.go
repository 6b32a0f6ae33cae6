package sar

import (
	"fmt"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// imagePlan is of pixels of 5 m.
var imagePlan = &Plan{Params: Params{SamplingHz: 30e6, PRFHz: 1400, EffectiveVelocityMS: 7000, FirstSampleSlantRangeM: 900e3}}

// speckled is an image whose mean intensity is level(row, col).
func speckled(rows, cols int, seed uint64, level func(row, col int) float64) *Image {
	random := rand.New(rand.NewPCG(seed, 9))
	im := &Image{FirstRow: 5000, Rows: rows, Cols: cols, Pix: make([]complex64, rows*cols)}
	for i := range im.Pix {
		a := math.Sqrt(level(i/cols, i%cols) / 2)
		im.Pix[i] = complex64(complex(a*random.NormFloat64(), a*random.NormFloat64()))
	}
	return im
}

func wavy(row, col int) float64 {
	return 10 * math.Exp(0.3*math.Sin(float64(row)/9)*math.Cos(float64(col)/13))
}

// rough is land: its level changes from cell to cell by some dB.
func rough(seed uint64) func(row, col int) float64 {
	random := rand.New(rand.NewPCG(seed, 4))
	var cells [80][80]float64 // of 12 x 12 pixels
	for i := range cells {
		for j := range cells[i] {
			cells[i][j] = 160 * math.Exp(0.7*random.NormFloat64())
		}
	}
	return func(row, col int) float64 { return cells[row/12][col/12] }
}

var band = [2]float64{0.8, 0.9}

func ships(found Found) (all []Target) {
	for _, t := range found.Targets {
		if t.Class == Ship {
			all = append(all, t)
		}
	}
	return all
}

func TestShipsAreFoundInOpenSeaAndNothingElseIs(t *testing.T) {
	for seed := range uint64(4) {
		im := speckled(600, 700, seed, wavy)
		places := [][2]float64{{5100.3, 120.6}, {5301, 340}, {5480.5, 600.5}, {5301, 400}}
		for i, p := range places {
			addPoint(im, p[0], p[1], math.Sqrt(10)*math.Pow(10, (26+3*float64(i))/20), float64(i), band, [2]float64{0.2, 0})
		}
		found, err := imagePlan.Find(im, CFAR{})
		if err != nil {
			t.Fatal(err)
		}
		if found.SeaDB == nil || math.Abs(*found.SeaDB-10.2) > 0.5 || found.LandShare > 0.01 {
			t.Errorf("seed %d: sea %v, land %v", seed, found.SeaDB, found.LandShare)
		}
		if len(found.Targets) != len(places) {
			t.Fatalf("seed %d: %+v", seed, found.Targets)
		}
		seen := map[int]bool{}
		for _, got := range found.Targets {
			i := slices.IndexFunc(places, func(p [2]float64) bool { return math.Hypot(got.Row-p[0], got.Col-p[1]) < 0.7 })
			if i < 0 || got.Class != Ship || seen[i] {
				t.Fatalf("seed %d: %+v", seed, got)
			}
			seen[i] = true
			// Between pixels a point's brightest pixel is up to 4 dB below its peak; the sea around has waves.
			if over := got.ClutterDB - (26 + 3*float64(i)); over > 2.5 || over < -6.5 {
				t.Errorf("seed %d: %+v is at %v", seed, got, places[i])
			}
			if math.Abs(got.RangeM-(900e3+got.Col*299792458/60e6)) > 1e-6 {
				t.Errorf("range %v", got.RangeM)
			}
		}
	}
}

func TestAShipOfManyScatterersIsOneTargetAndHasItsLength(t *testing.T) {
	im := speckled(500, 500, 3, wavy)
	for i := range 13 {
		addPoint(im, 5200+3*float64(i), 240+2*float64(i), 300, float64(i*i), band, [2]float64{0, 0})
	}
	found, err := imagePlan.Find(im, CFAR{})
	if err != nil || len(found.Targets) != 1 || found.Targets[0].Class != Ship {
		t.Fatal(found, err)
	}
	if l, want := found.Targets[0].LengthM, 12*5*math.Hypot(3, 2); math.Abs(l/want-1) > 0.25 {
		t.Errorf("%.0f m long instead of %.0f", l, want)
	}
}

func TestWhatALandMaskHoldsIsNoShip(t *testing.T) {
	seen := &Plan{Params: scene(polar, "right")}
	im := speckled(500, 500, 3, wavy)
	im.FirstRow = 0
	addPoint(im, 250, 240, 300, 0, band, [2]float64{0, 0})
	place, err := seen.Geometry()
	if err != nil {
		t.Fatal(err)
	}
	lat, lon, err := place.Place(250, 240, 0)
	if err != nil {
		t.Fatal(err)
	}
	around := func(lat, lon float64) *Land {
		land, err := ParseLand(fmt.Appendf(nil, `{"type":"Polygon","coordinates":[[[%[1]f,%[2]f],[%[3]f,%[2]f],[%[3]f,%[4]f],[%[1]f,%[4]f],[%[1]f,%[2]f]]]}`,
			lon-0.001, lat-0.001, lon+0.001, lat+0.001))
		if err != nil {
			t.Fatal(err)
		}
		return land
	}
	for _, of := range []struct {
		land     *Land
		plan     *Plan
		class    Class
		unmasked bool
	}{{nil, seen, Ship, false}, {around(lat, lon), seen, Bright, false}, {around(lat+1, lon), seen, Ship, false}, {around(lat, lon), imagePlan, Ship, true}} {
		found, err := of.plan.Find(im, CFAR{Land: of.land})
		if err != nil || len(found.Targets) != 1 || found.Targets[0].Class != of.class || (found.Unmasked != "") != of.unmasked {
			t.Errorf("%+v %v", found, err)
		}
	}
}

func TestWhatIsBrightOnLandIsNoShip(t *testing.T) {
	t.Parallel()
	land := rough(5)
	im := speckled(640, 900, 5, func(row, col int) float64 {
		if float64(col) > 500+40*math.Sin(float64(row)/70) {
			return land(row, col)
		}
		return wavy(row, col)
	})
	random := rand.New(rand.NewPCG(1, 1))
	for range 60 { // houses
		addPoint(im, 5040+560*random.Float64(), 580+300*random.Float64(), 300*math.Exp(0.5*random.NormFloat64()), 6*random.Float64(), band, [2]float64{0, 0})
	}
	addPoint(im, 5300, 200, 200, 1, band, [2]float64{0, 0})
	addPoint(im, 5500, 330, 120, 1, band, [2]float64{0, 0})
	found, err := imagePlan.Find(im, CFAR{})
	if err != nil {
		t.Fatal(err)
	}
	s := ships(found)
	if len(s) != 2 || math.Hypot(s[0].Row-5300, s[0].Col-200) > 1 || math.Hypot(s[1].Row-5500, s[1].Col-330) > 1 {
		t.Errorf("%+v", s)
	}
	if len(found.Targets) < 30 {
		t.Errorf("%d targets, of 60 houses", len(found.Targets))
	}
	if found.LandShare < 0.35 || found.LandShare > 0.5 {
		t.Errorf("land share %.2f", found.LandShare)
	}
}

func TestWhereNoSeaCanBeToldNothingIsCalledAShip(t *testing.T) {
	im := speckled(480, 480, 6, rough(6))
	addPoint(im, 5200, 240, 2000, 1, band, [2]float64{0, 0})
	found, err := imagePlan.Find(im, CFAR{})
	if err != nil || len(found.Targets) == 0 || len(ships(found)) > 0 || found.SeaDB != nil || !strings.Contains(found.Targets[0].Reason, "no sea can be told") {
		t.Errorf("%+v %v", found, err)
	}
}

func TestALakeIsNoSea(t *testing.T) {
	land := rough(7)
	im := speckled(800, 800, 7, func(row, col int) float64 {
		if col < 300 || math.Hypot(float64(row-400), float64(col-600)) < 75 {
			return wavy(row, col)
		}
		return land(row, col)
	})
	addPoint(im, 5400, 600, 400, 1, band, [2]float64{0, 0})
	addPoint(im, 5400, 100, 400, 1, band, [2]float64{0, 0})
	found, err := imagePlan.Find(im, CFAR{})
	if s := ships(found); err != nil || len(s) != 1 || math.Abs(s[0].Col-100) > 1 {
		t.Errorf("%+v %v", s, err)
	}
}

func TestTheBestTargetsAreKeptAndTheOthersCounted(t *testing.T) {
	im := speckled(600, 700, 8, wavy)
	for i := range 20 {
		addPoint(im, 5040+float64(i/5)*150, 50+float64(i%5)*140, 100+10*float64(i), 0, band, [2]float64{0, 0})
	}
	found, err := imagePlan.Find(im, CFAR{MaxTargets: 6})
	if err != nil || len(found.Targets) != 6 || found.LeftOut != 14 {
		t.Fatalf("%d targets, %d left out, %v", len(found.Targets), found.LeftOut, err)
	}
	for _, got := range found.Targets[:3] {
		if got.PeakRow < 5480 {
			t.Errorf("%+v is none of the brightest", got)
		}
	}
}

// TestSidelobesAreNoTargets: bright points in the same rows and columns, 60 dB over clutter.
func TestSidelobesAreNoTargets(t *testing.T) {
	im := speckled(500, 700, 10, func(int, int) float64 { return 0.1 })
	for i := range 2 {
		for j := range 3 {
			addPoint(im, 5120+250*float64(i), 120+220.4*float64(j), 300, 0, band, [2]float64{0, 0})
		}
	}
	found, err := imagePlan.Find(im, CFAR{})
	if err != nil || len(found.Targets) != 6 || len(ships(found)) != 6 {
		t.Errorf("%+v %v", found, err)
	}
}

// TestSidelobesOfSquintedTargetsLean: by a column in three rows, in C band at -6900 Hz and 320 MHz.
func TestSidelobesOfSquintedTargetsLean(t *testing.T) {
	squinted := *imagePlan
	squinted.Centroid.Hz, squinted.Params.CarrierHz, squinted.Params.PRFHz, squinted.Params.SamplingHz = -6900, 5.3e9, 1257, 320e6
	const slope = 6900 / 5.3e9 * 320e6 / 1257
	im := speckled(700, 400, 12, func(int, int) float64 { return 0.1 })
	const row, col = 350, 200
	im.Pix[row*im.Cols+col] = 3000
	for _, at := range []int{-im.Cols, -1, 1, im.Cols} {
		im.Pix[row*im.Cols+col+at] = 1500
	}
	for r := range im.Rows {
		if d := math.Abs(float64(r - row)); d > 3 {
			im.Pix[r*im.Cols+col+int(math.Round(slope*float64(r-row)))] = complex64(complex(3000/(math.Pi*d), 0))
		}
	}
	found, err := squinted.Find(im, CFAR{})
	if err != nil || len(found.Targets) != 1 || found.Targets[0].Rows > 9 {
		t.Errorf("%+v, %v", found.Targets, err)
	}
}

func TestDetectionRefusesWhatIsNoImage(t *testing.T) {
	im := speckled(200, 200, 11, wavy)
	im.Pix[70*200+33] = complex64(cmplx.NaN())
	if _, err := imagePlan.Detect(im, CFAR{}); err == nil || !strings.Contains(err.Error(), "rows 5064 to 5079, columns 32 to 47") {
		t.Error(err)
	}
	if _, err := imagePlan.Detect(&Image{Rows: 3, Cols: 3}, CFAR{}); err == nil {
		t.Error("pixels are missing")
	}
	if _, err := imagePlan.Detect(&Image{}, CFAR{ThresholdDB: 3}); err == nil || !strings.Contains(err.Error(), "threshold_db") {
		t.Error(err)
	}
	nothing := &Image{Rows: 200, Cols: 200, Pix: make([]complex64, 200*200)}
	if found, err := imagePlan.Find(nothing, CFAR{}); err != nil || len(found.Targets) > 0 {
		t.Error(found, err)
	}
}
