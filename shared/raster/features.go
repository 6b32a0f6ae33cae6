package raster

import (
	"errors"
	"math"

	"cloudcanvas/shared/vision"
)

// FeatureCollection is objects on the map, as RFC 7946 has them.
type FeatureCollection struct {
	Type     string    `json:"type"`
	Features []Feature `json:"features"`
}

// Feature is one of them.
type Feature struct {
	Type       string     `json:"type"`
	Geometry   *Geometry  `json:"geometry"` // null: it has no place on the Earth
	Properties Properties `json:"properties"`
}

// Geometry is its outline: a polygon, or several over the 180th meridian.
type Geometry struct {
	Type        string `json:"type"`
	Coordinates any    `json:"coordinates"`
}

// Properties are what else is known of it.
type Properties struct {
	Label  string        `json:"label"`
	Score  float64       `json:"score"`
	Pixels [4]float64    `json:"bbox_pixels"`    // x, y, width, height
	Centre *[2]float64   `json:"centre_lonlat"`  // null: it has no place on the Earth
	Map    [4][2]float64 `json:"corners_map"`    // in the scene's reference system, from the top left on
	EPSG   int           `json:"epsg,omitempty"` // of that system
}

// Features places boxes of pixels on the map. ErrNoGeoref for a raster without a place.
func Features(g Georef, boxes []vision.Box) (FeatureCollection, error) {
	all := FeatureCollection{Type: "FeatureCollection", Features: []Feature{}}
	places, err := NewPlaces(g)
	if err != nil {
		return all, err
	}
	defer places.Close()
	for _, b := range boxes {
		at, err := places.Box(float64(b.X), float64(b.Y), float64(b.W), float64(b.H))
		if err != nil && !errors.Is(err, ErrNoPlace) {
			return all, err
		}
		var centre *[2]float64
		if err == nil {
			centre = &[2]float64{rounded(at.Centre[0], 1e7), rounded(at.Centre[1], 1e7)}
		}
		all.Features = append(all.Features, Feature{"Feature", outlineOf(at.Polygons), Properties{b.Label, rounded(float64(b.Score), 1e4),
			[4]float64{rounded(float64(b.X), 100), rounded(float64(b.Y), 100), rounded(float64(b.W), 100), rounded(float64(b.H), 100)},
			centre, at.Map, g.EPSG}})
	}
	return all, nil
}

// outlineOf is GeoJSON's form of an outline.
func outlineOf(polygons [][][][2]float64) *Geometry {
	switch len(polygons) {
	case 0:
		return nil
	case 1:
		return &Geometry{"Polygon", polygons[0]}
	}
	return &Geometry{"MultiPolygon", polygons}
}

// rounded keeps so many parts of one.
func rounded(v, parts float64) float64 { return math.Round(v*parts) / parts }
