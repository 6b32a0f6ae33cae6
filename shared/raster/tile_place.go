package raster

import (
	"fmt"

	"github.com/airbusgeo/godal"
)

// placeTag is where a tile says which part of it lies in its scene, behind the EPSG code of its reference system:
// to have that from the system itself takes three times as long as to decode the tile.
const placeTag = "CANVAS_PLACE"

// TilePlace says where a tile lies, and which part of it lies in its scene: beyond, the scene is mirrored. Of the
// georeference it reads the code and the transform. False for tiles that don't say so, as those of devices of
// before, and for those of systems without a code.
func TilePlace(data []byte) (g Georef, inside Window, ok bool, err error) {
	err = openTile(data, func(ds *godal.Dataset) error {
		st := ds.Structure()
		n, e := fmt.Sscanf(ds.Metadata(placeTag), "%d %d %d %d %d", &g.EPSG, &inside.X, &inside.Y, &inside.W, &inside.H)
		if ok = e == nil && n == 5 && g.EPSG > 0 && inside.In(st.SizeX, st.SizeY); !ok {
			return nil
		}
		g.Transform, e = ds.GeoTransform(reportErrors)
		ok = e == nil
		return nil
	})
	if err != nil {
		return g, inside, false, fmt.Errorf("look at a tile of %d bytes: %w", len(data), err)
	}
	return g, inside, ok, nil
}

// placeInside writes which part of a tile lies in its scene.
func placeInside(ds *godal.Dataset, epsg int, w Window) error {
	if err := ds.SetMetadata(placeTag, fmt.Sprintf("%d %d %d %d %d", epsg, w.X, w.Y, w.W, w.H), reportErrors); err != nil {
		return fmt.Errorf("the part inside the scene: %w", brief(err))
	}
	return nil
}
