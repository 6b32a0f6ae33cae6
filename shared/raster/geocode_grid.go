package raster

import (
	"errors"
	"fmt"
	"math"

	"github.com/airbusgeo/godal"
)

// Globe is a closed ring of longitude and latitude as valid polygons of RFC 7946: two over the 180th meridian, none
// where it has no area. Steps of more than half a turn of longitude are taken for that meridian.
func Globe(ring [][2]float64) ([][][][2]float64, error) {
	started()
	if len(ring) < 4 || ring[0] != ring[len(ring)-1] {
		return nil, fmt.Errorf("an outline of %d points is no closed ring", len(ring))
	}
	for _, p := range ring {
		if !(math.Abs(p[0]) <= 540) || !(math.Abs(p[1]) <= 90) {
			return nil, fmt.Errorf("longitude %v, latitude %v is no place", p[0], p[1])
		}
	}
	outline := unwrap(append([][2]float64{}, ring...))
	if signedArea(outline) < 0 {
		reverse(outline)
	}
	return onGlobe([][][2]float64{outline})
}

const (
	maxMapSide   = 1 << 18 // pixels
	maxMapPixels = 1 << 33
)

// mapAround is a grid of square pixels around places on the Earth, north up: of the UTM zone that their middle is in,
// beyond 84° north and 80° south of the polar stereographic projection that goes with them (UPS).
func mapAround(ring [][2]float64, metres float64) (g Georef, width, height int, err error) {
	if !(metres > 0) || math.IsInf(metres, 0) {
		return g, 0, 0, fmt.Errorf("a pixel of %v m is none", metres)
	}
	outline := unwrap(append([][2]float64{}, ring...))
	low, high := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	for _, p := range outline {
		for axis := range 2 {
			low[axis], high[axis] = min(low[axis], p[axis]), max(high[axis], p[axis])
		}
	}
	lon, lat := (low[0]+high[0])/2, (low[1]+high[1])/2
	var code int
	switch zone := 1 + int(math.Floor((lon+180)/6)+60)%60; {
	case lat > 84:
		code = 32661
	case lat < -80:
		code = 32761
	case lat >= 0:
		code = 32600 + zone
	default:
		code = 32700 + zone
	}
	started()
	system, err := godal.NewSpatialRefFromEPSG(code, reportErrors)
	if err != nil {
		return g, 0, 0, fmt.Errorf("EPSG:%d: %w", code, brief(err))
	}
	defer system.Close()
	if g.WKT, err = system.WKT(); err != nil {
		return g, 0, 0, fmt.Errorf("EPSG:%d: %w", code, brief(err))
	}
	g.EPSG, g.Transform = code, [6]float64{0, metres, 0, 0, 0, -metres}
	to, err := g.lonlat()
	if err != nil {
		return g, 0, 0, err
	}
	defer to.close()
	x, y, ok := make([]float64, len(outline)), make([]float64, len(outline)), make([]bool, len(outline))
	for i, p := range outline {
		x[i], y[i] = p[0], p[1]
	}
	if err := to.back.TransformEx(x, y, nil, ok); err != nil {
		return g, 0, 0, fmt.Errorf("%w: EPSG:%d does not reach all of it: %w", ErrNoPlace, code, err)
	}
	left, top, right, bottom := math.Inf(1), math.Inf(-1), math.Inf(-1), math.Inf(1)
	for i := range x {
		left, right, bottom, top = min(left, x[i]), max(right, x[i]), min(bottom, y[i]), max(top, y[i])
	}
	// A pixel more on each side, for what is bent between the points.
	left, top = (math.Floor(left/metres)-1)*metres, (math.Ceil(top/metres)+1)*metres
	w, h := math.Ceil((right-left)/metres)+1, math.Ceil((top-bottom)/metres)+1
	switch {
	case !(w >= 1 && h >= 1):
		return g, 0, 0, errors.New("it covers no pixel of a map")
	case w > maxMapSide || h > maxMapSide || w*h > maxMapPixels:
		return g, 0, 0, fmt.Errorf("a map of it has %.0f x %.0f pixels of %v m, at most %d a side and %d in all are made; choose larger pixels", w, h, metres, maxMapSide, maxMapPixels)
	}
	g.Transform[0], g.Transform[3] = left, top
	return g, int(w), int(h), nil
}
