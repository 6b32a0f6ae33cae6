package raster

// Places turns boxes of pixels into places on the Earth. Close it.
type Places struct {
	georef Georef
	to     *lonlat
}

// Placed is where a box of pixels lies.
type Placed struct {
	Map      [4][2]float64    // its corners in the raster's reference system: top left, top right, bottom right, bottom left
	Centre   [2]float64       // longitude and latitude of its middle, WGS 84
	Polygons [][][][2]float64 // its outline in lon/lat as RFC 7946 wants it: two polygons over the 180th meridian
}

// NewPlaces gives ErrNoGeoref for a raster without a place.
func NewPlaces(g Georef) (*Places, error) {
	to, err := g.lonlat()
	if err != nil {
		return nil, err
	}
	return &Places{g, to}, nil
}

// Close releases the reference systems.
func (p *Places) Close() { p.to.close() }

// Box places the box with its top left corner at (x, y), in pixels from the raster's corner.
func (p *Places) Box(x, y, w, h float64) (Placed, error) {
	var at Placed
	ring := make([][2]float64, 0, 5)
	for i, c := range [4][2]float64{{x, y}, {x + w, y}, {x + w, y + h}, {x, y + h}} {
		at.Map[i][0], at.Map[i][1] = p.georef.At(c[0], c[1])
		ring = append(ring, c)
	}
	cx, cy := p.georef.At(x+w/2, y+h/2)
	centre := [2][]float64{{cx}, {cy}}
	if err := p.to.turn(centre[0], centre[1]); err != nil {
		return at, err
	}
	at.Centre = unwrap([][2]float64{{centre[0][0], centre[1][0]}})[0]
	f := featureWriter{georef: p.georef, to: p.to}
	rings, err := f.lonlat([][][2]float64{append(ring, ring[0])})
	if err != nil {
		return at, err
	}
	at.Polygons, err = cutAtDateLine(rings)
	return at, err
}
