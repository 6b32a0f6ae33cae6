package sar

import "math"

// sidePoints is how many points each side of a footprint gets: an image's sides are bent in longitude and latitude.
const sidePoints = 8

// Footprint is the outline of the image's pixels as a closed ring of longitude and latitude. Its longitudes may
// jump at the 180th meridian and it may run either way round: raster.Globe makes GeoJSON's polygons of it.
func (g *Geometry) Footprint(height float64) ([][2]float64, error) {
	top, left := -0.5, -0.5
	bottom, right := float64(g.lines)-0.5, float64(g.samples)-0.5
	corners := [5][2]float64{{top, left}, {top, right}, {bottom, right}, {bottom, left}, {top, left}}
	var ring [][2]float64
	from, to := g.orbit.limits()
	for i := range 4 {
		a, b := corners[i], corners[i+1]
		for k := range sidePoints {
			f := float64(k) / sidePoints
			// Half a row may lie outside the orbit's span of which the rows' middles are inside.
			row := a[0] + (b[0]-a[0])*f
			row = min(max(row, (from-g.start)*g.prf), (to-g.start)*g.prf)
			lat, lon, err := g.Place(row, a[1]+(b[1]-a[1])*f, height)
			if err != nil {
				return nil, err
			}
			ring = append(ring, [2]float64{lon, lat})
		}
	}
	return append(ring, ring[0]), nil
}

// View is how the antenna saw a pixel.
type View struct {
	Incidence    float64 // degrees between the ellipsoid's normal and the line to the antenna
	Azimuth      float64 // degrees from north, clockwise, of the direction from the ground to the antenna
	Ascending    bool    // the antenna moved north
	GroundRange  float64 // metres on the ground from column to column
	GroundTrack  float64 // metres on the ground from row to row
	AntennaLat   float64 // of the antenna
	AntennaLon   float64
	AntennaAbove float64 // metres above the ellipsoid
}

// View is how the antenna saw a pixel whose ground is at a height.
func (g *Geometry) View(row, col, height float64) (View, error) {
	at, up, antenna, err := g.ground(row, col, height)
	if err != nil {
		return View{}, err
	}
	los := minus(antenna, at)
	cosine := dot(los, up) / norm(los)
	view := View{Incidence: math.Acos(max(-1, min(1, cosine))) * 180 / math.Pi}
	view.GroundRange = g.rangeStep / math.Sqrt(max(1-cosine*cosine, 1e-12))

	_, lon, _, _ := geodetic(at)
	sinLon, cosLon := math.Sincos(lon * math.Pi / 180)
	east := [3]float64{-sinLon, cosLon, 0}
	view.Azimuth = math.Mod(math.Atan2(dot(los, east), dot(los, cross(up, east)))*180/math.Pi+360, 360)

	_, v, a := g.orbit.at(g.seconds(row))
	// The zero-Doppler plane turns as well as moves: a point of the ground at rest in it moves so fast.
	view.GroundTrack = (dot(v, v) + dot(los, a)) / norm(v) / g.prf
	view.Ascending = v[2] > 0
	view.AntennaLat, view.AntennaLon, view.AntennaAbove, _ = geodetic(antenna)
	return view, nil
}
