package raster_test

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"strings"
	"testing"

	"cloudcanvas/shared/raster"
)

// TestBoxesLieWhereGDALPutsThem compares rotated, sheared and mirrored grids in several projections
// with GDAL's own command.
func TestBoxesLieWhereGDALPutsThem(t *testing.T) {
	if _, err := exec.LookPath("gdaltransform"); err != nil {
		t.Skip("gdaltransform (gdal-bin) is not here to compare with")
	}
	north, err := raster.UTM(33, true, 400000, 5200000, 10)
	if err != nil {
		t.Fatal(err)
	}
	south, err := raster.UTM(19, false, 300000, 6200000, 10)
	if err != nil {
		t.Fatal(err)
	}
	rotated, sheared, mirrored := north, north, south
	c, s := 10*math.Cos(0.5), 10*math.Sin(0.5)
	rotated.Transform = [6]float64{400000, c, s, 5200000, s, -c}
	sheared.Transform = [6]float64{400000, 10, 3, 5200000, 0, -7}
	mirrored.Transform = [6]float64{300000, 10, 0, 6200000, 0, 10}
	for name, g := range map[string]raster.Georef{"north up": north, "south": south, "rotated": rotated, "sheared": sheared, "mirrored": mirrored} {
		t.Run(name, func(t *testing.T) {
			places, err := raster.NewPlaces(g)
			if err != nil {
				t.Fatal(err)
			}
			defer places.Close()
			at, err := places.Box(1000, 500, 40, 20)
			if err != nil {
				t.Fatal(err)
			}
			for i, corner := range [4][2]float64{{1000, 500}, {1040, 500}, {1040, 520}, {1000, 520}} {
				if x, y := g.At(corner[0], corner[1]); at.Map[i] != [2]float64{x, y} {
					t.Errorf("corner %d lies at %v, want %v %v", i, at.Map[i], x, y)
				}
			}
			x, y := g.At(1020, 510)
			want := gdaltransform(t, g.EPSG, x, y)
			if math.Abs(at.Centre[0]-want[0]) > 1e-8 || math.Abs(at.Centre[1]-want[1]) > 1e-8 {
				t.Errorf("centre %v, gdaltransform says %v", at.Centre, want)
			}
			ring := at.Polygons[0][0]
			if len(at.Polygons) != 1 || ring[0] != ring[len(ring)-1] || area(ring) <= 0 {
				t.Errorf("not one closed ring that turns left: %v", at.Polygons)
			}
			for _, p := range at.Map {
				corner := gdaltransform(t, g.EPSG, p[0], p[1])
				near := math.Inf(1)
				for _, q := range ring {
					near = min(near, math.Hypot(q[0]-corner[0], q[1]-corner[1]))
				}
				if near > 1e-7 {
					t.Errorf("no point of the outline at the corner %v", corner)
				}
			}
		})
	}
}

// gdaltransform turns a point into longitude and latitude.
func gdaltransform(t *testing.T, epsg int, x, y float64) (at [2]float64) {
	t.Helper()
	c := exec.Command("gdaltransform", "-s_srs", fmt.Sprintf("EPSG:%d", epsg), "-t_srs", "EPSG:4326", "-output_xy")
	c.Stdin = strings.NewReader(fmt.Sprintf("%.9f %.9f\n", x, y))
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	line := bufio.NewScanner(strings.NewReader(string(out)))
	line.Scan()
	if _, err := fmt.Sscan(line.Text(), &at[0], &at[1]); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	return at
}

func TestABoxOverThe180thMeridianIsTwoPolygons(t *testing.T) {
	g, err := raster.UTM(1, true, 165000, 1000000, 100) // the zone's western edge lies on 180°
	if err != nil {
		t.Fatal(err)
	}
	places, err := raster.NewPlaces(g)
	if err != nil {
		t.Fatal(err)
	}
	defer places.Close()
	at, err := places.Box(0, 0, 200, 100)
	if err != nil {
		t.Fatal(err)
	}
	if len(at.Polygons) != 2 {
		t.Fatalf("%d polygons: %v", len(at.Polygons), at.Polygons)
	}
	sides := map[bool]bool{}
	for _, p := range at.Polygons {
		for _, q := range p[0] {
			if math.Abs(q[0]) > 180 || math.Abs(q[0]) < 170 {
				t.Errorf("a point at %v", q)
			}
		}
		sides[p[0][1][0] > 0] = true
	}
	if len(sides) != 2 || math.Abs(at.Centre[0]) > 180 {
		t.Errorf("%v, centre %v", at.Polygons, at.Centre)
	}
}

func TestARasterWithoutAPlaceHasNoPlaces(t *testing.T) {
	if _, err := raster.NewPlaces(raster.Georef{}); !errors.Is(err, raster.ErrNoGeoref) {
		t.Error(err)
	}
}
