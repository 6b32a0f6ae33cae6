package raster

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/airbusgeo/godal"
)

// cutAtDateLine splits a polygon that crosses the 180th meridian (unwrapped: longitudes beyond 180)
// into polygons on either side of it.
func cutAtDateLine(rings [][][2]float64) ([][][][2]float64, error) {
	crosses := false
	for _, p := range rings[0] {
		crosses = crosses || p[0] > 180
	}
	if !crosses {
		return [][][][2]float64{rings}, nil
	}
	for _, hole := range rings[1:] { // a hole that lies wholly beyond was unwrapped on its own
		if short := Bounds(rings[0])[0] - 1e-9 - hole[0][0]; short > 0 {
			for i := range hole {
				hole[i][0] += 360 * math.Ceil(short/360)
			}
		}
	}
	text, err := json.Marshal(map[string]any{"type": "Polygon", "coordinates": rings})
	if err != nil {
		return nil, err
	}
	whole, err := godal.NewGeometryFromGeoJSON(string(text), heard)
	if err != nil {
		return nil, brief(err)
	}
	defer whole.Close()
	var out [][][][2]float64
	for _, west := range []float64{-180, 180} {
		box := fmt.Sprintf("POLYGON((%[1]g -90,%[2]g -90,%[2]g 90,%[1]g 90,%[1]g -90))", west, west+360)
		half, err := godal.NewGeometryFromWKT(box, nil, heard)
		if err != nil {
			return nil, brief(err)
		}
		part, err := whole.Intersection(half, heard)
		half.Close()
		if err != nil {
			return nil, brief(err)
		}
		wkb, err := part.WKB(heard)
		part.Close()
		if err != nil {
			return nil, brief(err)
		}
		polygons, err := parseWKB(wkb)
		if err != nil {
			return nil, err
		}
		for _, p := range polygons {
			for i, ring := range p {
				if (signedArea(ring) > 0) != (i == 0) {
					reverse(ring)
				}
				for k := range ring {
					ring[k][0] -= west + 180
				}
			}
			out = append(out, p)
		}
	}
	return out, nil
}
