package mosaic

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/sar"
)

// radarPlace is where an image lies on the ellipsoid, as far as that is known.
type radarPlace struct {
	geometry *sar.Geometry // nil: it is not known
	view     sar.View      // of the image's middle
	outline  [][][][2]float64
	metres   float64 // a pixel of geocoded.tif
	mapped   *raster.Mapped
	// problem says why an image with an orbit has no place, or is not brought onto a map.
	problem string
}

// ground is the height above the ellipsoid that all of an image is taken to lie at: there is no model of the
// terrain. What lies higher is shown nearer to the antenna than it is.
const ground = 0

// mostMapSide bounds the pixels of a map along the image's length.
const mostMapSide = 60_000

// findPlace looks where the image lies. Without an orbit it lies nowhere, which is no problem.
func findPlace(r *event.Radar) (at radarPlace) {
	g, err := sar.PlanOf(r).Geometry()
	if errors.Is(err, sar.ErrNoOrbit) {
		return at
	}
	var ring [][2]float64
	if err == nil {
		ring, err = g.Footprint(ground)
	}
	if err == nil {
		at.view, err = g.View(float64(r.Lines-1)/2, float64(r.Samples-1)/2, ground)
	}
	if err == nil {
		at.outline, err = raster.Globe(ring)
	}
	if err != nil {
		at.problem = "it has no place: " + err.Error()
		return at
	}
	at.geometry = g
	spacing := max(at.view.GroundRange, at.view.GroundTrack)
	length := 1.5 * max(float64(r.Lines)*at.view.GroundTrack, float64(r.Samples)*at.view.GroundRange) // however it lies across its map
	at.metres = math.Ceil(10*max(spacing, length/mostMapSide)) / 10
	return at
}

// geocode brings the amplitude onto a map.
func (at *radarPlace) geocode(ctx context.Context, dir string, metadata map[string]string) error {
	if at.geometry == nil {
		return nil
	}
	made, err := raster.Geocode(ctx, filepath.Join(dir, "amplitude.tif"), filepath.Join(dir, "geocoded.tif"), at.geometry,
		raster.Map{Metres: at.metres, Height: ground, Metadata: metadata})
	switch {
	case errors.Is(err, raster.ErrNoPlace) || errors.Is(err, sar.ErrNotSeen):
		at.problem = "it is on no map: " + err.Error()
		return nil
	case err != nil:
		return fmt.Errorf("geocoded.tif: %w", err)
	}
	at.mapped = &made
	return nil
}
