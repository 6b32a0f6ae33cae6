package raster

import "errors"

// Places turns boxes of pixels into places on the Earth. Close it.
type Places struct {
	georef Georef
	to     *lonlat // nil: the system leads nowhere
}

// Placed is where a box of pixels lies.
type Placed struct {
	Map      [4][2]float64    // its corners in the raster's reference system: top left, top right, bottom right, bottom left
	Centre   [2]float64       // longitude and latitude of its middle, WGS 84
	Polygons [][][][2]float64 // its outline in lon/lat as RFC 7946 wants it: two polygons over the 180th meridian
}

// NewPlaces gives ErrNoGeoref for a raster without a place. Where its system leads nowhere on the Earth no box has one.
func NewPlaces(g Georef) (*Places, error) {
	to, err := g.lonlat()
	if err != nil && !errors.Is(err, ErrNoPlace) {
		return nil, err
	}
	return &Places{g, to}, nil
}

// Close releases the reference systems.
func (p *Places) Close() {
	if p.to != nil {
		p.to.close()
	}
}

// ErrNoPlace says that a box lies where its raster's reference system has no place on the Earth, or that the
// system has none at all.
var ErrNoPlace = errors.New("it has no place on the Earth")

// Box places the box with its top left corner at (x, y), in pixels from the raster's corner.
func (p *Places) Box(x, y, w, h float64) (Placed, error) {
	var at Placed
	ring := make([][2]float64, 0, 5)
	for i, c := range [4][2]float64{{x, y}, {x + w, y}, {x + w, y + h}, {x, y + h}} {
		at.Map[i][0], at.Map[i][1] = p.georef.At(c[0], c[1])
		ring = append(ring, c)
	}
	if p.to == nil {
		return at, ErrNoPlace
	}
	cx, cy := p.georef.At(x+w/2, y+h/2)
	centre := p.to.ring([]float64{cx}, []float64{cy}, p.georef.pixel())
	f := featureWriter{georef: p.georef, to: p.to}
	rings, placed := f.lonlat([][][2]float64{append(ring, ring[0])})
	if !placed || len(centre) == 0 {
		return at, ErrNoPlace
	}
	at.Centre = unwrap(centre)[0]
	var err error
	at.Polygons, err = onGlobe(rings)
	return at, err
}
