package mosaic

import (
	"errors"
	"testing"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
)

// A scene of a site's own grid, or of Mars, is taken: it has a product without a place on the Earth. One whose
// system can't be read is not.
func TestASceneOfNoPlaceOnTheEarthIsTaken(t *testing.T) {
	m := event.Manifest{Width: 8, Height: 8}
	m.Georef.Transform = [6]float64{10, 1, 0, 10, 0, -1}
	for _, wkt := range []string{"", `LOCAL_CS["site",UNIT["metre",1]]`, `GEOGCS["Mars",DATUM["Mars",SPHEROID["Mars",3396190,0]],PRIMEM["x",0],UNIT["degree",0.0174532925199433]]`} {
		if m.Georef.WKT = wkt; placed(m) != nil {
			t.Errorf("%.20q: %v", wkt, placed(m))
		}
	}
	if m.Georef.WKT = "http://127.0.0.1/crs"; !errors.Is(placed(m), raster.ErrGeoref) {
		t.Errorf("an address: %v", placed(m))
	}
}
