package sar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// Land is polygons of longitude and latitude, as GeoJSON has them. Targets within are no ships.
type Land struct {
	polygons []landPolygon
}

type landPolygon struct {
	rings                    [][][2]float64 // the exterior first, then its holes
	west, south, east, north float64
}

const (
	maxLandBytes = 64 << 20
	maxLandDepth = 8 // of collections in collections
)

// ReadLand reads a GeoJSON file: a FeatureCollection, a Feature, a GeometryCollection, a Polygon or a MultiPolygon.
func ReadLand(path string) (*Land, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("land mask: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxLandBytes+1))
	if err == nil && len(data) > maxLandBytes {
		err = fmt.Errorf("it has more than %d MiB; cut out the area of the images", maxLandBytes>>20)
	}
	var land *Land
	if err == nil {
		land, err = ParseLand(data)
	}
	if err != nil {
		return nil, fmt.Errorf("land mask %s: %w", path, err)
	}
	return land, nil
}

// ParseLand reads GeoJSON (RFC 7946). What is no area is refused, as is a coordinate that is no longitude or latitude.
func ParseLand(data []byte) (*Land, error) {
	land := &Land{}
	if err := land.add(data, 0); err != nil {
		return nil, err
	}
	if len(land.polygons) == 0 {
		return nil, errors.New("it has no polygon")
	}
	return land, nil
}

func (l *Land) add(data []byte, depth int) error {
	if depth > maxLandDepth {
		return fmt.Errorf("collections lie more than %d deep in it", maxLandDepth)
	}
	var object struct {
		Type        string            `json:"type"`
		Features    []json.RawMessage `json:"features"`
		Geometry    json.RawMessage   `json:"geometry"`
		Geometries  []json.RawMessage `json:"geometries"`
		Coordinates json.RawMessage   `json:"coordinates"`
	}
	if err := json.Unmarshal(data, &object); err != nil {
		return fmt.Errorf("it is no GeoJSON: %w", err)
	}
	switch object.Type {
	case "FeatureCollection", "GeometryCollection":
		for _, part := range append(object.Features, object.Geometries...) {
			if err := l.add(part, depth+1); err != nil {
				return err
			}
		}
		return nil
	case "Feature":
		if len(object.Geometry) == 0 || bytes.Equal(object.Geometry, []byte("null")) {
			return nil
		}
		return l.add(object.Geometry, depth+1)
	case "Polygon":
		var rings [][][]float64
		if err := json.Unmarshal(object.Coordinates, &rings); err != nil {
			return fmt.Errorf("a Polygon's coordinates: %w", err)
		}
		return l.polygon(rings)
	case "MultiPolygon":
		var polygons [][][][]float64
		if err := json.Unmarshal(object.Coordinates, &polygons); err != nil {
			return fmt.Errorf("a MultiPolygon's coordinates: %w", err)
		}
		for _, rings := range polygons {
			if err := l.polygon(rings); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("%.40q is none of FeatureCollection, Feature, GeometryCollection, Polygon and MultiPolygon", object.Type)
}

func (l *Land) polygon(rings [][][]float64) error {
	p := landPolygon{west: math.Inf(1), south: math.Inf(1), east: math.Inf(-1), north: math.Inf(-1)}
	for _, points := range rings {
		if len(points) < 4 {
			return fmt.Errorf("a ring has %d points; a closed one has at least 4", len(points))
		}
		ring := make([][2]float64, len(points))
		for i, point := range points {
			if len(point) < 2 || !(math.Abs(point[0]) <= 360) || !(math.Abs(point[1]) <= 90) {
				return fmt.Errorf("%v is no longitude and latitude in degrees", point)
			}
			ring[i] = [2]float64{point[0], point[1]}
			p.west, p.east = min(p.west, point[0]), max(p.east, point[0])
			p.south, p.north = min(p.south, point[1]), max(p.north, point[1])
		}
		if ring[0] != ring[len(ring)-1] {
			return errors.New("a ring does not end where it begins")
		}
		p.rings = append(p.rings, ring)
	}
	if len(p.rings) > 0 {
		l.polygons = append(l.polygons, p)
	}
	return nil
}

// Within says whether a place lies on land: inside an exterior ring and outside of the holes in it. Edges are
// straight in longitude and latitude, as RFC 7946 has them.
func (l *Land) Within(lat, lon float64) bool {
	if l == nil || lat-lat != 0 || lon-lon != 0 {
		return false
	}
	for i := range l.polygons {
		p := &l.polygons[i]
		if lat < p.south || lat > p.north {
			continue
		}
		// The same meridian has other numbers after whole turns; polygons may use -180 to 180, 0 to 360 or more.
		for x := lon - 360*math.Floor((lon-p.west)/360); x <= p.east; x += 360 {
			if odd(p.rings, lat, x) {
				return true
			}
		}
	}
	return false
}

// odd says whether a ray to the east crosses the rings an odd number of times.
func odd(rings [][][2]float64, lat, lon float64) (in bool) {
	for _, ring := range rings {
		for i := 1; i < len(ring); i++ {
			a, b := ring[i-1], ring[i]
			if (a[1] > lat) != (b[1] > lat) && lon < a[0]+(lat-a[1])/(b[1]-a[1])*(b[0]-a[0]) {
				in = !in
			}
		}
	}
	return in
}
